/* SPDX-License-Identifier: Apache-2.0 */
/* What the allocator decides on: sources, inventory, classes and marks, and their exchange for
 * others. */
#include "allocator-private.h"

#include "claim.h"

#include <libvirt-provider/error.h>
#include <string.h>

char *
lvp_allocator_make_mark_key(const char *source, const char *unit_id)
{
    return g_strdup_printf("%s:%s", source, unit_id);
}

void
lvp_allocator_apply_mark(const LvpInventory *inventory, const LvpUnitMark *mark)
{
    LvpInventoryUnit *unit = lvp_inventory_find_unit(inventory, mark->source, mark->unit_id);
    if (unit)
        lvp_unit_set_cordoned(unit, mark->cordoned);
    /* It was that device that could not be put back, not another at its address. */
    if (mark->identity)
        unit = lvp_inventory_find_held_unit(inventory, mark->source, mark->unit_id, mark->identity);
    if (unit)
        lvp_unit_set_quarantine(unit, mark->quarantine);
}

/* What is quarantined stays visible, though no source sees it any more. */
static void
add_lost_quarantined_units(const LvpAllocator *self, LvpInventory *inventory)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, self->marks);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const LvpUnitMark *mark = value;
        LvpHeldUnit unit = {mark->resource, mark->unit_id, mark->identity, LVP_NODE_NONE,
                            mark->found};
        if (mark->quarantine && mark->resource && mark->identity)
            lvp_claim_add_missing_unit(mark->source, &unit, self->sources, inventory);
    }
}

/* Under the lock: everything that refers to INVENTORY changes with it. */
static LvpInventory *
exchange_inventory(LvpAllocator *self, LvpInventory *inventory)
{
    LvpInventory *old = self->inventory;
    for (guint i = 0; i < self->machines->len; i++)
        lvp_claim_add_missing_units(g_ptr_array_index(self->machines, i), self->sources, inventory);
    add_lost_quarantined_units(self, inventory);
    lvp_inventory_seal(inventory);
    for (guint i = 0; i < self->machines->len; i++)
        lvp_claim_take(g_ptr_array_index(self->machines, i), inventory);
    GHashTableIter iter;
    gpointer mark;
    g_hash_table_iter_init(&iter, self->marks);
    while (g_hash_table_iter_next(&iter, NULL, &mark))
        lvp_allocator_apply_mark(inventory, mark);
    self->inventory = inventory;
    lvp_allocator_apply_uses(self);
    lvp_allocator_tell_exchange(self, old);
    return old;
}

gboolean
lvp_allocator_install(LvpAllocator *self,
                      GPtrArray *sources,
                      GPtrArray *snapshots,
                      GPtrArray *classes,
                      gint64 vm_limit,
                      GError **error)
{
    LvpInventory *inventory = lvp_inventory_new();
    gboolean ok = TRUE;
    for (guint i = 0; i < sources->len; i++) {
        const char *name = lvp_source_get_name(g_ptr_array_index(sources, i));
        LvpSnapshot *snapshot = g_ptr_array_index(snapshots, i);
        if (ok)
            ok = lvp_inventory_add_snapshot(inventory, name, snapshot, error);
        else
            lvp_snapshot_free(snapshot);
    }
    g_ptr_array_set_free_func(snapshots, NULL);
    if (!ok) {
        lvp_inventory_free(inventory);
        return FALSE;
    }
    g_mutex_lock(&self->mutex);
    GPtrArray *old_sources = self->sources;
    self->sources = g_ptr_array_ref(sources);
    LvpInventory *old_inventory = exchange_inventory(self, inventory);
    LvpClassTable *old_classes = self->classes;
    self->classes =
        lvp_class_table_new(classes ? classes : lvp_class_table_get_declared(old_classes),
                            inventory, sources, old_classes);
    if (classes)
        self->vm_limit = vm_limit;
    g_mutex_unlock(&self->mutex);
    g_ptr_array_unref(old_sources);
    lvp_class_table_free(old_classes);
    lvp_inventory_free(old_inventory);
    return TRUE;
}

GMutexLocker *
lvp_allocator_lock_setup(LvpAllocator *self)
{
    return g_mutex_locker_new(&self->setup_mutex);
}

void
lvp_allocator_read(LvpAllocator *self,
                   void (*read)(const LvpWorld *world, gpointer data),
                   gpointer data)
{
    g_mutex_lock(&self->mutex);
    LvpWorld world = {self->sources, self->inventory, lvp_class_table_get_entries(self->classes),
                      self->machines, self->vm_limit};
    read(&world, data);
    g_mutex_unlock(&self->mutex);
}

GPtrArray *
lvp_allocator_dup_sources(LvpAllocator *self)
{
    GPtrArray *copy = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_source_unref);
    g_mutex_lock(&self->mutex);
    for (guint i = 0; i < self->sources->len; i++)
        g_ptr_array_add(copy, lvp_source_ref(g_ptr_array_index(self->sources, i)));
    g_mutex_unlock(&self->mutex);
    return copy;
}

/* ---- marks ---- */

/* Under the lock; a unit's id is unique but for two sources with the same kind of id. */
static LvpInventoryUnit *
find_unit(LvpAllocator *self, const char *unit_id, GError **error)
{
    for (guint i = 0; i < self->sources->len; i++) {
        const char *source = lvp_source_get_name(g_ptr_array_index(self->sources, i));
        LvpInventoryUnit *unit = lvp_inventory_find_unit(self->inventory, source, unit_id);
        if (unit)
            return unit;
    }
    g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND, "no device '%s'; see: lpctl device list",
                unit_id);
    return NULL;
}

/* Under the lock: a copy of the unit's mark, empty if it has none. */
static LvpUnitMark *
dup_mark(LvpAllocator *self, const LvpInventoryUnit *unit)
{
    const char *source = lvp_resource_get_source(unit->resource);
    g_autofree char *key = lvp_allocator_make_mark_key(source, unit->found->id);
    const LvpUnitMark *mark = g_hash_table_lookup(self->marks, key);
    return mark ? lvp_unit_mark_copy(mark) : lvp_unit_mark_new(source, unit->found->id);
}

void
lvp_allocator_put_mark(LvpAllocator *self, const LvpUnitMark *mark)
{
    LvpUnitMark *copy = lvp_unit_mark_copy(mark);
    g_hash_table_replace(self->marks, lvp_allocator_make_mark_key(mark->source, mark->unit_id),
                         copy);
    lvp_allocator_apply_mark(self->inventory, copy);
    LvpInventoryUnit *unit = lvp_inventory_find_unit(self->inventory, mark->source, mark->unit_id);
    if (unit)
        lvp_allocator_tell_unit(self, unit);
}

/* Makes MARK durable and puts it in place. */
static gboolean
store_mark(LvpAllocator *self, const LvpUnitMark *mark, GError **error)
{
    if (!lvp_journal_set_mark(self->journal, mark, error))
        return FALSE;
    g_mutex_lock(&self->mutex);
    lvp_allocator_put_mark(self, mark);
    g_mutex_unlock(&self->mutex);
    return TRUE;
}

gboolean
lvp_allocator_set_cordoned(LvpAllocator *self,
                           const char *unit_id,
                           gboolean cordoned,
                           GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->mark_mutex);
    g_mutex_lock(&self->mutex);
    const LvpInventoryUnit *unit = find_unit(self, unit_id, error);
    g_autoptr(LvpUnitMark) mark = unit ? dup_mark(self, unit) : NULL;
    g_mutex_unlock(&self->mutex);
    if (!mark)
        return FALSE;
    mark->cordoned = cordoned;
    return store_mark(self, mark, error);
}

LvpUnitMark *
lvp_allocator_dup_quarantine(LvpAllocator *self, const char *unit_id, GError **error)
{
    g_mutex_lock(&self->mutex);
    const LvpInventoryUnit *unit = find_unit(self, unit_id, error);
    g_autoptr(LvpUnitMark) mark = unit ? dup_mark(self, unit) : NULL;
    g_mutex_unlock(&self->mutex);
    if (mark && !mark->quarantine) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "device %s is not quarantined: there is nothing to release (a held device is "
                    "given back by deleting its machine)",
                    unit_id);
        return NULL;
    }
    return g_steal_pointer(&mark);
}

gboolean
lvp_allocator_clear_quarantine(LvpAllocator *self, const char *unit_id, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->mark_mutex);
    g_autoptr(LvpUnitMark) mark = lvp_allocator_dup_quarantine(self, unit_id, error);
    if (!mark)
        return FALSE;
    g_clear_pointer(&mark->quarantine, g_free);
    g_clear_pointer(&mark->record, g_variant_unref);
    g_clear_pointer(&mark->found, g_variant_unref);
    return store_mark(self, mark, error);
}
