/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_FOLDERS_MAX 16

struct LvpScratch {
    char *root;
    int fd;
};

static void
check(gboolean ok, const char *verb, const char *path)
{
    if (!ok)
        g_error("scratch folder: cannot %s '%s': %s", verb, path, g_strerror(errno));
}

LvpScratch *
lvp_scratch_new(void)
{
    LvpScratch *self = g_new0(LvpScratch, 1);
    self->root = g_dir_make_tmp("lvp-XXXXXX", NULL);
    check(self->root != NULL, "make", "lvp-XXXXXX");
    self->fd = open(self->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    check(self->fd >= 0, "open", self->root);
    return self;
}

static int
remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

void
lvp_scratch_free(LvpScratch *self)
{
    if (!self)
        return;
    nftw(self->root, remove_entry, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS);
    close(self->fd);
    g_free(self->root);
    g_free(self);
}

const char *
lvp_scratch_get_root(const LvpScratch *self)
{
    return self->root;
}

char *
lvp_scratch_get_path(const LvpScratch *self, const char *path)
{
    return g_build_filename(self->root, path, NULL);
}

void
lvp_scratch_make_folder(LvpScratch *self, const char *path)
{
    if (mkdirat(self->fd, path, 0755) == 0 || errno == EEXIST)
        return;
    check(errno == ENOENT, "make the folder", path);
    g_autofree char *above = g_path_get_dirname(path);
    lvp_scratch_make_folder(self, above);
    check(mkdirat(self->fd, path, 0755) == 0, "make the folder", path);
}

static void
make_folder_above(LvpScratch *self, const char *path)
{
    g_autofree char *above = g_path_get_dirname(path);
    lvp_scratch_make_folder(self, above);
}

void
lvp_scratch_write_bytes(LvpScratch *self, const char *path, const void *bytes, gsize length)
{
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    int fd = openat(self->fd, path, flags, 0644);
    if (fd < 0 && errno == ENOENT) {
        make_folder_above(self, path);
        fd = openat(self->fd, path, flags, 0644);
    }
    check(fd >= 0, "open", path);
    check(write(fd, bytes, length) == (ssize_t)length, "write", path);
    close(fd);
}

void
lvp_scratch_write(LvpScratch *self, const char *path, const char *text)
{
    lvp_scratch_write_bytes(self, path, text, strlen(text));
}

void
lvp_scratch_link_text(LvpScratch *self, const char *path, const char *text)
{
    if (symlinkat(text, self->fd, path) == 0)
        return;
    if (errno == EEXIST)
        unlinkat(self->fd, path, 0);
    else
        make_folder_above(self, path);
    check(symlinkat(text, self->fd, path) == 0, "link", path);
}

void
lvp_scratch_link(LvpScratch *self, const char *path, const char *target)
{
    gsize common = 0;
    for (gsize i = 0; path[i] != '\0' && path[i] == target[i]; i++)
        if (path[i] == '/')
            common = i + 1;
    g_autoptr(GString) text = g_string_new(NULL);
    for (const char *c = path + common; *c != '\0'; c++)
        if (*c == '/')
            g_string_append(text, "../");
    g_string_append(text, target + common);
    lvp_scratch_link_text(self, path, text->str);
}

void
lvp_scratch_make_fifo(LvpScratch *self, const char *path)
{
    make_folder_above(self, path);
    check(mkfifoat(self->fd, path, 0600) == 0, "make the FIFO", path);
}

void
lvp_scratch_remove(LvpScratch *self, const char *path)
{
    if (unlinkat(self->fd, path, 0) == 0 || errno == ENOENT)
        return;
    check(errno == EISDIR, "remove", path);
    g_autofree char *full = lvp_scratch_get_path(self, path);
    check(nftw(full, remove_entry, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS) == 0, "remove", path);
}

char *
lvp_scratch_read(const LvpScratch *self, const char *path)
{
    g_autofree char *full = lvp_scratch_get_path(self, path);
    char *text = NULL;
    return g_file_get_contents(full, &text, NULL, NULL) ? text : NULL;
}

char *
lvp_scratch_read_link(const LvpScratch *self, const char *path)
{
    g_autofree char *full = lvp_scratch_get_path(self, path);
    return g_file_read_link(full, NULL);
}

gboolean
lvp_scratch_exists(const LvpScratch *self, const char *path)
{
    return faccessat(self->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
