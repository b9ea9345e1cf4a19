/* SPDX-License-Identifier: Apache-2.0 */
/* What sysfs and procfs may say: a discovery gives an error or clean texts, and offers only what it
 * could read; what is generated from it is a valid file. */
#include "fuzz.h"
#include "host-effects.h"
#include "pci-discovery.h"
#include "pci-generate.h"
#include "pci-host-use.h"
#include "scratch.h"
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt-provider/error.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The input is a list of changes to a small host, each ended by a byte: the letter of a file below,
 * and its new text. What stands for a file that is not there, for a folder in its place, or for a
 * link, are the begins '-', '/' and '>' of a text. Four more letters: see make_change(). */
#define CHANGE_END '\x1e'
#define MAX_CHANGES 24
#define GENERATED_ONE_IN 256
#define GPU "0000:3b:00.0"
#define DISK "0000:5e:00.0"
#define GPU_FOLDER "sys/devices/pci0000:3a/" GPU
#define DISK_FOLDER "sys/devices/pci0000:5d/" DISK
#define NAMESPACE DISK_FOLDER "/nvme/nvme0/nvme0n1"
#define VOLUME "sys/devices/virtual/block/dm-0"
#define CARD "sys/class/drm/card0"

/* With a text that begins with '>': a link. */
static const struct {
    char letter;
    const char *path, *text;
} FILES[] = {
    {'a', GPU_FOLDER "/vendor", "0x10de\n"},
    {'b', GPU_FOLDER "/device", "0x20b7\n"},
    {'c', GPU_FOLDER "/class", "0x030200\n"},
    {'d', GPU_FOLDER "/subsystem_vendor", "0x10de\n"},
    {'e', GPU_FOLDER "/subsystem_device", "0x1532\n"},
    {'f', GPU_FOLDER "/revision", "0xa1\n"},
    {'g', GPU_FOLDER "/numa_node", "0\n"},
    {'h', GPU_FOLDER "/boot_vga", "0\n"},
    {'i', GPU_FOLDER "/driver", ">../../../bus/pci/drivers/nvidia"},
    {'j', GPU_FOLDER "/iommu_group", ">../../../kernel/iommu_groups/15"},
    {'k', DISK_FOLDER "/vendor", "0x144d\n"},
    {'l', DISK_FOLDER "/device", "0xa808\n"},
    {'m', DISK_FOLDER "/class", "0x010802\n"},
    {'n', DISK_FOLDER "/subsystem_vendor", "0x144d\n"},
    {'o', DISK_FOLDER "/subsystem_device", "0xa801\n"},
    {'p', DISK_FOLDER "/revision", "0x00\n"},
    {'q', DISK_FOLDER "/driver", ">../../../bus/pci/drivers/nvme"},
    {'r', DISK_FOLDER "/iommu_group", ">../../../kernel/iommu_groups/16"},
    {'s', NAMESPACE "/dev", "259:0\n"},
    {'t', "sys/class/block/nvme0n1", ">../../devices/pci0000:5d/" DISK "/nvme/nvme0/nvme0n1"},
    {'u', "sys/class/net/eth0", ">../../devices/pci0000:3a/" GPU "/net/eth0"},
    {'v', GPU_FOLDER "/net/eth0/flags", "0x1002\n"},
    {'w', "proc/self/mountinfo", "22 1 254:1 / / rw shared:1 - ext4 /dev/vda1 rw\n"},
    {'x', "proc/swaps", "Filename\tType\tSize\n/dev/vda2  partition\t1\n"},
    {'y', "sys/kernel/iommu_groups/15/devices/" GPU, ">../../../../devices/pci0000:3a/" GPU},
    {'z', "sys/kernel/iommu_groups/16/devices/" DISK, ">../../../../devices/pci0000:5d/" DISK},
    {'A', GPU_FOLDER "/vfio-dev", "-"},
    {'B', NAMESPACE "/holders/dm-0", "-"},
    {'C', GPU_FOLDER "/net/eth0/master", "-"},
    {'D', "sys/bus/pci/devices/" GPU, ">../../../devices/pci0000:3a/" GPU},
    {'E', "sys/class/nvme-subsystem/nvme-subsys0/nvme0",
     ">../../../pci0000:5d/" DISK "/nvme/nvme0"},
    {'F', "sys/bus/pci/devices/" DISK, ">../../../devices/pci0000:5d/" DISK},
    {'G', CARD, ">../../devices/pci0000:3a/" GPU "/drm/card0"},
    {'H', "sys/class/input/input3", ">../../devices/pci0000:3a/" GPU "/input/input3"},
    {'I', GPU_FOLDER "/input/input3/capabilities/key", "1f0000 0 0 0 0\n"},
    {'J', GPU_FOLDER "/input/input3/name", "QEMU USB Mouse\n"},
    {'K', "sys/class/block/dm-0", ">../../devices/virtual/block/dm-0"},
    {'L', VOLUME "/dm/name", "vg0-root\n"},
    {'M', VOLUME "/dm/uuid", "LVM-dQ1x\n"},
    {'N', VOLUME "/dev", "253:0\n"},
    {'O', VOLUME "/holders/dm-0", "-"},
    {'P', VOLUME "/md/level", "-"},
};

static const char DEVICES[] = "vendors:\n"
                              "- {id: '0x10de', name: nvidia, devices: [\n"
                              "  {id: '0x030200', name: any, type: gpu},\n"
                              "  {id: '0x20b7', name: a30, type: gpu}]}\n"
                              "- {id: '0x144d', name: samsung, devices: [\n"
                              "  {id: '0x010802', name: any, type: nvme}]}\n";

static LvpScratch *scratch;
static LvpHost *host;
static LvpPciDevicesFile *devices_file;
static GPtrArray *made; /* paths of this run, besides FILES */
static int open_code;   /* what the next opens of a block device answer */
static char *interface_address;
static char *opener; /* who has all nodes open; NULL: nobody */

/* ---- the host ---- */

static int
open_exclusive(gpointer data, const char *name)
{
    (void)data;
    (void)name;
    return open_code;
}

static char *
find_interface_address(gpointer data, const char *name)
{
    (void)data;
    (void)name;
    return g_strdup(interface_address);
}

static char *
find_opener(gpointer data, const char *path)
{
    (void)data;
    (void)path;
    return g_strdup(opener);
}

static const LvpHostEffects EFFECTS = {
    .open_exclusive = open_exclusive,
    .find_opener = find_opener,
    .find_interface_address = find_interface_address,
};

/* Puts TEXT at PATH; without a sound where it cannot be. */
static void
put(const char *path, const char *text, gsize length)
{
    g_autofree char *target = length > 1 ? g_strndup(text + 1, length - 1) : g_strdup("x");
    lvp_scratch_remove(scratch, path);
    if (length > 0 && text[0] == '-')
        return;
    if (length > 0 && text[0] == '/')
        lvp_scratch_make_folder(scratch, path);
    else if (length > 0 && text[0] == '>' && strlen(target) < 4096 && target[0] != '\0')
        lvp_scratch_link_text(scratch, path, target);
    else
        lvp_scratch_write_bytes(scratch, path, text, length);
}

static void
remove_host(void)
{
    lvp_scratch_free(scratch);
}

static void
make_host(void)
{
    scratch = lvp_scratch_new();
    atexit(remove_host);
    lvp_scratch_make_folder(scratch, "sys/bus/pci/drivers/vfio-pci");
    lvp_scratch_make_folder(scratch, NAMESPACE "/holders");
    lvp_scratch_make_folder(scratch, VOLUME "/holders");
    lvp_scratch_make_folder(scratch, GPU_FOLDER "/net/eth0");
    lvp_scratch_make_folder(scratch, "sys/kernel/iommu_groups/15/devices");
    for (guint i = 0; i < G_N_ELEMENTS(FILES); i++)
        put(FILES[i].path, FILES[i].text, strlen(FILES[i].text));
    host = lvp_host_new(lvp_scratch_get_root(scratch), NULL);
    must(host != NULL);
    lvp_host_set_effects(host, &EFFECTS, NULL);
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autofree char *path = fuzz_make_file((const guint8 *)DEVICES, sizeof DEVICES - 1);
    devices_file = lvp_pci_devices_file_read(path, diagnostics);
    must(devices_file != NULL);
    made = g_ptr_array_new_with_free_func(g_free);
}

/* One more entry of FOLDER: "NAME>TARGET", a link. */
static void
add_entry(const char *folder, const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ">", 2);
    if (!parts[0] || !parts[1] || !parts[1][0] || strlen(parts[1]) >= 4096 || !parts[0][0] ||
        strlen(parts[0]) > 255 || strchr(parts[0], '/') || strcmp(parts[0], ".") == 0 ||
        strcmp(parts[0], "..") == 0)
        return;
    char *path = g_strdup_printf("%s/%s", folder, parts[0]);
    lvp_scratch_remove(scratch, path);
    lvp_scratch_link_text(scratch, path, parts[1]);
    g_ptr_array_add(made, path);
}

/* TEXT has LENGTH bytes and a NUL after them. */
static void
make_change(char letter, const char *text, gsize length, gboolean changed[G_N_ELEMENTS(FILES)])
{
    static const int CODES[] = {0, EBUSY, ENOENT, ENXIO, EIO, ETIMEDOUT};
    static const char *const FOLDERS[] = {
        "sys/bus/pci/devices",     "sys/class/block",
        "sys/class/net",           "sys/kernel/iommu_groups/15/devices",
        "sys/kernel/iommu_groups", "sys/class/nvme-subsystem/nvme-subsys0",
        "sys/class/drm",           "sys/class/input"};
    for (guint i = 0; i < G_N_ELEMENTS(FILES); i++)
        if (FILES[i].letter == letter) {
            put(FILES[i].path, text, length);
            changed[i] = TRUE;
        }
    if (letter == '1') {
        open_code = CODES[(guchar)text[0] % G_N_ELEMENTS(CODES)];
    } else if (letter == '2') {
        g_free(interface_address);
        interface_address = g_utf8_make_valid(text, -1);
    } else if (letter == '4') {
        g_free(opener);
        opener = g_utf8_make_valid(text, -1);
    } else if (letter == '3' && length > 1) {
        add_entry(FOLDERS[(guchar)text[0] % G_N_ELEMENTS(FOLDERS)], text + 1);
    }
}

static void
make_changes(const char *data, gsize size, gboolean changed[G_N_ELEMENTS(FILES)])
{
    for (guint i = 0; size > 0 && i < MAX_CHANGES; i++) {
        const char *stop = memchr(data, CHANGE_END, size);
        gsize length = stop ? (gsize)(stop - data) : size;
        g_autofree char *change = g_malloc0(length + 1);
        memcpy(change, data, length);
        if (length > 0)
            make_change(change[0], change + 1, length - 1, changed);
        length += stop != NULL;
        data += length;
        size -= length;
    }
}

static void
undo_changes(const gboolean changed[G_N_ELEMENTS(FILES)])
{
    for (guint i = 0; i < made->len; i++)
        lvp_scratch_remove(scratch, g_ptr_array_index(made, i));
    for (guint i = 0; i < G_N_ELEMENTS(FILES); i++)
        if (changed[i] || made->len > 0)
            put(FILES[i].path, FILES[i].text, strlen(FILES[i].text));
    g_ptr_array_set_size(made, 0);
    g_clear_pointer(&interface_address, g_free);
    g_clear_pointer(&opener, g_free);
    open_code = 0;
}

/* ---- what must hold ---- */

/* A file below the function, read without the code under test: a number after 0x, or FALSE. */
static gboolean
read_number(const char *address, const char *attribute, guint *ret_number)
{
    g_autofree char *name = g_strdup_printf("sys/bus/pci/devices/%s/%s", address, attribute);
    g_autofree char *text = lvp_scratch_read(scratch, name);
    char *end = NULL;
    if (!text || !g_str_has_prefix(text, "0x") || !g_ascii_isxdigit(text[2]))
        return FALSE;
    guint64 number = g_ascii_strtoull(text, &end, 16);
    *ret_number = (guint)number;
    return number <= G_MAXUINT32 && strspn(end, " \n") == strlen(end);
}

static gboolean
has_group(const char *address)
{
    g_autofree char *name = g_strdup_printf("sys/bus/pci/devices/%s/iommu_group", address);
    g_autofree char *target = lvp_scratch_read_link(scratch, name);
    return target && target[0] != '\0' && !g_str_has_suffix(target, "/");
}

/* Whether the card's link goes through the function. */
static gboolean
has_card(const char *address)
{
    g_autofree char *target = lvp_scratch_read_link(scratch, CARD);
    g_auto(GStrv) parts = g_strsplit(target ? target : "", "/", -1);
    return g_strv_contains((const char *const *)parts, address);
}

/* A unit that a machine may get. */
static void
check_offer(const LvpUnit *unit)
{
    LvpPciIds ids;
    must(read_number(unit->id, "vendor", &ids.vendor));
    must(read_number(unit->id, "device", &ids.device));
    must(read_number(unit->id, "class", &ids.class_code));
    must(read_number(unit->id, "subsystem_vendor", &ids.subsystem_vendor));
    must(read_number(unit->id, "subsystem_device", &ids.subsystem_device));
    must(read_number(unit->id, "revision", &ids.revision));
    must(!lvp_pci_is_bridge(ids.class_code));
    const LvpPciOffer *offer = lvp_pci_devices_file_match(devices_file, &ids);
    must(offer && strcmp(offer->resource, unit->resource) == 0);
    g_autofree char *identity = lvp_pci_make_identity(&ids);
    must(strcmp(identity, unit->identity) == 0);
    must(has_group(unit->id) && unit->n_sets == 1);
    must(open_code == 0 || open_code == ENOENT || open_code == ENXIO ||
         strcmp(unit->id, DISK) != 0 ||
         !lvp_scratch_exists(scratch, "sys/class/block/nvme0n1/dev"));
    must(!opener || !has_card(unit->id));
}

static void
check_unit(const LvpUnit *unit, gboolean all)
{
    LvpPciAddress address;
    must(lvp_pci_parse_address(unit->id, &address));
    must_be_utf8(unit->identity);
    must_be_printable(unit->reason);
    must((unit->reason != NULL) == (unit->unusable || unit->conditions != 0));
    must(unit->node >= LVP_NODE_NONE);
    must(all || unit->resource);
    for (guint i = 0; i < unit->n_attributes; i++)
        must_be_utf8(unit->attributes[i].value);
    for (guint i = 0; i < unit->n_sets; i++)
        must_be_utf8(unit->sets[i]);
    if (unit->resource && !unit->unusable && unit->conditions == 0)
        check_offer(unit);
}

static void
check_discovery(gboolean all)
{
    const LvpPciDiscovery discovery = {host, devices_file, all, NULL, 100};
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    g_autoptr(GError) error = NULL;
    gboolean ok = lvp_pci_discover(&discovery, snapshot, &error);
    must(ok == (error == NULL));
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; ok && i < lvp_snapshot_get_n_units(snapshot); i++) {
        const LvpUnit *unit = lvp_snapshot_get_unit(snapshot, i);
        must(g_hash_table_add(seen, (gpointer)(gsize)unit->id));
        check_unit(unit, all);
    }
}

static void
check_host_use(void)
{
    g_autoptr(GError) error = NULL;
    LvpPciHostUse *host_use = lvp_pci_host_use_read(host, 100, &error);
    must((host_use == NULL) == (error != NULL));
    if (!host_use)
        return;
    g_autofree char *use = lvp_pci_host_use_find(host_use, DISK, 0x010802, "nvme");
    must_be_printable(use);
    lvp_pci_host_use_free(host_use);
}

/* What stands there for an operator must be what he can use. */
static void
check_generated(void)
{
    g_autofree char *text = lvp_pci_generate(host, 100, NULL);
    if (!text)
        return;
    g_autofree char *path = fuzz_make_file((const guint8 *)text, strlen(text));
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpPciDevicesFile) file = lvp_pci_devices_file_read(path, diagnostics);
    must_be_printable(text);
    must(file != NULL);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    if (!scratch)
        make_host();
    gboolean changed[G_N_ELEMENTS(FILES)] = {FALSE};
    make_changes((const char *)data, size, changed);
    check_discovery(FALSE);
    check_discovery(TRUE);
    check_host_use();
    /* It reads pci.ids, which takes longer than all else together. */
    g_autoptr(GBytes) input = g_bytes_new_static(data, size);
    if (g_bytes_hash(input) % GENERATED_ONE_IN == 0)
        check_generated();
    undo_changes(changed);
    return 0;
}
