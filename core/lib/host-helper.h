/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one effect or one read that can hang in a short-lived child process with a deadline. */
#pragma once

#include <glib.h>

typedef enum {
    LVP_HELPER_WRITE,          /* open PATH, write TEXT in one call */
    LVP_HELPER_READ,           /* open PATH, read up to OUTPUT_SIZE - 1 bytes */
    LVP_HELPER_OPEN_EXCLUSIVE, /* open PATH with O_EXCL, close it */
    LVP_HELPER_RUN,            /* execute ARGV with its output and errors read as for READ */
} LvpHelperKind;

typedef struct {
    LvpHelperKind kind;
    const char *path;
    const char *text;
    char *const *argv; /* NULL-ended, argv[0] an absolute path */
    char *output;      /* NUL-terminated on return; may be NULL for WRITE and OPEN_EXCLUSIVE */
    gsize output_size;
    int lock_fd; /* an open, locked file that the child keeps until it ends; -1 for none */
} LvpHelperTask;

typedef struct LvpHelper LvpHelper;

LvpHelper *lvp_helper_new(void);
void lvp_helper_free(LvpHelper *self);

/* Returns 0, or the errno of the first system call that failed in the child (ETIMEDOUT when it did
 * not end within TIMEOUT_MS; it was sent SIGKILL and may end later). For RUN: 0, or EIO when the
 * program's status was not 0. Any thread. */
int lvp_helper_run(LvpHelper *self, const LvpHelperTask *task, guint timeout_ms);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpHelper, lvp_helper_free)
