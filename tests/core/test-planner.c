/* SPDX-License-Identifier: Apache-2.0 */
/* The default plan; a source's own is in test-planner-own.c. */
#include "assert-error.h"
#include "machine.h"
#include "planner.h"

#include <string.h>

#define GPU "gpu.nvidia/a30"

typedef struct {
    LvpInventory *inventory;
    LvpSnapshot *snapshot;
    LvpRequest *request;
    GArray *demands;
    LvpSelection *selection;
} Case;

static Case
begin_case(void)
{
    return (Case){lvp_inventory_new(), lvp_snapshot_new(), lvp_request_new(),
                  g_array_new(FALSE, FALSE, sizeof(LvpDemand)), lvp_selection_new()};
}

static void
clear_case(Case *self)
{
    lvp_inventory_free(self->inventory);
    lvp_request_free(self->request);
    g_array_unref(self->demands);
    lvp_selection_free(self->selection);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Case, clear_case)

/* Ends the building of the inventory and resolves the request. */
static void
seal(Case *self)
{
    g_autoptr(GError) error = NULL;
    const char *unknown = NULL;
    lvp_inventory_add_snapshot(self->inventory, "all", self->snapshot, &error);
    assert_no_error(error);
    lvp_inventory_seal(self->inventory);
    cr_assert(lvp_planner_resolve(self->inventory, NULL, self->request, self->demands, &unknown));
}

static LvpInventoryUnit *
find(const Case *self, const char *id)
{
    LvpInventoryUnit *unit = lvp_inventory_find_unit(self->inventory, "all", id);
    cr_assert_not_null(unit);
    return unit;
}

static gboolean
select_all(Case *self)
{
    return lvp_planner_select(self->inventory, self->request, self->demands, self->selection);
}

/* "memory@0=100 gpu.nvidia/a30@1:b" of the selection. */
static void
assert_selected(const Case *self, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < self->selection->amounts->len; i++) {
        const LvpPick *pick = &g_array_index(self->selection->amounts, LvpPick, i);
        g_string_append_printf(text, "%s%s@%d=%" G_GINT64_FORMAT, text->len ? " " : "",
                               lvp_resource_get_name(pick->resource),
                               lvp_inventory_get_node(self->inventory, pick->node_index),
                               pick->amount);
    }
    for (guint i = 0; i < self->selection->units->len; i++) {
        const LvpInventoryUnit *unit = g_ptr_array_index(self->selection->units, i);
        g_string_append_printf(text, "%s%s", text->len ? " " : "", unit->found->id);
    }
    cr_assert_str_eq(text->str, expected);
}

static void
assert_explained(const Case *self, const char *expected)
{
    g_autofree char *text = lvp_planner_explain(self->inventory, self->demands);
    cr_assert_str_eq(text, expected);
}

/* Memory of 100 and 200 and the units a, b on the nodes 0 and 1. */
static Case
begin_two_nodes(void)
{
    Case self = begin_case();
    lvp_snapshot_add_amount(self.snapshot, "memory", 0, 100);
    lvp_snapshot_add_amount(self.snapshot, "memory", 1, 200);
    lvp_snapshot_add_unit(self.snapshot, GPU, "a", "a", 0);
    lvp_snapshot_add_unit(self.snapshot, GPU, "b", "b", 1);
    return self;
}

/* ---- resolving ---- */

Test(planner, unknown_resource_is_named)
{
    g_auto(Case) self = begin_case();
    const char *unknown = NULL;
    lvp_snapshot_add_amount(self.snapshot, "memory", 0, 100);
    seal(&self);
    lvp_request_set_amount(self.request, "memory", 1);
    lvp_request_set_amount(self.request, "fpga.x/y", 1);
    cr_assert_not(lvp_planner_resolve(self.inventory, NULL, self.request, self.demands, &unknown));
    cr_assert_str_eq(unknown, "fpga.x/y");
}

/* ---- where ---- */

Test(planner, lowest_node_where_all_fits_is_taken)
{
    g_auto(Case) self = begin_two_nodes();
    lvp_request_set_amount(self.request, "memory", 60);
    lvp_request_set_amount(self.request, GPU, 1);
    seal(&self);
    cr_assert(select_all(&self));
    assert_selected(&self, "memory@0=60 a");
}

Test(planner, higher_node_is_taken_when_one_part_does_not_fit_on_the_lower)
{
    g_auto(Case) self = begin_two_nodes();
    lvp_request_set_amount(self.request, "memory", 150);
    lvp_request_set_amount(self.request, GPU, 1);
    seal(&self);
    cr_assert(select_all(&self));
    assert_selected(&self, "memory@1=150 b");
}

Test(planner, what_fits_on_no_node_is_spread)
{
    g_auto(Case) self = begin_two_nodes();
    lvp_request_set_amount(self.request, "memory", 250);
    lvp_request_set_amount(self.request, GPU, 2);
    seal(&self);
    cr_assert(select_all(&self));
    assert_selected(&self, "memory@0=100 memory@1=150 a b");
}

Test(planner, what_has_no_node_completes_any_node)
{
    g_auto(Case) self = begin_two_nodes();
    lvp_snapshot_add_amount(self.snapshot, "memory", LVP_NODE_NONE, 50);
    lvp_snapshot_add_unit(self.snapshot, GPU, "c", "c", LVP_NODE_NONE);
    lvp_request_set_amount(self.request, "memory", 120);
    lvp_request_set_amount(self.request, GPU, 2);
    seal(&self);
    cr_assert(select_all(&self));
    assert_selected(&self, "memory@0=100 memory@-1=20 a c");
}

Test(planner, host_without_nodes_is_enough)
{
    g_auto(Case) self = begin_case();
    lvp_snapshot_add_amount(self.snapshot, "memory", LVP_NODE_NONE, 50);
    lvp_request_set_amount(self.request, "memory", 50);
    seal(&self);
    cr_assert(select_all(&self));
    assert_selected(&self, "memory@-1=50");
}

Test(planner, taken_units_are_passed_over)
{
    g_auto(Case) self = begin_two_nodes();
    g_autoptr(LvpMachine) vm1 = lvp_machine_new("u", "vm1", "gpu");
    lvp_request_set_amount(self.request, GPU, 1);
    seal(&self);
    lvp_unit_take(find(&self, "a"), vm1);
    cr_assert(select_all(&self));
    assert_selected(&self, "b");
}

/* ---- all or nothing ---- */

Test(planner, selection_is_empty_where_one_part_is_missing)
{
    g_auto(Case) self = begin_two_nodes();
    lvp_request_set_amount(self.request, "memory", 10);
    lvp_request_set_amount(self.request, GPU, 3);
    seal(&self);
    cr_assert_not(select_all(&self));
    assert_selected(&self, "");
}

Test(planner, second_selection_forgets_the_first)
{
    g_auto(Case) self = begin_two_nodes();
    lvp_request_set_amount(self.request, "memory", 10);
    seal(&self);
    cr_assert(select_all(&self));
    cr_assert(select_all(&self));
    assert_selected(&self, "memory@0=10");
}

Test(planner, taken_selection_is_free_again_when_given)
{
    g_auto(Case) self = begin_two_nodes();
    g_autoptr(LvpMachine) vm1 = lvp_machine_new("u", "vm1", "gpu");
    lvp_request_set_amount(self.request, "memory", 250);
    lvp_request_set_amount(self.request, GPU, 1);
    seal(&self);
    const LvpResource *memory = lvp_inventory_find_resource(self.inventory, "memory");
    cr_assert(select_all(&self));
    lvp_selection_take(self.selection, vm1);
    cr_assert_eq(lvp_resource_get_free(memory), 50);
    cr_assert_eq(find(&self, "a")->holder, vm1);
    lvp_selection_give(self.selection);
    cr_assert_eq(lvp_resource_get_free(memory), 300);
    cr_assert_null(find(&self, "a")->holder);
}

/* ---- how many ---- */

Test(planner, count_is_that_of_the_scarcest)
{
    g_auto(Case) self = begin_two_nodes();
    const char *limit = NULL;
    lvp_request_set_amount(self.request, "memory", 60);
    lvp_request_set_amount(self.request, GPU, 1);
    seal(&self);
    cr_assert_eq(lvp_planner_count(self.inventory, self.request, self.demands, &limit), 2);
    cr_assert_str_eq(limit, GPU);
}

Test(planner, count_of_what_is_all_taken_is_zero)
{
    g_auto(Case) self = begin_two_nodes();
    const char *limit = NULL;
    lvp_request_set_amount(self.request, "memory", 301);
    seal(&self);
    cr_assert_eq(lvp_planner_count(self.inventory, self.request, self.demands, &limit), 0);
    cr_assert_str_eq(limit, "memory");
}

Test(planner, count_of_the_largest_amounts_does_not_overflow)
{
    g_auto(Case) self = begin_case();
    const char *limit = NULL;
    lvp_snapshot_add_amount(self.snapshot, "memory", 0, G_MAXINT64);
    lvp_request_set_amount(self.request, "memory", 1);
    seal(&self);
    cr_assert_eq(lvp_planner_count(self.inventory, self.request, self.demands, &limit), G_MAXINT64);
}

/* ---- why not ---- */

Test(planner, explanation_names_all_that_is_short_with_units)
{
    g_auto(Case) self = begin_case();
    lvp_snapshot_add_amount(self.snapshot, "memory", 0, G_GINT64_CONSTANT(1) << 30);
    lvp_snapshot_add_amount(self.snapshot, "cpu", 0, 1500);
    lvp_snapshot_add_pool(self.snapshot, GPU);
    lvp_request_set_amount(self.request, "cpu", 2000);
    lvp_request_set_amount(self.request, "memory", G_GINT64_CONSTANT(4) << 30);
    lvp_request_set_amount(self.request, GPU, 1);
    seal(&self);
    assert_explained(&self, "needs 2 cpu, 1500m of 1500m free; needs 4Gi memory, 1Gi of 1Gi free; "
                            "needs 1 " GPU ", 0 of 0 free");
}

Test(planner, explanation_leaves_out_what_is_enough)
{
    g_auto(Case) self = begin_two_nodes();
    lvp_request_set_amount(self.request, "memory", 10);
    lvp_request_set_amount(self.request, GPU, 3);
    seal(&self);
    assert_explained(&self, "needs 3 " GPU ", 2 of 2 free");
}

Test(planner, explanation_names_three_units_and_counts_the_rest)
{
    g_auto(Case) self = begin_case();
    for (guint i = 0; i < 5; i++) {
        g_autofree char *id = g_strdup_printf("%u", i);
        lvp_unit_set_unusable(lvp_snapshot_add_unit(self.snapshot, GPU, id, id, 0), "no group");
    }
    lvp_request_set_amount(self.request, GPU, 1);
    seal(&self);
    assert_explained(&self, "needs 1 " GPU ", 0 of 5 free (0 is unusable: no group, 1 is unusable: "
                            "no group, 2 is unusable: no group, and 2 more)");
}

/* What lvp_planner_explain_unit() says of the unit "x" after PREPARE. */
static void
assert_unit_explained(void (*before)(LvpUnit *),
                      void (*after)(LvpInventoryUnit *),
                      const char *expected)
{
    g_auto(Case) self = begin_case();
    LvpUnit *found = lvp_snapshot_add_unit(self.snapshot, GPU, "x", "x", 0);
    if (before)
        before(found);
    seal(&self);
    if (after)
        after(find(&self, "x"));
    g_autofree char *text = lvp_planner_explain_unit(find(&self, "x"));
    cr_assert(g_strcmp0(text, expected) == 0, "expected %s, got %s",
              expected ? expected : "nothing", text ? text : "nothing");
}

static void
set_mounted(LvpUnit *unit)
{
    lvp_unit_add_condition(unit, LVP_CONDITION_HOST, "nvme0n1p2 is mounted on /");
}

static void
set_blocked(LvpUnit *unit)
{
    lvp_unit_add_condition(unit, LVP_CONDITION_BLOCKED, "an unbind is in flight");
}

static void
set_replaced(LvpInventoryUnit *unit)
{
    lvp_unit_set_core_condition(unit, LVP_CONDITION_LOST, "another device stands there");
}

static void
set_quarantined(LvpInventoryUnit *unit)
{
    lvp_unit_set_quarantine(unit, "unbind failed");
}

static void
set_cordoned(LvpInventoryUnit *unit)
{
    lvp_unit_set_cordoned(unit, TRUE);
}

Test(planner, free_unit_has_no_explanation) { assert_unit_explained(NULL, NULL, NULL); }

Test(planner, each_state_of_a_unit_is_explained)
{
    assert_unit_explained(set_mounted, NULL, "is used by the host: nvme0n1p2 is mounted on /");
    assert_unit_explained(set_blocked, NULL, "is not available: an unbind is in flight");
    assert_unit_explained(NULL, set_replaced, "is not available: another device stands there");
    assert_unit_explained(NULL, set_quarantined, "is quarantined: unbind failed");
    assert_unit_explained(NULL, set_cordoned, "is not available: an operator has cordoned it");
}

Test(planner, held_unit_and_its_group_are_explained_by_the_holder)
{
    g_auto(Case) self = begin_case();
    g_autoptr(LvpMachine) vm1 = lvp_machine_new("u", "vm1", "gpu");
    lvp_unit_add_exclusion_set(lvp_snapshot_add_unit(self.snapshot, GPU, "x.0", "x", 0), "g");
    lvp_unit_add_exclusion_set(lvp_snapshot_add_unit(self.snapshot, GPU, "x.1", "x", 0), "g");
    lvp_request_set_amount(self.request, GPU, 1);
    seal(&self);
    lvp_unit_take(find(&self, "x.0"), vm1);
    assert_explained(&self, "needs 1 " GPU ", 0 of 2 free (x.0 is held by vm1, x.1 is not "
                            "available: it goes only together with x.0, which is held by vm1)");
}

Test(planner, group_of_a_quarantined_unit_is_explained_by_it)
{
    g_auto(Case) self = begin_case();
    lvp_unit_add_exclusion_set(lvp_snapshot_add_unit(self.snapshot, GPU, "x.0", "x", 0), "g");
    lvp_unit_add_exclusion_set(lvp_snapshot_add_unit(self.snapshot, GPU, "x.1", "x", 0), "g");
    lvp_request_set_amount(self.request, GPU, 1);
    seal(&self);
    lvp_unit_set_quarantine(find(&self, "x.0"), "reset failed");
    assert_explained(&self, "needs 1 " GPU ", 0 of 2 free (x.0 is quarantined: reset failed, x.1 "
                            "is not available: it goes only together with x.0, which is "
                            "quarantined)");
}
