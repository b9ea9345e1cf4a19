/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that come from the host or from files, for people to read. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* TEXT on one line, as terminals, logs and D-Bus can take it: what is no UTF-8, control characters
 * and line separators are replaced. NULL gives NULL; g_free(). */
char *lvp_text_make_printable(const char *text);

G_END_DECLS
