/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions share an IOMMU group, and so go to one machine together or not at all.
 *
 * vfio opens a group only if no host driver is on any member of it; PCI-to-PCI bridges do not count
 * (Linux Documentation/driver-api/vfio.rst). Other bridges do: one with a host driver, such as an
 * LPC bridge on lpc_ich, makes the group useless (Linux 6.1, tried). */
#pragma once

#include "pci-scan.h"

typedef struct {
    char address[LVP_PCI_ADDRESS_SIZE];
    char driver[LVP_PCI_NAME_SIZE]; /* "" for none */
    guint class_code;
    gboolean same_slot; /* as the function that was asked for */
} LvpPciMember;

typedef struct {
    GArray *members; /* LvpPciMember: endpoints, the one asked for always among them */
    char *problem;   /* why the group cannot be taken whatever an entry says; NULL if it can */
} LvpPciGroup;

/* The group NUMBER (as text; "": none, then the function is alone) of the function at ADDRESS,
 * whose class is known. A member that vanishes meanwhile is passed over. */
LvpPciGroup *
lvp_pci_group_read(LvpHost *host, const char *number, const char *address, guint class_code);
void lvp_pci_group_free(LvpPciGroup *self);

/* Why the group cannot be taken as OFFER (NULL: nothing is said) says; NULL if it can; g_free(). */
char *
lvp_pci_group_find_problem(const LvpPciGroup *self, const char *number, const LvpPciOffer *offer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpPciGroup, lvp_pci_group_free)
