/* SPDX-License-Identifier: Apache-2.0 */
/* Physical and virtual functions: a PF is given away only without VFs, a VF only while its PF is
 * the host's. */
#include "assert-error.h"
#include "binding-fixture.h"
#include "devices-text.h"
#include "fake-kernel.h"
#include "pci-discovery.h"
#include "snapshot.h"

#include <string.h>

#define PF CARD
#define VF0 "0000:3b:10.0"
#define VF1 "0000:3b:10.2"

static LvpFakeHost *fake;
static LvpHost *host;

static void
add(const char *address, const char *pf, const char *driver, int group)
{
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = address,
                                              .vendor = 0x10de,
                                              .device = pf ? 0x20b8 : 0x20b7,
                                              .class_code = 0x120000,
                                              .driver = driver,
                                              .pf = pf,
                                              .max_vfs = pf ? 0 : 7,
                                              .group = group});
}

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    host = lvp_fake_host_get_host(fake);
    lvp_host_load_module(host, LVP_PCI_VFIO, 1000, NULL);
    add(PF, NULL, "igb", 15);
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(pci_sriov, .init = set_up, .fini = tear_down, .timeout = 60);

static void
add_vfs(void)
{
    add(VF0, PF, NULL, 20);
    add(VF1, PF, "igbvf", 21);
}

/* ---- discovery ---- */

/* PART NULL: it is free. */
static void
assert_unit(const char *address, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(
        NVIDIA(ENTRY("0x20b7", "name: pf, type: gpu") ENTRY("0x20b8", "name: vf, type: gpu")));
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    LvpPciDiscovery discovery = {.host = host, .file = file, .timeout_ms = 1000};
    lvp_pci_discover(&discovery, snapshot, &error);
    assert_no_error(error);
    for (guint i = 0; i < lvp_snapshot_get_n_units(snapshot); i++) {
        const LvpUnit *unit = lvp_snapshot_get_unit(snapshot, i);
        if (strcmp(lvp_unit_get_id(unit), address) != 0)
            continue;
        cr_assert_eq(unit->unusable, part != NULL, "%s", unit->reason);
        if (part)
            assert_contains(unit->reason, part);
        else
            cr_assert_null(unit->reason, "%s", unit->reason);
        return;
    }
    cr_assert_fail("%s is not found", address);
}

Test(pci_sriov, physical_function_without_virtual_ones_is_free) { assert_unit(PF, NULL); }

Test(pci_sriov, physical_function_with_virtual_ones_is_not_offered_until_they_are_gone)
{
    add_vfs();
    assert_unit(PF, "it has 2 virtual functions: give those away, or set its sriov_numvfs to 0");
    lvp_fake_host_pull(fake, VF0);
    assert_unit(PF, "it has 1 virtual functions");
    lvp_fake_host_pull(fake, VF1);
    assert_unit(PF, NULL);
}

Test(pci_sriov, virtual_functions_are_free_while_the_host_has_the_physical_one)
{
    add_vfs();
    assert_unit(VF0, NULL);
    assert_unit(VF1, NULL);
}

Test(pci_sriov, virtual_function_is_not_offered_while_its_physical_one_is_on_vfio)
{
    lvp_fake_host_set_driver(fake, PF, "vfio-pci");
    add_vfs();
    assert_unit(VF0, "its physical function " PF " is on vfio-pci");
    assert_unit(VF1, "its physical function " PF " is on vfio-pci");
}

Test(pci_sriov, neighbour_with_virtual_functions_keeps_its_unit_from_being_offered)
{
    add("0000:3b:00.1", NULL, "igb", 15);
    assert_unit(PF, NULL);
    add("0000:3b:11.0", "0000:3b:00.1", NULL, 20);
    assert_unit(PF, "its neighbour 0000:3b:00.1: it has 1 virtual functions");
}

/* The kernel holds the device lock while VFs come and go, and who reads sriov_numvfs waits for it:
 * here, a FIFO. */
Test(pci_sriov, number_of_virtual_functions_is_not_read_where_that_can_hang)
{
    lvp_fake_host_set_file(fake, "sys/bus/pci/devices/" PF "/sriov_numvfs", NULL);
    lvp_fake_host_make_fifo(fake, "sys/bus/pci/devices/" PF "/sriov_numvfs");
    assert_unit(PF, NULL);
}

/* ---- taking ---- */

static void
assert_not_taken(const char *address, const char *part)
{
    LvpPciIds ids;
    LvpPciBinder binder = {host, CARD_TIMEOUT_MS};
    g_autoptr(GError) error = NULL;
    cr_assert(lvp_pci_read_ids(host, address, &ids));
    g_autofree char *identity = lvp_pci_make_identity(&ids);
    LvpPciBinding binding = {address, identity, "", "", "15"};
    guint count = lvp_fake_host_count_writes(fake);
    cr_assert_not(lvp_pci_check(&binder, &binding, &error));
    assert_error(error, LVP_ERROR_CONFLICT);
    assert_contains(error->message, part);
    g_clear_error(&error);
    cr_assert_not(lvp_pci_take(&binder, &binding, &error));
    assert_error(error, LVP_ERROR_CONFLICT);
    assert_contains(error->message, part);
    cr_assert_eq(lvp_fake_host_count_writes(fake), count);
}

Test(pci_sriov, physical_function_with_virtual_ones_is_not_taken)
{
    add_vfs();
    assert_not_taken(PF, "cannot bind " PF " to vfio-pci: it has 2 virtual functions: ");
    cr_assert(lvp_host_exists(host, LVP_HOST_SYS, LVP_PCI_DEVICES "/" VF0));
}

static int
write_and_add_vfs(gpointer data, const char *path, const char *text, int lock_fd)
{
    int code = FAKE_KERNEL_EFFECTS.write(data, path, text, lock_fd);
    if (g_str_has_suffix(path, "/driver_override") && text[0] == 'v')
        add_vfs();
    return code;
}

Test(pci_sriov, virtual_functions_that_come_after_the_override_are_seen_right_before_the_unbind)
{
    g_autoptr(GError) error = NULL;
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.write = write_and_add_vfs;
    lvp_host_set_effects(host, &effects, fake);
    LvpPciBinder binder = {host, CARD_TIMEOUT_MS};
    LvpPciIds ids;
    cr_assert(lvp_pci_read_ids(host, PF, &ids));
    g_autofree char *identity = lvp_pci_make_identity(&ids);
    LvpPciBinding binding = {PF, identity, "igb", "", "15"};
    cr_assert_not(lvp_pci_take(&binder, &binding, &error));
    assert_error(error, LVP_ERROR_CONFLICT);
    assert_contains(error->message, "it has 2 virtual functions");
    cr_assert(lvp_host_exists(host, LVP_HOST_SYS, LVP_PCI_DEVICES "/" VF0));
    g_autofree char *reason = NULL;
    cr_assert_eq(lvp_pci_put_back(&binder, &binding, &reason), LVP_VERDICT_DONE);
    card_assert_state(fake, "igb", "");
}

Test(pci_sriov, virtual_function_whose_physical_one_is_on_vfio_is_not_taken)
{
    lvp_fake_host_set_driver(fake, PF, "vfio-pci");
    add_vfs();
    assert_not_taken(VF1, "its physical function " PF " is on vfio-pci");
}
