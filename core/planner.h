/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses what a machine gets from what is free. Pure: reads the inventory, asks sources that plan
 * for themselves, and changes nothing until a selection is taken. Under the allocator's lock. */
#pragma once

#include "inventory.h"
#include "source.h"

/* One row of a request, resolved against the inventory. */
typedef struct {
    LvpResource *resource;
    gint64 amount;
    LvpSource *planner; /* the source, if it has a plan or fits of its own; else NULL. Borrowed */
} LvpDemand;

typedef struct {
    LvpResource *resource;
    guint node_index;
    gint64 amount;
} LvpPick;

/* What was chosen; kept between plans, so that a plan allocates nothing. */
typedef struct {
    GArray *amounts;  /* LvpPick */
    GPtrArray *units; /* LvpInventoryUnit */
} LvpSelection;

LvpSelection *lvp_selection_new(void);
void lvp_selection_free(LvpSelection *self);
void lvp_selection_take(const LvpSelection *self, gconstpointer holder);
void lvp_selection_give(const LvpSelection *self);

/* DEMANDS (LvpDemand) of REQUEST. SOURCES (LvpSource) may be NULL where none plans for itself.
 * FALSE and the name of the first unknown resource where no source offers it. */
gboolean lvp_planner_resolve(const LvpInventory *inventory,
                             const GPtrArray *sources,
                             const LvpRequest *request,
                             GArray *demands,
                             const char **ret_unknown);

/* Fills SELECTION with all of it or leaves it empty and returns FALSE. One NUMA node is preferred,
 * the lowest where all fits; else what is needed is spread over the nodes. */
gboolean lvp_planner_select(const LvpInventory *inventory,
                            const LvpRequest *request,
                            const GArray *demands,
                            LvpSelection *selection);

/* How many more machines of it; *RET_LIMIT is the resource that limits, borrowed. */
gint64 lvp_planner_count(const LvpInventory *inventory,
                         const LvpRequest *request,
                         const GArray *demands,
                         const char **ret_limit);

/* "needs 1 gpu.nvidia/a30, 0 of 1 free (0000:3b:00.0 is held by vm1)" of what is short; g_free().
 */
char *lvp_planner_explain(const LvpInventory *inventory, const GArray *demands);

/* Why the unit is not offered, or is not as it should be: "nvme0n1p2 is mounted on /"; NULL where
 * nothing but a machine that holds it is to be said. g_free(). */
char *lvp_planner_dup_unit_reason(const LvpInventoryUnit *unit);

/* Why the unit is not free, as a sentence's end: "is held by vm1"; NULL if it is. g_free(). */
char *lvp_planner_explain_unit(const LvpInventoryUnit *unit);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpSelection, lvp_selection_free)
