/* SPDX-License-Identifier: Apache-2.0 */
/* The structs behind request.h of the public headers, as the core makes them. Internal. */
#pragma once

#include <libvirt-provider/request.h>

/* ---- request ---- */

typedef struct {
    char *resource;
    gint64 amount;
} LvpRequestRow;

struct LvpRequest {
    GArray *rows; /* LvpRequestRow, in the order of the class */
};

LvpRequest *lvp_request_new(void);
LvpRequest *lvp_request_copy(const LvpRequest *self);
void lvp_request_free(LvpRequest *self);
gboolean lvp_request_equal(const LvpRequest *a, const LvpRequest *b);
/* "cpu=2 memory=4Gi"; g_free(). */
char *lvp_request_to_text(const LvpRequest *self);

/* ---- view and plan: answered by the core through these ---- */

struct LvpView {
    gint64 (*get_free)(gconstpointer data, const char *resource, int node);
    guint (*get_n_nodes)(gconstpointer data);
    int (*get_node)(gconstpointer data, guint index);
    const char *(*get_unit)(gconstpointer data, const char *resource, int node, guint index);
    gconstpointer data;
};

struct LvpPlan {
    gboolean (*take_amount)(gpointer data, const char *resource, int node, gint64 amount);
    gboolean (*take_unit)(gpointer data, const char *resource, const char *id);
    gpointer data;
};

/* ---- holding ---- */

typedef struct {
    char *resource;
    int node;
    gint64 amount;
} LvpHeldAmount;

typedef struct {
    char *resource;
    char *id;
    char *identity;
    int node;
    GVariant *found; /* LVP_HELD_FOUND_TYPE: what it was when it was taken; NULL if not known */
} LvpHeldUnit;

/* Its exclusion sets and its attributes. */
#define LVP_HELD_FOUND_TYPE "(asa{ss})"

struct LvpHolding {
    char *machine; /* uuid */
    char *source;
    GArray *amounts;  /* LvpHeldAmount */
    GArray *units;    /* LvpHeldUnit */
    GVariant *record; /* what prepare returned; NULL before, or without one */
};

LvpHolding *lvp_holding_new(const char *machine, const char *source);
void lvp_holding_free(LvpHolding *self);
void lvp_holding_add_amount(LvpHolding *self, const char *resource, int node, gint64 amount);
/* Units are to be added in the order of their ids. The unit is borrowed until the next is added. */
LvpHeldUnit *lvp_holding_add_unit(
    LvpHolding *self, const char *resource, const char *id, const char *identity, int node);

/* ---- outcome ---- */

typedef struct {
    char *unit_id; /* NULL: the whole record */
    LvpVerdict verdict;
    char *reason;
} LvpOutcomeRow;

struct LvpOutcome {
    GArray *rows; /* LvpOutcomeRow */
};

LvpOutcome *lvp_outcome_new(void);
void lvp_outcome_free(LvpOutcome *self);
/* The row that says that the unit (or the whole record) was not put back, or NULL. */
const LvpOutcomeRow *lvp_outcome_find_failure(const LvpOutcome *self, const char *unit_id);
/* The first row with VERDICT, or NULL. */
const LvpOutcomeRow *lvp_outcome_find(const LvpOutcome *self, LvpVerdict verdict);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpRequest, lvp_request_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpHolding, lvp_holding_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpOutcome, lvp_outcome_free)
