/* SPDX-License-Identifier: Apache-2.0 */
#include "pci-host-use.h"

#include <libvirt-provider/error.h>
#include <libvirt-provider/text.h>
#include <string.h>

#define IFF_UP_FLAG 0x1 /* linux/if.h */
#define CLASS_NETWORK 0x02
#define CLASS_DISPLAY 0x03
#define LINK_SIZE 4096 /* PATH_MAX: a link that did not fit would hide a disk */

/* What hangs below one function. */
typedef struct {
    GPtrArray *blocks;     /* char *: names of block devices, partitions too */
    GPtrArray *interfaces; /* char *: names of network interfaces */
} Below;

struct LvpPciHostUse {
    LvpHost *host;
    guint timeout_ms;
    GHashTable *below;  /* address -> Below */
    GHashTable *mounts; /* "major:minor" and device name -> mount point */
    GHashTable *swaps;  /* device name, a set */
};

static void
free_below(gpointer data)
{
    Below *below = data;
    g_ptr_array_unref(below->blocks);
    g_ptr_array_unref(below->interfaces);
    g_free(below);
}

static Below *
get_below(LvpPciHostUse *self, const char *address, gsize length)
{
    g_autofree char *key = g_strndup(address, length);
    Below *below = g_hash_table_lookup(self->below, key);
    if (!below) {
        below = g_new0(Below, 1);
        below->blocks = g_ptr_array_new_with_free_func(g_free);
        below->interfaces = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_insert(self->below, g_steal_pointer(&key), below);
    }
    return below;
}

/* Notes NAME for every function on the way of a device path: for the one that it hangs below, and
 * for one that makes a PCI domain of its own (VMD). */
static void
note_path(LvpPciHostUse *self, const char *device_path, const char *name, gboolean is_block)
{
    for (const char *part = device_path; *part;) {
        gsize length = strcspn(part, "/");
        if (lvp_pci_is_address(part, length)) {
            Below *below = get_below(self, part, length);
            g_ptr_array_add(is_block ? below->blocks : below->interfaces, g_strdup(name));
        }
        part += length + (part[length] == '/');
    }
}

/* ---- the block devices ---- */

/* With NVMe multipath the disk is virtual, and the subsystem's folder links to its controllers. */
static void
note_multipath(LvpPciHostUse *self, const char *device_path, const char *name)
{
    const char *subsystem = strstr(device_path, "/nvme-subsystem/");
    if (!subsystem)
        return;
    subsystem += strlen("/nvme-subsystem/");
    g_autofree char *folder =
        g_strdup_printf("class/nvme-subsystem/%.*s", (int)strcspn(subsystem, "/"), subsystem);
    g_auto(GStrv) entries = lvp_host_list(self->host, LVP_HOST_SYS, folder, NULL);
    for (guint i = 0; entries && entries[i]; i++) {
        char target[LINK_SIZE];
        g_autofree char *path = g_build_filename(folder, entries[i], NULL);
        if (g_str_has_prefix(entries[i], "nvme") &&
            lvp_host_read_link(self->host, LVP_HOST_SYS, path, target, sizeof target) > 0)
            note_path(self, target, name, TRUE);
    }
}

static gboolean
note_class(LvpPciHostUse *self, const char *class, gboolean is_block, GError **error)
{
    g_autoptr(GError) missing = NULL;
    g_auto(GStrv) names = lvp_host_list(self->host, LVP_HOST_SYS, class, &missing);
    if (!names && !g_error_matches(missing, LVP_ERROR, LVP_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&missing));
        return FALSE;
    }
    for (guint i = 0; names && names[i]; i++) {
        char target[LINK_SIZE];
        g_autofree char *path = g_build_filename(class, names[i], NULL);
        if (lvp_host_read_link(self->host, LVP_HOST_SYS, path, target, sizeof target) <= 0)
            continue;
        note_path(self, target, names[i], is_block);
        if (is_block)
            note_multipath(self, target, names[i]);
    }
    return TRUE;
}

static const char *
get_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Lines of mountinfo: id parent major:minor root mount-point options [tags] - type source options;
 * see proc(5). The source counts, too: btrfs shows a device number of its own. */
static gboolean
read_mounts(LvpPciHostUse *self, GError **error)
{
    g_autofree char *text = lvp_host_read_text(self->host, LVP_HOST_PROC, "self/mountinfo", error);
    if (!text)
        return FALSE;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        g_auto(GStrv) words = g_strsplit(lines[i], " ", -1);
        guint count = g_strv_length(words), separator = 6;
        while (separator < count && strcmp(words[separator], "-") != 0)
            separator++;
        if (separator + 2 >= count)
            continue;
        g_autofree char *point = g_strcompress(words[4]);
        g_hash_table_insert(self->mounts, g_strdup(words[2]), g_strdup(point));
        if (words[separator + 2][0] == '/')
            g_hash_table_insert(self->mounts, g_strdup(get_base_name(words[separator + 2])),
                                g_steal_pointer(&point));
    }
    return TRUE;
}

static gboolean
read_swaps(LvpPciHostUse *self, GError **error)
{
    g_autoptr(GError) missing = NULL;
    g_autofree char *text = lvp_host_read_text(self->host, LVP_HOST_PROC, "swaps", &missing);
    if (!text) {
        if (g_error_matches(missing, LVP_ERROR, LVP_ERROR_NOT_FOUND))
            return TRUE; /* a kernel without swap */
        g_propagate_error(error, g_steal_pointer(&missing));
        return FALSE;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 1; lines[0] && lines[i]; i++) {
        lines[i][strcspn(lines[i], " \t")] = '\0';
        g_hash_table_add(self->swaps, g_strdup(get_base_name(lines[i])));
    }
    return TRUE;
}

LvpPciHostUse *
lvp_pci_host_use_read(LvpHost *host, guint timeout_ms, GError **error)
{
    g_autoptr(LvpPciHostUse) self = g_new0(LvpPciHostUse, 1);
    self->host = host;
    self->timeout_ms = timeout_ms;
    self->below = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_below);
    self->mounts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    self->swaps = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (!note_class(self, "class/block", TRUE, error) ||
        !note_class(self, "class/net", FALSE, error) || !read_mounts(self, error) ||
        !read_swaps(self, error))
        return NULL;
    return g_steal_pointer(&self);
}

void
lvp_pci_host_use_free(LvpPciHostUse *self)
{
    if (!self)
        return;
    g_hash_table_unref(self->below);
    g_hash_table_unref(self->mounts);
    g_hash_table_unref(self->swaps);
    g_free(self);
}

/* ---- the verdict ---- */

static char *
find_block_use(const LvpPciHostUse *self, const char *name)
{
    char number[LVP_HOST_VALUE_SIZE];
    g_autofree char *number_path = g_strdup_printf("class/block/%s/dev", name);
    const char *point = g_hash_table_lookup(self->mounts, name);
    if (!point &&
        lvp_host_read_value(self->host, LVP_HOST_SYS, number_path, number, sizeof number) > 0)
        point = g_hash_table_lookup(self->mounts, number);
    if (point)
        return g_strdup_printf("%s is mounted on %s", name, point);
    if (g_hash_table_contains(self->swaps, name))
        return g_strdup_printf("%s is used as swap", name);
    g_autofree char *holders_path = g_strdup_printf("class/block/%s/holders", name);
    g_auto(GStrv) holders = lvp_host_list(self->host, LVP_HOST_SYS, holders_path, NULL);
    if (holders && holders[0])
        return g_strdup_printf("%s is held by %s", name, holders[0]);
    return NULL;
}

/* A use that this mount namespace does not show. What cannot be found out counts as used. */
static char *
find_hidden_use(const LvpPciHostUse *self, const char *name)
{
    gboolean busy = FALSE;
    g_autoptr(GError) error = NULL;
    if (!lvp_host_probe_block_device(self->host, name, self->timeout_ms, &busy, &error))
        return g_strdup_printf("%s may be in use: %s", name, error->message);
    return busy ? g_strdup_printf("%s is in use, perhaps mounted in another namespace", name)
                : NULL;
}

static char *
find_interface_use(const LvpPciHostUse *self, const char *name)
{
    char value[LVP_HOST_VALUE_SIZE], master[LVP_PCI_NAME_SIZE];
    g_autofree char *master_path = g_strdup_printf("class/net/%s/master", name);
    if (lvp_host_read_link_name(self->host, LVP_HOST_SYS, master_path, master, sizeof master))
        return g_strdup_printf("%s belongs to %s", name, master);
    g_autofree char *flags_path = g_strdup_printf("class/net/%s/flags", name);
    gboolean up =
        lvp_host_read_value(self->host, LVP_HOST_SYS, flags_path, value, sizeof value) > 0 &&
        (g_ascii_strtoull(value, NULL, 16) & IFF_UP_FLAG);
    g_autofree char *address = lvp_host_find_interface_address(self->host, name);
    if (up && address)
        return g_strdup_printf("%s is up and has address %s", name, address);
    if (address)
        return g_strdup_printf("%s has address %s", name, address);
    return up ? g_strdup_printf("%s is up", name) : NULL;
}

static gboolean
is_boot_display(LvpHost *host, const char *address)
{
    char path[LVP_PCI_PATH_SIZE], value[LVP_HOST_VALUE_SIZE];
    lvp_pci_path(path, address, "boot_vga");
    return lvp_host_read_value(host, LVP_HOST_SYS, path, value, sizeof value) == 1 &&
           value[0] == '1';
}

/* An Ethernet function whose driver shows no interface here: the interface may stand in a
 * container's network namespace. Drivers of user space never show one. */
static gboolean
is_hidden_interface(const Below *below, guint class_code, const char *driver)
{
    static const char *const WITHOUT[] = {"vfio-pci", "pci-stub", "uio_pci_generic", "igb_uio",
                                          NULL};
    return class_code >> 8 == CLASS_NETWORK << 8 && driver[0] != '\0' &&
           !g_strv_contains(WITHOUT, driver) && (!below || below->interfaces->len == 0);
}

char *
lvp_pci_host_use_find(LvpPciHostUse *self,
                      const char *address,
                      guint class_code,
                      const char *driver)
{
    const Below *below = g_hash_table_lookup(self->below, address);
    char *use = NULL;
    for (guint i = 0; below && i < below->blocks->len && !use; i++)
        use = find_block_use(self, g_ptr_array_index(below->blocks, i));
    for (guint i = 0; below && i < below->interfaces->len && !use; i++)
        use = find_interface_use(self, g_ptr_array_index(below->interfaces, i));
    /* Partitions stand behind their disk, which is busy whenever one of them is. */
    for (guint i = below ? below->blocks->len : 0; i > 0 && !use; i--)
        use = find_hidden_use(self, g_ptr_array_index(below->blocks, i - 1));
    if (!use && class_code >> 16 == CLASS_DISPLAY && is_boot_display(self->host, address))
        use = g_strdup("it is the boot display");
    if (!use && is_hidden_interface(below, class_code, driver))
        use = g_strdup_printf("driver %s shows no interface here: it may be in another network "
                              "namespace",
                              driver);
    /* Mount points and names of interfaces hold what people put there. */
    char *printable = lvp_text_make_printable(use);
    g_free(use);
    return printable;
}
