/* SPDX-License-Identifier: Apache-2.0 */
/* Why a function that an entry names cannot be given away. */
#include "assert-error.h"
#include "devices-text.h"
#include "fake-kernel.h"
#include "pci-discovery.h"
#include "snapshot.h"

#include <errno.h>
#include <string.h>

#define GPU "0000:3b:00.0"
#define AUDIO "0000:3b:00.1"
#define OTHER_SLOT "0000:3b:01.0"
#define PORT "0000:3a:00.0"
#define VFIO_PROBLEM "vfio-pci is in the workshop"
#define TIMEOUT_MS 1000

static LvpFakeHost *fake;
static LvpHost *host;
static const char *entry_more = ""; /* further keys of the entry */

static const LvpFakePci GPU_CARD = {.address = GPU,
                                    .vendor = 0x10de,
                                    .device = 0x20b7,
                                    .class_code = 0x030200,
                                    .driver = "nvidia",
                                    .group = 15};

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    host = lvp_fake_host_get_host(fake);
    cr_assert(lvp_host_load_module(host, "vfio-pci", TIMEOUT_MS, NULL));
    lvp_fake_host_add_pci(fake, &GPU_CARD);
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(pci_judgement, .init = set_up, .fini = tear_down, .timeout = 60);

/* Discovers the one device at GPU and checks what is said of it; REASON: the beginning of it, NULL:
 * it is free. */
static void
assert_judgement(const char *vfio_problem, guint conditions, gboolean unusable, const char *reason)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strconcat(NVIDIA("      - {id: \"0x20b7\", name: a30, type: gpu"),
                                        entry_more, "}\n", NULL);
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(text);
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    LvpPciDiscovery discovery = {
        .host = host, .file = file, .vfio_problem = vfio_problem, .timeout_ms = TIMEOUT_MS};
    lvp_pci_discover(&discovery, snapshot, &error);
    assert_no_error(error);
    cr_assert_eq(lvp_snapshot_get_n_units(snapshot), 1);
    const LvpUnit *unit = lvp_snapshot_get_unit(snapshot, 0);
    cr_assert_eq(unit->conditions, conditions, "%s", unit->reason);
    cr_assert_eq(unit->unusable, unusable, "%s", unit->reason);
    if (reason)
        cr_assert(unit->reason && g_str_has_prefix(unit->reason, reason), "%s", unit->reason);
    else
        cr_assert_null(unit->reason, "%s", unit->reason);
}

static void
assert_free(void)
{
    assert_judgement(NULL, 0, FALSE, NULL);
}

/* ---- the IOMMU and vfio-pci ---- */

Test(pci_judgement, device_on_its_driver_and_alone_in_its_group_is_free) { assert_free(); }

Test(pci_judgement, device_without_a_driver_or_on_vfio_is_free)
{
    lvp_fake_host_set_driver(fake, GPU, NULL);
    assert_free();
    lvp_fake_host_set_driver(fake, GPU, "vfio-pci");
    assert_free();
}

Test(pci_judgement, without_any_group_the_iommu_is_off)
{
    LvpFakePci card = GPU_CARD;
    card.group = 0;
    lvp_fake_host_replace(fake, &card);
    assert_judgement(NULL, 0, TRUE, "the IOMMU is off: switch on VT-d or AMD-Vi");
}

Test(pci_judgement, with_the_iommu_off_the_use_by_the_host_is_told_too)
{
    LvpFakePci card = GPU_CARD;
    card.group = 0;
    lvp_fake_host_replace(fake, &card);
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1", .pci = GPU});
    lvp_fake_host_mount(fake, "nvme0n1", "/srv");
    assert_judgement(NULL, LVP_CONDITION_HOST, TRUE,
                     "nvme0n1 is mounted on /srv; the IOMMU is off: switch on VT-d or AMD-Vi");
}

Test(pci_judgement, kernel_without_iommu_support_is_as_one_with_the_iommu_off)
{
    LvpFakePci card = GPU_CARD;
    card.group = 0;
    lvp_fake_host_replace(fake, &card);
    lvp_fake_host_set_file(fake, "sys/kernel/iommu_groups", NULL);
    assert_judgement(NULL, 0, TRUE, "the IOMMU is off");
}

Test(pci_judgement, without_a_group_of_its_own_it_cannot_be_isolated)
{
    LvpFakePci card = GPU_CARD;
    card.group = 0;
    lvp_fake_host_replace(fake, &card);
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:01:00.0", .group = 3});
    assert_judgement(NULL, 0, TRUE, "it has no IOMMU group");
}

Test(pci_judgement, without_vfio_it_is_unusable)
{
    assert_judgement(VFIO_PROBLEM, 0, TRUE, VFIO_PROBLEM);
}

Test(pci_judgement, iommu_is_named_before_vfio)
{
    LvpFakePci card = GPU_CARD;
    card.group = 0;
    lvp_fake_host_replace(fake, &card);
    assert_judgement(VFIO_PROBLEM, 0, TRUE, "the IOMMU is off");
}

/* ---- neighbours in the group ---- */

static void
add_neighbour(const char *address, guint class_code, const char *driver, int group)
{
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){
                  .address = address, .class_code = class_code, .driver = driver, .group = group});
}

Test(pci_judgement, neighbour_in_its_slot_goes_with_it_whatever_its_driver)
{
    add_neighbour(AUDIO, 0x040300, "snd_hda_intel", 15);
    assert_free();
}

Test(pci_judgement, neighbour_in_another_slot_is_named_with_its_driver_and_what_to_do)
{
    add_neighbour(OTHER_SLOT, 0x040300, "snd_hda_intel", 15);
    assert_judgement(NULL, 0, TRUE,
                     "IOMMU group 15 is wider than its slot: its neighbour " OTHER_SLOT
                     " (on driver snd_hda_intel) would go with it: say \"group: allow\"");
}

Test(pci_judgement, neighbour_in_another_slot_goes_with_it_where_the_entry_allows_that)
{
    add_neighbour(OTHER_SLOT, 0x040300, "snd_hda_intel", 15);
    entry_more = ", group: allow";
    assert_free();
    add_neighbour("0000:00:1f.0", 0x060100, "lpc_ich", 15);
    assert_judgement(NULL, 0, TRUE, "its IOMMU group holds bridge 0000:00:1f.0");
}

Test(pci_judgement, neighbour_in_another_slot_is_in_the_way_without_a_driver_too)
{
    add_neighbour(OTHER_SLOT, 0x040300, NULL, 15);
    assert_judgement(NULL, 0, TRUE,
                     "IOMMU group 15 is wider than its slot: its neighbour " OTHER_SLOT
                     " (without driver) would go with it: ");
}

Test(pci_judgement, neighbour_of_another_group_is_none)
{
    add_neighbour(AUDIO, 0x040300, "snd_hda_intel", 16);
    assert_free();
}

Test(pci_judgement, neighbour_that_does_no_harm)
{
    static const char *const DRIVERS[] = {NULL, "vfio-pci", "pci-stub"};
    for (guint i = 0; i < G_N_ELEMENTS(DRIVERS); i++) {
        add_neighbour(AUDIO, 0x040300, NULL, 15);
        lvp_fake_host_set_driver(fake, AUDIO, DRIVERS[i]);
        assert_free();
        lvp_fake_host_pull(fake, AUDIO);
    }
}

Test(pci_judgement, port_and_bridge_above_do_no_harm)
{
    add_neighbour(PORT, 0x060400, "pcieport", 15);
    add_neighbour("0000:39:00.0", 0x060400, "shpchp", 15);
    assert_free();
}

Test(pci_judgement, event_collector_on_the_driver_of_ports_does_no_harm)
{
    add_neighbour("0000:3a:00.4", 0x080700, "pcieport", 15);
    assert_free();
}

Test(pci_judgement, bridge_of_another_kind_on_a_host_driver_does_harm)
{
    add_neighbour("0000:00:1f.0", 0x060100, "lpc_ich", 15);
    assert_judgement(NULL, 0, TRUE,
                     "its IOMMU group holds bridge 0000:00:1f.0 on host driver lpc_ich: ");
}

Test(pci_judgement, harmful_one_is_found_among_many)
{
    add_neighbour(PORT, 0x060400, "pcieport", 15);
    add_neighbour(AUDIO, 0x040300, NULL, 15);
    add_neighbour("0000:3b:00.3", 0x0c8000, "vfio-pci", 15);
    add_neighbour("0000:3b:02.0", 0x0c0330, "xhci_hcd", 15);
    assert_judgement(NULL, 0, TRUE,
                     "IOMMU group 15 is wider than its slot: its neighbour 0000:3b:02.0 (on "
                     "driver xhci_hcd) ");
}

Test(pci_judgement, group_that_cannot_be_read_is_not_trusted)
{
    lvp_fake_host_set_file(fake, "sys/kernel/iommu_groups/15/devices", NULL);
    assert_judgement(NULL, 0, TRUE, "its IOMMU group cannot be read: ");
}

/* ---- what hangs ---- */

#define BLOCKED "an operation on it has not returned from the kernel yet"

static void
unbind_and_hang(void)
{
    g_autoptr(GError) error = NULL;
    lvp_host_write(host, "bus/pci/devices/" GPU "/driver/unbind", GPU, "another lock", TIMEOUT_MS,
                   &error);
    assert_error(error, LVP_ERROR_TIMED_OUT);
}

Test(pci_judgement, device_that_vfio_has_not_let_go_is_blocked_although_it_has_no_driver)
{
    lvp_fake_host_set_driver(fake, GPU, "vfio-pci");
    lvp_fake_host_set_opener(fake, "vfio/15", "pid 812 (qemu-system-x86)");
    unbind_and_hang();
    assert_judgement(NULL, LVP_CONDITION_BLOCKED, FALSE, BLOCKED);
    lvp_fake_host_set_opener(fake, "vfio/15", NULL);
    assert_free();
}

Test(pci_judgement, device_whose_write_is_in_flight_is_blocked)
{
    g_autoptr(GError) error = NULL;
    lvp_fake_host_hang_at(fake, 1);
    lvp_host_write(host, "bus/pci/devices/" GPU "/driver_override", "x", GPU, TIMEOUT_MS, &error);
    assert_error(error, LVP_ERROR_TIMED_OUT);
    assert_judgement(NULL, LVP_CONDITION_BLOCKED, FALSE, BLOCKED);
    lvp_fake_host_finish_hung(fake);
    assert_free();
}

/* Discovers in the middle of a write of ours, when vfio-pci has let the device go but not yet
 * cleaned up. */
static int
look_while_writing(gpointer data, const char *path, const char *text, int lock_fd)
{
    lvp_fake_host_set_opener(data, "vfio/15", "pid 812 (qemu-system-x86)");
    int code = FAKE_KERNEL_EFFECTS.write(data, path, text, lock_fd);
    cr_assert_eq(code, ETIMEDOUT);
    assert_free();
    lvp_fake_host_set_opener(data, "vfio/15", NULL);
    return 0;
}

Test(pci_judgement, device_that_we_are_just_working_on_is_not_blocked)
{
    g_autoptr(GError) error = NULL;
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.write = look_while_writing;
    lvp_fake_host_set_driver(fake, GPU, "vfio-pci");
    lvp_host_set_effects(host, &effects, fake);
    lvp_host_write(host, "bus/pci/devices/" GPU "/driver/unbind", GPU, GPU, TIMEOUT_MS, &error);
    assert_no_error(error);
    lvp_host_set_effects(host, &FAKE_KERNEL_EFFECTS, fake);
    assert_free();
}

Test(pci_judgement, device_whose_neighbour_is_blocked_is_blocked_and_says_so)
{
    g_autoptr(GError) error = NULL;
    add_neighbour(AUDIO, 0x040300, "snd_hda_intel", 15);
    lvp_fake_host_hang_at(fake, 1);
    lvp_host_write(host, "bus/pci/devices/" AUDIO "/driver_override", "x", AUDIO, TIMEOUT_MS,
                   &error);
    assert_error(error, LVP_ERROR_TIMED_OUT);
    assert_judgement(NULL, LVP_CONDITION_BLOCKED, FALSE, "its neighbour " AUDIO ": " BLOCKED);
    lvp_fake_host_finish_hung(fake);
    assert_free();
}

/* ---- the host itself ---- */

Test(pci_judgement, device_that_the_host_uses_has_the_condition_host)
{
    lvp_fake_host_add_net(fake, &(LvpFakeNet){.name = "eth0", .pci = GPU});
    assert_judgement(NULL, LVP_CONDITION_HOST, FALSE, "eth0 is up");
}

Test(pci_judgement, device_whose_neighbour_the_host_uses_has_the_condition_host)
{
    add_neighbour(AUDIO, 0x020000, "e1000e", 15);
    lvp_fake_host_add_net(fake, &(LvpFakeNet){.name = "eth0", .pci = AUDIO});
    assert_judgement(NULL, LVP_CONDITION_HOST, FALSE, "its neighbour " AUDIO ": eth0 is up");
}

Test(pci_judgement, use_of_a_neighbour_counts_only_where_it_would_be_taken_along)
{
    add_neighbour(OTHER_SLOT, 0x020000, "e1000e", 15);
    lvp_fake_host_add_net(fake, &(LvpFakeNet){.name = "eth0", .pci = OTHER_SLOT});
    assert_judgement(NULL, 0, TRUE, "IOMMU group 15 is wider than its slot: ");
    entry_more = ", group: allow";
    assert_judgement(NULL, LVP_CONDITION_HOST, FALSE, "its neighbour " OTHER_SLOT ": eth0 is up");
}

Test(pci_judgement, use_of_a_device_that_its_group_does_not_list_is_seen)
{
    lvp_fake_host_add_net(fake, &(LvpFakeNet){.name = "eth0", .pci = GPU});
    lvp_fake_host_set_file(fake, "sys/kernel/iommu_groups/15/devices/" GPU, NULL);
    assert_judgement(NULL, LVP_CONDITION_HOST, FALSE, "eth0 is up");
    lvp_fake_host_set_file(fake, "sys/kernel/iommu_groups/15/devices", NULL);
    assert_judgement(NULL, LVP_CONDITION_HOST, TRUE, "eth0 is up");
}

Test(pci_judgement, use_by_the_host_is_named_before_what_makes_it_unusable)
{
    lvp_fake_host_add_net(fake, &(LvpFakeNet){.name = "eth0", .pci = GPU});
    assert_judgement(VFIO_PROBLEM, LVP_CONDITION_HOST, TRUE, "eth0 is up");
}

Test(pci_judgement, host_whose_mounts_cannot_be_read_is_an_error)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    lvp_fake_host_set_file(fake, "proc/self/mountinfo", NULL);
    LvpPciDiscovery discovery = {.host = host, .all = TRUE};
    cr_assert_not(lvp_pci_discover(&discovery, snapshot, &error));
    cr_assert_not_null(error);
}
