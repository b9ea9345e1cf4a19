/* SPDX-License-Identifier: Apache-2.0 */
/* What the host itself uses: mounted disks, swap, block devices with holders, network interfaces
 * that are up, the only keyboard, the boot display, graphics devices that a process has open. Found
 * from the side of the block device, interface, keyboard or DRM node, so that it does not matter
 * through how many layers they hang below the function. */
#pragma once

#include "pci-scan.h"

typedef struct LvpPciHostUse LvpPciHostUse;

/* One look at the host; the picture is constant afterwards. One thread at a time. */
LvpPciHostUse *lvp_pci_host_use_read(LvpHost *host, guint timeout_ms, GError **error);
void lvp_pci_host_use_free(LvpPciHostUse *self);

/* Why the host needs the function at ADDRESS: "nvme0n1p2 is mounted on /"; NULL if it does not.
 * Opens its block devices with O_EXCL to see uses in other mount namespaces. g_free(). */
char *lvp_pci_host_use_find(LvpPciHostUse *self,
                            const char *address,
                            guint class_code,
                            const char *driver);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpPciHostUse, lvp_pci_host_use_free)
