/* SPDX-License-Identifier: Apache-2.0 */
#include "wait-until.h"

#include <poll.h>

#define DEADLINE_MS 10000
#define PAUSE_US 1000

gboolean
lvp_wait_until(gboolean (*check)(gpointer data), gpointer data)
{
    gint64 deadline_us = g_get_monotonic_time() + DEADLINE_MS * 1000;
    while (!check(data)) {
        if (g_get_monotonic_time() > deadline_us)
            return FALSE;
        g_usleep(PAUSE_US);
    }
    return TRUE;
}

gboolean
lvp_wait_until_readable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, DEADLINE_MS) == 1;
}
