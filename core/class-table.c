/* SPDX-License-Identifier: Apache-2.0 */
#include "class-table.h"

#include <libvirt-provider/error.h>

/* Names of classes in one message. */
#define MAX_NAMES 20

struct LvpClassTable {
    GPtrArray *declared; /* LvpMachineClass */
    GPtrArray *entries;  /* LvpClassEntry */
    GHashTable *index;   /* name -> LvpClassEntry */
};

static void
free_class_entry(gpointer data)
{
    LvpClassEntry *entry = data;
    lvp_request_free(entry->effective);
    g_array_unref(entry->demands);
    g_free(entry->problem);
    g_free(entry);
}

static LvpClassEntry *
resolve_class(const LvpMachineClass *class, const LvpInventory *inventory, const GPtrArray *sources)
{
    LvpClassEntry *entry = g_new0(LvpClassEntry, 1);
    entry->declared = class;
    entry->effective = lvp_request_copy(class->capabilities);
    entry->demands = g_array_new(FALSE, FALSE, sizeof(LvpDemand));
    for (guint i = 0; i < sources->len; i++) {
        g_autoptr(GError) error = NULL;
        if (!lvp_source_normalize(g_ptr_array_index(sources, i), entry->effective, &error)) {
            entry->problem = g_strdup(error->message);
            return entry;
        }
    }
    const char *unknown = NULL;
    if (!lvp_planner_resolve(inventory, sources, entry->effective, entry->demands, &unknown)) {
        g_array_set_size(entry->demands, 0);
        entry->problem = g_strdup_printf("no source offers %s", unknown);
    }
    return entry;
}

LvpClassTable *
lvp_class_table_new(GPtrArray *declared,
                    const LvpInventory *inventory,
                    const GPtrArray *sources,
                    const LvpClassTable *before)
{
    LvpClassTable *self = g_new0(LvpClassTable, 1);
    self->declared = g_ptr_array_ref(declared);
    self->entries = g_ptr_array_new_with_free_func(free_class_entry);
    self->index = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < declared->len; i++) {
        LvpClassEntry *entry = resolve_class(g_ptr_array_index(declared, i), inventory, sources);
        const char *name = entry->declared->name;
        const LvpClassEntry *old = before ? g_hash_table_lookup(before->index, name) : NULL;
        if (entry->problem && (!old || g_strcmp0(old->problem, entry->problem) != 0))
            g_warning("no machine of class %s can be made: %s", name, entry->problem);
        g_ptr_array_add(self->entries, entry);
        g_hash_table_insert(self->index, entry->declared->name, entry);
    }
    return self;
}

void
lvp_class_table_free(LvpClassTable *self)
{
    if (!self)
        return;
    g_hash_table_unref(self->index);
    g_ptr_array_unref(self->entries);
    g_ptr_array_unref(self->declared);
    g_free(self);
}

GPtrArray *
lvp_class_table_get_declared(const LvpClassTable *self)
{
    return self->declared;
}

const GPtrArray *
lvp_class_table_get_entries(const LvpClassTable *self)
{
    return self->entries;
}

const LvpClassEntry *
lvp_class_table_find(const LvpClassTable *self, const char *name, GError **error)
{
    const LvpClassEntry *entry = g_hash_table_lookup(self->index, name);
    if (entry)
        return entry;
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < self->entries->len && i < MAX_NAMES; i++) {
        const LvpClassEntry *known = g_ptr_array_index(self->entries, i);
        g_string_append_printf(names, "%s%s", i ? ", " : "", known->declared->name);
    }
    g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND, "no machine class '%s'; there are: %s", name,
                names->len ? names->str : "none (see --supported-machine-classes)");
    return NULL;
}
