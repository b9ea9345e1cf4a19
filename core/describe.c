/* SPDX-License-Identifier: Apache-2.0 */
#include "describe.h"

#include "claim.h"
#include "unit-status.h"

#include <string.h>

static void
add_text(GVariantBuilder *row, const char *key, const char *text)
{
    if (text)
        g_variant_builder_add(row, "{sv}", key, g_variant_new_string(text));
}

static GVariant *
describe_request(const LvpRequest *request)
{
    GVariantBuilder builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{ss}"));
    for (guint i = 0; i < request->rows->len; i++) {
        const LvpRequestRow *row = &g_array_index(request->rows, LvpRequestRow, i);
        g_autofree char *amount = lvp_quantity_format(row->resource, row->amount);
        g_variant_builder_add(&builder, "{ss}", row->resource, amount);
    }
    return g_variant_builder_end(&builder);
}

/* A row as one block of bytes: as a tree, a thousand rows take ten megabytes until they are sent.
 */
static GVariant *
end_row(GVariantBuilder *row)
{
    GVariant *value = g_variant_builder_end(row);
    g_variant_get_data(value);
    return value;
}

/* ---- sources ---- */

static GVariant *
describe_source(const LvpWorld *world, const LvpSource *source)
{
    GVariantBuilder resources = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));
    const GPtrArray *all = lvp_inventory_get_resources(world->inventory);
    for (guint i = 0; i < all->len; i++) {
        const LvpResource *resource = g_ptr_array_index(all, i);
        const char *name = lvp_resource_get_name(resource);
        if (strcmp(lvp_resource_get_source(resource), lvp_source_get_name(source)) != 0)
            continue;
        g_autofree char *total = lvp_quantity_format(name, lvp_resource_get_total(resource));
        g_autofree char *available = lvp_quantity_format(name, lvp_resource_get_free(resource));
        GVariantBuilder amounts = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{ss}"));
        g_variant_builder_add(&amounts, "{ss}", "total", total);
        g_variant_builder_add(&amounts, "{ss}", "available", available);
        g_variant_builder_add(&resources, "{sv}", name, g_variant_builder_end(&amounts));
    }
    g_autofree char *health = lvp_source_dup_health(source);
    GVariantBuilder row = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));
    add_text(&row, "name", lvp_source_get_name(source));
    add_text(&row, "version", lvp_source_get_table(source)->version);
    add_text(&row, "path", lvp_source_get_path(source));
    add_text(&row, "health", health ? health : "ok");
    g_variant_builder_add(&row, "{sv}", "resources", g_variant_builder_end(&resources));
    return end_row(&row);
}

GVariant *
lvp_describe_sources(const LvpWorld *world)
{
    GVariantBuilder rows = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < world->sources->len; i++)
        g_variant_builder_add_value(&rows,
                                    describe_source(world, g_ptr_array_index(world->sources, i)));
    return g_variant_builder_end(&rows);
}

/* ---- devices ---- */

static GVariant *
describe_conditions(guint conditions)
{
    GVariantBuilder names = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("as"));
    const char *name;
    for (guint i = 0; (name = lvp_condition_get_name(conditions, i)) != NULL; i++)
        g_variant_builder_add(&names, "s", name);
    return g_variant_builder_end(&names);
}

/* What the source knows of a unit. */
static void
add_found(GVariantBuilder *row, const char *source, const LvpUnit *found, guint conditions)
{
    add_text(row, "source", source);
    add_text(row, "id", found->id);
    add_text(row, "identity", found->identity);
    add_text(row, "resource", found->resource);
    g_variant_builder_add(row, "{sv}", "conditions", describe_conditions(conditions));
    if (found->node != LVP_NODE_NONE)
        g_variant_builder_add(row, "{sv}", "numaNode", g_variant_new_int32(found->node));
    GVariantBuilder attributes = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{ss}"));
    for (guint i = 0; i < found->n_attributes; i++) {
        const LvpAttribute *attribute = &found->attributes[i];
        g_variant_builder_add(&attributes, "{ss}", attribute->key, attribute->value);
    }
    g_variant_builder_add(row, "{sv}", "attributes", g_variant_builder_end(&attributes));
}

static GVariant *
describe_device(const LvpInventoryUnit *unit)
{
    const LvpMachine *machine = unit->holder;
    guint conditions = lvp_unit_get_conditions(unit);
    g_autofree char *reason = lvp_unit_dup_reason(unit);
    GVariantBuilder row = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));
    add_found(&row, lvp_resource_get_source(unit->resource), unit->found, conditions);
    add_text(&row, "state", lvp_unit_get_state(unit));
    add_text(&row, "machine", machine ? machine->name : NULL);
    add_text(&row, "reason", reason);
    return end_row(&row);
}

GVariant *
lvp_describe_devices(const LvpWorld *world)
{
    const GPtrArray *units = lvp_inventory_get_units(world->inventory);
    GVariantBuilder rows = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < units->len; i++)
        g_variant_builder_add_value(&rows, describe_device(g_ptr_array_index(units, i)));
    return g_variant_builder_end(&rows);
}

/* Why a unit that no resource has is as it is; g_free(). */
static char *
tell_unlisted(const LvpUnit *unit, const LvpInventoryUnit *mate)
{
    const LvpMachine *machine = mate ? mate->holder : NULL;
    if (machine)
        return g_strdup_printf("it goes along with %s, which is held by %s", mate->found->id,
                               machine->name);
    if (mate && mate->quarantine)
        return g_strdup_printf("it goes along with %s, which is quarantined", mate->found->id);
    return g_strdup(unit->reason ? unit->reason : "no entry of the configuration names it");
}

GVariant *
lvp_describe_unlisted(const LvpWorld *world, const char *source, const LvpUnit *unit)
{
    if (lvp_inventory_find_unit(world->inventory, source, unit->id))
        return NULL;
    const LvpInventoryUnit *mate = lvp_inventory_find_mate(world->inventory, source, unit);
    const LvpMachine *machine = mate ? mate->holder : NULL;
    g_autofree char *reason = tell_unlisted(unit, mate);
    GVariantBuilder row = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));
    add_found(&row, source, unit, unit->conditions);
    add_text(&row, "state", "unlisted");
    add_text(&row, "machine", machine ? machine->name : NULL);
    add_text(&row, "reason", reason);
    return end_row(&row);
}

/* Of two at one address, a lost one and the one that is there now: the latter. */
static const LvpInventoryUnit *
find_device(const LvpWorld *world, const char *id)
{
    const GPtrArray *units = lvp_inventory_get_units(world->inventory);
    const LvpInventoryUnit *found = NULL;
    for (guint i = 0; i < units->len; i++) {
        const LvpInventoryUnit *unit = g_ptr_array_index(units, i);
        if (strcmp(unit->found->id, id) == 0 &&
            (!found || (found->found->conditions & LVP_CONDITION_LOST)))
            found = unit;
    }
    return found;
}

static void
append_conditions(GString *text, const LvpInventoryUnit *unit)
{
    guint conditions = lvp_unit_get_conditions(unit);
    const char *name;
    for (guint i = 0; (name = lvp_condition_get_name(conditions, i)) != NULL; i++)
        g_string_append_printf(text, ", with condition %s", name);
    g_string_append(text, ".\n");
}

char *
lvp_explain_device(const LvpWorld *world, const char *id)
{
    const LvpInventoryUnit *unit = find_device(world, id);
    if (!unit)
        return NULL;
    g_autofree char *why = lvp_planner_explain_unit(unit);
    g_autofree char *reason = lvp_unit_dup_reason(unit);
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "%s is of resource %s, from source %s; its state is %s", id,
                           lvp_resource_get_name(unit->resource),
                           lvp_resource_get_source(unit->resource), lvp_unit_get_state(unit));
    append_conditions(text, unit);
    if (why)
        g_string_append_printf(text, "It is not offered: it %s.\n", why);
    else
        g_string_append(text, "It is offered to the next machine that needs one.\n");
    if (unit->holder && reason)
        g_string_append_printf(text, "What is the matter with it: %s.\n", reason);
    const LvpMachine *machine = unit->holder;
    if (machine)
        g_string_append_printf(text, "Give it back with: lpctl machine delete %s\n", machine->name);
    else if (unit->quarantine)
        g_string_append_printf(text, "After a look, try again with: lpctl device release %s\n", id);
    else if (unit->found->conditions & LVP_CONDITION_HOST)
        g_string_append(text, "It is offered when the host no longer uses it.\n");
    else if (unit->cordoned)
        g_string_append_printf(text, "Offer it again with: lpctl device uncordon %s\n", id);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

char *
lvp_explain_unlisted(const LvpWorld *world, const char *source, const LvpUnit *unit)
{
    const LvpInventoryUnit *mate = lvp_inventory_find_mate(world->inventory, source, unit);
    g_autofree char *reason = tell_unlisted(unit, mate);
    return g_strdup_printf("%s is of no resource; source %s knows it.\nIt is not offered: %s.\n",
                           unit->id, source, reason);
}

/* ---- classes ---- */

/* How many more, and what limits. */
static gint64
count_available(const LvpWorld *world, const LvpClassEntry *entry, const char **ret_limit)
{
    *ret_limit = NULL;
    if (entry->problem)
        return 0;
    gint64 count = lvp_planner_count(world->inventory, entry->effective, entry->demands, ret_limit);
    gint64 room = world->vm_limit - world->machines->len;
    if (world->vm_limit == 0 || room >= count)
        return count;
    *ret_limit = "vm-limit";
    return MAX(room, 0);
}

static const char *
find_unknown(const LvpWorld *world, const LvpClassEntry *entry)
{
    for (guint i = 0; i < entry->effective->rows->len; i++) {
        const char *name = g_array_index(entry->effective->rows, LvpRequestRow, i).resource;
        if (!lvp_inventory_find_resource(world->inventory, name))
            return name;
    }
    return NULL;
}

static GVariant *
describe_class(const LvpWorld *world, const LvpClassEntry *entry)
{
    const char *limit = NULL;
    gint64 available = count_available(world, entry, &limit);
    GVariantBuilder row = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));
    add_text(&row, "name", entry->declared->name);
    g_variant_builder_add(&row, "{sv}", "capabilities",
                          describe_request(entry->declared->capabilities));
    g_variant_builder_add(&row, "{sv}", "available", g_variant_new_int64(available));
    add_text(&row, "limitedBy", limit ? limit : find_unknown(world, entry));
    add_text(&row, "reason", entry->problem);
    return end_row(&row);
}

GVariant *
lvp_describe_classes(const LvpWorld *world)
{
    GVariantBuilder rows = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < world->classes->len; i++)
        g_variant_builder_add_value(&rows,
                                    describe_class(world, g_ptr_array_index(world->classes, i)));
    return g_variant_builder_end(&rows);
}

static void
explain_demand(const LvpWorld *world, const LvpRequestRow *row, GString *text)
{
    g_autofree char *needed = lvp_quantity_format(row->resource, row->amount);
    const LvpResource *resource = lvp_inventory_find_resource(world->inventory, row->resource);
    if (!resource) {
        g_string_append_printf(text, "- %s of %s: no source offers it\n", needed, row->resource);
        return;
    }
    g_autofree char *rest = lvp_quantity_format(row->resource, lvp_resource_get_free(resource));
    g_autofree char *total = lvp_quantity_format(row->resource, lvp_resource_get_total(resource));
    g_string_append_printf(text, "- %s of %s: %s of %s free\n", needed, row->resource, rest, total);
    if (!lvp_resource_is_unitary(resource))
        return;
    const GPtrArray *units = lvp_inventory_get_units(world->inventory);
    for (guint i = 0; i < units->len; i++) {
        const LvpInventoryUnit *unit = g_ptr_array_index(units, i);
        g_autofree char *why = unit->resource == resource ? lvp_planner_explain_unit(unit) : NULL;
        if (why)
            g_string_append_printf(text, "  %s %s\n", unit->found->id, why);
    }
}

char *
lvp_explain_class(const LvpWorld *world, const char *name)
{
    const LvpClassEntry *entry = NULL;
    for (guint i = 0; i < world->classes->len && !entry; i++) {
        const LvpClassEntry *each = g_ptr_array_index(world->classes, i);
        if (strcmp(each->declared->name, name) == 0)
            entry = each;
    }
    if (!entry)
        return NULL;
    const char *limit = NULL;
    gint64 available = count_available(world, entry, &limit);
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "%" G_GINT64_FORMAT " more machines of class %s fit", available,
                           name);
    if (entry->problem)
        g_string_append_printf(text, ": %s", entry->problem);
    else if (limit)
        g_string_append_printf(text, ", limited by %s", limit);
    g_string_append(text, ". One needs:\n");
    for (guint i = 0; i < entry->effective->rows->len; i++)
        explain_demand(world, &g_array_index(entry->effective->rows, LvpRequestRow, i), text);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* ---- machines ---- */

static GVariant *
describe_held_devices(const LvpMachine *machine)
{
    GVariantBuilder ids = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("as"));
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        for (guint k = 0; k < holding->units->len; k++)
            g_variant_builder_add(&ids, "s", lvp_holding_get_unit_id(holding, k));
    }
    return g_variant_builder_end(&ids);
}

static char *
dup_machine_reason(const LvpWorld *world, const LvpMachine *machine)
{
    /* First of all: until then nothing else can be done about it. */
    const char *missing = lvp_claim_find_missing_source(machine, world->sources);
    if (!missing)
        return lvp_machine_dup_reason(machine);
    return g_strdup_printf("source-missing: source %s, of which it holds resources, is not loaded: "
                           "add it to --resource-manager-sources; nothing is given back before",
                           missing);
}

static GVariant *
describe_one_machine(const LvpWorld *world, const LvpMachine *machine)
{
    g_autofree char *reason = dup_machine_reason(world, machine);
    GVariantBuilder row = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));
    add_text(&row, "name", machine->name);
    add_text(&row, "uuid", machine->uuid);
    add_text(&row, "class", machine->class_name);
    add_text(&row, "state", lvp_machine_get_state(machine));
    add_text(&row, "reason", reason);
    g_variant_builder_add(&row, "{sv}", "resources", describe_request(machine->request));
    g_variant_builder_add(&row, "{sv}", "devices", describe_held_devices(machine));
    g_variant_builder_add(&row, "{sv}", "autostart", g_variant_new_boolean(machine->autostart));
    g_variant_builder_add(&row, "{sv}", "labels", machine->labels);
    g_variant_builder_add(&row, "{sv}", "annotations", machine->annotations);
    return end_row(&row);
}

GVariant *
lvp_describe_machines(const LvpWorld *world)
{
    GVariantBuilder rows = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < world->machines->len; i++)
        g_variant_builder_add_value(
            &rows, describe_one_machine(world, g_ptr_array_index(world->machines, i)));
    return g_variant_builder_end(&rows);
}

static const LvpMachine *
find_machine(const LvpWorld *world, const char *name_or_uuid)
{
    for (guint i = 0; i < world->machines->len; i++) {
        const LvpMachine *machine = g_ptr_array_index(world->machines, i);
        if (strcmp(machine->name, name_or_uuid) == 0 || strcmp(machine->uuid, name_or_uuid) == 0)
            return machine;
    }
    return NULL;
}

GVariant *
lvp_describe_machine(const LvpWorld *world, const char *name_or_uuid)
{
    const LvpMachine *machine = find_machine(world, name_or_uuid);
    return machine ? describe_one_machine(world, machine) : NULL;
}

static void
explain_holding(const LvpHolding *holding, GString *text)
{
    for (guint i = 0; i < holding->amounts->len; i++) {
        const LvpHeldAmount *held = &g_array_index(holding->amounts, LvpHeldAmount, i);
        g_autofree char *amount = lvp_quantity_format(held->resource, held->amount);
        g_string_append_printf(text, "- %s of %s", amount, held->resource);
        if (held->node != LVP_NODE_NONE)
            g_string_append_printf(text, " on NUMA node %d", held->node);
        g_string_append_c(text, '\n');
    }
    for (guint i = 0; i < holding->units->len; i++) {
        const LvpHeldUnit *unit = &g_array_index(holding->units, LvpHeldUnit, i);
        g_string_append_printf(text, "- %s of %s\n", unit->id, unit->resource);
    }
}

char *
lvp_explain_machine(const LvpWorld *world, const char *name_or_uuid)
{
    const LvpMachine *machine = find_machine(world, name_or_uuid);
    if (!machine)
        return NULL;
    g_autofree char *reason = dup_machine_reason(world, machine);
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "Machine %s (%s) of class %s is %s; it shall be %s.\n",
                           machine->name, machine->uuid, machine->class_name,
                           lvp_machine_get_state(machine), lvp_desired_get_name(machine->desired));
    if (machine->operation != LVP_OPERATION_NONE)
        g_string_append_printf(
            text, "Operation %s is under way%s%s.\n", lvp_operation_get_name(machine->operation),
            machine->step ? ", resources are " : "", lvp_step_get_name(machine->step));
    if (reason)
        g_string_append_printf(text, "Reason: %s.\n", reason);
    GHashTableIter iter;
    gpointer unit, note;
    g_hash_table_iter_init(&iter, machine->notes);
    while (g_hash_table_iter_next(&iter, &unit, &note))
        g_string_append_printf(text, "%s: %s.\n", (const char *)unit, (const char *)note);
    g_string_append(text, "It holds:\n");
    for (guint i = 0; i < machine->holdings->len; i++)
        explain_holding(g_ptr_array_index(machine->holdings, i), text);
    return g_string_free(g_steal_pointer(&text), FALSE);
}
