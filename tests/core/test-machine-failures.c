/* SPDX-License-Identifier: Apache-2.0 */
/* A create that fails at each of its steps gives everything back. */
#include "assert-error.h"
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

TestSuite(machine_failures, .init = set_up, .fini = tear_down);

static LvpCreateSpec
make_spec(void)
{
    LvpCreateSpec spec = world_make_spec(world, "vm1", "both");
    spec.uuid = WORLD_UUID;
    return spec;
}

/* The create fails with PART in its text. */
static void
fail(const LvpCreateSpec *spec, const LvpProgress *progress, const char *part)
{
    g_autoptr(GError) error = NULL;
    cr_assert_null(lvp_machine_create(&world->jobs, spec, progress, &error));
    cr_assert_not_null(error);
    assert_contains(error->message, part);
    cr_assert_null(strstr(error->message, "not all could be taken back"), "%s", error->message);
}

/* It works now, so nothing that the failure left is in the way. */
static void
assert_works_again(void)
{
    world_assert_nothing_left(world);
    world->cards->fail_at = NULL;
    world->cores->fail_at = NULL;
    g_autoptr(LvpMachine) machine = world_create(world, "both");
    cr_assert_str_eq(lvp_machine_get_state(machine), "running");
}

static void
assert_member_fails_cleanly(ScriptedSource *source, const char *member)
{
    LvpCreateSpec spec = make_spec();
    source->fail_at = member;
    fail(&spec, NULL, "made to fail");
    assert_works_again();
}

static void
assert_write_fails_cleanly(const char *when)
{
    LvpCreateSpec spec = make_spec();
    world_fail_write(world, when);
    fail(&spec, NULL, "made to fail");
    world_heal_writes(world);
    assert_works_again();
}

/* ---- sources ---- */

Test(machine_failures, prepare_that_fails_gives_all_back)
{
    assert_member_fails_cleanly(world->cards, "prepare");
}

Test(machine_failures, commit_that_fails_half_way_gives_all_back)
{
    assert_member_fails_cleanly(world->cards, "commit");
    cr_assert_not_null(strstr(world->calls->str, "cards.commit cards.rollback"), "%s",
                       world->calls->str);
}

Test(machine_failures, part_of_the_domain_that_fails_gives_all_back)
{
    assert_member_fails_cleanly(world->cards, "contribute_xml");
}

Test(machine_failures, part_of_an_earlier_source_that_fails_gives_all_back)
{
    assert_member_fails_cleanly(world->cores, "contribute_xml");
}

Test(machine_failures, error_names_the_source_and_the_step)
{
    LvpCreateSpec spec = make_spec();
    world->cards->fail_at = "commit";
    fail(&spec, NULL, "source cards: commit is made to fail after " CARD_1);
}

/* ---- the journal ---- */

Test(machine_failures, reserve_that_is_not_written_takes_nothing)
{
    assert_write_fails_cleanly("INSERT ON machine");
}

Test(machine_failures, records_that_are_not_written_are_not_committed)
{
    LvpCreateSpec spec = make_spec();
    world_fail_write(world, "INSERT ON record");
    fail(&spec, NULL, "made to fail");
    cr_assert_null(strstr(world->calls->str, "cards.commit"), "%s", world->calls->str);
    world_heal_writes(world);
    assert_works_again();
}

Test(machine_failures, step_prepared_that_is_not_written_gives_all_back)
{
    assert_write_fails_cleanly("UPDATE ON machine WHEN NEW.step = 2");
}

Test(machine_failures, step_committed_that_is_not_written_gives_all_back)
{
    assert_write_fails_cleanly("UPDATE ON machine WHEN NEW.step = 3");
}

Test(machine_failures, acknowledgement_that_is_not_written_gives_all_back)
{
    assert_write_fails_cleanly("UPDATE ON machine WHEN NEW.created = 1");
}

/* ---- libvirt ---- */

Test(machine_failures, domain_that_libvirt_refuses_gives_all_back)
{
    LvpCreateSpec spec = make_spec();
    /* Valid by the schema, which knows no doubles. */
    spec.template_xml = "<domain><os><type>hvm</type></os><devices>"
                        "<disk type='file'><source file='/a'/><target dev='vda'/></disk>"
                        "<disk type='file'><source file='/b'/><target dev='vda'/></disk>"
                        "</devices></domain>";
    fail(&spec, NULL, "libvirt cannot define the domain: ");
    assert_works_again();
}

Test(machine_failures, domain_that_is_not_valid_gives_all_back)
{
    LvpCreateSpec spec = make_spec();
    spec.template_xml = "<domain><unknown/></domain>";
    fail(&spec, NULL, "not valid by libvirt's schema");
    assert_works_again();
}

/* Takes the domain away just before it is started. */
static void
undefine_before_start(gpointer data, const char *text)
{
    World *self = data;
    if (strcmp(text, "starting the domain") == 0)
        lvp_hypervisor_undefine(self->hypervisor, WORLD_UUID, FALSE, NULL);
}

Test(machine_failures, domain_that_does_not_start_gives_all_back)
{
    LvpCreateSpec spec = make_spec();
    const LvpProgress progress = {undefine_before_start, world};
    fail(&spec, &progress, "libvirt has no domain " WORLD_UUID);
    assert_works_again();
}

static void
start_before_start(gpointer data, const char *text)
{
    World *self = data;
    if (strcmp(text, "starting the domain") == 0)
        world_fail_write(self, "UPDATE ON machine WHEN NEW.created = 1");
}

Test(machine_failures, domain_that_runs_already_is_ended_when_the_create_fails)
{
    LvpCreateSpec spec = make_spec();
    const LvpProgress progress = {start_before_start, world};
    fail(&spec, &progress, "made to fail");
    world_heal_writes(world);
    world_assert_nothing_left(world);
}

/* ---- what cannot be given back ---- */

/* Fails in the commit and then in giving back ODD_UNIT. */
static char *
fail_twice(LvpVerdict verdict, const char *odd_unit)
{
    g_autoptr(GError) error = NULL;
    LvpCreateSpec spec = make_spec();
    world->cards->fail_at = "contribute_xml";
    world->cards->given_back = verdict;
    world->cards->odd_unit = odd_unit;
    cr_assert_null(lvp_machine_create(&world->jobs, &spec, NULL, &error));
    cr_assert_not_null(error);
    return g_strdup(error->message);
}

Test(machine_failures, unit_that_cannot_be_put_back_is_quarantined_and_the_others_are_free)
{
    g_autofree char *message = fail_twice(LVP_VERDICT_FAILED, CARD_1);
    g_autofree char *first = world_explain(world, CARD_1);
    g_autofree char *second = world_explain(world, CARD_2);
    assert_contains(message, "contribute_xml is made to fail \xef\xbf\xbd");
    cr_assert_str_eq(first, "is quarantined: it is made to stay");
    cr_assert_str_eq(second, "");
    cr_assert_null(world_find(world, "vm1"));
    g_autofree char *marks = world_query(world, "SELECT id, quarantine FROM unit_mark");
    cr_assert_str_eq(marks, CARD_1 "|it is made to stay");
}

Test(machine_failures, records_that_could_not_be_written_are_not_rolled_back_from_later)
{
    g_autoptr(GError) error = NULL;
    LvpCreateSpec spec = make_spec();
    world_execute(world, "CREATE TRIGGER no_records BEFORE INSERT ON record BEGIN SELECT "
                         "RAISE(ABORT, 'no records'); END; CREATE TRIGGER no_removal BEFORE DELETE "
                         "ON machine BEGIN SELECT RAISE(ABORT, 'no removal'); END");
    cr_assert_null(lvp_machine_create(&world->jobs, &spec, NULL, &error));
    assert_contains(error->message, "no records");
    cr_assert_eq(world_find(world, "vm1")->step, LVP_STEP_RESERVED);
    world_execute(world, "DROP TRIGGER no_records; DROP TRIGGER no_removal");
    g_string_truncate(world->calls, 0);
    lvp_reconcile_all(&world->jobs);
    cr_assert_str_eq(world->calls->str, "", "%s", world->calls->str);
    world_assert_nothing_left(world);
}

Test(machine_failures, blocked_unit_keeps_the_machine_as_failed)
{
    g_autofree char *message = fail_twice(LVP_VERDICT_BLOCKED, CARD_1);
    assert_contains(message, "not all could be taken back");
    assert_contains(message, CARD_1 " cannot be given back yet: it is made to stay");
    assert_contains(message, "first: ");
    LvpMachine *machine = world_find(world, "vm1");
    cr_assert_str_eq(lvp_machine_get_state(machine), "failed");
    cr_assert_not(machine->busy);
    cr_assert_eq(world_count_free(world, GPU), 0, "all its units stay held");
    g_autofree char *row = world_query(world, "SELECT op, created, error FROM machine");
    assert_contains(row, "1|0|" CARD_1 " cannot be given back yet");
}

Test(machine_failures, delete_of_a_machine_that_was_blocked_works_later)
{
    g_autoptr(GError) error = NULL, again = NULL;
    g_free(fail_twice(LVP_VERDICT_BLOCKED, CARD_1));
    cr_assert_not(lvp_machine_delete(&world->jobs, "vm1", FALSE, NULL, &error));
    assert_error(error, LVP_ERROR_BUSY);
    world->cards->given_back = LVP_VERDICT_DONE;
    lvp_machine_delete(&world->jobs, "vm1", FALSE, NULL, &again);
    assert_no_error(again);
    assert_works_again();
}

Test(machine_failures, machine_whose_removal_is_not_written_stays_and_can_be_deleted)
{
    g_autoptr(GError) error = NULL, again = NULL;
    LvpCreateSpec spec = make_spec();
    world->cards->fail_at = "commit";
    world_fail_write(world, "DELETE ON machine");
    cr_assert_null(lvp_machine_create(&world->jobs, &spec, NULL, &error));
    assert_contains(error->message, "not all could be taken back");
    cr_assert_eq(world_count_free(world, GPU), 0);
    world_heal_writes(world);
    lvp_machine_delete(&world->jobs, "vm1", FALSE, NULL, &again);
    assert_no_error(again);
    assert_works_again();
}

/* ---- at the same time ---- */

static void
try_to_delete(gpointer data, ScriptedSource *source, const char *member)
{
    (void)source;
    g_autoptr(GError) error = NULL;
    if (strcmp(member, "commit") != 0)
        return;
    cr_assert_not(lvp_machine_delete(data, "vm1", FALSE, NULL, &error));
    assert_error(error, LVP_ERROR_BUSY);
    assert_contains(error->message, "busy with create");
}

Test(machine_failures, other_operation_during_a_create_is_busy)
{
    world->cards->hook = try_to_delete;
    world->cards->hook_data = &world->jobs;
    g_autoptr(LvpMachine) machine = world_create(world, "gpu");
    cr_assert_str_eq(lvp_machine_get_state(machine), "running");
    assert_contains(world->calls->str, "cards.commit");
}
