/* SPDX-License-Identifier: Apache-2.0 */
#include "pci-host-graphics.h"

#include "pci-below.h"

#include <string.h>

struct LvpPciHostGraphics {
    LvpHost *host;
    GHashTable *below;   /* see lvp_pci_below_new(); paths below dev */
    GPtrArray *nodes;    /* char *: the same paths */
    GHashTable *openers; /* path -> who has it open; NULL until somebody asks */
};

/* Connectors (card0-HDMI-A-1) stand there, too, and have no nodes. */
static gboolean
is_node(const char *name)
{
    static const char *const KINDS[] = {"card", "renderD"};
    for (guint i = 0; i < G_N_ELEMENTS(KINDS); i++) {
        const char *number = name + strlen(KINDS[i]);
        if (g_str_has_prefix(name, KINDS[i]) && number[0] != '\0' &&
            strspn(number, "0123456789") == strlen(number))
            return TRUE;
    }
    return FALSE;
}

/* Where the node stands: drm_devnode() in the kernel's drivers/gpu/drm/drm_sysfs.c. */
static void
note_node(gpointer data, const char *name, const char *device_path)
{
    LvpPciHostGraphics *self = data;
    if (!is_node(name))
        return;
    char *path = g_strconcat("dri/", name, NULL);
    lvp_pci_below_note(self->below, device_path, path);
    g_ptr_array_add(self->nodes, path);
}

LvpPciHostGraphics *
lvp_pci_host_graphics_read(LvpHost *host, GError **error)
{
    g_autoptr(LvpPciHostGraphics) self = g_new0(LvpPciHostGraphics, 1);
    self->host = host;
    self->below = lvp_pci_below_new();
    self->nodes = g_ptr_array_new_with_free_func(g_free);
    if (!lvp_pci_visit_class(host, "class/drm", note_node, self, error))
        return NULL;
    g_ptr_array_add(self->nodes, NULL);
    return g_steal_pointer(&self);
}

void
lvp_pci_host_graphics_free(LvpPciHostGraphics *self)
{
    if (!self)
        return;
    g_hash_table_unref(self->below);
    g_ptr_array_unref(self->nodes);
    g_clear_pointer(&self->openers, g_hash_table_unref);
    g_free(self);
}

char *
lvp_pci_host_graphics_find_use(LvpPciHostGraphics *self, const char *address)
{
    const GPtrArray *paths = lvp_pci_below_find(self->below, address);
    /* All nodes at once: a look for each would go through all processes each time. */
    if (paths && !self->openers)
        self->openers = lvp_host_find_openers(self->host, (const char *const *)self->nodes->pdata);
    for (guint i = 0; paths && i < paths->len; i++) {
        const char *path = g_ptr_array_index(paths, i);
        const char *opener = g_hash_table_lookup(self->openers, path);
        if (opener)
            return g_strdup_printf("%s has /dev/%s open", opener, path);
    }
    return NULL;
}
