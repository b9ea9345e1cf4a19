/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"

#include <string.h>

GPtrArray *
lvp_setup_read_classes(const LvpConfig *config, LvpDiagnostics *diagnostics)
{
    const char *file = lvp_config_get_string(config, "supported-machine-classes");
    if (file)
        return lvp_machine_classes_read(file, diagnostics);
    return g_ptr_array_new_with_free_func((GDestroyNotify)lvp_machine_class_free);
}

static GPtrArray *
make_sources(const LvpConfig *config,
             LvpHost *host,
             const LvpSourceContextCalls *calls,
             GError **error)
{
    g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_source_unref);
    for (guint i = 0; i < config->sources->len; i++) {
        const LvpConfiguredSource *configured = g_ptr_array_index(config->sources, i);
        LvpSource *source =
            lvp_source_new(configured->module, host, configured->options,
                           lvp_config_get_string(config, "libvirt-uri"), calls, error);
        if (!source)
            return NULL;
        g_ptr_array_add(sources, source);
        if (!lvp_source_setup(source, error))
            return NULL;
    }
    return g_steal_pointer(&sources);
}

/* What the machines hold of one source. */
typedef struct {
    const char *source;
    GPtrArray *units; /* LvpHeldUnit, copies of id, identity and resource */
} Held;

static void
free_held_unit(gpointer data)
{
    LvpHeldUnit *unit = data;
    g_free(unit->resource);
    g_free(unit->id);
    g_free(unit->identity);
    g_free(unit);
}

static void
collect_held(const LvpWorld *world, gpointer data)
{
    Held *held = data;
    for (guint i = 0; i < world->machines->len; i++) {
        const LvpHolding *holding =
            lvp_machine_find_holding(g_ptr_array_index(world->machines, i), held->source);
        for (guint k = 0; holding && k < holding->units->len; k++) {
            const LvpHeldUnit *unit = &g_array_index(holding->units, LvpHeldUnit, k);
            LvpHeldUnit *copy = g_new0(LvpHeldUnit, 1);
            copy->resource = g_strdup(unit->resource);
            copy->id = g_strdup(unit->id);
            copy->identity = g_strdup(unit->identity);
            g_ptr_array_add(held->units, copy);
        }
    }
}

/* id -> LvpUnit */
static GHashTable *
index_units(const LvpSnapshot *snapshot)
{
    GHashTable *index = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < snapshot->units->len; i++) {
        LvpUnit *unit = g_ptr_array_index(snapshot->units, i);
        g_hash_table_insert(index, (gpointer)(gsize)unit->id, unit);
    }
    return index;
}

static const LvpUnit *
find_unit(GHashTable *index, const LvpHeldUnit *held)
{
    const LvpUnit *unit = g_hash_table_lookup(index, held->id);
    return unit && strcmp(unit->identity, held->identity) == 0 ? unit : NULL;
}

/* What is held, is there, and is no longer offered by the configuration is looked for once more. */
static gboolean
add_unlisted(LvpSource *source, const GPtrArray *held, LvpSnapshot *snapshot, GError **error)
{
    g_autoptr(GHashTable) offered = index_units(snapshot), all_index = NULL;
    g_autoptr(LvpSnapshot) all = NULL;
    for (guint i = 0; i < held->len; i++) {
        const LvpHeldUnit *unit = g_ptr_array_index(held, i);
        if (find_unit(offered, unit))
            continue;
        if (!all) {
            if (!(all = lvp_source_discover(source, LVP_DISCOVER_ALL, error)))
                return FALSE;
            all_index = index_units(all);
        }
        const LvpUnit *seen = find_unit(all_index, unit);
        if (seen)
            lvp_unit_set_unusable(lvp_snapshot_copy_unit(snapshot, seen, unit->resource),
                                  "no entry of the configuration names it any more");
    }
    return TRUE;
}

static LvpSnapshot *
discover_one(LvpSource *source, LvpAllocator *allocator, GError **error)
{
    Held held = {lvp_source_get_name(source), g_ptr_array_new_with_free_func(free_held_unit)};
    g_autoptr(GPtrArray) units = held.units;
    g_autoptr(LvpSnapshot) snapshot = lvp_source_discover(source, LVP_DISCOVER_OFFERED, error);
    lvp_allocator_read(allocator, collect_held, &held);
    if (!snapshot || !add_unlisted(source, units, snapshot, error))
        return NULL;
    return g_steal_pointer(&snapshot);
}

static GPtrArray *
discover(GPtrArray *sources, LvpAllocator *allocator, GError **error)
{
    g_autoptr(GPtrArray) snapshots =
        g_ptr_array_new_with_free_func((GDestroyNotify)lvp_snapshot_free);
    for (guint i = 0; i < sources->len; i++) {
        LvpSnapshot *snapshot = discover_one(g_ptr_array_index(sources, i), allocator, error);
        if (!snapshot)
            return NULL;
        g_ptr_array_add(snapshots, snapshot);
    }
    return g_steal_pointer(&snapshots);
}

gboolean
lvp_setup_install(const LvpConfig *config,
                  LvpHost *host,
                  const LvpSourceContextCalls *calls,
                  LvpAllocator *allocator,
                  LvpDiagnostics *diagnostics,
                  GError **error)
{
    g_autoptr(GPtrArray) classes = lvp_setup_read_classes(config, diagnostics);
    if (!classes)
        return FALSE;
    g_autoptr(GMutexLocker) locker = lvp_allocator_lock_setup(allocator);
    g_autoptr(GPtrArray) sources = make_sources(config, host, calls, error);
    g_autoptr(GPtrArray) snapshots = sources ? discover(sources, allocator, error) : NULL;
    if (!snapshots)
        return FALSE;
    gint64 vm_limit = lvp_options_get_integer(config->core, "resource-manager-vm-limit");
    return lvp_allocator_install(allocator, sources, snapshots, classes, vm_limit, error);
}

gboolean
lvp_setup_rescan(LvpAllocator *allocator, GError **error)
{
    g_autoptr(GMutexLocker) locker = lvp_allocator_lock_setup(allocator);
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(allocator);
    g_autoptr(GPtrArray) snapshots = discover(sources, allocator, error);
    return snapshots && lvp_allocator_install(allocator, sources, snapshots, NULL, 0, error);
}
