/* SPDX-License-Identifier: Apache-2.0 */
/* For tests that nothing is left open. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* How many descriptors this process has. */
guint lvp_count_open_files(void);

G_END_DECLS
