/* SPDX-License-Identifier: Apache-2.0 */
/* A provider that ended between two steps: what the next one makes of it. */
#include "assert-error.h"
#include "machine-steps.h"
#include "reconcile.h"
#include "world.h"

#include <string.h>

static World *world;

static void
set_up(void)
{
    world = world_new();
    world_connect(world);
}

static void
tear_down(void)
{
    world_free(world);
}

TestSuite(reconcile, .init = set_up, .fini = tear_down);

static void
reconcile(void)
{
    lvp_reconcile_all(&world->jobs);
}

static void
assert_state(const char *expected)
{
    const LvpMachine *machine = world_find(world, "vm1");
    cr_assert_not_null(machine);
    cr_assert_not(machine->busy);
    cr_assert_str_eq(lvp_machine_get_state(machine), expected);
}

static void
assert_explained(const char *unit, const char *expected)
{
    g_autofree char *text = world_explain(world, unit);
    cr_assert_str_eq(text, expected);
}

/* ---- creates that were killed ---- */

/* The steps of a create, in their order. */
typedef enum {
    RESERVED,
    PREPARED, /* not written */
    PREPARED_DURABLY,
    HALF_COMMITTED,
    COMMITTED, /* not written */
    COMMITTED_DURABLY,
    DEFINED,
    STARTED,
} Point;

static void
prepare(LvpMachine *machine)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        lvp_source_prepare(g_ptr_array_index(world->sources, i), holding, NULL);
    }
}

static void
commit(LvpMachine *machine, gboolean half)
{
    world->cards->fail_at = half ? "commit" : NULL;
    lvp_source_commit(world->cards->source, lvp_machine_find_holding(machine, "cards"), NULL);
    world->cards->fail_at = NULL;
}

static void
advance(LvpMachine *machine, LvpStep step)
{
    g_autoptr(GError) error = NULL;
    lvp_allocator_advance(world->allocator, machine, step, "boot", &error);
    assert_no_error(error);
}

static LvpMachine *
reserve(void)
{
    gboolean existing = FALSE;
    g_autoptr(GError) error = NULL;
    LvpCreateSpec spec = world_make_spec(world, "vm1", "both");
    spec.uuid = WORLD_UUID;
    LvpMachine *machine = lvp_allocator_reserve(world->allocator, &spec, &existing, &error);
    assert_no_error(error);
    return machine;
}

/* Does a create up to POINT; then the process is another. */
static void
crash_at(Point point)
{
    g_autoptr(LvpMachine) machine = reserve();
    if (point >= PREPARED)
        prepare(machine);
    if (point >= PREPARED_DURABLY)
        advance(machine, LVP_STEP_PREPARED);
    if (point >= HALF_COMMITTED)
        commit(machine, point == HALF_COMMITTED);
    if (point >= COMMITTED_DURABLY)
        advance(machine, LVP_STEP_COMMITTED);
    if (point >= DEFINED)
        cr_assert(lvp_step_define_domain(&world->jobs, world->sources, machine, NULL));
    if (point >= STARTED)
        cr_assert(lvp_hypervisor_start(world->hypervisor, WORLD_UUID, NULL));
    world_restart(world);
}

/* A create that ended at POINT is undone. */
static void
assert_undone_from(Point point)
{
    crash_at(point);
    assert_state("creating");
    cr_assert_eq(world_count_free(world, GPU), 0, "all stays held until it is undone");
    reconcile();
    world_assert_nothing_left(world);
    world_restart(world);
    world_assert_nothing_left(world);
}

Test(reconcile, create_that_was_only_reserved_is_undone)
{
    assert_undone_from(RESERVED);
    cr_assert_null(strstr(world->calls->str, "cards.rollback"), "it has no record");
}

Test(reconcile, create_that_was_prepared_is_undone) { assert_undone_from(PREPARED); }

Test(reconcile, create_whose_records_are_written_is_undone)
{
    assert_undone_from(PREPARED_DURABLY);
    assert_contains(world->calls->str, "cards.rollback");
}

Test(reconcile, create_that_was_half_committed_is_undone) { assert_undone_from(HALF_COMMITTED); }

Test(reconcile, create_that_was_committed_but_not_written_is_undone)
{
    assert_undone_from(COMMITTED);
}

Test(reconcile, create_that_was_committed_is_undone) { assert_undone_from(COMMITTED_DURABLY); }

Test(reconcile, create_whose_domain_is_defined_is_undone) { assert_undone_from(DEFINED); }

Test(reconcile, create_whose_domain_runs_is_undone) { assert_undone_from(STARTED); }

Test(reconcile, undoing_goes_on_where_it_was_interrupted)
{
    crash_at(STARTED);
    world_fail_write(world, "DELETE ON machine");
    reconcile();
    assert_state("failed");
    cr_assert_eq(world_get_domain(world), LVP_DOMAIN_ABSENT);
    world_restart(world);
    world_heal_writes(world);
    reconcile();
    world_assert_nothing_left(world);
}

Test(reconcile, foreign_domain_with_the_uuid_of_a_killed_create_is_left_alone)
{
    crash_at(COMMITTED_DURABLY);
    world_define_foreign(world, "theirs", WORLD_UUID);
    reconcile();
    cr_assert_eq(world_get_domain(world), LVP_DOMAIN_OFF);
    cr_assert_null(world_find(world, "vm1"));
    cr_assert_eq(world_count_free(world, GPU), 2);
}

Test(reconcile, blocked_create_stays_and_is_undone_when_it_can_be)
{
    crash_at(COMMITTED);
    world->cards->given_back = LVP_VERDICT_BLOCKED;
    reconcile();
    assert_state("failed");
    cr_assert_eq(world_count_free(world, GPU), 0);
    world_restart(world);
    assert_state("failed");
    world->cards->given_back = LVP_VERDICT_DONE;
    reconcile();
    world_assert_nothing_left(world);
}

Test(reconcile, create_that_cannot_be_undone_is_quarantined)
{
    crash_at(COMMITTED);
    world->cards->given_back = LVP_VERDICT_FAILED;
    world->cards->odd_unit = CARD_1;
    reconcile();
    cr_assert_null(world_find(world, "vm1"));
    assert_explained(CARD_1, "is quarantined: it is made to stay");
    assert_explained(CARD_2, "");
}

Test(reconcile, create_of_a_missing_source_waits_for_it)
{
    crash_at(COMMITTED);
    g_ptr_array_remove(world->sources, world->cards->source);
    world_restart(world);
    reconcile();
    g_autofree char *reason = lvp_machine_dup_reason(world_find(world, "vm1"));
    assert_state("failed");
    assert_contains(reason, "source-missing");
    assert_explained(CARD_1, "is held by vm1");
    g_ptr_array_add(world->sources, world->cards->source);
    world_restart(world);
    reconcile();
    world_assert_nothing_left(world);
}

/* ---- machines that exist ---- */

/* vm1 is created; OPERATION has begun when the process ended. */
static void
crash_in(LvpOperation operation)
{
    g_autoptr(GError) error = NULL;
    world_make(world, "both");
    lvp_machine_unref(lvp_allocator_begin(world->allocator, "vm1", operation, FALSE, &error));
    assert_no_error(error);
    world_restart(world);
}

Test(reconcile, delete_that_was_begun_is_finished)
{
    crash_in(LVP_OPERATION_DELETE);
    assert_state("deleting");
    reconcile();
    world_assert_nothing_left(world);
}

Test(reconcile, delete_whose_domain_is_gone_is_finished)
{
    crash_in(LVP_OPERATION_DELETE);
    lvp_hypervisor_destroy(world->hypervisor, WORLD_UUID, NULL);
    lvp_hypervisor_undefine(world->hypervisor, WORLD_UUID, FALSE, NULL);
    reconcile();
    world_assert_nothing_left(world);
}

Test(reconcile, delete_that_has_given_back_already_is_finished)
{
    crash_in(LVP_OPERATION_DELETE);
    g_hash_table_remove_all(world->cards->taken);
    reconcile();
    world_assert_nothing_left(world);
}

Test(reconcile, start_that_was_begun_leaves_machine_and_claim)
{
    crash_in(LVP_OPERATION_START);
    reconcile();
    assert_state("running");
    assert_explained(CARD_1, "is held by vm1");
    g_autofree char *row = world_query(world, "SELECT op, created FROM machine");
    cr_assert_str_eq(row, "0|1");
}

Test(reconcile, stop_that_was_begun_leaves_machine_and_claim_as_the_domain_is)
{
    crash_in(LVP_OPERATION_STOP);
    lvp_hypervisor_destroy(world->hypervisor, WORLD_UUID, NULL);
    reconcile();
    assert_state("stopped");
    cr_assert(scripted_source_has_taken(world->cards, CARD_1));
    assert_explained(CARD_1, "is held by vm1");
}

Test(reconcile, machine_at_rest_is_only_looked_at)
{
    world_make(world, "both");
    g_autofree char *before = world_query(world, "SELECT * FROM machine");
    world_restart(world);
    g_string_truncate(world->calls, 0);
    reconcile();
    g_autofree char *after = world_query(world, "SELECT * FROM machine");
    assert_state("running");
    cr_assert_str_eq(before, after);
    cr_assert_str_eq(world->calls->str, "cards.restore");
}

Test(reconcile, domain_that_somebody_stopped_is_seen)
{
    world_make(world, "both");
    lvp_hypervisor_destroy(world->hypervisor, WORLD_UUID, NULL);
    assert_state("running");
    lvp_reconcile_domain(&world->jobs, WORLD_UUID);
    assert_state("stopped");
    assert_explained(CARD_1, "is held by vm1");
}

Test(reconcile, machine_whose_domain_somebody_undefined_is_orphaned_and_keeps_its_claim)
{
    world_make(world, "both");
    lvp_hypervisor_destroy(world->hypervisor, WORLD_UUID, NULL);
    lvp_hypervisor_undefine(world->hypervisor, WORLD_UUID, FALSE, NULL);
    reconcile();
    assert_state("orphaned");
    assert_explained(CARD_1, "is held by vm1");
}

Test(reconcile, domain_that_is_not_ours_is_passed_over)
{
    world_make(world, "both");
    lvp_reconcile_domain(&world->jobs, "00000000-0000-4000-8000-000000000002");
    assert_state("running");
}

Test(reconcile, machine_of_a_job_is_left_to_it)
{
    g_autoptr(LvpMachine) machine = reserve();
    reconcile();
    cr_assert(machine->busy);
    cr_assert_eq(world_find(world, "vm1"), machine);
}

Test(reconcile, nothing_is_undone_while_libvirt_is_not_reachable)
{
    LvpHypervisorCalls calls = {0};
    LvpHypervisor *away = lvp_hypervisor_new("test:///default", &calls);
    crash_at(STARTED);
    world->jobs.hypervisor = away;
    reconcile();
    world->jobs.hypervisor = world->hypervisor;
    lvp_hypervisor_free(away);
    assert_state("creating");
    cr_assert_eq(world_get_domain(world), LVP_DOMAIN_RUNNING);
    cr_assert(scripted_source_has_taken(world->cards, CARD_1));
}
