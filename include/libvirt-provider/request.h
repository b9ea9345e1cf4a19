/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine asks for, what is free, and what it was given, as sources see them.
 *
 * Amounts are int64 in base units: cpu in millicores, memory in bytes, all else a count. Borrowed
 * pointers are valid until the call that handed them in returns. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* ---- quantity ---- */

/* Reads a Kubernetes quantity ("2", "500m", "4Gi", "1.5e3") for RESOURCE. LVP_ERROR_INVALID_REQUEST
 * where TEXT is none, negative, finer than the base unit, or too large for an int64. */
gboolean
lvp_quantity_parse(const char *resource, const char *text, gint64 *ret_amount, GError **error);
/* The text of the API: whole CPUs or millicores ("2", "500m"), memory with the largest binary
 * suffix that is exact ("4Gi"), else the number. Reads back as the same amount; g_free(). */
char *lvp_quantity_format(const char *resource, gint64 amount);

/* ---- request: the effective capabilities of one machine ---- */

typedef struct LvpRequest LvpRequest;

guint lvp_request_get_length(const LvpRequest *self);
const char *lvp_request_get_resource(const LvpRequest *self, guint index);
/* 0 where the request does not name RESOURCE. */
gint64 lvp_request_get_amount(const LvpRequest *self, const char *resource);
/* Sets or adds; AMOUNT 0 removes. For `normalize`. */
void lvp_request_set_amount(LvpRequest *self, const char *resource, gint64 amount);

/* ---- view: what is free of one source; for `plan` and `fits` ---- */

typedef struct LvpView LvpView;

/* How much of a counted resource is free on NODE, or how many units. */
gint64 lvp_view_get_free(const LvpView *self, const char *resource, int node);
/* Nodes, ascending, LVP_NODE_NONE first where something has it. */
guint lvp_view_get_n_nodes(const LvpView *self);
int lvp_view_get_node(const LvpView *self, guint index);
/* The INDEX-th free unit of RESOURCE on NODE, or NULL past the last. */
const char *lvp_view_get_unit(const LvpView *self, const char *resource, int node, guint index);

/* ---- plan: the sink of `plan` ---- */

typedef struct LvpPlan LvpPlan;

/* FALSE where that much is not free there. */
gboolean lvp_plan_take_amount(LvpPlan *self, const char *resource, int node, gint64 amount);
/* FALSE where ID is not a free unit of RESOURCE. */
gboolean lvp_plan_take_unit(LvpPlan *self, const char *resource, const char *id);

/* ---- holding: what one machine holds of one source ---- */

typedef struct LvpHolding LvpHolding;

const char *lvp_holding_get_machine(const LvpHolding *self); /* the machine's uuid */
/* The sum over all nodes; 0 where it holds none. */
gint64 lvp_holding_get_amount(const LvpHolding *self, const char *resource);
/* The same in parts, one for each resource and node, in no order; INDEX is less than their number.
 * The name is borrowed. */
guint lvp_holding_get_n_amounts(const LvpHolding *self);
const char *lvp_holding_get_amount_resource(const LvpHolding *self, guint index);
int lvp_holding_get_amount_node(const LvpHolding *self, guint index);
/* Units in the order of their ids. */
guint lvp_holding_get_n_units(const LvpHolding *self);
const char *lvp_holding_get_unit_id(const LvpHolding *self, guint index);
const char *lvp_holding_get_unit_identity(const LvpHolding *self, guint index);

/* ---- outcome: the sink of `rollback` and `restore`, a verdict per unit ---- */

typedef struct LvpOutcome LvpOutcome;

typedef enum {
    LVP_VERDICT_DONE,         /* rollback: the host is as before */
    LVP_VERDICT_MATCHES,      /* restore: the host is as the record says */
    LVP_VERDICT_NEEDS_COMMIT, /* restore: there, but commit has to be run again */
    LVP_VERDICT_LOST,         /* restore: not there */
    LVP_VERDICT_REPLACED,     /* restore: something else stands there */
    LVP_VERDICT_BLOCKED, /* an effect is in flight, or someone still holds it: ask again later */
    LVP_VERDICT_FAILED,  /* rollback: it could not be put back */
} LvpVerdict;

/* UNIT_ID NULL: about the record as a whole. REASON may be NULL for DONE and MATCHES only; it is
 * made printable, see text.h. */
void lvp_outcome_add(LvpOutcome *self, const char *unit_id, LvpVerdict verdict, const char *reason);

G_END_DECLS
