/* SPDX-License-Identifier: Apache-2.0 */
/* Moves one function between its host driver and vfio-pci, and back, verified by looking. Each
 * write is one child process with a deadline; see libvirt-provider/host.h. */
#pragma once

#include "pci-scan.h"

#include <libvirt-provider/request.h>

/* What a function was before we touched it: enough to put it back. */
typedef struct {
    const char *address;
    const char *identity;
    const char *driver;   /* "" for none */
    const char *override; /* driver_override, "" for none */
    const char *group;    /* IOMMU group */
} LvpPciBinding;

typedef struct {
    LvpHost *host;
    guint timeout_ms; /* of each write */
} LvpPciBinder;

/* Whether vfio-pci is there, loading it if need be; LVP_ERROR_NOT_SUPPORTED with what to do. */
gboolean lvp_pci_load_vfio(const LvpPciBinder *self, GError **error);

/* Reads driver_override, which can hang, so by a child: "" for none; g_free(). */
char *lvp_pci_read_override(const LvpPciBinder *self, const char *address, GError **error);

/* Whether take may begin: identity, users, virtual functions, host use, vfio-pci. No effect on the
 * function. */
gboolean lvp_pci_check(const LvpPciBinder *self, const LvpPciBinding *binding, GError **error);
/* Binds to vfio-pci; does nothing if it is. Right before the unbind the host-use check is made
 * again: LVP_ERROR_IN_USE_BY_HOST. Half-done on failure: put_back undoes it. */
gboolean lvp_pci_take(const LvpPciBinder *self, const LvpPciBinding *binding, GError **error);

/* Resets the function, if nobody has it open, and restores override and driver, from wherever take
 * has stopped. Sets the verdict's *RET_REASON
 * (g_free()) unless it is DONE. */
LvpVerdict
lvp_pci_put_back(const LvpPciBinder *self, const LvpPciBinding *binding, char **ret_reason);

/* Compares without touching: matches, needs commit, lost, replaced, blocked. */
LvpVerdict
lvp_pci_compare(const LvpPciBinder *self, const LvpPciBinding *binding, char **ret_reason);
