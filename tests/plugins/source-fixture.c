/* SPDX-License-Identifier: Apache-2.0 */
#include "source-fixture.h"

static LvpOptions *
make_options(const char *const *settings)
{
    LvpOptions *options = lvp_options_new(lvp_source_table.options);
    for (guint i = 0; settings && settings[i]; i += 2) {
        g_autoptr(GError) error = NULL;
        if (!lvp_options_set(options, settings[i], settings[i + 1], &error))
            g_error("%s", error->message);
    }
    return options;
}

SourceFixture *
source_fixture_new(LvpHost *host, const char *const *settings, GError **error)
{
    g_autoptr(LvpOptions) options = make_options(settings);
    g_autoptr(LvpSourceContext) context =
        lvp_source_context_new(host, options, "test:///default", &(LvpSourceContextCalls){0});
    gpointer instance = lvp_source_table.create(context, error);
    if (!instance)
        return NULL;
    SourceFixture *self = g_new0(SourceFixture, 1);
    self->context = g_steal_pointer(&context);
    self->instance = instance;
    return self;
}

void
source_fixture_free(SourceFixture *self)
{
    if (!self)
        return;
    lvp_source_table.destroy(self->instance);
    lvp_source_context_free(self->context);
    g_free(self);
}

LvpSnapshot *
source_fixture_discover(SourceFixture *self, GError **error)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    if (!lvp_source_table.discover(self->instance, LVP_DISCOVER_OFFERED, snapshot, NULL, error))
        return NULL;
    return g_steal_pointer(&snapshot);
}

char *
source_fixture_validate(const char *const *settings)
{
    g_autoptr(LvpOptions) options = make_options(settings);
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    lvp_source_table.validate(options, diagnostics);
    return lvp_diagnostics_to_text(diagnostics);
}

char *
source_fixture_show_amounts(const LvpSnapshot *snapshot)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < snapshot->amounts->len; i++) {
        const LvpSnapshotAmount *row = &g_array_index(snapshot->amounts, LvpSnapshotAmount, i);
        g_string_append_printf(text, "%s%s@%d=%" G_GINT64_FORMAT, i > 0 ? " " : "", row->resource,
                               row->node, row->amount);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}
