/* SPDX-License-Identifier: Apache-2.0 */
#include "binding-fixture.h"

#include "assert-error.h"

/* An override names whatever somebody wrote there, and moves no device by itself. */
const Original ORIGINALS[] = {
    {"nvidia", ""},   {"nvidia", "pci-stub"}, {"nvidia", "nvidia"},     {"", ""},
    {"", "pci-stub"}, {"vfio-pci", ""},       {"vfio-pci", "pci-stub"}, {"vfio-pci", "vfio-pci"},
};
const guint N_ORIGINALS = G_N_ELEMENTS(ORIGINALS);

static LvpFakePci
make_card(const char *driver)
{
    return (LvpFakePci){.address = CARD,
                        .vendor = 0x10de,
                        .device = 0x20b7,
                        .subsystem_vendor = 0x10de,
                        .subsystem_device = 0x1532,
                        .revision = 0xa1,
                        .class_code = 0x030200,
                        .driver = driver,
                        .group = 15};
}

void
card_add(LvpFakeHost *fake, const Original *original)
{
    g_autoptr(GError) error = NULL;
    LvpHost *host = lvp_fake_host_get_host(fake);
    LvpFakePci card = make_card(original->driver[0] != '\0' ? "nvidia" : NULL);
    lvp_fake_host_add_pci(fake, &card);
    if (strcmp(original->driver, LVP_PCI_VFIO) == 0)
        lvp_fake_host_set_driver(fake, CARD, LVP_PCI_VFIO);
    if (original->override[0] != '\0')
        lvp_host_write(host, CARD_DEVICES "/driver_override", original->override, "somebody else",
                       CARD_TIMEOUT_MS, &error);
    assert_no_error(error);
    card_assert_state(fake, original->driver, original->override);
}

void
card_replace(LvpFakeHost *fake)
{
    LvpFakePci card = make_card("nvidia");
    card.subsystem_vendor = 0x103c;
    lvp_fake_host_replace(fake, &card);
}

LvpPciBinding
card_get_binding(const Original *original)
{
    return (LvpPciBinding){.address = CARD,
                           .identity = CARD_IDENTITY,
                           .driver = original->driver,
                           .override = original->override,
                           .group = CARD_GROUP};
}

void
card_assert_state(LvpFakeHost *fake, const char *driver, const char *override)
{
    g_autofree char *current_driver = lvp_fake_host_get_driver(fake, CARD);
    g_autofree char *current_override = lvp_fake_host_get_override(fake, CARD);
    cr_assert_str_eq(current_driver ? current_driver : "", driver);
    cr_assert_str_eq(current_override ? current_override : "", override);
}

void
card_put_back(LvpFakeHost *fake, const Original *original, LvpVerdict expected)
{
    g_autoptr(LvpHost) host = lvp_fake_host_new_host(fake);
    LvpPciBinder binder = {host, CARD_TIMEOUT_MS};
    LvpPciBinding binding = card_get_binding(original);
    g_autofree char *reason = NULL;
    LvpVerdict verdict = lvp_pci_put_back(&binder, &binding, &reason);
    cr_assert_eq(verdict, expected, "verdict %d: %s", verdict, reason);
    cr_assert_eq(reason == NULL, verdict == LVP_VERDICT_DONE, "verdict %d: %s", verdict, reason);
}
