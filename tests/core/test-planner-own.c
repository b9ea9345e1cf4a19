/* SPDX-License-Identifier: Apache-2.0 */
/* Sources that plan and count for themselves. */
#include "assert-error.h"
#include "planner.h"
#include "scripted-source.h"

#include <string.h>

#define PAGES "hugepages.2Mi"
#define GPU "gpu.nvidia/a30"

typedef struct {
    ScriptedSource *script;
    GPtrArray *sources;
    LvpInventory *inventory;
    LvpRequest *request;
    GArray *demands;
    LvpSelection *selection;
} Case;

static void
clear_case(Case *self)
{
    lvp_inventory_free(self->inventory);
    lvp_request_free(self->request);
    g_array_unref(self->demands);
    lvp_selection_free(self->selection);
    g_ptr_array_unref(self->sources);
    scripted_source_free(self->script);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Case, clear_case)

/* The source "own" with 10 PAGES on the nodes 0 and 1 and the units a (node 0), b and c (node 1);
 * another source with memory. */
static Case
make_case(void)
{
    g_autoptr(GError) error = NULL;
    Case self = {scripted_source_new("own", FALSE, NULL),
                 g_ptr_array_new(),
                 lvp_inventory_new(),
                 lvp_request_new(),
                 g_array_new(FALSE, FALSE, sizeof(LvpDemand)),
                 lvp_selection_new()};
    g_ptr_array_add(self.sources, self.script->source);
    scripted_source_set_amount(self.script, PAGES, 0, 10);
    scripted_source_set_amount(self.script, PAGES, 1, 10);
    scripted_source_add_unit(self.script, GPU, "a", "a", 0);
    scripted_source_add_unit(self.script, GPU, "b", "b", 1);
    scripted_source_add_unit(self.script, GPU, "c", "c", 1);
    LvpSnapshot *snapshot = lvp_source_discover(self.script->source, LVP_DISCOVER_OFFERED, NULL);
    lvp_inventory_add_snapshot(self.inventory, "own", snapshot, &error);
    assert_no_error(error);
    snapshot = lvp_snapshot_new();
    lvp_snapshot_add_amount(snapshot, "memory", 0, 100);
    lvp_inventory_add_snapshot(self.inventory, "memory", snapshot, &error);
    assert_no_error(error);
    lvp_inventory_seal(self.inventory);
    return self;
}

static void
resolve(Case *self)
{
    const char *unknown = NULL;
    cr_assert(lvp_planner_resolve(self->inventory, self->sources, self->request, self->demands,
                                  &unknown));
}

static gboolean
select_all(Case *self)
{
    return lvp_planner_select(self->inventory, self->request, self->demands, self->selection);
}

static const char *
get_unit(const Case *self, guint index)
{
    return ((LvpInventoryUnit *)g_ptr_array_index(self->selection->units, index))->found->id;
}

/* ---- plans ---- */

/* Takes the last free unit of the node instead of the first. */
static gboolean
plan_last_unit(
    gpointer self, const LvpView *view, const LvpRequest *request, int node, LvpPlan *plan)
{
    (void)self;
    (void)request;
    const char *last = NULL;
    for (guint i = 0; lvp_view_get_unit(view, GPU, node, i); i++)
        last = lvp_view_get_unit(view, GPU, node, i);
    return last && lvp_plan_take_unit(plan, GPU, last);
}

Test(planner, own_plan_chooses_its_units)
{
    g_auto(Case) self = make_case();
    self.script->table->plan = plan_last_unit;
    lvp_request_set_amount(self.request, GPU, 1);
    resolve(&self);
    cr_assert(select_all(&self));
    cr_assert_str_eq(get_unit(&self, 0), "a", "node 0 comes first");
    lvp_unit_set_cordoned(lvp_inventory_find_unit(self.inventory, "own", "a"), TRUE);
    cr_assert(select_all(&self));
    cr_assert_eq(self.selection->units->len, 1);
    cr_assert_str_eq(get_unit(&self, 0), "c");
}

static gboolean
plan_nothing(gpointer self, const LvpView *view, const LvpRequest *request, int node, LvpPlan *plan)
{
    (void)self;
    (void)view;
    (void)request;
    (void)node;
    lvp_plan_take_amount(plan, PAGES, 0, 1);
    return FALSE;
}

Test(planner, own_plan_that_finds_no_place_leaves_the_selection_empty)
{
    g_auto(Case) self = make_case();
    self.script->table->plan = plan_nothing;
    lvp_request_set_amount(self.request, "memory", 1);
    lvp_request_set_amount(self.request, PAGES, 1);
    resolve(&self);
    cr_assert_not(select_all(&self));
    cr_assert_eq(self.selection->amounts->len, 0);
    g_autofree char *text = lvp_planner_explain(self.inventory, self.demands);
    cr_assert_str_eq(text, "what is free does not fit together");
}

static guint n_plans;

/* Takes all that the request has of this source, from NODE or from wherever it is. */
static gboolean
plan_pages_and_units(
    gpointer self, const LvpView *view, const LvpRequest *request, int node, LvpPlan *plan)
{
    (void)self;
    n_plans++;
    gint64 rest = lvp_request_get_amount(request, PAGES);
    for (guint i = 0; i < lvp_view_get_n_nodes(view); i++) {
        int each = lvp_view_get_node(view, i);
        if (node != LVP_NODE_NONE && each != node)
            continue;
        gint64 part = MIN(rest, lvp_view_get_free(view, PAGES, each));
        if (!lvp_plan_take_amount(plan, PAGES, each, part))
            return FALSE;
        rest -= part;
    }
    return rest == 0 && lvp_plan_take_unit(plan, GPU, "b");
}

Test(planner, own_plan_is_asked_once_for_all_resources_of_its_source)
{
    g_auto(Case) self = make_case();
    self.script->table->plan = plan_pages_and_units;
    lvp_request_set_amount(self.request, PAGES, 4);
    lvp_request_set_amount(self.request, "memory", 10);
    lvp_request_set_amount(self.request, GPU, 1);
    resolve(&self);
    n_plans = 0;
    cr_assert(select_all(&self));
    cr_assert_eq(n_plans, 1);
    cr_assert_eq(self.selection->units->len, 1);
    cr_assert_eq(self.selection->amounts->len, 2);
}

Test(planner, own_plan_is_asked_for_anywhere_when_no_node_is_enough)
{
    g_auto(Case) self = make_case();
    self.script->table->plan = plan_pages_and_units;
    lvp_request_set_amount(self.request, PAGES, 15);
    resolve(&self);
    cr_assert(select_all(&self));
    gint64 sum = 0;
    for (guint i = 0; i < self.selection->amounts->len; i++)
        sum += g_array_index(self.selection->amounts, LvpPick, i).amount;
    cr_assert_eq(sum, 15);
}

/* ---- the sink and the view refuse what is not there ---- */

static char *refused;

static void
note(const char *name, gboolean ok)
{
    g_autofree char *before = refused;
    refused = ok ? g_strdup(before) : g_strconcat(before ? before : "", name, " ", NULL);
}

static gboolean
plan_badly(gpointer self, const LvpView *view, const LvpRequest *request, int node, LvpPlan *plan)
{
    (void)self;
    (void)request;
    (void)node;
    note("too-much", lvp_plan_take_amount(plan, PAGES, 0, 11));
    note("most", lvp_plan_take_amount(plan, PAGES, 0, 10));
    note("again", lvp_plan_take_amount(plan, PAGES, 0, 1));
    note("negative", lvp_plan_take_amount(plan, PAGES, 1, -1));
    note("node", lvp_plan_take_amount(plan, PAGES, 9, 1));
    note("units-as-amount", lvp_plan_take_amount(plan, GPU, 0, 1));
    note("foreign-amount", lvp_plan_take_amount(plan, "memory", 0, 1));
    note("unit", lvp_plan_take_unit(plan, GPU, "a"));
    note("unit-again", lvp_plan_take_unit(plan, GPU, "a"));
    note("unknown-unit", lvp_plan_take_unit(plan, GPU, "z"));
    note("cordoned-unit", lvp_plan_take_unit(plan, GPU, "b"));
    note("wrong-resource", lvp_plan_take_unit(plan, PAGES, "c"));
    note("view-foreign", lvp_view_get_free(view, "memory", 0) != 0);
    note("view-node", lvp_view_get_free(view, PAGES, 9) != 0);
    note("view-cordoned", lvp_view_get_free(view, GPU, 1) == 2);
    return TRUE;
}

Test(planner, own_plan_can_take_only_what_is_free_and_its_own)
{
    g_auto(Case) self = make_case();
    self.script->table->plan = plan_badly;
    lvp_unit_set_cordoned(lvp_inventory_find_unit(self.inventory, "own", "b"), TRUE);
    lvp_request_set_amount(self.request, PAGES, 10);
    resolve(&self);
    cr_assert(select_all(&self));
    cr_assert_str_eq(refused, "too-much again negative node units-as-amount foreign-amount "
                              "unit-again unknown-unit cordoned-unit wrong-resource view-foreign "
                              "view-node view-cordoned ");
    g_free(refused);
}

/* ---- fits ---- */

static gint64
fit_by_view(gpointer self, const LvpView *view, const LvpRequest *request)
{
    (void)self;
    gint64 least = G_MAXINT64;
    for (guint i = 1; i < lvp_view_get_n_nodes(view); i++)
        least = MIN(least, lvp_view_get_free(view, PAGES, lvp_view_get_node(view, i)) /
                               lvp_request_get_amount(request, PAGES));
    return least;
}

static gint64
fit_below_zero(gpointer self, const LvpView *view, const LvpRequest *request)
{
    (void)self;
    (void)view;
    (void)request;
    return -3;
}

static gint64
count(Case *self, const char **ret_limit)
{
    return lvp_planner_count(self->inventory, self->request, self->demands, ret_limit);
}

Test(planner, own_count_is_used_for_its_resources)
{
    g_auto(Case) self = make_case();
    const char *limit = NULL;
    self.script->table->fits = fit_by_view;
    lvp_request_set_amount(self.request, "memory", 1);
    lvp_request_set_amount(self.request, PAGES, 3);
    resolve(&self);
    cr_assert_eq(count(&self, &limit), 3, "by itself the core would count 20 / 3");
    cr_assert_str_eq(limit, PAGES);
}

Test(planner, own_count_below_zero_is_zero)
{
    g_auto(Case) self = make_case();
    const char *limit = NULL;
    self.script->table->fits = fit_below_zero;
    lvp_request_set_amount(self.request, PAGES, 3);
    resolve(&self);
    cr_assert_eq(count(&self, &limit), 0);
}

Test(planner, source_with_only_a_count_is_planned_by_the_core)
{
    g_auto(Case) self = make_case();
    self.script->table->fits = fit_by_view;
    lvp_request_set_amount(self.request, PAGES, 3);
    resolve(&self);
    cr_assert(select_all(&self));
    cr_assert_eq(g_array_index(self.selection->amounts, LvpPick, 0).amount, 3);
}
