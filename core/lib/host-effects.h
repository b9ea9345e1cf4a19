/* SPDX-License-Identifier: Apache-2.0 */
/* The seam through which tests put a modelled kernel below a made host tree. Internal to the
 * project: reads always go to the tree, only what would reach a real kernel is asked of the model.
 */
#pragma once

#include <libvirt-provider/host.h>

/* Each returns 0 or an errno; ETIMEDOUT stands for a child that never returned. A NULL member keeps
 * the real behaviour. Called from any thread. LOCK_FD is the held lock file: a write that never
 * returns keeps a duplicate of it, as the child would. */
typedef struct {
    int (*write)(gpointer data, const char *path, const char *text, int lock_fd);
    int (*read_guarded)(gpointer data, const char *path, char *buffer, gsize size);
    int (*load_module)(gpointer data, const char *module);
    int (*open_exclusive)(gpointer data, const char *name);
    char *(*find_opener)(gpointer data, const char *path);
    char *(*find_interface_address)(gpointer data, const char *name);
    gint64 (*get_now_us)(gpointer data);
    void (*sleep)(gpointer data, guint duration_us);
} LvpHostEffects;

/* EFFECTS and DATA outlive the host. Before the first use of it by another thread. */
void lvp_host_set_effects(LvpHost *self, const LvpHostEffects *effects, gpointer data);

/* Takes the lock of "the one provider of this host root"; held until the host is freed or the
 * process ends. LVP_ERROR_BUSY if another has it, LVP_ERROR_HOST if the lock file cannot be made.
 */
gboolean lvp_host_lock_provider(LvpHost *self, GError **error);

/* This boot, as the kernel names it; "" where it cannot be read. g_free(). */
char *lvp_host_read_boot_id(LvpHost *self);
