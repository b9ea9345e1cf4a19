/* SPDX-License-Identifier: Apache-2.0 */
/* What the core reads of a snapshot. Internal to the project: the public header keeps it opaque. */
#pragma once

#include <libvirt-provider/inventory.h>

typedef struct {
    char *resource; /* borrowed from the snapshot */
    int node;
    gint64 amount;
} LvpSnapshotAmount;

typedef struct {
    const char *key;
    char *value; /* borrowed from the snapshot */
} LvpAttribute;

struct LvpUnit {
    LvpSnapshot *snapshot;
    const char *resource; /* NULL: not offered by the configuration */
    const char *id;
    const char *identity;
    int node;
    guint conditions; /* LvpCondition */
    gboolean unusable;
    gboolean taken;
    const char *reason; /* of unusable or the first condition; NULL if neither */
    /* Arrays as long as they have to be: there are thousands of units. */
    const char **sets;
    LvpAttribute *attributes;
    guint n_sets, n_attributes;
};

/* What is kept of a unit while it is held: (asa{ss}), its sets and attributes. Floating. */
GVariant *lvp_unit_describe_found(const LvpUnit *self);
/* The reverse: adds the sets and the attributes that the unit does not have yet, or has empty; or
 * only the attributes. */
void lvp_unit_add_found(LvpUnit *self, GVariant *found);
void lvp_unit_add_found_attributes(LvpUnit *self, GVariant *found);
/* Adds a copy of UNIT, which is of another snapshot, as one of RESOURCE; borrowed. */
LvpUnit *lvp_snapshot_copy_unit(LvpSnapshot *self, const LvpUnit *unit, const char *resource);

struct LvpSnapshot {
    GStringChunk *texts;
    GArray *amounts;  /* LvpSnapshotAmount */
    GPtrArray *pools; /* char *, names of unitary resources */
    GPtrArray *units; /* LvpUnit */
};
