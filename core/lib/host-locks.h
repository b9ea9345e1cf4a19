/* SPDX-License-Identifier: Apache-2.0 */
/* Who has an effect under way: lock files, which outlive their process while the kernel keeps its
 * child, and the turns of the threads of this one. Any thread. */
#pragma once

#include <glib.h>

typedef struct LvpHostLocks LvpHostLocks;

/* FOLDER is made when the first lock is taken. */
LvpHostLocks *lvp_host_locks_new(const char *folder);
void lvp_host_locks_free(LvpHostLocks *self);

/* Locks a file of FOLDER, which is made if need be, until the descriptor, which is returned, is
 * closed in all processes; or -errno, -EWOULDBLOCK where somebody else has it. */
int lvp_host_locks_take(const char *folder, const char *name);

/* Begins an effect: waits up to TIMEOUT_MS for those of other threads on NAME. The descriptor is
 * for the child to keep. -EWOULDBLOCK where the kernel has not returned from an earlier one. */
int lvp_host_locks_begin(LvpHostLocks *self, const char *name, guint timeout_ms);
/* Ends it. IN_FLIGHT: the child lives on, and has the lock. */
void lvp_host_locks_end(LvpHostLocks *self, const char *name, int fd, gboolean in_flight);

/* Between begin and end, in this process. */
gboolean lvp_host_locks_is_working(LvpHostLocks *self, const char *name);
/* Held by a child whose effect is not under way here any more, or by another process. */
gboolean lvp_host_locks_is_stuck(LvpHostLocks *self, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpHostLocks, lvp_host_locks_free)
