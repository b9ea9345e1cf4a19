/* SPDX-License-Identifier: Apache-2.0 */
/* Waits in the main loop for something that happens in it. */
#pragma once

#include <glib.h>

/* Lets the default main context run until IS_DONE, or for TIMEOUT_MS. Whether it is done. Main
 * thread. */
gboolean
lvp_main_wait(gboolean (*is_done)(gconstpointer data), gconstpointer data, guint timeout_ms);
