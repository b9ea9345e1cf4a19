/* SPDX-License-Identifier: Apache-2.0 */
#include "pci-host-blocks.h"

#include "pci-below.h"

#include <libvirt-provider/error.h>
#include <string.h>

/* Of what is stacked on one device, so many devices are looked at: what stands in sysfs may be
 * anything, also a circle. */
#define MAX_STACKED 64

struct LvpPciHostBlocks {
    LvpHost *host;
    guint timeout_ms;
    GHashTable *below;  /* see lvp_pci_below_new(); partitions too */
    GHashTable *mounts; /* "major:minor" and device name -> mount point */
    GHashTable *swaps;  /* device name, a set */
};

/* ---- what there is ---- */

/* With NVMe multipath the disk is virtual, and the subsystem's folder links to its controllers. */
static void
note_multipath(LvpPciHostBlocks *self, const char *device_path, const char *name)
{
    const char *subsystem = strstr(device_path, "/nvme-subsystem/");
    if (!subsystem)
        return;
    subsystem += strlen("/nvme-subsystem/");
    g_autofree char *folder =
        g_strdup_printf("class/nvme-subsystem/%.*s", (int)strcspn(subsystem, "/"), subsystem);
    g_auto(GStrv) entries = lvp_host_list(self->host, LVP_HOST_SYS, folder, NULL);
    for (guint i = 0; entries && entries[i]; i++) {
        char target[LVP_PCI_LINK_SIZE];
        g_autofree char *path = g_build_filename(folder, entries[i], NULL);
        if (g_str_has_prefix(entries[i], "nvme") &&
            lvp_host_read_link(self->host, LVP_HOST_SYS, path, target, sizeof target) > 0)
            lvp_pci_below_note(self->below, target, name);
    }
}

static void
note_block(gpointer data, const char *name, const char *device_path)
{
    LvpPciHostBlocks *self = data;
    lvp_pci_below_note(self->below, device_path, name);
    note_multipath(self, device_path, name);
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
read_mounts(LvpPciHostBlocks *self, GError **error)
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
read_swaps(LvpPciHostBlocks *self, GError **error)
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

LvpPciHostBlocks *
lvp_pci_host_blocks_read(LvpHost *host, guint timeout_ms, GError **error)
{
    g_autoptr(LvpPciHostBlocks) self = g_new0(LvpPciHostBlocks, 1);
    self->host = host;
    self->timeout_ms = timeout_ms;
    self->below = lvp_pci_below_new();
    self->mounts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    self->swaps = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (!lvp_pci_visit_class(host, "class/block", note_block, self, error) ||
        !read_mounts(self, error) || !read_swaps(self, error))
        return NULL;
    return g_steal_pointer(&self);
}

void
lvp_pci_host_blocks_free(LvpPciHostBlocks *self)
{
    if (!self)
        return;
    g_hash_table_unref(self->below);
    g_hash_table_unref(self->mounts);
    g_hash_table_unref(self->swaps);
    g_free(self);
}

/* ---- the use of one device ---- */

static gboolean
read_attribute(const LvpPciHostBlocks *self,
               const char *name,
               const char *attribute,
               char value[LVP_HOST_VALUE_SIZE])
{
    g_autofree char *path = g_strdup_printf("class/block/%s/%s", name, attribute);
    return lvp_host_read_value(self->host, LVP_HOST_SYS, path, value, LVP_HOST_VALUE_SIZE) > 0;
}

/* "mounted on /" or "used as swap", or NULL. */
static char *
find_own_use(const LvpPciHostBlocks *self, const char *name)
{
    char number[LVP_HOST_VALUE_SIZE];
    const char *point = g_hash_table_lookup(self->mounts, name);
    if (!point && read_attribute(self, name, "dev", number))
        point = g_hash_table_lookup(self->mounts, number);
    if (point)
        return g_strdup_printf("mounted on %s", point);
    return g_hash_table_contains(self->swaps, name) ? g_strdup("used as swap") : NULL;
}

/* ---- the use of what is stacked on it ---- */

/* What a stacked device is called besides its name in the kernel: "LVM vg0-root", "md raid1"; NULL
 * where that name says it all (bcache0, drbd0). Who makes a device of the device mapper begins its
 * uuid with a word: UUID_PREFIX in lvm2 and multipath-tools, DM_UUID_PREFIX in cryptsetup. */
static char *
find_title(const LvpPciHostBlocks *self, const char *name)
{
    static const struct {
        const char *prefix, *maker;
    } MAKERS[] = {{"LVM-", "LVM"}, {"CRYPT-", "cryptsetup"}, {"mpath-", "multipath"}};
    char text[LVP_HOST_VALUE_SIZE], uuid[LVP_HOST_VALUE_SIZE];
    if (read_attribute(self, name, "md/level", text))
        return g_strdup_printf("md %s", text);
    if (!read_attribute(self, name, "dm/name", text))
        return NULL;
    const char *maker = "device mapper";
    gboolean has_uuid = read_attribute(self, name, "dm/uuid", uuid);
    for (guint i = 0; has_uuid && i < G_N_ELEMENTS(MAKERS); i++)
        if (g_str_has_prefix(uuid, MAKERS[i].prefix))
            maker = MAKERS[i].maker;
    return g_strdup_printf("%s %s", maker, text);
}

static void
push(GPtrArray *names, const char *name)
{
    if (names->len < MAX_STACKED &&
        !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
        g_ptr_array_add(names, g_strdup(name));
}

/* Appends what is made of NAME: its holders, and its partitions, which stand in its folder. */
static void
push_stacked(const LvpPciHostBlocks *self, GPtrArray *names, const char *name)
{
    g_autofree char *folder = g_strdup_printf("class/block/%s", name);
    g_autofree char *holders = g_strconcat(folder, "/holders", NULL);
    g_auto(GStrv) above = lvp_host_list(self->host, LVP_HOST_SYS, holders, NULL);
    for (guint i = 0; above && above[i]; i++)
        push(names, above[i]);
    g_auto(GStrv) entries = lvp_host_list(self->host, LVP_HOST_SYS, folder, NULL);
    for (guint i = 0; entries && entries[i]; i++)
        if (g_str_has_prefix(entries[i], name))
            push(names, entries[i]);
}

/* "mounted on /", or of what stands further up "LVM vg0-root on it is mounted on /"; NULL where
 * nothing of it is mounted or swap. */
static char *
find_stacked_use(const LvpPciHostBlocks *self, const char *holder)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    push(names, holder);
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_autofree char *use = find_own_use(self, name);
        g_autofree char *title = use && i > 0 ? find_title(self, name) : NULL;
        if (use && i > 0)
            return g_strdup_printf("%s on it is %s", title ? title : name, use);
        if (use)
            return g_steal_pointer(&use);
        push_stacked(self, names, name);
    }
    return NULL;
}

/* "held by dm-0 (LVM vg0-root, mounted on /)"; names the holder through which it is in use. */
static char *
find_holder(const LvpPciHostBlocks *self, const char *name)
{
    g_autofree char *path = g_strdup_printf("class/block/%s/holders", name);
    g_auto(GStrv) holders = lvp_host_list(self->host, LVP_HOST_SYS, path, NULL);
    if (!holders || !holders[0])
        return NULL;
    const char *holder = holders[0];
    g_autofree char *use = NULL;
    for (guint i = 0; !use && holders[i] && i < MAX_STACKED; i++)
        if ((use = find_stacked_use(self, holders[i])))
            holder = holders[i];
    g_autofree char *title = find_title(self, holder);
    if (!title && !use)
        return g_strdup_printf("held by %s", holder);
    return g_strdup_printf("held by %s (%s%s%s)", holder, title ? title : "",
                           title && use ? ", " : "", use ? use : "");
}

/* ---- the verdict ---- */

char *
lvp_pci_host_blocks_find_use(const LvpPciHostBlocks *self, const char *address)
{
    const GPtrArray *names = lvp_pci_below_find(self->below, address);
    for (guint i = 0; names && i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_autofree char *own = find_own_use(self, name);
        g_autofree char *use = own ? g_steal_pointer(&own) : find_holder(self, name);
        if (use)
            return g_strdup_printf("%s is %s", name, use);
    }
    return NULL;
}

char *
lvp_pci_host_blocks_find_hidden_use(const LvpPciHostBlocks *self, const char *address)
{
    const GPtrArray *names = lvp_pci_below_find(self->below, address);
    /* Partitions stand behind their disk, which is busy whenever one of them is. */
    for (guint i = names ? names->len : 0; i > 0; i--) {
        const char *name = g_ptr_array_index(names, i - 1);
        gboolean busy = FALSE;
        g_autoptr(GError) error = NULL;
        if (!lvp_host_probe_block_device(self->host, name, self->timeout_ms, &busy, &error))
            return g_strdup_printf("%s may be in use: %s", name, error->message);
        if (busy)
            return g_strdup_printf("%s is in use, perhaps by a ZFS pool, or mounted in another "
                                   "namespace",
                                   name);
    }
    return NULL;
}
