/* SPDX-License-Identifier: Apache-2.0 */
/* Graphics devices that a process has open. */
#include "assert-error.h"
#include "fake-host.h"
#include "fake-kernel.h"
#include "host-use-fixture.h"
#include "pci-host-use.h"

#include <unistd.h>

#define GPU "0000:3b:00.0"
#define OTHER_GPU "0000:af:00.0"
#define USB "0000:00:14.0"
#define XORG "pid 812 (Xorg)"

static LvpFakeHost *fake;
static LvpHost *host;

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    host = lvp_fake_host_get_host(fake);
    lvp_fake_host_add_pci(
        fake,
        &(LvpFakePci){.address = GPU, .class_code = 0x030000, .driver = "amdgpu", .group = 1});
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){
                  .address = OTHER_GPU, .class_code = 0x030200, .driver = "nouveau", .group = 2});
    lvp_fake_host_add_drm(fake, GPU, "card0");
    lvp_fake_host_add_drm(fake, GPU, "renderD128");
    lvp_fake_host_add_drm(fake, OTHER_GPU, "card1");
    lvp_fake_host_add_drm(fake, OTHER_GPU, "renderD129");
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(pci_host_graphics, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- the rule ---- */

Test(pci_host_graphics, device_that_nobody_has_open_is_free)
{
    use_assert(host, GPU, NULL);
    use_assert(host, OTHER_GPU, NULL);
}

Test(pci_host_graphics, node_that_a_process_has_open)
{
    lvp_fake_host_set_opener(fake, "dri/card0", XORG);
    use_assert(host, GPU, XORG " has /dev/dri/card0 open");
    use_assert(host, OTHER_GPU, NULL);
}

Test(pci_host_graphics, render_node_that_a_process_has_open)
{
    lvp_fake_host_set_opener(fake, "dri/renderD129", "pid 9 (python3)");
    use_assert(host, GPU, NULL);
    use_assert(host, OTHER_GPU, "pid 9 (python3) has /dev/dri/renderD129 open");
}

Test(pci_host_graphics, device_that_is_let_go_is_free)
{
    lvp_fake_host_set_opener(fake, "dri/card0", XORG);
    lvp_fake_host_set_opener(fake, "dri/card0", NULL);
    use_assert(host, GPU, NULL);
}

Test(pci_host_graphics, device_without_a_driver_has_no_nodes)
{
    lvp_fake_host_set_opener(fake, "dri/card0", XORG);
    lvp_fake_host_set_driver(fake, GPU, "vfio-pci");
    use_assert(host, GPU, NULL);
}

Test(pci_host_graphics, any_function_above_a_node_is_used)
{
    lvp_fake_host_add_pci(
        fake,
        &(LvpFakePci){.address = USB, .class_code = 0x0c0330, .driver = "xhci_hcd", .group = 3});
    lvp_fake_host_add_drm(fake, USB, "card2");
    lvp_fake_host_set_opener(fake, "dri/card2", XORG);
    use_assert(host, USB, XORG " has /dev/dri/card2 open");
}

Test(pci_host_graphics, boot_display_is_said_first)
{
    lvp_fake_host_set_file(fake, "sys/bus/pci/devices/" GPU "/boot_vga", "1\n");
    lvp_fake_host_set_opener(fake, "dri/card0", XORG);
    use_assert(host, GPU, "it is the boot display");
}

/* ---- processes are looked at once ---- */

static guint n_questions;

static char *
count_question(gpointer data, const char *path)
{
    (void)data, (void)path;
    n_questions++;
    return NULL;
}

Test(pci_host_graphics, openers_are_asked_for_once_and_only_for_functions_with_nodes)
{
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.find_opener = count_question;
    lvp_host_set_effects(host, &effects, fake);
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpPciHostUse) host_use = lvp_pci_host_use_read(host, USE_TIMEOUT_MS, &error);
    assert_no_error(error);
    cr_assert_null(lvp_pci_host_use_find(host_use, USB, 0x030000, ""));
    cr_assert_eq(n_questions, 0);
    for (guint i = 0; i < 3; i++) {
        cr_assert_null(lvp_pci_host_use_find(host_use, GPU, 0x030000, ""));
        cr_assert_null(lvp_pci_host_use_find(host_use, OTHER_GPU, 0x030200, ""));
    }
    cr_assert_eq(n_questions, 4, "%u", n_questions); /* for four nodes */
}

Test(pci_host_graphics, processes_are_found_by_their_open_files)
{
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    g_autofree char *fd = g_strconcat(lvp_fake_host_get_root(fake), "/proc/812/fd/14", NULL);
    effects.find_opener = NULL;
    lvp_host_set_effects(host, &effects, fake);
    lvp_fake_host_set_file(fake, "proc/812/comm", "Xorg\n");
    lvp_fake_host_set_file(fake, "proc/812/fd/3", "no link");
    lvp_fake_host_set_file(fake, "proc/813/fd", "no folder");
    use_assert(host, GPU, NULL);
    cr_assert_eq(symlink("/dev/dri/card0", fd), 0);
    use_assert(host, GPU, XORG " has /dev/dri/card0 open");
    use_assert(host, OTHER_GPU, NULL);
}

/* ---- what sysfs should not say ---- */

Test(pci_host_graphics, what_is_no_node_is_not_asked_for)
{
    static const char *const NAMES[] = {"card",    "card0-HDMI-A-1", "cardX",  "card0 ",
                                        "renderD", "renderD1x",      "ttm",    "version",
                                        "xcard9",  "renderd128",     "card9\n"};
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.find_opener = count_question;
    lvp_host_set_effects(host, &effects, fake);
    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++)
        lvp_fake_host_add_drm(fake, GPU, NAMES[i]);
    use_assert(host, GPU, NULL);
    cr_assert_eq(n_questions, 4, "%u", n_questions);
}

Test(pci_host_graphics, huge_number_is_a_node_as_any)
{
    g_autofree char *number = g_strnfill(200, '9');
    g_autofree char *name = g_strconcat("card", number, NULL);
    g_autofree char *path = g_strconcat("dri/", name, NULL);
    g_autofree char *expected = g_strdup_printf(XORG " has /dev/%s open", path);
    lvp_fake_host_add_drm(fake, GPU, name);
    lvp_fake_host_set_opener(fake, path, XORG);
    use_assert(host, GPU, expected);
}

Test(pci_host_graphics, name_of_a_process_is_cleaned)
{
    lvp_fake_host_set_opener(fake, "dri/card0", "pid 7 (a\033[31m\n)");
    use_assert(host, GPU, "pid 7 (a?[31m?) has /dev/dri/card0 open");
}

Test(pci_host_graphics, file_among_the_links_is_passed_over)
{
    lvp_fake_host_set_file(fake, "sys/class/drm/card9", "");
    use_assert(host, GPU, NULL);
}

Test(pci_host_graphics, host_without_graphics_uses_none)
{
    lvp_fake_host_set_file(fake, "sys/class/drm", NULL);
    use_assert(host, GPU, NULL);
}
