/* SPDX-License-Identifier: Apache-2.0 */
#include "linked-provider.h"

#include <string.h>

/* Each source is linked in under a name of its own. */
extern const LvpSourceTable lvp_cpu_table, lvp_memory_table, lvp_pci_table;

static const LvpOptionRow CORE_ROWS[] = {
    {"resource-manager-vm-limit", LVP_OPTION_INTEGER, "0", "most machines at a time"},
    {"supported-machine-classes", LVP_OPTION_FILE, NULL, "file of machine classes"},
    {"libvirt-uri", LVP_OPTION_STRING, "linked:///system", "libvirt connection"},
    {NULL},
};

static void
set_file(LvpOptions *options, const char *option, const char *root, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(root, name, NULL);
    if (!lvp_options_set(options, option, path, &error))
        g_error("%s", error->message);
}

static LvpConfiguredSource *
add_source(LvpConfig *config, const LvpSourceTable *table)
{
    LvpConfiguredSource *source = g_new0(LvpConfiguredSource, 1);
    source->module = g_new0(LvpModule, 1);
    g_atomic_ref_count_init(&source->module->references);
    source->module->table = g_memdup2(table, sizeof *table);
    source->module->path = g_strdup(table->name);
    source->options = lvp_options_new(table->options);
    g_ptr_array_add(config->sources, source);
    return source;
}

static void
free_configured_source(gpointer data)
{
    LvpConfiguredSource *source = data;
    lvp_module_unref(source->module);
    lvp_options_unref(source->options);
    g_free(source);
}

LvpConfig *
linked_config_new(const char *root)
{
    LvpConfig *config = g_new0(LvpConfig, 1);
    config->core = lvp_options_new(CORE_ROWS);
    config->sources = g_ptr_array_new_with_free_func(free_configured_source);
    set_file(config->core, "supported-machine-classes", root, "classes.yaml");
    add_source(config, &lvp_cpu_table);
    add_source(config, &lvp_memory_table);
    set_file(add_source(config, &lvp_pci_table)->options, "pci-devices-file", root,
             "pci_devices.yaml");
    return config;
}

const LvpConfiguredSource *
linked_config_get_pci(const LvpConfig *self)
{
    return g_ptr_array_index(self->sources, self->sources->len - 1);
}

static gint64
sum_of_machine(const LvpMachine *machine, const char *resource)
{
    gint64 sum = 0;
    for (guint i = 0; i < machine->holdings->len; i++)
        sum += lvp_holding_get_amount(g_ptr_array_index(machine->holdings, i), resource);
    return sum;
}

gint64
linked_sum_held(const LvpWorld *world, const char *resource)
{
    gint64 sum = 0;
    for (guint i = 0; i < world->machines->len; i++)
        sum += sum_of_machine(g_ptr_array_index(world->machines, i), resource);
    return sum;
}

void
linked_free_seen(gpointer data)
{
    LvpDomainSeen *seen = data;
    g_free(seen->uuid);
    g_free(seen->name);
    g_free(seen->xml);
    g_free(seen);
}
