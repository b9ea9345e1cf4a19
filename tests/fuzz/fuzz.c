/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <fcntl.h>
#include <libvirt-provider/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void
fuzz_fail(const char *claim, const char *file, int line)
{
    fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, claim);
    abort();
}

void
must_be_utf8(const char *text)
{
    must(!text || g_utf8_validate(text, -1, NULL));
}

void
must_be_printable(const char *text)
{
    must_be_utf8(text);
    for (const char *c = text ? text : ""; *c; c += g_utf8_skip[(guint8)*c])
        must(*c == '\n' || !g_unichar_iscntrl(g_utf8_get_char(c)));
}

void
must_agree(gboolean ok, const GError *error)
{
    must(ok == (error == NULL));
    if (!error)
        return;
    must(error->domain == LVP_ERROR && error->code != LVP_ERROR_INTERNAL);
    must_be_utf8(error->message);
}

char *
fuzz_copy_text(const guint8 *data, gsize size)
{
    return g_strndup((const char *)data, size);
}

char *
fuzz_make_file(const guint8 *data, gsize size)
{
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("input", MFD_CLOEXEC);
    must(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    return g_strdup_printf("/proc/self/fd/%d", fd);
}

int
LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count;
    (void)arguments;
    g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
    /* What a target keeps in files should not wait for a disk. */
    if (access("/dev/shm", W_OK) == 0)
        g_setenv("TMPDIR", "/dev/shm", FALSE);
    return 0;
}
