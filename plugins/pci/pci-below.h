/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices of a class hang below which PCI function, by the addresses on the way of their
 * paths in sysfs: it does not matter through how many layers. */
#pragma once

#include "pci-scan.h"

/* PATH_MAX: a link that did not fit would hide a device. */
#define LVP_PCI_LINK_SIZE 4096

/* From address to GPtrArray of names. */
GHashTable *lvp_pci_below_new(void);

/* Notes NAME for every function on the way of DEVICE_PATH: for the one that it hangs below, and for
 * one that makes a PCI domain of its own (VMD). */
void lvp_pci_below_note(GHashTable *below, const char *device_path, const char *name);

/* The names (char *) below the function at ADDRESS, in the order in which they were noted; NULL
 * where there are none. Borrowed. */
const GPtrArray *lvp_pci_below_find(GHashTable *below, const char *address);

typedef void (*LvpPciVisitDevice)(gpointer data, const char *name, const char *device_path);

/* Calls VISIT for each device of CLASS, such as "class/block". A class that the kernel does not
 * have is empty; FALSE with LVP_ERROR_HOST where it cannot be read. */
gboolean lvp_pci_visit_class(
    LvpHost *host, const char *class, LvpPciVisitDevice visit, gpointer data, GError **error);
