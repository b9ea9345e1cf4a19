/* SPDX-License-Identifier: Apache-2.0 */
/* A temporary folder that goes away with its object. Paths are relative to it; folders on the way
 * are made. What cannot be done ends the process: a test without its files proves nothing. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct LvpScratch LvpScratch;

LvpScratch *lvp_scratch_new(void);
/* Removes the folder and all in it. Accepts NULL. */
void lvp_scratch_free(LvpScratch *self);

/* Absolute, without a slash at the end. */
const char *lvp_scratch_get_root(const LvpScratch *self);
/* PATH made absolute; g_free(). */
char *lvp_scratch_get_path(const LvpScratch *self, const char *path);

void lvp_scratch_make_folder(LvpScratch *self, const char *path);
/* Replaces the content. */
void lvp_scratch_write(LvpScratch *self, const char *path, const char *text);
void lvp_scratch_write_bytes(LvpScratch *self, const char *path, const void *bytes, gsize length);
/* Makes PATH a symbolic link, relative as the kernel writes it, to TARGET in the same folder.
 * Replaces a link. */
void lvp_scratch_link(LvpScratch *self, const char *path, const char *target);
/* Makes PATH a symbolic link to TEXT as it stands. Replaces a link. */
void lvp_scratch_link_text(LvpScratch *self, const char *path, const char *text);
/* A FIFO. */
void lvp_scratch_make_fifo(LvpScratch *self, const char *path);
/* With all below it; nothing where it does not exist. */
void lvp_scratch_remove(LvpScratch *self, const char *path);

/* The text of a file, or NULL; g_free(). */
char *lvp_scratch_read(const LvpScratch *self, const char *path);
/* The target of a link, or NULL; g_free(). */
char *lvp_scratch_read_link(const LvpScratch *self, const char *path);
/* Whether something stands at PATH, be it a link to nowhere. */
gboolean lvp_scratch_exists(const LvpScratch *self, const char *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpScratch, lvp_scratch_free)

G_END_DECLS
