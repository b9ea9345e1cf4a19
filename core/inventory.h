/* SPDX-License-Identifier: Apache-2.0 */
/* What exists and what is free, indexed. Pure data: no host, no lock of its own (the allocator's),
 * no third-party library.
 *
 * Built once from the snapshots of all sources and then sealed; a rescan builds a new one. */
#pragma once

#include "lib/snapshot.h"
#include "resource.h"

typedef struct LvpInventory LvpInventory;

/* One unit as it stands. Read only for all but inventory.c. */
typedef struct {
    const LvpUnit *found; /* what the source said; never NULL */
    LvpResource *resource;
    const char *source; /* its source's name */
    guint node_index;
    guint bit;            /* in the resource's bitmap of its node */
    gconstpointer holder; /* the machine; NULL: nobody's */
    gboolean cordoned;
    char *quarantine;             /* the reason; NULL if not */
    guint conditions;             /* of the core's, on top of found->conditions */
    const char *condition_reason; /* literal */
    GPtrArray *sets;              /* LvpExclusionSet; NULL if none */
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
/* Adds a unit that a machine holds (or a mark names) and no snapshot has; it is lost. Does nothing
 * if the unit exists. Before seal. */
void lvp_inventory_add_lost_unit(LvpInventory *self,
                                 const char *source,
                                 const char *resource,
                                 const char *id,
                                 const char *identity,
                                 int node);
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

/* NULL if there is none. */
LvpInventoryUnit *
lvp_inventory_find_unit(const LvpInventory *self, const char *source, const char *id);
/* LvpInventoryUnit in the order of source and id; borrowed. */
const GPtrArray *lvp_inventory_get_units(const LvpInventory *self);
/* Whether it may be taken by a machine. */
gboolean lvp_unit_is_free(const LvpInventoryUnit *self);
void lvp_unit_take(LvpInventoryUnit *self, gconstpointer holder);
void lvp_unit_give(LvpInventoryUnit *self);
void lvp_unit_set_cordoned(LvpInventoryUnit *self, gboolean cordoned);
/* REASON NULL: no longer. Keeps the members of its exclusion sets from machines, too. */
void lvp_unit_set_quarantine(LvpInventoryUnit *self, const char *reason);
/* REASON is a literal. */
void
lvp_unit_add_core_condition(LvpInventoryUnit *self, LvpCondition condition, const char *reason);
/* A unit of another machine, or one that is quarantined, that shares an exclusion set; or NULL. */
const LvpInventoryUnit *lvp_unit_find_rival(const LvpInventoryUnit *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpInventory, lvp_inventory_free)
