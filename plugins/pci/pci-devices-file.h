/* SPDX-License-Identifier: Apache-2.0 */
/* pci_devices.yaml: which functions may be given away, and as what. Constant once read. */
#pragma once

#include <libvirt-provider/yaml.h>

/* What a function says of itself. */
typedef struct {
    guint vendor, device, class_code; /* 16, 16 and 24 bits */
    guint subsystem_vendor, subsystem_device, revision;
} LvpPciIds;

/* As what a function is given away, and what goes with it. */
typedef struct {
    const char *resource;     /* "gpu.nvidia/a30" */
    gboolean single_function; /* the other functions of its slot do not go to the guest */
    gboolean wide_group;      /* it may be taken with an IOMMU group that is wider than its slot */
} LvpPciOffer;

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
/* What the most specific entry that matches says, borrowed; or NULL. */
const LvpPciOffer *lvp_pci_devices_file_match(const LvpPciDevicesFile *self, const LvpPciIds *ids);
/* The names of all resources, each once, in the order of the file; borrowed. */
const GPtrArray *lvp_pci_devices_file_get_resources(const LvpPciDevicesFile *self);

/* Whether a class code is a bridge's; those are never given away. */
gboolean lvp_pci_is_bridge(guint class_code);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpPciDevicesFile, lvp_pci_devices_file_free)
