/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot keeps its texts in one chunk: thousands of units cost few allocations. */
#include "snapshot.h"

#include <libvirt-provider/text.h>
#include <string.h>

static void
free_unit(gpointer data)
{
    LvpUnit *unit = data;
    g_free(unit->sets);
    g_free(unit->attributes);
    g_free(unit);
}

LvpSnapshot *
lvp_snapshot_new(void)
{
    LvpSnapshot *self = g_new0(LvpSnapshot, 1);
    self->texts = g_string_chunk_new(4096);
    self->amounts = g_array_new(FALSE, FALSE, sizeof(LvpSnapshotAmount));
    self->pools = g_ptr_array_new();
    self->units = g_ptr_array_new_with_free_func(free_unit);
    return self;
}

void
lvp_snapshot_free(LvpSnapshot *self)
{
    if (!self)
        return;
    g_array_unref(self->amounts);
    g_ptr_array_unref(self->pools);
    g_ptr_array_unref(self->units);
    g_string_chunk_free(self->texts);
    g_free(self);
}

void
lvp_snapshot_add_amount(LvpSnapshot *self, const char *resource, int node, gint64 amount)
{
    g_return_if_fail(resource != NULL && amount >= 0 && node >= LVP_NODE_NONE);
    for (guint i = 0; i < self->amounts->len; i++) {
        LvpSnapshotAmount *row = &g_array_index(self->amounts, LvpSnapshotAmount, i);
        if (row->node == node && strcmp(row->resource, resource) == 0) {
            row->amount = row->amount > G_MAXINT64 - amount ? G_MAXINT64 : row->amount + amount;
            return;
        }
    }
    LvpSnapshotAmount row = {g_string_chunk_insert_const(self->texts, resource), node, amount};
    g_array_append_val(self->amounts, row);
}

void
lvp_amounts_keep(gint64 *amounts, guint n, gint64 keep)
{
    gint64 left = 0;
    for (guint i = 0; i < n; i++)
        left += amounts[i];
    for (guint i = 0; i < n; i++) {
        gint64 amount = amounts[i], kept = keep;
        if (amount < left) {
            double share = (double)amount / (double)left;
            /* What stays to be kept must fit into those to come. */
            kept = CLAMP((gint64)((double)keep * share), keep - (left - amount), MIN(keep, amount));
        }
        left -= amount;
        keep -= kept;
        amounts[i] -= kept;
    }
}

void
lvp_snapshot_add_pool(LvpSnapshot *self, const char *resource)
{
    char *name = g_string_chunk_insert_const(self->texts, resource);
    if (!g_ptr_array_find(self->pools, name, NULL))
        g_ptr_array_add(self->pools, name);
}

LvpUnit *
lvp_snapshot_add_unit(
    LvpSnapshot *self, const char *resource, const char *id, const char *identity, int node)
{
    g_return_val_if_fail(id != NULL && identity != NULL && node >= LVP_NODE_NONE, NULL);
    LvpUnit *unit = g_new0(LvpUnit, 1);
    unit->snapshot = self;
    unit->resource = resource ? g_string_chunk_insert_const(self->texts, resource) : NULL;
    unit->id = g_string_chunk_insert(self->texts, id);
    unit->identity = g_string_chunk_insert_const(self->texts, identity);
    unit->node = node;
    g_ptr_array_add(self->units, unit);
    return unit;
}

/* TEXT made printable and kept once. Nearly all is so already, in ASCII: there are thousands. */
static char *
keep_text(LvpUnit *self, const char *text)
{
    const char *end = text;
    while (g_ascii_isprint(*end))
        end++;
    g_autofree char *made = *end == '\0' ? NULL : lvp_text_make_printable(text);
    return g_string_chunk_insert_const(self->snapshot->texts, made ? made : text);
}

void
lvp_unit_add_exclusion_set(LvpUnit *self, const char *name)
{
    self->sets = g_renew(const char *, self->sets, self->n_sets + 1);
    self->sets[self->n_sets++] = keep_text(self, name);
}

void
lvp_unit_set_attribute(LvpUnit *self, const char *key, const char *value)
{
    self->attributes = g_renew(LvpAttribute, self->attributes, self->n_attributes + 1);
    self->attributes[self->n_attributes++] = (LvpAttribute){key, keep_text(self, value)};
}

static void
add_reason(LvpUnit *self, const char *reason)
{
    g_autofree char *both =
        self->reason ? g_strdup_printf("%s; %s", self->reason, reason) : g_strdup(reason);
    self->reason = keep_text(self, both);
}

/* Of each kind the first reason: to do away with one of them would not help. */
void
lvp_unit_set_unusable(LvpUnit *self, const char *reason)
{
    if (!self->unusable)
        add_reason(self, reason);
    self->unusable = TRUE;
}

void
lvp_unit_add_condition(LvpUnit *self, LvpCondition condition, const char *reason)
{
    if (self->conditions == 0)
        add_reason(self, reason);
    self->conditions |= (guint)condition;
}

void
lvp_unit_set_taken(LvpUnit *self)
{
    self->taken = TRUE;
}

/* ---- units that are held ---- */

GVariant *
lvp_unit_describe_found(const LvpUnit *self)
{
    g_auto(GVariantBuilder) sets = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("as"));
    g_auto(GVariantBuilder) attributes = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{ss}"));
    for (guint i = 0; i < self->n_sets; i++)
        g_variant_builder_add(&sets, "s", self->sets[i]);
    for (guint i = 0; i < self->n_attributes; i++) {
        const LvpAttribute *attribute = &self->attributes[i];
        g_variant_builder_add(&attributes, "{ss}", attribute->key, attribute->value);
    }
    return g_variant_new("(@as@a{ss})", g_variant_builder_end(&sets),
                         g_variant_builder_end(&attributes));
}

static gboolean
has_set(const LvpUnit *self, const char *name)
{
    for (guint i = 0; i < self->n_sets; i++)
        if (strcmp(self->sets[i], name) == 0)
            return TRUE;
    return FALSE;
}

static LvpAttribute *
find_attribute(const LvpUnit *self, const char *key)
{
    for (guint i = 0; i < self->n_attributes; i++)
        if (strcmp(self->attributes[i].key, key) == 0)
            return &self->attributes[i];
    return NULL;
}

void
lvp_unit_add_found_attributes(LvpUnit *self, GVariant *found)
{
    g_autoptr(GVariantIter) attributes = NULL;
    const char *key, *value;
    g_variant_get(found, "(asa{ss})", NULL, &attributes);
    while (g_variant_iter_next(attributes, "{&s&s}", &key, &value)) {
        LvpAttribute *attribute = find_attribute(self, key);
        if (!attribute)
            lvp_unit_set_attribute(self, g_intern_string(key), value);
        else if (attribute->value[0] == '\0')
            attribute->value = keep_text(self, value);
    }
}

void
lvp_unit_add_found(LvpUnit *self, GVariant *found)
{
    g_autoptr(GVariantIter) sets = NULL;
    const char *name;
    g_variant_get(found, "(asa{ss})", &sets, NULL);
    while (g_variant_iter_next(sets, "&s", &name))
        if (!has_set(self, name))
            lvp_unit_add_exclusion_set(self, name);
    lvp_unit_add_found_attributes(self, found);
}

LvpUnit *
lvp_snapshot_copy_unit(LvpSnapshot *self, const LvpUnit *unit, const char *resource)
{
    LvpUnit *copy = lvp_snapshot_add_unit(self, resource, unit->id, unit->identity, unit->node);
    g_autoptr(GVariant) found = g_variant_ref_sink(lvp_unit_describe_found(unit));
    lvp_unit_add_found(copy, found);
    copy->conditions = unit->conditions;
    copy->unusable = unit->unusable;
    copy->taken = unit->taken;
    if (unit->reason)
        add_reason(copy, unit->reason);
    return copy;
}

/* ---- reading ---- */

guint
lvp_snapshot_get_n_units(const LvpSnapshot *self)
{
    return self->units->len;
}

const LvpUnit *
lvp_snapshot_get_unit(const LvpSnapshot *self, guint index)
{
    return g_ptr_array_index(self->units, index);
}

const char *
lvp_unit_get_id(const LvpUnit *self)
{
    return self->id;
}

const char *
lvp_unit_get_resource(const LvpUnit *self)
{
    return self->resource;
}

const char *
lvp_unit_get_attribute(const LvpUnit *self, const char *key)
{
    const LvpAttribute *attribute = find_attribute(self, key);
    return attribute ? attribute->value : "";
}

gboolean
lvp_unit_has_condition(const LvpUnit *self, LvpCondition condition)
{
    return (self->conditions & (guint)condition) != 0;
}

const char *
lvp_unit_get_reason(const LvpUnit *self)
{
    return self->reason;
}
