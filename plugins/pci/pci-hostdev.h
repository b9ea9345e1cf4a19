/* SPDX-License-Identifier: Apache-2.0 */
/* The functions in the domain: https://libvirt.org/formatdomain.html#usb-pci-scsi-devices. */
#pragma once

#include "pci-scan.h"

#include <libvirt-provider/domain-xml.h>

/* One <hostdev>; g_free(). */
char *lvp_pci_make_hostdev(const LvpPciAddress *address);

/* A <hostdev> for each of ADDRESSES (LvpPciAddress, sorted here). Functions of one slot of the host
 * stand in one slot of the guest, by the same function numbers, if function 0 is among them: a
 * guest looks for the others only where it finds that one. */
void lvp_pci_add_hostdevs(GArray *addresses, LvpDomainPart *part);
