/* SPDX-License-Identifier: Apache-2.0 */
#include "made-tree.h"

#include <stdio.h>

#define PER_PORT 10
#define PER_DOMAIN 1000
#define N_PROCESSES 200
#define FILES_PER_PROCESS 10
#define SHARED_MEMORY "/dev/shm"

typedef struct {
    const char *vendor, *device, *class_code;
    const char *driver;     /* NULL: none */
    gboolean with_previous; /* function 1 of the slot before it, and in its IOMMU group */
} Kind;

/* What stands behind each root port. */
static const Kind KINDS[PER_PORT] = {
    {"0x10de", "0x20b7", "0x030200", "nouveau", FALSE},
    {"0x10de", "0x20b7", "0x030200", "nouveau", FALSE},
    {"0x10de", "0x20b7", "0x030200", "nouveau", FALSE},
    {"0x10de", "0x20b7", "0x030200", "vfio-pci", FALSE},
    {"0x10de", "0x2230", "0x030000", NULL, FALSE},
    {"0x10de", "0x228b", "0x040300", "vfio-pci", TRUE},
    {"0x8086", "0x1889", "0x020000", "iavf", FALSE},
    {"0x8086", "0x1889", "0x020000", "iavf", FALSE},
    {"0x8086", "0x1889", "0x020000", "vfio-pci", FALSE},
    {"0x1d0f", "0xe5e5", "0x120000", NULL, FALSE},
};
static const Kind DISK = {"0x144d", "0xa80a", "0x010802", "nvme", FALSE};
static const Kind ROOT_PORT = {"0x1022", "0x1483", "0x060400", "pcieport", FALSE};
static const Kind HOST_DISK = {"0x1022", "0x7901", "0x010601", "ahci", FALSE};

static const char DEVICES_FILE[] = "vendors:\n"
                                   "  - id: \"0x10de\"\n"
                                   "    name: nvidia\n"
                                   "    devices:\n"
                                   "      - {id: \"0x030200\", name: a30, type: gpu}\n"
                                   "      - {id: \"0x2230\", name: a6000, type: gpu}\n"
                                   "      - {id: \"0x228b\", name: audio, type: sound}\n"
                                   "  - id: \"0x8086\"\n"
                                   "    name: intel\n"
                                   "    devices:\n"
                                   "      - {id: \"0x1889\", name: e810-vf, type: nic}\n"
                                   "  - id: \"0x1d0f\"\n"
                                   "    name: amazon\n"
                                   "    devices:\n"
                                   "      - {id: \"0xe5e5\", name: inferentia, type: npu}\n"
                                   "  - id: \"0x144d\"\n"
                                   "    name: samsung\n"
                                   "    devices:\n"
                                   "      - {id: \"0xa80a\", name: pm9a3, type: disk}\n";

static void G_GNUC_PRINTF(4, 5)
    write_file(LvpScratch *tree, const char *folder, const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    lvp_scratch_write(tree, path, text);
}

/* Makes FOLDER/NAME a link to TARGET. */
static void
link_to(LvpScratch *tree, const char *folder, const char *name, const char *target)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    lvp_scratch_link(tree, path, target);
}

/* A function at FOLDER, whose last part is its address; GROUP 0: none. */
static void
add_function(LvpScratch *tree, const char *folder, const Kind *kind, guint group, guint node)
{
    g_autofree char *address = g_path_get_basename(folder);
    write_file(tree, folder, "vendor", "%s\n", kind->vendor);
    write_file(tree, folder, "device", "%s\n", kind->device);
    write_file(tree, folder, "class", "%s\n", kind->class_code);
    write_file(tree, folder, "subsystem_vendor", "%s\n", kind->vendor);
    write_file(tree, folder, "subsystem_device", "0x0001\n");
    write_file(tree, folder, "revision", "0xa1\n");
    write_file(tree, folder, "numa_node", "%u\n", node);
    write_file(tree, folder, "driver_override", "(null)\n");
    if (g_str_has_prefix(kind->class_code, "0x0300"))
        write_file(tree, folder, "boot_vga", "0\n");
    link_to(tree, "sys/bus/pci/devices", address, folder);
    if (kind->driver) {
        g_autofree char *driver = g_build_filename("sys/bus/pci/drivers", kind->driver, NULL);
        link_to(tree, driver, address, folder);
        link_to(tree, folder, "driver", driver);
    }
    if (group > 0) {
        g_autofree char *home = g_strdup_printf("sys/kernel/iommu_groups/%u", group);
        g_autofree char *members = g_build_filename(home, "devices", NULL);
        link_to(tree, members, address, folder);
        link_to(tree, folder, "iommu_group", home);
    }
}

/* A network interface, down and without master, below FUNCTION. */
static void
add_interface(LvpScratch *tree, const char *function, guint index)
{
    g_autofree char *name = g_strdup_printf("ens%u", index);
    g_autofree char *folder = g_build_filename(function, "net", name, NULL);
    write_file(tree, folder, "flags", "0x1002\n");
    link_to(tree, "sys/class/net", name, folder);
}

/* The DRM nodes of a graphics card below FUNCTION. */
static void
add_nodes(LvpScratch *tree, const char *function, guint index)
{
    static const char *const NODES[] = {"card", "renderD"};
    for (guint i = 0; i < G_N_ELEMENTS(NODES); i++) {
        g_autofree char *name = g_strdup_printf("%s%u", NODES[i], 128 * i + index);
        g_autofree char *folder = g_build_filename(function, "drm", name, NULL);
        lvp_scratch_make_folder(tree, folder);
        link_to(tree, "sys/class/drm", name, folder);
    }
}

static void
add_input(LvpScratch *tree, const char *parent, guint index, const char *keys)
{
    g_autofree char *name = g_strdup_printf("input%u", index);
    g_autofree char *folder = g_build_filename(parent, name, NULL);
    g_autofree char *capabilities = g_build_filename(folder, "capabilities", NULL);
    write_file(tree, capabilities, "key", "%s\n", keys);
    link_to(tree, "sys/class/input", name, folder);
}

/* A process with a few open files. */
static void
add_process(LvpScratch *tree, guint pid)
{
    g_autofree char *folder = g_strdup_printf("proc/%u", pid);
    write_file(tree, folder, "comm", "process\n");
    for (guint i = 0; i < FILES_PER_PROCESS; i++) {
        g_autofree char *path = g_strdup_printf("%s/fd/%u", folder, i);
        g_autofree char *target =
            i == 0 ? g_strdup("/dev/null") : g_strdup_printf("socket:[%u]", 1000 * pid + i);
        lvp_scratch_link_text(tree, path, target);
    }
}

static void
add_block(LvpScratch *tree, const char *folder, const char *name, guint major, guint minor)
{
    g_autofree char *home = g_build_filename(folder, name, NULL);
    g_autofree char *holders = g_build_filename(home, "holders", NULL);
    write_file(tree, home, "dev", "%u:%u\n", major, minor);
    lvp_scratch_make_folder(tree, holders);
    link_to(tree, "sys/class/block", name, home);
    write_file(tree, "dev", name, "%s", "");
}

static void
add_device(LvpScratch *tree, guint index, gboolean is_disk)
{
    guint domain = index / PER_DOMAIN, port = index % PER_DOMAIN / PER_PORT;
    g_autofree char *root_port = g_strdup_printf("sys/devices/pci%04x:00/%04x:00:%02x.%x", domain,
                                                 domain, 1 + port / 8, port % 8);
    const Kind *kind = is_disk ? &DISK : &KINDS[index % PER_PORT];
    guint function = kind->with_previous ? 1 : 0;
    g_autofree char *folder = g_strdup_printf("%s/%04x:%02x:%02x.%u", root_port, domain, 1 + port,
                                              index % PER_PORT - function, function);
    if (index % PER_PORT == 0)
        add_function(tree, root_port, &ROOT_PORT, 0, port % 2);
    add_function(tree, folder, kind, kind->with_previous ? index : index + 1, port % 2);
    if (g_strcmp0(kind->driver, "iavf") == 0)
        add_interface(tree, folder, index);
    if (g_strcmp0(kind->driver, "nouveau") == 0)
        add_nodes(tree, folder, index);
    if (is_disk) {
        g_autofree char *controller = g_strdup_printf("%s/nvme/nvme%u", folder, index);
        g_autofree char *name = g_strdup_printf("nvme%un1", index);
        add_block(tree, controller, name, 259, index);
    }
}

/* What the host runs on. */
static void
add_host(LvpScratch *tree)
{
    static const char FUNCTION[] = "sys/devices/pci0000:00/0000:00:1f.2";
    add_function(tree, FUNCTION, &HOST_DISK, 0, 0);
    g_autofree char *target = g_build_filename(FUNCTION, "ata1/block", NULL);
    g_autofree char *disk = g_build_filename(target, "sda", NULL);
    add_block(tree, target, "sda", 8, 0);
    add_block(tree, disk, "sda1", 8, 1);
    add_input(tree, "sys/devices/LNXSYSTM:00/LNXPWRBN:00/input", 0, "10000000000000 0");
    add_input(tree, "sys/devices/platform/i8042/serio0/input", 1,
              "402000002 3803078f800d001 feffffdfffefffff fffffffffffffffe");
    for (guint i = 0; i < N_PROCESSES; i++)
        add_process(tree, 100 + i);
    lvp_scratch_write(tree, "proc/self/mountinfo",
                      "21 28 0:19 / /sys rw,nosuid - sysfs sysfs rw\n"
                      "22 28 0:20 / /proc rw,nosuid - proc proc rw\n"
                      "28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n");
    lvp_scratch_write(tree, "proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n");
    lvp_scratch_write(tree, "proc/meminfo", "MemTotal: 1073741824 kB\n");
    lvp_scratch_write(tree, "proc/sys/kernel/random/boot_id",
                      "4f2f5a3e-7f6e-4f0c-9a53-0d6f8a1f0c11\n");
    lvp_scratch_write(tree, "sys/devices/system/cpu/online", "0-127\n");
    for (guint node = 0; node < 2; node++) {
        g_autofree char *folder = g_strdup_printf("sys/devices/system/node/node%u", node);
        write_file(tree, folder, "cpulist", "%u-%u\n", node * 64, node * 64 + 63);
        write_file(tree, folder, "meminfo", "Node %u MemTotal: 536870912 kB\n", node);
    }
}

static void
write_classes(LvpScratch *tree)
{
    static const char *const DEVICES[] = {"gpu.nvidia/a30", "nic.intel/e810-vf"};
    g_autoptr(GString) text =
        g_string_new("- {name: plain, capabilities: {cpu: 1, memory: 1Gi}}\n");
    for (guint i = 0; i < 9; i++)
        g_string_append_printf(text,
                               "- name: class%u\n"
                               "  capabilities: {cpu: %u, memory: %uGi, %s: 1}\n",
                               i, i + 1, 2 * i + 2, DEVICES[i % G_N_ELEMENTS(DEVICES)]);
    lvp_scratch_write(tree, LVP_MADE_CLASSES_FILE, text->str);
}

LvpScratch *
lvp_made_tree_new(guint n_devices, guint n_disks)
{
    if (g_file_test(SHARED_MEMORY, G_FILE_TEST_IS_DIR))
        g_setenv("TMPDIR", SHARED_MEMORY, FALSE);
    LvpScratch *tree = lvp_scratch_new();
    add_host(tree);
    for (guint i = 0; i < n_devices; i++)
        add_device(tree, i, i % PER_PORT == PER_PORT - 1 && i / PER_PORT < n_disks);
    lvp_scratch_write(tree, LVP_MADE_DEVICES_FILE, DEVICES_FILE);
    write_classes(tree);
    return tree;
}
