/* SPDX-License-Identifier: Apache-2.0 */
/* The files that tell what the host uses, when they are not as they should be: what can be read of
 * them counts, and nothing ends the process. */
#include "assert-error.h"
#include "fake-host.h"
#include "host-use-fixture.h"

#include <string.h>
#include <unistd.h>

#define DISK "0000:5e:00.0"
#define CLASS_NVME 0x010802
#define MOUNTINFO "proc/self/mountinfo"
#define SWAPS "proc/swaps"

static LvpFakeHost *fake;
static LvpHost *host;

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    host = lvp_fake_host_get_host(fake);
    lvp_fake_host_add_pci(
        fake,
        &(LvpFakePci){.address = DISK, .class_code = CLASS_NVME, .driver = "nvme", .group = 1});
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1", .pci = DISK});
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(pci_host_use_hostile, .init = set_up, .fini = tear_down, .timeout = 60);

/* EXPECTED NULL: not used. */
static void
assert_use(const char *expected)
{
    use_assert(host, DISK, expected);
}

static void
assert_unreadable(void)
{
    use_assert_unreadable(host);
}

/* ---- mountinfo ---- */

#define MOUNTED "30 1 0:45 / /srv rw - ext4 /dev/nvme0n1 rw"

Test(pci_host_use_hostile, mount_without_a_line_end_counts)
{
    lvp_fake_host_set_file(fake, MOUNTINFO, MOUNTED);
    assert_use("nvme0n1 is mounted on /srv");
}

Test(pci_host_use_hostile, mount_cut_after_its_source_and_one_option_counts_and_before_it_not)
{
    lvp_fake_host_set_file(fake, MOUNTINFO, "30 1 0:45 / /srv rw - ext4 /dev/nvme0n1");
    assert_use("nvme0n1 is mounted on /srv");
    for (gsize length = 0; length <= strlen("30 1 0:45 / /srv rw - ext4"); length++) {
        g_autofree char *cut = g_strndup(MOUNTED, length);
        lvp_fake_host_set_file(fake, MOUNTINFO, cut);
        assert_use(NULL);
    }
}

Test(pci_host_use_hostile, wrong_lines_hide_no_right_one)
{
    static const char *const WRONG[] = {"",
                                        " ",
                                        "\\",
                                        "x",
                                        "- - - -",
                                        "30 1 0:45 / /srv rw ext4 x rw",
                                        "30 1 0:45 / /srv rw -",
                                        "30 1 0:45 / /srv\\ rw - ext4 x rw",
                                        "30 1 0:45 / \\ rw - ext4 /x rw",
                                        "\377\376 \001"};
    for (guint i = 0; i < G_N_ELEMENTS(WRONG); i++) {
        g_autofree char *text = g_strconcat(WRONG[i], "\n", MOUNTED, "\n", WRONG[i], NULL);
        lvp_fake_host_set_file(fake, MOUNTINFO, text);
        assert_use("nvme0n1 is mounted on /srv");
    }
}

Test(pci_host_use_hostile, separator_that_stands_among_the_first_words_is_none)
{
    lvp_fake_host_set_file(fake, MOUNTINFO, "30 - 0:45 - - - - ext4 /dev/nvme0n1 rw\n");
    assert_use("nvme0n1 is mounted on -");
}

Test(pci_host_use_hostile, line_of_a_megabyte_is_read)
{
    g_autofree char *options = g_strnfill(1 << 20, 'x');
    g_autofree char *text =
        g_strdup_printf("30 1 0:45 / /srv %s - ext4 /dev/nvme0n1 %s\n", options, options);
    lvp_fake_host_set_file(fake, MOUNTINFO, text);
    assert_use("nvme0n1 is mounted on /srv");
}

Test(pci_host_use_hostile, line_of_thousands_of_words_is_read)
{
    g_autoptr(GString) text = g_string_new("30 1 0:45 / /srv rw");
    for (guint i = 0; i < 20000; i++)
        g_string_append(text, " x");
    g_string_append(text, " - ext4 /dev/nvme0n1 rw\n");
    lvp_fake_host_set_file(fake, MOUNTINFO, text->str);
    assert_use("nvme0n1 is mounted on /srv");
}

Test(pci_host_use_hostile, file_without_mounts_means_none)
{
    lvp_fake_host_set_file(fake, MOUNTINFO, "");
    assert_use(NULL);
}

Test(pci_host_use_hostile, missing_mounts_are_an_error)
{
    lvp_fake_host_set_file(fake, MOUNTINFO, NULL);
    assert_unreadable();
}

Test(pci_host_use_hostile, mounts_of_more_than_can_be_read_are_an_error)
{
    g_autofree char *endless = g_strnfill((17 << 20), '\n');
    lvp_fake_host_set_file(fake, MOUNTINFO, endless);
    assert_unreadable();
}

/* ---- swaps ---- */

Test(pci_host_use_hostile, swaps_that_are_empty_or_end_early_mean_none)
{
    static const char *const TEXTS[] = {"",
                                        "\n",
                                        "\n\n\n",
                                        "Filename",
                                        "Filename\n\n \t\n/dev/",
                                        "Filename\n/dev/nvme0",
                                        "/dev/nvme0n1 in the heading\n"};
    for (guint i = 0; i < G_N_ELEMENTS(TEXTS); i++) {
        lvp_fake_host_set_file(fake, SWAPS, TEXTS[i]);
        assert_use(NULL);
    }
}

Test(pci_host_use_hostile, swap_cut_after_its_name_counts)
{
    lvp_fake_host_set_file(fake, SWAPS, "Filename\n/dev/nvme0n1");
    assert_use("nvme0n1 is used as swap");
}

Test(pci_host_use_hostile, swap_behind_a_line_of_a_megabyte_counts)
{
    g_autofree char *filler = g_strnfill(1 << 20, 'x');
    g_autofree char *text = g_strdup_printf("Filename\n/%s\n/dev/nvme0n1 partition\n", filler);
    lvp_fake_host_set_file(fake, SWAPS, text);
    assert_use("nvme0n1 is used as swap");
}

Test(pci_host_use_hostile, kernel_without_swaps_has_none)
{
    lvp_fake_host_set_file(fake, SWAPS, NULL);
    assert_use(NULL);
}

Test(pci_host_use_hostile, swaps_that_cannot_be_read_are_an_error)
{
    lvp_fake_host_set_file(fake, SWAPS, NULL);
    lvp_fake_host_set_file(fake, SWAPS "/folder", "");
    assert_unreadable();
}

/* ---- class folders ---- */

Test(pci_host_use_hostile, file_among_the_interfaces_is_passed_over)
{
    lvp_fake_host_set_file(fake, "sys/class/net/bonding_masters", "bond0\n");
    assert_use(NULL);
}

Test(pci_host_use_hostile, kernel_without_block_devices_or_network_uses_none)
{
    lvp_fake_host_set_file(fake, "sys/class/block", NULL);
    lvp_fake_host_set_file(fake, "sys/class/net", NULL);
    assert_use(NULL);
}

Test(pci_host_use_hostile, class_that_cannot_be_read_is_an_error)
{
    static const char *const CLASSES[] = {"sys/class/block", "sys/class/net", "sys/class/drm",
                                          "sys/class/input"};
    for (guint i = 0; i < G_N_ELEMENTS(CLASSES); i++) {
        lvp_fake_host_set_file(fake, CLASSES[i], NULL);
        lvp_fake_host_set_file(fake, CLASSES[i], "no folder");
        assert_unreadable();
        lvp_fake_host_set_file(fake, CLASSES[i], NULL);
    }
}

static void
link_block(const char *name, const char *target)
{
    g_autofree char *path =
        g_strdup_printf("%s/sys/class/block/%s", lvp_fake_host_get_root(fake), name);
    cr_assert_eq(symlink(target, path), 0);
}

Test(pci_host_use_hostile, disk_far_below_the_function_counts)
{
    g_autoptr(GString) target = g_string_new("../../devices/pci0000:5e/" DISK);
    while (target->len < 3000)
        g_string_append(target, "/expander-0:0/port-0:0:0");
    g_string_append(target, "/block/sdz");
    link_block("sdz", target->str);
    lvp_fake_host_set_busy(fake, "sdz", TRUE);
    assert_use("sdz is in use, perhaps by a ZFS pool, or mounted in another namespace");
}

Test(pci_host_use_hostile, link_to_a_subsystem_that_is_gone_does_no_harm)
{
    link_block("nvme9n1", "../../devices/virtual/nvme-subsystem/nvme-subsys9/nvme9n1");
    link_block("nvme8n1", "../../devices/virtual/nvme-subsystem/");
    link_block("loop0", "../../../../../../../..");
    assert_use(NULL);
}
