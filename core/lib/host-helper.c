/* SPDX-License-Identifier: Apache-2.0 */
/* The child is forked from a process with threads, so between fork and _exit it calls only
 * async-signal-safe functions. It closes every descriptor that it does not need: a child that the
 * kernel keeps for hours must not keep the daemon's own locks and sockets alive with it. */
#include "host-helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_OUTPUT_FD 3
#define CHILD_LOCK_FD 4
#define CHILD_FIRST_FREE_FD 5

/* A program that could not be started; no errno of Linux is this large and below 256. */
#define STATUS_NO_PROGRAM 250

struct LvpHelper {
    GMutex mutex;
    GArray *lingering; /* pid_t: killed, but not yet ended */
};

LvpHelper *
lvp_helper_new(void)
{
    LvpHelper *self = g_new0(LvpHelper, 1);
    g_mutex_init(&self->mutex);
    self->lingering = g_array_new(FALSE, FALSE, sizeof(pid_t));
    return self;
}

static void
reap_lingering(LvpHelper *self)
{
    g_mutex_lock(&self->mutex);
    for (guint i = self->lingering->len; i > 0; i--) {
        pid_t pid = g_array_index(self->lingering, pid_t, i - 1);
        if (waitpid(pid, NULL, WNOHANG) != 0)
            g_array_remove_index_fast(self->lingering, i - 1);
    }
    g_mutex_unlock(&self->mutex);
}

void
lvp_helper_free(LvpHelper *self)
{
    if (!self)
        return;
    reap_lingering(self);
    g_array_unref(self->lingering);
    g_mutex_clear(&self->mutex);
    g_free(self);
}

/* ---- in the child ---- */

static int
child_write(const LvpHelperTask *task)
{
    int fd = open(task->path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    size_t length = strlen(task->text);
    ssize_t written = write(fd, task->text, length);
    if (written < 0)
        return errno;
    return (size_t)written == length ? 0 : EIO;
}

static int
child_read(const LvpHelperTask *task)
{
    char buffer[4096];
    int fd = open(task->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ssize_t length = read(fd, buffer, sizeof buffer);
    if (length < 0)
        return errno;
    return write(CHILD_OUTPUT_FD, buffer, (size_t)length) == length ? 0 : EIO;
}

static int
child_open_exclusive(const LvpHelperTask *task)
{
    int fd = open(task->path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno;
    close(fd); /* at once: meanwhile it is busy for others */
    return 0;
}

static int
child_run(const LvpHelperTask *task)
{
    char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
    char *const environment[] = {path, locale, NULL};
    dup2(CHILD_OUTPUT_FD, STDOUT_FILENO);
    dup2(CHILD_OUTPUT_FD, STDERR_FILENO);
    execve(task->argv[0], task->argv, environment);
    return STATUS_NO_PROGRAM;
}

static G_GNUC_NORETURN void
be_child(const LvpHelperTask *task, int output_fd)
{
    /* Both may stand where the other has to go: lift them out of the way first. */
    int output = fcntl(output_fd, F_DUPFD, CHILD_FIRST_FREE_FD);
    int lock = task->lock_fd >= 0 ? fcntl(task->lock_fd, F_DUPFD, CHILD_FIRST_FREE_FD) : -1;
    /* Without its lock nobody could see that it hangs. */
    if (output < 0 || (task->lock_fd >= 0 && lock < 0))
        _exit(errno);
    dup2(output, CHILD_OUTPUT_FD);
    if (lock >= 0)
        dup2(lock, CHILD_LOCK_FD);
    else
        close(CHILD_LOCK_FD);
    syscall(SYS_close_range, CHILD_FIRST_FREE_FD, ~0U, 0);
    setsid();

    int status = EINVAL;
    switch (task->kind) {
    case LVP_HELPER_WRITE:
        status = child_write(task);
        break;
    case LVP_HELPER_READ:
        status = child_read(task);
        break;
    case LVP_HELPER_OPEN_EXCLUSIVE:
        status = child_open_exclusive(task);
        break;
    case LVP_HELPER_RUN:
        status = child_run(task);
        break;
    }
    _exit(status);
}

/* ---- in the parent ---- */

/* Reads what the child says until it closes its end or the deadline; keeps what fits. */
static void
collect_output(const LvpHelperTask *task, int fd, gint64 deadline_us)
{
    gsize used = 0;
    for (;;) {
        gint64 left_ms = (deadline_us - g_get_monotonic_time()) / 1000;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = poll(&wait, 1, (int)CLAMP(left_ms, 0, G_MAXINT));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            break;
        char buffer[1024];
        ssize_t length = read(fd, buffer, sizeof buffer);
        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            break;
        gsize keep = task->output ? MIN((gsize)length, task->output_size - 1 - used) : 0;
        if (keep > 0)
            memcpy(task->output + used, buffer, keep);
        used += keep;
    }
    if (task->output)
        task->output[used] = '\0';
}

static gboolean
wait_until(pid_t pid, gint64 deadline_us)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return TRUE; /* no such system call: waitpid below blocks, as before Linux 5.3 */
    int ready;
    do {
        gint64 left_ms = (deadline_us - g_get_monotonic_time()) / 1000;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        ready = poll(&wait, 1, (int)CLAMP(left_ms, 0, G_MAXINT));
    } while (ready < 0 && errno == EINTR);
    close(fd);
    return ready > 0;
}

static int
collect_status(LvpHelper *self, const LvpHelperTask *task, pid_t pid, gint64 deadline_us)
{
    if (!wait_until(pid, deadline_us)) {
        kill(pid, SIGKILL);
        g_mutex_lock(&self->mutex);
        g_array_append_val(self->lingering, pid);
        g_mutex_unlock(&self->mutex);
        return ETIMEDOUT;
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    if (!WIFEXITED(status))
        return EIO;
    int code = WEXITSTATUS(status);
    if (task->kind == LVP_HELPER_RUN && code != 0)
        return code == STATUS_NO_PROGRAM ? ENOENT : EIO;
    return code;
}

int
lvp_helper_run(LvpHelper *self, const LvpHelperTask *task, guint timeout_ms)
{
    reap_lingering(self);
    if (task->output)
        task->output[0] = '\0';
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return errno;
    gint64 deadline_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    pid_t pid = fork();
    if (pid == 0)
        be_child(task, ends[1]);
    int fork_error = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return fork_error;
    }
    collect_output(task, ends[0], deadline_us);
    close(ends[0]);
    return collect_status(self, task, pid, deadline_us);
}
