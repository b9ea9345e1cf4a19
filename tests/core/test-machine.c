/* SPDX-License-Identifier: Apache-2.0 */
#include "assert-error.h"
#include "machine.h"

#include <string.h>

#define UUID "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"

static LvpMachine *
make_machine(LvpOperation operation, LvpDomainState domain)
{
    LvpMachine *machine = lvp_machine_new(UUID, "vm1", "gpu");
    machine->operation = operation;
    machine->domain = domain;
    machine->created = operation != LVP_OPERATION_CREATE;
    return machine;
}

static void
assert_state(LvpOperation operation, LvpDomainState domain, const char *expected)
{
    g_autoptr(LvpMachine) machine = make_machine(operation, domain);
    cr_assert_str_eq(lvp_machine_get_state(machine), expected);
}

/* ---- names and uuids ---- */

static void
assert_name_refused(const char *name)
{
    g_autoptr(GError) error = NULL;
    cr_assert_not(lvp_machine_check_name(name, &error), "'%s' is taken", name);
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    cr_assert(g_utf8_validate(error->message, -1, NULL), "the text goes over D-Bus");
}

Test(machine, names_of_allowed_characters_are_taken)
{
    g_autofree char *longest = g_strnfill(64, 'x');
    cr_assert(lvp_machine_check_name("a", NULL));
    cr_assert(lvp_machine_check_name("VM_1.test-2", NULL));
    cr_assert(lvp_machine_check_name("-", NULL));
    cr_assert(lvp_machine_check_name(longest, NULL));
}

Test(machine, other_names_are_refused)
{
    g_autofree char *too_long = g_strnfill(65, 'x');
    assert_name_refused("");
    assert_name_refused(".");
    assert_name_refused(".hidden");
    assert_name_refused("a b");
    assert_name_refused("a/b");
    assert_name_refused("a\nb");
    assert_name_refused("\xc3\xa9");
    assert_name_refused(too_long);
}

Test(machine, refused_name_is_cut_between_characters)
{
    g_autofree char *filled = g_strnfill(79, 'x');
    g_autofree char *name = g_strconcat(filled, "\xc3\xa9", NULL);
    assert_name_refused(name);
}

static void
assert_uuid_refused(const char *uuid)
{
    g_autoptr(GError) error = NULL;
    cr_assert_not(lvp_machine_check_uuid(uuid, &error), "'%s' is taken", uuid);
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    cr_assert(g_utf8_validate(error->message, -1, NULL), "the text goes over D-Bus");
}

Test(machine, uuid_in_lower_case_is_taken)
{
    g_autoptr(GError) error = NULL;
    cr_assert(lvp_machine_check_uuid(UUID, &error));
    assert_no_error(error);
}

Test(machine, other_uuids_are_refused)
{
    assert_uuid_refused("");
    assert_uuid_refused("4DEA22B3-1D52-D8F3-2516-782E98AB3FA0");
    assert_uuid_refused("4dea22b31d52d8f32516782e98ab3fa0");
    assert_uuid_refused(UUID "0");
    assert_uuid_refused("00000000-0000-0000-0000-000000000000");
    assert_uuid_refused("vm1");
}

Test(machine, refused_uuid_is_cut_between_characters)
{
    g_autofree char *filled = g_strnfill(79, 'x');
    g_autofree char *uuid = g_strconcat(filled, "\xc3\xa9", NULL);
    assert_uuid_refused(uuid);
}

/* ---- the words of the API ---- */

Test(machine, state_of_a_machine_at_rest_is_that_of_its_domain)
{
    assert_state(LVP_OPERATION_NONE, LVP_DOMAIN_RUNNING, "running");
    assert_state(LVP_OPERATION_NONE, LVP_DOMAIN_PAUSED, "paused");
    assert_state(LVP_OPERATION_NONE, LVP_DOMAIN_OFF, "stopped");
    assert_state(LVP_OPERATION_NONE, LVP_DOMAIN_ABSENT, "orphaned");
}

Test(machine, state_during_an_operation_is_that_operation)
{
    assert_state(LVP_OPERATION_CREATE, LVP_DOMAIN_RUNNING, "creating");
    assert_state(LVP_OPERATION_STOP, LVP_DOMAIN_RUNNING, "stopping");
    assert_state(LVP_OPERATION_DELETE, LVP_DOMAIN_OFF, "deleting");
    assert_state(LVP_OPERATION_START, LVP_DOMAIN_OFF, "stopped");
}

Test(machine, state_without_libvirt_is_what_was_wished)
{
    g_autoptr(LvpMachine) machine = make_machine(LVP_OPERATION_NONE, LVP_DOMAIN_UNKNOWN);
    cr_assert_str_eq(lvp_machine_get_state(machine), "running");
    machine->desired = LVP_DESIRED_OFF;
    cr_assert_str_eq(lvp_machine_get_state(machine), "stopped");
    g_autofree char *reason = lvp_machine_dup_reason(machine);
    assert_contains(reason, "libvirt does not answer");
}

Test(machine, machine_with_an_error_has_failed_and_says_in_what)
{
    g_autoptr(LvpMachine) machine = make_machine(LVP_OPERATION_DELETE, LVP_DOMAIN_OFF);
    machine->error = g_strdup("0000:3b:00.0 cannot be given back yet");
    g_autofree char *reason = lvp_machine_dup_reason(machine);
    cr_assert_str_eq(lvp_machine_get_state(machine), "failed");
    cr_assert_str_eq(reason, "delete: 0000:3b:00.0 cannot be given back yet");
}

Test(machine, busy_machine_has_not_failed_though_it_did_before)
{
    g_autoptr(LvpMachine) machine = make_machine(LVP_OPERATION_DELETE, LVP_DOMAIN_OFF);
    machine->error = g_strdup("before");
    machine->busy = TRUE;
    g_autofree char *reason = lvp_machine_dup_reason(machine);
    cr_assert_str_eq(lvp_machine_get_state(machine), "deleting");
    cr_assert_null(reason);
}

Test(machine, orphaned_machine_says_what_to_do)
{
    g_autoptr(LvpMachine) machine = make_machine(LVP_OPERATION_NONE, LVP_DOMAIN_ABSENT);
    g_autofree char *reason = lvp_machine_dup_reason(machine);
    assert_contains(reason, "start it, or create it again with the same uuid");
}

Test(machine, running_machine_needs_no_reason)
{
    g_autoptr(LvpMachine) machine = make_machine(LVP_OPERATION_NONE, LVP_DOMAIN_RUNNING);
    cr_assert_null(lvp_machine_dup_reason(machine));
}

Test(machine, units_of_a_create_are_reserved_then_binding_then_bound)
{
    g_autoptr(LvpMachine) machine = make_machine(LVP_OPERATION_CREATE, LVP_DOMAIN_UNKNOWN);
    machine->step = LVP_STEP_RESERVED;
    cr_assert_str_eq(lvp_machine_get_unit_state(machine), "reserved");
    machine->step = LVP_STEP_PREPARED;
    cr_assert_str_eq(lvp_machine_get_unit_state(machine), "binding");
    machine->step = LVP_STEP_COMMITTED;
    cr_assert_str_eq(lvp_machine_get_unit_state(machine), "bound");
}

Test(machine, units_are_in_use_while_the_domain_runs_and_returning_in_a_delete)
{
    g_autoptr(LvpMachine) machine = make_machine(LVP_OPERATION_NONE, LVP_DOMAIN_RUNNING);
    cr_assert_str_eq(lvp_machine_get_unit_state(machine), "in-use");
    machine->domain = LVP_DOMAIN_PAUSED;
    cr_assert_str_eq(lvp_machine_get_unit_state(machine), "in-use");
    machine->domain = LVP_DOMAIN_OFF;
    cr_assert_str_eq(lvp_machine_get_unit_state(machine), "bound");
    machine->operation = LVP_OPERATION_DELETE;
    cr_assert_str_eq(lvp_machine_get_unit_state(machine), "returning");
}

Test(machine, every_value_has_a_name)
{
    cr_assert_str_eq(lvp_operation_get_name(LVP_OPERATION_NONE), "");
    cr_assert_str_eq(lvp_operation_get_name(LVP_OPERATION_DELETE), "delete");
    cr_assert_str_eq(lvp_step_get_name(LVP_STEP_NONE), "");
    cr_assert_str_eq(lvp_step_get_name(LVP_STEP_COMMITTED), "committed");
    cr_assert_str_eq(lvp_desired_get_name(LVP_DESIRED_RUNNING), "running");
    cr_assert_str_eq(lvp_desired_get_name(LVP_DESIRED_ABSENT), "absent");
}

Test(machine, holding_is_found_by_its_source)
{
    g_autoptr(LvpMachine) machine = make_machine(LVP_OPERATION_NONE, LVP_DOMAIN_OFF);
    g_ptr_array_add(machine->holdings, lvp_holding_new(UUID, "cpu"));
    g_ptr_array_add(machine->holdings, lvp_holding_new(UUID, "pci"));
    cr_assert_str_eq(lvp_machine_find_holding(machine, "pci")->source, "pci");
    cr_assert_null(lvp_machine_find_holding(machine, "memory"));
}

Test(machine, unref_accepts_null) { lvp_machine_unref(NULL); }
