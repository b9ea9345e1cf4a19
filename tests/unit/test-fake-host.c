/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of the fake host against what a real kernel shows. */
#include "assert-error.h"
#include "fake-host.h"

#include <string.h>

#define GPU "0000:3b:00.0"
#define DISK "0000:5e:00.0"
#define DEVICES "bus/pci/devices/"
#define DRIVERS "bus/pci/drivers/"
#define TIMEOUT_MS 1000

static LvpFakeHost *fake;
static LvpHost *host;

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    host = lvp_fake_host_get_host(fake);
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = GPU,
                                              .vendor = 0x10de,
                                              .device = 0x20b7,
                                              .subsystem_vendor = 0x10de,
                                              .subsystem_device = 0x1532,
                                              .revision = 0xa1,
                                              .class_code = 0x030200,
                                              .driver = "nvidia",
                                              .group = 15,
                                              .node = 1});
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = DISK,
                                              .vendor = 0x144d,
                                              .device = 0xa80a,
                                              .class_code = 0x010802,
                                              .driver = "nvme",
                                              .group = 16});
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(fake_host, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- what the tests say ---- */

static void
assert_value(const char *path, const char *expected)
{
    char value[LVP_HOST_VALUE_SIZE];
    gssize length = lvp_host_read_value(host, LVP_HOST_SYS, path, value, sizeof value);
    cr_assert_geq(length, 0, "%s: %s", path, g_strerror((int)-length));
    cr_assert_str_eq(value, expected);
}

static void
assert_link(const char *path, const char *expected)
{
    char target[512] = "";
    lvp_host_read_link(host, LVP_HOST_SYS, path, target, sizeof target);
    cr_assert_str_eq(target, expected, "%s leads to '%s'", path, target);
}

static gboolean
exists(const char *path)
{
    return lvp_host_exists(host, LVP_HOST_SYS, path);
}

static gboolean
has_node(const char *path)
{
    return lvp_host_exists(host, LVP_HOST_DEV, path);
}

/* ---- the tree ---- */

Test(fake_host, device_has_the_attributes_of_sysfs)
{
    assert_value(DEVICES GPU "/vendor", "0x10de");
    assert_value(DEVICES GPU "/device", "0x20b7");
    assert_value(DEVICES GPU "/subsystem_vendor", "0x10de");
    assert_value(DEVICES GPU "/subsystem_device", "0x1532");
    assert_value(DEVICES GPU "/class", "0x030200");
    assert_value(DEVICES GPU "/revision", "0xa1");
    assert_value(DEVICES GPU "/numa_node", "1");
    assert_value(DEVICES GPU "/driver_override", "(null)");
    cr_assert_not(exists(DEVICES GPU "/boot_vga"));
}

Test(fake_host, links_are_relative_as_those_of_the_kernel)
{
    assert_link("bus/pci/devices/" GPU, "../../../devices/pci0000:3b/" GPU);
    assert_link(DEVICES GPU "/driver", "../../../bus/pci/drivers/nvidia");
    assert_link(DEVICES GPU "/iommu_group", "../../../kernel/iommu_groups/15");
    assert_link("kernel/iommu_groups/15/devices/" GPU, "../../../../devices/pci0000:3b/" GPU);
    assert_link(DRIVERS "nvidia/" GPU, "../../../../devices/pci0000:3b/" GPU);
    assert_value("kernel/iommu_groups/15/devices/" GPU "/vendor", "0x10de");
    cr_assert(exists(DRIVERS "nvidia/unbind"));
}

Test(fake_host, screen_of_the_host_says_so)
{
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){.address = "0000:01:00.0", .class_code = 0x030000, .boot_vga = TRUE});
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:02:00.0", .class_code = 0x030000});
    assert_value(DEVICES "0000:01:00.0/boot_vga", "1");
    assert_value(DEVICES "0000:02:00.0/boot_vga", "0");
}

Test(fake_host, device_stands_below_its_bridge)
{
    lvp_fake_host_add_pci(
        fake,
        &(LvpFakePci){.address = "10000:e0:00.0", .class_code = 0x060400, .driver = "pcieport"});
    lvp_fake_host_add_pci(fake,
                          &(LvpFakePci){.address = "10000:e1:00.0", .parent = "10000:e0:00.0"});
    assert_link(DEVICES "10000:e1:00.0",
                "../../../devices/pci10000:e0/10000:e0:00.0/10000:e1:00.0");
}

Test(fake_host, virtual_function_and_its_physical_function_point_at_each_other)
{
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:3b:00.4", .pf = GPU, .group = 17});
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:3b:00.5", .pf = GPU, .group = 18});
    assert_link(DEVICES "0000:3b:00.5/physfn", "../" GPU);
    assert_link(DEVICES GPU "/virtfn1", "../0000:3b:00.5");
    lvp_fake_host_pull(fake, "0000:3b:00.5");
    cr_assert_not(exists(DEVICES GPU "/virtfn1"));
}

Test(fake_host, device_without_group_or_driver_has_no_such_links)
{
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:af:00.0", .node = -1});
    cr_assert_not(exists(DEVICES "0000:af:00.0/driver"));
    assert_value(DEVICES "0000:af:00.0/numa_node", "-1");
    cr_assert_not(exists(DEVICES "0000:af:00.0/iommu_group"));
}

Test(fake_host, nodes_add_up)
{
    lvp_fake_host_set_node(fake, 1, "8-15", G_GUINT64_CONSTANT(1) << 30);
    g_autofree char *memory = lvp_host_read_text(host, LVP_HOST_PROC, "meminfo", NULL);
    assert_value("devices/system/cpu/online", "0-7,8-15");
    assert_value("devices/system/node/online", "0,1");
    assert_value("devices/system/node/node1/cpulist", "8-15");
    assert_contains(memory, "MemTotal:       17825792 kB\n");
}

/* ---- cards that come and go ---- */

Test(fake_host, pulled_device_leaves_nothing)
{
    lvp_fake_host_set_driver(fake, GPU, "vfio-pci");
    lvp_fake_host_pull(fake, GPU);
    cr_assert_not(exists(DEVICES GPU));
    cr_assert_not(exists("devices/pci0000:3b/" GPU));
    cr_assert_not(exists("kernel/iommu_groups/15"));
    cr_assert_not(exists(DRIVERS "vfio-pci/" GPU));
    cr_assert_not(has_node("vfio/15"));
}

Test(fake_host, neighbour_of_a_pulled_device_keeps_its_group)
{
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:3b:00.1", .group = 15});
    lvp_fake_host_pull(fake, GPU);
    cr_assert(exists("kernel/iommu_groups/15/devices/0000:3b:00.1"));
    cr_assert_not(exists("kernel/iommu_groups/15/devices/" GPU));
}

Test(fake_host, pulled_device_that_is_held_stays_without_driver_until_it_is_let_go)
{
    lvp_fake_host_set_driver(fake, GPU, "vfio-pci");
    lvp_fake_host_set_opener(fake, "vfio/15", "pid 812 (qemu-system-x86)");
    lvp_fake_host_pull(fake, GPU);
    cr_assert_not(exists(DEVICES GPU "/driver"));
    cr_assert(exists(DEVICES GPU "/vfio-dev"));
    cr_assert(has_node("vfio/15"));
    lvp_fake_host_set_opener(fake, "vfio/15", NULL);
    cr_assert_not(exists(DEVICES GPU));
    cr_assert_not(has_node("vfio/15"));
}

Test(fake_host, replaced_device_is_another_on_its_host_driver_without_override)
{
    lvp_fake_host_set_driver(fake, GPU, "vfio-pci");
    lvp_fake_host_replace(fake, &(LvpFakePci){.address = GPU,
                                              .vendor = 0x8086,
                                              .device = 0x1572,
                                              .class_code = 0x020000,
                                              .driver = "i40e",
                                              .group = 15});
    assert_value(DEVICES GPU "/vendor", "0x8086");
    assert_link(DEVICES GPU "/driver", "../../../bus/pci/drivers/i40e");
    assert_value(DEVICES GPU "/driver_override", "(null)");
}

/* ---- block devices ---- */

static gboolean
is_busy(const char *name)
{
    g_autoptr(GError) error = NULL;
    gboolean busy = FALSE;
    lvp_host_probe_block_device(host, name, TIMEOUT_MS, &busy, &error);
    assert_no_error(error);
    return busy;
}

Test(fake_host, disk_stands_below_its_device_and_its_partitions_below_it)
{
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK});
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1p1", .disk = "nvme0n1"});
    assert_link("class/block/nvme0n1p1",
                "../../devices/pci0000:5e/" DISK "/nvme/nvme0/nvme0n1/nvme0n1p1");
    assert_link("class/nvme/nvme0", "../../devices/pci0000:5e/" DISK "/nvme/nvme0");
    cr_assert(exists("class/block/nvme0n1p1/partition"));
    cr_assert(exists("class/block/nvme0n1/holders"));
    cr_assert(has_node("nvme0n1"));
}

Test(fake_host, disk_of_a_device_on_vfio_is_not_there)
{
    lvp_fake_host_set_driver(fake, DISK, "vfio-pci");
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK});
    cr_assert_not(exists("class/block/nvme0n1"));
    lvp_fake_host_set_driver(fake, DISK, "nvme");
    cr_assert(exists("class/block/nvme0n1"));
}

Test(fake_host, disk_with_multipath_hangs_below_its_subsystem)
{
    lvp_fake_host_add_block(fake,
                            &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK, .multipath = TRUE});
    assert_link("class/block/nvme0n1", "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1");
    assert_link("devices/virtual/nvme-subsystem/nvme-subsys0/nvme0",
                "../../../pci0000:5e/" DISK "/nvme/nvme0");
    assert_link("class/block/nvme0c0n1", "../../devices/pci0000:5e/" DISK "/nvme/nvme0/nvme0c0n1");
    assert_value("class/block/nvme0c0n1/hidden", "1");
    cr_assert_not(exists(DEVICES DISK "/nvme/nvme0/nvme0n1"));
}

Test(fake_host, disk_of_another_kind_stands_below_its_device_too)
{
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "sda", .pci = DISK});
    assert_link("class/block/sda",
                "../../devices/pci0000:5e/" DISK "/ata1/host0/target0:0:0/0:0:0:0/block/sda");
}

Test(fake_host, holder_and_disk_point_at_each_other)
{
    lvp_fake_host_add_block(fake,
                            &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK, .holder = "dm-0"});
    cr_assert(exists("class/block/nvme0n1/holders/dm-0"));
    cr_assert(exists("class/block/dm-0/slaves/nvme0n1/size"));
}

Test(fake_host, mount_is_listed_and_makes_the_whole_disk_busy)
{
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK});
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1p1", .disk = "nvme0n1"});
    cr_assert_not(is_busy("nvme0n1"));
    lvp_fake_host_mount(fake, "nvme0n1p1", "/srv");
    g_autofree char *mounts = lvp_host_read_text(host, LVP_HOST_PROC, "self/mountinfo", NULL);
    char number[LVP_HOST_VALUE_SIZE];
    lvp_host_read_value(host, LVP_HOST_SYS, "class/block/nvme0n1p1/dev", number, sizeof number);
    g_autofree char *part = g_strdup_printf(" 22 %s / /srv ", number);
    assert_contains(mounts, part);
    assert_contains(mounts, " - ext4 /dev/nvme0n1p1 rw\n");
    cr_assert(is_busy("nvme0n1p1"));
    cr_assert(is_busy("nvme0n1"));
}

Test(fake_host, swap_is_listed_and_busy)
{
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK});
    lvp_fake_host_swap_on(fake, "nvme0n1");
    g_autofree char *swaps = lvp_host_read_text(host, LVP_HOST_PROC, "swaps", NULL);
    assert_contains(swaps, "\n/dev/nvme0n1 ");
    cr_assert(is_busy("nvme0n1"));
}

Test(fake_host, use_of_a_disk_ends_without_a_trace)
{
    g_autofree char *mounts = lvp_host_read_text(host, LVP_HOST_PROC, "self/mountinfo", NULL);
    g_autofree char *swaps = lvp_host_read_text(host, LVP_HOST_PROC, "swaps", NULL);
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK});
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1p1", .disk = "nvme0n1"});
    lvp_fake_host_mount(fake, "nvme0n1p1", "/srv");
    lvp_fake_host_swap_on(fake, "nvme0n1p1");
    lvp_fake_host_stack(fake, &(LvpFakeStacked){.name = "dm-0", .on = "nvme0n1p1"});
    cr_assert(exists("class/block/nvme0n1p1/holders/dm-0"));
    lvp_fake_host_let_go(fake, "nvme0n1p1");
    lvp_fake_host_unstack(fake, "dm-0", "nvme0n1p1");
    g_autofree char *mounts_after = lvp_host_read_text(host, LVP_HOST_PROC, "self/mountinfo", NULL);
    g_autofree char *swaps_after = lvp_host_read_text(host, LVP_HOST_PROC, "swaps", NULL);
    cr_assert_str_eq(mounts_after, mounts);
    cr_assert_str_eq(swaps_after, swaps);
    cr_assert_not(exists("class/block/nvme0n1p1/holders/dm-0"));
    cr_assert_not(exists("class/block/dm-0"));
    cr_assert_not(is_busy("nvme0n1p1"));
    cr_assert_not(is_busy("nvme0n1"));
}

Test(fake_host, block_device_is_busy_as_told)
{
    lvp_fake_host_set_busy(fake, "sdb", TRUE);
    cr_assert(is_busy("sdb"));
    lvp_fake_host_set_busy(fake, "sdb", FALSE);
    cr_assert_not(is_busy("sdb"));
    cr_assert_not(is_busy("sdc"));
}

Test(fake_host, disk_goes_with_its_host_driver_and_comes_back_with_it)
{
    lvp_fake_host_add_block(fake,
                            &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK, .multipath = TRUE});
    lvp_fake_host_set_driver(fake, DISK, "vfio-pci");
    cr_assert_not(exists("class/block/nvme0n1"));
    cr_assert_not(exists("class/block/nvme0c0n1"));
    cr_assert_not(exists("class/nvme/nvme0"));
    cr_assert_not(exists("devices/virtual/nvme-subsystem/nvme-subsys0"));
    cr_assert_not(exists(DEVICES DISK "/nvme"));
    cr_assert_not(has_node("nvme0n1"));
    lvp_fake_host_set_driver(fake, DISK, "nvme");
    cr_assert(exists("class/block/nvme0n1/dev"));
    cr_assert(has_node("nvme0n1"));
}

/* ---- network interfaces ---- */

Test(fake_host, interface_shows_flags_device_and_master)
{
    lvp_fake_host_add_net(
        fake, &(LvpFakeNet){.name = "eth0", .pci = DISK, .master = "br0", .address = "192.0.2.1"});
    g_autofree char *address = lvp_host_find_interface_address(host, "eth0");
    assert_link("class/net/eth0", "../../devices/pci0000:5e/" DISK "/net/eth0");
    assert_value("class/net/eth0/flags", "0x1003");
    assert_value("class/net/eth0/device/vendor", "0x144d");
    assert_link("class/net/eth0/master", "../../../../virtual/net/br0");
    cr_assert(exists("class/net/br0/flags"));
    cr_assert_str_eq(address, "192.0.2.1");
    cr_assert_null(lvp_host_find_interface_address(host, "br0"));
}

Test(fake_host, interface_that_is_down_goes_with_its_driver)
{
    lvp_fake_host_add_net(fake, &(LvpFakeNet){.name = "eth0", .pci = DISK, .flags = 0x1002});
    assert_value("class/net/eth0/operstate", "down");
    lvp_fake_host_set_driver(fake, DISK, NULL);
    cr_assert_not(exists("class/net/eth0"));
    cr_assert_not(exists(DEVICES DISK "/net"));
}

Test(fake_host, interface_goes_up_and_down)
{
    lvp_fake_host_add_net(fake, &(LvpFakeNet){.name = "eth0", .pci = DISK, .flags = 0x1002});
    lvp_fake_host_set_net_flags(fake, "eth0", 0x1003);
    assert_value("class/net/eth0/operstate", "up");
    lvp_fake_host_set_driver(fake, DISK, NULL);
    lvp_fake_host_set_net_flags(fake, "eth0", 0x1002);
    lvp_fake_host_set_driver(fake, DISK, "nvme");
    assert_value("class/net/eth0/flags", "0x1002");
}

/* ---- the whole ---- */

Test(fake_host, thousand_devices_can_be_made)
{
    for (guint i = 0; i < 1000; i++) {
        char address[32];
        g_snprintf(address, sizeof address, "0001:%02x:%02x.0", i / 32, i % 32);
        lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = address, .driver = "i40e"});
    }
    g_auto(GStrv) names = lvp_host_list(host, LVP_HOST_SYS, "bus/pci/devices", NULL);
    cr_assert_eq(g_strv_length(names), 1002);
}

Test(fake_host, root_goes_with_the_host)
{
    LvpFakeHost *other = lvp_fake_host_new();
    g_autofree char *root = g_strdup(lvp_fake_host_get_root(other));
    cr_assert(g_file_test(root, G_FILE_TEST_IS_DIR));
    lvp_fake_host_free(other);
    cr_assert_not(g_file_test(root, G_FILE_TEST_EXISTS));
    lvp_fake_host_free(NULL);
}

/* ---- what an administrator does ---- */

static void
bind_to_vfio(void)
{
    lvp_fake_host_set_override(fake, DISK, "vfio-pci");
    lvp_fake_host_set_driver(fake, DISK, "vfio-pci");
}

Test(fake_host, unloading_vfio_unbinds_what_is_idle_and_leaves_the_override)
{
    bind_to_vfio();
    cr_assert(lvp_fake_host_unload_vfio(fake));
    g_autofree char *driver = lvp_fake_host_get_driver(fake, DISK);
    g_autofree char *override = lvp_fake_host_get_override(fake, DISK);
    cr_assert_null(driver);
    cr_assert_str_eq(override, "vfio-pci");
    cr_assert_not(exists("bus/pci/drivers/vfio-pci"));
}

Test(fake_host, vfio_is_not_unloaded_while_somebody_holds_a_device)
{
    bind_to_vfio();
    lvp_fake_host_set_opener(fake, "vfio/16", "pid 1 (qemu)");
    cr_assert_not(lvp_fake_host_unload_vfio(fake));
    g_autofree char *driver = lvp_fake_host_get_driver(fake, DISK);
    cr_assert_str_eq(driver, "vfio-pci");
}

Test(fake_host, says_what_stands_there_and_what_is_stuck)
{
    cr_assert(lvp_fake_host_has_pci(fake, DISK));
    cr_assert_not(lvp_fake_host_is_stuck(fake, DISK));
    lvp_fake_host_pull(fake, DISK);
    cr_assert_not(lvp_fake_host_has_pci(fake, DISK));
}
