/* SPDX-License-Identifier: Apache-2.0 */
/* What exists and what is free, indexed. Pure data: no host, no lock of its own (the allocator's),
 * no third-party library.
 *
 * Built once from the snapshots of all sources and then sealed; a rescan builds a new one. */
#pragma once

#include "lib/request.h"
#include "lib/snapshot.h"
#include "resource.h"

typedef struct LvpInventory LvpInventory;
typedef struct LvpExclusionSet LvpExclusionSet;

/* One unit as it stands. Read only for all but inventory.c. */
typedef struct {
    LvpUnit *found; /* what the source said; never NULL */
    LvpResource *resource;
    const char *source; /* its source's name */
    guint node_index;
    guint bit;            /* in the resource's bitmap of its node */
    gconstpointer holder; /* the machine; NULL: nobody's */
    gboolean cordoned;
    char *quarantine;       /* the reason; NULL if not */
    guint conditions;       /* of the core's, on top of found->conditions */
    char *condition_reason; /* NULL where there is none */
    const char *told_state; /* the last that was told of it, literal; NULL: nothing yet */
    guint told_conditions;
    GPtrArray *sets; /* LvpExclusionSet, inventory.c's own; NULL if none */
} LvpInventoryUnit;

LvpInventory *lvp_inventory_new(void);
void lvp_inventory_free(LvpInventory *self);

/* Takes over SNAPSHOT, also on failure. LVP_ERROR_CONFLICT where another source offers one of the
 * resources, LVP_ERROR_SOURCE where two units have one id or a resource is both counted and
 * unitary. SOURCE is copied. */
gboolean lvp_inventory_add_snapshot(LvpInventory *self,
                                    const char *source,
                                    LvpSnapshot *snapshot,
                                    GError **error);
/* Adds a unit that a machine holds, or a mark names, and that no snapshot has as what it was: not
 * at all, or with another identity. CONDITION (0: none) and REASON say what is the matter. One that
 * is there gets the attributes that only the time before it was taken could tell, such as its
 * original driver. Before seal. */
void lvp_inventory_add_held_unit(LvpInventory *self,
                                 const char *source,
                                 const LvpHeldUnit *held,
                                 LvpCondition condition,
                                 const char *reason);
/* Builds the indexes; nothing can be added afterwards. */
void lvp_inventory_seal(LvpInventory *self);

/* ---- nodes: index 0 is LVP_NODE_NONE, the others ascend ---- */

guint lvp_inventory_get_n_nodes(const LvpInventory *self);
int lvp_inventory_get_node(const LvpInventory *self, guint node_index);
/* 0 where NODE is not known. */
guint lvp_inventory_find_node(const LvpInventory *self, int node);

/* ---- resources ---- */

/* NULL if no source offers it. */
LvpResource *lvp_inventory_find_resource(const LvpInventory *self, const char *name);
/* LvpResource, in the order of names; borrowed. */
const GPtrArray *lvp_inventory_get_resources(const LvpInventory *self);
/* ---- units ---- */

/* The one that stands there now; NULL if there is none. */
LvpInventoryUnit *
lvp_inventory_find_unit(const LvpInventory *self, const char *source, const char *id);
/* The one of that identity, though it may be lost and another stand at its id; or NULL. */
LvpInventoryUnit *lvp_inventory_find_held_unit(const LvpInventory *self,
                                               const char *source,
                                               const char *id,
                                               const char *identity);
/* LvpInventoryUnit in the order of source and id; borrowed. */
const GPtrArray *lvp_inventory_get_units(const LvpInventory *self);
/* Whether it may be taken by a machine. */
gboolean lvp_unit_is_free(const LvpInventoryUnit *self);
void lvp_unit_take(LvpInventoryUnit *self, gconstpointer holder);
void lvp_unit_give(LvpInventoryUnit *self);
void lvp_unit_set_cordoned(LvpInventoryUnit *self, gboolean cordoned);
/* REASON NULL: no longer. */
void lvp_unit_set_quarantine(LvpInventoryUnit *self, const char *reason);
/* REASON NULL: no longer. */
void
lvp_unit_set_core_condition(LvpInventoryUnit *self, LvpCondition condition, const char *reason);
/* Its bundle is what goes to one machine with it: how many free units of the same resource are in
 * it, itself included if it is free; and all its units, NULL where it is alone (borrowed). */
guint lvp_unit_count_free_mates(const LvpInventoryUnit *self);
const GPtrArray *lvp_unit_get_mates(const LvpInventoryUnit *self);
/* A unit of another machine, or a quarantined one, that shares an exclusion set; or NULL. */
const LvpInventoryUnit *lvp_unit_find_rival(const LvpInventoryUnit *self);
/* A unit that shares an exclusion set with one that no resource has, and so no inventory: one that
 * is held or quarantined rather than another; or NULL. Costs time in proportion to the units. */
LvpInventoryUnit *
lvp_inventory_find_mate(const LvpInventory *self, const char *source, const LvpUnit *unlisted);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpInventory, lvp_inventory_free)
