/* SPDX-License-Identifier: Apache-2.0 */
#include "host-locks.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define EFFECTS_FOLDER "locks"

struct LvpHostLocks {
    char *folder;
    GMutex mutex;
    GCond ended;
    GHashTable *working; /* char *: names under which an effect of this process is under way */
};

LvpHostLocks *
lvp_host_locks_new(const char *folder)
{
    LvpHostLocks *self = g_new0(LvpHostLocks, 1);
    self->folder = g_strdup(folder);
    g_mutex_init(&self->mutex);
    g_cond_init(&self->ended);
    self->working = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return self;
}

void
lvp_host_locks_free(LvpHostLocks *self)
{
    if (!self)
        return;
    g_hash_table_unref(self->working);
    g_cond_clear(&self->ended);
    g_mutex_clear(&self->mutex);
    g_free(self->folder);
    g_free(self);
}

/* ---- the files ---- */

/* Locks belong to the open file, like those of flock(), so a child keeps them; but these can be
 * looked at without taking them, which would make somebody else busy for that moment. */
static int
use_lock(int fd, int command, struct flock *lock)
{
    lock->l_whence = SEEK_SET;
    return fcntl(fd, command, lock);
}

int
lvp_host_locks_take(const char *folder, const char *name)
{
    if (g_mkdir_with_parents(folder, 0755) < 0)
        return -errno;
    g_autofree char *file = g_build_filename(folder, name, NULL);
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    if (use_lock(fd, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK}) < 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    return fd;
}

static gboolean
is_file_locked(const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return FALSE;
    struct flock found = {.l_type = F_RDLCK};
    gboolean held = use_lock(fd, F_OFD_GETLK, &found) == 0 && found.l_type != F_UNLCK;
    close(fd);
    return held;
}

/* ---- effects ---- */

/* FALSE where another thread is still at it. */
static gboolean
wait_for_turn(LvpHostLocks *self, const char *name, guint timeout_ms)
{
    gint64 deadline_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    gboolean in_time = TRUE;
    g_mutex_lock(&self->mutex);
    while (in_time && g_hash_table_contains(self->working, name))
        in_time = g_cond_wait_until(&self->ended, &self->mutex, deadline_us);
    in_time = !g_hash_table_contains(self->working, name);
    if (in_time)
        g_hash_table_add(self->working, g_strdup(name));
    g_mutex_unlock(&self->mutex);
    return in_time;
}

static void
end_turn(LvpHostLocks *self, const char *name)
{
    g_mutex_lock(&self->mutex);
    g_hash_table_remove(self->working, name);
    g_cond_broadcast(&self->ended);
    g_mutex_unlock(&self->mutex);
}

int
lvp_host_locks_begin(LvpHostLocks *self, const char *name, guint timeout_ms)
{
    if (!wait_for_turn(self, name, timeout_ms))
        return -EWOULDBLOCK;
    g_autofree char *folder = g_build_filename(self->folder, EFFECTS_FOLDER, NULL);
    int fd = lvp_host_locks_take(folder, name);
    if (fd < 0)
        end_turn(self, name);
    return fd;
}

void
lvp_host_locks_end(LvpHostLocks *self, const char *name, int fd, gboolean in_flight)
{
    /* Said, not left to close(): a child of another thread may have the file open until it closes
     * what it does not need. */
    if (!in_flight)
        use_lock(fd, F_OFD_SETLK, &(struct flock){.l_type = F_UNLCK});
    close(fd);
    end_turn(self, name);
}

gboolean
lvp_host_locks_is_working(LvpHostLocks *self, const char *name)
{
    g_mutex_lock(&self->mutex);
    gboolean working = g_hash_table_contains(self->working, name);
    g_mutex_unlock(&self->mutex);
    return working;
}

gboolean
lvp_host_locks_is_stuck(LvpHostLocks *self, const char *name)
{
    g_autofree char *file = g_build_filename(self->folder, EFFECTS_FOLDER, name, NULL);
    /* Under the mutex, so that no effect begins between the two looks. */
    g_mutex_lock(&self->mutex);
    gboolean stuck = !g_hash_table_contains(self->working, name) && is_file_locked(file);
    g_mutex_unlock(&self->mutex);
    return stuck;
}
