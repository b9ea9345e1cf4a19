/* SPDX-License-Identifier: Apache-2.0 */
/* The host below its root path: reads, and effects that cannot hang the caller.
 *
 * Paths are relative to one of the trees, without a leading slash. All functions may be called from
 * any thread. Effects, and reads that can hang in the kernel, run in a short-lived child process
 * that holds a lock file per subject: if the kernel never returns, only that child hangs, and a
 * later process learns from the held lock that the effect is still in flight. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct LvpHost LvpHost;

typedef enum {
    LVP_HOST_SYS,  /* sysfs */
    LVP_HOST_PROC, /* procfs */
    LVP_HOST_DEV,  /* device nodes */
} LvpHostTree;

/* Room for any attribute of one value. */
#define LVP_HOST_VALUE_SIZE 128

/* ROOT: absolute path, "/" for this machine. NULL with LVP_ERROR_INVALID_REQUEST if it is no
 * absolute path, or no sysfs can be opened below it. */
LvpHost *lvp_host_new(const char *root, GError **error);
/* Accepts NULL. Children that still hang are left to the kernel. */
void lvp_host_free(LvpHost *self);

/* Reads a one-line attribute into BUFFER without the line end, NUL-terminated. Returns its length,
 * or -errno. Builds no GError, because scans call it thousands of times and expect misses. */
gssize
lvp_host_read_value(LvpHost *self, LvpHostTree tree, const char *path, char *buffer, gsize size);

/* The whole of a text file, at most 16 MiB; free with g_free(). LVP_ERROR_HOST, or
 * LVP_ERROR_NOT_FOUND where it does not exist. */
char *lvp_host_read_text(LvpHost *self, LvpHostTree tree, const char *path, GError **error);

/* The target of a symbolic link as it stands, NUL-terminated. Returns its length, or -errno
 * (-ENAMETOOLONG where BUFFER is too small). */
gssize
lvp_host_read_link(LvpHost *self, LvpHostTree tree, const char *path, char *buffer, gsize size);

/* The last component of a link's target. TRUE and NUL-terminated, or FALSE with an empty BUFFER. */
gboolean lvp_host_read_link_name(
    LvpHost *self, LvpHostTree tree, const char *path, char *buffer, gsize size);

/* Names in a folder, sorted, without "." and ".."; g_strfreev(). LVP_ERROR_NOT_FOUND or _HOST. */
char **lvp_host_list(LvpHost *self, LvpHostTree tree, const char *path, GError **error);

gboolean lvp_host_exists(LvpHost *self, LvpHostTree tree, const char *path);

/* The numbers of the NUMA nodes, int, in the order of their folders (node0, node1, node10, node2);
 * none on a kernel without NUMA. Their folders are devices/system/node/nodeN below LVP_HOST_SYS.
 * g_array_unref(). */
GArray *lvp_host_list_nodes(LvpHost *self);

/* Writes TEXT to an attribute below /sys in a child process that holds the lock LOCK (a name
 * without slash, such as a PCI address). Effects of several threads on one lock wait for each
 * other. Success says only that the kernel took the text: the caller looks whether the effect came.
 * LVP_ERROR_TIMED_OUT after TIMEOUT_MS (the write may still complete), LVP_ERROR_BUSY when an
 * earlier effect on LOCK is in flight, LVP_ERROR_NOT_SUPPORTED where the kernel says ENOTTY,
 * LVP_ERROR_HOST with the errno's text. */
gboolean lvp_host_write(LvpHost *self,
                        const char *path,
                        const char *text,
                        const char *lock,
                        guint timeout_ms,
                        GError **error);

/* Reads an attribute below /sys whose read can hang (driver_override, uevent), like
 * lvp_host_write(). The text without the line end; g_free(). */
char *lvp_host_read_guarded(
    LvpHost *self, const char *path, const char *lock, guint timeout_ms, GError **error);

/* Whether this process has an effect on LOCK under way, still within its deadline. */
gboolean lvp_host_is_working(LvpHost *self, const char *lock);

/* Whether an effect on LOCK has not returned from the kernel: one of this process that has outlived
 * its deadline, or one of an earlier process. */
gboolean lvp_host_is_stuck(LvpHost *self, const char *lock);

/* Loads a kernel module by modprobe. On a host root other than "/" nothing can be loaded:
 * LVP_ERROR_NOT_SUPPORTED. */
gboolean lvp_host_load_module(LvpHost *self, const char *module, guint timeout_ms, GError **error);

/* Opens the block device NAME below /dev with O_EXCL and closes it, in a child process. TRUE with
 * *RET_BUSY set when the kernel answers EBUSY: somebody has it mounted, as swap, or open for
 * themselves, in whatever mount namespace; and not only for a moment, as who asks the same. A
 * missing node or medium is not busy. */
gboolean lvp_host_probe_block_device(
    LvpHost *self, const char *name, guint timeout_ms, gboolean *ret_busy, GError **error);

/* Who has the device node PATH (below /dev) open: "pid 812 (qemu-system-x86)", or NULL when nobody
 * has, without opening it. Processes that cannot be looked into are passed over. g_free(). */
char *lvp_host_find_opener(LvpHost *self, const char *path);

/* The same for all of PATHS, NULL-ended, in one walk over the open files of all processes: from
 * path to who has it open, without those that nobody has. g_hash_table_unref(). */
GHashTable *lvp_host_find_openers(LvpHost *self, const char *const *paths);

/* An address of the network interface NAME as text, or NULL; g_free(). Only on host root "/". */
char *lvp_host_find_interface_address(LvpHost *self, const char *name);

/* A clock that never goes back, and a pause by it. What waits for the kernel asks the host for
 * both: a made host may have a time of its own. */
gint64 lvp_host_get_now_us(LvpHost *self);
void lvp_host_sleep(LvpHost *self, guint duration_us);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpHost, lvp_host_free)

G_END_DECLS
