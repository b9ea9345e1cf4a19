/* SPDX-License-Identifier: Apache-2.0 */
/* Start, stop, delete and release. */
#include "assert-error.h"
#include "domain-xml.h"
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

TestSuite(machine_operations, .init = set_up, .fini = tear_down);

static void
stop(gboolean force)
{
    g_autoptr(GError) error = NULL;
    lvp_machine_stop(&world->jobs, "vm1", force, 60000, NULL, &error);
    assert_no_error(error);
}

static void
start(void)
{
    g_autoptr(GError) error = NULL;
    lvp_machine_start(&world->jobs, "vm1", NULL, &error);
    assert_no_error(error);
}

static void
delete_machine(void)
{
    g_autoptr(GError) error = NULL;
    lvp_machine_delete(&world->jobs, "vm1", FALSE, NULL, &error);
    assert_no_error(error);
}

static void
undefine_behind_its_back(void)
{
    lvp_hypervisor_destroy(world->hypervisor, WORLD_UUID, NULL);
    lvp_hypervisor_undefine(world->hypervisor, WORLD_UUID, FALSE, NULL);
    cr_assert_eq(world_get_domain(world), LVP_DOMAIN_ABSENT);
}

/* ---- stop ---- */

Test(machine_operations, stopped_machine_keeps_its_claim_and_its_domain)
{
    g_autoptr(LvpMachine) machine = world_create(world, "gpu");
    stop(FALSE);
    g_autofree char *held = world_explain(world, CARD_1);
    g_autofree char *row = world_query(world, "SELECT desired, op, created FROM machine");
    cr_assert_str_eq(lvp_machine_get_state(machine), "stopped");
    cr_assert_eq(world_get_domain(world), LVP_DOMAIN_OFF);
    cr_assert_str_eq(held, "is held by vm1");
    cr_assert(scripted_source_has_taken(world->cards, CARD_1));
    cr_assert_str_eq(row, "1|0|1");
}

Test(machine_operations, forced_stop_ends_the_domain)
{
    g_autoptr(LvpMachine) machine = world_create(world, "gpu");
    stop(TRUE);
    cr_assert_str_eq(lvp_machine_get_state(machine), "stopped");
}

Test(machine_operations, stop_of_a_stopped_machine_is_well)
{
    g_autoptr(LvpMachine) machine = world_create(world, "gpu");
    stop(FALSE);
    stop(FALSE);
    stop(TRUE);
    cr_assert_str_eq(lvp_machine_get_state(machine), "stopped");
}

Test(machine_operations, stop_of_an_orphaned_machine_leaves_it_at_rest)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = world_create(world, "gpu");
    undefine_behind_its_back();
    cr_assert_not(lvp_machine_stop(&world->jobs, "vm1", FALSE, 1, NULL, &error));
    assert_error(error, LVP_ERROR_CONFLICT);
    cr_assert_not(machine->busy);
    cr_assert_eq(machine->operation, LVP_OPERATION_NONE);
}

/* ---- start ---- */

Test(machine_operations, stopped_machine_starts_again_with_what_it_holds)
{
    g_autoptr(LvpMachine) machine = world_create(world, "gpu");
    stop(FALSE);
    g_string_truncate(world->calls, 0);
    start();
    cr_assert_str_eq(lvp_machine_get_state(machine), "running");
    cr_assert_str_eq(world->calls->str, "cards.restore");
    g_autofree char *row = world_query(world, "SELECT desired, op FROM machine");
    cr_assert_str_eq(row, "0|0");
}

Test(machine_operations, what_the_host_took_back_is_committed_again)
{
    world_make(world, "gpu");
    stop(FALSE);
    g_hash_table_remove_all(world->cards->taken);
    world->cards->found_again = LVP_VERDICT_NEEDS_COMMIT;
    start();
    cr_assert(scripted_source_has_taken(world->cards, CARD_1));
}

static void
assert_start_refused(LvpVerdict verdict, int code)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = world_create(world, "gpu");
    stop(FALSE);
    world->cards->found_again = verdict;
    cr_assert_not(lvp_machine_start(&world->jobs, "vm1", NULL, &error));
    cr_assert(g_error_matches(error, LVP_ERROR, code), "%s", error->message);
    assert_contains(error->message, "machine vm1 cannot start: " CARD_1 ": it is made to differ");
    cr_assert_str_eq(lvp_machine_get_state(machine), "stopped");
    cr_assert_eq(world_get_domain(world), LVP_DOMAIN_OFF);
}

static void
note_saying(gpointer data, const char *text)
{
    g_string_append_printf(data, "<%s> ", text);
}

Test(machine_operations, who_waits_for_a_start_is_told_what_takes_long_before_it_does)
{
    g_autoptr(GError) error = NULL;
    const LvpProgress progress = {note_saying, world->calls};
    world_make(world, "gpu");
    stop(FALSE);
    world->cards->found_again = LVP_VERDICT_NEEDS_COMMIT;
    g_string_truncate(world->calls, 0);
    lvp_machine_start(&world->jobs, "vm1", &progress, &error);
    assert_no_error(error);
    cr_assert(g_str_has_prefix(world->calls->str, "<looking at the resources> "), "%s",
              world->calls->str);
    assert_contains(world->calls->str, "cards.restore");
    assert_contains(world->calls->str, "<starting the domain> ");
}

Test(machine_operations, machine_whose_unit_is_lost_does_not_start)
{
    assert_start_refused(LVP_VERDICT_LOST, LVP_ERROR_CONFLICT);
}

Test(machine_operations, machine_whose_unit_is_replaced_does_not_start)
{
    assert_start_refused(LVP_VERDICT_REPLACED, LVP_ERROR_CONFLICT);
}

Test(machine_operations, machine_whose_unit_is_blocked_does_not_start_yet)
{
    assert_start_refused(LVP_VERDICT_BLOCKED, LVP_ERROR_BUSY);
}

Test(machine_operations, commit_that_fails_at_start_leaves_the_machine_stopped)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = world_create(world, "gpu");
    stop(FALSE);
    world->cards->found_again = LVP_VERDICT_NEEDS_COMMIT;
    world->cards->fail_at = "commit";
    cr_assert_not(lvp_machine_start(&world->jobs, "vm1", NULL, &error));
    assert_error(error, LVP_ERROR_HOST);
    cr_assert_str_eq(lvp_machine_get_state(machine), "stopped");
    world->cards->fail_at = NULL;
    start();
    cr_assert_str_eq(lvp_machine_get_state(machine), "running");
}

Test(machine_operations, start_of_a_running_machine_is_well_and_touches_nothing)
{
    world_make(world, "gpu");
    g_string_truncate(world->calls, 0);
    start();
    cr_assert_str_eq(world->calls->str, "");
}

Test(machine_operations, start_of_an_orphaned_machine_defines_its_domain_again)
{
    world_make(world, "gpu");
    gboolean found = FALSE;
    g_autofree char *before = lvp_hypervisor_read_xml(world->hypervisor, WORLD_UUID, &found, NULL);
    undefine_behind_its_back();
    start();
    g_autofree char *after = lvp_hypervisor_read_xml(world->hypervisor, WORLD_UUID, &found, NULL);
    cr_assert_str_eq(before, after);
    cr_assert_eq(world_get_domain(world), LVP_DOMAIN_RUNNING);
}

/* ---- delete ---- */

static void
assert_domain_is_gone(gpointer data, ScriptedSource *source, const char *member)
{
    (void)source;
    if (strcmp(member, "rollback") == 0)
        cr_assert_eq(world_get_domain(data), LVP_DOMAIN_ABSENT);
}

Test(machine_operations, deleted_machine_leaves_nothing_and_gives_back_after_its_domain)
{
    world_make(world, "both");
    world->cards->hook = assert_domain_is_gone;
    world->cards->hook_data = world;
    delete_machine();
    world_assert_nothing_left(world);
    assert_contains(world->calls->str, "cards.rollback");
}

Test(machine_operations, stopped_machine_is_deleted)
{
    world_make(world, "both");
    stop(FALSE);
    delete_machine();
    world_assert_nothing_left(world);
}

Test(machine_operations, machine_whose_domain_was_undefined_is_deleted)
{
    world_make(world, "both");
    undefine_behind_its_back();
    delete_machine();
    world_assert_nothing_left(world);
}

Test(machine_operations, domain_of_the_same_uuid_that_is_not_ours_is_left_alone)
{
    world_make(world, "gpu");
    undefine_behind_its_back();
    world_define_foreign(world, "theirs", WORLD_UUID);
    delete_machine();
    cr_assert_eq(world_get_domain(world), LVP_DOMAIN_OFF);
    cr_assert_eq(world_count_free(world, GPU), 2);
}

Test(machine_operations, unit_that_cannot_be_put_back_is_quarantined)
{
    world_make(world, "both");
    world->cards->given_back = LVP_VERDICT_FAILED;
    world->cards->odd_unit = CARD_2;
    delete_machine();
    g_autofree char *first = world_explain(world, CARD_1);
    g_autofree char *second = world_explain(world, CARD_2);
    cr_assert_str_eq(first, "");
    cr_assert_str_eq(second, "is quarantined: it is made to stay");
    cr_assert_null(world_find(world, "vm1"));
}

Test(machine_operations, blocked_unit_keeps_the_machine_until_delete_works)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = world_create(world, "both");
    world->cards->given_back = LVP_VERDICT_BLOCKED;
    world->cards->odd_unit = CARD_2;
    cr_assert_not(lvp_machine_delete(&world->jobs, "vm1", FALSE, NULL, &error));
    assert_error(error, LVP_ERROR_BUSY);
    g_autofree char *reason = lvp_machine_dup_reason(machine);
    cr_assert_str_eq(lvp_machine_get_state(machine), "failed");
    cr_assert_str_eq(reason, "delete: " CARD_2 " cannot be given back yet: it is made to stay");
    cr_assert_eq(world_count_free(world, GPU), 0);
    world->cards->given_back = LVP_VERDICT_DONE;
    delete_machine();
    world_assert_nothing_left(world);
}

Test(machine_operations, unknown_machine_is_not_found)
{
    g_autoptr(GError) error = NULL;
    cr_assert_not(lvp_machine_delete(&world->jobs, "vm1", FALSE, NULL, &error));
    assert_error(error, LVP_ERROR_NOT_FOUND);
}

/* ---- a source that is not loaded ---- */

Test(machine_operations, start_and_delete_without_the_source_are_refused_and_name_it)
{
    g_autoptr(GError) start_error = NULL, delete_error = NULL;
    world_make(world, "gpu");
    stop(FALSE);
    g_ptr_array_remove(world->sources, world->cards->source);
    world_restart(world);
    cr_assert_not(lvp_machine_start(&world->jobs, "vm1", NULL, &start_error));
    assert_error(start_error, LVP_ERROR_CONFLICT);
    assert_contains(start_error->message, "source-missing: machine vm1 holds resources of source "
                                          "cards");
    cr_assert_not(lvp_machine_delete(&world->jobs, "vm1", FALSE, NULL, &delete_error));
    assert_error(delete_error, LVP_ERROR_CONFLICT);
    g_autofree char *held = world_explain(world, CARD_1);
    cr_assert_str_eq(held, "is held by vm1");
    cr_assert_eq(world_get_domain(world), LVP_DOMAIN_OFF, "nothing is begun");
}

Test(machine_operations, machine_is_deleted_when_its_source_is_back)
{
    world_make(world, "gpu");
    g_ptr_array_remove(world->sources, world->cards->source);
    world_restart(world);
    cr_assert_not(lvp_machine_delete(&world->jobs, "vm1", FALSE, NULL, NULL));
    cr_assert_eq(world_find(world, "vm1")->operation, LVP_OPERATION_NONE, "nothing is begun");
    g_ptr_array_add(world->sources, world->cards->source);
    world_restart(world);
    lvp_reconcile_all(&world->jobs);
    cr_assert_not_null(world_find(world, "vm1"), "what was refused is not done later");
    delete_machine();
    world_assert_nothing_left(world);
}

/* ---- release ---- */

/* CARD_1 is quarantined, CARD_2 free. */
static void
quarantine(void)
{
    world_make(world, "both");
    world->cards->given_back = LVP_VERDICT_FAILED;
    world->cards->odd_unit = CARD_1;
    delete_machine();
}

static gboolean
release(gboolean force, GError **error)
{
    return lvp_device_release(&world->jobs, CARD_1, force, error);
}

static void
assert_explained(const char *expected)
{
    g_autofree char *text = world_explain(world, CARD_1);
    cr_assert_str_eq(text, expected);
}

Test(machine_operations, released_device_is_put_back_and_free)
{
    g_autoptr(GError) error = NULL;
    quarantine();
    world->cards->given_back = LVP_VERDICT_DONE;
    cr_assert(release(FALSE, &error));
    assert_no_error(error);
    assert_explained("");
    world_assert_nothing_left(world);
}

Test(machine_operations, release_touches_no_other_unit_of_the_record)
{
    quarantine();
    world_make(world, "gpu");
    cr_assert(scripted_source_has_taken(world->cards, CARD_2));
    world->cards->given_back = LVP_VERDICT_DONE;
    cr_assert(release(FALSE, NULL));
    cr_assert(scripted_source_has_taken(world->cards, CARD_2));
}

Test(machine_operations, device_that_still_fails_stays_quarantined)
{
    g_autoptr(GError) error = NULL;
    quarantine();
    cr_assert_not(release(FALSE, &error));
    assert_error(error, LVP_ERROR_HOST);
    assert_contains(error->message, "--force");
    assert_explained("is quarantined: it is made to stay");
}

Test(machine_operations, forced_release_makes_it_free_as_it_is)
{
    quarantine();
    cr_assert(release(TRUE, NULL));
    assert_explained("");
}

Test(machine_operations, device_with_an_effect_in_flight_is_not_released_even_by_force)
{
    g_autoptr(GError) error = NULL;
    quarantine();
    world->cards->given_back = LVP_VERDICT_BLOCKED;
    cr_assert_not(release(TRUE, &error));
    assert_error(error, LVP_ERROR_BUSY);
    assert_explained("is quarantined: it is made to stay");
}

Test(machine_operations, device_that_is_not_quarantined_is_not_released)
{
    g_autoptr(GError) error = NULL;
    world_make(world, "gpu");
    cr_assert_not(release(TRUE, &error));
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    assert_explained("is held by vm1");
}

static void
say_nothing(gpointer self,
            GVariant *record,
            const char *only_unit,
            LvpOutcome *outcome,
            GCancellable *cancellable)
{
    (void)self;
    (void)record;
    (void)only_unit;
    (void)outcome;
    (void)cancellable;
}

Test(machine_operations, source_that_does_not_say_what_became_of_a_unit_has_failed)
{
    g_autoptr(GError) error = NULL;
    quarantine();
    world->cards->table->rollback = say_nothing;
    cr_assert_not(release(FALSE, &error));
    assert_explained("is quarantined: it is made to stay");
    world_make(world, "gpu");
    delete_machine();
    g_autofree char *second = world_explain(world, CARD_2);
    cr_assert_str_eq(second, "is quarantined: the source did not say what became of it");
}
