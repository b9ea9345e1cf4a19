/* SPDX-License-Identifier: Apache-2.0 */
/* Every write of taking and of giving back a slot of two functions fails, lies, hangs, or is the
 * last thing that the provider does. Whatever happens: what is called done is as it was, and what
 * is not comes back when it is tried again, by a source that knows nothing but the record. */
#include "assert-error.h"
#include "slot-fixture.h"

#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>

typedef enum { FAILS, LIES, HANGS, IS_THE_LAST, N_KINDS } Kind;

/* How the second function is before. */
typedef struct {
    const char *driver, *override; /* "" for none */
} Original;

static const Original ORIGINALS[] = {
    {SLOT_AUDIO_DRIVER, ""}, {SLOT_AUDIO_DRIVER, "pci-stub"}, {"", ""}, {"vfio-pci", ""}};

/* What is given away, and what goes along. */
typedef struct {
    const char *entries;
    const char *units[3]; /* NULL-ended */
    guint n_units;
} Claim;

#define UNITS(...)                                                                                 \
    (const char *const[]) { __VA_ARGS__, NULL }

static const Claim CLAIMS[] = {
    {SLOT_ENTRIES(""), {SLOT_GPU}, 1},
    {SLOT_ENTRIES(", functions: single"), {SLOT_GPU}, 1},
    {SLOT_ENTRIES(""), {SLOT_AUDIO, SLOT_GPU}, 2},
};

typedef struct {
    guint original, claim;
    Kind kind;
} Case;

#define MOST_WRITES 40

TestSuite(pci_slot_faults, .timeout = 120);

static struct criterion_test_params
list_cases(void)
{
    static Case cases[G_N_ELEMENTS(ORIGINALS) * G_N_ELEMENTS(CLAIMS) * N_KINDS];
    guint count = 0;
    for (guint original = 0; original < G_N_ELEMENTS(ORIGINALS); original++)
        for (guint claim = 0; claim < G_N_ELEMENTS(CLAIMS); claim++)
            /* Each state with one claim, and each claim with the states of a host driver. */
            for (guint kind = 0; kind < N_KINDS && (claim == 0 || original < 2); kind++)
                cases[count++] = (Case){original, claim, kind};
    return cr_make_param_array(Case, cases, count);
}

static Slot *
begin(const Case *one)
{
    Slot *self = slot_new(CLAIMS[one->claim].entries);
    const Original *original = &ORIGINALS[one->original];
    lvp_fake_host_set_reset(self->fake, SLOT_GPU, LVP_FAKE_RESET_WORKS);
    lvp_fake_host_set_reset(self->fake, SLOT_AUDIO, LVP_FAKE_RESET_NO_METHOD);
    if (strcmp(original->driver, SLOT_AUDIO_DRIVER) != 0)
        lvp_fake_host_set_driver(self->fake, SLOT_AUDIO,
                                 original->driver[0] ? original->driver : NULL);
    if (original->override[0])
        cr_assert(lvp_host_write(self->host, "bus/pci/devices/" SLOT_AUDIO "/driver_override",
                                 original->override, "somebody", 1000, NULL));
    return self;
}

static void
assert_as_before(Slot *self, const Case *one)
{
    const Original *original = &ORIGINALS[one->original];
    slot_assert_function(self, SLOT_GPU, SLOT_GPU_DRIVER, "");
    slot_assert_function(self, SLOT_AUDIO, original->driver, original->override);
}

static void
plan_fault(Slot *self, Kind kind, guint write)
{
    switch (kind) {
    case FAILS:
        lvp_fake_host_fail_write(self->fake, write, EIO);
        break;
    case LIES:
        lvp_fake_host_lie_at(self->fake, write);
        break;
    case HANGS:
        lvp_fake_host_hang_at(self->fake, write);
        break;
    case IS_THE_LAST:
        lvp_fake_host_crash_at(self->fake, write);
        break;
    case N_KINDS:
        break;
    }
}

/* The fault is over, and the provider is another process. */
static void
end_fault(Slot *self, Kind kind)
{
    if (kind == HANGS)
        lvp_fake_host_finish_hung(self->fake);
    if (kind == IS_THE_LAST)
        lvp_fake_host_restart(self->fake);
    slot_start_again(self);
}

/* The worst that is said of a unit, which has to come with a reason; and that nothing is called
 * done that is not. */
static LvpVerdict
get_worst(const LvpOutcome *outcome, guint n_units)
{
    LvpVerdict worst = LVP_VERDICT_DONE;
    cr_assert_eq(outcome->rows->len, n_units);
    for (guint i = 0; i < outcome->rows->len; i++) {
        const LvpOutcomeRow *row = &g_array_index(outcome->rows, LvpOutcomeRow, i);
        if (row->verdict == LVP_VERDICT_DONE)
            continue;
        cr_assert(row->verdict == LVP_VERDICT_FAILED || row->verdict == LVP_VERDICT_BLOCKED);
        cr_assert(row->reason && row->reason[0] != '\0');
        if (worst != LVP_VERDICT_BLOCKED)
            worst = row->verdict;
    }
    return worst;
}

static void
assert_given_back(Slot *self, const Case *one, GVariant *record)
{
    guint n_units = CLAIMS[one->claim].n_units;
    g_autoptr(LvpOutcome) outcome = slot_roll_back(self, record, NULL);
    cr_assert_eq(get_worst(outcome, n_units), LVP_VERDICT_DONE);
    assert_as_before(self, one);
}

/* It had no driver, and where the override was not really written, the probe has brought in that of
 * the host: nobody can know any more that it was us. */
static gboolean
is_lost_to_host_driver(Slot *self, const Case *one)
{
    g_autofree char *driver = lvp_fake_host_get_driver(self->fake, SLOT_AUDIO);
    return one->kind == LIES && ORIGINALS[one->original].driver[0] == '\0' &&
           g_strcmp0(driver, SLOT_AUDIO_DRIVER) == 0;
}

static void
assert_left_to_somebody(Slot *self, GVariant *record)
{
    g_autoptr(LvpOutcome) outcome = slot_roll_back(self, record, NULL);
    const LvpOutcomeRow *failed = lvp_outcome_find(outcome, LVP_VERDICT_FAILED);
    cr_assert_not_null(failed);
    assert_contains(failed->reason, "somebody has bound it to " SLOT_AUDIO_DRIVER);
}

/* FALSE when the commit has fewer writes than that. */
static gboolean
take_with_fault_at(const Case *one, guint write)
{
    g_autoptr(Slot) self = begin(one);
    guint n_units = CLAIMS[one->claim].n_units;
    g_autoptr(GVariant) record = slot_prepare(self, CLAIMS[one->claim].units);
    g_autoptr(GError) error = NULL;
    guint before = lvp_fake_host_count_writes(self->fake);
    plan_fault(self, one->kind, write);
    gboolean taken = lvp_source_table.commit(self->source->instance, record, NULL, &error);
    gboolean hit = lvp_fake_host_count_writes(self->fake) >= before + write;
    cr_assert_eq(taken, error == NULL);
    cr_assert(!hit || !taken || one->kind == LIES, "write %u", write);
    cr_assert(hit || taken, "write %u: %s", write, error ? error->message : "");
    if (hit && one->kind == HANGS) {
        g_autoptr(LvpOutcome) outcome = slot_roll_back(self, record, NULL);
        cr_assert_eq(get_worst(outcome, n_units), LVP_VERDICT_BLOCKED, "write %u", write);
    }
    if (!hit)
        return FALSE;
    end_fault(self, one->kind);
    if (taken) {
        g_autofree char *first = lvp_fake_host_get_driver(self->fake, SLOT_GPU);
        g_autofree char *second = lvp_fake_host_get_driver(self->fake, SLOT_AUDIO);
        cr_assert_str_eq(first, "vfio-pci");
        cr_assert_str_eq(second, "vfio-pci");
    }
    if (is_lost_to_host_driver(self, one))
        assert_left_to_somebody(self, record);
    else
        assert_given_back(self, one, record);
    return TRUE;
}

/* FALSE when the rollback has fewer writes than that. */
static gboolean
give_back_with_fault_at(const Case *one, guint write)
{
    g_autoptr(Slot) self = begin(one);
    guint n_units = CLAIMS[one->claim].n_units;
    g_autoptr(GVariant) record = slot_prepare(self, CLAIMS[one->claim].units);
    slot_commit(self, record);
    guint before = lvp_fake_host_count_writes(self->fake);
    plan_fault(self, one->kind, write);
    g_autoptr(LvpOutcome) outcome = slot_roll_back(self, record, NULL);
    gboolean hit = lvp_fake_host_count_writes(self->fake) >= before + write;
    LvpVerdict worst = get_worst(outcome, n_units);
    if (worst == LVP_VERDICT_DONE) {
        cr_assert(!hit || one->kind == LIES, "write %u", write);
        assert_as_before(self, one);
    } else {
        cr_assert(hit, "write %u", write);
        cr_assert_eq(worst == LVP_VERDICT_BLOCKED, one->kind == HANGS, "write %u", write);
    }
    if (!hit)
        return FALSE;
    end_fault(self, one->kind);
    assert_given_back(self, one, record);
    return TRUE;
}

static void
try_each_write(const Case *one, gboolean (*act)(const Case *, guint), guint at_least)
{
    guint write = 1;
    while (act(one, write)) {
        write++;
        cr_assert_lt(write, MOST_WRITES);
    }
    cr_assert_gt(write, at_least);
}

ParameterizedTestParameters(pci_slot_faults, take_is_undone) { return list_cases(); }

ParameterizedTest(Case *one, pci_slot_faults, take_is_undone)
{
    try_each_write(one, take_with_fault_at, 4);
}

ParameterizedTestParameters(pci_slot_faults, giving_back_is_completed) { return list_cases(); }

ParameterizedTest(Case *one, pci_slot_faults, giving_back_is_completed)
{
    try_each_write(one, give_back_with_fault_at, 6);
}
