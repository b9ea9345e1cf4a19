/* SPDX-License-Identifier: Apache-2.0 */
#include "main-wait.h"

static gboolean
run_out_of_time(gpointer data)
{
    *(gboolean *)data = FALSE;
    return G_SOURCE_REMOVE;
}

gboolean
lvp_main_wait(gboolean (*is_done)(gconstpointer data), gconstpointer data, guint timeout_ms)
{
    gboolean in_time = TRUE;
    guint timer = g_timeout_add(timeout_ms, run_out_of_time, &in_time);
    while (!is_done(data) && in_time)
        g_main_context_iteration(NULL, TRUE);
    if (in_time)
        g_source_remove(timer);
    return is_done(data);
}
