/* SPDX-License-Identifier: Apache-2.0 */
/* What is seen of machines and units from outside: domains, their use of the host, and what the
 * sources say. None of it is journalled; it is all looked at again. */
#include "allocator-private.h"

#include <string.h>

static void
drop_ended(LvpAllocator *self)
{
    for (guint i = self->uses->len; i > 0; i--) {
        const LvpDomainUse *use = g_ptr_array_index(self->uses, i - 1);
        if (g_hash_table_contains(self->ended, use->uuid))
            g_ptr_array_remove_index(self->uses, i - 1);
    }
}

void
lvp_allocator_drop_use(LvpAllocator *self, const char *uuid)
{
    g_hash_table_add(self->ended, g_strdup(uuid));
    drop_ended(self);
}

void
lvp_allocator_set_domain_state(LvpAllocator *self, const char *uuid, LvpDomainState state)
{
    g_mutex_lock(&self->mutex);
    LvpMachine *machine = g_hash_table_lookup(self->machine_index, uuid);
    if (state == LVP_DOMAIN_OFF || state == LVP_DOMAIN_ABSENT)
        lvp_allocator_drop_use(self, uuid);
    if (machine && machine->domain != state) {
        machine->domain = state;
        lvp_allocator_tell_machine(self, machine);
        g_cond_broadcast(&self->domain_changed);
    }
    g_mutex_unlock(&self->mutex);
}

void
lvp_allocator_forget_domain_states(LvpAllocator *self)
{
    g_mutex_lock(&self->mutex);
    for (guint i = 0; i < self->machines->len; i++)
        ((LvpMachine *)g_ptr_array_index(self->machines, i))->domain = LVP_DOMAIN_UNKNOWN;
    g_mutex_unlock(&self->mutex);
}

gboolean
lvp_allocator_wait_domain(LvpAllocator *self,
                          const LvpMachine *machine,
                          LvpDomainState state,
                          guint timeout_ms)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    g_mutex_lock(&self->mutex);
    while (machine->domain != state &&
           g_cond_wait_until(&self->domain_changed, &self->mutex, deadline))
        ;
    gboolean reached = machine->domain == state;
    g_mutex_unlock(&self->mutex);
    return reached;
}

/* ---- who uses what ---- */

void
lvp_domain_use_free(LvpDomainUse *self)
{
    g_free(self->uuid);
    g_free(self->name);
    g_strfreev(self->addresses);
    g_free(self);
}

static void
mark_used(LvpAllocator *self, const LvpDomainUse *use, const char *address)
{
    for (guint i = 0; i < self->sources->len; i++) {
        const char *source = lvp_source_get_name(g_ptr_array_index(self->sources, i));
        LvpInventoryUnit *unit = lvp_inventory_find_unit(self->inventory, source, address);
        const LvpMachine *holder = unit ? unit->holder : NULL;
        if (!unit || (holder && strcmp(holder->uuid, use->uuid) == 0))
            continue;
        gboolean ours = g_hash_table_contains(self->machine_index, use->uuid);
        g_autofree char *reason =
            g_strdup_printf(ours ? "the domain of machine %s has it, which does not hold it"
                                 : "domain %s, which is not ours to manage, has it",
                            use->name);
        lvp_unit_set_core_condition(unit, LVP_CONDITION_FOREIGN, reason);
    }
}

void
lvp_allocator_apply_uses(LvpAllocator *self)
{
    const GPtrArray *units = lvp_inventory_get_units(self->inventory);
    for (guint i = 0; i < units->len; i++)
        lvp_unit_set_core_condition(g_ptr_array_index(units, i), LVP_CONDITION_FOREIGN, NULL);
    for (guint i = 0; i < self->uses->len; i++) {
        const LvpDomainUse *use = g_ptr_array_index(self->uses, i);
        for (guint k = 0; use->addresses[k]; k++)
            mark_used(self, use, use->addresses[k]);
    }
}

static void
tell_all_units(LvpAllocator *self)
{
    const GPtrArray *units = lvp_inventory_get_units(self->inventory);
    for (guint i = 0; i < units->len; i++)
        lvp_allocator_tell_unit(self, g_ptr_array_index(units, i));
}

void
lvp_allocator_begin_look(LvpAllocator *self)
{
    g_mutex_lock(&self->mutex);
    g_hash_table_remove_all(self->ended);
    g_mutex_unlock(&self->mutex);
}

void
lvp_allocator_set_domain_uses(LvpAllocator *self, GPtrArray *uses)
{
    g_mutex_lock(&self->mutex);
    GPtrArray *old = self->uses;
    self->uses = uses;
    drop_ended(self);
    lvp_allocator_apply_uses(self);
    tell_all_units(self);
    g_mutex_unlock(&self->mutex);
    g_ptr_array_unref(old);
}

gboolean
lvp_allocator_has_blocked_units(LvpAllocator *self, const char *unit_id)
{
    gboolean blocked = FALSE;
    g_mutex_lock(&self->mutex);
    const GPtrArray *units = lvp_inventory_get_units(self->inventory);
    for (guint i = 0; i < units->len && !blocked; i++) {
        const LvpInventoryUnit *unit = g_ptr_array_index(units, i);
        blocked = (unit->found->conditions & LVP_CONDITION_BLOCKED) != 0 &&
                  (!unit_id || strcmp(unit->found->id, unit_id) == 0);
    }
    g_mutex_unlock(&self->mutex);
    return blocked;
}

/* ---- machines ---- */

GPtrArray *
lvp_allocator_list_idle(LvpAllocator *self)
{
    GPtrArray *idle = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_machine_unref);
    g_mutex_lock(&self->mutex);
    for (guint i = 0; i < self->machines->len; i++) {
        LvpMachine *machine = g_ptr_array_index(self->machines, i);
        if (!machine->busy)
            g_ptr_array_add(idle, lvp_machine_ref(machine));
    }
    g_mutex_unlock(&self->mutex);
    return idle;
}

static void
log_new_notes(const LvpMachine *machine, GHashTable *notes)
{
    GHashTableIter iter;
    gpointer unit, note;
    g_hash_table_iter_init(&iter, notes);
    while (g_hash_table_iter_next(&iter, &unit, &note))
        if (g_strcmp0(g_hash_table_lookup(machine->notes, unit), note) != 0)
            g_message("machine %s: %s: %s", machine->name, (const char *)unit, (const char *)note);
}

void
lvp_allocator_note_failure(LvpAllocator *self, LvpMachine *machine, const char *failure)
{
    g_mutex_lock(&self->mutex);
    if (g_strcmp0(machine->failure, failure) != 0) {
        if (failure)
            g_message("machine %s: %s", machine->name, failure);
        g_free(machine->failure);
        machine->failure = g_strdup(failure);
    }
    g_mutex_unlock(&self->mutex);
}

void
lvp_allocator_drop_notes(LvpAllocator *self, LvpMachine *machine)
{
    g_mutex_lock(&self->mutex);
    g_hash_table_remove_all(machine->notes);
    g_mutex_unlock(&self->mutex);
}

static gboolean
is_orphaned(const LvpMachine *machine)
{
    return machine->created && machine->operation == LVP_OPERATION_NONE &&
           machine->domain == LVP_DOMAIN_ABSENT;
}

void
lvp_allocator_note_sight(LvpAllocator *self,
                         LvpMachine *machine,
                         GHashTable *notes,
                         const char *boot_id,
                         gint64 now_us,
                         LvpSight *sight)
{
    g_mutex_lock(&self->mutex);
    log_new_notes(machine, notes);
    GHashTable *old = machine->notes;
    machine->notes = notes;
    if (!is_orphaned(machine)) {
        machine->orphaned_at_us = 0;
    } else if (machine->orphaned_at_us == 0) {
        machine->orphaned_at_us = now_us;
        g_warning("machine %s is orphaned: its domain was undefined by somebody else",
                  machine->name);
    }
    sight->operation = machine->operation;
    sight->desired = machine->desired;
    sight->autostart = machine->autostart;
    sight->same_boot = strcmp(machine->boot_id, boot_id) == 0;
    sight->domain = machine->domain;
    sight->orphaned_for_us = machine->orphaned_at_us ? now_us - machine->orphaned_at_us : 0;
    g_mutex_unlock(&self->mutex);
    g_hash_table_unref(old);
}
