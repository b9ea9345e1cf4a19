/* SPDX-License-Identifier: Apache-2.0 */
/* Every write of take and of put_back fails, lies, hangs, or is the last thing that the provider
 * does, from every state that a card can be in before: what was is restored exactly, by a process
 * that knows nothing but the binding. */
#include "assert-error.h"
#include "binding-fixture.h"

#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>

typedef enum { FAILS, LIES, HANGS, IS_THE_LAST, N_KINDS } Kind;

typedef struct {
    guint original; /* index of ORIGINALS */
    Kind kind;
    guint write; /* the first is 1 */
    /* The write before lies, too: else it would not come to a bind by name. */
    gboolean after_lie;
} Case;

static LvpFakeHost *fake;

static void
set_up(void)
{
    fake = lvp_fake_host_new();
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(pci_faults, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- which ---- */

static gboolean
was_on(guint original, const char *driver)
{
    return strcmp(ORIGINALS[original].driver, driver) == 0;
}

static guint
count_writes_of_take(guint original)
{
    return was_on(original, "vfio-pci") ? 1 : was_on(original, "") ? 2 : 3;
}

/* Override, unbind and probe of what was there, then the override unless it is already right. */
static guint
count_writes_of_put_back(guint original)
{
    const char *override = ORIGINALS[original].override;
    if (was_on(original, "vfio-pci"))
        return strcmp(override, "vfio-pci") != 0;
    guint before = was_on(original, "") ? 2 : 3;
    return before + (strcmp(override, ORIGINALS[original].driver) != 0);
}

/* The number of the write after the probe that binds by name, 0: it never comes to that. */
static guint
find_bind_of_take(guint original)
{
    return was_on(original, "vfio-pci") ? 0 : count_writes_of_take(original) + 1;
}

static guint
find_bind_of_put_back(guint original)
{
    return was_on(original, "nvidia") ? 4 : 0;
}

static struct criterion_test_params
list_cases(guint (*count_writes)(guint), guint (*find_bind)(guint))
{
    static Case cases[256];
    guint count = 0;
    for (guint original = 0; original < N_ORIGINALS; original++)
        for (guint kind = 0; kind < N_KINDS; kind++) {
            for (guint write = 1; write <= count_writes(original); write++)
                cases[count++] = (Case){original, kind, write, FALSE};
            if (find_bind(original) > 0)
                cases[count++] = (Case){original, kind, find_bind(original), TRUE};
        }
    g_assert_cmpuint(count, <, G_N_ELEMENTS(cases));
    return cr_make_param_array(Case, cases, count);
}

/* ---- what goes wrong ---- */

static void
plan_fault(const Case *one)
{
    if (one->after_lie)
        lvp_fake_host_lie_at(fake, one->write - 1);
    switch (one->kind) {
    case FAILS:
        lvp_fake_host_fail_write(fake, one->write, EIO);
        break;
    case LIES:
        lvp_fake_host_lie_at(fake, one->write);
        break;
    case HANGS:
        lvp_fake_host_hang_at(fake, one->write);
        break;
    case IS_THE_LAST:
        lvp_fake_host_crash_at(fake, one->write);
        break;
    case N_KINDS:
        break;
    }
}

static void
end_fault(const Case *one)
{
    if (one->kind == HANGS)
        lvp_fake_host_finish_hung(fake);
    if (one->kind == IS_THE_LAST)
        lvp_fake_host_restart(fake);
}

static gboolean
take(const Original *original, GError **error)
{
    LvpPciBinder binder = {lvp_fake_host_get_host(fake), CARD_TIMEOUT_MS};
    LvpPciBinding binding = card_get_binding(original);
    return lvp_pci_take(&binder, &binding, error);
}

static void
assert_restored(const Original *original)
{
    card_assert_state(fake, original->driver, original->override);
    guint count = lvp_fake_host_count_writes(fake);
    card_put_back(fake, original, LVP_VERDICT_DONE);
    cr_assert_eq(lvp_fake_host_count_writes(fake), count, "nothing was left to do");
}

/* ---- take ---- */

ParameterizedTestParameters(pci_faults, take_is_undone)
{
    return list_cases(count_writes_of_take, find_bind_of_take);
}

ParameterizedTest(Case *one, pci_faults, take_is_undone)
{
    const Original *original = &ORIGINALS[one->original];
    g_autoptr(GError) error = NULL;
    card_add(fake, original);
    guint before = lvp_fake_host_count_writes(fake);
    plan_fault(one);
    gboolean taken = take(original, &error);
    cr_assert_geq(lvp_fake_host_count_writes(fake), before + one->write, "it never came to it");
    cr_assert_eq(taken, error == NULL);
    cr_assert(!taken || one->kind == LIES);
    if (one->kind == HANGS) {
        assert_error(error, LVP_ERROR_TIMED_OUT);
        card_put_back(fake, original, LVP_VERDICT_BLOCKED);
    }
    end_fault(one);
    if (taken)
        card_assert_state(fake, "vfio-pci",
                          was_on(one->original, "vfio-pci") ? original->override : "vfio-pci");
    card_put_back(fake, original, LVP_VERDICT_DONE);
    assert_restored(original);
}

/* ---- put_back ---- */

ParameterizedTestParameters(pci_faults, put_back_is_completed_by_another)
{
    return list_cases(count_writes_of_put_back, find_bind_of_put_back);
}

ParameterizedTest(Case *one, pci_faults, put_back_is_completed_by_another)
{
    const Original *original = &ORIGINALS[one->original];
    LvpPciBinder binder = {lvp_fake_host_get_host(fake), CARD_TIMEOUT_MS};
    LvpPciBinding binding = card_get_binding(original);
    g_autoptr(GError) error = NULL;
    g_autofree char *reason = NULL;
    card_add(fake, original);
    take(original, &error);
    assert_no_error(error);
    guint before = lvp_fake_host_count_writes(fake);
    plan_fault(one);
    LvpVerdict verdict = lvp_pci_put_back(&binder, &binding, &reason);
    cr_assert_geq(lvp_fake_host_count_writes(fake), before + one->write, "it never came to it");
    if (verdict == LVP_VERDICT_DONE) {
        cr_assert_eq(one->kind, LIES);
        card_assert_state(fake, original->driver, original->override);
    } else {
        cr_assert_eq(verdict, one->kind == HANGS ? LVP_VERDICT_BLOCKED : LVP_VERDICT_FAILED, "%s",
                     reason);
        cr_assert_not_null(reason);
    }
    if (one->kind == HANGS)
        card_put_back(fake, original, LVP_VERDICT_BLOCKED);
    end_fault(one);
    card_put_back(fake, original, LVP_VERDICT_DONE);
    assert_restored(original);
}
