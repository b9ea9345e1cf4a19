/* SPDX-License-Identifier: Apache-2.0 */
/* The machine classes against one inventory: what each asks of it, and why some cannot be. Belongs
 * to the inventory that it was made for. */
#pragma once

#include "machine-class.h"
#include "planner.h"

/* A class as it stands. */
typedef struct {
    const LvpMachineClass *declared;
    LvpRequest *effective; /* after normalize */
    GArray *demands;       /* LvpDemand; empty if PROBLEM */
    char *problem;         /* why no machine of it can be made: "no source offers x"; else NULL */
} LvpClassEntry;

typedef struct LvpClassTable LvpClassTable;

/* Of DECLARED (LvpMachineClass; a reference is taken). A problem that BEFORE (may be NULL) does not
 * have is logged: once, not at every rescan. */
LvpClassTable *lvp_class_table_new(GPtrArray *declared,
                                   const LvpInventory *inventory,
                                   const GPtrArray *sources,
                                   const LvpClassTable *before);
void lvp_class_table_free(LvpClassTable *self);
/* LvpMachineClass, as given. */
GPtrArray *lvp_class_table_get_declared(const LvpClassTable *self);
/* LvpClassEntry, in the order of the file. */
const GPtrArray *lvp_class_table_get_entries(const LvpClassTable *self);
/* LVP_ERROR_NOT_FOUND with the names that there are. */
const LvpClassEntry *
lvp_class_table_find(const LvpClassTable *self, const char *name, GError **error);
