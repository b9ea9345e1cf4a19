/* SPDX-License-Identifier: Apache-2.0 */
/* Taking a card: what is written, what is looked at before, and what it is refused for. */
#include "assert-error.h"
#include "binding-fixture.h"
#include "fake-kernel.h"

#include <errno.h>
#include <string.h>

static const Original ON_HOST_DRIVER = {"nvidia", ""};
static const Original WITHOUT_DRIVER = {"", ""};
static const Original ON_VFIO = {"vfio-pci", ""};

#define WRITE_OVERRIDE CARD_DEVICES "/driver_override=vfio-pci\\n"
#define WRITE_UNBIND "bus/pci/drivers/nvidia/unbind=" CARD
#define WRITE_PROBE "bus/pci/drivers_probe=" CARD
#define WRITE_BIND "bus/pci/drivers/vfio-pci/bind=" CARD

static LvpFakeHost *fake;
static LvpHost *host;
static LvpPciBinder binder;

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    host = lvp_fake_host_get_host(fake);
    binder = (LvpPciBinder){host, CARD_TIMEOUT_MS};
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(pci_take, .init = set_up, .fini = tear_down, .timeout = 60);

static void
take_well(const Original *original)
{
    g_autoptr(GError) error = NULL;
    LvpPciBinding binding = card_get_binding(original);
    cr_assert(lvp_pci_take(&binder, &binding, &error));
    assert_no_error(error);
}

/* The message begins with what was to be done and has PART. */
static void
assert_refused(const Original *original, LvpError code, const char *part)
{
    g_autoptr(GError) error = NULL;
    LvpPciBinding binding = card_get_binding(original);
    cr_assert_not(lvp_pci_take(&binder, &binding, &error));
    cr_assert(g_error_matches(error, LVP_ERROR, (int)code), "%s", error->message);
    cr_assert(g_str_has_prefix(error->message, "cannot bind " CARD " to vfio-pci: "), "%s",
              error->message);
    assert_contains(error->message, part);
}

/* EXPECTED: the writes in order, joined by a space. */
static void
assert_writes(const char *expected)
{
    g_auto(GStrv) writes = lvp_fake_host_get_writes(fake);
    g_autofree char *joined = g_strjoinv(" ", writes);
    cr_assert_str_eq(joined, expected);
}

/* ---- what is written ---- */

Test(pci_take, card_on_its_host_driver_is_moved_by_override_unbind_and_probe_in_this_order)
{
    card_add(fake, &ON_HOST_DRIVER);
    take_well(&ON_HOST_DRIVER);
    assert_writes(WRITE_OVERRIDE " " WRITE_UNBIND " " WRITE_PROBE);
    card_assert_state(fake, "vfio-pci", "vfio-pci");
}

Test(pci_take, card_without_driver_is_not_unbound)
{
    card_add(fake, &WITHOUT_DRIVER);
    take_well(&WITHOUT_DRIVER);
    assert_writes(WRITE_OVERRIDE " " WRITE_PROBE);
    card_assert_state(fake, "vfio-pci", "vfio-pci");
}

Test(pci_take, card_on_vfio_only_gets_the_override_so_that_no_replug_gives_it_to_the_host)
{
    card_add(fake, &ON_VFIO);
    take_well(&ON_VFIO);
    assert_writes(WRITE_OVERRIDE);
    card_assert_state(fake, "vfio-pci", "vfio-pci");
}

Test(pci_take, card_that_is_taken_can_be_taken_again)
{
    card_add(fake, &ON_HOST_DRIVER);
    take_well(&ON_HOST_DRIVER);
    take_well(&ON_HOST_DRIVER);
    card_assert_state(fake, "vfio-pci", "vfio-pci");
}

Test(pci_take, probe_of_no_effect_is_followed_by_a_bind_by_name)
{
    card_add(fake, &ON_HOST_DRIVER);
    lvp_fake_host_lie_at(fake, 3);
    take_well(&ON_HOST_DRIVER);
    assert_writes(WRITE_OVERRIDE " " WRITE_UNBIND " " WRITE_PROBE " " WRITE_BIND);
    card_assert_state(fake, "vfio-pci", "vfio-pci");
}

Test(pci_take, bind_by_name_tells_why_a_probe_was_of_no_use)
{
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = CARD,
                                              .vendor = 0x10de,
                                              .device = 0x20b7,
                                              .subsystem_vendor = 0x10de,
                                              .subsystem_device = 0x1532,
                                              .revision = 0xa1,
                                              .class_code = 0x030200,
                                              .driver = "nvidia"});
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_HOST, g_strerror(EINVAL));
    card_put_back(fake, &ON_HOST_DRIVER, LVP_VERDICT_DONE);
    card_assert_state(fake, "nvidia", "");
}

Test(pci_take, bind_that_lies_too_is_found_out)
{
    card_add(fake, &ON_HOST_DRIVER);
    lvp_fake_host_lie_at(fake, 3);
    lvp_fake_host_lie_at(fake, 4);
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_HOST,
                   "the kernel took the bind, but " CARD " did not bind to vfio-pci");
}

Test(pci_take, override_of_a_bound_card_that_lies_is_found_out)
{
    card_add(fake, &ON_VFIO);
    lvp_fake_host_lie_at(fake, 1);
    assert_refused(&ON_VFIO, LVP_ERROR_HOST,
                   "driver_override is '' after it was set to 'vfio-pci'");
}

Test(pci_take, unbind_that_lies_is_found_out)
{
    card_add(fake, &ON_HOST_DRIVER);
    lvp_fake_host_lie_at(fake, 2);
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_HOST, CARD " is still bound to nvidia");
    assert_writes(WRITE_OVERRIDE " " WRITE_UNBIND);
}

static int
let_somebody_be_faster(gpointer data, const char *path, const char *text, int lock_fd)
{
    if (g_str_has_suffix(path, "/unbind"))
        lvp_fake_host_set_driver(data, CARD, NULL);
    return FAKE_KERNEL_EFFECTS.write(data, path, text, lock_fd);
}

Test(pci_take, unbind_that_fails_because_somebody_was_faster_does_no_harm)
{
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.write = let_somebody_be_faster;
    card_add(fake, &ON_HOST_DRIVER);
    lvp_host_set_effects(host, &effects, fake);
    take_well(&ON_HOST_DRIVER);
    card_assert_state(fake, "vfio-pci", "vfio-pci");
}

static int
let_libvirt_be_faster(gpointer data, const char *path, const char *text, int lock_fd)
{
    if (g_str_has_suffix(path, "/unbind")) {
        lvp_fake_host_set_driver(data, CARD, "vfio-pci");
        lvp_fake_host_set_opener(data, CARD_OPENER, "pid 812 (qemu-system-x86)");
    }
    return FAKE_KERNEL_EFFECTS.write(data, path, text, lock_fd);
}

Test(pci_take, card_that_a_guest_gets_right_before_the_unbind_is_left_to_it)
{
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.write = let_libvirt_be_faster;
    card_add(fake, &ON_HOST_DRIVER);
    lvp_host_set_effects(host, &effects, fake);
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_HOST, "drivers/nvidia/unbind");
    cr_assert_not(lvp_fake_host_is_stuck(fake, CARD));
    card_assert_state(fake, "vfio-pci", "vfio-pci");
}

/* ---- vfio-pci ---- */

Test(pci_take, vfio_is_loaded_where_it_is_not)
{
    card_add(fake, &ON_HOST_DRIVER);
    cr_assert_not(lvp_host_exists(host, LVP_HOST_SYS, LVP_PCI_DRIVERS "/vfio-pci"));
    cr_assert(lvp_pci_load_vfio(&binder, NULL));
    cr_assert(lvp_host_exists(host, LVP_HOST_SYS, LVP_PCI_DRIVERS "/vfio-pci"));
    lvp_fake_host_fail_module(fake, ENOENT);
    cr_assert(lvp_pci_load_vfio(&binder, NULL), "it is there already");
}

Test(pci_take, without_vfio_nothing_is_written_at_all)
{
    card_add(fake, &ON_HOST_DRIVER);
    lvp_fake_host_fail_module(fake, ENOENT);
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_NOT_SUPPORTED, "load it with modprobe vfio-pci");
    assert_writes("");
    card_assert_state(fake, "nvidia", "");
}

static int
load_nothing(gpointer data, const char *module)
{
    (void)data, (void)module;
    return 0;
}

Test(pci_take, module_that_brings_no_driver_is_not_believed)
{
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.load_module = load_nothing;
    lvp_host_set_effects(host, &effects, fake);
    card_add(fake, &ON_HOST_DRIVER);
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_NOT_SUPPORTED,
                   "has loaded, but registered no driver");
    assert_writes("");
}

/* ---- the host uses it ---- */

static void
add_disk(void)
{
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = "nvme0n1", .pci = CARD});
}

Test(pci_take, use_that_came_after_the_discovery_is_seen_before_anything_is_written)
{
    card_add(fake, &ON_HOST_DRIVER);
    add_disk();
    lvp_fake_host_mount(fake, "nvme0n1", "/srv");
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_IN_USE_BY_HOST,
                   "the host uses it: nvme0n1 is mounted on /srv");
    assert_writes("");
}

static int
write_and_mount(gpointer data, const char *path, const char *text, int lock_fd)
{
    int code = FAKE_KERNEL_EFFECTS.write(data, path, text, lock_fd);
    if (g_str_has_suffix(path, "/driver_override"))
        lvp_fake_host_mount(data, "nvme0n1", "/srv");
    return code;
}

Test(pci_take, use_that_comes_after_the_override_is_seen_right_before_the_unbind)
{
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.write = write_and_mount;
    card_add(fake, &ON_HOST_DRIVER);
    add_disk();
    lvp_host_set_effects(host, &effects, fake);
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_IN_USE_BY_HOST, "nvme0n1 is mounted on /srv");
    assert_writes(WRITE_OVERRIDE);
    card_put_back(fake, &ON_HOST_DRIVER, LVP_VERDICT_DONE);
    card_assert_state(fake, "nvidia", "");
}

Test(pci_take, card_that_a_process_has_open_is_left_alone)
{
    card_add(fake, &ON_HOST_DRIVER);
    lvp_fake_host_add_drm(fake, CARD, "renderD128");
    lvp_fake_host_set_opener(fake, "dri/renderD128", "pid 812 (python3)");
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_IN_USE_BY_HOST,
                   "the host uses it: pid 812 (python3) has /dev/dri/renderD128 open");
    assert_writes("");
}

Test(pci_take, host_that_cannot_be_asked_is_not_touched)
{
    card_add(fake, &ON_HOST_DRIVER);
    lvp_fake_host_set_file(fake, "proc/self/mountinfo", NULL);
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_NOT_FOUND, "mountinfo");
    assert_writes("");
}

Test(pci_take, card_on_vfio_that_somebody_has_open_is_left_alone)
{
    card_add(fake, &ON_VFIO);
    lvp_fake_host_set_opener(fake, CARD_OPENER, "pid 812 (qemu-system-x86)");
    assert_refused(&ON_VFIO, LVP_ERROR_IN_USE_BY_HOST,
                   "pid 812 (qemu-system-x86) has its IOMMU group 15 open");
    assert_writes("");
}

/* ---- it is not the card that was planned ---- */

Test(pci_take, card_that_was_pulled_is_not_taken)
{
    card_add(fake, &ON_HOST_DRIVER);
    lvp_fake_host_pull(fake, CARD);
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_CONFLICT, "it is not there any more");
    assert_writes("");
}

Test(pci_take, another_card_at_the_address_is_not_taken)
{
    card_add(fake, &ON_HOST_DRIVER);
    card_replace(fake);
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_CONFLICT, "another device stands at its address");
    assert_writes("");
}

/* ---- writes that are in flight ---- */

Test(pci_take, card_with_an_earlier_write_in_flight_is_busy)
{
    card_add(fake, &ON_HOST_DRIVER);
    lvp_fake_host_hang_at(fake, 1);
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_TIMED_OUT, "driver_override");
    assert_refused(&ON_HOST_DRIVER, LVP_ERROR_BUSY, "an earlier operation");
}

/* ---- reading the override, which can hang ---- */

Test(pci_take, override_is_read_as_none_where_the_kernel_says_null)
{
    g_autoptr(GError) error = NULL;
    card_add(fake, &ON_HOST_DRIVER);
    g_autofree char *override = lvp_pci_read_override(&binder, CARD, &error);
    assert_no_error(error);
    cr_assert_str_empty(override);
}

Test(pci_take, override_is_read_as_it_is)
{
    g_autoptr(GError) error = NULL;
    card_add(fake, &(Original){"nvidia", "pci-stub"});
    g_autofree char *override = lvp_pci_read_override(&binder, CARD, &error);
    assert_no_error(error);
    cr_assert_str_eq(override, "pci-stub");
}

Test(pci_take, override_of_a_card_that_is_not_there_is_an_error)
{
    g_autoptr(GError) error = NULL;
    cr_assert_null(lvp_pci_read_override(&binder, CARD, &error));
    assert_error(error, LVP_ERROR_NOT_FOUND);
}
