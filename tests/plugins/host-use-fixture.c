/* SPDX-License-Identifier: Apache-2.0 */
#include "host-use-fixture.h"

#include "assert-error.h"
#include "pci-host-use.h"

char *
use_find(LvpHost *host, const char *address)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpPciHostUse) host_use = lvp_pci_host_use_read(host, USE_TIMEOUT_MS, &error);
    assert_no_error(error);
    char driver[LVP_PCI_NAME_SIZE];
    LvpPciIds ids = {0};
    lvp_pci_read_driver(host, address, driver);
    lvp_pci_read_ids(host, address, &ids);
    return lvp_pci_host_use_find(host_use, address, ids.class_code, driver);
}

void
use_assert(LvpHost *host, const char *address, const char *expected)
{
    g_autofree char *use = use_find(host, address);
    cr_assert_eq(g_strcmp0(use, expected), 0, "%s", use);
}

void
use_assert_unreadable(LvpHost *host)
{
    g_autoptr(GError) error = NULL;
    cr_assert_null(lvp_pci_host_use_read(host, USE_TIMEOUT_MS, &error));
    cr_assert_not_null(error);
}
