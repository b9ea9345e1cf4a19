/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that names /sys, /proc, /dev and /run. */
#include "host-effects.h"
#include "host-helper.h"
#include "host-locks.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <ifaddrs.h>
#include <libvirt-provider/error.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_FILE_MAX_BYTES (16u << 20)
#define RUN_FOLDER "run/libvirt-provider"
#define PROBE_AGAIN_TIMES 3
#define PROBE_AGAIN_US 10000

struct LvpHost {
    char *root; /* without a slash at the end: "" for this machine */
    int tree_fds[3];
    int provider_lock_fd;
    LvpHelper *helper;
    LvpHostLocks *locks;
    const LvpHostEffects *effects;
    gpointer effects_data;
};

static const char *const TREE_NAMES[] = {"sys", "proc", "dev"};
static const LvpHostEffects NO_EFFECTS = {0};

static void
set_errno_error(GError **error, int code, const char *verb, const LvpHost *host, const char *what)
{
    g_set_error(error, LVP_ERROR,
                code == ENOENT      ? LVP_ERROR_NOT_FOUND
                : code == ETIMEDOUT ? LVP_ERROR_TIMED_OUT
                : code == ENOTTY    ? LVP_ERROR_NOT_SUPPORTED
                                    : LVP_ERROR_HOST,
                "cannot %s %s/%s: %s", verb, host->root, what, g_strerror(code));
}

static void
set_timeout_error(GError **error, const char *verb, const char *path, guint timeout_ms)
{
    g_set_error(error, LVP_ERROR, LVP_ERROR_TIMED_OUT,
                "cannot %s %s: the kernel has not answered in %g s: its messages (journalctl -k) "
                "may say why, or a process that uses the device",
                verb, path, timeout_ms / 1000.0);
}

LvpHost *
lvp_host_new(const char *root, GError **error)
{
    g_return_val_if_fail(root != NULL, NULL);
    if (root[0] != '/') {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "--host-root must be an absolute path, but is '%s'", root);
        return NULL;
    }
    g_autoptr(LvpHost) self = g_new0(LvpHost, 1);
    self->root = g_strdup(root);
    for (gsize length = strlen(root); length > 0 && self->root[length - 1] == '/'; length--)
        self->root[length - 1] = '\0';
    self->provider_lock_fd = -1;
    g_autofree char *run_folder = g_strdup_printf("%s/" RUN_FOLDER, self->root);
    self->locks = lvp_host_locks_new(run_folder);
    self->helper = lvp_helper_new();
    self->effects = &NO_EFFECTS;
    for (guint i = 0; i < G_N_ELEMENTS(TREE_NAMES); i++)
        self->tree_fds[i] = -1;
    for (guint i = 0; i < G_N_ELEMENTS(TREE_NAMES); i++) {
        g_autofree char *path = g_strdup_printf("%s/%s", self->root, TREE_NAMES[i]);
        self->tree_fds[i] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        /* Every host has a sysfs; a made tree may do without the other two. */
        if (self->tree_fds[i] < 0 && i == LVP_HOST_SYS) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                        "cannot open %s: %s (see --host-root: the folder in which the host's sys, "
                        "proc and dev stand)",
                        path, g_strerror(errno));
            return NULL;
        }
    }
    return g_steal_pointer(&self);
}

void
lvp_host_free(LvpHost *self)
{
    if (!self)
        return;
    for (guint i = 0; i < G_N_ELEMENTS(self->tree_fds); i++)
        if (self->tree_fds[i] >= 0)
            close(self->tree_fds[i]);
    if (self->provider_lock_fd >= 0)
        close(self->provider_lock_fd);
    lvp_helper_free(self->helper);
    lvp_host_locks_free(self->locks);
    g_free(self->root);
    g_free(self);
}

void
lvp_host_set_effects(LvpHost *self, const LvpHostEffects *effects, gpointer data)
{
    self->effects = effects;
    self->effects_data = data;
}

/* ---- reads ---- */

/* Why a call below a tree failed: in a tree that is not there, nothing is there. */
static int
get_tree_errno(void)
{
    return errno == EBADF ? ENOENT : errno;
}

gssize
lvp_host_read_value(LvpHost *self, LvpHostTree tree, const char *path, char *buffer, gsize size)
{
    int fd = openat(self->tree_fds[tree], path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -get_tree_errno();
    ssize_t length = read(fd, buffer, size - 1);
    int read_error = errno;
    close(fd);
    if (length < 0)
        return -read_error;
    while (length > 0 && (buffer[length - 1] == '\n' || buffer[length - 1] == ' '))
        length--;
    buffer[length] = '\0';
    return length;
}

char *
lvp_host_read_text(LvpHost *self, LvpHostTree tree, const char *path, GError **error)
{
    g_autofree char *shown = g_strdup_printf("%s/%s", TREE_NAMES[tree], path);
    int fd = openat(self->tree_fds[tree], path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        set_errno_error(error, get_tree_errno(), "open", self, shown);
        return NULL;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    char buffer[4096];
    ssize_t length;
    while ((length = read(fd, buffer, sizeof buffer)) > 0 && text->len < TEXT_FILE_MAX_BYTES)
        g_string_append_len(text, buffer, length);
    int code = length < 0 ? errno : length > 0 ? EFBIG : 0;
    close(fd);
    if (code != 0) {
        set_errno_error(error, code, "read", self, shown);
        return NULL;
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

gssize
lvp_host_read_link(LvpHost *self, LvpHostTree tree, const char *path, char *buffer, gsize size)
{
    ssize_t length = readlinkat(self->tree_fds[tree], path, buffer, size);
    if (length < 0)
        return -get_tree_errno();
    if ((gsize)length >= size)
        return -ENAMETOOLONG;
    buffer[length] = '\0';
    return length;
}

gboolean
lvp_host_read_link_name(LvpHost *self, LvpHostTree tree, const char *path, char *buffer, gsize size)
{
    char target[512];
    buffer[0] = '\0';
    if (lvp_host_read_link(self, tree, path, target, sizeof target) <= 0)
        return FALSE;
    const char *slash = strrchr(target, '/');
    const char *name = slash ? slash + 1 : target;
    if (name[0] != '\0' && g_strlcpy(buffer, name, size) < size)
        return TRUE;
    buffer[0] = '\0';
    return FALSE;
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **
lvp_host_list(LvpHost *self, LvpHostTree tree, const char *path, GError **error)
{
    int fd = openat(self->tree_fds[tree], path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        g_autofree char *shown = g_strdup_printf("%s/%s", TREE_NAMES[tree], path);
        set_errno_error(error, get_tree_errno(), "list", self, shown);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            g_ptr_array_add(names, g_strdup(entry->d_name));
    closedir(folder);
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

gboolean
lvp_host_exists(LvpHost *self, LvpHostTree tree, const char *path)
{
    return faccessat(self->tree_fds[tree], path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

#define MAX_NODE 1023 /* of any Linux */

GArray *
lvp_host_list_nodes(LvpHost *self)
{
    GArray *nodes = g_array_new(FALSE, FALSE, sizeof(int));
    g_auto(GStrv) names = lvp_host_list(self, LVP_HOST_SYS, "devices/system/node", NULL);
    for (guint i = 0; names && names[i]; i++) {
        guint64 number;
        if (!g_str_has_prefix(names[i], "node") ||
            !g_ascii_string_to_unsigned(names[i] + strlen("node"), 10, 0, MAX_NODE, &number, NULL))
            continue;
        int node = (int)number;
        g_array_append_val(nodes, node);
    }
    return nodes;
}

char *
lvp_host_read_boot_id(LvpHost *self)
{
    char value[LVP_HOST_VALUE_SIZE];
    gssize length =
        lvp_host_read_value(self, LVP_HOST_PROC, "sys/kernel/random/boot_id", value, sizeof value);
    return g_strdup(length > 0 ? value : "");
}

/* ---- locks ---- */

gboolean
lvp_host_lock_provider(LvpHost *self, GError **error)
{
    g_autofree char *folder = g_strdup_printf("%s/" RUN_FOLDER, self->root);
    int fd = lvp_host_locks_take(folder, "provider.lock");
    if (fd == -EWOULDBLOCK) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY,
                    "another libvirt-provider runs on host root %s/ (it holds %s/" RUN_FOLDER
                    "/provider.lock): stop it first",
                    self->root, self->root);
        return FALSE;
    }
    if (fd < 0) {
        set_errno_error(error, -fd, "lock", self, RUN_FOLDER "/provider.lock");
        return FALSE;
    }
    self->provider_lock_fd = fd;
    return TRUE;
}

gboolean
lvp_host_is_working(LvpHost *self, const char *lock)
{
    return lvp_host_locks_is_working(self->locks, lock);
}

gboolean
lvp_host_is_stuck(LvpHost *self, const char *lock)
{
    return lvp_host_locks_is_stuck(self->locks, lock);
}

/* ---- effects ---- */

/* Runs TASK, whose path is below /sys, under LOCK. */
static gboolean
run_locked(LvpHost *self,
           LvpHelperTask *task,
           const char *path,
           const char *lock,
           guint timeout_ms,
           GError **error)
{
    const char *verb = task->kind == LVP_HELPER_WRITE ? "write" : "read";
    g_autofree char *shown = g_strdup_printf("sys/%s", path);
    g_autofree char *full = g_strdup_printf("%s/%s", self->root, shown);
    int fd = lvp_host_locks_begin(self->locks, lock, timeout_ms);
    if (fd == -EWOULDBLOCK) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY,
                    "cannot %s %s: an earlier operation on %s has not returned from the kernel yet",
                    verb, full, lock);
        return FALSE;
    }
    if (fd < 0) {
        set_errno_error(error, -fd, "lock", self, shown);
        return FALSE;
    }
    task->path = full;
    task->lock_fd = fd;
    int code = 0;
    if (task->kind == LVP_HELPER_WRITE && self->effects->write)
        code = self->effects->write(self->effects_data, path, task->text, fd);
    else if (task->kind == LVP_HELPER_READ && self->effects->read_guarded)
        code =
            self->effects->read_guarded(self->effects_data, path, task->output, task->output_size);
    else
        code = lvp_helper_run(self->helper, task, timeout_ms);
    lvp_host_locks_end(self->locks, lock, fd, code == ETIMEDOUT);
    if (code == 0)
        return TRUE;
    if (code == ETIMEDOUT)
        set_timeout_error(error, verb, full, timeout_ms);
    else
        set_errno_error(error, code, verb, self, shown);
    return FALSE;
}

gboolean
lvp_host_write(LvpHost *self,
               const char *path,
               const char *text,
               const char *lock,
               guint timeout_ms,
               GError **error)
{
    g_return_val_if_fail(strchr(lock, '/') == NULL, FALSE);
    LvpHelperTask task = {.kind = LVP_HELPER_WRITE, .text = text};
    return run_locked(self, &task, path, lock, timeout_ms, error);
}

char *
lvp_host_read_guarded(
    LvpHost *self, const char *path, const char *lock, guint timeout_ms, GError **error)
{
    g_return_val_if_fail(strchr(lock, '/') == NULL, NULL);
    char output[4096];
    LvpHelperTask task = {.kind = LVP_HELPER_READ, .output = output, .output_size = sizeof output};
    if (!run_locked(self, &task, path, lock, timeout_ms, error))
        return NULL;
    gsize length = strlen(output);
    return g_strndup(output, length - (length > 0 && output[length - 1] == '\n'));
}

gboolean
lvp_host_load_module(LvpHost *self, const char *module, guint timeout_ms, GError **error)
{
    char output[512] = "";
    int code = 0;
    if (self->effects->load_module) {
        code = self->effects->load_module(self->effects_data, module);
    } else if (self->root[0] != '\0') {
        g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_SUPPORTED,
                    "kernel module %s cannot be loaded on host root %s", module, self->root);
        return FALSE;
    } else {
        char *const argv[] = {(char[]){"/sbin/modprobe"}, g_strdup(module), NULL};
        LvpHelperTask task = {.kind = LVP_HELPER_RUN,
                              .argv = argv,
                              .output = output,
                              .output_size = sizeof output,
                              .lock_fd = -1};
        code = lvp_helper_run(self->helper, &task, timeout_ms);
        g_free(argv[1]);
    }
    if (code == 0)
        return TRUE;
    g_set_error(error, LVP_ERROR, code == ETIMEDOUT ? LVP_ERROR_TIMED_OUT : LVP_ERROR_HOST,
                "cannot load kernel module %s: %s", module,
                output[0] ? g_strchomp(output) : g_strerror(code));
    return FALSE;
}

static int
open_exclusive(LvpHost *self, const char *name, guint timeout_ms)
{
    if (self->effects->open_exclusive)
        return self->effects->open_exclusive(self->effects_data, name);
    g_autofree char *path = g_strdup_printf("%s/dev/%s", self->root, name);
    LvpHelperTask task = {.kind = LVP_HELPER_OPEN_EXCLUSIVE, .path = path, .lock_fd = -1};
    return lvp_helper_run(self->helper, &task, timeout_ms);
}

gboolean
lvp_host_probe_block_device(
    LvpHost *self, const char *name, guint timeout_ms, gboolean *ret_busy, GError **error)
{
    int code = open_exclusive(self, name, timeout_ms);
    /* Two that ask at the same time find each other, also by disk and partition. */
    for (guint i = 0; code == EBUSY && i < PROBE_AGAIN_TIMES; i++) {
        lvp_host_sleep(self, PROBE_AGAIN_US);
        code = open_exclusive(self, name, timeout_ms);
    }
    if (code == ETIMEDOUT) {
        g_autofree char *full = g_strdup_printf("%s/dev/%s", self->root, name);
        set_timeout_error(error, "open", full, timeout_ms);
        return FALSE;
    }
    if (code != 0 && code != EBUSY && code != ENOENT && code != ENXIO && code != ENOMEDIUM) {
        g_autofree char *shown = g_strdup_printf("dev/%s", name);
        set_errno_error(error, code, "open", self, shown);
        return FALSE;
    }
    *ret_busy = code == EBUSY;
    return TRUE;
}

/* "pid 812 (qemu-system-x86)" */
static char *
describe_process(LvpHost *self, const char *pid)
{
    char path[64], name[LVP_HOST_VALUE_SIZE];
    g_snprintf(path, sizeof path, "%s/comm", pid);
    gssize length = lvp_host_read_value(self, LVP_HOST_PROC, path, name, sizeof name);
    g_autofree char *valid = g_utf8_make_valid(length > 0 ? name : "?", -1);
    return g_strdup_printf("pid %s (%s)", pid, valid);
}

/* Moves what the process PID has open from WANTED, a set of paths, to OPENERS. */
static void
note_open_nodes(LvpHost *self, const char *pid, GHashTable *wanted, GHashTable *openers)
{
    char path[64];
    g_snprintf(path, sizeof path, "%s/fd", pid);
    g_auto(GStrv) fds = lvp_host_list(self, LVP_HOST_PROC, path, NULL);
    for (char **fd = fds; fd && *fd; fd++) {
        char link[96], target[256];
        g_snprintf(link, sizeof link, "%s/fd/%s", pid, *fd);
        if (lvp_host_read_link(self, LVP_HOST_PROC, link, target, sizeof target) > 0 &&
            g_str_has_prefix(target, "/dev/") &&
            g_hash_table_remove(wanted, target + strlen("/dev/")))
            g_hash_table_insert(openers, g_strdup(target + strlen("/dev/")),
                                describe_process(self, pid));
    }
}

GHashTable *
lvp_host_find_openers(LvpHost *self, const char *const *paths)
{
    g_autoptr(GHashTable) openers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; self->effects->find_opener && paths[i]; i++) {
        char *opener = self->effects->find_opener(self->effects_data, paths[i]);
        if (opener)
            g_hash_table_insert(openers, g_strdup(paths[i]), opener);
    }
    if (self->effects->find_opener)
        return g_steal_pointer(&openers);
    g_autoptr(GHashTable) wanted = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; paths[i]; i++)
        g_hash_table_add(wanted, (gpointer)(gsize)paths[i]);
    g_auto(GStrv) pids = lvp_host_list(self, LVP_HOST_PROC, ".", NULL);
    for (char **pid = pids; pid && *pid && g_hash_table_size(wanted) > 0; pid++)
        if (g_ascii_isdigit((*pid)[0]))
            note_open_nodes(self, *pid, wanted, openers);
    return g_steal_pointer(&openers);
}

char *
lvp_host_find_opener(LvpHost *self, const char *path)
{
    const char *const paths[] = {path, NULL};
    g_autoptr(GHashTable) openers = lvp_host_find_openers(self, paths);
    return g_strdup(g_hash_table_lookup(openers, path));
}

char *
lvp_host_find_interface_address(LvpHost *self, const char *name)
{
    if (self->effects->find_interface_address)
        return self->effects->find_interface_address(self->effects_data, name);
    struct ifaddrs *all = NULL;
    if (self->root[0] != '\0' || getifaddrs(&all) < 0)
        return NULL;
    char *found = NULL;
    for (struct ifaddrs *each = all; each && !found; each = each->ifa_next) {
        if (!each->ifa_addr || strcmp(each->ifa_name, name) != 0)
            continue;
        char text[INET6_ADDRSTRLEN];
        const void *address = NULL;
        if (each->ifa_addr->sa_family == AF_INET)
            address = &((const struct sockaddr_in *)(const void *)each->ifa_addr)->sin_addr;
        else if (each->ifa_addr->sa_family == AF_INET6)
            address = &((const struct sockaddr_in6 *)(const void *)each->ifa_addr)->sin6_addr;
        if (address && inet_ntop(each->ifa_addr->sa_family, address, text, sizeof text))
            found = g_strdup(text);
    }
    freeifaddrs(all);
    return found;
}

/* ---- time ---- */

gint64
lvp_host_get_now_us(LvpHost *self)
{
    return self->effects->get_now_us ? self->effects->get_now_us(self->effects_data)
                                     : g_get_monotonic_time();
}

void
lvp_host_sleep(LvpHost *self, guint duration_us)
{
    if (self->effects->sleep)
        self->effects->sleep(self->effects_data, duration_us);
    else
        g_usleep(duration_us);
}
