/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, and what sysfs says of one function. */
#include "assert-error.h"
#include "fake-host.h"
#include "pci-scan.h"

#include <string.h>

#define GPU "0000:3b:00.0"
#define FOLDER "sys/bus/pci/devices/" GPU "/"

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
                                              .subsystem_vendor = 0x103c,
                                              .subsystem_device = 0x1532,
                                              .revision = 0xa1,
                                              .class_code = 0x030200,
                                              .driver = "nvidia",
                                              .group = 15});
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(pci_scan, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- addresses ---- */

static void
assert_address(const char *text, guint domain, guint bus, guint slot, guint function)
{
    LvpPciAddress address;
    cr_assert(lvp_pci_parse_address(text, &address), "%s", text);
    cr_assert(lvp_pci_is_address(text, strlen(text)), "%s", text);
    cr_assert_eq(address.domain, domain);
    cr_assert_eq(address.bus, bus);
    cr_assert_eq(address.slot, slot);
    cr_assert_eq(address.function, function);
}

Test(pci_scan, address_has_a_domain_of_four_to_eight_digits)
{
    assert_address("0000:00:00.0", 0, 0, 0, 0);
    assert_address("0001:ff:1f.7", 1, 0xff, 0x1f, 7);
    assert_address("10000:e1:00.0", 0x10000, 0xe1, 0, 0);
    assert_address("abcdef:3b:0a.1", 0xabcdef, 0x3b, 0xa, 1);
    assert_address("fedcba0:3b:0a.1", 0xfedcba0, 0x3b, 0xa, 1);
    assert_address("ffffffff:3b:10.0", 0xffffffff, 0x3b, 0x10, 0);
}

Test(pci_scan, anything_else_is_no_address_and_leaves_the_answer_alone)
{
    static const char *const WRONG[] = {
        "",
        "0000",
        "000:00:00.0",
        "3b:00.0",
        "123456789:00:00.0",
        "00000:00:00.0",
        "0fedcba:3b:0a.1",
        "0000:00:00.8",
        "0000:00:00",
        "0000:00:00.",
        "0000:00:00.00",
        "0000:00:20.0",
        "0000:00:ff.0",
        "0000:000:00.0",
        "0000:0:00.0",
        "0000:00:0.0",
        "0000:00:00:0",
        "0000.00.00.0",
        "0000:3B:00.0",
        "0000:00:00.0 ",
        " 0000:00:00.0",
        "0000:00:00.0\n",
        "-000:00:00.0",
        "0x00:00:00.0",
        "0000:+1:00.0",
        "0000:00:00.a",
        "0000:g0:00.0",
        "pci0000:00",
        "0000:00:00.0/../0000:00:00.1",
    };
    for (guint i = 0; i < G_N_ELEMENTS(WRONG); i++) {
        LvpPciAddress address = {7, 7, 7, 7};
        cr_assert_not(lvp_pci_parse_address(WRONG[i], &address), "%s", WRONG[i]);
        cr_assert_not(lvp_pci_is_address(WRONG[i], strlen(WRONG[i])), "%s", WRONG[i]);
        cr_assert_eq(address.domain + address.bus + address.slot + address.function, 28);
    }
}

Test(pci_scan, part_of_a_path_is_an_address_by_its_length)
{
    cr_assert(lvp_pci_is_address("0000:3b:00.0/nvme/nvme0", strlen("0000:3b:00.0")));
    cr_assert_not(lvp_pci_is_address("0000:3b:00.0/nvme/nvme0", strlen("0000:3b:00.0/")));
    cr_assert_not(lvp_pci_is_address("0000:3b:00.0/nvme/nvme0", strlen("0000:3b:00.")));
    cr_assert_not(lvp_pci_is_address("pci0000:3b/0000:3b:00.0", strlen("pci0000:3b/0")));
}

Test(pci_scan, path_of_an_attribute)
{
    char path[LVP_PCI_PATH_SIZE];
    cr_assert_str_eq(lvp_pci_path(path, "10000:e1:00.0", "driver_override"),
                     "bus/pci/devices/10000:e1:00.0/driver_override");
}

Test(pci_scan, path_of_what_is_far_too_long_is_cut)
{
    char path[LVP_PCI_PATH_SIZE];
    g_autofree char *endless = g_strnfill(1000, 'x');
    cr_assert_lt(strlen(lvp_pci_path(path, endless, endless)), LVP_PCI_PATH_SIZE);
}

/* ---- ids ---- */

Test(pci_scan, all_ids_are_read)
{
    LvpPciIds ids;
    cr_assert(lvp_pci_read_ids(host, GPU, &ids));
    g_autofree char *identity = lvp_pci_make_identity(&ids);
    cr_assert_str_eq(identity, "10de:20b7:103c:1532:a1:030200");
}

Test(pci_scan, ids_are_none_if_one_of_them_vanishes)
{
    static const char *const NAMES[] = {"vendor",           "device",           "class",
                                        "subsystem_vendor", "subsystem_device", "revision"};
    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        LvpPciIds ids;
        g_autofree char *path = g_strconcat(FOLDER, NAMES[i], NULL);
        g_autofree char *text = NULL;
        g_autofree char *full = g_build_filename(lvp_fake_host_get_root(fake), path, NULL);
        cr_assert(g_file_get_contents(full, &text, NULL, NULL));
        lvp_fake_host_set_file(fake, path, NULL);
        cr_assert_not(lvp_pci_read_ids(host, GPU, &ids), "%s", NAMES[i]);
        lvp_fake_host_set_file(fake, path, text);
        cr_assert(lvp_pci_read_ids(host, GPU, &ids), "%s", NAMES[i]);
    }
}

Test(pci_scan, ids_of_a_pulled_card_are_none)
{
    LvpPciIds ids;
    lvp_fake_host_pull(fake, GPU);
    cr_assert_not(lvp_pci_read_ids(host, GPU, &ids));
}

static gboolean
read_vendor(guint *ret_value)
{
    char text[LVP_HOST_VALUE_SIZE];
    return lvp_pci_read_hex(host, GPU, "vendor", text, ret_value);
}

Test(pci_scan, garbage_is_no_number)
{
    static const char *const WRONG[] = {"",          "\n",         "0x\n",    "10de\n",
                                        "0xg\n",     "0x10dg\n",   "0x-1\n",  "0x 1\n",
                                        "0x1 0x2\n", "0x1\n0x2\n", "X0x10de", "0x100000000\n"};
    for (guint i = 0; i < G_N_ELEMENTS(WRONG); i++) {
        guint value = 7;
        lvp_fake_host_set_file(fake, FOLDER "vendor", WRONG[i]);
        cr_assert_not(read_vendor(&value), "'%s'", WRONG[i]);
        cr_assert_eq(value, 7);
    }
}

/* Else two texts were one number: one vendor would stand twice in what is generated. */
Test(pci_scan, number_is_as_the_kernel_writes_it)
{
    static const char *const WRONG[] = {"0x10DE\n", "0x010de\n", "0x10d\n", "0xffffffff\n"};
    guint value = 0;
    for (guint i = 0; i < G_N_ELEMENTS(WRONG); i++) {
        lvp_fake_host_set_file(fake, FOLDER "vendor", WRONG[i]);
        cr_assert_not(read_vendor(&value), "'%s'", WRONG[i]);
    }
    lvp_fake_host_set_file(fake, FOLDER "vendor", "0xffff\n");
    cr_assert(read_vendor(&value));
    cr_assert_eq(value, 0xffff);
}

/* ---- links ---- */

Test(pci_scan, driver_and_group_are_the_last_part_of_their_links)
{
    char driver[LVP_PCI_NAME_SIZE], group[LVP_PCI_NAME_SIZE];
    lvp_pci_read_driver(host, GPU, driver);
    lvp_pci_read_group(host, GPU, group);
    cr_assert_str_eq(driver, "nvidia");
    cr_assert_str_eq(group, "15");
}

Test(pci_scan, driver_of_the_longest_name_is_not_taken_for_none)
{
    char driver[LVP_PCI_NAME_SIZE];
    g_autofree char *name = g_strnfill(255, 'd');
    lvp_fake_host_set_driver(fake, GPU, name);
    lvp_pci_read_driver(host, GPU, driver);
    cr_assert_str_eq(driver, name);
}

Test(pci_scan, driver_and_group_are_empty_where_there_is_none)
{
    char driver[LVP_PCI_NAME_SIZE] = "x", group[LVP_PCI_NAME_SIZE] = "x";
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:01:00.0"});
    lvp_pci_read_driver(host, "0000:01:00.0", driver);
    lvp_pci_read_group(host, "0000:01:00.0", group);
    cr_assert_str_empty(driver);
    cr_assert_str_empty(group);
}

Test(pci_scan, function_is_leaving_vfio_until_its_holder_lets_go)
{
    lvp_fake_host_set_driver(fake, GPU, "vfio-pci");
    lvp_fake_host_set_opener(fake, "vfio/15", "pid 812 (qemu-system-x86)");
    lvp_fake_host_pull(fake, GPU);
    cr_assert(lvp_pci_is_leaving_vfio(host, GPU));
    lvp_fake_host_set_opener(fake, "vfio/15", NULL);
    cr_assert_not(lvp_pci_is_leaving_vfio(host, GPU));
}
