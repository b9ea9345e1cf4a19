/* SPDX-License-Identifier: Apache-2.0 */
/* The modelled kernel against what is known of the real one: resets, and virtual functions. */
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

TestSuite(fake_functions, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- what the tests say ---- */

static void
write_well(const char *path, const char *text)
{
    g_autoptr(GError) error = NULL;
    lvp_host_write(host, path, text, GPU, TIMEOUT_MS, &error);
    assert_no_error(error);
}

/* The write fails with the text of errno CODE. */
static void
assert_write_fails(const char *path, const char *text, int code)
{
    g_autoptr(GError) error = NULL;
    cr_assert_not(lvp_host_write(host, path, text, GPU, TIMEOUT_MS, &error), "%s", path);
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

/* ---- reset ---- */

#define RESET DEVICES GPU "/reset"

Test(fake_functions, device_without_reset_has_no_such_file)
{
    assert_write_fails(RESET, "1", ENOENT);
}

Test(fake_functions, reset_answers_as_it_is_told_to_and_counts)
{
    lvp_fake_host_set_reset(fake, GPU, LVP_FAKE_RESET_WORKS);
    write_well(RESET, "1");
    cr_assert_eq(lvp_fake_host_count_resets(fake, GPU), 1);
    assert_write_fails(RESET, "0", EINVAL);
    lvp_fake_host_set_reset(fake, GPU, LVP_FAKE_RESET_NO_METHOD);
    assert_write_fails(RESET, "1", ENOTTY);
    lvp_fake_host_set_reset(fake, GPU, LVP_FAKE_RESET_FAILS);
    assert_write_fails(RESET, "1", EIO);
    cr_assert_eq(lvp_fake_host_count_resets(fake, GPU), 1);
    cr_assert_eq(lvp_fake_host_count_writes(fake), 4);
}

Test(fake_functions, device_is_reset_under_the_one_who_has_it_open)
{
    lvp_fake_host_set_reset(fake, GPU, LVP_FAKE_RESET_WORKS);
    lvp_fake_host_set_driver(fake, GPU, "vfio-pci");
    lvp_fake_host_set_opener(fake, "vfio/15", "pid 812 (qemu)");
    write_well(RESET, "1");
    cr_assert_eq(lvp_fake_host_count_resets(fake, GPU), 1);
}

Test(fake_functions, reset_that_hangs_holds_the_device_lock_until_it_ends)
{
    g_autoptr(GError) error = NULL;
    lvp_fake_host_set_reset(fake, GPU, LVP_FAKE_RESET_HANGS);
    cr_assert_not(lvp_host_write(host, RESET, "1", GPU, TIMEOUT_MS, &error));
    assert_error(error, LVP_ERROR_TIMED_OUT);
    cr_assert(lvp_host_is_stuck(host, GPU));
    assert_driver(GPU, "nvidia");
    lvp_fake_host_finish_hung(fake);
    cr_assert_not(lvp_host_is_stuck(host, GPU));
    cr_assert_eq(lvp_fake_host_count_resets(fake, GPU), 1);
}

/* ---- virtual functions ---- */

#define VF0 "0000:5e:10.0"
#define VF1 "0000:5e:10.2"

static void
assert_vfs(const char *count)
{
    char text[LVP_HOST_VALUE_SIZE] = "";
    lvp_host_read_value(host, LVP_HOST_SYS, DEVICES DISK "/sriov_numvfs", text, sizeof text);
    cr_assert_str_eq(text, count);
}

static void
add_vfs(void)
{
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = VF0, .pf = DISK, .group = 20});
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){.address = VF1, .pf = DISK, .driver = "igbvf", .group = 21});
    assert_vfs("2");
}

Test(fake_functions, device_with_sriov_says_how_many_vfs_it_has)
{
    lvp_fake_host_replace(
        fake, &(LvpFakePci){.address = DISK, .driver = "nvme", .group = 16, .max_vfs = 7});
    assert_vfs("0");
    add_vfs();
    lvp_fake_host_pull(fake, VF0);
    assert_vfs("1");
    lvp_fake_host_pull(fake, VF1);
    assert_vfs("0");
}

Test(fake_functions, vfs_outlive_an_unbind_from_other_drivers_but_not_from_igb)
{
    add_vfs();
    write_well(DRIVERS "nvme/unbind", DISK);
    assert_vfs("2");
    lvp_fake_host_set_driver(fake, DISK, "igb");
    write_well(DRIVERS "igb/unbind", DISK);
    assert_vfs("0");
    cr_assert_not(lvp_host_exists(host, LVP_HOST_SYS, DEVICES VF0));
    cr_assert_not(lvp_host_exists(host, LVP_HOST_SYS, DEVICES VF1));
}

Test(fake_functions, device_with_vfs_cannot_be_bound_to_vfio)
{
    lvp_host_load_module(host, "vfio-pci", TIMEOUT_MS, NULL);
    add_vfs();
    write_well(DRIVERS "nvme/unbind", DISK);
    write_well(DEVICES DISK "/driver_override", "vfio-pci");
    assert_write_fails(DRIVERS "vfio-pci/bind", DISK, EBUSY);
    lvp_fake_host_pull(fake, VF0);
    lvp_fake_host_pull(fake, VF1);
    write_well(DRIVERS "vfio-pci/bind", DISK);
    assert_driver(DISK, "vfio-pci");
}

Test(fake_functions, vfs_do_not_outlive_a_reboot)
{
    lvp_fake_host_set_driver(fake, DISK, "igb");
    add_vfs();
    lvp_fake_host_reboot(fake);
    host = lvp_fake_host_get_host(fake);
    assert_vfs("0");
    assert_driver(DISK, "nvme");
}
