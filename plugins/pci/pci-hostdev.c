/* SPDX-License-Identifier: Apache-2.0 */
#include "pci-hostdev.h"

char *
lvp_pci_make_hostdev(const LvpPciAddress *address)
{
    return g_strdup_printf("<hostdev mode='subsystem' type='pci' managed='no'>"
                           "<driver name='vfio'/>"
                           "<source><address domain='0x%04x' bus='0x%02x' slot='0x%02x' "
                           "function='0x%x'/></source>"
                           "<alias name='ua-pci-%04x-%02x-%02x-%x'/>"
                           "</hostdev>",
                           address->domain, address->bus, address->slot, address->function,
                           address->domain, address->bus, address->slot, address->function);
}

static int
compare_addresses(gconstpointer a, gconstpointer b)
{
    const LvpPciAddress *left = a, *right = b;
    const guint differences[][2] = {{left->domain, right->domain},
                                    {left->bus, right->bus},
                                    {left->slot, right->slot},
                                    {left->function, right->function}};
    for (guint i = 0; i < G_N_ELEMENTS(differences); i++)
        if (differences[i][0] != differences[i][1])
            return differences[i][0] < differences[i][1] ? -1 : 1;
    return 0;
}

static gboolean
share_slot(const LvpPciAddress *a, const LvpPciAddress *b)
{
    return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot;
}

void
lvp_pci_add_hostdevs(GArray *addresses, LvpDomainPart *part)
{
    g_array_sort(addresses, compare_addresses);
    guint end;
    for (guint first = 0; first < addresses->len; first = end) {
        const LvpPciAddress *address = &g_array_index(addresses, LvpPciAddress, first);
        end = first + 1;
        while (end < addresses->len &&
               share_slot(address, &g_array_index(addresses, LvpPciAddress, end)))
            end++;
        gboolean together = end - first > 1 && address->function == 0;
        if (together)
            lvp_domain_part_begin_slot(part);
        for (guint i = first; i < end; i++) {
            const LvpPciAddress *each = &g_array_index(addresses, LvpPciAddress, i);
            g_autofree char *xml = lvp_pci_make_hostdev(each);
            if (together)
                lvp_domain_part_append_function(part, each->function, xml);
            else
                lvp_domain_part_append(part, "devices", xml);
        }
    }
}
