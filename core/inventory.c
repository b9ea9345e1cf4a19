/* SPDX-License-Identifier: Apache-2.0 */
#include "inventory.h"

#include <libvirt-provider/error.h>
#include <libvirt-provider/text.h>
#include <string.h>

/* How many free units of one resource are in a set. */
typedef struct {
    LvpResource *resource;
    guint n_free;
} FreeCount;

/* Units that go to one machine only. */
struct LvpExclusionSet {
    char *name;
    GPtrArray *members;  /* LvpInventoryUnit */
    guint n_taken;       /* held or quarantined */
    GArray *free_counts; /* FreeCount; of the members that have it as their first set */
};

struct LvpInventory {
    GPtrArray *sources;   /* char *, interned names of sources */
    GPtrArray *snapshots; /* LvpSnapshot, parallel to sources; owned */
    GPtrArray *resources; /* LvpResource, owned */
    GHashTable *by_name;  /* name -> LvpResource */
    GPtrArray *units;     /* LvpInventoryUnit, owned */
    GHashTable *by_id;    /* LvpInventoryUnit as its own key: source and id */
    GPtrArray *displaced; /* LvpInventoryUnit: lost, and another stands at their id */
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
    g_free(unit->condition_reason);
    g_clear_pointer(&unit->sets, g_ptr_array_unref);
    g_free(unit);
}

static void
free_set(gpointer data)
{
    LvpExclusionSet *set = data;
    g_free(set->name);
    g_ptr_array_unref(set->members);
    g_array_unref(set->free_counts);
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
    self->displaced = g_ptr_array_new();
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
    g_ptr_array_unref(self->displaced);
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
    if (!lvp_resource_is_name(name)) {
        g_autofree char *printable = lvp_text_make_printable(name);
        g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE,
                    "source %s offers '%s', which is no name of a resource: 1 to 253 of A-Z a-z "
                    "0-9 _ . - /",
                    source, printable);
        return NULL;
    }
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

static LvpInventoryUnit *
make_unit(LvpInventory *self, LvpResource *resource, LvpUnit *found)
{
    LvpInventoryUnit *unit = g_new0(LvpInventoryUnit, 1);
    unit->found = found;
    unit->resource = resource;
    unit->source = lvp_resource_get_source(resource);
    g_ptr_array_add(self->units, unit);
    note_node(self, found->node);
    return unit;
}

static gboolean
add_unit(LvpInventory *self, LvpResource *resource, LvpUnit *found)
{
    if (lvp_inventory_find_unit(self, lvp_resource_get_source(resource), found->id))
        return FALSE;
    g_hash_table_add(self->by_id, make_unit(self, resource, found));
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
        LvpUnit *found = g_ptr_array_index(snapshot->units, i);
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
lvp_inventory_add_held_unit(LvpInventory *self,
                            const char *source,
                            const LvpHeldUnit *held,
                            LvpCondition condition,
                            const char *reason)
{
    LvpInventoryUnit *there = lvp_inventory_find_held_unit(self, source, held->id, held->identity);
    if (there && held->found)
        lvp_unit_add_found_attributes(there->found, held->found);
    if (there)
        return;
    LvpResource *known = g_hash_table_lookup(self->by_name, held->resource);
    if (!known)
        known = add_resource(self, own_source_name(self, source), held->resource, TRUE, NULL);
    if (!known || !lvp_resource_is_unitary(known) ||
        strcmp(lvp_resource_get_source(known), source) != 0)
        return; /* the name means something else by now: the claim stays, the unit is nobody's */
    gboolean displaced = lvp_inventory_find_unit(self, source, held->id) != NULL;
    LvpUnit *unit =
        lvp_snapshot_add_unit(self->lost, held->resource, held->id, held->identity, held->node);
    if (held->found)
        lvp_unit_add_found(unit, held->found);
    lvp_unit_add_condition(unit, displaced ? LVP_CONDITION_LOST : condition,
                           displaced ? "another device stands at its address now" : reason);
    if (displaced)
        g_ptr_array_add(self->displaced, make_unit(self, known, unit));
    else
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
    int ids = strcmp(left->found->id, right->found->id);
    return sources ? sources : ids ? ids : strcmp(left->found->identity, right->found->identity);
}

/* Whether another stands at the id of the unit, or the unit at that of another which is lost. */
static gboolean
is_replaced(const LvpInventory *self, const LvpInventoryUnit *unit)
{
    for (guint i = 0; i < self->displaced->len; i++)
        if (equal_units(g_ptr_array_index(self->displaced, i), unit))
            return TRUE;
    return FALSE;
}

/* A lost unit keeps from others what was taken with it and is still there: not a set of which
 * nothing but what came in its place is left. */
static gboolean
is_set_left(const LvpInventory *self, const LvpExclusionSet *set)
{
    for (guint i = 0; set && i < set->members->len; i++)
        if (!is_replaced(self, g_ptr_array_index(set->members, i)))
            return TRUE;
    return FALSE;
}

static char *
name_set(const LvpInventoryUnit *unit, guint index)
{
    return g_strdup_printf("%s:%s", unit->source, unit->found->sets[index]);
}

/* How many units are in each set, by its name. */
static GHashTable *
count_members(const LvpInventory *self)
{
    GHashTable *counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < self->units->len; i++) {
        const LvpInventoryUnit *unit = g_ptr_array_index(self->units, i);
        for (guint k = 0; k < unit->found->n_sets; k++) {
            char *name = name_set(unit, k);
            guint count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, name));
            g_hash_table_insert(counts, name, GUINT_TO_POINTER(count + 1));
        }
    }
    return counts;
}

/* A set with one member keeps nothing from anybody, and nearly all are so: it is left out. */
static void
join_sets(LvpInventory *self, LvpInventoryUnit *unit, GHashTable *counts, gboolean displaced)
{
    for (guint i = 0; i < unit->found->n_sets; i++) {
        g_autofree char *name = name_set(unit, i);
        LvpExclusionSet *set = g_hash_table_lookup(self->sets, name);
        if (GPOINTER_TO_UINT(g_hash_table_lookup(counts, name)) < 2 ||
            (displaced && !is_set_left(self, set)))
            continue;
        if (!set) {
            set = g_new0(LvpExclusionSet, 1);
            set->name = g_steal_pointer(&name);
            set->members = g_ptr_array_new();
            set->free_counts = g_array_new(FALSE, FALSE, sizeof(FreeCount));
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

/* Its bundle: the first of its sets that it shares; NULL for a unit that shares none. */
static LvpExclusionSet *
get_bundle(const LvpInventoryUnit *unit)
{
    return unit->sets ? g_ptr_array_index(unit->sets, 0) : NULL;
}

static FreeCount *
get_free_count(LvpExclusionSet *bundle, LvpResource *resource)
{
    for (guint i = 0; i < bundle->free_counts->len; i++) {
        FreeCount *count = &g_array_index(bundle->free_counts, FreeCount, i);
        if (count->resource == resource)
            return count;
    }
    FreeCount fresh = {resource, 0};
    for (guint i = 0; i < bundle->free_counts->len; i++) {
        LvpResource *other = g_array_index(bundle->free_counts, FreeCount, i).resource;
        lvp_resource_add_partner(resource, other);
        lvp_resource_add_partner(other, resource);
    }
    g_array_append_val(bundle->free_counts, fresh);
    return &g_array_index(bundle->free_counts, FreeCount, bundle->free_counts->len - 1);
}

/* Brings bitmap and bundle in line with whether the unit is free. */
static void
update_bit(LvpInventoryUnit *unit)
{
    gboolean free = lvp_unit_is_free(unit);
    if (!lvp_resource_set_unit_free(unit->resource, unit->node_index, unit->bit, free))
        return;
    LvpExclusionSet *bundle = get_bundle(unit);
    FreeCount *count = bundle ? get_free_count(bundle, unit->resource) : NULL;
    guint before = count ? count->n_free : !free, after = free ? before + 1 : before - 1;
    if (count)
        count->n_free = after;
    lvp_resource_move_bundle(unit->resource, before, after);
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
    g_autoptr(GHashTable) counts = count_members(self);
    for (guint i = 0; i < self->units->len; i++) {
        LvpInventoryUnit *unit = g_ptr_array_index(self->units, i);
        place_unit(self, unit);
        if (!g_ptr_array_find(self->displaced, unit, NULL))
            join_sets(self, unit, counts, FALSE);
    }
    for (guint i = 0; i < self->displaced->len; i++)
        join_sets(self, g_ptr_array_index(self->displaced, i), counts, TRUE);
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
    LvpUnit found = {.id = id};
    const LvpInventoryUnit key = {.found = &found, .source = source};
    return g_hash_table_lookup(self->by_id, &key);
}

LvpInventoryUnit *
lvp_inventory_find_held_unit(const LvpInventory *self,
                             const char *source,
                             const char *id,
                             const char *identity)
{
    LvpInventoryUnit *unit = lvp_inventory_find_unit(self, source, id);
    if (unit && strcmp(unit->found->identity, identity) == 0)
        return unit;
    for (guint i = 0; i < self->displaced->len; i++) {
        LvpInventoryUnit *lost = g_ptr_array_index(self->displaced, i);
        if (strcmp(lost->source, source) == 0 && strcmp(lost->found->id, id) == 0 &&
            strcmp(lost->found->identity, identity) == 0)
            return lost;
    }
    return NULL;
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
        if (((LvpExclusionSet *)g_ptr_array_index(self->sets, i))->n_taken > 0)
            return FALSE;
    return TRUE;
}

guint
lvp_unit_count_free_mates(const LvpInventoryUnit *self)
{
    LvpExclusionSet *bundle = get_bundle(self);
    return bundle ? get_free_count(bundle, self->resource)->n_free : 1;
}

const GPtrArray *
lvp_unit_get_mates(const LvpInventoryUnit *self)
{
    const LvpExclusionSet *bundle = get_bundle(self);
    return bundle ? bundle->members : NULL;
}

/* What is held or quarantined keeps its whole sets from everybody else. */
static gboolean
is_taken(const LvpInventoryUnit *self)
{
    return self->holder || self->quarantine;
}

/* After a change of holder or quarantine. */
static void
update_sets(LvpInventoryUnit *self, gboolean was_taken)
{
    update_bit(self);
    if (is_taken(self) == was_taken)
        return;
    for (guint i = 0; self->sets && i < self->sets->len; i++) {
        LvpExclusionSet *set = g_ptr_array_index(self->sets, i);
        set->n_taken = was_taken ? set->n_taken - 1 : set->n_taken + 1;
        for (guint k = 0; k < set->members->len; k++)
            update_bit(g_ptr_array_index(set->members, k));
    }
}

void
lvp_unit_take(LvpInventoryUnit *self, gconstpointer holder)
{
    g_return_if_fail(self->holder == NULL && holder != NULL);
    gboolean was_taken = is_taken(self);
    self->holder = holder;
    update_sets(self, was_taken);
}

void
lvp_unit_give(LvpInventoryUnit *self)
{
    g_return_if_fail(self->holder != NULL);
    self->holder = NULL;
    update_sets(self, TRUE);
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
    gboolean was_taken = is_taken(self);
    char *copy = g_strdup(reason);
    g_free(self->quarantine);
    self->quarantine = copy;
    update_sets(self, was_taken);
}

void
lvp_unit_set_core_condition(LvpInventoryUnit *self, LvpCondition condition, const char *reason)
{
    if (!reason && !(self->conditions & (guint)condition))
        return;
    g_free(self->condition_reason);
    self->condition_reason = g_strdup(reason);
    self->conditions =
        reason ? self->conditions | (guint)condition : self->conditions & ~(guint)condition;
    update_bit(self);
}

const LvpInventoryUnit *
lvp_unit_find_rival(const LvpInventoryUnit *self)
{
    for (guint i = 0; self->sets && i < self->sets->len; i++) {
        const LvpExclusionSet *set = g_ptr_array_index(self->sets, i);
        for (guint k = 0; k < set->members->len; k++) {
            const LvpInventoryUnit *member = g_ptr_array_index(set->members, k);
            if (member != self && is_taken(member) &&
                (!member->holder || member->holder != self->holder))
                return member;
        }
    }
    return NULL;
}

static gboolean
share_set(const LvpUnit *a, const LvpUnit *b)
{
    for (guint i = 0; i < a->n_sets; i++)
        for (guint k = 0; k < b->n_sets; k++)
            if (strcmp(a->sets[i], b->sets[k]) == 0)
                return TRUE;
    return FALSE;
}

LvpInventoryUnit *
lvp_inventory_find_mate(const LvpInventory *self, const char *source, const LvpUnit *unlisted)
{
    LvpInventoryUnit *mate = NULL;
    for (guint i = 0; i < self->units->len; i++) {
        LvpInventoryUnit *unit = g_ptr_array_index(self->units, i);
        if ((!mate || is_taken(unit)) && strcmp(unit->source, source) == 0 &&
            share_set(unit->found, unlisted))
            mate = unit;
    }
    return mate;
}
