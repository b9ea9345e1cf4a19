/* SPDX-License-Identifier: Apache-2.0 */
/* The function below which all keyboards of the host hang: without it nobody could type there. */
#pragma once

#include "pci-scan.h"

typedef struct LvpPciHostKeyboards LvpPciHostKeyboards;

/* One look at the host. */
LvpPciHostKeyboards *lvp_pci_host_keyboards_read(LvpHost *host, GError **error);
void lvp_pci_host_keyboards_free(LvpPciHostKeyboards *self);

/* "the host's only keyboard hangs below it: input3 (...)", or NULL. A keyboard below no function
 * (PS/2) or below another one is a second one. g_free(). */
char *lvp_pci_host_keyboards_find_use(const LvpPciHostKeyboards *self, const char *address);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpPciHostKeyboards, lvp_pci_host_keyboards_free)
