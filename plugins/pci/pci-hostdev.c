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
