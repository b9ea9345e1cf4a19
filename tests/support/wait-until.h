/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for what happens in another thread or process, without a guess how long it takes. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* TRUE as soon as CHECK says so, FALSE when it did not for ten seconds. */
gboolean lvp_wait_until(gboolean (*check)(gpointer data), gpointer data);

/* The same for "FD can be read, or its other end is closed". */
gboolean lvp_wait_until_readable(int fd);

G_END_DECLS
