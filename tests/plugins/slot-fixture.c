/* SPDX-License-Identifier: Apache-2.0 */
#include "slot-fixture.h"

#include "assert-error.h"
#include "pci-scan.h"

#include <string.h>

#define LOAD_TIMEOUT_MS 1000

static void
add(Slot *self,
    const char *address,
    guint vendor,
    guint device,
    guint class_code,
    const char *driver)
{
    lvp_fake_host_add_pci(self->fake, &(LvpFakePci){.address = address,
                                                    .vendor = vendor,
                                                    .device = device,
                                                    .class_code = class_code,
                                                    .driver = driver,
                                                    .group = 15});
}

static void
start(Slot *self)
{
    const char *const settings[] = {"pci-driver-timeout", "1s",
                                    self->file ? "pci-devices-file" : NULL, self->file, NULL};
    g_autoptr(GError) error = NULL;
    self->host = lvp_fake_host_new_host(self->fake);
    self->source = source_fixture_new(self->host, settings, &error);
    assert_no_error(error);
}

static void
stop(Slot *self)
{
    source_fixture_free(self->source);
    lvp_host_free(self->host);
}

Slot *
slot_new(const char *entries)
{
    Slot *self = g_new0(Slot, 1);
    self->fake = lvp_fake_host_new();
    self->scratch = lvp_scratch_new();
    add(self, SLOT_GPU, 0x10de, 0x20b7, 0x030200, SLOT_GPU_DRIVER);
    add(self, SLOT_AUDIO, 0x10de, 0x1aef, 0x040300, SLOT_AUDIO_DRIVER);
    if (entries) {
        lvp_scratch_write(self->scratch, "pci_devices.yaml", entries);
        self->file = lvp_scratch_get_path(self->scratch, "pci_devices.yaml");
    }
    lvp_host_load_module(lvp_fake_host_get_host(self->fake), LVP_PCI_VFIO, LOAD_TIMEOUT_MS, NULL);
    start(self);
    return self;
}

void
slot_free(Slot *self)
{
    stop(self);
    lvp_fake_host_free(self->fake);
    lvp_scratch_free(self->scratch);
    g_free(self->file);
    g_free(self);
}

void
slot_add_other(Slot *self)
{
    add(self, SLOT_OTHER, 0x10de, 0x1572, 0x120000, SLOT_OTHER_DRIVER);
}

void
slot_start_again(Slot *self)
{
    stop(self);
    start(self);
}

/* ---- what the core asks for ---- */

GVariant *
slot_try_prepare(Slot *self, const char *const *units, GError **error)
{
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "pci");
    for (guint i = 0; units[i]; i++) {
        LvpPciIds ids = {0};
        lvp_pci_read_ids(self->host, units[i], &ids);
        g_autofree char *identity = lvp_pci_make_identity(&ids);
        lvp_holding_add_unit(holding, "gpu.nvidia/a30", units[i], identity, 0);
    }
    GVariant *made = lvp_source_table.prepare(self->source->instance, holding, NULL, error);
    if (!made)
        return NULL;
    g_autoptr(GVariant) record = g_variant_ref_sink(made);
    g_autofree char *type = g_strdup(g_variant_get_type_string(record));
    g_autoptr(GBytes) bytes = g_bytes_new(g_variant_get_data(record), g_variant_get_size(record));
    return g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(type), bytes, FALSE));
}

GVariant *
slot_prepare(Slot *self, const char *const *units)
{
    g_autoptr(GError) error = NULL;
    GVariant *record = slot_try_prepare(self, units, &error);
    assert_no_error(error);
    return record;
}

void
slot_commit(Slot *self, GVariant *record)
{
    g_autoptr(GError) error = NULL;
    lvp_source_table.commit(self->source->instance, record, NULL, &error);
    assert_no_error(error);
}

LvpOutcome *
slot_roll_back(Slot *self, GVariant *record, const char *only_unit)
{
    LvpOutcome *outcome = lvp_outcome_new();
    lvp_source_table.rollback(self->source->instance, record, only_unit, outcome, NULL);
    return outcome;
}

/* ---- what came of it ---- */

void
slot_assert_function(Slot *self, const char *address, const char *driver, const char *override)
{
    g_autofree char *current_driver = lvp_fake_host_get_driver(self->fake, address);
    g_autofree char *current_override = lvp_fake_host_get_override(self->fake, address);
    cr_assert_str_eq(current_driver ? current_driver : "", driver, "%s is on %s, not %s", address,
                     current_driver, driver);
    cr_assert_str_eq(current_override ? current_override : "", override, "%s of %s",
                     current_override, address);
}

void
slot_assert_original(Slot *self)
{
    slot_assert_function(self, SLOT_GPU, SLOT_GPU_DRIVER, "");
    slot_assert_function(self, SLOT_AUDIO, SLOT_AUDIO_DRIVER, "");
}

void
slot_assert_verdict(const LvpOutcome *outcome,
                    const char *unit,
                    LvpVerdict expected,
                    const char *part)
{
    for (guint i = 0; i < outcome->rows->len; i++) {
        const LvpOutcomeRow *row = &g_array_index(outcome->rows, LvpOutcomeRow, i);
        if (g_strcmp0(row->unit_id, unit) != 0)
            continue;
        cr_assert_eq(row->verdict, expected, "%s: %d: %s", unit, row->verdict, row->reason);
        if (part)
            assert_contains(row->reason, part);
        else
            cr_assert(!row->reason || row->reason[0] == '\0', "%s", row->reason);
        return;
    }
    cr_assert_fail("nothing is said of %s", unit);
}

void
slot_assert_writes(Slot *self, guint count, const char *expected)
{
    g_auto(GStrv) writes = lvp_fake_host_get_writes(self->fake);
    g_autofree char *joined = g_strjoinv("\n", writes + count);
    g_autoptr(GString) text = g_string_new(joined);
    g_string_replace(text, "bus/pci/", "", 0);
    cr_assert_str_eq(text->str, expected, "%s", text->str);
}
