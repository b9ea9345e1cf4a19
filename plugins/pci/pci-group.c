/* SPDX-License-Identifier: Apache-2.0 */
#include "pci-group.h"

#include <libvirt-provider/error.h>
#include <string.h>

#define GROUPS "kernel/iommu_groups"
#define CLASS_PCI_BRIDGE 0x0604

static gboolean
is_harmless_driver(const char *driver)
{
    static const char *const HARMLESS[] = {"", "vfio-pci", "pci-stub", NULL};
    return g_strv_contains(HARMLESS, driver);
}

/* Whether two addresses differ in the function at most. */
static gboolean
share_slot(const char *a, const char *b)
{
    gsize length = strlen(a);
    return length == strlen(b) && length > 1 && memcmp(a, b, length - 1) == 0;
}

static void
add_member(
    LvpPciGroup *self, LvpHost *host, const char *member, const char *address, guint class_code)
{
    char text[LVP_HOST_VALUE_SIZE];
    LvpPciMember row = {.class_code = class_code, .same_slot = share_slot(member, address)};
    gboolean itself = strcmp(member, address) == 0;
    if (!itself && !lvp_pci_read_hex(host, member, "class", text, &row.class_code))
        return;
    lvp_pci_read_driver(host, member, row.driver);
    if (!itself && (row.class_code >> 8 == CLASS_PCI_BRIDGE || strcmp(row.driver, "pcieport") == 0))
        return;
    if (itself || !lvp_pci_is_bridge(row.class_code)) {
        g_strlcpy(row.address, member, sizeof row.address);
        g_array_append_val(self->members, row);
    } else if (!is_harmless_driver(row.driver) && !self->problem) {
        self->problem = g_strdup_printf("its IOMMU group holds bridge %s on host driver %s: move "
                                        "the card to another slot",
                                        member, row.driver);
    }
}

LvpPciGroup *
lvp_pci_group_read(LvpHost *host, const char *number, const char *address, guint class_code)
{
    LvpPciGroup *self = g_new0(LvpPciGroup, 1);
    self->members = g_array_new(FALSE, FALSE, sizeof(LvpPciMember));
    if (number[0] == '\0') {
        add_member(self, host, address, address, class_code);
        return self;
    }
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_strdup_printf(GROUPS "/%s/devices", number);
    g_auto(GStrv) names = lvp_host_list(host, LVP_HOST_SYS, path, &error);
    if (!names)
        self->problem = g_strdup_printf("its IOMMU group cannot be read: %s", error->message);
    for (guint i = 0; names && names[i]; i++)
        if (lvp_pci_is_address(names[i], strlen(names[i])))
            add_member(self, host, names[i], address, class_code);
    if (!names || !g_strv_contains((const char *const *)names, address))
        add_member(self, host, address, address, class_code);
    return self;
}

void
lvp_pci_group_free(LvpPciGroup *self)
{
    if (!self)
        return;
    g_array_unref(self->members);
    g_free(self->problem);
    g_free(self);
}

char *
lvp_pci_group_find_problem(const LvpPciGroup *self, const char *number, const LvpPciOffer *offer)
{
    if (self->problem)
        return g_strdup(self->problem);
    for (guint i = 0; i < self->members->len && !(offer && offer->wide_group); i++) {
        const LvpPciMember *member = &g_array_index(self->members, LvpPciMember, i);
        if (member->same_slot)
            continue;
        return g_strdup_printf("IOMMU group %s is wider than its slot: its neighbour %s (%s%s) "
                               "would go with it: say \"group: allow\" in its entry, or move the "
                               "card to another slot",
                               number, member->address,
                               member->driver[0] ? "on driver " : "without driver", member->driver);
    }
    return NULL;
}
