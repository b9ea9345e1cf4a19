/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <criterion/criterion.h>
#include <string.h>

static LvpRequest *
new_small_request(void)
{
    LvpRequest *request = lvp_request_new();
    lvp_request_set_amount(request, "cpu", 2000);
    lvp_request_set_amount(request, "memory", G_GINT64_CONSTANT(4) << 30);
    return request;
}

/* ---- request ---- */

Test(request, what_is_not_named_is_zero)
{
    g_autoptr(LvpRequest) request = new_small_request();
    cr_assert_eq(lvp_request_get_amount(request, "gpu.nvidia/a100"), 0);
}

Test(request, resources_keep_their_order)
{
    g_autoptr(LvpRequest) request = new_small_request();
    lvp_request_set_amount(request, "a.first/one", 1);
    cr_assert_eq(lvp_request_get_length(request), 3);
    cr_assert_str_eq(lvp_request_get_resource(request, 0), "cpu");
    cr_assert_str_eq(lvp_request_get_resource(request, 1), "memory");
    cr_assert_str_eq(lvp_request_get_resource(request, 2), "a.first/one");
}

Test(request, amount_set_again_is_replaced_in_place)
{
    g_autoptr(LvpRequest) request = new_small_request();
    lvp_request_set_amount(request, "cpu", 500);
    cr_assert_eq(lvp_request_get_length(request), 2);
    cr_assert_eq(lvp_request_get_amount(request, "cpu"), 500);
    cr_assert_str_eq(lvp_request_get_resource(request, 0), "cpu");
}

Test(request, amount_zero_removes)
{
    g_autoptr(LvpRequest) request = new_small_request();
    lvp_request_set_amount(request, "cpu", 0);
    lvp_request_set_amount(request, "gpu.nvidia/a100", 0);
    cr_assert_eq(lvp_request_get_length(request), 1);
    cr_assert_str_eq(lvp_request_get_resource(request, 0), "memory");
}

Test(request, copy_is_independent)
{
    g_autoptr(LvpRequest) request = new_small_request();
    g_autoptr(LvpRequest) copy = lvp_request_copy(request);
    cr_assert(lvp_request_equal(copy, request));
    lvp_request_set_amount(copy, "cpu", 1);
    cr_assert_eq(lvp_request_get_amount(request, "cpu"), 2000);
    cr_assert_eq(lvp_request_get_amount(copy, "memory"), G_GINT64_CONSTANT(4) << 30);
}

Test(request, order_does_not_matter_for_equality)
{
    g_autoptr(LvpRequest) request = new_small_request();
    g_autoptr(LvpRequest) turned = lvp_request_new();
    lvp_request_set_amount(turned, "memory", G_GINT64_CONSTANT(4) << 30);
    lvp_request_set_amount(turned, "cpu", 2000);
    cr_assert(lvp_request_equal(request, turned));
}

Test(request, another_amount_or_resource_is_not_equal)
{
    g_autoptr(LvpRequest) request = new_small_request();
    g_autoptr(LvpRequest) other = lvp_request_copy(request);
    lvp_request_set_amount(other, "memory", 2001);
    cr_assert_not(lvp_request_equal(request, other));
    g_autoptr(LvpRequest) more = lvp_request_copy(request);
    lvp_request_set_amount(more, "gpu.nvidia/a100", 1);
    cr_assert_not(lvp_request_equal(request, more));
    cr_assert_not(lvp_request_equal(more, request));
    lvp_request_set_amount(more, "cpu", 0);
    cr_assert_not(lvp_request_equal(request, more));
}

Test(request, text_is_as_a_person_would_write_it)
{
    g_autoptr(LvpRequest) request = new_small_request();
    g_autoptr(LvpRequest) empty = lvp_request_new();
    g_autofree char *text = lvp_request_to_text(request);
    g_autofree char *nothing = lvp_request_to_text(empty);
    cr_assert_str_eq(text, "cpu=2 memory=4Gi");
    cr_assert_str_eq(nothing, "");
}

/* ---- view and plan ---- */

static const char SEEN[] = "what the core handed in";

static gint64
answer_free(gconstpointer data, const char *resource, int node)
{
    return data == SEEN && strcmp(resource, "cpu") == 0 ? node + 100 : -1;
}

static const char *
answer_unit(gconstpointer data, const char *resource, int node, guint index)
{
    (void)resource;
    return data == SEEN && node == 1 && index == 0 ? "0000:3b:00.0" : NULL;
}

Test(request, view_is_answered_by_the_core)
{
    LvpView view = {.get_free = answer_free, .get_unit = answer_unit, .data = SEEN};
    cr_assert_eq(lvp_view_get_free(&view, "cpu", 7), 107);
    cr_assert_str_eq(lvp_view_get_unit(&view, "gpu.nvidia/a100", 1, 0), "0000:3b:00.0");
    cr_assert_null(lvp_view_get_unit(&view, "gpu.nvidia/a100", 1, 1));
}

static gboolean
take_unit(gpointer data, const char *resource, const char *id)
{
    g_ptr_array_add(data, g_strconcat(resource, "=", id, NULL));
    return ((GPtrArray *)data)->len == 1;
}

Test(request, plan_says_whether_the_core_gave_it)
{
    g_autoptr(GPtrArray) taken = g_ptr_array_new_with_free_func(g_free);
    LvpPlan plan = {.take_unit = take_unit, .data = taken};
    cr_assert(lvp_plan_take_unit(&plan, "gpu.nvidia/a100", "0000:3b:00.0"));
    cr_assert_not(lvp_plan_take_unit(&plan, "gpu.nvidia/a100", "0000:3b:00.0"));
    cr_assert_str_eq(g_ptr_array_index(taken, 0), "gpu.nvidia/a100=0000:3b:00.0");
}

/* ---- holding ---- */

Test(request, held_amount_is_the_sum_over_nodes)
{
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "memory");
    lvp_holding_add_amount(holding, "memory", 0, 3);
    lvp_holding_add_amount(holding, "memory", 1, 4);
    lvp_holding_add_amount(holding, "hugepages", 1, 8);
    cr_assert_eq(lvp_holding_get_amount(holding, "memory"), 7);
    cr_assert_eq(lvp_holding_get_amount(holding, "cpu"), 0);
}

Test(request, holding_names_machine_and_units)
{
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "pci");
    char id[] = "0000:3b:00.0";
    lvp_holding_add_unit(holding, "gpu.nvidia/a100", id, "10de:20b7", 0);
    lvp_holding_add_unit(holding, "gpu.nvidia/a100", "0000:af:00.0", "10de:20b7", 1);
    id[0] = 'x';
    cr_assert_str_eq(lvp_holding_get_machine(holding), "uuid");
    cr_assert_str_eq(holding->source, "pci");
    cr_assert_eq(lvp_holding_get_n_units(holding), 2);
    cr_assert_str_eq(lvp_holding_get_unit_id(holding, 0), "0000:3b:00.0");
    cr_assert_str_eq(lvp_holding_get_unit_identity(holding, 1), "10de:20b7");
}

Test(request, holding_lets_go_of_its_record)
{
    g_autoptr(GVariant) record = g_variant_ref_sink(g_variant_new_string("record"));
    LvpHolding *holding = lvp_holding_new("uuid", "pci");
    holding->record = g_variant_ref(record);
    lvp_holding_free(holding);
    cr_assert_str_eq(g_variant_get_string(record, NULL), "record");
}

/* ---- outcome ---- */

Test(request, outcome_finds_the_first_of_a_verdict)
{
    g_autoptr(LvpOutcome) outcome = lvp_outcome_new();
    char reason[] = "in use";
    lvp_outcome_add(outcome, "a", LVP_VERDICT_DONE, NULL);
    lvp_outcome_add(outcome, "b", LVP_VERDICT_BLOCKED, reason);
    lvp_outcome_add(outcome, "c", LVP_VERDICT_BLOCKED, "other");
    reason[0] = 'x';
    const LvpOutcomeRow *row = lvp_outcome_find(outcome, LVP_VERDICT_BLOCKED);
    cr_assert_str_eq(row->unit_id, "b");
    cr_assert_str_eq(row->reason, "in use");
    cr_assert_null(lvp_outcome_find(outcome, LVP_VERDICT_FAILED));
}

Test(request, outcome_finds_what_was_not_put_back_of_a_unit)
{
    g_autoptr(LvpOutcome) outcome = lvp_outcome_new();
    lvp_outcome_add(outcome, "b", LVP_VERDICT_BLOCKED, "in use");
    lvp_outcome_add(outcome, "a", LVP_VERDICT_DONE, NULL);
    cr_assert_null(lvp_outcome_find_failure(outcome, "a"));
    cr_assert_str_eq(lvp_outcome_find_failure(outcome, "b")->reason, "in use");
    lvp_outcome_add(outcome, NULL, LVP_VERDICT_FAILED, "record of version 9");
    cr_assert_str_eq(lvp_outcome_find_failure(outcome, "a")->reason, "record of version 9");
}

Test(request, outcome_may_be_about_the_whole_record)
{
    g_autoptr(LvpOutcome) outcome = lvp_outcome_new();
    lvp_outcome_add(outcome, NULL, LVP_VERDICT_FAILED, "record of version 9");
    cr_assert_null(lvp_outcome_find(outcome, LVP_VERDICT_FAILED)->unit_id);
}

Test(request, reason_of_an_outcome_is_made_utf8)
{
    g_autoptr(LvpOutcome) outcome = lvp_outcome_new();
    lvp_outcome_add(outcome, "a", LVP_VERDICT_FAILED, "it is on \xff\x1b\n");
    cr_assert_str_eq(lvp_outcome_find(outcome, LVP_VERDICT_FAILED)->reason,
                     "it is on \xef\xbf\xbd??");
}

Test(request, free_accepts_null)
{
    lvp_request_free(NULL);
    lvp_holding_free(NULL);
    lvp_outcome_free(NULL);
}
