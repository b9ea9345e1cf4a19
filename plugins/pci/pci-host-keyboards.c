/* SPDX-License-Identifier: Apache-2.0 */
#include "pci-host-keyboards.h"

#include "pci-below.h"

#include <string.h>

/* KEY_ESC (1) to KEY_S (31) of linux/input-event-codes.h, without KEY_RESERVED: who has all of them
 * is a keyboard, and no button, lid or remote control. The rule of udev's ID_INPUT_KEYBOARD
 * (systemd, src/udev/udev-builtin-input_id.c). */
#define KEYBOARD_KEYS G_GUINT64_CONSTANT(0xfffffffe)

/* Room for all bits up to KEY_MAX, in hexadecimal. */
#define BITMAP_SIZE 512

struct LvpPciHostKeyboards {
    LvpHost *host;
    GHashTable *below; /* see lvp_pci_below_new(); of keyboards only */
    guint count;
};

/* The bits stand in words, the lowest ones last. Those of a device without EV_KEY are all 0:
 * input_cleanse_bitmasks() in the kernel's drivers/input/input.c. */
static gboolean
is_keyboard(LvpHost *host, const char *name)
{
    char bitmap[BITMAP_SIZE];
    guint64 keys;
    g_autofree char *path = g_strdup_printf("class/input/%s/capabilities/key", name);
    if (lvp_host_read_value(host, LVP_HOST_SYS, path, bitmap, sizeof bitmap) <= 0)
        return FALSE;
    const char *space = strrchr(bitmap, ' ');
    return g_ascii_string_to_unsigned(space ? space + 1 : bitmap, 16, 0, G_MAXUINT64, &keys,
                                      NULL) &&
           (keys & KEYBOARD_KEYS) == KEYBOARD_KEYS;
}

/* Virtual ones are made by programs: nobody can type on them. */
static void
note_input(gpointer data, const char *name, const char *device_path)
{
    LvpPciHostKeyboards *self = data;
    if (!g_str_has_prefix(name, "input") || strstr(device_path, "/devices/virtual/") ||
        !is_keyboard(self->host, name))
        return;
    lvp_pci_below_note(self->below, device_path, name);
    self->count++;
}

LvpPciHostKeyboards *
lvp_pci_host_keyboards_read(LvpHost *host, GError **error)
{
    g_autoptr(LvpPciHostKeyboards) self = g_new0(LvpPciHostKeyboards, 1);
    self->host = host;
    self->below = lvp_pci_below_new();
    if (!lvp_pci_visit_class(host, "class/input", note_input, self, error))
        return NULL;
    return g_steal_pointer(&self);
}

void
lvp_pci_host_keyboards_free(LvpPciHostKeyboards *self)
{
    if (!self)
        return;
    g_hash_table_unref(self->below);
    g_free(self);
}

char *
lvp_pci_host_keyboards_find_use(const LvpPciHostKeyboards *self, const char *address)
{
    const GPtrArray *names = lvp_pci_below_find(self->below, address);
    if (!names || names->len < self->count)
        return NULL;
    char title[LVP_HOST_VALUE_SIZE];
    const char *name = g_ptr_array_index(names, 0);
    g_autofree char *path = g_strdup_printf("class/input/%s/name", name);
    gboolean has_title =
        lvp_host_read_value(self->host, LVP_HOST_SYS, path, title, sizeof title) > 0;
    return g_strdup_printf("the host's only keyboard hangs below it: %s (%s)", name,
                           has_title ? title : "nameless");
}
