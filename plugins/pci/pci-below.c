/* SPDX-License-Identifier: Apache-2.0 */
#include "pci-below.h"

#include <libvirt-provider/error.h>
#include <string.h>

static void
free_names(gpointer data)
{
    g_ptr_array_unref(data);
}

GHashTable *
lvp_pci_below_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_names);
}

static void
note_name(GHashTable *below, const char *address, gsize length, const char *name)
{
    g_autofree char *key = g_strndup(address, length);
    GPtrArray *names = g_hash_table_lookup(below, key);
    if (!names) {
        names = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_insert(below, g_steal_pointer(&key), names);
    }
    /* A path that has the address twice. */
    if (names->len == 0 || strcmp(g_ptr_array_index(names, names->len - 1), name) != 0)
        g_ptr_array_add(names, g_strdup(name));
}

void
lvp_pci_below_note(GHashTable *below, const char *device_path, const char *name)
{
    for (const char *part = device_path; *part;) {
        gsize length = strcspn(part, "/");
        if (lvp_pci_is_address(part, length))
            note_name(below, part, length, name);
        part += length + (part[length] == '/');
    }
}

const GPtrArray *
lvp_pci_below_find(GHashTable *below, const char *address)
{
    return g_hash_table_lookup(below, address);
}

gboolean
lvp_pci_visit_class(
    LvpHost *host, const char *class, LvpPciVisitDevice visit, gpointer data, GError **error)
{
    g_autoptr(GError) missing = NULL;
    g_auto(GStrv) names = lvp_host_list(host, LVP_HOST_SYS, class, &missing);
    if (!names && !g_error_matches(missing, LVP_ERROR, LVP_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&missing));
        return FALSE;
    }
    for (guint i = 0; names && names[i]; i++) {
        char target[LVP_PCI_LINK_SIZE];
        g_autofree char *path = g_build_filename(class, names[i], NULL);
        if (lvp_host_read_link(host, LVP_HOST_SYS, path, target, sizeof target) > 0)
            visit(data, names[i], target);
    }
    return TRUE;
}
