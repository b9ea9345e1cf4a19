/* SPDX-License-Identifier: Apache-2.0 */
/* What hypervisor.c (the connection) lends to hypervisor-domains.c (the calls). */
#pragma once

#include "hypervisor.h"

#include <libvirt/libvirt.h>

/* A reference to the connection for one call; NULL with LVP_ERROR_NOT_REACHABLE. A call that comes
 * right after the start waits for the first attempt to connect. */
virConnectPtr lvp_hypervisor_acquire(LvpHypervisor *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(virConnect, virConnectClose)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomain, virDomainFree)
