/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine's claim takes along: who is a unit, who goes to the guest, and that all are taken
 * or none. */
#include "assert-error.h"
#include "part-text.h"
#include "slot-fixture.h"

#include <errno.h>
#include <string.h>

#define GPU_ONLY ((const char *[]){SLOT_GPU, NULL})

TestSuite(pci_slot, .timeout = 60);

/* ---- records ---- */

/* EXPECTED: a line "ADDRESS DRIVER for UNIT" for each function, with "passed" behind where it goes
 * to the guest. */
static void
assert_rows(GVariant *record, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GVariant) rows = g_variant_get_child_value(record, 1);
    GVariantIter iter;
    const char *address, *driver, *unit;
    gboolean passed;
    g_variant_iter_init(&iter, rows);
    while (g_variant_iter_next(&iter, "(&s&s&s&s&s&sb)", &address, NULL, &driver, NULL, NULL, &unit,
                               &passed))
        g_string_append_printf(text, "%s %s for %s%s\n", address, driver, unit,
                               passed ? " passed" : "");
    cr_assert_str_eq(text->str, expected, "%s", text->str);
}

#define GPU_ROW SLOT_GPU " nvidia for " SLOT_GPU " passed\n"

Test(pci_slot, other_function_of_the_slot_goes_along)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(""));
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    assert_rows(record, GPU_ROW SLOT_AUDIO " snd_hda_intel for " SLOT_GPU " passed\n");
}

Test(pci_slot, other_function_goes_along_also_where_it_is_the_unit)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(""));
    g_autoptr(GVariant) record = slot_prepare(self, (const char *[]){SLOT_AUDIO, NULL});
    assert_rows(record, SLOT_GPU " nvidia for " SLOT_AUDIO " passed\n" SLOT_AUDIO
                                 " snd_hda_intel for " SLOT_AUDIO " passed\n");
}

Test(pci_slot, single_function_takes_the_other_along_but_does_not_pass_it)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(", functions: single"));
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    assert_rows(record, GPU_ROW SLOT_AUDIO " snd_hda_intel for " SLOT_GPU "\n");
}

Test(pci_slot, two_units_of_one_slot_are_each_their_own_and_passed)
{
    static const char *const MORE[] = {SLOT_ENTRIES(""), SLOT_ENTRIES(", functions: single")};
    for (guint i = 0; i < G_N_ELEMENTS(MORE); i++) {
        g_autoptr(Slot) self = slot_new(MORE[i]);
        g_autoptr(GVariant) record =
            slot_prepare(self, (const char *[]){SLOT_AUDIO, SLOT_GPU, NULL});
        assert_rows(record, GPU_ROW SLOT_AUDIO " snd_hda_intel for " SLOT_AUDIO " passed\n");
    }
}

Test(pci_slot, wider_group_is_taken_along_but_not_passed)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(", group: allow"));
    slot_add_other(self);
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    assert_rows(record, GPU_ROW SLOT_AUDIO " snd_hda_intel for " SLOT_GPU " passed\n" SLOT_OTHER
                                           " dfl-pci for " SLOT_GPU "\n");
}

Test(pci_slot, units_of_two_slots_of_one_group_stand_there_once)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(", group: allow"));
    slot_add_other(self);
    g_autoptr(GVariant) record = slot_prepare(self, (const char *[]){SLOT_OTHER, SLOT_GPU, NULL});
    assert_rows(record, SLOT_OTHER " dfl-pci for " SLOT_OTHER " passed\n" GPU_ROW SLOT_AUDIO
                                   " snd_hda_intel for " SLOT_GPU " passed\n");
}

Test(pci_slot, wider_group_without_leave_is_no_record)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(""));
    g_autoptr(GError) error = NULL;
    slot_add_other(self);
    cr_assert_null(slot_try_prepare(self, GPU_ONLY, &error));
    assert_error(error, LVP_ERROR_NOT_SUPPORTED);
    assert_contains(error->message,
                    SLOT_GPU " cannot be taken: IOMMU group 15 is wider than its "
                             "slot: its neighbour " SLOT_OTHER " (on driver dfl-pci)");
    slot_assert_writes(self, 0, "");
}

static char *
contribute(GVariant *record)
{
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "pci");
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    g_autoptr(GError) error = NULL;
    lvp_source_table.contribute_xml(NULL, holding, record, part, &error);
    assert_no_error(error);
    return part_to_text(part);
}

Test(pci_slot, domain_gets_the_slot_or_the_function_as_the_entry_says)
{
    g_autoptr(Slot) together = slot_new(SLOT_ENTRIES(""));
    g_autoptr(Slot) single = slot_new(SLOT_ENTRIES(", functions: single"));
    g_autoptr(GVariant) record_together = slot_prepare(together, GPU_ONLY);
    g_autoptr(GVariant) record_single = slot_prepare(single, GPU_ONLY);
    g_autofree char *text_together = contribute(record_together);
    g_autofree char *text_single = contribute(record_single);
    assert_contains(text_together, "a slot:\nfunction 0 = <hostdev");
    assert_contains(text_together, "function 1 = <hostdev");
    cr_assert(g_str_has_prefix(text_single, "devices += <hostdev"), "%s", text_single);
    cr_assert_null(strstr(text_single, "3b-00-1"), "%s", text_single);
}

/* ---- all or none ---- */

/* A commit is refused with CODE and the reason, and has not written anything. */
static void
assert_refused(Slot *self, GVariant *record, LvpError code, const char *reason)
{
    g_autoptr(GError) error = NULL;
    guint count = lvp_fake_host_count_writes(self->fake);
    cr_assert_not(lvp_source_table.commit(self->source->instance, record, NULL, &error));
    cr_assert(g_error_matches(error, LVP_ERROR, (int)code), "%s", error->message);
    assert_contains(error->message, reason);
    slot_assert_writes(self, count, "");
}

Test(pci_slot, neighbour_that_the_host_uses_is_found_before_the_first_write)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(", group: allow"));
    slot_add_other(self);
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    lvp_fake_host_add_net(self->fake, &(LvpFakeNet){.name = "eth0", .pci = SLOT_OTHER});
    assert_refused(self, record, LVP_ERROR_IN_USE_BY_HOST,
                   "cannot bind " SLOT_OTHER " to vfio-pci: the host uses it: eth0 is up");
    slot_assert_original(self);
}

Test(pci_slot, neighbour_with_virtual_functions_is_found_before_the_first_write)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(""));
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    lvp_fake_host_add_pci(self->fake,
                          &(LvpFakePci){.address = "0000:3b:10.0", .pf = SLOT_AUDIO, .group = 20});
    assert_refused(self, record, LVP_ERROR_CONFLICT,
                   "cannot bind " SLOT_AUDIO " to vfio-pci: it has 1 virtual functions");
}

Test(pci_slot, neighbour_that_has_become_another_is_found_before_the_first_write)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(""));
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    lvp_fake_host_replace(self->fake, &(LvpFakePci){.address = SLOT_AUDIO, .vendor = 1});
    assert_refused(self, record, LVP_ERROR_CONFLICT, "another device stands at its address");
}

Test(pci_slot, group_that_somebody_has_open_is_found_before_the_first_write)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(""));
    lvp_fake_host_set_driver(self->fake, SLOT_AUDIO, "vfio-pci");
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    lvp_fake_host_set_opener(self->fake, SLOT_OPENER, "pid 812 (qemu)");
    assert_refused(self, record, LVP_ERROR_IN_USE_BY_HOST, "pid 812 (qemu) has its IOMMU group 15");
}

Test(pci_slot, all_are_taken_and_given_back)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(", group: allow"));
    slot_add_other(self);
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    slot_commit(self, record);
    static const char *const ALL[] = {SLOT_GPU, SLOT_AUDIO, SLOT_OTHER};
    for (guint i = 0; i < G_N_ELEMENTS(ALL); i++)
        slot_assert_function(self, ALL[i], "vfio-pci", "vfio-pci");
    slot_start_again(self);
    g_autoptr(LvpOutcome) outcome = slot_roll_back(self, record, NULL);
    cr_assert_eq(outcome->rows->len, 1);
    slot_assert_verdict(outcome, SLOT_GPU, LVP_VERDICT_DONE, NULL);
    slot_assert_original(self);
    slot_assert_function(self, SLOT_OTHER, SLOT_OTHER_DRIVER, "");
}

/* ---- verdicts on units ---- */

Test(pci_slot, what_a_neighbour_fails_at_is_said_of_its_unit_and_the_rest_is_given_back)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(""));
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    slot_commit(self, record);
    lvp_fake_host_set_driver(self->fake, SLOT_AUDIO, "uio_pci_generic");
    g_autoptr(LvpOutcome) outcome = slot_roll_back(self, record, NULL);
    slot_assert_verdict(outcome, SLOT_GPU, LVP_VERDICT_FAILED,
                        "its neighbour " SLOT_AUDIO ": somebody has bound it to uio_pci_generic");
    slot_assert_function(self, SLOT_GPU, SLOT_GPU_DRIVER, "");
}

Test(pci_slot, what_a_unit_fails_at_is_said_before_that_of_its_neighbour)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(""));
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    slot_commit(self, record);
    lvp_fake_host_set_driver(self->fake, SLOT_GPU, "uio_pci_generic");
    lvp_fake_host_set_driver(self->fake, SLOT_AUDIO, "uio_pci_generic");
    g_autoptr(LvpOutcome) outcome = slot_roll_back(self, record, NULL);
    slot_assert_verdict(outcome, SLOT_GPU, LVP_VERDICT_FAILED, "somebody has bound it to");
    cr_assert_null(strstr(g_array_index(outcome->rows, LvpOutcomeRow, 0).reason, "neighbour"));
}

Test(pci_slot, rollback_of_one_unit_gives_its_neighbours_back_and_no_other_unit)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(", group: allow"));
    slot_add_other(self);
    g_autoptr(GVariant) record = slot_prepare(self, (const char *[]){SLOT_GPU, SLOT_OTHER, NULL});
    slot_commit(self, record);
    g_autoptr(LvpOutcome) outcome = slot_roll_back(self, record, SLOT_GPU);
    cr_assert_eq(outcome->rows->len, 1);
    slot_assert_verdict(outcome, SLOT_GPU, LVP_VERDICT_DONE, NULL);
    slot_assert_original(self);
    slot_assert_function(self, SLOT_OTHER, "vfio-pci", "vfio-pci");
}

Test(pci_slot, group_that_is_held_is_blocked_and_not_written_to)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(""));
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    slot_commit(self, record);
    guint count = lvp_fake_host_count_writes(self->fake);
    lvp_fake_host_set_opener(self->fake, SLOT_OPENER, "pid 812 (qemu)");
    g_autoptr(LvpOutcome) blocked = slot_roll_back(self, record, NULL);
    slot_assert_verdict(blocked, SLOT_GPU, LVP_VERDICT_BLOCKED, "pid 812 (qemu) still has");
    slot_assert_writes(self, count, "");
    lvp_fake_host_set_opener(self->fake, SLOT_OPENER, NULL);
    g_autoptr(LvpOutcome) done = slot_roll_back(self, record, NULL);
    slot_assert_verdict(done, SLOT_GPU, LVP_VERDICT_DONE, NULL);
    slot_assert_original(self);
}

static LvpOutcome *
restore(Slot *self, GVariant *record)
{
    LvpOutcome *outcome = lvp_outcome_new();
    lvp_source_table.restore(self->source->instance, record, outcome, NULL);
    cr_assert_eq(outcome->rows->len, 1);
    return outcome;
}

Test(pci_slot, neighbour_on_its_driver_needs_a_commit)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(", functions: single"));
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    slot_commit(self, record);
    g_autoptr(LvpOutcome) matches = restore(self, record);
    slot_assert_verdict(matches, SLOT_GPU, LVP_VERDICT_MATCHES, NULL);
    lvp_fake_host_set_driver(self->fake, SLOT_AUDIO, SLOT_AUDIO_DRIVER);
    g_autoptr(LvpOutcome) needs = restore(self, record);
    slot_assert_verdict(needs, SLOT_GPU, LVP_VERDICT_NEEDS_COMMIT,
                        "its neighbour " SLOT_AUDIO ": it is on " SLOT_AUDIO_DRIVER);
    slot_commit(self, record);
    slot_assert_function(self, SLOT_AUDIO, "vfio-pci", "vfio-pci");
}

Test(pci_slot, passed_function_that_is_gone_is_a_loss)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(""));
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    slot_commit(self, record);
    lvp_fake_host_pull(self->fake, SLOT_AUDIO);
    g_autoptr(LvpOutcome) outcome = restore(self, record);
    slot_assert_verdict(outcome, SLOT_GPU, LVP_VERDICT_LOST, "its neighbour " SLOT_AUDIO);
    assert_refused(self, record, LVP_ERROR_CONFLICT, "it is not there any more");
}

Test(pci_slot, neighbour_that_is_gone_is_in_nobodys_way)
{
    g_autoptr(Slot) self = slot_new(SLOT_ENTRIES(", functions: single"));
    g_autoptr(GVariant) record = slot_prepare(self, GPU_ONLY);
    slot_commit(self, record);
    lvp_fake_host_pull(self->fake, SLOT_AUDIO);
    lvp_fake_host_set_driver(self->fake, SLOT_GPU, SLOT_GPU_DRIVER);
    g_autoptr(LvpOutcome) needs = restore(self, record);
    slot_assert_verdict(needs, SLOT_GPU, LVP_VERDICT_NEEDS_COMMIT, "it is on nvidia");
    slot_commit(self, record);
    g_autoptr(LvpOutcome) matches = restore(self, record);
    slot_assert_verdict(matches, SLOT_GPU, LVP_VERDICT_MATCHES, NULL);
    g_autoptr(LvpOutcome) done = slot_roll_back(self, record, NULL);
    slot_assert_verdict(done, SLOT_GPU, LVP_VERDICT_DONE, NULL);
    slot_assert_function(self, SLOT_GPU, SLOT_GPU_DRIVER, "");
}
