/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"

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

static GPtrArray *
discover(GPtrArray *sources, GError **error)
{
    g_autoptr(GPtrArray) snapshots =
        g_ptr_array_new_with_free_func((GDestroyNotify)lvp_snapshot_free);
    for (guint i = 0; i < sources->len; i++) {
        LvpSnapshot *snapshot =
            lvp_source_discover(g_ptr_array_index(sources, i), LVP_DISCOVER_OFFERED, error);
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
    g_autoptr(GPtrArray) sources = make_sources(config, host, calls, error);
    g_autoptr(GPtrArray) snapshots = sources ? discover(sources, error) : NULL;
    if (!snapshots)
        return FALSE;
    gint64 vm_limit = lvp_options_get_integer(config->core, "resource-manager-vm-limit");
    return lvp_allocator_install(allocator, sources, snapshots, classes, vm_limit, error);
}

gboolean
lvp_setup_rescan(LvpAllocator *allocator, GError **error)
{
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(allocator);
    g_autoptr(GPtrArray) snapshots = discover(sources, error);
    return snapshots && lvp_allocator_install(allocator, sources, snapshots, NULL, 0, error);
}
