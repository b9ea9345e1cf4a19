/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a starting pci_devices.yaml from this host, with names from pci.ids. */
#pragma once

#include <libvirt-provider/host.h>

/* What the host does not use stands there as entries; what it uses, commented out with the reason.
 * NULL with error. g_free(). */
char *lvp_pci_generate(LvpHost *host, guint timeout_ms, GError **error);
