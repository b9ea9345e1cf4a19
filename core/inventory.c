/* SPDX-License-Identifier: Apache-2.0 */
#include "inventory.h"

#include <libvirt-provider/error.h>
#include <string.h>

/* Units that go to one machine only. */
typedef struct {
    char *name;
    GPtrArray *members; /* LvpInventoryUnit */
    guint n_kept; /* members that a machine holds, or that are quarantined; each reason counts */
} LvpExclusionSet;

struct LvpInventory {
    GPtrArray *sources;   /* char *, interned names of sources */
    GPtrArray *snapshots; /* LvpSnapshot, parallel to sources; owned */
    GPtrArray *resources; /* LvpResource, owned */
    GHashTable *by_name;  /* name -> LvpResource */
    GPtrArray *units;     /* LvpInventoryUnit, owned */
    GHashTable *by_id;    /* LvpInventoryUnit as its own key: source and id */
    GHashTable *sets;     /* source:name -> LvpExclusionSet, owned */
    GArray *nodes;        /* int */
    LvpSnapshot *lost;    /* units that no snapshot has */
};

/* ---- life ---- */

static void
free_unit(gpointer data)
{
    LvpInventoryUnit *unit = data;
    g_free(unit->quarantine);
    g_clear_pointer(&unit->sets, g_ptr_array_unref);
    g_free(unit);
}

static void
free_set(gpointer data)
{
    LvpExclusionSet *set = data;
    g_free(set->name);
    g_ptr_array_unref(set->members);
    g_free(set);
}

static guint
hash_unit(gconstpointer data)
{
    const LvpInventoryUnit *unit = data;
    return g_str_hash(unit->found->id);
}

static gboolean
equal_units(gconstpointer a, gconstpointer b)
{
    const LvpInventoryUnit *left = a, *right = b;
    return strcmp(left->found->id, right->found->id) == 0 &&
           strcmp(left->source, right->source) == 0;
}

LvpInventory *
lvp_inventory_new(void)
{
    LvpInventory *self = g_new0(LvpInventory, 1);
    self->sources = g_ptr_array_new_with_free_func(g_free);
    self->snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_snapshot_free);
    self->resources = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_resource_free);
    self->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    self->units = g_ptr_array_new_with_free_func(free_unit);
    self->by_id = g_hash_table_new(hash_unit, equal_units);
    self->sets = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_set);
    self->nodes = g_array_new(FALSE, FALSE, sizeof(int));
    self->lost = lvp_snapshot_new();
    int none = LVP_NODE_NONE;
    g_array_append_val(self->nodes, none);
    return self;
}

void
lvp_inventory_free(LvpInventory *self)
{
    if (!self)
        return;
    g_hash_table_unref(self->by_id);
    g_hash_table_unref(self->by_name);
    g_hash_table_unref(self->sets);
    g_ptr_array_unref(self->units);
    g_ptr_array_unref(self->resources);
    g_ptr_array_unref(self->snapshots);
    g_ptr_array_unref(self->sources);
    g_array_unref(self->nodes);
    lvp_snapshot_free(self->lost);
    g_free(self);
}

/* ---- building ---- */

static void
note_node(LvpInventory *self, int node)
{
    guint at = 0;
    while (at < self->nodes->len && g_array_index(self->nodes, int, at) < node)
        at++;
    if (at == self->nodes->len || g_array_index(self->nodes, int, at) != node)
        g_array_insert_val(self->nodes, at, node);
}

static LvpResource *
add_resource(
    LvpInventory *self, const char *source, const char *name, gboolean unitary, GError **error)
{
    LvpResource *resource = g_hash_table_lookup(self->by_name, name);
    if (resource && strcmp(lvp_resource_get_source(resource), source) != 0) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_CONFLICT,
                    "sources %s and %s both offer resource %s: load only one of them",
                    lvp_resource_get_source(resource), source, name);
        return NULL;
    }
    if (resource && lvp_resource_is_unitary(resource) != unitary) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE,
                    "source %s offers %s both as an amount and as units", source, name);
        return NULL;
    }
    if (resource)
        return resource;
    resource = lvp_resource_new(name, source, unitary);
    g_ptr_array_add(self->resources, resource);
    g_hash_table_insert(self->by_name, (gpointer)(gsize)lvp_resource_get_name(resource), resource);
    return resource;
}

static gboolean
add_unit(LvpInventory *self, LvpResource *resource, const LvpUnit *found)
{
    LvpInventoryUnit *unit = g_new0(LvpInventoryUnit, 1);
    unit->found = found;
    unit->resource = resource;
    unit->source = lvp_resource_get_source(resource);
    if (g_hash_table_contains(self->by_id, unit)) {
        g_free(unit);
        return FALSE;
    }
    g_ptr_array_add(self->units, unit);
    g_hash_table_add(self->by_id, unit);
    note_node(self, found->node);
    return TRUE;
}

static const char *
own_source_name(LvpInventory *self, const char *source)
{
    for (guint i = 0; i < self->sources->len; i++)
        if (strcmp(g_ptr_array_index(self->sources, i), source) == 0)
            return g_ptr_array_index(self->sources, i);
    char *name = g_strdup(source);
    g_ptr_array_add(self->sources, name);
    return name;
}

gboolean
lvp_inventory_add_snapshot(LvpInventory *self,
                           const char *source,
                           LvpSnapshot *snapshot,
                           GError **error)
{
    source = own_source_name(self, source);
    g_ptr_array_add(self->snapshots, snapshot);
    for (guint i = 0; i < snapshot->amounts->len; i++) {
        const LvpSnapshotAmount *row = &g_array_index(snapshot->amounts, LvpSnapshotAmount, i);
        if (!add_resource(self, source, row->resource, FALSE, error))
            return FALSE;
        note_node(self, row->node);
    }
    for (guint i = 0; i < snapshot->pools->len; i++)
        if (!add_resource(self, source, g_ptr_array_index(snapshot->pools, i), TRUE, error))
            return FALSE;
    for (guint i = 0; i < snapshot->units->len; i++) {
        const LvpUnit *found = g_ptr_array_index(snapshot->units, i);
        if (!found->resource)
            continue;
        LvpResource *resource = add_resource(self, source, found->resource, TRUE, error);
        if (!resource)
            return FALSE;
        if (!add_unit(self, resource, found)) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE, "source %s reports unit %s twice",
                        source, found->id);
            return FALSE;
        }
    }
    return TRUE;
}

void
lvp_inventory_add_lost_unit(LvpInventory *self,
                            const char *source,
                            const char *resource,
                            const char *id,
                            const char *identity,
                            int node)
{
    if (lvp_inventory_find_unit(self, source, id))
        return;
    LvpResource *known = g_hash_table_lookup(self->by_name, resource);
    if (!known)
        known = add_resource(self, own_source_name(self, source), resource, TRUE, NULL);
    if (!lvp_resource_is_unitary(known) || strcmp(lvp_resource_get_source(known), source) != 0)
        return; /* the name means something else by now: the claim stays, the unit is nobody's */
    LvpUnit *unit = lvp_snapshot_add_unit(self->lost, resource, id, identity, node);
    lvp_unit_add_condition(unit, LVP_CONDITION_LOST, "it is not there any more");
    add_unit(self, known, unit);
}

static int
compare_resources(gconstpointer a, gconstpointer b)
{
    return strcmp(lvp_resource_get_name(*(LvpResource *const *)a),
                  lvp_resource_get_name(*(LvpResource *const *)b));
}

static int
compare_units(gconstpointer a, gconstpointer b)
{
    const LvpInventoryUnit *left = *(LvpInventoryUnit *const *)a;
    const LvpInventoryUnit *right = *(LvpInventoryUnit *const *)b;
    int sources = strcmp(left->source, right->source);
    return sources ? sources : strcmp(left->found->id, right->found->id);
}

static void
join_sets(LvpInventory *self, LvpInventoryUnit *unit)
{
    for (guint i = 0; unit->found->sets && i < unit->found->sets->len; i++) {
        g_autofree char *name =
            g_strdup_printf("%s:%s", unit->source, g_array_index(unit->found->sets, char *, i));
        LvpExclusionSet *set = g_hash_table_lookup(self->sets, name);
        if (!set) {
            set = g_new0(LvpExclusionSet, 1);
            set->name = g_steal_pointer(&name);
            set->members = g_ptr_array_new();
            g_hash_table_insert(self->sets, set->name, set);
        }
        g_ptr_array_add(set->members, unit);
        if (!unit->sets)
            unit->sets = g_ptr_array_new();
        g_ptr_array_add(unit->sets, set);
    }
}

static void
place_unit(LvpInventory *self, LvpInventoryUnit *unit)
{
    unit->node_index = lvp_inventory_find_node(self, unit->found->node);
    unit->bit = lvp_resource_add_unit(unit->resource, unit->node_index, unit);
}

/* Brings the bitmap in line with whether the unit is free. */
static void
update_bit(LvpInventoryUnit *unit)
{
    lvp_resource_set_unit_free(unit->resource, unit->node_index, unit->bit, lvp_unit_is_free(unit));
}

static void
place_amounts(LvpInventory *self, const LvpSnapshot *snapshot)
{
    for (guint i = 0; i < snapshot->amounts->len; i++) {
        const LvpSnapshotAmount *row = &g_array_index(snapshot->amounts, LvpSnapshotAmount, i);
        lvp_resource_add_amount(g_hash_table_lookup(self->by_name, row->resource),
                                lvp_inventory_find_node(self, row->node), row->amount);
    }
}

void
lvp_inventory_seal(LvpInventory *self)
{
    g_ptr_array_sort(self->resources, compare_resources);
    g_ptr_array_sort(self->units, compare_units);
    for (guint i = 0; i < self->resources->len; i++)
        lvp_resource_lay_out(g_ptr_array_index(self->resources, i), self->nodes->len);
    for (guint i = 0; i < self->snapshots->len; i++)
        place_amounts(self, g_ptr_array_index(self->snapshots, i));
    for (guint i = 0; i < self->units->len; i++) {
        place_unit(self, g_ptr_array_index(self->units, i));
        join_sets(self, g_ptr_array_index(self->units, i));
    }
    for (guint i = 0; i < self->resources->len; i++)
        lvp_resource_seal(g_ptr_array_index(self->resources, i));
    for (guint i = 0; i < self->units->len; i++)
        update_bit(g_ptr_array_index(self->units, i));
}

/* ---- nodes and resources ---- */

guint
lvp_inventory_get_n_nodes(const LvpInventory *self)
{
    return self->nodes->len;
}

int
lvp_inventory_get_node(const LvpInventory *self, guint node_index)
{
    return g_array_index(self->nodes, int, node_index);
}

guint
lvp_inventory_find_node(const LvpInventory *self, int node)
{
    for (guint i = 0; i < self->nodes->len; i++)
        if (g_array_index(self->nodes, int, i) == node)
            return i;
    return 0;
}

LvpResource *
lvp_inventory_find_resource(const LvpInventory *self, const char *name)
{
    return g_hash_table_lookup(self->by_name, name);
}

const GPtrArray *
lvp_inventory_get_resources(const LvpInventory *self)
{
    return self->resources;
}

/* ---- units ---- */

LvpInventoryUnit *
lvp_inventory_find_unit(const LvpInventory *self, const char *source, const char *id)
{
    const LvpUnit found = {.id = id};
    const LvpInventoryUnit key = {.found = &found, .source = source};
    return g_hash_table_lookup(self->by_id, &key);
}

const GPtrArray *
lvp_inventory_get_units(const LvpInventory *self)
{
    return self->units;
}

gboolean
lvp_unit_is_free(const LvpInventoryUnit *self)
{
    if (self->holder || self->cordoned || self->quarantine || self->conditions ||
        self->found->unusable || self->found->conditions)
        return FALSE;
    for (guint i = 0; self->sets && i < self->sets->len; i++)
        if (((LvpExclusionSet *)g_ptr_array_index(self->sets, i))->n_kept > 0)
            return FALSE;
    return TRUE;
}

/* One reason more, or less, to keep the members of its sets from others. */
static void
keep_sets(LvpInventoryUnit *self, gboolean more)
{
    update_bit(self);
    for (guint i = 0; self->sets && i < self->sets->len; i++) {
        LvpExclusionSet *set = g_ptr_array_index(self->sets, i);
        set->n_kept = more ? set->n_kept + 1 : set->n_kept - 1;
        for (guint k = 0; k < set->members->len; k++)
            update_bit(g_ptr_array_index(set->members, k));
    }
}

void
lvp_unit_take(LvpInventoryUnit *self, gconstpointer holder)
{
    g_return_if_fail(self->holder == NULL && holder != NULL);
    self->holder = holder;
    keep_sets(self, TRUE);
}

void
lvp_unit_give(LvpInventoryUnit *self)
{
    g_return_if_fail(self->holder != NULL);
    self->holder = NULL;
    keep_sets(self, FALSE);
}

void
lvp_unit_set_cordoned(LvpInventoryUnit *self, gboolean cordoned)
{
    self->cordoned = cordoned;
    update_bit(self);
}

void
lvp_unit_set_quarantine(LvpInventoryUnit *self, const char *reason)
{
    gboolean was = self->quarantine != NULL;
    char *copy = g_strdup(reason);
    g_free(self->quarantine);
    self->quarantine = copy;
    if (was != (copy != NULL))
        keep_sets(self, copy != NULL);
}

void
lvp_unit_add_core_condition(LvpInventoryUnit *self, LvpCondition condition, const char *reason)
{
    self->conditions |= (guint)condition;
    self->condition_reason = reason;
    update_bit(self);
}

const LvpInventoryUnit *
lvp_unit_find_rival(const LvpInventoryUnit *self)
{
    for (guint i = 0; self->sets && i < self->sets->len; i++) {
        const LvpExclusionSet *set = g_ptr_array_index(self->sets, i);
        for (guint k = 0; k < set->members->len; k++) {
            const LvpInventoryUnit *member = g_ptr_array_index(set->members, k);
            if (member != self && (member->holder || member->quarantine) &&
                (!self->holder || member->holder != self->holder))
                return member;
        }
    }
    return NULL;
}
