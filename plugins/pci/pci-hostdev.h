/* SPDX-License-Identifier: Apache-2.0 */
/* The <hostdev> element of one function. */
#pragma once

#include "pci-scan.h"

/* See https://libvirt.org/formatdomain.html#usb-pci-scsi-devices. managed='no': the provider has
 * bound the function and keeps it so between two starts. g_free(). */
char *lvp_pci_make_hostdev(const LvpPciAddress *address);
