/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <string.h>

struct LvpSource {
    gatomicrefcount references;
    LvpModule *module;
    const LvpSourceTable *table; /* the module's */
    LvpSourceContext *context;
    gpointer instance;
};

LvpSource *
lvp_source_new(LvpModule *module,
               LvpHost *host,
               LvpOptions *options,
               const char *libvirt_uri,
               const LvpSourceContextCalls *calls,
               GError **error)
{
    const LvpSourceTable *table = module->table;
    g_autoptr(LvpSourceContext) context = lvp_source_context_new(host, options, libvirt_uri, calls);
    gpointer instance = NULL;
    if (table->create) {
        instance = table->create(context, error);
        if (!instance) {
            g_prefix_error(error, "source %s cannot start: ", table->name);
            return NULL;
        }
    }
    LvpSource *self = g_new0(LvpSource, 1);
    g_atomic_ref_count_init(&self->references);
    self->module = lvp_module_ref(module);
    self->table = table;
    self->context = g_steal_pointer(&context);
    self->instance = instance;
    return self;
}

LvpSource *
lvp_source_ref(LvpSource *self)
{
    g_atomic_ref_count_inc(&self->references);
    return self;
}

void
lvp_source_unref(LvpSource *self)
{
    if (!self || !g_atomic_ref_count_dec(&self->references))
        return;
    if (self->table->destroy)
        self->table->destroy(self->instance);
    lvp_source_context_free(self->context);
    lvp_module_unref(self->module);
    g_free(self);
}

LvpSource *
lvp_source_find(const GPtrArray *sources, const char *name)
{
    for (guint i = 0; i < sources->len; i++)
        if (strcmp(lvp_source_get_name(g_ptr_array_index(sources, i)), name) == 0)
            return g_ptr_array_index(sources, i);
    return NULL;
}

const LvpSourceTable *
lvp_source_get_table(const LvpSource *self)
{
    return self->table;
}

const char *
lvp_source_get_name(const LvpSource *self)
{
    return self->table->name;
}

const char *
lvp_source_get_path(const LvpSource *self)
{
    return self->module->path;
}

char *
lvp_source_dup_health(const LvpSource *self)
{
    return lvp_source_context_dup_health(self->context);
}

static void
make_valid(GError *error)
{
    char *raw = error->message;
    error->message = g_utf8_make_valid(raw, -1);
    g_free(raw);
}

/* A source that fails without saying why, or quotes what is no UTF-8, must not crash its caller. */
static gboolean
name_failure(const LvpSource *self, const char *verb, GError **error)
{
    if (error && !*error)
        g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE, "%s failed without a reason", verb);
    /* "Not found" is for what the caller has named; here it is something of the host. */
    if (error && g_error_matches(*error, LVP_ERROR, LVP_ERROR_NOT_FOUND))
        (*error)->code = LVP_ERROR_HOST;
    if (error)
        make_valid(*error);
    g_prefix_error(error, "source %s: ", self->table->name);
    return FALSE;
}

gboolean
lvp_source_setup(LvpSource *self, GError **error)
{
    if (!self->table->setup || self->table->setup(self->instance, NULL, error))
        return TRUE;
    return name_failure(self, "setup", error);
}

LvpSnapshot *
lvp_source_discover(LvpSource *self, LvpDiscoverFlags flags, GError **error)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    if (self->table->discover(self->instance, flags, snapshot, NULL, error))
        return g_steal_pointer(&snapshot);
    name_failure(self, "discover", error);
    return NULL;
}

gboolean
lvp_source_normalize(LvpSource *self, LvpRequest *request, GError **error)
{
    if (!self->table->normalize || self->table->normalize(self->instance, request, error))
        return TRUE;
    return name_failure(self, "normalize", error);
}

gboolean
lvp_source_plan(
    LvpSource *self, const LvpView *view, const LvpRequest *request, int node, LvpPlan *plan)
{
    return self->table->plan(self->instance, view, request, node, plan);
}

gint64
lvp_source_fits(LvpSource *self, const LvpView *view, const LvpRequest *request)
{
    return MAX(self->table->fits(self->instance, view, request), 0);
}

gboolean
lvp_source_prepare(LvpSource *self, LvpHolding *holding, GError **error)
{
    if (!self->table->prepare)
        return TRUE;
    GVariant *record = self->table->prepare(self->instance, holding, NULL, error);
    if (!record)
        return name_failure(self, "prepare", error);
    g_clear_pointer(&holding->record, g_variant_unref);
    holding->record = g_variant_take_ref(record);
    return TRUE;
}

gboolean
lvp_source_commit(LvpSource *self, const LvpHolding *holding, GError **error)
{
    if (!self->table->commit || !holding->record ||
        self->table->commit(self->instance, holding->record, NULL, error))
        return TRUE;
    return name_failure(self, "commit", error);
}

static gboolean
has_verdict(const LvpOutcome *outcome, const char *unit_id)
{
    for (guint i = 0; i < outcome->rows->len; i++) {
        const LvpOutcomeRow *row = &g_array_index(outcome->rows, LvpOutcomeRow, i);
        if (!row->unit_id || strcmp(row->unit_id, unit_id) == 0)
            return TRUE;
    }
    return FALSE;
}

static void
demand_verdict(LvpOutcome *outcome, const char *unit_id)
{
    if (!has_verdict(outcome, unit_id))
        lvp_outcome_add(outcome, unit_id, LVP_VERDICT_FAILED,
                        "the source did not say what became of it");
}

LvpOutcome *
lvp_source_rollback(LvpSource *self, const LvpHolding *holding)
{
    if (!self->table->rollback || !holding->record)
        return lvp_outcome_new();
    LvpOutcome *outcome = lvp_outcome_new();
    self->table->rollback(self->instance, holding->record, NULL, outcome, NULL);
    for (guint i = 0; i < holding->units->len; i++)
        demand_verdict(outcome, lvp_holding_get_unit_id(holding, i));
    return outcome;
}

LvpOutcome *
lvp_source_rollback_unit(LvpSource *self, GVariant *record, const char *unit_id)
{
    LvpOutcome *outcome = lvp_outcome_new();
    if (self->table->rollback)
        self->table->rollback(self->instance, record, unit_id, outcome, NULL);
    demand_verdict(outcome, unit_id);
    return outcome;
}

LvpOutcome *
lvp_source_restore(LvpSource *self, const LvpHolding *holding)
{
    LvpOutcome *outcome = lvp_outcome_new();
    if (self->table->restore && holding->record)
        self->table->restore(self->instance, holding->record, outcome, NULL);
    return outcome;
}

gboolean
lvp_source_contribute_xml(LvpSource *self,
                          const LvpHolding *holding,
                          LvpDomainPart *part,
                          GError **error)
{
    if (!self->table->contribute_xml ||
        self->table->contribute_xml(self->instance, holding, holding->record, part, error))
        return TRUE;
    return name_failure(self, "its part of the domain", error);
}
