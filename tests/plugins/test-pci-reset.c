/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest has left in a card is reset before the host gets the card back: after it has been
 * seen that nobody holds it, before its driver comes back, and never otherwise. */
#include "assert-error.h"
#include "slot-fixture.h"

#include <string.h>

#define GPU_ONLY ((const char *[]){SLOT_GPU, NULL})

static Slot *self;
static GVariant *record;
static guint count; /* writes before what is tested */

/* A machine has had both functions; nothing of the tests is set up before they say how it resets.
 */
static void
take(LvpFakeReset gpu, LvpFakeReset audio)
{
    lvp_fake_host_set_reset(self->fake, SLOT_GPU, gpu);
    lvp_fake_host_set_reset(self->fake, SLOT_AUDIO, audio);
    record = slot_prepare(self, GPU_ONLY);
    slot_commit(self, record);
    count = lvp_fake_host_count_writes(self->fake);
}

static void
set_up(void)
{
    self = slot_new(SLOT_ENTRIES(""));
}

static void
tear_down(void)
{
    g_clear_pointer(&record, g_variant_unref);
    slot_free(self);
}

TestSuite(pci_reset, .init = set_up, .fini = tear_down, .timeout = 60);

static void
roll_back(LvpVerdict expected, const char *part)
{
    g_autoptr(LvpOutcome) outcome = slot_roll_back(self, record, NULL);
    slot_assert_verdict(outcome, SLOT_GPU, expected, part);
}

#define RESET(address) "devices/" address "/reset=1\n"
#define GIVE_BACK(address, driver)                                                                 \
    "devices/" address "/driver_override=" driver "\\n\n"                                          \
    "drivers/vfio-pci/unbind=" address "\n"                                                        \
    "drivers_probe=" address "\n"                                                                  \
    "devices/" address "/driver_override=\\n"

/* ---- when ---- */

Test(pci_reset, each_function_is_reset_right_before_it_leaves_vfio)
{
    take(LVP_FAKE_RESET_WORKS, LVP_FAKE_RESET_WORKS);
    roll_back(LVP_VERDICT_DONE, NULL);
    slot_assert_writes(self, count,
                       RESET(SLOT_GPU) GIVE_BACK(SLOT_GPU, SLOT_GPU_DRIVER) "\n" RESET(SLOT_AUDIO)
                           GIVE_BACK(SLOT_AUDIO, SLOT_AUDIO_DRIVER));
    cr_assert_eq(lvp_fake_host_count_resets(self->fake, SLOT_GPU), 1);
    cr_assert_eq(lvp_fake_host_count_resets(self->fake, SLOT_AUDIO), 1);
}

Test(pci_reset, taking_resets_nothing)
{
    take(LVP_FAKE_RESET_WORKS, LVP_FAKE_RESET_WORKS);
    cr_assert_eq(lvp_fake_host_count_resets(self->fake, SLOT_GPU), 0);
    cr_assert_eq(lvp_fake_host_count_resets(self->fake, SLOT_AUDIO), 0);
}

Test(pci_reset, what_is_not_on_vfio_is_not_reset)
{
    take(LVP_FAKE_RESET_WORKS, LVP_FAKE_RESET_WORKS);
    lvp_fake_host_set_driver(self->fake, SLOT_GPU, SLOT_GPU_DRIVER);
    lvp_fake_host_set_driver(self->fake, SLOT_AUDIO, NULL);
    roll_back(LVP_VERDICT_DONE, NULL);
    cr_assert_eq(lvp_fake_host_count_resets(self->fake, SLOT_GPU), 0);
    cr_assert_eq(lvp_fake_host_count_resets(self->fake, SLOT_AUDIO), 0);
    slot_assert_original(self);
}

Test(pci_reset, what_is_back_is_not_reset_a_second_time)
{
    take(LVP_FAKE_RESET_WORKS, LVP_FAKE_RESET_WORKS);
    roll_back(LVP_VERDICT_DONE, NULL);
    count = lvp_fake_host_count_writes(self->fake);
    roll_back(LVP_VERDICT_DONE, NULL);
    slot_assert_writes(self, count, "");
}

Test(pci_reset, nothing_is_reset_while_somebody_holds_the_group)
{
    take(LVP_FAKE_RESET_WORKS, LVP_FAKE_RESET_WORKS);
    lvp_fake_host_set_opener(self->fake, SLOT_OPENER, "pid 812 (qemu)");
    roll_back(LVP_VERDICT_BLOCKED, "pid 812 (qemu) still has its IOMMU group 15 open");
    slot_assert_writes(self, count, "");
    lvp_fake_host_set_opener(self->fake, SLOT_OPENER, NULL);
    roll_back(LVP_VERDICT_DONE, NULL);
    cr_assert_eq(lvp_fake_host_count_resets(self->fake, SLOT_GPU), 1);
}

Test(pci_reset, card_that_was_on_vfio_before_is_reset_too)
{
    lvp_fake_host_set_driver(self->fake, SLOT_AUDIO, "vfio-pci");
    take(LVP_FAKE_RESET_MISSING, LVP_FAKE_RESET_WORKS);
    roll_back(LVP_VERDICT_DONE, NULL);
    cr_assert_eq(lvp_fake_host_count_resets(self->fake, SLOT_AUDIO), 1);
    slot_assert_function(self, SLOT_AUDIO, "vfio-pci", "");
}

Test(pci_reset, card_that_was_never_taken_is_not_reset_under_its_user)
{
    lvp_fake_host_set_driver(self->fake, SLOT_GPU, NULL);
    lvp_fake_host_set_driver(self->fake, SLOT_AUDIO, "vfio-pci");
    lvp_fake_host_set_reset(self->fake, SLOT_AUDIO, LVP_FAKE_RESET_WORKS);
    record = slot_prepare(self, GPU_ONLY);
    lvp_fake_host_set_opener(self->fake, SLOT_OPENER, "pid 812 (qemu)");
    roll_back(LVP_VERDICT_DONE, NULL);
    slot_assert_writes(self, 0, "");
}

/* ---- what comes of it ---- */

Test(pci_reset, card_without_a_method_is_given_back_as_it_is)
{
    take(LVP_FAKE_RESET_NO_METHOD, LVP_FAKE_RESET_MISSING);
    roll_back(LVP_VERDICT_DONE, NULL);
    slot_assert_writes(self, count,
                       RESET(SLOT_GPU) GIVE_BACK(SLOT_GPU, SLOT_GPU_DRIVER) "\n" GIVE_BACK(
                           SLOT_AUDIO, SLOT_AUDIO_DRIVER));
    slot_assert_original(self);
}

Test(pci_reset, card_whose_reset_fails_is_not_given_back_before_it_works)
{
    take(LVP_FAKE_RESET_FAILS, LVP_FAKE_RESET_WORKS);
    roll_back(LVP_VERDICT_FAILED, "cannot reset it: ");
    slot_assert_function(self, SLOT_GPU, "vfio-pci", "vfio-pci");
    slot_assert_function(self, SLOT_AUDIO, SLOT_AUDIO_DRIVER, "");
    lvp_fake_host_set_reset(self->fake, SLOT_GPU, LVP_FAKE_RESET_WORKS);
    slot_start_again(self);
    roll_back(LVP_VERDICT_DONE, NULL);
    slot_assert_original(self);
    cr_assert_eq(lvp_fake_host_count_resets(self->fake, SLOT_GPU), 1);
    cr_assert_eq(lvp_fake_host_count_resets(self->fake, SLOT_AUDIO), 1);
}

Test(pci_reset, neighbour_whose_reset_fails_is_said_of_its_unit)
{
    take(LVP_FAKE_RESET_WORKS, LVP_FAKE_RESET_FAILS);
    roll_back(LVP_VERDICT_FAILED, "its neighbour " SLOT_AUDIO ": cannot reset it: ");
    slot_assert_function(self, SLOT_GPU, SLOT_GPU_DRIVER, "");
    slot_assert_function(self, SLOT_AUDIO, "vfio-pci", "vfio-pci");
}

Test(pci_reset, card_whose_reset_hangs_is_blocked_until_it_ends)
{
    take(LVP_FAKE_RESET_HANGS, LVP_FAKE_RESET_WORKS);
    roll_back(LVP_VERDICT_BLOCKED, "cannot reset it: ");
    slot_assert_writes(self, count, "devices/" SLOT_GPU "/reset=1");
    slot_start_again(self);
    roll_back(LVP_VERDICT_BLOCKED, "an earlier operation on it has not returned");
    lvp_fake_host_finish_hung(self->fake);
    lvp_fake_host_set_reset(self->fake, SLOT_GPU, LVP_FAKE_RESET_WORKS);
    roll_back(LVP_VERDICT_DONE, NULL);
    slot_assert_original(self);
}
