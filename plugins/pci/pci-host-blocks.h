/* SPDX-License-Identifier: Apache-2.0 */
/* Block devices that the host uses: mounted, swap, held by what is stacked on them (LVM, dm-crypt,
 * multipath, md, bcache), or open exclusively. */
#pragma once

#include "pci-scan.h"

typedef struct LvpPciHostBlocks LvpPciHostBlocks;

/* One look at the host. TIMEOUT_MS: for an open of a block device, see below. */
LvpPciHostBlocks *lvp_pci_host_blocks_read(LvpHost *host, guint timeout_ms, GError **error);
void lvp_pci_host_blocks_free(LvpPciHostBlocks *self);

/* What the disks below the function at ADDRESS are used for: "nvme0n1p2 is mounted on /", "sda2 is
 * held by dm-0 (LVM vg0-root, mounted on /)"; NULL where nothing shows. g_free(). */
char *lvp_pci_host_blocks_find_use(const LvpPciHostBlocks *self, const char *address);

/* A use that nothing here shows, such as a mount in another mount namespace or a pool of ZFS: opens
 * the block devices with O_EXCL. What cannot be found out counts as used. g_free(). */
char *lvp_pci_host_blocks_find_hidden_use(const LvpPciHostBlocks *self, const char *address);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpPciHostBlocks, lvp_pci_host_blocks_free)
