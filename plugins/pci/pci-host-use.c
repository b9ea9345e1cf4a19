/* SPDX-License-Identifier: Apache-2.0 */
#include "pci-host-use.h"

#include "pci-below.h"
#include "pci-host-blocks.h"
#include "pci-host-graphics.h"
#include "pci-host-keyboards.h"

#include <errno.h>
#include <libvirt-provider/text.h>

#define IFF_UP_FLAG 0x1 /* linux/if.h */
#define CLASS_NETWORK 0x02
#define CLASS_DISPLAY 0x03

struct LvpPciHostUse {
    LvpHost *host;
    LvpPciHostBlocks *blocks;
    LvpPciHostKeyboards *keyboards;
    LvpPciHostGraphics *graphics;
    GHashTable *interfaces; /* see lvp_pci_below_new() */
};

static void
note_interface(gpointer data, const char *name, const char *device_path)
{
    LvpPciHostUse *self = data;
    lvp_pci_below_note(self->interfaces, device_path, name);
}

LvpPciHostUse *
lvp_pci_host_use_read(LvpHost *host, guint timeout_ms, GError **error)
{
    g_autoptr(LvpPciHostUse) self = g_new0(LvpPciHostUse, 1);
    self->host = host;
    self->interfaces = lvp_pci_below_new();
    if (!(self->blocks = lvp_pci_host_blocks_read(host, timeout_ms, error)) ||
        !(self->keyboards = lvp_pci_host_keyboards_read(host, error)) ||
        !(self->graphics = lvp_pci_host_graphics_read(host, error)) ||
        !lvp_pci_visit_class(host, "class/net", note_interface, self, error))
        return NULL;
    return g_steal_pointer(&self);
}

void
lvp_pci_host_use_free(LvpPciHostUse *self)
{
    if (!self)
        return;
    lvp_pci_host_blocks_free(self->blocks);
    lvp_pci_host_keyboards_free(self->keyboards);
    lvp_pci_host_graphics_free(self->graphics);
    g_hash_table_unref(self->interfaces);
    g_free(self);
}

static gboolean
is_there(LvpHost *host, const char *interface)
{
    g_autofree char *folder = g_strconcat("class/net/", interface, NULL);
    return lvp_host_exists(host, LVP_HOST_SYS, folder);
}

static char *
find_use_of_interface(const LvpPciHostUse *self, const char *name)
{
    char value[LVP_HOST_VALUE_SIZE], master[LVP_PCI_NAME_SIZE];
    g_autofree char *master_path = g_strdup_printf("class/net/%s/master", name);
    if (lvp_host_read_link_name(self->host, LVP_HOST_SYS, master_path, master, sizeof master))
        return g_strdup_printf("%s belongs to %s", name, master);
    g_autofree char *flags_path = g_strdup_printf("class/net/%s/flags", name);
    gssize length = lvp_host_read_value(self->host, LVP_HOST_SYS, flags_path, value, sizeof value);
    if (length == -ENOENT && !is_there(self->host, name))
        return NULL; /* by now */
    guint64 flags = 0;
    const char *digits = length > 0 && g_str_has_prefix(value, "0x") ? value + 2 : "";
    /* What cannot be told apart from an interface that is up counts as one. */
    if (!g_ascii_string_to_unsigned(digits, 16, 0, G_MAXUINT32, &flags, NULL))
        return g_strdup_printf("%s may be up: cannot read its flags: %s", name,
                               length < 0 ? g_strerror((int)-length) : "they are no number");
    gboolean up = (flags & IFF_UP_FLAG) != 0;
    g_autofree char *address = lvp_host_find_interface_address(self->host, name);
    if (up && address)
        return g_strdup_printf("%s is up and has address %s", name, address);
    if (address)
        return g_strdup_printf("%s has address %s", name, address);
    return up ? g_strdup_printf("%s is up", name) : NULL;
}

static gboolean
is_boot_display(LvpHost *host, const char *address)
{
    char path[LVP_PCI_PATH_SIZE], value[LVP_HOST_VALUE_SIZE];
    lvp_pci_path(path, address, "boot_vga");
    return lvp_host_read_value(host, LVP_HOST_SYS, path, value, sizeof value) == 1 &&
           value[0] == '1';
}

/* An Ethernet function whose driver shows no interface here: the interface may stand in a
 * container's network namespace. Drivers of user space never show one. */
static gboolean
is_hidden_interface(LvpPciHostUse *self, const char *address, guint class_code, const char *driver)
{
    static const char *const WITHOUT[] = {"vfio-pci", "pci-stub", "uio_pci_generic", "igb_uio",
                                          NULL};
    return class_code >> 8 == CLASS_NETWORK << 8 && driver[0] != '\0' &&
           !g_strv_contains(WITHOUT, driver) && !lvp_pci_below_find(self->interfaces, address);
}

static char *
find_interface_use(LvpPciHostUse *self, const char *address)
{
    const GPtrArray *names = lvp_pci_below_find(self->interfaces, address);
    char *use = NULL;
    for (guint i = 0; names && i < names->len && !use; i++)
        use = find_use_of_interface(self, g_ptr_array_index(names, i));
    return use;
}

char *
lvp_pci_host_use_find(LvpPciHostUse *self,
                      const char *address,
                      guint class_code,
                      const char *driver)
{
    char *use = lvp_pci_host_blocks_find_use(self->blocks, address);
    if (!use)
        use = find_interface_use(self, address);
    if (!use)
        use = lvp_pci_host_keyboards_find_use(self->keyboards, address);
    if (!use && class_code >> 16 == CLASS_DISPLAY && is_boot_display(self->host, address))
        use = g_strdup("it is the boot display");
    if (!use)
        use = lvp_pci_host_graphics_find_use(self->graphics, address);
    if (!use)
        use = lvp_pci_host_blocks_find_hidden_use(self->blocks, address);
    if (!use && is_hidden_interface(self, address, class_code, driver))
        use = g_strdup_printf("driver %s shows no interface here: it may be in another network "
                              "namespace",
                              driver);
    /* Mount points and names of interfaces, keyboards and processes hold what people put there. */
    char *printable = lvp_text_make_printable(use);
    g_free(use);
    return printable;
}
