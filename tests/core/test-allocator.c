/* SPDX-License-Identifier: Apache-2.0 */
/* Reserving and operations; what lasts over rescans and restarts is in test-allocator-lasting.c. */
#include "assert-error.h"
#include "world.h"

#include <string.h>

#define UUID "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
#define LARGE "gpu.nvidia/ga100gl.rev.a1"

static World *world;

static void
set_up(void)
{
    world = world_new();
}

static void
tear_down(void)
{
    world_free(world);
}

TestSuite(allocator, .init = set_up, .fini = tear_down);

static LvpMachine *
reserve(const LvpCreateSpec *spec, gboolean *ret_existing)
{
    g_autoptr(GError) error = NULL;
    LvpMachine *machine = lvp_allocator_reserve(world->allocator, spec, ret_existing, &error);
    assert_no_error(error);
    return machine;
}

static void
assert_refused(const char *name, const char *class_name, int code, const char *expected)
{
    g_autofree char *message = NULL;
    LvpCreateSpec spec = world_make_spec(world, name, class_name);
    cr_assert_eq(world_refuse(world, &spec, &message), code, "%s", message);
    cr_assert_str_eq(message, expected);
}

static void
assert_explained(const char *unit, const char *expected)
{
    g_autofree char *text = world_explain(world, unit);
    cr_assert_str_eq(text, expected);
}

static void
assert_rows(const char *expected)
{
    g_autofree char *rows = world_query(world, "SELECT name, op, step, created FROM machine");
    cr_assert_str_eq(rows, expected);
}

/* ---- reserve ---- */

Test(allocator, reserved_machine_is_busy_holds_its_units_and_is_durable)
{
    g_autoptr(LvpMachine) machine = world_reserve(world, "vm1", "gpu");
    cr_assert(machine->busy);
    cr_assert_str_eq(lvp_machine_get_state(machine), "creating");
    cr_assert_eq(machine->holdings->len, 2);
    cr_assert_eq(world_count_free(world, "cpu"), 3000);
    cr_assert_eq(world_count_free(world, GPU), 1);
    assert_explained(CARD_1, "is held by vm1");
    assert_rows("vm1|1|1|0");
    g_autofree char *units = world_query(world, "SELECT id FROM held_unit");
    cr_assert_str_eq(units, CARD_1);
}

Test(allocator, uuid_is_made_where_none_is_given)
{
    g_autoptr(LvpMachine) machine = world_reserve(world, "vm1", "plain");
    cr_assert(lvp_machine_check_uuid(machine->uuid, NULL));
}

Test(allocator, reserve_that_the_journal_refuses_takes_nothing)
{
    world_fail_write(world, "INSERT ON machine");
    LvpCreateSpec spec = world_make_spec(world, "vm1", "gpu");
    g_autofree char *message = NULL;
    world_refuse(world, &spec, &message);
    assert_contains(message, "made to fail");
    cr_assert_null(world_find(world, "vm1"));
    cr_assert_eq(world_count_free(world, "cpu"), 4000);
    assert_explained(CARD_1, "");
    world_heal_writes(world);
    lvp_machine_unref(world_reserve(world, "vm1", "gpu"));
    assert_explained(CARD_1, "is held by vm1");
}

Test(allocator, plan_has_no_effect)
{
    g_autoptr(GError) error = NULL;
    LvpCreateSpec spec = world_make_spec(world, "vm1", "gpu");
    gboolean existing = TRUE;
    g_autoptr(LvpMachine) machine = lvp_allocator_plan(world->allocator, &spec, &existing, &error);
    assert_no_error(error);
    cr_assert_not(existing);
    cr_assert_eq(machine->holdings->len, 2);
    cr_assert_null(world_find(world, "vm1"));
    cr_assert_eq(world_count_free(world, GPU), 2);
    assert_rows("");
}

/* ---- the same create again ---- */

Test(allocator, same_create_by_uuid_answers_with_the_machine)
{
    gboolean existing = FALSE;
    LvpCreateSpec spec = world_make_spec(world, "vm1", "gpu");
    spec.uuid = UUID;
    g_autoptr(LvpMachine) first = reserve(&spec, &existing);
    cr_assert_not(existing);
    lvp_allocator_finish(world->allocator, first, NULL);
    g_autoptr(LvpMachine) second = reserve(&spec, &existing);
    cr_assert(existing);
    cr_assert_eq(first, second);
    cr_assert_not(second->busy);
    cr_assert_eq(world_count_free(world, GPU), 1);
}

Test(allocator, same_create_while_the_first_runs_is_busy)
{
    gboolean existing = FALSE;
    LvpCreateSpec spec = world_make_spec(world, "vm1", "gpu");
    spec.uuid = UUID;
    lvp_machine_unref(reserve(&spec, &existing));
    cr_assert_eq(world_refuse(world, &spec, NULL), LVP_ERROR_BUSY);
}

static int n_unfinished = 1000;

static gpointer
fail_to_finish(gpointer machine)
{
    while (g_atomic_int_get(&n_unfinished) > 0) {
        cr_assert_not(lvp_allocator_finish(world->allocator, machine, NULL));
        g_atomic_int_dec_and_test(&n_unfinished);
    }
    return NULL;
}

Test(allocator, same_create_is_busy_until_the_first_is_durable)
{
    gboolean existing = FALSE;
    LvpCreateSpec spec = world_make_spec(world, "vm1", "gpu");
    spec.uuid = UUID;
    g_autoptr(LvpMachine) machine = reserve(&spec, &existing);
    world_fail_write(world, "UPDATE ON machine");
    GThread *thread = g_thread_new("finish", fail_to_finish, machine);
    while (g_atomic_int_get(&n_unfinished) > 0)
        cr_assert_eq(world_refuse(world, &spec, NULL), LVP_ERROR_BUSY);
    g_thread_join(thread);
}

Test(allocator, same_create_while_the_machine_is_deleted_is_busy)
{
    g_autoptr(GError) error = NULL;
    gboolean existing = FALSE;
    LvpCreateSpec spec = world_make_spec(world, "vm1", "gpu");
    spec.uuid = UUID;
    g_autoptr(LvpMachine) first = reserve(&spec, &existing);
    lvp_allocator_finish(world->allocator, first, NULL);
    lvp_machine_unref(
        lvp_allocator_begin(world->allocator, "vm1", LVP_OPERATION_DELETE, FALSE, &error));
    assert_no_error(error);
    cr_assert_eq(world_refuse(world, &spec, NULL), LVP_ERROR_BUSY);
}

Test(allocator, same_uuid_with_other_arguments_exists)
{
    gboolean existing = FALSE;
    LvpCreateSpec spec = world_make_spec(world, "vm1", "gpu");
    spec.uuid = UUID;
    g_autoptr(LvpMachine) first = reserve(&spec, &existing);
    lvp_allocator_finish(world->allocator, first, NULL);
    g_autoptr(GVariant) labels =
        g_variant_parse(G_VARIANT_TYPE("a{ss}"), "{'a': 'b'}", NULL, NULL, NULL);
    LvpCreateSpec others[] = {spec, spec, spec, spec, spec};
    others[0].name = "vm2";
    others[1].class_name = "plain";
    others[2].template_xml = "<domain/>";
    others[3].labels = labels;
    others[4].annotations = labels;
    for (guint i = 0; i < G_N_ELEMENTS(others); i++)
        cr_assert_eq(world_refuse(world, &others[i], NULL), LVP_ERROR_EXISTS, "case %u", i);
    cr_assert_eq(world_count_free(world, GPU), 1);
}

Test(allocator, taken_name_exists)
{
    world_hold(world, "vm1", "plain");
    assert_refused("vm1", "plain", LVP_ERROR_EXISTS,
                   "a machine named vm1 exists already: choose another name, or delete it first");
}

/* ---- refusals ---- */

Test(allocator, unknown_class_names_those_that_there_are)
{
    assert_refused("vm1", "huge", LVP_ERROR_NOT_FOUND,
                   "no machine class 'huge'; there are: plain, gpu, both");
}

Test(allocator, unknown_class_without_any_names_the_flag)
{
    world_set_classes(world, "[]");
    world_install(world);
    assert_refused("vm1", "huge", LVP_ERROR_NOT_FOUND,
                   "no machine class 'huge'; there are: none (see --supported-machine-classes)");
}

Test(allocator, refusal_says_what_is_short_and_who_has_it)
{
    scripted_source_remove_unit(world->cards, CARD_1);
    scripted_source_remove_unit(world->cards, CARD_2);
    scripted_source_add_unit(world->cards, LARGE, CARD_1, "a100", 0);
    world_set_classes(world, "- {name: gpu-small, capabilities: {cpu: 2, " LARGE ": 1}}");
    world_install(world);
    world_hold(world, "vm1", "gpu-small");
    assert_refused("vm2", "gpu-small", LVP_ERROR_NO_CAPACITY,
                   "no capacity for class gpu-small: needs 1 " LARGE ", 0 of 1 free (" CARD_1
                   " is held by vm1)");
}

Test(allocator, refused_machine_takes_nothing_of_what_would_fit)
{
    world_hold(world, "vm1", "gpu");
    assert_refused("vm2", "both", LVP_ERROR_NO_CAPACITY,
                   "no capacity for class both: needs 2 " GPU ", 1 of 2 free (" CARD_1
                   " is held by vm1)");
    cr_assert_eq(world_count_free(world, "cpu"), 3000);
    assert_explained(CARD_2, "");
}

Test(allocator, class_naming_an_unknown_resource_is_listed_with_the_reason)
{
    world_set_classes(world, "- {name: fpga, capabilities: {cpu: 1, fpga.xilinx/u50: 1}}");
    world_install(world);
    assert_refused("vm1", "fpga", LVP_ERROR_NO_CAPACITY,
                   "no capacity for class fpga: no source offers fpga.xilinx/u50");
}

Test(allocator, class_comes_to_life_when_its_resource_appears)
{
    world_set_classes(world, "- {name: fpga, capabilities: {fpga.xilinx/u50: 1}}");
    world_install(world);
    scripted_source_add_unit(world->cards, "fpga.xilinx/u50", "0000:5e:00.0", "u50", 0);
    world_install(world);
    world_hold(world, "vm1", "fpga");
    assert_explained("0000:5e:00.0", "is held by vm1");
}

Test(allocator, machines_over_the_limit_are_refused)
{
    world->vm_limit = 1;
    world_install(world);
    world_hold(world, "vm1", "plain");
    assert_refused("vm2", "plain", LVP_ERROR_NO_CAPACITY,
                   "no capacity for class plain: vm-limit: 1 of at most 1 machines exist");
}

static gboolean
double_memory(gpointer self, LvpRequest *request, GError **error)
{
    (void)self;
    if (lvp_request_get_amount(request, "cpu") > 2000) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "too many cpus");
        return FALSE;
    }
    lvp_request_set_amount(request, "memory", 2 * lvp_request_get_amount(request, "memory"));
    return TRUE;
}

Test(allocator, normalized_request_is_what_is_held)
{
    world->cores->table->normalize = double_memory;
    world_install(world);
    g_autoptr(LvpMachine) machine = world_add(world, "vm1", "plain");
    cr_assert_eq(lvp_request_get_amount(machine->request, "memory"), G_GINT64_CONSTANT(2) << 30);
    cr_assert_eq(world_count_free(world, "memory"), G_GINT64_CONSTANT(6) << 30);
}

Test(allocator, class_that_a_source_refuses_has_its_reason)
{
    world->cores->table->normalize = double_memory;
    world_set_classes(world, "- {name: wide, capabilities: {cpu: 3}}");
    world_install(world);
    assert_refused("vm1", "wide", LVP_ERROR_NO_CAPACITY,
                   "no capacity for class wide: source cores: too many cpus");
}

/* ---- operations ---- */

static LvpMachine *
begin(LvpOperation operation, GError **error)
{
    return lvp_allocator_begin(world->allocator, "vm1", operation, FALSE, error);
}

Test(allocator, operation_begins_by_name_or_uuid_and_is_durable)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = world_add(world, "vm1", "plain");
    g_autoptr(LvpMachine) again =
        lvp_allocator_begin(world->allocator, machine->uuid, LVP_OPERATION_STOP, FALSE, &error);
    cr_assert_eq(machine, again);
    cr_assert(machine->busy);
    assert_rows("vm1|3|3|1");
}

Test(allocator, second_operation_is_busy)
{
    g_autoptr(GError) error = NULL;
    world_hold(world, "vm1", "plain");
    lvp_machine_unref(begin(LVP_OPERATION_STOP, NULL));
    cr_assert_null(begin(LVP_OPERATION_DELETE, &error));
    assert_error(error, LVP_ERROR_BUSY);
    assert_contains(error->message, "busy with stop");
}

Test(allocator, operation_on_an_unknown_machine_is_not_found)
{
    g_autoptr(GError) error = NULL;
    cr_assert_null(begin(LVP_OPERATION_START, &error));
    assert_error(error, LVP_ERROR_NOT_FOUND);
}

Test(allocator, operation_that_the_journal_refuses_does_not_begin)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = world_add(world, "vm1", "plain");
    world_fail_write(world, "UPDATE ON machine");
    cr_assert_null(begin(LVP_OPERATION_DELETE, &error));
    assert_contains(error->message, "made to fail");
    cr_assert_not(machine->busy);
    cr_assert_eq(machine->operation, LVP_OPERATION_NONE);
    cr_assert_eq(machine->desired, LVP_DESIRED_RUNNING);
}

Test(allocator, machine_that_failed_can_only_be_deleted)
{
    g_autoptr(GError) error = NULL, why = NULL;
    g_autoptr(LvpMachine) machine = world_reserve(world, "vm1", "plain");
    g_set_error(&why, LVP_ERROR, LVP_ERROR_HOST, "stuck");
    lvp_allocator_fail(world->allocator, machine, why, TRUE);
    cr_assert_str_eq(lvp_machine_get_state(machine), "failed");
    cr_assert_null(begin(LVP_OPERATION_START, &error));
    assert_error(error, LVP_ERROR_CONFLICT);
    assert_contains(error->message, "delete it");
    g_autoptr(LvpMachine) again = begin(LVP_OPERATION_DELETE, NULL);
    cr_assert_eq(again, machine);
}

Test(allocator, finish_that_the_journal_refuses_leaves_the_machine_to_its_job)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = world_reserve(world, "vm1", "plain");
    world_fail_write(world, "UPDATE ON machine");
    cr_assert_not(lvp_allocator_finish(world->allocator, machine, &error));
    cr_assert_not_null(error);
    cr_assert(machine->busy);
    cr_assert_not(machine->created);
    cr_assert_eq(machine->operation, LVP_OPERATION_CREATE);
}

Test(allocator, removed_machine_gives_all_back)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = world_reserve(world, "vm1", "both");
    lvp_allocator_remove(world->allocator, machine, NULL, &error);
    assert_no_error(error);
    cr_assert_null(world_find(world, "vm1"));
    cr_assert_eq(world_count_free(world, GPU), 2);
    cr_assert_eq(world_count_free(world, "cpu"), 4000);
    assert_rows("");
}

Test(allocator, remove_that_the_journal_refuses_keeps_all)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = world_reserve(world, "vm1", "both");
    world_fail_write(world, "DELETE ON machine");
    cr_assert_not(lvp_allocator_remove(world->allocator, machine, NULL, &error));
    cr_assert_eq(world_find(world, "vm1"), machine);
    cr_assert_eq(world_count_free(world, GPU), 0);
    cr_assert(machine->busy);
}

Test(allocator, resume_takes_what_is_under_way_and_idle_only)
{
    g_autoptr(LvpMachine) resting = world_add(world, "vm1", "plain");
    g_autoptr(LvpMachine) running = world_reserve(world, "vm2", "plain");
    LvpAllocator *allocator = world->allocator;
    const LvpOperation create = LVP_OPERATION_CREATE;
    cr_assert_null(lvp_allocator_resume(allocator, resting->uuid, create), "it is over");
    cr_assert_null(lvp_allocator_resume(allocator, running->uuid, create), "a job has it");
    cr_assert_null(lvp_allocator_resume(allocator, UUID, create));
    running->busy = FALSE;
    g_autoptr(LvpMachine) resumed = lvp_allocator_resume(allocator, running->uuid, create);
    cr_assert_eq(resumed, running);
    cr_assert(running->busy);
}
