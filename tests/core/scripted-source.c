/* SPDX-License-Identifier: Apache-2.0 */
#include "scripted-source.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *resource, *id, *identity, *set;
    int node;
} ScriptedUnit;

typedef struct {
    const char *resource;
    int node;
    gint64 amount;
} ScriptedAmount;

/* create() is given no data of ours: the one that is being made stands here meanwhile. */
static ScriptedSource *being_made;

static gboolean
enter(ScriptedSource *self, const char *member, GError **error)
{
    if (self->calls)
        g_string_append_printf(self->calls, "%s%s.%s", self->calls->len ? " " : "",
                               self->source_name, member);
    if (self->hook)
        self->hook(self->hook_data, self, member);
    if (g_strcmp0(self->fail_at, member) != 0 || strcmp(member, "commit") == 0)
        return TRUE;
    /* A name on the host can be any bytes. */
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "%s is made to fail \xff", member);
    return FALSE;
}

static gpointer
create(LvpSourceContext *context, GError **error)
{
    (void)context;
    (void)error;
    return being_made;
}

static void
destroy(gpointer self)
{
    (void)self; /* the test's */
}

static gboolean
discover(gpointer data,
         LvpDiscoverFlags flags,
         LvpSnapshot *snapshot,
         GCancellable *cancellable,
         GError **error)
{
    (void)flags;
    (void)cancellable;
    ScriptedSource *self = data;
    if (g_strcmp0(self->fail_at, "discover") == 0)
        return enter(self, "discover", error);
    for (guint i = 0; i < self->amounts->len; i++) {
        const ScriptedAmount *amount = &g_array_index(self->amounts, ScriptedAmount, i);
        lvp_snapshot_add_amount(snapshot, amount->resource, amount->node, amount->amount);
    }
    for (guint i = 0; i < self->units->len; i++) {
        const ScriptedUnit *unit = &g_array_index(self->units, ScriptedUnit, i);
        LvpUnit *found =
            lvp_snapshot_add_unit(snapshot, unit->resource, unit->id, unit->identity, unit->node);
        if (unit->set)
            lvp_unit_add_exclusion_set(found, unit->set);
        if (scripted_source_has_taken(self, unit->id))
            lvp_unit_set_taken(found);
    }
    return TRUE;
}

static GVariant *
prepare(gpointer data, const LvpHolding *holding, GCancellable *cancellable, GError **error)
{
    (void)cancellable;
    if (!enter(data, "prepare", error))
        return NULL;
    GVariantBuilder ids = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_STRING_ARRAY);
    for (guint i = 0; i < lvp_holding_get_n_units(holding); i++)
        g_variant_builder_add(&ids, "s", lvp_holding_get_unit_id(holding, i));
    return g_variant_builder_end(&ids);
}

static gboolean
commit(gpointer data, GVariant *record, GCancellable *cancellable, GError **error)
{
    (void)cancellable;
    ScriptedSource *self = data;
    if (!enter(self, "commit", error))
        return FALSE;
    g_autofree const char **ids = g_variant_get_strv(record, NULL);
    for (guint i = 0; ids[i]; i++) {
        g_hash_table_add(self->taken, g_strdup(ids[i]));
        if (g_strcmp0(self->fail_at, "commit") != 0)
            continue;
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "commit is made to fail after %s", ids[i]);
        return FALSE;
    }
    return TRUE;
}

static LvpVerdict
get_verdict(const ScriptedSource *self, const char *id, LvpVerdict odd, LvpVerdict usual)
{
    return !self->odd_unit || strcmp(self->odd_unit, id) == 0 ? odd : usual;
}

static void
rollback(gpointer data,
         GVariant *record,
         const char *only_unit,
         LvpOutcome *outcome,
         GCancellable *cancellable)
{
    (void)cancellable;
    ScriptedSource *self = data;
    enter(self, "rollback", NULL);
    g_autofree const char **ids = g_variant_get_strv(record, NULL);
    for (guint i = 0; ids[i]; i++) {
        if (only_unit && strcmp(only_unit, ids[i]) != 0)
            continue;
        LvpVerdict verdict = get_verdict(self, ids[i], self->given_back, LVP_VERDICT_DONE);
        if (verdict == LVP_VERDICT_DONE)
            g_hash_table_remove(self->taken, ids[i]);
        lvp_outcome_add(outcome, ids[i], verdict,
                        verdict == LVP_VERDICT_DONE ? NULL : "it is made to stay");
    }
}

static void
restore(gpointer data, GVariant *record, LvpOutcome *outcome, GCancellable *cancellable)
{
    (void)cancellable;
    ScriptedSource *self = data;
    enter(self, "restore", NULL);
    g_autofree const char **ids = g_variant_get_strv(record, NULL);
    for (guint i = 0; ids[i]; i++) {
        LvpVerdict verdict = get_verdict(self, ids[i], self->found_again, LVP_VERDICT_MATCHES);
        lvp_outcome_add(outcome, ids[i], verdict,
                        verdict == LVP_VERDICT_MATCHES ? NULL : "it is made to differ");
    }
}

static void
append_hostdev(LvpDomainPart *part, const char *id)
{
    guint domain, bus, slot, function;
    if (sscanf(id, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
        return;
    g_autofree char *xml = g_strdup_printf(
        "<hostdev mode='subsystem' type='pci' managed='no'><driver name='vfio'/><source><address "
        "domain='0x%04x' bus='0x%02x' slot='0x%02x' function='0x%x'/></source></hostdev>",
        domain, bus, slot, function);
    lvp_domain_part_append(part, "devices", xml);
}

static gboolean
contribute_xml(
    gpointer data, const LvpHolding *holding, GVariant *record, LvpDomainPart *part, GError **error)
{
    (void)record;
    if (!enter(data, "contribute_xml", error))
        return FALSE;
    for (guint i = 0; i < lvp_holding_get_n_units(holding); i++)
        append_hostdev(part, lvp_holding_get_unit_id(holding, i));
    gint64 millicores = lvp_holding_get_amount(holding, "cpu");
    gint64 bytes = lvp_holding_get_amount(holding, "memory");
    g_autofree char *vcpus = g_strdup_printf("%" G_GINT64_FORMAT, (millicores + 999) / 1000);
    g_autofree char *memory = g_strdup_printf("%" G_GINT64_FORMAT, bytes / 1024);
    if (millicores > 0)
        lvp_domain_part_set_text(part, "vcpu", vcpus);
    if (bytes > 0)
        lvp_domain_part_set_text(part, "memory", memory);
    return TRUE;
}

ScriptedSource *
scripted_source_new(const char *name, gboolean effects, GString *calls)
{
    ScriptedSource *self = g_new0(ScriptedSource, 1);
    self->source_name = name;
    self->calls = calls;
    self->taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    self->units = g_array_new(FALSE, FALSE, sizeof(ScriptedUnit));
    self->amounts = g_array_new(FALSE, FALSE, sizeof(ScriptedAmount));
    self->given_back = LVP_VERDICT_DONE;
    self->found_again = LVP_VERDICT_MATCHES;
    g_autoptr(LvpModule) module = g_new0(LvpModule, 1);
    g_atomic_ref_count_init(&module->references);
    module->path = g_strdup("scripted");
    module->table = self->table = g_new0(LvpSourceTable, 1);
    *self->table = (LvpSourceTable){
        .abi = LVP_SOURCE_ABI,
        .struct_size = sizeof(LvpSourceTable),
        .name = name,
        .version = "1",
        .description = "what a test wants",
        .create = create,
        .destroy = destroy,
        .discover = discover,
        .prepare = effects ? prepare : NULL,
        .commit = effects ? commit : NULL,
        .rollback = effects ? rollback : NULL,
        .restore = effects ? restore : NULL,
        .contribute_xml = contribute_xml,
    };
    g_autoptr(LvpOptions) options = lvp_options_new(NULL);
    LvpSourceContextCalls no_calls = {0};
    being_made = self;
    self->source = lvp_source_new(module, NULL, options, "test:///default", &no_calls, NULL);
    being_made = NULL;
    return self;
}

void
scripted_source_free(ScriptedSource *self)
{
    if (!self)
        return;
    lvp_source_unref(self->source);
    g_hash_table_unref(self->taken);
    g_array_unref(self->units);
    g_array_unref(self->amounts);
    g_free(self);
}

void
scripted_source_add_unit(
    ScriptedSource *self, const char *resource, const char *id, const char *identity, int node)
{
    ScriptedUnit unit = {resource, id, identity, NULL, node};
    g_array_append_val(self->units, unit);
}

void
scripted_source_add_unit_in_set(ScriptedSource *self,
                                const char *resource,
                                const char *id,
                                const char *set)
{
    ScriptedUnit unit = {resource, id, id, set, 0};
    g_array_append_val(self->units, unit);
}

void
scripted_source_remove_unit(ScriptedSource *self, const char *id)
{
    for (guint i = self->units->len; i > 0; i--)
        if (strcmp(g_array_index(self->units, ScriptedUnit, i - 1).id, id) == 0)
            g_array_remove_index(self->units, i - 1);
}

void
scripted_source_set_amount(ScriptedSource *self, const char *resource, int node, gint64 amount)
{
    ScriptedAmount row = {resource, node, amount};
    for (guint i = self->amounts->len; i > 0; i--) {
        const ScriptedAmount *old = &g_array_index(self->amounts, ScriptedAmount, i - 1);
        if (old->node == node && strcmp(old->resource, resource) == 0)
            g_array_remove_index(self->amounts, i - 1);
    }
    g_array_append_val(self->amounts, row);
}

gboolean
scripted_source_has_taken(const ScriptedSource *self, const char *id)
{
    return g_hash_table_contains(self->taken, id);
}
