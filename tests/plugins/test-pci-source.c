/* SPDX-License-Identifier: Apache-2.0 */
/* The pci source through its table: options, set-up, discovery and its part of the domain. */
#include "assert-error.h"
#include "devices-text.h"
#include "fake-host.h"
#include "made-record.h"
#include "part-text.h"
#include "request.h"
#include "scratch.h"
#include "source-fixture.h"

#include <errno.h>
#include <string.h>

#define GPU "0000:3b:00.0"

static LvpFakeHost *fake;
static LvpScratch *scratch;
static char *file;

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    scratch = lvp_scratch_new();
    file = lvp_scratch_get_path(scratch, "pci_devices.yaml");
    lvp_scratch_write(scratch, "pci_devices.yaml", NVIDIA(ENTRY("0x20b7", "name: a30, type: gpu")));
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = GPU,
                                              .vendor = 0x10de,
                                              .device = 0x20b7,
                                              .class_code = 0x030200,
                                              .driver = "nvidia",
                                              .group = 15});
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
    lvp_scratch_free(scratch);
    g_free(file);
}

TestSuite(pci_source, .init = set_up, .fini = tear_down, .timeout = 60);

static SourceFixture *
start(const char *devices_file)
{
    const char *const settings[] = {devices_file ? "pci-devices-file" : NULL, devices_file, NULL};
    g_autoptr(GError) error = NULL;
    SourceFixture *source = source_fixture_new(lvp_fake_host_get_host(fake), settings, &error);
    assert_no_error(error);
    return source;
}

/* ---- options ---- */

Test(pci_source, defaults_are_valid)
{
    g_autofree char *mistakes = source_fixture_validate(NULL);
    cr_assert_str_empty(mistakes);
}

Test(pci_source, timeout_must_be_a_second_to_an_hour)
{
    static const char *const WELL[] = {"1s", "1h", "3600"}, *const WRONG[] = {"0", "3601", "61m"};
    for (guint i = 0; i < 3; i++) {
        g_autofree char *none =
            source_fixture_validate((const char *[]){"pci-driver-timeout", WELL[i], NULL});
        g_autofree char *mistake =
            source_fixture_validate((const char *[]){"pci-driver-timeout", WRONG[i], NULL});
        g_autofree char *expected = g_strdup_printf(
            "error: pci-driver-timeout must be 1 second to 1 hour, but is %s", WRONG[i]);
        cr_assert_str_empty(none);
        cr_assert_str_eq(mistake, expected);
    }
}

Test(pci_source, validate_tells_all_mistakes_of_the_file_and_of_the_options)
{
    lvp_scratch_write(scratch, "pci_devices.yaml", "vendors: [a, b]\n");
    g_autofree char *mistakes = source_fixture_validate(
        (const char *[]){"pci-devices-file", file, "pci-driver-timeout", "0", NULL});
    g_auto(GStrv) lines = g_strsplit(mistakes, "\n", -1);
    cr_assert_eq(g_strv_length(lines), 3, "%s", mistakes);
    assert_contains(mistakes, "pci-driver-timeout");
    assert_contains(mistakes, "pci_devices.yaml:1:11: error: ");
    assert_contains(mistakes, "pci_devices.yaml:1:14: error: ");
}

Test(pci_source, source_does_not_start_with_a_file_that_has_mistakes)
{
    g_autoptr(GError) error = NULL;
    lvp_scratch_write(scratch, "pci_devices.yaml", "vendors: [a]\n");
    cr_assert_null(source_fixture_new(lvp_fake_host_get_host(fake),
                                      (const char *[]){"pci-devices-file", file, NULL}, &error));
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    assert_contains(error->message, ":1:11: error: a vendor must be");
}

Test(pci_source, destroy_accepts_null) { lvp_source_table.destroy(NULL); }

/* ---- a driver that does not answer ---- */

Test(pci_source, commit_that_times_out_names_the_option_and_where_to_look)
{
    g_autoptr(SourceFixture) source = start(file);
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "pci");
    g_autoptr(GError) error = NULL;
    lvp_holding_add_unit(holding, "gpu.nvidia/a30", GPU, "10de:20b7:0000:0000:00:030200", 0);
    cr_assert(lvp_source_table.setup(source->instance, NULL, &error));
    GVariant *record = lvp_source_table.prepare(source->instance, holding, NULL, &error);
    assert_no_error(error);
    g_autoptr(GVariant) owned = g_variant_take_ref(record);
    lvp_fake_host_hang_at(fake, 1);
    cr_assert_not(lvp_source_table.commit(source->instance, owned, NULL, &error));
    assert_error(error, LVP_ERROR_TIMED_OUT);
    assert_contains(error->message, "driver_override: the kernel has not answered in 30 s: ");
    assert_contains(error->message, "journalctl -k");
    assert_contains(error->message, "--resource-manager-pci-driver-timeout");
}

/* ---- set-up ---- */

static void
assert_health_after_setup(SourceFixture *source, const char *part)
{
    g_autoptr(GError) error = NULL;
    cr_assert(lvp_source_table.setup(source->instance, NULL, &error));
    assert_no_error(error);
    g_autofree char *health = lvp_source_context_dup_health(source->context);
    cr_assert_eq(health == NULL, part == NULL, "%s", health);
    if (part)
        assert_contains(health, part);
}

Test(pci_source, setup_loads_vfio)
{
    g_autoptr(SourceFixture) source = start(file);
    assert_health_after_setup(source, NULL);
    cr_assert(
        lvp_host_exists(lvp_fake_host_get_host(fake), LVP_HOST_SYS, "bus/pci/drivers/vfio-pci"));
    cr_assert_eq(lvp_fake_host_count_writes(fake), 0);
}

Test(pci_source, setup_goes_on_without_vfio_and_says_so)
{
    g_autoptr(SourceFixture) source = start(file);
    lvp_fake_host_fail_module(fake, ENOENT);
    assert_health_after_setup(source, "load it with modprobe vfio-pci");
}

Test(pci_source, setup_without_a_file_says_that_nothing_is_given_away_and_loads_nothing)
{
    g_autoptr(SourceFixture) source = start(NULL);
    assert_health_after_setup(source, "--resource-manager-pci-devices-file is not set");
    cr_assert_not(
        lvp_host_exists(lvp_fake_host_get_host(fake), LVP_HOST_SYS, "bus/pci/drivers/vfio-pci"));
}

/* ---- discovery ---- */

/* REASON NULL: free. */
static void
assert_gpu(SourceFixture *source, const char *reason)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpSnapshot) snapshot = source_fixture_discover(source, &error);
    assert_no_error(error);
    cr_assert_eq(lvp_snapshot_get_n_units(snapshot), 1);
    const LvpUnit *unit = lvp_snapshot_get_unit(snapshot, 0);
    cr_assert_str_eq(lvp_unit_get_resource(unit), "gpu.nvidia/a30");
    cr_assert_eq(unit->unusable, reason != NULL);
    cr_assert_eq(g_strcmp0(unit->reason, reason), 0, "%s", unit->reason);
}

Test(pci_source, device_is_unusable_until_vfio_is_there)
{
    g_autoptr(SourceFixture) source = start(file);
    assert_gpu(source, "driver vfio-pci is not loaded: modprobe vfio-pci, then lpctl reload");
    cr_assert(lvp_source_table.setup(source->instance, NULL, NULL));
    assert_gpu(source, NULL);
}

Test(pci_source, nothing_is_offered_without_a_file_and_all_is_shown_on_demand)
{
    g_autoptr(SourceFixture) source = start(NULL);
    g_autoptr(LvpSnapshot) offered = source_fixture_discover(source, NULL);
    g_autoptr(LvpSnapshot) all = lvp_snapshot_new();
    cr_assert(lvp_source_table.discover(source->instance, LVP_DISCOVER_ALL, all, NULL, NULL));
    cr_assert_eq(lvp_snapshot_get_n_units(offered), 0);
    cr_assert_eq(lvp_snapshot_get_n_units(all), 1);
}

/* ---- the domain ---- */

/* The part of a domain with the functions at ADDRESSES; one behind a "-" is bound along, but does
 * not go to the guest. */
static gboolean
contribute(const char *const *addresses, LvpDomainPart *part, GError **error)
{
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "pci");
    g_autoptr(GVariant) record = lvp_make_pci_record(addresses);
    return lvp_source_table.contribute_xml(NULL, holding, record, part, error);
}

static void
assert_xml(const char *const *addresses, const char *expected)
{
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    g_autoptr(GError) error = NULL;
    contribute(addresses, part, &error);
    assert_no_error(error);
    g_autofree char *text = part_to_text(part);
    cr_assert_str_eq(text, expected, "%s", text);
}

#define DEVICE(domain, bus, slot, function)                                                        \
    "<hostdev mode='subsystem' type='pci' managed='no'><driver name='vfio'/><source>"              \
    "<address domain='0x" domain "' bus='0x" bus "' slot='0x" slot "' function='0x" function       \
    "'/></source><alias name='ua-pci-" domain "-" bus "-" slot "-" function "'/></hostdev>\n"
#define HOSTDEV(domain, bus, slot, function) "devices += " DEVICE(domain, bus, slot, function)

Test(pci_source, function_becomes_a_hostdev_that_libvirt_does_not_manage)
{
    assert_xml((const char *[]){"0000:3b:1f.7", NULL}, HOSTDEV("0000", "3b", "1f", "7"));
}

Test(pci_source, full_number_of_the_pci_domain_reaches_libvirt)
{
    assert_xml((const char *[]){"10000:e1:00.0", "abcdef01:00:00.0", NULL},
               HOSTDEV("10000", "e1", "00", "0") HOSTDEV("abcdef01", "00", "00", "0"));
}

Test(pci_source, functions_stand_in_the_order_of_their_addresses)
{
    assert_xml(
        (const char *[]){"0000:af:00.0", "10000:01:00.0", "0000:3b:01.1", "0000:3b:00.0", NULL},
        HOSTDEV("0000", "3b", "00", "0") HOSTDEV("0000", "3b", "01", "1")
            HOSTDEV("0000", "af", "00", "0") HOSTDEV("10000", "01", "00", "0"));
}

Test(pci_source, functions_of_one_slot_stand_in_one_slot_of_the_guest)
{
    assert_xml((const char *[]){"0000:3b:00.1", "0000:3b:00.0", "0000:af:00.0", NULL},
               "a slot:\nfunction 0 = " DEVICE("0000", "3b", "00", "0") "function 1 = " DEVICE(
                   "0000", "3b", "00", "1") HOSTDEV("0000", "af", "00", "0"));
}

Test(pci_source, numbers_of_functions_stay_also_with_gaps)
{
    assert_xml((const char *[]){"0000:3b:00.0", "0000:3b:00.3", "0000:3b:00.7", NULL},
               "a slot:\nfunction 0 = " DEVICE("0000", "3b", "00", "0") "function 3 = " DEVICE(
                   "0000", "3b", "00", "3") "function 7 = " DEVICE("0000", "3b", "00", "7"));
}

Test(pci_source, without_function_0_each_stands_in_a_slot_of_its_own)
{
    assert_xml((const char *[]){"0000:3b:00.1", "0000:3b:00.2", NULL},
               HOSTDEV("0000", "3b", "00", "1") HOSTDEV("0000", "3b", "00", "2"));
}

Test(pci_source, two_slots_are_two_slots_of_the_guest)
{
    assert_xml(
        (const char *[]){"0000:3b:00.0", "0000:3b:00.1", "0000:3b:01.0", "0000:3b:01.1", NULL},
        "a slot:\nfunction 0 = " DEVICE("0000", "3b", "00", "0") "function 1 = " DEVICE(
            "0000", "3b", "00",
            "1") "a slot:\nfunction 0 = " DEVICE("0000", "3b", "01",
                                                 "0") "function 1 = " DEVICE("0000", "3b", "01",
                                                                             "1"));
}

Test(pci_source, what_is_only_bound_along_does_not_go_to_the_guest)
{
    assert_xml((const char *[]){"0000:3b:00.0", "-0000:3b:00.1", "-0000:3b:01.0", NULL},
               HOSTDEV("0000", "3b", "00", "0"));
}

Test(pci_source, holding_of_nothing_adds_nothing) { assert_xml((const char *[]){NULL}, ""); }

Test(pci_source, unit_that_is_no_address_is_an_error)
{
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    g_autoptr(GError) error = NULL;
    cr_assert_not(contribute((const char *[]){"0000:3b:00.0", "'/><evil/>", NULL}, part, &error));
    assert_error(error, LVP_ERROR_SOURCE);
    cr_assert_eq(part->edits->len, 0);
}

Test(pci_source, domain_without_a_record_of_ours_is_an_error)
{
    GVariant *const records[] = {NULL, g_variant_new_string("x")};
    for (guint i = 0; i < G_N_ELEMENTS(records); i++) {
        g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "pci");
        g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) record = records[i] ? g_variant_ref_sink(records[i]) : NULL;
        cr_assert_not(lvp_source_table.contribute_xml(NULL, holding, record, part, &error));
        assert_error(error, LVP_ERROR_NOT_SUPPORTED);
        cr_assert_eq(part->edits->len, 0);
    }
}
