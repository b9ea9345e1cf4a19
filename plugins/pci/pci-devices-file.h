/* SPDX-License-Identifier: Apache-2.0 */
/* pci_devices.yaml: which functions may be given away, and as what. Constant once read. */
#pragma once

#include <libvirt-provider/yaml.h>

/* What a function says of itself. */
typedef struct {
    guint vendor, device, class_code; /* 16, 16 and 24 bits */
    guint subsystem_vendor, subsystem_device, revision;
} LvpPciIds;

typedef struct LvpPciDevicesFile LvpPciDevicesFile;

/* All mistakes go to DIAGNOSTICS; NULL where there is any. */
LvpPciDevicesFile *lvp_pci_devices_file_read(const char *file, LvpDiagnostics *diagnostics);
void lvp_pci_devices_file_free(LvpPciDevicesFile *self);

/* Whether any entry could match: asked with what is cheap to read, before the rest is read. */
gboolean lvp_pci_devices_file_has_vendor(const LvpPciDevicesFile *self, guint vendor);
gboolean lvp_pci_devices_file_has_device(const LvpPciDevicesFile *self,
                                         guint vendor,
                                         guint device,
                                         guint class_code);
/* The resource of the most specific entry that matches ("gpu.nvidia/a30"), borrowed; or NULL. */
const char *lvp_pci_devices_file_match(const LvpPciDevicesFile *self, const LvpPciIds *ids);
/* The names of all resources, each once, in the order of the file; borrowed. */
const GPtrArray *lvp_pci_devices_file_get_resources(const LvpPciDevicesFile *self);

/* Whether a class code is a bridge's; those are never given away. */
gboolean lvp_pci_is_bridge(guint class_code);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpPciDevicesFile, lvp_pci_devices_file_free)
