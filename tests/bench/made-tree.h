/* SPDX-License-Identifier: Apache-2.0 */
/* A host root with many PCI functions, laid out as the kernel does it: real folders below
 * sys/devices, links in bus, class and iommu_groups. It is made in memory where there is a
 * /dev/shm. */
#pragma once

#include "scratch.h"

/* Beside the host's trees: an entry for every function, and classes of machines that hold one. */
#define LVP_MADE_DEVICES_FILE "pci_devices.yaml"
#define LVP_MADE_CLASSES_FILE "machine-classes.yaml"

/* Functions in use by no one: GPUs, network functions, accelerators, some without driver, some on
 * vfio-pci; N_DISKS (at most a tenth) of the N_DEVICES (at most 65536) are NVMe disks. Further root
 * ports and the host's own disk, which the file does not name. lvp_scratch_free(). */
LvpScratch *lvp_made_tree_new(guint n_devices, guint n_disks);
