/* SPDX-License-Identifier: Apache-2.0 */
/* What a source found on the host: the answer to `discover`.
 *
 * A snapshot belongs to the thread that fills it until discover returns; after that it is constant.
 * All texts are copied; what is no UTF-8 in a reason, the value of an attribute or the name of a
 * set is replaced. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct LvpSnapshot LvpSnapshot;
typedef struct LvpUnit LvpUnit;

/* The NUMA node of what has none or hides it. */
#define LVP_NODE_NONE (-1)

/* Lie on top of a unit's state and erase nothing; a unit with any is not offered. */
typedef enum {
    LVP_CONDITION_LOST = 1 << 0,     /* vanished, or something else stands at its address */
    LVP_CONDITION_BLOCKED = 1 << 1,  /* an effect on it is in flight */
    LVP_CONDITION_FOREIGN = 1 << 2,  /* held by a domain that is not ours */
    LVP_CONDITION_HOST = 1 << 3,     /* the host uses it */
    LVP_CONDITION_CORDONED = 1 << 4, /* an operator took it out of the offer */
} LvpCondition;

LvpSnapshot *lvp_snapshot_new(void);
void lvp_snapshot_free(LvpSnapshot *self);

/* Adds AMOUNT (base units, >= 0) of a counted resource on NODE. Names of resources:
 * "cpu", "memory", or "type.vendor/device". Sums saturate. */
void lvp_snapshot_add_amount(LvpSnapshot *self, const char *resource, int node, gint64 amount);

/* For amounts of which the host keeps some: takes KEEP, which is at most their sum, from the N
 * AMOUNTS (each >= 0, their sum an int64), of each in proportion. */
void lvp_amounts_keep(gint64 *amounts, guint n, gint64 keep);

/* Declares a unitary resource, so that it stays listed without units. */
void lvp_snapshot_add_pool(LvpSnapshot *self, const char *resource);

/* Adds one unit. ID: stable and unique within the source. IDENTITY: what it is; another identity
 * at the same id is another thing. RESOURCE: NULL for a unit that the configuration does not give
 * away (only asked for with LVP_DISCOVER_ALL). The unit is borrowed, to be completed before the
 * next call on the snapshot. */
LvpUnit *lvp_snapshot_add_unit(
    LvpSnapshot *self, const char *resource, const char *id, const char *identity, int node);

/* Units that share a set are given to one machine only. NAME such as "iommu:27". */
void lvp_unit_add_exclusion_set(LvpUnit *self, const char *name);
/* KEY is borrowed and must be a literal; it appears as it is in the API. Set each key of the source
 * on each unit: an empty VALUE says that there is none, or that it is not known. */
void lvp_unit_set_attribute(LvpUnit *self, const char *key, const char *value);
/* It is named by the configuration, but cannot be given away: REASON says why and what to do. The
 * first REASON stays; it stands beside that of the first condition. */
void lvp_unit_set_unusable(LvpUnit *self, const char *reason);
/* It stands as one that a machine has: bound to vfio-pci, say. That may be as it always was; but if
 * the core should lose its memory, it is a reason to let a person look. */
void lvp_unit_set_taken(LvpUnit *self);
/* The first REASON stays; it stands beside why the unit is unusable. */
void lvp_unit_add_condition(LvpUnit *self, LvpCondition condition, const char *reason);

/* ---- reading one's own picture, as in a test or in `generate`; texts are borrowed ---- */

guint lvp_snapshot_get_n_units(const LvpSnapshot *self);
const LvpUnit *lvp_snapshot_get_unit(const LvpSnapshot *self, guint index);
const char *lvp_unit_get_id(const LvpUnit *self);
const char *lvp_unit_get_resource(const LvpUnit *self); /* may be NULL */
/* "" where it was not set. */
const char *lvp_unit_get_attribute(const LvpUnit *self, const char *key);
gboolean lvp_unit_has_condition(const LvpUnit *self, LvpCondition condition);
/* Why it is unusable or has a condition; NULL if neither. */
const char *lvp_unit_get_reason(const LvpUnit *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpSnapshot, lvp_snapshot_free)

G_END_DECLS
