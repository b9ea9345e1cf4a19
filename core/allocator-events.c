/* SPDX-License-Identifier: Apache-2.0 */
/* What has changed is found by comparing with what was told last: whoever changes a machine or a
 * unit says only that it may have changed. Under the lock. */
#include "allocator-private.h"

#include "unit-status.h"

#include <string.h>

void
lvp_allocator_tell_unit(LvpAllocator *self, LvpInventoryUnit *unit)
{
    const char *state = lvp_unit_get_state(unit);
    guint conditions = lvp_unit_get_conditions(unit);
    const char *told = unit->told_state;
    if (told && strcmp(told, state) == 0 && unit->told_conditions == conditions)
        return;
    if (self->events && (told || self->installed)) {
        g_autofree char *from =
            told ? lvp_unit_status_to_text(told, unit->told_conditions) : g_strdup("");
        g_autofree char *to = lvp_unit_status_to_text(state, conditions);
        g_autofree char *reason = lvp_unit_dup_reason(unit);
        lvp_events_add(self->events, lvp_event_new("device", unit->found->id, from, to, reason));
    }
    unit->told_state = state;
    unit->told_conditions = conditions;
}

/* A unit with those that go to one machine with it. */
static void
tell_bundle(LvpAllocator *self, LvpInventoryUnit *unit)
{
    const GPtrArray *mates = lvp_unit_get_mates(unit);
    lvp_allocator_tell_unit(self, unit);
    for (guint i = 0; mates && i < mates->len; i++)
        lvp_allocator_tell_unit(self, g_ptr_array_index(mates, i));
}

static void
tell_units(LvpAllocator *self, const LvpMachine *machine)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        for (guint k = 0; k < holding->units->len; k++) {
            const LvpHeldUnit *held = &g_array_index(holding->units, LvpHeldUnit, k);
            LvpInventoryUnit *unit = lvp_inventory_find_held_unit(self->inventory, holding->source,
                                                                  held->id, held->identity);
            if (unit)
                tell_bundle(self, unit);
        }
    }
}

void
lvp_allocator_tell_machine(LvpAllocator *self, LvpMachine *machine)
{
    gboolean there = g_hash_table_lookup(self->machine_index, machine->uuid) == machine;
    const char *state = there ? lvp_machine_get_state(machine) : "";
    const char *told = machine->told_state ? machine->told_state : "";
    if (strcmp(told, state) != 0) {
        g_autofree char *reason = there ? lvp_machine_dup_reason(machine) : NULL;
        if (self->events)
            lvp_events_add(self->events,
                           lvp_event_new("machine", machine->name, told, state, reason));
        machine->told_state = state;
    }
    tell_units(self, machine);
}

/* What was told of the units of OLD is what was told of the same units of the inventory in place.
 */
void
lvp_allocator_tell_exchange(LvpAllocator *self, const LvpInventory *old)
{
    const GPtrArray *before = lvp_inventory_get_units(old);
    const GPtrArray *now = lvp_inventory_get_units(self->inventory);
    for (guint i = 0; i < before->len; i++) {
        const LvpInventoryUnit *unit = g_ptr_array_index(before, i);
        LvpInventoryUnit *same = lvp_inventory_find_held_unit(
            self->inventory, unit->source, unit->found->id, unit->found->identity);
        if (same) {
            same->told_state = unit->told_state;
            same->told_conditions = unit->told_conditions;
        } else if (self->events && unit->told_state) {
            g_autofree char *from =
                lvp_unit_status_to_text(unit->told_state, unit->told_conditions);
            lvp_events_add(self->events, lvp_event_new("device", unit->found->id, from, "", NULL));
        }
    }
    for (guint i = 0; i < now->len; i++)
        lvp_allocator_tell_unit(self, g_ptr_array_index(now, i));
    self->installed = TRUE;
}

void
lvp_allocator_set_events(LvpAllocator *self, LvpEvents *events)
{
    self->events = events;
}
