/* SPDX-License-Identifier: Apache-2.0 */
#include "planner.h"

#include "machine.h"

#include <string.h>

/* Units named in one refusal. */
#define MAX_NAMED_UNITS 3

/* Stands for "spread over all nodes". */
#define ANYWHERE G_MAXUINT

/* ---- selection ---- */

LvpSelection *
lvp_selection_new(void)
{
    LvpSelection *self = g_new0(LvpSelection, 1);
    self->amounts = g_array_new(FALSE, FALSE, sizeof(LvpPick));
    self->units = g_ptr_array_new();
    return self;
}

void
lvp_selection_free(LvpSelection *self)
{
    if (!self)
        return;
    g_array_unref(self->amounts);
    g_ptr_array_unref(self->units);
    g_free(self);
}

static void
clear_selection(LvpSelection *self)
{
    g_array_set_size(self->amounts, 0);
    g_ptr_array_set_size(self->units, 0);
}

void
lvp_selection_take(const LvpSelection *self, gconstpointer holder)
{
    for (guint i = 0; i < self->amounts->len; i++) {
        const LvpPick *pick = &g_array_index(self->amounts, LvpPick, i);
        lvp_resource_take_amount(pick->resource, pick->node_index, pick->amount);
    }
    for (guint i = 0; i < self->units->len; i++)
        lvp_unit_take(g_ptr_array_index(self->units, i), holder);
}

void
lvp_selection_give(const LvpSelection *self)
{
    for (guint i = 0; i < self->amounts->len; i++) {
        const LvpPick *pick = &g_array_index(self->amounts, LvpPick, i);
        lvp_resource_give_amount(pick->resource, pick->node_index, pick->amount);
    }
    for (guint i = 0; i < self->units->len; i++)
        lvp_unit_give(g_ptr_array_index(self->units, i));
}

gboolean
lvp_planner_resolve(const LvpInventory *inventory,
                    const GPtrArray *sources,
                    const LvpRequest *request,
                    GArray *demands,
                    const char **ret_unknown)
{
    g_array_set_size(demands, 0);
    for (guint i = 0; i < request->rows->len; i++) {
        const LvpRequestRow *row = &g_array_index(request->rows, LvpRequestRow, i);
        LvpDemand demand = {lvp_inventory_find_resource(inventory, row->resource), row->amount,
                            NULL};
        if (!demand.resource) {
            *ret_unknown = row->resource;
            return FALSE;
        }
        for (guint k = 0; sources && k < sources->len; k++) {
            LvpSource *source = g_ptr_array_index(sources, k);
            const LvpSourceTable *table = lvp_source_get_table(source);
            if ((table->plan || table->fits) &&
                strcmp(table->name, lvp_resource_get_source(demand.resource)) == 0)
                demand.planner = source;
        }
        g_array_append_val(demands, demand);
    }
    return TRUE;
}

/* ---- the default plan: the first that fit ---- */

static void
pick_amount(LvpSelection *selection, LvpResource *resource, guint node_index, gint64 *rest)
{
    gint64 part = MIN(*rest, lvp_resource_get_free_on(resource, node_index));
    if (part <= 0)
        return;
    LvpPick pick = {resource, node_index, part};
    g_array_append_val(selection->amounts, pick);
    *rest -= part;
}

static gboolean
is_selected(const LvpSelection *selection, const LvpInventoryUnit *unit)
{
    return g_ptr_array_find(selection->units, unit, NULL);
}

/* Adds free units of RESOURCE that go with UNIT anyway. */
static void
pick_mates(LvpSelection *selection,
           const LvpInventoryUnit *unit,
           const LvpResource *resource,
           guint node_index,
           gint64 *rest)
{
    const GPtrArray *mates = lvp_unit_get_mates(unit);
    for (guint i = 0; mates && i<mates->len && * rest> 0; i++) {
        LvpInventoryUnit *mate = g_ptr_array_index(mates, i);
        if (mate->resource != resource || mate->node_index != node_index ||
            !lvp_unit_is_free(mate) || is_selected(selection, mate))
            continue;
        g_ptr_array_add(selection->units, mate);
        (*rest)--;
    }
}

/* A free unit of the bundle that suits REST best, the first in order; NULL where there is none. */
static LvpInventoryUnit *
find_best_bundle(const LvpSelection *selection,
                 LvpResource *resource,
                 guint node_index,
                 gint64 rest)
{
    LvpInventoryUnit *best = NULL, *unit;
    guint best_size = 0, cursor = 0;
    gboolean equal = lvp_resource_has_equal_bundles(resource);
    while ((unit = lvp_resource_next_free(resource, node_index, &cursor)) != NULL) {
        guint size = lvp_unit_count_free_mates(unit);
        if (is_selected(selection, unit) || !lvp_resource_prefers_bundle(size, best_size, rest))
            continue;
        best = unit;
        best_size = size;
        if (equal)
            break;
    }
    return best;
}

/* What goes to the machine anyway first; then whole bundles, so that as few as possible are broken.
 */
static void
pick_units(LvpSelection *selection, LvpResource *resource, guint node_index, gint64 *rest)
{
    for (guint i = 0, before = selection->units->len; i<before && * rest> 0; i++)
        pick_mates(selection, g_ptr_array_index(selection->units, i), resource, node_index, rest);
    LvpInventoryUnit *unit;
    while (*rest > 0 && (unit = find_best_bundle(selection, resource, node_index, *rest)) != NULL) {
        g_ptr_array_add(selection->units, unit);
        (*rest)--;
        pick_mates(selection, unit, resource, node_index, rest);
    }
}

/* Takes from NODE first and then from what has no node; ANYWHERE from every node. */
static gboolean
pick_default(const LvpInventory *inventory,
             const LvpDemand *demand,
             guint node_index,
             LvpSelection *selection)
{
    gint64 rest = demand->amount;
    if (lvp_resource_get_free(demand->resource) < rest)
        return FALSE;
    void (*pick)(LvpSelection *, LvpResource *, guint, gint64 *) =
        lvp_resource_is_unitary(demand->resource) ? pick_units : pick_amount;
    if (node_index == ANYWHERE)
        for (guint i = 1; i < lvp_inventory_get_n_nodes(inventory) && rest > 0; i++)
            pick(selection, demand->resource, i, &rest);
    else if (node_index > 0)
        pick(selection, demand->resource, node_index, &rest);
    pick(selection, demand->resource, 0, &rest);
    return rest == 0;
}

/* ---- a source's own plan ---- */

typedef struct {
    const LvpInventory *inventory;
    const char *source;
    LvpSelection *selection;
} OwnPlan;

/* Only the source's own resources exist for it. */
static LvpResource *
find_own(const OwnPlan *plan, const char *name)
{
    LvpResource *resource = lvp_inventory_find_resource(plan->inventory, name);
    return resource && strcmp(lvp_resource_get_source(resource), plan->source) == 0 ? resource
                                                                                    : NULL;
}

static gint64
view_get_free(gconstpointer data, const char *name, int node)
{
    const OwnPlan *plan = data;
    LvpResource *resource = find_own(plan, name);
    guint index = lvp_inventory_find_node(plan->inventory, node);
    if (!resource || lvp_inventory_get_node(plan->inventory, index) != node)
        return 0;
    return lvp_resource_get_free_on(resource, index);
}

static guint
view_get_n_nodes(gconstpointer data)
{
    return lvp_inventory_get_n_nodes(((const OwnPlan *)data)->inventory);
}

static int
view_get_node(gconstpointer data, guint index)
{
    return lvp_inventory_get_node(((const OwnPlan *)data)->inventory, index);
}

static const char *
view_get_unit(gconstpointer data, const char *name, int node, guint index)
{
    const OwnPlan *plan = data;
    LvpResource *resource = find_own(plan, name);
    if (!resource || !lvp_resource_is_unitary(resource))
        return NULL;
    guint cursor = 0, node_index = lvp_inventory_find_node(plan->inventory, node);
    LvpInventoryUnit *unit = NULL;
    for (guint i = 0; i <= index; i++)
        if (!(unit = lvp_resource_next_free(resource, node_index, &cursor)))
            return NULL;
    return unit->found->id;
}

static gboolean
plan_take_amount(gpointer data, const char *name, int node, gint64 amount)
{
    OwnPlan *plan = data;
    LvpResource *resource = find_own(plan, name);
    guint index = lvp_inventory_find_node(plan->inventory, node);
    if (!resource || lvp_resource_is_unitary(resource) || amount < 0 ||
        lvp_inventory_get_node(plan->inventory, index) != node)
        return FALSE;
    gint64 left = lvp_resource_get_free_on(resource, index);
    for (guint i = 0; i < plan->selection->amounts->len; i++) {
        const LvpPick *pick = &g_array_index(plan->selection->amounts, LvpPick, i);
        if (pick->resource == resource && pick->node_index == index)
            left -= pick->amount;
    }
    if (amount > left)
        return FALSE;
    LvpPick pick = {resource, index, amount};
    g_array_append_val(plan->selection->amounts, pick);
    return TRUE;
}

static gboolean
plan_take_unit(gpointer data, const char *name, const char *id)
{
    OwnPlan *plan = data;
    LvpResource *resource = find_own(plan, name);
    LvpInventoryUnit *unit = lvp_inventory_find_unit(plan->inventory, plan->source, id);
    if (!unit || !resource || unit->resource != resource || !lvp_unit_is_free(unit) ||
        g_ptr_array_find(plan->selection->units, unit, NULL))
        return FALSE;
    g_ptr_array_add(plan->selection->units, unit);
    return TRUE;
}

static LvpView
make_view(const OwnPlan *plan)
{
    return (LvpView){view_get_free, view_get_n_nodes, view_get_node, view_get_unit, plan};
}

/* Whether the plan has taken all that the request asks of the source: a source that says yes and
 * takes less would hand out a machine that is not of its class. */
static gboolean
took_all(const OwnPlan *plan, const LvpRequest *request)
{
    for (guint i = 0; i < request->rows->len; i++) {
        const LvpRequestRow *row = &g_array_index(request->rows, LvpRequestRow, i);
        const LvpResource *resource = find_own(plan, row->resource);
        gint64 taken = 0;
        for (guint k = 0; resource && k < plan->selection->amounts->len; k++) {
            const LvpPick *pick = &g_array_index(plan->selection->amounts, LvpPick, k);
            taken += pick->resource == resource ? pick->amount : 0;
        }
        for (guint k = 0; resource && k < plan->selection->units->len; k++) {
            const LvpInventoryUnit *unit = g_ptr_array_index(plan->selection->units, k);
            taken += unit->resource == resource ? 1 : 0;
        }
        if (resource && taken != row->amount)
            return FALSE;
    }
    return TRUE;
}

static gboolean
run_own_plan(const LvpInventory *inventory,
             const LvpRequest *request,
             LvpSource *source,
             guint node_index,
             LvpSelection *selection)
{
    OwnPlan plan = {inventory, lvp_source_get_name(source), selection};
    LvpView view = make_view(&plan);
    LvpPlan sink = {plan_take_amount, plan_take_unit, &plan};
    int node =
        node_index == ANYWHERE ? LVP_NODE_NONE : lvp_inventory_get_node(inventory, node_index);
    return lvp_source_plan(source, &view, request, node, &sink) && took_all(&plan, request);
}

/* Whether an earlier demand is of the same planning source, which was asked there for all of them.
 */
static gboolean
is_planned_already(const GArray *demands, guint index)
{
    LvpSource *planner = g_array_index(demands, LvpDemand, index).planner;
    for (guint i = 0; i < index; i++)
        if (g_array_index(demands, LvpDemand, i).planner == planner)
            return TRUE;
    return FALSE;
}

static gboolean
select_on(const LvpInventory *inventory,
          const LvpRequest *request,
          const GArray *demands,
          guint node_index,
          LvpSelection *selection)
{
    clear_selection(selection);
    for (guint i = 0; i < demands->len; i++) {
        const LvpDemand *demand = &g_array_index(demands, LvpDemand, i);
        gboolean fits;
        if (!demand->planner || !lvp_source_get_table(demand->planner)->plan)
            fits = pick_default(inventory, demand, node_index, selection);
        else
            fits = is_planned_already(demands, i) ||
                   run_own_plan(inventory, request, demand->planner, node_index, selection);
        if (!fits) {
            clear_selection(selection);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean
lvp_planner_select(const LvpInventory *inventory,
                   const LvpRequest *request,
                   const GArray *demands,
                   LvpSelection *selection)
{
    for (guint i = 1; i < lvp_inventory_get_n_nodes(inventory); i++)
        if (select_on(inventory, request, demands, i, selection))
            return TRUE;
    return select_on(inventory, request, demands, ANYWHERE, selection);
}

/* ---- counting and explaining ---- */

/* Whether units of two of the demands may go to one machine together: then what is left of one
 * depends on what was chosen for the other. */
static gboolean
are_entangled(const GArray *demands)
{
    for (guint i = 0; i < demands->len; i++)
        for (guint k = 0; k < i; k++)
            if (lvp_resource_has_partner(g_array_index(demands, LvpDemand, i).resource,
                                         g_array_index(demands, LvpDemand, k).resource))
                return TRUE;
    return FALSE;
}

/* Takes as long as something fits, and gives it all back: for entangled demands only, because it
 * costs time in proportion to the devices. */
static gint64
count_by_trial(const LvpInventory *inventory, const LvpRequest *request, const GArray *demands)
{
    g_autoptr(GPtrArray) taken = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_selection_free);
    for (;;) {
        LvpSelection *selection = lvp_selection_new();
        if (!lvp_planner_select(inventory, request, demands, selection)) {
            lvp_selection_free(selection);
            break;
        }
        lvp_selection_take(selection, taken);
        g_ptr_array_add(taken, selection);
    }
    for (guint i = 0; i < taken->len; i++)
        lvp_selection_give(g_ptr_array_index(taken, i));
    return taken->len;
}

gint64
lvp_planner_count(const LvpInventory *inventory,
                  const LvpRequest *request,
                  const GArray *demands,
                  const char **ret_limit)
{
    gint64 least = 0;
    for (guint i = 0; i < demands->len; i++) {
        const LvpDemand *demand = &g_array_index(demands, LvpDemand, i);
        gint64 count = 0;
        if (demand->planner && lvp_source_get_table(demand->planner)->fits) {
            OwnPlan plan = {inventory, lvp_source_get_name(demand->planner), NULL};
            LvpView view = make_view(&plan);
            count = lvp_source_fits(demand->planner, &view, request);
        } else {
            count = lvp_resource_count_fits(demand->resource, demand->amount);
        }
        if (i == 0 || count < least) {
            least = count;
            *ret_limit = lvp_resource_get_name(demand->resource);
        }
    }
    if (least > 0 && are_entangled(demands))
        least = count_by_trial(inventory, request, demands);
    return least;
}

char *
lvp_planner_dup_unit_reason(const LvpInventoryUnit *unit)
{
    if (unit->quarantine)
        return g_strdup(unit->quarantine);
    if (unit->found->reason)
        return g_strdup(unit->found->reason);
    if (unit->condition_reason)
        return g_strdup(unit->condition_reason);
    const LvpInventoryUnit *rival = unit->holder ? NULL : lvp_unit_find_rival(unit);
    if (rival)
        return rival->holder
                   ? g_strdup_printf("it goes only together with %s, which is held by %s",
                                     rival->found->id, ((const LvpMachine *)rival->holder)->name)
                   : g_strdup_printf("it goes only together with %s, which is quarantined",
                                     rival->found->id);
    return unit->cordoned ? g_strdup("an operator has cordoned it") : NULL;
}

char *
lvp_planner_explain_unit(const LvpInventoryUnit *unit)
{
    const LvpMachine *machine = unit->holder;
    if (machine)
        return g_strdup_printf("is held by %s", machine->name);
    g_autofree char *reason = lvp_planner_dup_unit_reason(unit);
    if (!reason)
        return NULL;
    const char *verb = unit->quarantine                               ? "is quarantined"
                       : unit->found->unusable                        ? "is unusable"
                       : unit->found->conditions & LVP_CONDITION_HOST ? "is used by the host"
                                                                      : "is not available";
    return g_strdup_printf("%s: %s", verb, reason);
}

static void
append_unit_reasons(const LvpInventory *inventory, const LvpResource *resource, GString *text)
{
    const GPtrArray *units = lvp_inventory_get_units(inventory);
    guint named = 0, left = 0;
    for (guint i = 0; i < units->len; i++) {
        const LvpInventoryUnit *unit = g_ptr_array_index(units, i);
        g_autofree char *why = unit->resource == resource ? lvp_planner_explain_unit(unit) : NULL;
        if (!why)
            continue;
        if (named == MAX_NAMED_UNITS) {
            left++;
            continue;
        }
        g_string_append_printf(text, "%s%s %s", named++ ? ", " : " (", unit->found->id, why);
    }
    if (left > 0)
        g_string_append_printf(text, ", and %u more", left);
    if (named > 0)
        g_string_append_c(text, ')');
}

char *
lvp_planner_explain(const LvpInventory *inventory, const GArray *demands)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < demands->len; i++) {
        const LvpDemand *demand = &g_array_index(demands, LvpDemand, i);
        const char *name = lvp_resource_get_name(demand->resource);
        gint64 available = lvp_resource_get_free(demand->resource);
        if (available >= demand->amount)
            continue;
        g_autofree char *needed = lvp_quantity_format(name, demand->amount);
        g_autofree char *rest = lvp_quantity_format(name, available);
        g_autofree char *total =
            lvp_quantity_format(name, lvp_resource_get_total(demand->resource));
        g_string_append_printf(text, "%sneeds %s %s, %s of %s free", text->len ? "; " : "", needed,
                               name, rest, total);
        if (lvp_resource_is_unitary(demand->resource))
            append_unit_reasons(inventory, demand->resource, text);
    }
    if (text->len == 0)
        g_string_append(text, "what is free does not fit together");
    return g_string_free(g_steal_pointer(&text), FALSE);
}
