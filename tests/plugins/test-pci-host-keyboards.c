/* SPDX-License-Identifier: Apache-2.0 */
/* The function below which the only keyboard hangs. */
#include "assert-error.h"
#include "fake-host.h"
#include "host-use-fixture.h"

#include <string.h>

#define USB "0000:00:14.0"
#define OTHER_USB "0000:05:00.0"
#define USED "the host's only keyboard hangs below it: input3 (QEMU USB Keyboard)"

/* As kernels write them. */
#define KEYS_OF_A_BUTTON "10000000000000 0"
#define KEYS_OF_A_MOUSE "1f0000 0 0 0 0"
#define KEYS_OF_A_REMOTE "3eff000000000000 ff0000000000fc00 ffe"
#define KEYS_OF_32_BITS "7 ff9f207a c14057ff febeffdf ffefffff ffffffff fffffffe"

static LvpFakeHost *fake;
static LvpHost *host;

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    host = lvp_fake_host_get_host(fake);
    lvp_fake_host_add_pci(
        fake,
        &(LvpFakePci){.address = USB, .class_code = 0x0c0330, .driver = "xhci_hcd", .group = 1});
    lvp_fake_host_add_pci(
        fake, &(LvpFakePci){
                  .address = OTHER_USB, .class_code = 0x0c0320, .driver = "ehci-pci", .group = 2});
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(pci_host_keyboards, .init = set_up, .fini = tear_down, .timeout = 60);

static void
add_keyboard(const char *name, const char *pci)
{
    lvp_fake_host_add_input(
        fake, &(LvpFakeInput){.name = name, .pci = pci, .title = "QEMU USB Keyboard"});
}

static void
add_input(const char *name, const char *folder, const char *keys)
{
    lvp_fake_host_add_input(
        fake, &(LvpFakeInput){.name = name, .folder = folder, .title = "some input", .keys = keys});
}

/* ---- the rule ---- */

Test(pci_host_keyboards, host_without_a_keyboard_needs_no_controller)
{
    use_assert(host, USB, NULL);
    use_assert(host, OTHER_USB, NULL);
}

Test(pci_host_keyboards, only_keyboard)
{
    add_keyboard("input3", USB);
    use_assert(host, USB, USED);
    use_assert(host, OTHER_USB, NULL);
}

Test(pci_host_keyboards, second_keyboard_on_another_controller_frees_both)
{
    add_keyboard("input3", USB);
    add_keyboard("input4", OTHER_USB);
    use_assert(host, USB, NULL);
    use_assert(host, OTHER_USB, NULL);
}

Test(pci_host_keyboards, controller_of_the_last_one_that_is_left_is_used)
{
    add_keyboard("input3", USB);
    add_keyboard("input4", OTHER_USB);
    lvp_fake_host_set_driver(fake, OTHER_USB, "vfio-pci");
    use_assert(host, USB, USED);
}

Test(pci_host_keyboards, keyboard_below_no_function_is_a_second_one)
{
    add_keyboard("input3", USB);
    add_input("input0", "platform/i8042/serio0/input", NULL);
    use_assert(host, USB, NULL);
}

Test(pci_host_keyboards, several_below_the_same_function_are_as_one)
{
    add_keyboard("input3", USB);
    add_keyboard("input4", USB);
    use_assert(host, USB, USED);
}

Test(pci_host_keyboards, what_is_no_keyboard_is_no_second_one)
{
    add_keyboard("input3", USB);
    add_input("input0", "LNXSYSTM:00/LNXPWRBN:00/input", KEYS_OF_A_BUTTON);
    add_input("input1", "platform/i8042/serio1/input", KEYS_OF_A_MOUSE);
    add_input("input2", "pci0000:00/0000:00:02.0/rc/rc0", KEYS_OF_A_REMOTE);
    add_input("input4", "platform/pcspkr/input", "0");
    use_assert(host, USB, USED);
}

Test(pci_host_keyboards, keyboard_that_a_program_has_made_is_no_second_one)
{
    add_keyboard("input3", USB);
    add_input("input0", "virtual/input", NULL);
    use_assert(host, USB, USED);
}

Test(pci_host_keyboards, mouse_alone_does_not_hold_its_controller)
{
    lvp_fake_host_add_input(fake, &(LvpFakeInput){.name = "input3",
                                                  .pci = USB,
                                                  .title = "QEMU USB Mouse",
                                                  .keys = KEYS_OF_A_MOUSE});
    use_assert(host, USB, NULL);
}

Test(pci_host_keyboards, keys_are_understood_as_a_32_bit_kernel_writes_them)
{
    lvp_fake_host_add_input(fake, &(LvpFakeInput){.name = "input3",
                                                  .pci = USB,
                                                  .title = "QEMU USB Keyboard",
                                                  .keys = KEYS_OF_32_BITS});
    use_assert(host, USB, USED);
}

/* ---- what sysfs should not say ---- */

Test(pci_host_keyboards, device_whose_keys_cannot_be_read_is_no_keyboard)
{
    static const char *const KEYS[] = {NULL,
                                       "",
                                       " ",
                                       "fffffffffffffffe x",
                                       "-fffffffffffffffe",
                                       "1fffffffffffffffe",
                                       "fffffffffffffffc",
                                       "fffffffffffffffe 0",
                                       "\377"};
    add_keyboard("input3", USB);
    for (guint i = 0; i < G_N_ELEMENTS(KEYS); i++) {
        lvp_fake_host_set_file(fake, "sys/class/input/input3/capabilities/key", KEYS[i]);
        use_assert(host, USB, NULL);
    }
}

Test(pci_host_keyboards, bitmap_without_an_end_is_no_keyboard)
{
    g_autofree char *endless = g_strnfill(100000, 'f');
    add_keyboard("input3", USB);
    lvp_fake_host_set_file(fake, "sys/class/input/input3/capabilities/key", endless);
    use_assert(host, USB, NULL);
}

Test(pci_host_keyboards, keyboard_without_a_name)
{
    add_keyboard("input3", USB);
    lvp_fake_host_set_file(fake, "sys/class/input/input3/name", NULL);
    use_assert(host, USB, "the host's only keyboard hangs below it: input3 (nameless)");
}

Test(pci_host_keyboards, name_is_cut_and_cleaned)
{
    g_autofree char *huge = g_strnfill(5000, 'x');
    add_keyboard("input3", USB);
    lvp_fake_host_set_file(fake, "sys/class/input/input3/name", huge);
    g_autofree char *cut = use_find(host, USB);
    cr_assert_lt(strlen(cut), 256);
    lvp_fake_host_set_file(fake, "sys/class/input/input3/name", "a\nb\033[0m\n");
    use_assert(host, USB, "the host's only keyboard hangs below it: input3 (a?b?[0m)");
}

Test(pci_host_keyboards, path_that_has_the_function_twice_is_one_keyboard)
{
    add_input("input0", "platform/i8042/serio0/input", NULL);
    add_input("input4", "pci0000:00/" USB "/" USB, NULL);
    use_assert(host, USB, NULL);
}

Test(pci_host_keyboards, folder_among_the_links_is_passed_over)
{
    add_keyboard("input3", USB);
    lvp_fake_host_set_file(fake, "sys/class/input/input9/capabilities/key", "fffffffe");
    use_assert(host, USB, USED);
}
