/* SPDX-License-Identifier: Apache-2.0 */
/* One resource: amounts or free units per NUMA node. Nodes are indexes of the inventory.
 *
 * Free units of each node stand in a bitmap, so that taking the next one costs the same whatever
 * the number of units. Pure data, under the allocator's lock. */
#pragma once

#include <glib.h>

typedef struct LvpResource LvpResource;

/* Whether TEXT can be the name of a resource: 1 to 253 of A-Z a-z 0-9 _ . - /. */
gboolean lvp_resource_is_name(const char *text);

/* SOURCE is borrowed. */
LvpResource *lvp_resource_new(const char *name, const char *source, gboolean unitary);
void lvp_resource_free(LvpResource *self);

/* ---- building: lay out, add, seal; in this order ---- */

void lvp_resource_lay_out(LvpResource *self, guint n_nodes);
/* Sums saturate. */
void lvp_resource_add_amount(LvpResource *self, guint node_index, gint64 amount);
/* Adds a unit, not free yet; returns its bit there. UNIT is what next_free answers with. */
guint lvp_resource_add_unit(LvpResource *self, guint node_index, gpointer unit);
void lvp_resource_seal(LvpResource *self);

/* ---- reading and taking ---- */

const char *lvp_resource_get_name(const LvpResource *self);
const char *lvp_resource_get_source(const LvpResource *self);
gboolean lvp_resource_is_unitary(const LvpResource *self);
/* Over all nodes. */
gint64 lvp_resource_get_total(const LvpResource *self);
gint64 lvp_resource_get_free(const LvpResource *self);
gint64 lvp_resource_get_free_on(const LvpResource *self, guint node_index);
/* The first free unit of a node at or after *CURSOR (begin with 0), which moves past it; or NULL.
 */
gpointer lvp_resource_next_free(LvpResource *self, guint node_index, guint *cursor);

/* Moves AMOUNT between free and taken. */
void lvp_resource_take_amount(LvpResource *self, guint node_index, gint64 amount);
void lvp_resource_give_amount(LvpResource *self, guint node_index, gint64 amount);

/* TRUE where that was a change. */
gboolean lvp_resource_set_unit_free(LvpResource *self, guint node_index, guint bit, gboolean free);

/* ---- bundles: units that go to one machine only; a unit alone is a bundle of one ---- */

/* A bundle that had BEFORE free units of this resource has AFTER. */
void lvp_resource_move_bundle(LvpResource *self, guint before, guint after);
/* Whether all bundles with a free unit have equally many: then any of them will do. */
gboolean lvp_resource_has_equal_bundles(const LvpResource *self);
/* Whether a bundle with SIZE free units is the better choice than one with BEST (0: none yet) for
 * NEEDED units: the smallest that is enough, else the largest. */
gboolean lvp_resource_prefers_bundle(guint size, guint best, gint64 needed);
/* How many machines that need AMOUNT of it fit. */
gint64 lvp_resource_count_fits(const LvpResource *self, gint64 amount);
/* Notes that some bundle has units of both. */
void lvp_resource_add_partner(LvpResource *self, LvpResource *other);
gboolean lvp_resource_has_partner(const LvpResource *self, const LvpResource *other);
