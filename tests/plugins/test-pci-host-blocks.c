/* SPDX-License-Identifier: Apache-2.0 */
/* What is stacked on a disk, and what it is used for. */
#include "assert-error.h"
#include "fake-host.h"
#include "host-use-fixture.h"

#include <string.h>

#define DISK "0000:5e:00.0"
#define VIRTUAL "sys/devices/virtual/block/"

static LvpFakeHost *fake;
static LvpHost *host;

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    host = lvp_fake_host_get_host(fake);
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){.address = DISK, .class_code = 0x010802, .driver = "nvme", .group = 1});
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK});
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1p2", .disk = "nvme0n1"});
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(pci_host_blocks, .init = set_up, .fini = tear_down, .timeout = 60);

static void
assert_use(const char *expected)
{
    use_assert(host, DISK, expected);
}

static void
stack(const char *name, const char *on)
{
    lvp_fake_host_stack(fake, &(LvpFakeStacked){.name = name, .on = on});
}

static void
stack_dm(const char *name, const char *on, const char *dm_name, const char *dm_uuid)
{
    lvp_fake_host_stack(
        fake, &(LvpFakeStacked){.name = name, .on = on, .dm_name = dm_name, .dm_uuid = dm_uuid});
}

/* Mounts what is no disk of a PCI device. */
static void
mount(const char *name, const char *point)
{
    char number[LVP_HOST_VALUE_SIZE];
    g_autofree char *path = g_strdup_printf("class/block/%s/dev", name);
    cr_assert_gt(lvp_host_read_value(host, LVP_HOST_SYS, path, number, sizeof number), 0);
    g_autofree char *line =
        g_strdup_printf("30 1 %s / %s rw - ext4 /dev/mapper/some rw\n", number, point);
    lvp_fake_host_set_file(fake, "proc/self/mountinfo", line);
}

/* ---- what it is ---- */

Test(pci_host_blocks, logical_volume_is_named)
{
    stack_dm("dm-0", "nvme0n1p2", "vg0-root", "LVM-dQ1x");
    assert_use("nvme0n1p2 is held by dm-0 (LVM vg0-root)");
}

Test(pci_host_blocks, encrypted_device_is_named)
{
    stack_dm("dm-0", "nvme0n1p2", "luks-home", "CRYPT-LUKS2-0815-luks-home");
    assert_use("nvme0n1p2 is held by dm-0 (cryptsetup luks-home)");
}

Test(pci_host_blocks, map_of_multipath_is_named)
{
    stack_dm("dm-0", "nvme0n1", "mpatha", "mpath-3600a0b8000");
    assert_use("nvme0n1 is held by dm-0 (multipath mpatha)");
}

Test(pci_host_blocks, other_device_of_the_device_mapper_is_named)
{
    stack_dm("dm-0", "nvme0n1", "held", "");
    assert_use("nvme0n1 is held by dm-0 (device mapper held)");
    stack_dm("dm-0", "nvme0n1", "held", "XLVM-1");
    assert_use("nvme0n1 is held by dm-0 (device mapper held)");
    stack_dm("dm-1", "nvme0n1p2", "first", NULL);
    lvp_fake_host_set_file(fake, "sys/class/block/nvme0n1/holders/dm-0", NULL);
    assert_use("nvme0n1p2 is held by dm-1 (device mapper first)");
}

Test(pci_host_blocks, member_of_an_array_is_named)
{
    lvp_fake_host_stack(fake,
                        &(LvpFakeStacked){.name = "md127", .on = "nvme0n1p2", .md_level = "raid1"});
    assert_use("nvme0n1p2 is held by md127 (md raid1)");
}

Test(pci_host_blocks, array_that_does_not_run_holds_all_the_same)
{
    lvp_fake_host_stack(fake,
                        &(LvpFakeStacked){.name = "md127", .on = "nvme0n1p2", .md_level = ""});
    assert_use("nvme0n1p2 is held by md127");
}

Test(pci_host_blocks, holder_whose_name_says_all_stands_alone)
{
    stack("bcache0", "nvme0n1");
    assert_use("nvme0n1 is held by bcache0");
}

/* ---- what it is used for ---- */

Test(pci_host_blocks, mounted_logical_volume)
{
    stack_dm("dm-0", "nvme0n1p2", "vg0-root", "LVM-dQ1x");
    mount("dm-0", "/");
    assert_use("nvme0n1p2 is held by dm-0 (LVM vg0-root, mounted on /)");
}

Test(pci_host_blocks, logical_volume_as_swap)
{
    stack_dm("dm-0", "nvme0n1p2", "vg0-swap", "LVM-dQ1x");
    lvp_fake_host_set_file(fake, "proc/swaps", "Filename\n/dev/dm-0 partition\t1\t0\t-2\n");
    assert_use("nvme0n1p2 is held by dm-0 (LVM vg0-swap, used as swap)");
}

Test(pci_host_blocks, mounted_holder_without_a_title)
{
    stack("bcache0", "nvme0n1");
    mount("bcache0", "/srv");
    assert_use("nvme0n1 is held by bcache0 (mounted on /srv)");
}

Test(pci_host_blocks, volume_that_is_mounted_is_named_rather_than_the_first)
{
    stack_dm("dm-0", "nvme0n1p2", "vg0-spare", "LVM-dQ1x");
    stack_dm("dm-1", "nvme0n1p2", "vg0-root", "LVM-dQ1y");
    stack_dm("dm-2", "nvme0n1p2", "vg0-tmp", "LVM-dQ1z");
    mount("dm-1", "/");
    assert_use("nvme0n1p2 is held by dm-1 (LVM vg0-root, mounted on /)");
}

Test(pci_host_blocks, mount_is_found_through_several_layers)
{
    lvp_fake_host_stack(fake,
                        &(LvpFakeStacked){.name = "md0", .on = "nvme0n1p2", .md_level = "raid1"});
    stack_dm("dm-0", "md0", "cr0", "CRYPT-LUKS2-0815-cr0");
    stack_dm("dm-1", "dm-0", "vg0-root", "LVM-dQ1x");
    assert_use("nvme0n1p2 is held by md0 (md raid1)");
    mount("dm-1", "/");
    assert_use("nvme0n1p2 is held by md0 (md raid1, LVM vg0-root on it is mounted on /)");
}

Test(pci_host_blocks, mounted_partition_of_an_array)
{
    lvp_fake_host_stack(fake,
                        &(LvpFakeStacked){.name = "md0", .on = "nvme0n1", .md_level = "raid1"});
    lvp_fake_host_set_file(fake, VIRTUAL "md0/md0p1/dev", "259:77\n");
    lvp_fake_host_set_file(fake, "sys/class/block/md0p1/dev", "259:77\n");
    mount("md0p1", "/boot");
    assert_use("nvme0n1 is held by md0 (md raid1, md0p1 on it is mounted on /boot)");
}

Test(pci_host_blocks, own_mount_comes_before_holders)
{
    stack("dm-0", "nvme0n1");
    lvp_fake_host_mount(fake, "nvme0n1", "/srv");
    assert_use("nvme0n1 is mounted on /srv");
}

Test(pci_host_blocks, signature_on_a_disk_that_nobody_uses_does_not_count)
{
    lvp_fake_host_set_file(fake, "dev/nvme0n1p2", "LABELONE LVM2 001");
    assert_use(NULL);
}

/* ---- what sysfs should not say ---- */

Test(pci_host_blocks, circle_of_holders_ends)
{
    stack_dm("dm-0", "nvme0n1p2", "a", "LVM-1");
    stack_dm("dm-1", "dm-0", "b", "LVM-2");
    stack_dm("dm-0", "dm-1", "a", "LVM-1");
    stack_dm("dm-0", "dm-0", "a", "LVM-1");
    assert_use("nvme0n1p2 is held by dm-0 (LVM a)");
    mount("dm-1", "/");
    assert_use("nvme0n1p2 is held by dm-0 (LVM a, LVM b on it is mounted on /)");
}

Test(pci_host_blocks, tower_of_holders_is_climbed_so_far_and_counts)
{
    stack("dm-0", "nvme0n1p2");
    for (guint i = 1; i < 70; i++) {
        g_autofree char *name = g_strdup_printf("dm-%u", i);
        g_autofree char *on = g_strdup_printf("dm-%u", i - 1);
        stack(name, on);
    }
    mount("dm-63", "/here");
    assert_use("nvme0n1p2 is held by dm-0 (dm-63 on it is mounted on /here)");
    mount("dm-64", "/too/far");
    assert_use("nvme0n1p2 is held by dm-0");
}

Test(pci_host_blocks, hundreds_of_holders_are_one_reason)
{
    for (guint i = 0; i < 500; i++) {
        g_autofree char *path = g_strdup_printf("sys/class/block/nvme0n1p2/holders/dm-%u", i);
        lvp_fake_host_set_file(fake, path, "");
    }
    assert_use("nvme0n1p2 is held by dm-0");
}

Test(pci_host_blocks, holder_that_is_nowhere_else_counts)
{
    lvp_fake_host_set_file(fake, "sys/class/block/nvme0n1p2/holders/gone", "");
    assert_use("nvme0n1p2 is held by gone");
}

Test(pci_host_blocks, disk_without_a_folder_of_holders_is_free)
{
    lvp_fake_host_set_file(fake, "sys/class/block/nvme0n1/holders", NULL);
    lvp_fake_host_set_file(fake, "sys/class/block/nvme0n1p2/holders", NULL);
    lvp_fake_host_set_file(fake, "sys/class/block/nvme0n1p2/holders", "no folder");
    assert_use(NULL);
}

Test(pci_host_blocks, huge_and_unprintable_names_are_cut_and_cleaned)
{
    g_autofree char *huge = g_strnfill(5000, 'x');
    g_autofree char *holder = g_strnfill(255, 'h');
    g_autofree char *path = g_strdup_printf("sys/class/block/nvme0n1p2/holders/%s", holder);
    g_autofree char *expected = g_strdup_printf("nvme0n1p2 is held by %s", holder);
    lvp_fake_host_set_file(fake, path, "");
    assert_use(expected);
    lvp_fake_host_set_file(fake, path, NULL);
    stack_dm("dm-0", "nvme0n1p2", huge, huge);
    g_autofree char *cut = use_find(host, DISK);
    cr_assert_lt(strlen(cut), 256);
    cr_assert(g_str_has_prefix(cut, "nvme0n1p2 is held by dm-0 (device mapper xxx"), "%s", cut);
    lvp_fake_host_set_file(fake, VIRTUAL "dm-0/dm/name", "a\033[31m\377\n");
    assert_use("nvme0n1p2 is held by dm-0 (device mapper a?[31m\357\277\275)");
}

Test(pci_host_blocks, attributes_that_cannot_be_read_hide_no_holder)
{
    stack("dm-0", "nvme0n1p2");
    lvp_fake_host_set_file(fake, VIRTUAL "dm-0/dm/name/folder", "");
    lvp_fake_host_set_file(fake, VIRTUAL "dm-0/dm/uuid/folder", "");
    lvp_fake_host_set_file(fake, VIRTUAL "dm-0/dev", NULL);
    assert_use("nvme0n1p2 is held by dm-0");
}
