/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a card back where it was, comparing it with what was recorded, and what stands in the
 * way.
 */
#include "assert-error.h"
#include "binding-fixture.h"
#include "fake-kernel.h"

#include <errno.h>
#include <string.h>

static const Original ON_HOST_DRIVER = {"nvidia", ""};

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

TestSuite(pci_put_back, .init = set_up, .fini = tear_down, .timeout = 60);

static void
take(const Original *original)
{
    g_autoptr(GError) error = NULL;
    LvpPciBinding binding = card_get_binding(original);
    lvp_pci_take(&binder, &binding, &error);
    assert_no_error(error);
}

static void
add_and_take(const Original *original)
{
    card_add(fake, original);
    take(original);
}

typedef LvpVerdict (*Act)(const LvpPciBinder *, const LvpPciBinding *, char **);

static void
assert_verdict(Act act, const Original *original, LvpVerdict expected, const char *part)
{
    LvpPciBinding binding = card_get_binding(original);
    g_autofree char *reason = NULL;
    LvpVerdict verdict = act(&binder, &binding, &reason);
    cr_assert_eq(verdict, expected, "verdict %d: %s", verdict, reason);
    if (part)
        assert_contains(reason, part);
    else
        cr_assert_null(reason, "%s", reason);
}

/* EXPECTED: the writes after the first COUNT in order, joined by a space. */
static void
assert_writes_after(guint count, const char *expected)
{
    g_auto(GStrv) writes = lvp_fake_host_get_writes(fake);
    g_autofree char *joined = g_strjoinv(" ", writes + count);
    cr_assert_str_eq(joined, expected);
}

/* ---- what is written ---- */

#define WRITE_OVERRIDE(text) CARD_DEVICES "/driver_override=" text "\\n"
#define WRITE_UNBIND "bus/pci/drivers/vfio-pci/unbind=" CARD
#define WRITE_PROBE "bus/pci/drivers_probe=" CARD

static void
assert_put_back_writes(const Original *original, const char *expected)
{
    add_and_take(original);
    guint count = lvp_fake_host_count_writes(fake);
    assert_verdict(lvp_pci_put_back, original, LVP_VERDICT_DONE, NULL);
    assert_writes_after(count, expected);
    card_assert_state(fake, original->driver, original->override);
}

Test(pci_put_back, host_driver_is_in_the_override_until_it_has_bound)
{
    assert_put_back_writes(&ON_HOST_DRIVER,
                           WRITE_OVERRIDE("nvidia") " " WRITE_UNBIND " " WRITE_PROBE
                                                    " " WRITE_OVERRIDE(""));
}

Test(pci_put_back, override_of_before_is_written_last)
{
    assert_put_back_writes(&(Original){"nvidia", "pci-stub"},
                           WRITE_OVERRIDE("nvidia") " " WRITE_UNBIND " " WRITE_PROBE
                                                    " " WRITE_OVERRIDE("pci-stub"));
}

Test(pci_put_back, card_that_had_no_driver_is_not_probed)
{
    assert_put_back_writes(&(Original){"", ""}, WRITE_OVERRIDE("") " " WRITE_UNBIND);
}

Test(pci_put_back, card_that_was_on_vfio_stays_there)
{
    assert_put_back_writes(&(Original){"vfio-pci", ""}, WRITE_OVERRIDE(""));
}

Test(pci_put_back, card_that_was_just_as_now_is_not_touched)
{
    assert_put_back_writes(&(Original){"vfio-pci", "vfio-pci"}, "");
}

Test(pci_put_back, card_that_was_never_taken_is_not_touched)
{
    card_add(fake, &ON_HOST_DRIVER);
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_DONE, NULL);
    assert_writes_after(0, "");
}

Test(pci_put_back, second_time_nothing_is_left_to_do)
{
    for (guint i = 0; i < N_ORIGINALS; i++) {
        add_and_take(&ORIGINALS[i]);
        assert_verdict(lvp_pci_put_back, &ORIGINALS[i], LVP_VERDICT_DONE, NULL);
        guint count = lvp_fake_host_count_writes(fake);
        assert_verdict(lvp_pci_put_back, &ORIGINALS[i], LVP_VERDICT_DONE, NULL);
        assert_writes_after(count, "");
        card_assert_state(fake, ORIGINALS[i].driver, ORIGINALS[i].override);
        lvp_fake_host_pull(fake, CARD);
    }
}

/* ---- it is not there, or another ---- */

Test(pci_put_back, pulled_card_owes_nothing)
{
    add_and_take(&ON_HOST_DRIVER);
    guint count = lvp_fake_host_count_writes(fake);
    lvp_fake_host_pull(fake, CARD);
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_DONE, NULL);
    assert_writes_after(count, "");
}

static int
pull_at_probe(gpointer data, const char *path, const char *text, int lock_fd)
{
    if (!g_str_has_suffix(path, "drivers_probe"))
        return FAKE_KERNEL_EFFECTS.write(data, path, text, lock_fd);
    lvp_fake_host_pull(fake, CARD);
    return ENODEV;
}

Test(pci_put_back, card_that_is_pulled_meanwhile_owes_nothing)
{
    add_and_take(&ON_HOST_DRIVER);
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.write = pull_at_probe;
    lvp_host_set_effects(host, &effects, fake);
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_DONE, NULL);
}

Test(pci_put_back, another_card_in_its_place_is_not_touched)
{
    add_and_take(&ON_HOST_DRIVER);
    guint count = lvp_fake_host_count_writes(fake);
    card_replace(fake);
    lvp_fake_host_set_driver(fake, CARD, "vfio-pci");
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_DONE, NULL);
    assert_writes_after(count, "");
    card_assert_state(fake, "vfio-pci", "");
}

Test(pci_put_back, pulled_card_that_is_still_held_is_blocked)
{
    add_and_take(&ON_HOST_DRIVER);
    lvp_fake_host_set_opener(fake, CARD_OPENER, "pid 812 (qemu-system-x86)");
    lvp_fake_host_pull(fake, CARD);
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_BLOCKED,
                   "the kernel has not finished taking it from vfio-pci");
    lvp_fake_host_set_opener(fake, CARD_OPENER, NULL);
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_DONE, NULL);
}

/* ---- others stand in the way ---- */

Test(pci_put_back, holder_of_the_group_is_named_and_nothing_written_before_it_lets_go)
{
    add_and_take(&ON_HOST_DRIVER);
    guint count = lvp_fake_host_count_writes(fake);
    lvp_fake_host_set_opener(fake, CARD_OPENER, "pid 812 (qemu-system-x86)");
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_BLOCKED,
                   "pid 812 (qemu-system-x86) still has its IOMMU group 15 open");
    assert_writes_after(count, "");
    lvp_fake_host_set_opener(fake, CARD_OPENER, NULL);
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_DONE, NULL);
    card_assert_state(fake, "nvidia", "");
}

static char *
find_opener_once(gpointer data, const char *path)
{
    (void)data;
    static guint asked;
    return asked++ == 0 && strcmp(path, CARD_OPENER) == 0 ? g_strdup("pid 812 (qemu)") : NULL;
}

Test(pci_put_back, holder_that_is_just_ending_is_waited_for)
{
    add_and_take(&ON_HOST_DRIVER);
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.find_opener = find_opener_once;
    lvp_host_set_effects(host, &effects, fake);
    binder.timeout_ms = 30000;
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_DONE, NULL);
    card_assert_state(fake, "nvidia", "");
}

Test(pci_put_back, holder_that_comes_between_look_and_unbind_blocks)
{
    add_and_take(&ON_HOST_DRIVER);
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.find_opener = NULL; /* looks at a /proc without processes */
    lvp_host_set_effects(host, &effects, fake);
    lvp_fake_host_set_opener(fake, CARD_OPENER, "pid 812 (qemu-system-x86)");
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_BLOCKED,
                   "cannot give it back to nvidia: ");
    lvp_fake_host_set_opener(fake, CARD_OPENER, NULL);
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_DONE, NULL);
    card_assert_state(fake, "nvidia", "");
}

static int
write_and_open(gpointer data, const char *path, const char *text, int lock_fd)
{
    int code = FAKE_KERNEL_EFFECTS.write(data, path, text, lock_fd);
    if (g_str_has_suffix(path, "/driver_override"))
        lvp_fake_host_set_opener(data, CARD_OPENER, "pid 812 (qemu-system-x86)");
    return code;
}

Test(pci_put_back, holder_that_comes_after_the_override_is_seen_right_before_the_unbind)
{
    add_and_take(&ON_HOST_DRIVER);
    guint count = lvp_fake_host_count_writes(fake);
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.write = write_and_open;
    lvp_host_set_effects(host, &effects, fake);
    assert_verdict(
        lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_BLOCKED,
        "cannot give it back to nvidia: pid 812 (qemu-system-x86) has its IOMMU group 15 "
        "open");
    assert_writes_after(count, WRITE_OVERRIDE("nvidia"));
    lvp_host_set_effects(host, &FAKE_KERNEL_EFFECTS, fake);
    lvp_fake_host_set_opener(fake, CARD_OPENER, NULL);
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_DONE, NULL);
    card_assert_state(fake, "nvidia", "");
}

Test(pci_put_back, card_that_somebody_has_bound_to_another_driver_is_left_to_him)
{
    static const Original ORIGINAL[] = {{"nvidia", ""}, {"", ""}, {"vfio-pci", ""}};
    static const char *const REASONS[] = {
        "somebody has bound it to uio_pci_generic; it was on nvidia before",
        "somebody has bound it to uio_pci_generic; it was on no driver before",
        "somebody has bound it to uio_pci_generic; it was on vfio-pci before"};
    for (guint i = 0; i < G_N_ELEMENTS(ORIGINAL); i++) {
        add_and_take(&ORIGINAL[i]);
        guint count = lvp_fake_host_count_writes(fake);
        lvp_fake_host_set_driver(fake, CARD, "uio_pci_generic");
        assert_verdict(lvp_pci_put_back, &ORIGINAL[i], LVP_VERDICT_FAILED, REASONS[i]);
        assert_writes_after(count, "");
        lvp_fake_host_pull(fake, CARD);
    }
}

Test(pci_put_back, card_that_somebody_has_put_back_himself_only_gets_its_override_back)
{
    add_and_take(&ON_HOST_DRIVER);
    guint count = lvp_fake_host_count_writes(fake);
    lvp_fake_host_set_driver(fake, CARD, "nvidia");
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_DONE, NULL);
    assert_writes_after(count, WRITE_OVERRIDE(""));
    card_assert_state(fake, "nvidia", "");
}

Test(pci_put_back, driver_that_has_been_unloaded_meanwhile_is_named)
{
    add_and_take(&ON_HOST_DRIVER);
    g_mutex_lock(&fake->mutex);
    fake_driver_unload(fake, "nvidia");
    g_mutex_unlock(&fake->mutex);
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_FAILED,
                   "cannot give it back to nvidia: driver nvidia is not loaded");
}

Test(pci_put_back, write_in_flight_blocks_before_anything_is_looked_at)
{
    card_add(fake, &ON_HOST_DRIVER);
    LvpPciBinding binding = card_get_binding(&ON_HOST_DRIVER);
    lvp_fake_host_hang_at(fake, 1);
    cr_assert_not(lvp_pci_take(&binder, &binding, NULL));
    guint count = lvp_fake_host_count_writes(fake);
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_BLOCKED,
                   "an earlier operation on it has not returned from the kernel yet");
    assert_writes_after(count, "");
}

/* Another write to the card begins, and hangs, while it is looked for a holder. */
static char *
begin_to_hang(gpointer data, const char *path)
{
    (void)path;
    lvp_fake_host_hang_at(data, 1);
    lvp_host_write(host, CARD_DEVICES "/driver_override", "x", CARD, CARD_TIMEOUT_MS, NULL);
    return NULL;
}

Test(pci_put_back, write_that_begins_meanwhile_blocks)
{
    add_and_take(&ON_HOST_DRIVER);
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.find_opener = begin_to_hang;
    lvp_host_set_effects(host, &effects, fake);
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_BLOCKED,
                   "cannot give it back to nvidia: ");
}

static int
read_never(gpointer data, const char *path, char *buffer, gsize size)
{
    (void)data, (void)path, (void)buffer, (void)size;
    return ETIMEDOUT;
}

Test(pci_put_back, override_whose_read_hangs_blocks)
{
    add_and_take(&ON_HOST_DRIVER);
    LvpHostEffects effects = FAKE_KERNEL_EFFECTS;
    effects.read_guarded = read_never;
    lvp_host_set_effects(host, &effects, fake);
    assert_verdict(lvp_pci_put_back, &ON_HOST_DRIVER, LVP_VERDICT_BLOCKED,
                   "cannot restore its driver_override: ");
}

/* ---- comparing, which changes nothing ---- */

static void
assert_compare(LvpVerdict expected, const char *part)
{
    guint count = lvp_fake_host_count_writes(fake);
    assert_verdict(lvp_pci_compare, &ON_HOST_DRIVER, expected, part);
    assert_writes_after(count, "");
}

Test(pci_put_back, compare_matches_what_is_on_vfio)
{
    add_and_take(&ON_HOST_DRIVER);
    assert_compare(LVP_VERDICT_MATCHES, NULL);
}

Test(pci_put_back, compare_needs_a_commit_for_what_is_on_another_driver_or_none)
{
    card_add(fake, &ON_HOST_DRIVER);
    assert_compare(LVP_VERDICT_NEEDS_COMMIT, "it is on nvidia and has to be bound");
    lvp_fake_host_set_driver(fake, CARD, NULL);
    assert_compare(LVP_VERDICT_NEEDS_COMMIT, "it is on no driver and has to be bound");
}

Test(pci_put_back, compare_finds_a_pulled_card_lost)
{
    add_and_take(&ON_HOST_DRIVER);
    lvp_fake_host_pull(fake, CARD);
    assert_compare(LVP_VERDICT_LOST, "it is not there any more");
}

Test(pci_put_back, compare_finds_another_card_in_its_place)
{
    add_and_take(&ON_HOST_DRIVER);
    card_replace(fake);
    assert_compare(LVP_VERDICT_REPLACED, "another device stands at its address now");
}

Test(pci_put_back, compare_is_blocked_by_a_write_in_flight)
{
    card_add(fake, &ON_HOST_DRIVER);
    LvpPciBinding binding = card_get_binding(&ON_HOST_DRIVER);
    lvp_fake_host_hang_at(fake, 3);
    cr_assert_not(lvp_pci_take(&binder, &binding, NULL));
    assert_compare(LVP_VERDICT_BLOCKED, "an earlier operation on it");
}

Test(pci_put_back, compare_is_blocked_by_a_removal_that_waits_for_its_holder)
{
    add_and_take(&ON_HOST_DRIVER);
    lvp_fake_host_set_opener(fake, CARD_OPENER, "pid 812 (qemu-system-x86)");
    lvp_fake_host_pull(fake, CARD);
    assert_compare(LVP_VERDICT_BLOCKED, "the kernel has not finished");
}
