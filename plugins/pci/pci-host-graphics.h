/* SPDX-License-Identifier: Apache-2.0 */
/* Graphics devices that a process uses: it has one of their DRM nodes open (card0, renderD128). */
#pragma once

#include "pci-scan.h"

typedef struct LvpPciHostGraphics LvpPciHostGraphics;

/* One look at the host; that for processes comes with the first function that has a node. */
LvpPciHostGraphics *lvp_pci_host_graphics_read(LvpHost *host, GError **error);
void lvp_pci_host_graphics_free(LvpPciHostGraphics *self);

/* "pid 812 (Xorg) has /dev/dri/card0 open", or NULL. Who may not be looked into is passed over.
 * g_free(). */
char *lvp_pci_host_graphics_find_use(LvpPciHostGraphics *self, const char *address);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpPciHostGraphics, lvp_pci_host_graphics_free)
