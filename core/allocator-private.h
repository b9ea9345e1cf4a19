/* SPDX-License-Identifier: Apache-2.0 */
/* What allocator.c (machines and their operations) and allocator-world.c (what they are decided on)
 * share. Of no interest to others. */
#pragma once

#include "allocator.h"

struct LvpAllocator {
    LvpJournal *journal;
    GMutex setup_mutex; /* one look at the host at a time: from the look to its place here */
    GMutex mark_mutex;  /* one change of marks at a time: from reading to writing; before MUTEX */
    GMutex mutex;       /* guards the rest */
    GCond domain_changed;
    GPtrArray *sources; /* LvpSource */
    LvpInventory *inventory;
    LvpClassTable *classes;
    GPtrArray *machines;       /* LvpMachine, in the order of names */
    GHashTable *machine_index; /* name and uuid -> LvpMachine */
    GHashTable *marks;         /* source:id -> LvpUnitMark */
    char *rebuild;             /* why the journal has to be made again; NULL: it is all there */
    LvpEvents *events;         /* NULL: nobody is told */
    gboolean installed;        /* there was an inventory: what comes now is new */
    GPtrArray *uses;           /* LvpDomainUse */
    GHashTable *ended;         /* char *: uuids of domains that have ended since the last look */
    LvpSelection *selection;   /* scratch */
    gint64 vm_limit;
};

/* Under the lock. */
void lvp_allocator_add_machine(LvpAllocator *self, LvpMachine *machine);
void lvp_allocator_drop_machine(LvpAllocator *self, LvpMachine *machine);
/* Under the lock: a copy of MARK replaces the unit's old one. */
void lvp_allocator_put_mark(LvpAllocator *self, const LvpUnitMark *mark);

/* The key of self->marks; g_free(). */
char *lvp_allocator_make_mark_key(const char *source, const char *unit_id);
/* Under the lock: the unit, the machine with its units, or all units may have changed. */
void lvp_allocator_tell_unit(LvpAllocator *self, LvpInventoryUnit *unit);
void lvp_allocator_tell_machine(LvpAllocator *self, LvpMachine *machine);
void lvp_allocator_tell_exchange(LvpAllocator *self, const LvpInventory *old);
/* Under the lock: what the domain used, it does not use any more; effective with the next apply. */
void lvp_allocator_drop_use(LvpAllocator *self, const char *uuid);
/* Under the lock: gives the condition foreign to the units that other domains use. */
void lvp_allocator_apply_uses(LvpAllocator *self);
/* Under the lock: brings the mark's unit in line with it. */
void lvp_allocator_apply_mark(const LvpInventory *inventory, const LvpUnitMark *mark);
