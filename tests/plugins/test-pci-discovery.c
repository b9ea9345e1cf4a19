/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions are found, what is read for it, and what is said of them. */
#include "assert-error.h"
#include "devices-text.h"
#include "fake-host.h"
#include "pci-discovery.h"
#include "snapshot.h"

#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define GPU "0000:3b:00.0"
#define NIC "10000:e1:00.0"
#define DEVICES "sys/bus/pci/devices/"

static LvpFakeHost *fake;
static LvpPciDevicesFile *file;

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    file = devices_text_read(
        NVIDIA(ENTRY("0x20b7", "name: a30, type: gpu") ENTRY("0x030000", "name: vga, type: gpu")));
    cr_assert(lvp_host_load_module(lvp_fake_host_get_host(fake), "vfio-pci", 1000, NULL));
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
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = NIC,
                                              .vendor = 0x8086,
                                              .device = 0x1572,
                                              .class_code = 0x020000,
                                              .driver = "i40e",
                                              .group = 16,
                                              .node = -1});
}

static void
tear_down(void)
{
    lvp_pci_devices_file_free(file);
    lvp_fake_host_free(fake);
}

TestSuite(pci_discovery, .init = set_up, .fini = tear_down, .timeout = 60);

static LvpSnapshot *
discover(const LvpPciDevicesFile *devices, gboolean all)
{
    g_autoptr(GError) error = NULL;
    LvpSnapshot *snapshot = lvp_snapshot_new();
    LvpPciDiscovery discovery = {
        .host = lvp_fake_host_get_host(fake), .file = devices, .all = all, .timeout_ms = 1000};
    lvp_pci_discover(&discovery, snapshot, &error);
    assert_no_error(error);
    return snapshot;
}

/* "ADDRESS:RESOURCE " of each unit. */
static char *
show_units(const LvpPciDevicesFile *devices, gboolean all)
{
    g_autoptr(LvpSnapshot) snapshot = discover(devices, all);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < lvp_snapshot_get_n_units(snapshot); i++) {
        const LvpUnit *unit = lvp_snapshot_get_unit(snapshot, i);
        const char *resource = lvp_unit_get_resource(unit);
        g_string_append_printf(text, "%s=%s ", lvp_unit_get_id(unit), resource ? resource : "-");
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
assert_units(gboolean all, const char *expected)
{
    g_autofree char *units = show_units(file, all);
    cr_assert_str_eq(units, expected);
}

/* ---- which ---- */

Test(pci_discovery, only_what_an_entry_names_is_found)
{
    assert_units(FALSE, GPU "=gpu.nvidia/a30 ");
}

Test(pci_discovery, functions_are_found_in_the_order_of_their_addresses)
{
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){.address = "0000:01:00.0", .vendor = 0x10de, .device = 0x20b7});
    assert_units(FALSE, "0000:01:00.0=gpu.nvidia/a30 " GPU "=gpu.nvidia/a30 ");
}

Test(pci_discovery, domain_may_have_more_than_four_digits)
{
    lvp_fake_host_replace(fake, &(LvpFakePci){.address = NIC, .vendor = 0x10de, .device = 0x20b7});
    assert_units(FALSE, GPU "=gpu.nvidia/a30 " NIC "=gpu.nvidia/a30 ");
}

Test(pci_discovery, bridge_is_never_found)
{
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:00:01.0",
                                              .vendor = 0x10de,
                                              .device = 0x20b7,
                                              .class_code = 0x060400});
    assert_units(FALSE, GPU "=gpu.nvidia/a30 ");
    assert_units(TRUE, GPU "=gpu.nvidia/a30 " NIC "=- ");
}

Test(pci_discovery, all_are_found_on_demand_also_without_a_file)
{
    g_autofree char *units = show_units(NULL, TRUE);
    cr_assert_str_eq(units, GPU "=- " NIC "=- ");
}

Test(pci_discovery, nothing_is_found_and_looked_at_without_a_file)
{
    lvp_fake_host_set_file(fake, "sys/bus/pci/devices", NULL);
    lvp_fake_host_set_file(fake, "sys/bus/pci/devices", "no folder");
    g_autofree char *units = show_units(NULL, FALSE);
    cr_assert_str_empty(units);
}

Test(pci_discovery, pools_are_declared_without_devices_too)
{
    lvp_fake_host_pull(fake, GPU);
    g_autoptr(LvpSnapshot) snapshot = discover(file, FALSE);
    cr_assert_eq(lvp_snapshot_get_n_units(snapshot), 0);
    cr_assert_eq(snapshot->pools->len, 2);
    cr_assert_str_eq(g_ptr_array_index(snapshot->pools, 0), "gpu.nvidia/a30");
    cr_assert_str_eq(g_ptr_array_index(snapshot->pools, 1), "gpu.nvidia/vga");
}

Test(pci_discovery, what_is_no_address_is_passed_over)
{
    lvp_fake_host_set_file(fake, DEVICES "0000:3b:00.9/vendor", "0x10de\n");
    lvp_fake_host_set_file(fake, DEVICES "power", "0x10de\n");
    assert_units(TRUE, GPU "=gpu.nvidia/a30 " NIC "=- ");
}

Test(pci_discovery, function_that_vanishes_meanwhile_is_passed_over)
{
    lvp_fake_host_set_file(fake, "sys/devices/pci0000:3b", NULL);
    assert_units(TRUE, NIC "=- ");
}

Test(pci_discovery, function_whose_ids_vanish_one_by_one_is_passed_over)
{
    static const char *const NAMES[] = {
        "revision", "subsystem_device", "subsystem_vendor", "device", "class", "vendor"};
    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        g_autofree char *path = g_strconcat(DEVICES GPU "/", NAMES[i], NULL);
        lvp_fake_host_set_file(fake, path, NULL);
        assert_units(TRUE, NIC "=- ");
    }
}

Test(pci_discovery, machine_without_pci_has_none)
{
    lvp_fake_host_set_file(fake, "sys/bus/pci", NULL);
    assert_units(TRUE, "");
}

Test(pci_discovery, folder_that_cannot_be_read_is_an_error)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    lvp_fake_host_set_file(fake, "sys/bus/pci/devices", NULL);
    lvp_fake_host_set_file(fake, "sys/bus/pci/devices", "no folder");
    LvpPciDiscovery discovery = {.host = lvp_fake_host_get_host(fake), .file = file};
    cr_assert_not(lvp_pci_discover(&discovery, snapshot, &error));
    assert_error(error, LVP_ERROR_HOST);
}

/* ---- what is read: opening files is what a discovery costs ---- */

static int
compare_texts(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of the files that were opened in the folder watched by FD, sorted, each followed by a
 * space. */
static char *
show_opened(int fd)
{
    _Alignas(struct inotify_event) char buffer[4096];
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    ssize_t length = read(fd, buffer, sizeof buffer);
    for (ssize_t at = 0; at < length;) {
        const struct inotify_event *event = (gconstpointer)(buffer + at);
        g_ptr_array_add(names, g_strconcat(event->len > 0 ? event->name : ".", " ", NULL));
        at += (ssize_t)(sizeof *event + event->len);
    }
    g_ptr_array_sort(names, compare_texts);
    g_ptr_array_add(names, NULL);
    return g_strjoinv("", (char **)names->pdata);
}

static void
assert_opened(const char *address, const char *expected)
{
    g_autofree char *folder =
        g_strdup_printf("%s/" DEVICES "%s", lvp_fake_host_get_root(fake), address);
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    cr_assert_geq(inotify_add_watch(fd, folder, IN_OPEN), 0);
    g_autofree char *units = show_units(file, FALSE);
    g_autofree char *opened = show_opened(fd);
    close(fd);
    cr_assert_str_eq(opened, expected, "'%s' of %s for %s", opened, address, units);
}

Test(pci_discovery, of_another_vendor_only_the_vendor_is_read) { assert_opened(NIC, "vendor "); }

Test(pci_discovery, of_a_device_that_no_entry_names_only_what_tells_that_is_read)
{
    lvp_fake_host_add_pci(fake,
                          &(LvpFakePci){.address = "0000:01:00.0", .vendor = 0x10de, .device = 1});
    assert_opened("0000:01:00.0", "class device vendor ");
}

Test(pci_discovery, of_a_bridge_only_vendor_and_class_are_read)
{
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){.address = "0000:00:01.0", .vendor = 0x10de, .class_code = 0x060400});
    assert_opened("0000:00:01.0", "class vendor ");
}

Test(pci_discovery, of_a_named_device_nothing_is_read_twice_or_can_hang)
{
    lvp_fake_host_replace(fake, &(LvpFakePci){.address = GPU,
                                              .vendor = 0x10de,
                                              .device = 0x20b7,
                                              .class_code = 0x120000,
                                              .group = 15});
    assert_opened(GPU, "class device numa_node revision subsystem_device subsystem_vendor vendor ");
}

/* ---- what is said ---- */

static const LvpUnit *
find_unit(const LvpSnapshot *snapshot, const char *address)
{
    for (guint i = 0; i < lvp_snapshot_get_n_units(snapshot); i++)
        if (strcmp(lvp_unit_get_id(lvp_snapshot_get_unit(snapshot, i)), address) == 0)
            return lvp_snapshot_get_unit(snapshot, i);
    g_error("no unit %s", address);
}

Test(pci_discovery, attributes_are_the_texts_of_sysfs)
{
    static const char *const EXPECTED[][2] = {
        {"driver", "nvidia"},  {"vendor", "0x10de"},          {"device", "0x20b7"},
        {"class", "0x030200"}, {"subsystemVendor", "0x10de"}, {"subsystemDevice", "0x1532"},
        {"revision", "0xa1"},  {"iommuGroup", "15"},          {"originalDriver", "nvidia"}};
    g_autoptr(LvpSnapshot) snapshot = discover(file, FALSE);
    const LvpUnit *unit = find_unit(snapshot, GPU);
    cr_assert_eq(unit->n_attributes, G_N_ELEMENTS(EXPECTED));
    for (guint i = 0; i < G_N_ELEMENTS(EXPECTED); i++)
        cr_assert_str_eq(lvp_unit_get_attribute(unit, EXPECTED[i][0]), EXPECTED[i][1]);
}

Test(pci_discovery, driver_and_group_are_empty_where_there_is_none)
{
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){.address = "0000:01:00.0", .vendor = 0x10de, .device = 0x20b7});
    g_autoptr(LvpSnapshot) snapshot = discover(file, FALSE);
    const LvpUnit *unit = find_unit(snapshot, "0000:01:00.0");
    static const char *const EMPTY[] = {"driver", "originalDriver", "iommuGroup"};
    cr_assert_eq(unit->n_attributes, 9);
    for (guint i = 0; i < G_N_ELEMENTS(EMPTY); i++)
        cr_assert_str_eq(lvp_unit_get_attribute(unit, EMPTY[i]), "");
    cr_assert_null(unit->sets);
}

Test(pci_discovery, identity_is_all_ids)
{
    g_autoptr(LvpSnapshot) snapshot = discover(file, FALSE);
    cr_assert_str_eq(find_unit(snapshot, GPU)->identity, "10de:20b7:10de:1532:a1:030200");
}

Test(pci_discovery, functions_of_one_group_share_an_exclusion_set)
{
    lvp_fake_host_replace(
        fake, &(LvpFakePci){.address = NIC, .vendor = 0x10de, .device = 0x20b7, .group = 15});
    g_autoptr(LvpSnapshot) snapshot = discover(file, FALSE);
    const LvpUnit *units[] = {find_unit(snapshot, GPU), find_unit(snapshot, NIC)};
    for (guint i = 0; i < G_N_ELEMENTS(units); i++) {
        cr_assert_eq(units[i]->n_sets, 1);
        cr_assert_str_eq(units[i]->sets[0], "iommu:15");
    }
}

/* ---- whether it looks taken ---- */

static void
assert_taken(gboolean expected)
{
    g_autoptr(LvpSnapshot) snapshot = discover(file, FALSE);
    cr_assert_eq(find_unit(snapshot, GPU)->taken, expected);
}

Test(pci_discovery, device_on_vfio_looks_taken_and_one_on_its_driver_does_not)
{
    assert_taken(FALSE);
    lvp_fake_host_set_driver(fake, GPU, "vfio-pci");
    assert_taken(TRUE);
}

Test(pci_discovery, device_whose_neighbour_is_on_vfio_looks_taken)
{
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:3b:00.1",
                                              .vendor = 0x10de,
                                              .device = 0x1aef,
                                              .driver = "snd_hda_intel",
                                              .group = 15});
    assert_taken(FALSE);
    lvp_fake_host_set_driver(fake, "0000:3b:00.1", "vfio-pci");
    assert_taken(TRUE);
}

Test(pci_discovery, device_whose_write_is_in_flight_looks_taken)
{
    g_autoptr(GError) error = NULL;
    lvp_fake_host_hang_at(fake, 1);
    lvp_host_write(lvp_fake_host_get_host(fake), "bus/pci/devices/" GPU "/driver_override", "x",
                   GPU, 1000, &error);
    assert_error(error, LVP_ERROR_TIMED_OUT);
    assert_taken(TRUE);
    lvp_fake_host_finish_hung(fake);
    assert_taken(FALSE);
}

Test(pci_discovery, node_is_that_of_the_device_or_none)
{
    static const struct {
        const char *text;
        int node;
    } CASES[] = {{"0\n", 0},     {"1\n", 1},  {"1023\n", 1023}, {"-1\n", -1},  {"-2\n", -1},
                 {"1024\n", -1}, {"x\n", -1}, {"", -1},         {"1 2\n", -1}, {NULL, -1}};
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        lvp_fake_host_set_file(fake, DEVICES GPU "/numa_node", CASES[i].text);
        g_autoptr(LvpSnapshot) snapshot = discover(file, FALSE);
        cr_assert_eq(find_unit(snapshot, GPU)->node, CASES[i].node, "'%s'", CASES[i].text);
    }
}
