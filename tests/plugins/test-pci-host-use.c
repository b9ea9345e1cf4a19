/* SPDX-License-Identifier: Apache-2.0 */
/* What the host itself uses, and what it does not. */
#include "assert-error.h"
#include "fake-host.h"
#include "fake-kernel.h"
#include "host-use-fixture.h"

#include <errno.h>
#include <string.h>

#define DISK "0000:5e:00.0"
#define NIC "0000:3b:00.0"
#define GPU "0000:af:00.0"

static LvpFakeHost *fake;
static LvpHost *host;

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    host = lvp_fake_host_get_host(fake);
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){.address = DISK, .class_code = 0x010802, .driver = "nvme", .group = 1});
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){.address = NIC, .class_code = 0x020000, .driver = "i40e", .group = 2});
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(pci_host_use, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- what the tests say ---- */

/* EXPECTED NULL: the host does not use it. */
static void
assert_use(const char *address, const char *expected)
{
    use_assert(host, address, expected);
}

static void
add_disk(void)
{
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK});
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1p1", .disk = "nvme0n1"});
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1p2", .disk = "nvme0n1"});
}

static void
set_mounts(const char *lines)
{
    lvp_fake_host_set_file(fake, "proc/self/mountinfo", lines);
}

/* The number of a block device as the kernel shows it; g_free(). */
static char *
read_number(const char *name)
{
    char number[LVP_HOST_VALUE_SIZE];
    g_autofree char *path = g_strdup_printf("class/block/%s/dev", name);
    cr_assert_gt(lvp_host_read_value(host, LVP_HOST_SYS, path, number, sizeof number), 0);
    return g_strdup(number);
}

/* ---- mounts ---- */

Test(pci_host_use, disk_that_nobody_uses_is_free)
{
    add_disk();
    assert_use(DISK, NULL);
}

Test(pci_host_use, mounted_partition)
{
    add_disk();
    lvp_fake_host_mount(fake, "nvme0n1p2", "/srv");
    assert_use(DISK, "nvme0n1p2 is mounted on /srv");
}

Test(pci_host_use, mounted_disk)
{
    add_disk();
    lvp_fake_host_mount(fake, "nvme0n1", "/");
    assert_use(DISK, "nvme0n1 is mounted on /");
}

Test(pci_host_use, disk_of_another_function_does_not_count)
{
    add_disk();
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){.address = GPU, .class_code = 0x010601, .driver = "ahci", .group = 3});
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "sda", .pci = GPU});
    lvp_fake_host_mount(fake, "sda", "/srv");
    assert_use(DISK, NULL);
    assert_use(GPU, "sda is mounted on /srv");
}

Test(pci_host_use, mount_is_found_by_its_device_number_whatever_its_source_is_called)
{
    add_disk();
    g_autofree char *number = read_number("nvme0n1p1");
    g_autofree char *line =
        g_strdup_printf("30 1 %s / /boot rw - ext4 /dev/disk/by-label/boot rw\n", number);
    set_mounts(line);
    assert_use(DISK, "nvme0n1p1 is mounted on /boot");
}

Test(pci_host_use, mount_is_found_by_its_source_where_the_number_is_the_file_systems_own)
{
    add_disk();
    set_mounts("30 1 0:45 /@home /home rw,noatime shared:9 master:1 - btrfs /dev/nvme0n1p2 rw\n");
    assert_use(DISK, "nvme0n1p2 is mounted on /home");
}

Test(pci_host_use, source_that_is_no_device_does_not_count)
{
    add_disk();
    set_mounts("30 1 0:45 / /a rw - tmpfs nvme0n1 rw\n31 1 0:46 / /b rw - nfs4 host:/nvme0n1 rw\n");
    assert_use(DISK, NULL);
}

Test(pci_host_use, octal_escapes_of_a_mount_point_are_shown_as_the_characters)
{
    add_disk();
    set_mounts("30 1 0:45 / /my\\040disk\\134x rw - ext4 /dev/nvme0n1 rw\n");
    assert_use(DISK, "nvme0n1 is mounted on /my disk\\x");
}

Test(pci_host_use, control_characters_and_broken_utf8_of_a_mount_point_are_not_passed_on)
{
    add_disk();
    set_mounts("30 1 0:45 / /a\\012b\\011c\033[31m\302\205\342\200\250\377ä rw - ext4 "
               "/dev/nvme0n1 rw\n");
    g_autofree char *use = use_find(host, DISK);
    cr_assert(g_utf8_validate(use, -1, NULL));
    cr_assert_str_eq(use, "nvme0n1 is mounted on /a?b?c?[31m?????\357\277\275ä");
}

/* ---- swap, holders, multipath ---- */

Test(pci_host_use, swap_on_a_partition)
{
    add_disk();
    lvp_fake_host_swap_on(fake, "nvme0n1p1");
    assert_use(DISK, "nvme0n1p1 is used as swap");
}

Test(pci_host_use, swap_on_a_whole_disk_among_other_swaps)
{
    add_disk();
    lvp_fake_host_set_file(fake, "proc/swaps",
                           "Filename\tType\tSize\tUsed\tPriority\n"
                           "/swapfile file\t1\t0\t-2\n"
                           "/dev/nvme0n1\tpartition\t1\t0\t-3\n");
    assert_use(DISK, "nvme0n1 is used as swap");
}

Test(pci_host_use, holder_of_a_partition)
{
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK});
    lvp_fake_host_add_block(
        fake, &(LvpFakeBlock){.name = "nvme0n1p1", .disk = "nvme0n1", .holder = "dm-0"});
    assert_use(DISK, "nvme0n1p1 is held by dm-0");
}

Test(pci_host_use, disk_with_multipath_is_found_by_its_subsystem)
{
    lvp_fake_host_add_block(fake,
                            &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK, .multipath = TRUE});
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1p1", .disk = "nvme0n1"});
    assert_use(DISK, NULL);
    lvp_fake_host_mount(fake, "nvme0n1p1", "/srv");
    assert_use(DISK, "nvme0n1p1 is mounted on /srv");
}

Test(pci_host_use, holder_of_a_disk_with_multipath)
{
    lvp_fake_host_add_block(
        fake,
        &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK, .multipath = TRUE, .holder = "md127"});
    assert_use(DISK, "nvme0n1 is held by md127");
}

Test(pci_host_use, disk_that_went_with_its_driver_is_not_used)
{
    add_disk();
    lvp_fake_host_set_driver(fake, DISK, "vfio-pci");
    assert_use(DISK, NULL);
}

/* ---- uses that only an exclusive open shows ---- */

Test(pci_host_use, disk_that_is_busy_is_in_use)
{
    add_disk();
    lvp_fake_host_set_busy(fake, "nvme0n1", TRUE);
    assert_use(DISK, "nvme0n1 is in use, perhaps by a ZFS pool, or mounted in another namespace");
}

Test(pci_host_use, partition_that_is_busy_is_named_rather_than_its_disk)
{
    add_disk();
    lvp_fake_host_set_busy(fake, "nvme0n1", TRUE);
    lvp_fake_host_set_busy(fake, "nvme0n1p2", TRUE);
    assert_use(DISK, "nvme0n1p2 is in use, perhaps by a ZFS pool, or mounted in another namespace");
}

static int
refuse_open(gpointer data, const char *name)
{
    (void)data, (void)name;
    return EACCES;
}

Test(pci_host_use, disk_that_cannot_be_asked_counts_as_used)
{
    add_disk();
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.open_exclusive = refuse_open;
    lvp_host_set_effects(host, &effects, fake);
    g_autofree char *use = use_find(host, DISK);
    cr_assert(use && g_str_has_prefix(use, "nvme0n1p2 may be in use: cannot open "), "%s", use);
    assert_contains(use, g_strerror(EACCES));
}

Test(pci_host_use, disk_without_a_node_or_medium_is_free)
{
    add_disk();
    lvp_fake_host_set_file(fake, "dev/nvme0n1", NULL);
    lvp_fake_host_set_file(fake, "dev/nvme0n1p1", NULL);
    lvp_fake_host_set_file(fake, "dev/nvme0n1p2", NULL);
    assert_use(DISK, NULL);
}

/* ---- network interfaces ---- */

static void
add_net(guint flags, const char *master, const char *address)
{
    lvp_fake_host_add_net(
        fake,
        &(LvpFakeNet){
            .name = "eth0", .pci = NIC, .flags = flags, .master = master, .address = address});
}

Test(pci_host_use, interface_that_is_down_is_free)
{
    add_net(0x1002, NULL, NULL);
    assert_use(NIC, NULL);
}

#define FLAGS_FILE "sys/class/net/eth0/flags"

Test(pci_host_use, interface_whose_flags_cannot_be_read_may_be_up)
{
    add_net(0x1002, NULL, NULL);
    lvp_fake_host_set_file(fake, FLAGS_FILE, NULL);
    assert_use(NIC, "eth0 may be up: cannot read its flags: No such file or directory");
}

Test(pci_host_use, interface_whose_flags_are_no_number_may_be_up)
{
    static const char *const TEXTS[] = {
        "", "\n", "down\n", "1002\n", "0x\n", "0x1002 \001\n", "0x100000000\n"};
    add_net(0x1002, NULL, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(TEXTS); i++) {
        lvp_fake_host_set_file(fake, FLAGS_FILE, TEXTS[i]);
        assert_use(NIC, "eth0 may be up: cannot read its flags: they are no number");
    }
}

Test(pci_host_use, interface_whose_flags_cannot_be_read_belongs_to_its_bridge_all_the_same)
{
    add_net(0x1002, "br0", NULL);
    lvp_fake_host_set_file(fake, FLAGS_FILE, NULL);
    assert_use(NIC, "eth0 belongs to br0");
}

Test(pci_host_use, interface_that_is_up)
{
    add_net(0x1003, NULL, NULL);
    assert_use(NIC, "eth0 is up");
}

Test(pci_host_use, interface_that_is_up_with_an_address)
{
    add_net(0x1003, NULL, "192.0.2.1");
    assert_use(NIC, "eth0 is up and has address 192.0.2.1");
}

Test(pci_host_use, interface_that_is_down_with_an_address)
{
    add_net(0x1002, NULL, "2001:db8::1");
    assert_use(NIC, "eth0 has address 2001:db8::1");
}

Test(pci_host_use, interface_of_a_bridge)
{
    add_net(0x1002, "br0", NULL);
    assert_use(NIC, "eth0 belongs to br0");
}

Test(pci_host_use, second_interface_of_a_function_counts_too)
{
    add_net(0x1002, NULL, NULL);
    lvp_fake_host_add_net(fake, &(LvpFakeNet){.name = "eth1", .pci = NIC});
    assert_use(NIC, "eth1 is up");
}

Test(pci_host_use, bound_ethernet_function_without_interface_may_be_in_another_namespace)
{
    assert_use(NIC, "driver i40e shows no interface here: it may be in another network namespace");
}

Test(pci_host_use, ethernet_function_without_interface_is_free_on_drivers_that_never_show_one)
{
    static const char *const DRIVERS[] = {NULL, "vfio-pci", "pci-stub", "uio_pci_generic"};
    for (guint i = 0; i < G_N_ELEMENTS(DRIVERS); i++) {
        lvp_fake_host_set_driver(fake, NIC, DRIVERS[i]);
        assert_use(NIC, NULL);
    }
}

Test(pci_host_use, function_of_another_class_needs_no_interface) { assert_use(DISK, NULL); }

/* ---- displays ---- */

static void
add_display(guint class_code, gboolean boot_vga)
{
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = GPU,
                                              .class_code = class_code,
                                              .driver = "nouveau",
                                              .group = 3,
                                              .boot_vga = boot_vga});
}

Test(pci_host_use, boot_display)
{
    add_display(0x030000, TRUE);
    assert_use(GPU, "it is the boot display");
}

Test(pci_host_use, other_displays_are_free)
{
    add_display(0x030000, FALSE);
    assert_use(GPU, NULL);
    lvp_fake_host_pull(fake, GPU);
    add_display(0x030200, FALSE);
    assert_use(GPU, NULL);
}

/* ---- through more layers ---- */

Test(pci_host_use, disk_in_a_pci_domain_below_an_endpoint_is_used_through_both)
{
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){
                  .address = "0000:00:0e.0", .class_code = 0x010400, .driver = "vmd", .group = 4});
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "10000:e1:00.0",
                                              .parent = "0000:00:0e.0",
                                              .class_code = 0x010802,
                                              .driver = "nvme",
                                              .group = 4});
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme1n1", .pci = "10000:e1:00.0"});
    assert_use("0000:00:0e.0", NULL);
    lvp_fake_host_mount(fake, "nvme1n1", "/srv");
    assert_use("0000:00:0e.0", "nvme1n1 is mounted on /srv");
    assert_use("10000:e1:00.0", "nvme1n1 is mounted on /srv");
}
