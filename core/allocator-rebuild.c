/* SPDX-License-Identifier: Apache-2.0 */
/* Machines that come back from somewhere else than the journal. */
#include "allocator-private.h"

#include "claim.h"

#include <libvirt-provider/error.h>

gboolean
lvp_allocator_needs_rebuild(LvpAllocator *self)
{
    g_mutex_lock(&self->mutex);
    gboolean needs = self->rebuild != NULL;
    g_mutex_unlock(&self->mutex);
    return needs;
}

static const LvpInventoryUnit *
find_held_unit(LvpAllocator *self, const LvpMachine *machine)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        for (guint k = 0; k < holding->units->len; k++) {
            const LvpHeldUnit *held = &g_array_index(holding->units, LvpHeldUnit, k);
            const LvpInventoryUnit *unit = lvp_inventory_find_held_unit(
                self->inventory, holding->source, held->id, held->identity);
            if (unit && unit->holder)
                return unit;
        }
    }
    return NULL;
}

/* Under the lock. */
static gboolean
add(LvpAllocator *self, LvpMachine *machine, GError **error)
{
    const LvpInventoryUnit *taken = find_held_unit(self, machine);
    if (g_hash_table_contains(self->machine_index, machine->uuid) ||
        g_hash_table_contains(self->machine_index, machine->name)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_EXISTS, "it is here already");
        return FALSE;
    }
    if (taken) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_CONFLICT, "%s is held by %s", taken->found->id,
                    ((const LvpMachine *)taken->holder)->name);
        return FALSE;
    }
    machine->busy = TRUE;
    lvp_claim_take(machine, self->inventory);
    lvp_allocator_add_machine(self, machine);
    return TRUE;
}

gboolean
lvp_allocator_adopt(LvpAllocator *self, LvpMachine *machine, GError **error)
{
    g_mutex_lock(&self->mutex);
    gboolean added = add(self, machine, error);
    g_mutex_unlock(&self->mutex);
    if (!added)
        return FALSE;
    gboolean ok = lvp_journal_adopt(self->journal, machine, error);
    g_mutex_lock(&self->mutex);
    machine->busy = FALSE;
    if (!ok) {
        lvp_claim_give(machine, self->inventory);
        lvp_allocator_drop_machine(self, machine);
    }
    lvp_allocator_tell_machine(self, machine);
    g_mutex_unlock(&self->mutex);
    return ok;
}

gboolean
lvp_allocator_end_rebuild(LvpAllocator *self, const GPtrArray *marks, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->mark_mutex);
    if (!lvp_journal_end_rebuild(self->journal, marks, error))
        return FALSE;
    g_mutex_lock(&self->mutex);
    for (guint i = 0; i < marks->len; i++)
        lvp_allocator_put_mark(self, g_ptr_array_index(marks, i));
    g_clear_pointer(&self->rebuild, g_free);
    g_mutex_unlock(&self->mutex);
    return TRUE;
}
