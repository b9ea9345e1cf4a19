/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, views, plans, holdings and outcomes: plain data between the core and a source. */
#include "request.h"

#include <libvirt-provider/inventory.h>
#include <libvirt-provider/text.h>
#include <string.h>

/* ---- request ---- */

static void
clear_request_row(gpointer data)
{
    g_free(((LvpRequestRow *)data)->resource);
}

LvpRequest *
lvp_request_new(void)
{
    LvpRequest *self = g_new0(LvpRequest, 1);
    self->rows = g_array_new(FALSE, FALSE, sizeof(LvpRequestRow));
    g_array_set_clear_func(self->rows, clear_request_row);
    return self;
}

LvpRequest *
lvp_request_copy(const LvpRequest *self)
{
    LvpRequest *copy = lvp_request_new();
    for (guint i = 0; i < self->rows->len; i++) {
        const LvpRequestRow *row = &g_array_index(self->rows, LvpRequestRow, i);
        lvp_request_set_amount(copy, row->resource, row->amount);
    }
    return copy;
}

void
lvp_request_free(LvpRequest *self)
{
    if (!self)
        return;
    g_array_unref(self->rows);
    g_free(self);
}

gboolean
lvp_request_equal(const LvpRequest *a, const LvpRequest *b)
{
    if (a->rows->len != b->rows->len)
        return FALSE;
    for (guint i = 0; i < a->rows->len; i++) {
        const LvpRequestRow *row = &g_array_index(a->rows, LvpRequestRow, i);
        if (lvp_request_get_amount(b, row->resource) != row->amount)
            return FALSE;
    }
    return TRUE;
}

char *
lvp_request_to_text(const LvpRequest *self)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < self->rows->len; i++) {
        const LvpRequestRow *row = &g_array_index(self->rows, LvpRequestRow, i);
        g_autofree char *amount = lvp_quantity_format(row->resource, row->amount);
        g_string_append_printf(text, "%s%s=%s", i ? " " : "", row->resource, amount);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

guint
lvp_request_get_length(const LvpRequest *self)
{
    return self->rows->len;
}

const char *
lvp_request_get_resource(const LvpRequest *self, guint index)
{
    g_return_val_if_fail(index < self->rows->len, NULL);
    return g_array_index(self->rows, LvpRequestRow, index).resource;
}

static LvpRequestRow *
find_request_row(const LvpRequest *self, const char *resource, guint *ret_index)
{
    for (guint i = 0; i < self->rows->len; i++) {
        LvpRequestRow *row = &g_array_index(self->rows, LvpRequestRow, i);
        if (strcmp(row->resource, resource) == 0) {
            *ret_index = i;
            return row;
        }
    }
    return NULL;
}

gint64
lvp_request_get_amount(const LvpRequest *self, const char *resource)
{
    guint index;
    const LvpRequestRow *row = find_request_row(self, resource, &index);
    return row ? row->amount : 0;
}

void
lvp_request_set_amount(LvpRequest *self, const char *resource, gint64 amount)
{
    g_return_if_fail(amount >= 0);
    guint index;
    LvpRequestRow *row = find_request_row(self, resource, &index);
    if (row && amount == 0) {
        g_array_remove_index(self->rows, index);
    } else if (row) {
        row->amount = amount;
    } else if (amount > 0) {
        LvpRequestRow added = {g_strdup(resource), amount};
        g_array_append_val(self->rows, added);
    }
}

/* ---- view and plan ---- */

gint64
lvp_view_get_free(const LvpView *self, const char *resource, int node)
{
    return self->get_free(self->data, resource, node);
}

guint
lvp_view_get_n_nodes(const LvpView *self)
{
    return self->get_n_nodes(self->data);
}

int
lvp_view_get_node(const LvpView *self, guint index)
{
    return self->get_node(self->data, index);
}

const char *
lvp_view_get_unit(const LvpView *self, const char *resource, int node, guint index)
{
    return self->get_unit(self->data, resource, node, index);
}

gboolean
lvp_plan_take_amount(LvpPlan *self, const char *resource, int node, gint64 amount)
{
    return self->take_amount(self->data, resource, node, amount);
}

gboolean
lvp_plan_take_unit(LvpPlan *self, const char *resource, const char *id)
{
    return self->take_unit(self->data, resource, id);
}

/* ---- holding ---- */

static void
clear_held_amount(gpointer data)
{
    g_free(((LvpHeldAmount *)data)->resource);
}

static void
clear_held_unit(gpointer data)
{
    LvpHeldUnit *unit = data;
    g_free(unit->resource);
    g_free(unit->id);
    g_free(unit->identity);
    g_clear_pointer(&unit->found, g_variant_unref);
}

LvpHolding *
lvp_holding_new(const char *machine, const char *source)
{
    LvpHolding *self = g_new0(LvpHolding, 1);
    self->machine = g_strdup(machine);
    self->source = g_strdup(source);
    self->amounts = g_array_new(FALSE, FALSE, sizeof(LvpHeldAmount));
    g_array_set_clear_func(self->amounts, clear_held_amount);
    self->units = g_array_new(FALSE, FALSE, sizeof(LvpHeldUnit));
    g_array_set_clear_func(self->units, clear_held_unit);
    return self;
}

void
lvp_holding_free(LvpHolding *self)
{
    if (!self)
        return;
    g_free(self->machine);
    g_free(self->source);
    g_array_unref(self->amounts);
    g_array_unref(self->units);
    g_clear_pointer(&self->record, g_variant_unref);
    g_free(self);
}

void
lvp_holding_add_amount(LvpHolding *self, const char *resource, int node, gint64 amount)
{
    LvpHeldAmount row = {g_strdup(resource), node, amount};
    g_array_append_val(self->amounts, row);
}

LvpHeldUnit *
lvp_holding_add_unit(
    LvpHolding *self, const char *resource, const char *id, const char *identity, int node)
{
    LvpHeldUnit row = {g_strdup(resource), g_strdup(id), g_strdup(identity), node, NULL};
    g_array_append_val(self->units, row);
    return &g_array_index(self->units, LvpHeldUnit, self->units->len - 1);
}

const char *
lvp_holding_get_machine(const LvpHolding *self)
{
    return self->machine;
}

gint64
lvp_holding_get_amount(const LvpHolding *self, const char *resource)
{
    gint64 sum = 0;
    for (guint i = 0; i < self->amounts->len; i++) {
        const LvpHeldAmount *row = &g_array_index(self->amounts, LvpHeldAmount, i);
        if (strcmp(row->resource, resource) == 0)
            sum += row->amount; /* parts of one int64 amount: cannot overflow */
    }
    return sum;
}

guint
lvp_holding_get_n_amounts(const LvpHolding *self)
{
    return self->amounts->len;
}

const char *
lvp_holding_get_amount_resource(const LvpHolding *self, guint index)
{
    g_return_val_if_fail(index < self->amounts->len, NULL);
    return g_array_index(self->amounts, LvpHeldAmount, index).resource;
}

int
lvp_holding_get_amount_node(const LvpHolding *self, guint index)
{
    g_return_val_if_fail(index < self->amounts->len, LVP_NODE_NONE);
    return g_array_index(self->amounts, LvpHeldAmount, index).node;
}

guint
lvp_holding_get_n_units(const LvpHolding *self)
{
    return self->units->len;
}

const char *
lvp_holding_get_unit_id(const LvpHolding *self, guint index)
{
    g_return_val_if_fail(index < self->units->len, NULL);
    return g_array_index(self->units, LvpHeldUnit, index).id;
}

const char *
lvp_holding_get_unit_identity(const LvpHolding *self, guint index)
{
    g_return_val_if_fail(index < self->units->len, NULL);
    return g_array_index(self->units, LvpHeldUnit, index).identity;
}

/* ---- outcome ---- */

static void
clear_outcome_row(gpointer data)
{
    LvpOutcomeRow *row = data;
    g_free(row->unit_id);
    g_free(row->reason);
}

LvpOutcome *
lvp_outcome_new(void)
{
    LvpOutcome *self = g_new0(LvpOutcome, 1);
    self->rows = g_array_new(FALSE, FALSE, sizeof(LvpOutcomeRow));
    g_array_set_clear_func(self->rows, clear_outcome_row);
    return self;
}

void
lvp_outcome_free(LvpOutcome *self)
{
    if (!self)
        return;
    g_array_unref(self->rows);
    g_free(self);
}

void
lvp_outcome_add(LvpOutcome *self, const char *unit_id, LvpVerdict verdict, const char *reason)
{
    LvpOutcomeRow row = {g_strdup(unit_id), verdict, lvp_text_make_printable(reason)};
    g_array_append_val(self->rows, row);
}

const LvpOutcomeRow *
lvp_outcome_find(const LvpOutcome *self, LvpVerdict verdict)
{
    for (guint i = 0; i < self->rows->len; i++) {
        const LvpOutcomeRow *row = &g_array_index(self->rows, LvpOutcomeRow, i);
        if (row->verdict == verdict)
            return row;
    }
    return NULL;
}

const LvpOutcomeRow *
lvp_outcome_find_failure(const LvpOutcome *self, const char *unit_id)
{
    for (guint i = 0; i < self->rows->len; i++) {
        const LvpOutcomeRow *row = &g_array_index(self->rows, LvpOutcomeRow, i);
        if ((!row->unit_id || strcmp(row->unit_id, unit_id) == 0) &&
            (row->verdict == LVP_VERDICT_FAILED || row->verdict == LVP_VERDICT_BLOCKED))
            return row;
    }
    return NULL;
}
