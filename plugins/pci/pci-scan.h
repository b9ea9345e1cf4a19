/* SPDX-License-Identifier: Apache-2.0 */
/* PCI functions as sysfs shows them: addresses, ids, driver, IOMMU group. Reads only, and only what
 * cannot hang. */
#pragma once

#include "pci-devices-file.h"

#include <libvirt-provider/host.h>

#define LVP_PCI_DEVICES "bus/pci/devices"
#define LVP_PCI_DRIVERS "bus/pci/drivers"
#define LVP_PCI_VFIO "vfio-pci"

/* Room for an address with an eight-digit domain, for a path of one of its attributes, and for any
 * name in sysfs (NAME_MAX): a driver whose name did not fit would count as none. */
#define LVP_PCI_ADDRESS_SIZE 20
#define LVP_PCI_PATH_SIZE 128
#define LVP_PCI_NAME_SIZE 256

typedef struct {
    guint domain, bus, slot, function;
} LvpPciAddress;

/* DBDF as sysfs writes it: 4 to 8 hex digits of domain, more than 4 only if it needs them, then
 * :bb:ss.f in lower case. */
gboolean lvp_pci_parse_address(const char *text, LvpPciAddress *ret_address);
/* Whether the LENGTH characters at TEXT are one. */
gboolean lvp_pci_is_address(const char *text, gsize length);

/* "bus/pci/devices/ADDRESS/ATTRIBUTE" into PATH, which is returned. */
const char *lvp_pci_path(char path[LVP_PCI_PATH_SIZE], const char *address, const char *attribute);

/* A hexadecimal attribute of the function: 16 bits, "class" 24, "revision" 8. FALSE where it is
 * missing or not as the kernel writes it. TEXT is its text as it stands there. */
gboolean lvp_pci_read_hex(LvpHost *host,
                          const char *address,
                          const char *attribute,
                          char text[LVP_HOST_VALUE_SIZE],
                          guint *ret_value);
/* All six; FALSE where one is missing: the function is not there. */
gboolean lvp_pci_read_ids(LvpHost *host, const char *address, LvpPciIds *ids);
/* "10de:20b7:10de:1532:a1:030200"; g_free(). */
char *lvp_pci_make_identity(const LvpPciIds *ids);

/* The bound driver, or "" if there is none. */
void lvp_pci_read_driver(LvpHost *host, const char *address, char driver[LVP_PCI_NAME_SIZE]);
/* The number of the IOMMU group as text, or "". */
void lvp_pci_read_group(LvpHost *host, const char *address, char group[LVP_PCI_NAME_SIZE]);
gboolean lvp_pci_is_present(LvpHost *host, const char *address);
/* Why SR-IOV keeps the function from being given away, or NULL; g_free(). PF and VFs do not go to
 * different machines, some host drivers destroy the VFs when they leave, and vfio-pci takes no PF
 * that has some. */
char *lvp_pci_find_sriov_problem(LvpHost *host, const char *address);
/* Without a driver but with a vfio-dev folder: an unbind that the kernel has not finished. */
gboolean lvp_pci_is_leaving_vfio(LvpHost *host, const char *address);
