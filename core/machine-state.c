/* SPDX-License-Identifier: Apache-2.0 */
#include "machine-state.h"

#include "resource.h"

#include <libvirt-provider/inventory.h>
#include <string.h>

#define STATE_VERSION 1
#define AMOUNT_TYPE "(six)"
#define UNIT_TYPE "(sssimv)"
#define HOLDING_TYPE "(sa" AMOUNT_TYPE "a" UNIT_TYPE "mv)"
#define STATE_TYPE "(uba(sx)a{ss}a{ss}a" HOLDING_TYPE ")"

/* ---- to text ---- */

static GVariant *
pack_amounts(const LvpHolding *holding)
{
    GVariantBuilder rows = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a" AMOUNT_TYPE));
    for (guint i = 0; i < holding->amounts->len; i++) {
        const LvpHeldAmount *held = &g_array_index(holding->amounts, LvpHeldAmount, i);
        g_variant_builder_add(&rows, AMOUNT_TYPE, held->resource, held->node, held->amount);
    }
    return g_variant_builder_end(&rows);
}

static GVariant *
pack_units(const LvpHolding *holding)
{
    GVariantBuilder rows = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a" UNIT_TYPE));
    for (guint i = 0; i < holding->units->len; i++) {
        const LvpHeldUnit *unit = &g_array_index(holding->units, LvpHeldUnit, i);
        g_variant_builder_add(&rows, UNIT_TYPE, unit->resource, unit->id, unit->identity,
                              unit->node, unit->found);
    }
    return g_variant_builder_end(&rows);
}

static GVariant *
pack_request(const LvpRequest *request)
{
    GVariantBuilder rows = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(sx)"));
    for (guint i = 0; i < request->rows->len; i++) {
        const LvpRequestRow *row = &g_array_index(request->rows, LvpRequestRow, i);
        g_variant_builder_add(&rows, "(sx)", row->resource, row->amount);
    }
    return g_variant_builder_end(&rows);
}

char *
lvp_machine_state_to_text(const LvpMachine *machine)
{
    GVariantBuilder holdings = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a" HOLDING_TYPE));
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        g_variant_builder_add(&holdings, "(s@a" AMOUNT_TYPE "@a" UNIT_TYPE "mv)", holding->source,
                              pack_amounts(holding), pack_units(holding), holding->record);
    }
    g_autoptr(GVariant) state = g_variant_ref_sink(
        g_variant_new("(ub@a(sx)@a{ss}@a{ss}@a" HOLDING_TYPE ")", STATE_VERSION, machine->autostart,
                      pack_request(machine->request), machine->labels, machine->annotations,
                      g_variant_builder_end(&holdings)));
    return g_variant_print(state, TRUE);
}

/* ---- from text ---- */

static void
unpack_holding(LvpMachine *machine, GVariant *row)
{
    const char *source, *resource, *id, *identity;
    g_autoptr(GVariantIter) amounts = NULL, units = NULL;
    GVariant *record = NULL, *found = NULL;
    int node;
    gint64 amount;
    g_variant_get(row, "(&sa" AMOUNT_TYPE "a" UNIT_TYPE "mv)", &source, &amounts, &units, &record);
    LvpHolding *holding = lvp_holding_new(machine->uuid, source);
    g_ptr_array_add(machine->holdings, holding);
    holding->record = record;
    while (g_variant_iter_next(amounts, "(&six)", &resource, &node, &amount))
        lvp_holding_add_amount(holding, resource, node, amount);
    while (g_variant_iter_next(units, "(&s&s&simv)", &resource, &id, &identity, &node, &found)) {
        LvpHeldUnit *unit = lvp_holding_add_unit(holding, resource, id, identity, node);
        if (found && g_variant_is_of_type(found, G_VARIANT_TYPE(LVP_HELD_FOUND_TYPE)))
            unit->found = g_variant_ref(found);
        g_clear_pointer(&found, g_variant_unref);
    }
}

static gboolean
is_sound_holding(const LvpHolding *holding)
{
    if (!lvp_resource_is_name(holding->source))
        return FALSE;
    gint64 sum = 0; /* of all, and so of each resource, that can be counted */
    for (guint i = 0; i < holding->amounts->len; i++) {
        const LvpHeldAmount *held = &g_array_index(holding->amounts, LvpHeldAmount, i);
        if (held->amount < 0 || held->amount > G_MAXINT64 - sum || held->node < LVP_NODE_NONE ||
            !lvp_resource_is_name(held->resource))
            return FALSE;
        sum += held->amount;
    }
    for (guint i = 0; i < holding->units->len; i++) {
        const LvpHeldUnit *held = &g_array_index(holding->units, LvpHeldUnit, i);
        if (held->node < LVP_NODE_NONE || !lvp_resource_is_name(held->resource) ||
            (i > 0 && strcmp(held[-1].id, held->id) >= 0))
            return FALSE;
    }
    return TRUE;
}

/* Whoever may edit the domain may write anything there. */
static gboolean
is_sound(const LvpMachine *machine)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        if (!is_sound_holding(holding) ||
            lvp_machine_find_holding(machine, holding->source) != holding)
            return FALSE;
    }
    return TRUE;
}

LvpMachine *
lvp_machine_state_parse(const char *text,
                        const char *uuid,
                        const char *name,
                        const char *class_name)
{
    g_autoptr(GVariant) state = g_variant_parse(G_VARIANT_TYPE(STATE_TYPE), text, NULL, NULL, NULL);
    guint32 version = 0;
    if (state)
        g_variant_get_child(state, 0, "u", &version);
    if (version != STATE_VERSION || !lvp_machine_check_name(name, NULL) ||
        !lvp_machine_check_uuid(uuid, NULL))
        return NULL;
    g_autoptr(LvpMachine) machine = lvp_machine_new(uuid, name, class_name);
    g_autoptr(GVariantIter) request = NULL, holdings = NULL;
    g_variant_unref(machine->labels);
    g_variant_unref(machine->annotations);
    g_variant_get(state, "(uba(sx)@a{ss}@a{ss}a" HOLDING_TYPE ")", NULL, &machine->autostart,
                  &request, &machine->labels, &machine->annotations, &holdings);
    const char *resource;
    gint64 amount;
    while (g_variant_iter_next(request, "(&sx)", &resource, &amount)) {
        if (amount < 0 || !lvp_resource_is_name(resource))
            return NULL;
        lvp_request_set_amount(machine->request, resource, amount);
    }
    GVariant *row;
    while ((row = g_variant_iter_next_value(holdings)) != NULL) {
        unpack_holding(machine, row);
        g_variant_unref(row);
    }
    machine->created = TRUE;
    machine->operation = LVP_OPERATION_NONE;
    machine->step = LVP_STEP_COMMITTED;
    return is_sound(machine) ? g_steal_pointer(&machine) : NULL;
}
