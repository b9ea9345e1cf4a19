/* SPDX-License-Identifier: Apache-2.0 */
/* The modelled kernel against what is known of the real one: a wrong model proves nothing. */
#include "assert-error.h"
#include "fake-host.h"
#include "host-effects.h"

#include <errno.h>
#include <string.h>

#define GPU "0000:3b:00.0"
#define DISK "0000:5e:00.0"
#define DEVICES "bus/pci/devices/"
#define DRIVERS "bus/pci/drivers/"
#define TIMEOUT_MS 1000

static LvpFakeHost *fake;
static LvpHost *host;

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    host = lvp_fake_host_get_host(fake);
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = GPU, .driver = "nvidia", .group = 15});
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = DISK, .driver = "nvme", .group = 16});
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(fake_kernel, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- what the tests say ---- */

static void
write_well(const char *path, const char *text)
{
    g_autoptr(GError) error = NULL;
    lvp_host_write(host, path, text, GPU, TIMEOUT_MS, &error);
    assert_no_error(error);
}

/* The write fails with the text of errno CODE; with what is said of a time-out for ETIMEDOUT. */
static void
assert_write_fails(const char *path, const char *text, int code)
{
    g_autoptr(GError) error = NULL;
    cr_assert_not(lvp_host_write(host, path, text, GPU, TIMEOUT_MS, &error), "%s", path);
    if (code == ETIMEDOUT)
        assert_error(error, LVP_ERROR_TIMED_OUT);
    else
        cr_assert(g_str_has_suffix(error->message, g_strerror(code)), "%s", error->message);
}

/* Model and tree say the same; NULL: no driver. */
static void
assert_driver(const char *address, const char *expected)
{
    char name[64];
    g_autofree char *driver = lvp_fake_host_get_driver(fake, address);
    g_autofree char *link = g_strdup_printf(DEVICES "%s/driver", address);
    lvp_host_read_link_name(host, LVP_HOST_SYS, link, name, sizeof name);
    cr_assert_eq(g_strcmp0(driver, expected), 0, "%s is on %s", address, driver);
    cr_assert_str_eq(name, expected ? expected : "");
}

static void
assert_override(const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *override = lvp_fake_host_get_override(fake, GPU);
    g_autofree char *text = lvp_host_read_guarded(host, DEVICES GPU "/driver_override",
                                                  "another lock", TIMEOUT_MS, &error);
    assert_no_error(error);
    cr_assert_eq(g_strcmp0(override, expected), 0);
    cr_assert_str_eq(text, expected ? expected : "(null)");
}

static gboolean
exists(const char *path)
{
    return lvp_host_exists(host, LVP_HOST_SYS, path);
}

static gboolean
has_node(const char *path)
{
    return lvp_host_exists(host, LVP_HOST_DEV, path);
}

static void
bind_to_vfio(void)
{
    cr_assert(lvp_host_load_module(host, "vfio-pci", TIMEOUT_MS, NULL));
    write_well(DEVICES GPU "/driver_override", "vfio-pci");
    write_well(DEVICES GPU "/driver/unbind", GPU);
    write_well("bus/pci/drivers_probe", GPU);
    assert_driver(GPU, "vfio-pci");
}

/* ---- override ---- */

Test(fake_kernel, override_is_cleared_by_a_line_end_and_not_by_nothing)
{
    write_well(DEVICES GPU "/driver_override", "vfio-pci\n");
    assert_override("vfio-pci");
    write_well(DEVICES GPU "/driver_override", "");
    assert_override("vfio-pci");
    write_well(DEVICES GPU "/driver_override", "\n");
    assert_override(NULL);
}

Test(fake_kernel, override_moves_no_device)
{
    bind_to_vfio();
    write_well(DEVICES GPU "/driver_override", "\n");
    assert_driver(GPU, "vfio-pci");
}

Test(fake_kernel, override_too_long_is_einval_and_of_no_device_enoent)
{
    g_autofree char *text = g_strnfill(4096, 'x');
    assert_write_fails(DEVICES GPU "/driver_override", text, EINVAL);
    assert_write_fails(DEVICES "0000:ff:00.0/driver_override", "vfio-pci", ENOENT);
    assert_override(NULL);
}

Test(fake_kernel, other_attributes_take_what_is_written)
{
    char value[LVP_HOST_VALUE_SIZE];
    lvp_fake_host_set_file(fake, "sys/" DEVICES GPU "/sriov_numvfs", "0\n");
    write_well(DEVICES GPU "/sriov_numvfs", "4");
    lvp_host_read_value(host, LVP_HOST_SYS, DEVICES GPU "/sriov_numvfs", value, sizeof value);
    cr_assert_str_eq(value, "4");
    assert_write_fails(DEVICES GPU "/none", "4", ENOENT);
}

/* ---- unbind ---- */

Test(fake_kernel, unbind_works_through_device_and_driver)
{
    write_well(DEVICES GPU "/driver/unbind", GPU);
    assert_driver(GPU, NULL);
    write_well(DRIVERS "nvme/unbind", DISK "\n");
    assert_driver(DISK, NULL);
}

Test(fake_kernel, unbind_of_what_is_not_bound_there_is_enodev)
{
    assert_write_fails(DRIVERS "nvme/unbind", GPU, ENODEV);
    assert_write_fails(DRIVERS "nvme/unbind", "0000:ff:00.0", ENODEV);
    assert_write_fails(DEVICES GPU "/driver/unbind", DISK, ENODEV);
    assert_write_fails(DRIVERS "none/unbind", GPU, ENOENT);
    write_well(DRIVERS "nvidia/unbind", GPU);
    assert_write_fails(DRIVERS "nvidia/unbind", GPU, ENODEV);
    assert_write_fails(DEVICES GPU "/driver/unbind", GPU, ENOENT);
}

/* ---- probe and bind ---- */

Test(fake_kernel, vfio_takes_a_device_only_by_override)
{
    cr_assert(lvp_host_load_module(host, "vfio-pci", TIMEOUT_MS, NULL));
    write_well(DEVICES GPU "/driver/unbind", GPU);
    assert_write_fails(DRIVERS "vfio-pci/bind", GPU, ENODEV);
    write_well("bus/pci/drivers_probe", GPU);
    assert_driver(GPU, "nvidia");
}

Test(fake_kernel, bound_device_shows_what_vfio_shows)
{
    bind_to_vfio();
    cr_assert(has_node("vfio/vfio"));
    cr_assert(has_node("vfio/15"));
    cr_assert(exists(DEVICES GPU "/vfio-dev"));
    write_well(DEVICES GPU "/driver/unbind", GPU);
    cr_assert_not(has_node("vfio/15"));
    cr_assert_not(exists(DEVICES GPU "/vfio-dev"));
}

Test(fake_kernel, group_node_stays_until_its_last_device_leaves)
{
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:3b:00.1", .group = 15});
    bind_to_vfio();
    lvp_fake_host_set_driver(fake, "0000:3b:00.1", "vfio-pci");
    write_well(DEVICES GPU "/driver/unbind", GPU);
    cr_assert(has_node("vfio/15"));
    lvp_fake_host_set_driver(fake, "0000:3b:00.1", NULL);
    cr_assert_not(has_node("vfio/15"));
}

Test(fake_kernel, probe_says_success_when_nothing_matches)
{
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:af:00.0", .group = 17});
    write_well("bus/pci/drivers_probe", "0000:af:00.0");
    assert_driver("0000:af:00.0", NULL);
}

Test(fake_kernel, probe_says_success_when_the_module_is_missing)
{
    write_well(DEVICES GPU "/driver_override", "vfio-pci");
    write_well(DEVICES GPU "/driver/unbind", GPU);
    write_well("bus/pci/drivers_probe", GPU);
    assert_driver(GPU, NULL);
}

Test(fake_kernel, probe_says_success_when_the_driver_refuses)
{
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:af:00.0"});
    lvp_host_load_module(host, "vfio-pci", TIMEOUT_MS, NULL);
    write_well(DEVICES "0000:af:00.0/driver_override", "vfio-pci");
    write_well("bus/pci/drivers_probe", "0000:af:00.0");
    assert_driver("0000:af:00.0", NULL);
    assert_write_fails(DRIVERS "vfio-pci/bind", "0000:af:00.0", EINVAL);
}

Test(fake_kernel, probe_leaves_a_bound_device_alone)
{
    lvp_host_load_module(host, "vfio-pci", TIMEOUT_MS, NULL);
    write_well(DEVICES GPU "/driver_override", "vfio-pci");
    write_well("bus/pci/drivers_probe", GPU);
    assert_driver(GPU, "nvidia");
}

Test(fake_kernel, probe_of_no_device_is_enodev)
{
    assert_write_fails("bus/pci/drivers_probe", "0000:ff:00.0", ENODEV);
}

Test(fake_kernel, bind_gives_the_real_errno)
{
    assert_write_fails(DRIVERS "nvidia/bind", GPU, EBUSY);
    assert_write_fails(DRIVERS "nvme/bind", GPU, ENODEV);
    assert_write_fails(DRIVERS "none/bind", GPU, ENOENT);
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){.address = "0000:00:01.0", .class_code = 0x060400, .group = 1});
    lvp_host_load_module(host, "vfio-pci", TIMEOUT_MS, NULL);
    write_well(DEVICES "0000:00:01.0/driver_override", "vfio-pci");
    assert_write_fails(DRIVERS "vfio-pci/bind", "0000:00:01.0", EINVAL);
}

Test(fake_kernel, device_of_boot_time_ids_goes_back_to_vfio)
{
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){.address = "0000:af:00.0", .driver = "vfio-pci", .group = 17});
    write_well(DEVICES "0000:af:00.0/driver/unbind", "0000:af:00.0");
    write_well("bus/pci/drivers_probe", "0000:af:00.0");
    assert_driver("0000:af:00.0", "vfio-pci");
}

/* ---- modules ---- */

Test(fake_kernel, module_brings_its_folder_and_takes_what_waits_for_it)
{
    cr_assert_not(exists(DRIVERS "vfio-pci"));
    write_well(DEVICES GPU "/driver_override", "vfio-pci");
    write_well(DEVICES GPU "/driver/unbind", GPU);
    cr_assert(lvp_host_load_module(host, "vfio-pci", TIMEOUT_MS, NULL));
    cr_assert(exists(DRIVERS "vfio-pci/bind"));
    assert_driver(GPU, "vfio-pci");
    assert_driver(DISK, "nvme");
}

Test(fake_kernel, module_that_fails_brings_nothing)
{
    g_autoptr(GError) error = NULL;
    lvp_fake_host_fail_module(fake, ENOENT);
    cr_assert_not(lvp_host_load_module(host, "vfio-pci", TIMEOUT_MS, &error));
    assert_error(error, LVP_ERROR_HOST);
    cr_assert_not(exists(DRIVERS "vfio-pci"));
}

/* ---- who holds what ---- */

Test(fake_kernel, unbind_of_a_held_device_hangs_until_it_is_let_go)
{
    g_autoptr(GError) error = NULL;
    bind_to_vfio();
    lvp_fake_host_set_opener(fake, "vfio/15", "pid 812 (qemu-system-x86)");
    cr_assert_not(lvp_host_write(host, DEVICES GPU "/driver/unbind", GPU, GPU, TIMEOUT_MS, &error));
    assert_error(error, LVP_ERROR_TIMED_OUT);
    assert_driver(GPU, NULL);
    cr_assert(exists(DEVICES GPU "/vfio-dev"));
    cr_assert(has_node("vfio/15"));
    cr_assert(lvp_host_is_stuck(host, GPU));
    lvp_fake_host_set_opener(fake, "vfio/15", NULL);
    cr_assert_not(exists(DEVICES GPU "/vfio-dev"));
    cr_assert_not(has_node("vfio/15"));
    cr_assert_not(lvp_host_is_stuck(host, GPU));
}

Test(fake_kernel, host_driver_cannot_be_bound_in_a_held_group)
{
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:3b:00.1", .group = 15});
    bind_to_vfio();
    lvp_fake_host_set_opener(fake, "vfio/15", "pid 812 (qemu-system-x86)");
    write_well(DEVICES "0000:3b:00.1/driver_override", "nvidia");
    assert_write_fails("bus/pci/drivers_probe", "0000:3b:00.1", EINVAL);
    assert_driver("0000:3b:00.1", NULL);
}

Test(fake_kernel, opener_is_named)
{
    cr_assert_null(lvp_host_find_opener(host, "vfio/15"));
    lvp_fake_host_set_opener(fake, "vfio/15", "pid 812 (qemu-system-x86)");
    g_autofree char *opener = lvp_host_find_opener(host, "vfio/15");
    cr_assert_str_eq(opener, "pid 812 (qemu-system-x86)");
}

/* ---- what goes wrong ---- */

Test(fake_kernel, failed_write_is_the_counted_one_and_has_no_effect)
{
    lvp_fake_host_fail_write(fake, 2, EPERM);
    write_well(DEVICES GPU "/driver_override", "vfio-pci");
    assert_write_fails(DEVICES GPU "/driver/unbind", GPU, EPERM);
    assert_driver(GPU, "nvidia");
    write_well(DEVICES GPU "/driver/unbind", GPU);
    assert_driver(GPU, NULL);
}

Test(fake_kernel, lie_says_success_without_effect)
{
    lvp_fake_host_lie_at(fake, 1);
    write_well(DEVICES GPU "/driver/unbind", GPU);
    assert_driver(GPU, "nvidia");
}

Test(fake_kernel, write_of_a_crash_has_its_effect_and_those_after_it_have_none)
{
    lvp_fake_host_crash_at(fake, 1);
    assert_write_fails(DEVICES GPU "/driver/unbind", GPU, EIO);
    assert_driver(GPU, NULL);
    assert_write_fails("bus/pci/drivers_probe", GPU, EIO);
    assert_driver(GPU, NULL);
    cr_assert_not(lvp_host_load_module(host, "vfio-pci", TIMEOUT_MS, NULL));
    lvp_fake_host_restart(fake);
    write_well("bus/pci/drivers_probe", GPU);
    assert_driver(GPU, "nvidia");
}

Test(fake_kernel, hung_write_takes_effect_when_it_is_finished)
{
    g_autoptr(GError) error = NULL;
    lvp_fake_host_hang_at(fake, 1);
    cr_assert_not(
        lvp_host_write(host, DEVICES GPU "/driver_override", "vfio-pci", GPU, TIMEOUT_MS, &error));
    assert_error(error, LVP_ERROR_TIMED_OUT);
    g_autofree char *before = lvp_fake_host_get_override(fake, GPU);
    cr_assert_null(before);
    lvp_fake_host_finish_hung(fake);
    assert_override("vfio-pci");
}

Test(fake_kernel, hung_unbind_has_the_driver_link_gone_at_once)
{
    lvp_fake_host_hang_at(fake, 1);
    assert_write_fails(DRIVERS "nvidia/unbind", GPU, ETIMEDOUT);
    assert_driver(GPU, NULL);
    lvp_fake_host_finish_hung(fake);
    write_well("bus/pci/drivers_probe", GPU);
    assert_driver(GPU, "nvidia");
}

Test(fake_kernel, hung_write_keeps_its_lock_for_a_provider_that_starts_again)
{
    lvp_fake_host_hang_at(fake, 1);
    assert_write_fails(DRIVERS "nvidia/unbind", GPU, ETIMEDOUT);
    g_autoptr(LvpHost) again = lvp_fake_host_new_host(fake);
    g_autoptr(GError) error = NULL;
    cr_assert(lvp_host_is_stuck(again, GPU));
    cr_assert_not(
        lvp_host_write(again, DEVICES GPU "/driver_override", "\n", GPU, TIMEOUT_MS, &error));
    assert_error(error, LVP_ERROR_BUSY);
    lvp_fake_host_finish_hung(fake);
    cr_assert_not(lvp_host_is_stuck(again, GPU));
}

Test(fake_kernel, device_lock_makes_reads_and_writes_of_the_device_hang)
{
    g_autoptr(GError) read_error = NULL, write_error = NULL;
    lvp_fake_host_hang_at(fake, 1);
    assert_write_fails(DRIVERS "nvidia/unbind", GPU, ETIMEDOUT);
    cr_assert_null(lvp_host_read_guarded(host, DEVICES GPU "/driver_override", "another lock",
                                         TIMEOUT_MS, &read_error));
    assert_error(read_error, LVP_ERROR_TIMED_OUT);
    cr_assert_not(lvp_host_write(host, "bus/pci/drivers_probe", GPU, "another lock", TIMEOUT_MS,
                                 &write_error));
    assert_error(write_error, LVP_ERROR_TIMED_OUT);
    lvp_fake_host_finish_hung(fake);
    assert_driver(GPU, "nvidia");
}

Test(fake_kernel, device_lock_leaves_other_devices_alone)
{
    g_autoptr(GError) error = NULL;
    lvp_fake_host_hang_at(fake, 1);
    assert_write_fails(DRIVERS "nvidia/unbind", GPU, ETIMEDOUT);
    cr_assert(lvp_host_write(host, DRIVERS "nvme/unbind", DISK, DISK, TIMEOUT_MS, &error));
    assert_driver(DISK, NULL);
}

Test(fake_kernel, writes_are_kept_in_their_order_also_those_that_fail)
{
    lvp_fake_host_fail_write(fake, 2, EPERM);
    write_well(DEVICES GPU "/driver_override", "\n");
    assert_write_fails(DEVICES GPU "/driver/unbind", GPU, EPERM);
    g_auto(GStrv) writes = lvp_fake_host_get_writes(fake);
    cr_assert_eq(lvp_fake_host_count_writes(fake), 2);
    cr_assert_eq(g_strv_length(writes), 2);
    cr_assert_str_eq(writes[0], DEVICES GPU "/driver_override=\\n");
    cr_assert_str_eq(writes[1], DEVICES GPU "/driver/unbind=" GPU);
}

/* ---- pulled and rebooted meanwhile ---- */

Test(fake_kernel, device_pulled_while_it_hangs_goes_when_that_ends)
{
    lvp_fake_host_hang_at(fake, 1);
    assert_write_fails(DRIVERS "nvidia/unbind", GPU, ETIMEDOUT);
    lvp_fake_host_pull(fake, GPU);
    cr_assert(exists(DEVICES GPU));
    lvp_fake_host_finish_hung(fake);
    cr_assert_not(exists(DEVICES GPU));
}

Test(fake_kernel, reboot_brings_host_drivers_and_another_boot_id)
{
    g_autofree char *before = lvp_host_read_boot_id(host);
    bind_to_vfio();
    lvp_fake_host_set_opener(fake, "vfio/15", "pid 812 (qemu-system-x86)");
    assert_write_fails(DEVICES GPU "/driver/unbind", GPU, ETIMEDOUT);
    lvp_fake_host_reboot(fake);
    host = lvp_fake_host_get_host(fake);
    g_autofree char *after = lvp_host_read_boot_id(host);
    cr_assert_str_neq(before, after);
    assert_driver(GPU, "nvidia");
    assert_override(NULL);
    cr_assert_not(lvp_host_is_stuck(host, GPU));
    cr_assert_not(exists(DRIVERS "vfio-pci"));
    cr_assert_not(has_node("vfio/15"));
}

/* ---- all at once ---- */

#define THREADS 8
#define ROUNDS 25

static gpointer
move_to_and_fro(gpointer address)
{
    g_autofree char *override = g_strdup_printf(DEVICES "%s/driver_override", (char *)address);
    g_autofree char *unbind = g_strdup_printf(DEVICES "%s/driver/unbind", (char *)address);
    for (guint i = 0; i < ROUNDS; i++) {
        const char *driver = i % 2 == 0 ? "vfio-pci" : "\n";
        if (!lvp_host_write(host, override, driver, address, TIMEOUT_MS, NULL) ||
            !lvp_host_write(host, unbind, address, address, TIMEOUT_MS, NULL) ||
            !lvp_host_write(host, "bus/pci/drivers_probe", address, address, TIMEOUT_MS, NULL))
            return address;
    }
    return NULL;
}

Test(fake_kernel, threads_move_devices_of_their_own)
{
    static char addresses[THREADS][16];
    GThread *threads[THREADS];
    lvp_host_load_module(host, "vfio-pci", TIMEOUT_MS, NULL);
    for (guint i = 0; i < THREADS; i++) {
        g_snprintf(addresses[i], sizeof addresses[i], "0000:%02x:00.0", 0x80 + i);
        lvp_fake_host_add_pci(
            fake, &(LvpFakePci){.address = addresses[i], .driver = "i40e", .group = 100 + (int)i});
    }
    for (guint i = 0; i < THREADS; i++)
        threads[i] = g_thread_new(addresses[i], move_to_and_fro, addresses[i]);
    for (guint i = 0; i < THREADS; i++)
        cr_assert_null(g_thread_join(threads[i]), "a write for %s failed", addresses[i]);
    for (guint i = 0; i < THREADS; i++)
        assert_driver(addresses[i], "vfio-pci");
    cr_assert_eq(lvp_fake_host_count_writes(fake), THREADS * ROUNDS * 3);
}
