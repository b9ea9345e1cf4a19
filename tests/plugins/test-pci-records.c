/* SPDX-License-Identifier: Apache-2.0 */
/* The records of the pci source: what is journalled before the first write is enough to finish or
 * to undo, for a source that knows nothing else. */
#include "assert-error.h"
#include "fake-host.h"
#include "request.h"
#include "source-fixture.h"

#include <errno.h>
#include <string.h>

#define GPU "0000:3b:00.0"
#define NIC "0000:5e:00.0"
#define FPGA "10000:af:00.0"
#define RECORD_TYPE "(ua(ssssssb))"

static const char *const ADDRESSES[] = {GPU, NIC, FPGA};
static const char *const DRIVERS[] = {"nvidia", NULL, "dfl"};
#define N_CARDS G_N_ELEMENTS(ADDRESSES)

static LvpFakeHost *fake;
static SourceFixture *source;

static SourceFixture *
start(void)
{
    g_autoptr(GError) error = NULL;
    SourceFixture *started = source_fixture_new(lvp_fake_host_get_host(fake), NULL, &error);
    assert_no_error(error);
    return started;
}

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    for (guint i = 0; i < N_CARDS; i++)
        lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = ADDRESSES[i],
                                                  .vendor = 0x1000 + i,
                                                  .class_code = 0x120000,
                                                  .driver = DRIVERS[i],
                                                  .group = 15 + (int)i});
    source = start();
}

static void
tear_down(void)
{
    source_fixture_free(source);
    lvp_fake_host_free(fake);
}

TestSuite(pci_records, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- what the tests say ---- */

static GVariant *
prepare(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "pci");
    for (guint i = 0; i < N_CARDS; i++) {
        g_autofree char *identity = g_strdup_printf("%04x:0000:0000:0000:00:120000", 0x1000 + i);
        lvp_holding_add_unit(holding, "accelerator.a/b", ADDRESSES[i], identity, 0);
    }
    GVariant *record = lvp_source_table.prepare(source->instance, holding, NULL, &error);
    assert_no_error(error);
    return g_variant_take_ref(record);
}

static void
commit(GVariant *record)
{
    g_autoptr(GError) error = NULL;
    cr_assert(lvp_source_table.commit(source->instance, record, NULL, &error));
    assert_no_error(error);
}

static void
assert_driver(const char *address, const char *expected)
{
    g_autofree char *driver = lvp_fake_host_get_driver(fake, address);
    cr_assert_eq(g_strcmp0(driver, expected), 0, "%s is on %s", address, driver);
}

static void
assert_all_taken(void)
{
    for (guint i = 0; i < N_CARDS; i++)
        assert_driver(ADDRESSES[i], "vfio-pci");
}

static void
assert_all_as_before(void)
{
    for (guint i = 0; i < N_CARDS; i++) {
        g_autofree char *override = lvp_fake_host_get_override(fake, ADDRESSES[i]);
        assert_driver(ADDRESSES[i], DRIVERS[i]);
        cr_assert_null(override);
    }
}

static LvpOutcome *
roll_back(GVariant *record, const char *only_unit)
{
    LvpOutcome *outcome = lvp_outcome_new();
    lvp_source_table.rollback(source->instance, record, only_unit, outcome, NULL);
    return outcome;
}

static LvpOutcome *
restore(GVariant *record)
{
    LvpOutcome *outcome = lvp_outcome_new();
    lvp_source_table.restore(source->instance, record, outcome, NULL);
    return outcome;
}

static const LvpOutcomeRow *
get_row(const LvpOutcome *outcome, guint index)
{
    return &g_array_index(outcome->rows, LvpOutcomeRow, index);
}

/* A verdict for each card in the order of the record. */
static void
assert_verdicts(const LvpOutcome *outcome, LvpVerdict first, LvpVerdict second, LvpVerdict third)
{
    const LvpVerdict expected[] = {first, second, third};
    cr_assert_eq(outcome->rows->len, N_CARDS);
    for (guint i = 0; i < N_CARDS; i++) {
        cr_assert_str_eq(get_row(outcome, i)->unit_id, ADDRESSES[i]);
        cr_assert_eq(get_row(outcome, i)->verdict, expected[i], "%s: %d: %s", ADDRESSES[i],
                     get_row(outcome, i)->verdict, get_row(outcome, i)->reason);
    }
}

/* As it comes out of the journal in another process. */
static GVariant *
pass_through_journal(GVariant *record)
{
    g_autofree char *type = g_strdup(g_variant_get_type_string(record));
    g_autoptr(GBytes) bytes = g_bytes_new(g_variant_get_data(record), g_variant_get_size(record));
    return g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(type), bytes, FALSE));
}

static void
start_again(void)
{
    source_fixture_free(source);
    source = start();
}

/* ---- prepare ---- */

Test(pci_records, record_says_what_each_card_was)
{
    lvp_fake_host_set_file(fake, "sys/bus/pci/devices/" NIC "/driver_override", "pci-stub\n");
    g_autoptr(GVariant) record = prepare();
    g_autofree char *text = g_variant_print(record, TRUE);
    cr_assert_str_eq(
        text,
        "(uint32 1, [('" GPU "', '1000:0000:0000:0000:00:120000', 'nvidia', '', '15', '" GPU
        "', true), "
        "('" NIC "', '1001:0000:0000:0000:00:120000', '', 'pci-stub', '16', '" NIC "', true), "
        "('" FPGA "', '1002:0000:0000:0000:00:120000', 'dfl', '', '17', '" FPGA "', true)])");
}

Test(pci_records, prepare_writes_nothing)
{
    g_autoptr(GVariant) record = prepare();
    cr_assert_not_null(record);
    cr_assert_eq(lvp_fake_host_count_writes(fake), 0);
}

Test(pci_records, prepare_fails_for_a_card_whose_state_cannot_be_read)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "pci");
    lvp_holding_add_unit(holding, "accelerator.a/b", GPU, "identity", 0);
    lvp_fake_host_pull(fake, GPU);
    cr_assert_null(lvp_source_table.prepare(source->instance, holding, NULL, &error));
    assert_error(error, LVP_ERROR_NOT_FOUND);
    assert_contains(error->message, "cannot read the state of " GPU ": ");
}

Test(pci_records, prepare_fails_for_an_override_that_is_no_text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "pci");
    lvp_holding_add_unit(holding, "accelerator.a/b", GPU, "identity", 0);
    lvp_fake_host_set_file(fake, "sys/bus/pci/devices/" GPU "/driver_override", "\xff\n");
    cr_assert_null(lvp_source_table.prepare(source->instance, holding, NULL, &error));
    assert_error(error, LVP_ERROR_HOST);
    assert_contains(error->message, "driver_override of " GPU);
}

/* ---- commit and rollback ---- */

Test(pci_records, commit_takes_all_and_rollback_gives_all_back)
{
    g_autoptr(GVariant) record = prepare();
    commit(record);
    assert_all_taken();
    g_autoptr(LvpOutcome) outcome = roll_back(record, NULL);
    assert_verdicts(outcome, LVP_VERDICT_DONE, LVP_VERDICT_DONE, LVP_VERDICT_DONE);
    assert_all_as_before();
}

Test(pci_records, commit_can_be_repeated)
{
    g_autoptr(GVariant) record = prepare();
    commit(record);
    commit(record);
    assert_all_taken();
}

Test(pci_records, commit_that_fails_half_way_is_rolled_back)
{
    g_autoptr(GVariant) record = prepare();
    g_autoptr(GError) error = NULL;
    lvp_fake_host_fail_write(fake, 4, EIO); /* the second card's override */
    cr_assert_not(lvp_source_table.commit(source->instance, record, NULL, &error));
    assert_contains(error->message, "cannot bind " NIC " to vfio-pci: ");
    assert_driver(GPU, "vfio-pci");
    assert_driver(FPGA, "dfl");
    g_autoptr(LvpOutcome) outcome = roll_back(record, NULL);
    assert_verdicts(outcome, LVP_VERDICT_DONE, LVP_VERDICT_DONE, LVP_VERDICT_DONE);
    assert_all_as_before();
}

Test(pci_records, commit_that_is_cancelled_takes_nothing_more)
{
    g_autoptr(GVariant) record = prepare();
    g_autoptr(GError) error = NULL;
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_cancellable_cancel(cancellable);
    cr_assert_not(lvp_source_table.commit(source->instance, record, cancellable, &error));
    cr_assert(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED));
    cr_assert_eq(lvp_fake_host_count_writes(fake), 0);
}

Test(pci_records, rollback_that_is_cancelled_gives_back_all_the_same)
{
    g_autoptr(GVariant) record = prepare();
    g_autoptr(LvpOutcome) outcome = lvp_outcome_new();
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    commit(record);
    g_cancellable_cancel(cancellable);
    lvp_source_table.rollback(source->instance, record, NULL, outcome, cancellable);
    assert_all_as_before();
}

Test(pci_records, rollback_goes_on_past_a_card_that_cannot_be_given_back)
{
    g_autoptr(GVariant) record = prepare();
    commit(record);
    lvp_fake_host_fail_write(fake, 1, EIO);
    g_autoptr(LvpOutcome) outcome = roll_back(record, NULL);
    assert_verdicts(outcome, LVP_VERDICT_FAILED, LVP_VERDICT_DONE, LVP_VERDICT_DONE);
    assert_contains(get_row(outcome, 0)->reason, "cannot give it back to nvidia: ");
    assert_driver(GPU, "vfio-pci");
    assert_driver(FPGA, "dfl");
}

Test(pci_records, rollback_of_one_unit_touches_no_other)
{
    g_autoptr(GVariant) record = prepare();
    commit(record);
    g_autoptr(LvpOutcome) outcome = roll_back(record, FPGA);
    cr_assert_eq(outcome->rows->len, 1);
    cr_assert_str_eq(get_row(outcome, 0)->unit_id, FPGA);
    cr_assert_eq(get_row(outcome, 0)->verdict, LVP_VERDICT_DONE);
    assert_driver(GPU, "vfio-pci");
    assert_driver(NIC, "vfio-pci");
    assert_driver(FPGA, "dfl");
}

Test(pci_records, rollback_of_a_unit_that_is_not_in_the_record_touches_nothing)
{
    g_autoptr(GVariant) record = prepare();
    commit(record);
    guint count = lvp_fake_host_count_writes(fake);
    g_autoptr(LvpOutcome) outcome = roll_back(record, "0000:00:00.0");
    cr_assert_eq(outcome->rows->len, 0);
    cr_assert_eq(lvp_fake_host_count_writes(fake), count);
}

/* ---- another process ---- */

Test(pci_records, journalled_bytes_alone_are_enough_to_commit)
{
    g_autoptr(GVariant) record = prepare();
    g_autoptr(GVariant) read = pass_through_journal(record);
    start_again();
    commit(read);
    assert_all_taken();
}

Test(pci_records, journalled_bytes_alone_are_enough_to_roll_back)
{
    g_autoptr(GVariant) record = prepare();
    g_autoptr(GVariant) read = pass_through_journal(record);
    commit(record);
    start_again();
    g_autoptr(LvpOutcome) outcome = roll_back(read, NULL);
    assert_verdicts(outcome, LVP_VERDICT_DONE, LVP_VERDICT_DONE, LVP_VERDICT_DONE);
    assert_all_as_before();
}

Test(pci_records, provider_that_is_killed_at_any_write_of_a_commit_is_undone_by_the_next)
{
    g_autoptr(GVariant) record = prepare();
    g_autoptr(GVariant) read = pass_through_journal(record);
    for (guint write = 1; write <= 8; write++) {
        lvp_fake_host_crash_at(fake, write);
        cr_assert_not(lvp_source_table.commit(source->instance, record, NULL, NULL));
        lvp_fake_host_restart(fake);
        start_again();
        g_autoptr(LvpOutcome) outcome = roll_back(read, NULL);
        assert_verdicts(outcome, LVP_VERDICT_DONE, LVP_VERDICT_DONE, LVP_VERDICT_DONE);
        assert_all_as_before();
    }
}

/* ---- restore ---- */

Test(pci_records, restore_matches_what_is_committed)
{
    g_autoptr(GVariant) record = prepare();
    commit(record);
    g_autoptr(LvpOutcome) outcome = restore(record);
    assert_verdicts(outcome, LVP_VERDICT_MATCHES, LVP_VERDICT_MATCHES, LVP_VERDICT_MATCHES);
}

Test(pci_records, restore_judges_each_card_for_itself_and_changes_nothing)
{
    g_autoptr(GVariant) record = prepare();
    commit(record);
    lvp_fake_host_set_driver(fake, GPU, "nvidia");
    lvp_fake_host_pull(fake, NIC);
    lvp_fake_host_replace(fake,
                          &(LvpFakePci){.address = FPGA, .vendor = 0xffff, .class_code = 0x120000});
    guint count = lvp_fake_host_count_writes(fake);
    g_autoptr(LvpOutcome) outcome = restore(record);
    assert_verdicts(outcome, LVP_VERDICT_NEEDS_COMMIT, LVP_VERDICT_LOST, LVP_VERDICT_REPLACED);
    cr_assert_eq(lvp_fake_host_count_writes(fake), count);
}

Test(pci_records, after_a_reboot_all_needs_a_commit_and_then_matches)
{
    g_autoptr(GVariant) record = prepare();
    commit(record);
    lvp_fake_host_reboot(fake);
    start_again();
    g_autoptr(LvpOutcome) outcome = restore(record);
    assert_verdicts(outcome, LVP_VERDICT_NEEDS_COMMIT, LVP_VERDICT_NEEDS_COMMIT,
                    LVP_VERDICT_NEEDS_COMMIT);
    commit(record);
    assert_all_taken();
}

/* ---- records of somebody else ---- */

/* Whatever is done with RECORD, it is refused as a whole, and nothing is written. */
static void
assert_refused(const char *text, int code, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) record = g_variant_parse(NULL, text, NULL, NULL, &error);
    assert_no_error(error);
    cr_assert_not(lvp_source_table.commit(source->instance, record, NULL, &error));
    assert_error(error, code);
    assert_contains(error->message, why);
    g_autoptr(LvpOutcome) undone = roll_back(record, NULL);
    g_autoptr(LvpOutcome) compared = restore(record);
    const LvpOutcome *const outcomes[] = {undone, compared};
    for (guint i = 0; i < G_N_ELEMENTS(outcomes); i++) {
        cr_assert_eq(outcomes[i]->rows->len, 1);
        cr_assert_null(get_row(outcomes[i], 0)->unit_id);
        cr_assert_eq(get_row(outcomes[i], 0)->verdict, LVP_VERDICT_FAILED);
        cr_assert_str_eq(get_row(outcomes[i], 0)->reason, error->message);
    }
    cr_assert_eq(lvp_fake_host_count_writes(fake), 0);
}

static void
assert_foreign_record(const char *text)
{
    assert_refused(text, LVP_ERROR_NOT_SUPPORTED, "this source knows " RECORD_TYPE " of version 1");
}

/* Each would name a file that is not of the device. */
Test(pci_records, record_of_what_is_no_device_is_refused)
{
    static const char *const FUNCTIONS[] = {
        "'" GPU "/', 'i', 'nvidia', '', '15', '" GPU "'",
        "'" GPU "/../" NIC "', 'i', 'nvidia', '', '15', '" GPU "'",
        "'', 'i', 'nvidia', '', '15', '" GPU "'",
        "'" GPU "', 'i', '../devices', '', '15', '" GPU "'",
        "'" GPU "', 'i', '..', '', '15', '" GPU "'",
        "'" GPU "', 'i', 'nvidia', '', '../15', '" GPU "'",
        "'" GPU "', 'i', 'nvidia', '', '15', '../" GPU "'",
    };
    for (guint i = 0; i < G_N_ELEMENTS(FUNCTIONS); i++) {
        g_autofree char *record = g_strdup_printf("(uint32 1, [('" NIC "', 'i', '', '', '16', '" NIC
                                                  "', true), (%s, true)])",
                                                  FUNCTIONS[i]);
        assert_refused(record, LVP_ERROR_SOURCE, "the record is damaged");
    }
}

Test(pci_records, record_of_another_type_is_refused)
{
    assert_foreign_record("'text'");
    assert_foreign_record("(uint32 1, [('" GPU "', 'a', 'b', 'c')])");
    assert_foreign_record("(uint32 1, [('" GPU "', 'a', 'b', 'c', 'd')])");
    assert_foreign_record("(1, [('" GPU "', 'a', 'b', 'c', 'd', 'e', true)])");
}

Test(pci_records, record_of_another_version_is_refused)
{
    assert_foreign_record("(uint32 2, [('" GPU "', 'a', 'b', 'c', 'd', 'e', true)])");
    assert_foreign_record("(uint32 0, [('" GPU "', 'a', 'b', 'c', 'd', 'e', true)])");
}

Test(pci_records, bytes_cut_short_touch_no_card)
{
    g_autoptr(GVariant) record = prepare();
    for (gsize size = 0; size < g_variant_get_size(record); size += 7) {
        g_autoptr(GBytes) bytes = g_bytes_new(g_variant_get_data(record), size);
        g_autoptr(GVariant) cut =
            g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(RECORD_TYPE), bytes, FALSE));
        g_autoptr(LvpOutcome) undone = roll_back(cut, NULL);
        g_autoptr(LvpOutcome) compared = restore(cut);
        cr_assert_eq(undone->rows->len, compared->rows->len);
        cr_assert_null(lvp_outcome_find(compared, LVP_VERDICT_MATCHES));
    }
    cr_assert_eq(lvp_fake_host_count_writes(fake), 0);
    assert_all_as_before();
}
