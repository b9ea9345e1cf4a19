/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions are there, what they are offered as, and why some of them cannot be. */
#pragma once

#include "pci-devices-file.h"
#include "pci-scan.h"

#include <libvirt-provider/inventory.h>

typedef struct {
    LvpHost *host;
    const LvpPciDevicesFile *file; /* NULL: nothing is given away */
    gboolean all;                  /* also what the file does not name */
    const char *vfio_problem;      /* why nothing can be bound to vfio-pci; NULL if it can */
    guint timeout_ms;              /* of a probe of a block device */
} LvpPciDiscovery;

/* Reads `vendor` of every function first, and more only of those that an entry could name: opening
 * files is what a discovery costs. */
gboolean lvp_pci_discover(const LvpPciDiscovery *self, LvpSnapshot *snapshot, GError **error);
