/* SPDX-License-Identifier: Apache-2.0 */
#include "claim.h"

#include <string.h>

/* The resource of a holding as it exists now, or NULL: a claim outlives what the sources offer. */
static LvpResource *
find_held_resource(const LvpInventory *inventory, const LvpHolding *holding, const char *name)
{
    LvpResource *resource = lvp_inventory_find_resource(inventory, name);
    return resource && strcmp(lvp_resource_get_source(resource), holding->source) == 0 ? resource
                                                                                       : NULL;
}

static void
move_amounts(const LvpInventory *inventory,
             const LvpHolding *holding,
             void (*move)(LvpResource *, guint, gint64))
{
    for (guint i = 0; i < holding->amounts->len; i++) {
        const LvpHeldAmount *held = &g_array_index(holding->amounts, LvpHeldAmount, i);
        LvpResource *resource = find_held_resource(inventory, holding, held->resource);
        if (resource && !lvp_resource_is_unitary(resource))
            move(resource, lvp_inventory_find_node(inventory, held->node), held->amount);
    }
}

static LvpInventoryUnit *
find_held(const LvpInventory *inventory, const LvpHolding *holding, const LvpHeldUnit *held)
{
    return lvp_inventory_find_held_unit(inventory, holding->source, held->id, held->identity);
}

void
lvp_claim_take(const LvpMachine *machine, const LvpInventory *inventory)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        move_amounts(inventory, holding, lvp_resource_take_amount);
        for (guint k = 0; k < holding->units->len; k++) {
            const LvpHeldUnit *held = &g_array_index(holding->units, LvpHeldUnit, k);
            LvpInventoryUnit *unit = find_held(inventory, holding, held);
            if (unit)
                lvp_unit_take(unit, machine);
        }
    }
}

void
lvp_claim_give(const LvpMachine *machine, const LvpInventory *inventory)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        move_amounts(inventory, holding, lvp_resource_give_amount);
        for (guint k = 0; k < holding->units->len; k++) {
            const LvpHeldUnit *held = &g_array_index(holding->units, LvpHeldUnit, k);
            LvpInventoryUnit *unit = find_held(inventory, holding, held);
            if (unit && unit->holder == machine)
                lvp_unit_give(unit);
        }
    }
}

static LvpHolding *
get_holding(LvpMachine *machine, const char *source)
{
    LvpHolding *holding = lvp_machine_find_holding(machine, source);
    if (!holding) {
        holding = lvp_holding_new(machine->uuid, source);
        g_ptr_array_add(machine->holdings, holding);
    }
    return holding;
}

static int
compare_units(gconstpointer a, gconstpointer b)
{
    const LvpInventoryUnit *left = *(LvpInventoryUnit *const *)a;
    const LvpInventoryUnit *right = *(LvpInventoryUnit *const *)b;
    return strcmp(left->found->id, right->found->id);
}

void
lvp_claim_fill(LvpMachine *machine,
               const GPtrArray *sources,
               const LvpInventory *inventory,
               const LvpSelection *selection)
{
    g_ptr_array_sort(selection->units, compare_units);
    for (guint s = 0; s < sources->len; s++) {
        const char *source = lvp_source_get_name(g_ptr_array_index(sources, s));
        for (guint i = 0; i < selection->amounts->len; i++) {
            const LvpPick *pick = &g_array_index(selection->amounts, LvpPick, i);
            if (strcmp(lvp_resource_get_source(pick->resource), source) == 0)
                lvp_holding_add_amount(
                    get_holding(machine, source), lvp_resource_get_name(pick->resource),
                    lvp_inventory_get_node(inventory, pick->node_index), pick->amount);
        }
        for (guint i = 0; i < selection->units->len; i++) {
            const LvpInventoryUnit *unit = g_ptr_array_index(selection->units, i);
            if (strcmp(lvp_resource_get_source(unit->resource), source) != 0)
                continue;
            LvpHeldUnit *held = lvp_holding_add_unit(
                get_holding(machine, source), lvp_resource_get_name(unit->resource),
                unit->found->id, unit->found->identity, unit->found->node);
            held->found = g_variant_ref_sink(lvp_unit_describe_found(unit->found));
        }
    }
}

void
lvp_claim_add_missing_unit(const char *source,
                           const LvpHeldUnit *held,
                           const GPtrArray *sources,
                           LvpInventory *inventory)
{
    if (lvp_source_find(sources, source)) {
        lvp_inventory_add_held_unit(inventory, source, held, LVP_CONDITION_LOST,
                                    "it is not there any more");
        return;
    }
    g_autofree char *reason =
        g_strdup_printf("source-missing: source %s is not loaded, nobody looks after it", source);
    lvp_inventory_add_held_unit(inventory, source, held, 0, reason);
}

const char *
lvp_claim_find_missing_source(const LvpMachine *machine, const GPtrArray *sources)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        if (!lvp_source_find(sources, holding->source))
            return holding->source;
    }
    return NULL;
}

void
lvp_claim_add_missing_units(const LvpMachine *machine,
                            const GPtrArray *sources,
                            LvpInventory *inventory)
{
    for (guint h = 0; h < machine->holdings->len; h++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, h);
        for (guint k = 0; k < holding->units->len; k++)
            lvp_claim_add_missing_unit(holding->source,
                                       &g_array_index(holding->units, LvpHeldUnit, k), sources,
                                       inventory);
    }
}
