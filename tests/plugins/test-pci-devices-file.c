/* SPDX-License-Identifier: Apache-2.0 */
/* Which entry of pci_devices.yaml a function matches. */
#include "devices-text.h"

#include <criterion/criterion.h>

TestSuite(pci_devices_file, .timeout = 60);

static const LvpPciIds A30 = {.vendor = 0x10de,
                              .device = 0x20b7,
                              .class_code = 0x030200,
                              .subsystem_vendor = 0x10de,
                              .subsystem_device = 0x1532,
                              .revision = 0xa1};

#define GPU(name) "name: " name ", type: gpu"
#define SUBSYSTEM "subsystemVendor: \"0x10de\", subsystemDevice: \"0x1532\", "
#define REVISION "revision: \"0xa1\", "

/* EXPECTED NULL: nothing matches. */
static void
assert_match(const LvpPciDevicesFile *file, LvpPciIds ids, const char *expected)
{
    const LvpPciOffer *offer = lvp_pci_devices_file_match(file, &ids);
    const char *found = offer ? offer->resource : NULL;
    cr_assert_eq(g_strcmp0(found, expected), 0, "%s", found);
}

static void
assert_text_match(const char *text, LvpPciIds ids, const char *expected)
{
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(text);
    assert_match(file, ids, expected);
}

static LvpPciIds
change(gsize offset)
{
    LvpPciIds changed = A30;
    guint *member = (gpointer)((char *)&changed + offset);
    (*member)++;
    return changed;
}

/* A card that differs in one thing. */
#define CHANGED(member) change(G_STRUCT_OFFSET(LvpPciIds, member))

/* ---- the two forms of an id ---- */

Test(pci_devices_file, six_digits_are_compared_with_the_class)
{
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(NVIDIA(ENTRY("0x030200", GPU("ga"))));
    assert_match(file, A30, "gpu.nvidia/ga");
    assert_match(file, CHANGED(device), "gpu.nvidia/ga");
    assert_match(file, CHANGED(class_code), NULL);
}

Test(pci_devices_file, four_digits_are_compared_with_the_device)
{
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(NVIDIA(ENTRY("0x20b7", GPU("a30"))));
    assert_match(file, A30, "gpu.nvidia/a30");
    assert_match(file, CHANGED(class_code), "gpu.nvidia/a30");
    assert_match(file, CHANGED(device), NULL);
}

Test(pci_devices_file, four_digits_are_not_the_beginning_of_a_class)
{
    assert_text_match(NVIDIA(ENTRY("0x0302", GPU("a"))), A30, NULL);
}

Test(pci_devices_file, class_is_not_compared_with_the_device)
{
    LvpPciIds ids = A30;
    ids.device = 0x0107;
    assert_text_match(NVIDIA(ENTRY("0x000107", GPU("a"))), ids, NULL);
}

Test(pci_devices_file, other_vendor_does_not_match)
{
    assert_text_match(NVIDIA(ENTRY("0x20b7", GPU("a"))), CHANGED(vendor), NULL);
}

Test(pci_devices_file, hex_is_read_in_either_case_and_without_quotes)
{
    assert_text_match("vendors: [{id: 0X10DE, name: n, devices: [{id: 0x20B7, name: a, type: "
                      "gpu}]}]",
                      A30, "gpu.n/a");
}

Test(pci_devices_file, json_is_read_too)
{
    assert_text_match("{\"vendors\": [{\"id\": \"0x10de\", \"name\": \"n\", \"devices\": [{\"id\": "
                      "\"0x20b7\", \"name\": \"a\", \"type\": \"gpu\"}]}]}\n",
                      A30, "gpu.n/a");
}

/* ---- refinements ---- */

Test(pci_devices_file, subsystem_must_match_as_a_pair)
{
    g_autoptr(LvpPciDevicesFile) file =
        devices_text_read(NVIDIA(ENTRY("0x20b7", SUBSYSTEM GPU("a"))));
    assert_match(file, A30, "gpu.nvidia/a");
    assert_match(file, CHANGED(subsystem_vendor), NULL);
    assert_match(file, CHANGED(subsystem_device), NULL);
    assert_match(file, CHANGED(revision), "gpu.nvidia/a");
}

Test(pci_devices_file, revision_must_match)
{
    g_autoptr(LvpPciDevicesFile) file =
        devices_text_read(NVIDIA(ENTRY("0x20b7", REVISION GPU("a"))));
    assert_match(file, A30, "gpu.nvidia/a");
    assert_match(file, CHANGED(revision), NULL);
    assert_match(file, CHANGED(subsystem_device), "gpu.nvidia/a");
}

Test(pci_devices_file, refinements_of_zero_are_not_none)
{
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(
        NVIDIA(ENTRY("0x20b7", "subsystemVendor: \"0x0000\", subsystemDevice: \"0x0000\", "
                               "revision: \"0x00\", " GPU("a"))));
    LvpPciIds zeros = A30;
    zeros.subsystem_vendor = zeros.subsystem_device = zeros.revision = 0;
    assert_match(file, zeros, "gpu.nvidia/a");
    assert_match(file, A30, NULL);
}

/* All that an entry can say, from the least specific on: revision > subsystem > device > class. */
static const struct {
    const char *name, *entry;
} COMBINATIONS[] = {
    {"c", ENTRY("0x030200", GPU("c"))},
    {"d", ENTRY("0x20b7", GPU("d"))},
    {"cs", ENTRY("0x030200", SUBSYSTEM GPU("cs"))},
    {"ds", ENTRY("0x20b7", SUBSYSTEM GPU("ds"))},
    {"cr", ENTRY("0x030200", REVISION GPU("cr"))},
    {"dr", ENTRY("0x20b7", REVISION GPU("dr"))},
    {"csr", ENTRY("0x030200", SUBSYSTEM REVISION GPU("csr"))},
    {"dsr", ENTRY("0x20b7", SUBSYSTEM REVISION GPU("dsr"))},
};

Test(pci_devices_file, more_specific_of_each_two_entries_wins_in_either_order)
{
    for (guint low = 0; low < G_N_ELEMENTS(COMBINATIONS); low++)
        for (guint high = low + 1; high < G_N_ELEMENTS(COMBINATIONS); high++) {
            const char *one = COMBINATIONS[low].entry, *two = COMBINATIONS[high].entry;
            g_autofree char *rising = g_strconcat(NVIDIA(""), one, two, NULL);
            g_autofree char *falling = g_strconcat(NVIDIA(""), two, one, NULL);
            g_autofree char *expected = g_strconcat("gpu.nvidia/", COMBINATIONS[high].name, NULL);
            assert_text_match(rising, A30, expected);
            assert_text_match(falling, A30, expected);
        }
}

Test(pci_devices_file, less_specific_entry_takes_what_the_others_leave)
{
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(NVIDIA(ENTRY("0x20b7", GPU("d")) ENTRY(
        "0x20b7", SUBSYSTEM GPU("ds")) ENTRY("0x20b7", SUBSYSTEM REVISION GPU("dsr"))));
    assert_match(file, A30, "gpu.nvidia/dsr");
    assert_match(file, CHANGED(revision), "gpu.nvidia/ds");
    assert_match(file, CHANGED(subsystem_device), "gpu.nvidia/d");
}

Test(pci_devices_file, entries_that_differ_in_any_one_thing_are_no_rivals)
{
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(NVIDIA(
        ENTRY("0x20b7",
              "subsystemVendor: 0x10de, subsystemDevice: 0x1532, revision: 0xa1, " GPU("a"))
            ENTRY("0x20b7",
                  "subsystemVendor: 0x10df, subsystemDevice: 0x1532, revision: 0xa1, " GPU("b"))
                ENTRY("0x20b7",
                      "subsystemVendor: 0x10de, subsystemDevice: 0x1533, revision: 0xa1, " GPU("c"))
                    ENTRY("0x20b7",
                          "subsystemVendor: 0x10de, subsystemDevice: 0x1532, revision: 0xa2, " GPU(
                              "d")) ENTRY("0x20b8", "subsystemVendor: 0x10de, subsystemDevice: "
                                                    "0x1532, revision: 0xa1, " GPU("e"))));
    assert_match(file, A30, "gpu.nvidia/a");
    assert_match(file, CHANGED(subsystem_vendor), "gpu.nvidia/b");
    assert_match(file, CHANGED(subsystem_device), "gpu.nvidia/c");
    assert_match(file, CHANGED(revision), "gpu.nvidia/d");
    assert_match(file, CHANGED(device), "gpu.nvidia/e");
}

/* ---- pools ---- */

Test(pci_devices_file, entries_of_one_name_pool_into_one_resource_in_the_order_of_the_file)
{
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(
        NVIDIA(ENTRY("0x20b7", GPU("z")) ENTRY("0x20b8", GPU("a")) ENTRY("0x20b9", GPU("z"))));
    const GPtrArray *resources = lvp_pci_devices_file_get_resources(file);
    LvpPciIds other = A30;
    other.device = 0x20b9;
    cr_assert_eq(resources->len, 2);
    cr_assert_str_eq(g_ptr_array_index(resources, 0), "gpu.nvidia/z");
    cr_assert_str_eq(g_ptr_array_index(resources, 1), "gpu.nvidia/a");
    assert_match(file, A30, "gpu.nvidia/z");
    assert_match(file, other, "gpu.nvidia/z");
}

Test(pci_devices_file, entries_of_another_type_or_vendor_name_do_not_pool)
{
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(
        "vendors:\n"
        "  - {id: \"0x0002\", name: b, devices: [{id: \"0x0001\", name: n, type: t},"
        " {id: \"0x0002\", name: n, type: u}]}\n"
        "  - {id: \"0x0001\", name: a, devices: [{id: \"0x0001\", name: n, type: t}]}\n");
    cr_assert_eq(lvp_pci_devices_file_get_resources(file)->len, 3);
    assert_match(file, (LvpPciIds){.vendor = 2, .device = 1}, "t.b/n");
    assert_match(file, (LvpPciIds){.vendor = 2, .device = 2}, "u.b/n");
    assert_match(file, (LvpPciIds){.vendor = 1, .device = 1}, "t.a/n");
    assert_match(file, (LvpPciIds){.vendor = 1, .device = 2}, NULL);
}

Test(pci_devices_file, names_may_be_as_long_as_allowed_and_of_all_allowed_characters)
{
    g_autofree char *longest = g_strnfill(63, 'x');
    g_autofree char *text = g_strdup_printf(
        "vendors: [{id: \"0x10de\", name: a-z_0-9, devices: [{id: \"0x20b7\", name: %s, type: "
        "a_0-}, {id: \"0x0001\", name: A.b_C-9, type: t}]}]",
        longest);
    g_autofree char *expected = g_strconcat("a_0-.a-z_0-9/", longest, NULL);
    assert_text_match(text, A30, expected);
}

/* ---- what is never given away ---- */

Test(pci_devices_file, bridge_does_not_match_by_its_device_id_either)
{
    LvpPciIds bridge = A30;
    bridge.class_code = 0x060400;
    assert_text_match(NVIDIA(ENTRY("0x20b7", GPU("a"))), bridge, NULL);
}

Test(pci_devices_file, bridges_are_what_has_their_base_class)
{
    cr_assert(lvp_pci_is_bridge(0x060000));
    cr_assert(lvp_pci_is_bridge(0x06ffff));
    cr_assert_not(lvp_pci_is_bridge(0x05ffff));
    cr_assert_not(lvp_pci_is_bridge(0x070000));
    cr_assert_not(lvp_pci_is_bridge(0x000600));
}

Test(pci_devices_file, empty_lists_match_nothing)
{
    assert_text_match("vendors: []\n", A30, NULL);
    assert_text_match("vendors: [{id: \"0x10de\", name: nvidia, devices: []}]\n", A30, NULL);
}

/* ---- what is asked before the rest is read ---- */

Test(pci_devices_file, vendor_is_of_interest_if_it_has_entries)
{
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(
        "vendors:\n"
        "  - {id: \"0x10de\", name: a, devices: [{id: \"0x20b7\", name: n, type: t}]}\n"
        "  - {id: \"0x8086\", name: b, devices: []}\n");
    cr_assert(lvp_pci_devices_file_has_vendor(file, 0x10de));
    cr_assert_not(lvp_pci_devices_file_has_vendor(file, 0x8086));
    cr_assert_not(lvp_pci_devices_file_has_vendor(file, 0x1af4));
}

Test(pci_devices_file, device_is_of_interest_if_an_entry_could_match_it)
{
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(
        NVIDIA(ENTRY("0x20b7", SUBSYSTEM REVISION GPU("a")) ENTRY("0x030000", GPU("b"))));
    cr_assert(lvp_pci_devices_file_has_device(file, 0x10de, 0x20b7, 0x030200));
    cr_assert(lvp_pci_devices_file_has_device(file, 0x10de, 0x0001, 0x030000));
    cr_assert_not(lvp_pci_devices_file_has_device(file, 0x10de, 0x0001, 0x030200));
    cr_assert_not(lvp_pci_devices_file_has_device(file, 0x8086, 0x20b7, 0x030000));
}

/* ---- the forms that the documents of the upstream project show ---- */

Test(pci_devices_file, upstream_class_form_and_network_example_match)
{
    g_autoptr(LvpPciDevicesFile) file =
        devices_text_read("vendors:\n"
                          "  - id: \"0x10de\"  # NVIDIA vendor ID\n"
                          "    name: nvidia\n"
                          "    devices:\n"
                          "      - id: \"0x030200\"\n"
                          "        name: ga100gl.rev.a1\n"
                          "        type: gpu\n"
                          "  - id: \"0x8086\"\n"
                          "    name: intel\n"
                          "    devices:\n"
                          "      - id: \"0x100f\"  # a device, not a class\n"
                          "        name: x520-da2\n"
                          "        type: network\n");
    assert_match(file, A30, "gpu.nvidia/ga100gl.rev.a1");
    assert_match(file, (LvpPciIds){.vendor = 0x8086, .device = 0x100f, .class_code = 0x020000},
                 "network.intel/x520-da2");
}

Test(pci_devices_file, upstream_device_form_and_its_revisions_in_one_pool_match)
{
    g_autoptr(LvpPciDevicesFile) file =
        devices_text_read("vendors:\n"
                          "    # Source: /sys/bus/pci/<DBDF>/vendor\n"
                          "  - id: \"0x10de\"\n"
                          "    name: nvidia\n"
                          "    devices:\n"
                          "      - id: \"0x20b7\"\n"
                          "        subsystemVendor: \"0x10de\"\n"
                          "        subsystemDevice: \"0x1532\"\n"
                          "        revision: \"0xa1\"\n"
                          "        name: ga100gl.rev.a1\n"
                          "        type: gpu\n"
                          "      - id: \"0x20b7\"\n"
                          "        subsystemVendor: \"0x10de\"\n"
                          "        subsystemDevice: \"0x1532\"\n"
                          "        revision: \"0xa2\" # another one\n"
                          "        name: ga100gl.rev.a1\n"
                          "        type: gpu\n");
    assert_match(file, A30, "gpu.nvidia/ga100gl.rev.a1");
    assert_match(file, CHANGED(revision), "gpu.nvidia/ga100gl.rev.a1");
    cr_assert_eq(lvp_pci_devices_file_get_resources(file)->len, 1);
}

/* ---- what goes with it ---- */

/* MORE: further keys of the one entry. */
static void
assert_offer(const char *more, gboolean single_function, gboolean wide_group)
{
    g_autofree char *text =
        g_strconcat(NVIDIA("      - {id: \"0x20b7\", " GPU("a30")), more, "}\n", NULL);
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(text);
    const LvpPciOffer *offer = lvp_pci_devices_file_match(file, &A30);
    cr_assert_str_eq(offer->resource, "gpu.nvidia/a30");
    cr_assert_eq(offer->single_function, single_function, "%s", more);
    cr_assert_eq(offer->wide_group, wide_group, "%s", more);
}

Test(pci_devices_file, slot_goes_together_and_no_wider_group_unless_the_entry_says_so)
{
    assert_offer("", FALSE, FALSE);
    assert_offer(", functions: together, group: refuse", FALSE, FALSE);
    assert_offer(", functions: single", TRUE, FALSE);
    assert_offer(", group: allow", FALSE, TRUE);
    assert_offer(", group: \"allow\", functions: 'single'", TRUE, TRUE);
}

Test(pci_devices_file, each_entry_speaks_for_what_it_matches_best)
{
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(NVIDIA(
        ENTRY("0x030200", GPU("a") ", functions: single, group: allow") ENTRY("0x20b7", GPU("a"))));
    LvpPciIds other = CHANGED(device);
    cr_assert_not(lvp_pci_devices_file_match(file, &A30)->single_function);
    cr_assert_not(lvp_pci_devices_file_match(file, &A30)->wide_group);
    cr_assert(lvp_pci_devices_file_match(file, &other)->single_function);
    cr_assert(lvp_pci_devices_file_match(file, &other)->wide_group);
}
