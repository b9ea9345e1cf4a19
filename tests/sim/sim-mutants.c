/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-mutants.h"

#include "sim-run.h"
#include "sim-tasks.h"

#include "snapshot.h"

#include <string.h>

#define NO_HOLDER_CHECK "no-holder-check"
#define LATE_RECORD "late-record"
#define RESTORE_RE_PICKS "restore-re-picks"

#define ONE_RECORD_FOR_ALL "one-record-for-all"
#define NOTHING_LOOKS_TAKEN "nothing-looks-taken"

const SimMutant SIM_MUTANTS[] = {
    {NO_HOLDER_CHECK, 0},
    {LATE_RECORD, 0},
    {RESTORE_RE_PICKS, 0},
    {SIM_MUTANT_NO_HOST_USE_CHECK, SIM_WITH_WORLD},
    {SIM_MUTANT_NO_SRIOV_CHECK, SIM_WITH_WORLD},
    {ONE_RECORD_FOR_ALL, SIM_WITH_OTHERS},
    {NOTHING_LOOKS_TAKEN, SIM_WITH_DAMAGE},
    {SIM_MUTANT_NO_REBUILD, SIM_WITH_DAMAGE},
    {NULL, 0},
};

/* The source as it is; a table has no room for what a mutant keeps. */
static LvpSourceTable original;

/* ---- nobody is seen to have a group open ---- */

static char *
find_nobody(gpointer data, const char *path)
{
    (void)data, (void)path;
    return NULL;
}

/* ---- the original driver is read when the first write has been done ---- */

static GVariant *
prepare_late(gpointer self, const LvpHolding *holding, GCancellable *cancellable, GError **error)
{
    GVariant *early = original.prepare(self, holding, cancellable, error);
    if (!early)
        return NULL;
    g_variant_take_ref(early);
    gboolean ok = original.commit(self, early, cancellable, error);
    g_variant_unref(early);
    return ok ? original.prepare(self, holding, cancellable, error) : NULL;
}

/* ---- what a machine holds is chosen anew when it is bound again ---- */

static GVariant *prepared; /* the last record of this process */

static GVariant *
prepare_and_remember(gpointer self,
                     const LvpHolding *holding,
                     GCancellable *cancellable,
                     GError **error)
{
    GVariant *record = original.prepare(self, holding, cancellable, error);
    if (!record)
        return NULL;
    g_variant_take_ref(record);
    g_clear_pointer(&prepared, g_variant_unref);
    prepared = g_variant_ref(record);
    return record;
}

/* The record with other cards of the kind, as if the first that comes had been taken. */
static GVariant *
choose_anew(GVariant *record)
{
    static const char *const FIRST[] = {"0000:01:00.0", "0000:04:00.0"};
    g_autoptr(GVariant) rows = g_variant_get_child_value(record, 1);
    g_auto(GVariantBuilder) anew = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(ssssssb)"));
    GVariantIter iter;
    const char *address, *identity, *driver, *override, *group, *unit;
    gboolean passed;
    g_variant_iter_init(&iter, rows);
    while (g_variant_iter_next(&iter, "(&s&s&s&s&s&sb)", &address, &identity, &driver, &override,
                               &group, &unit, &passed)) {
        const char *other = FIRST[strstr(identity, "1572") ? 1 : 0];
        g_variant_builder_add(&anew, "(ssssssb)", other, identity, driver, override, group, other,
                              passed);
    }
    return g_variant_ref_sink(g_variant_new("(u@a(ssssssb))", 1, g_variant_builder_end(&anew)));
}

static gboolean
commit_anew(gpointer self, GVariant *record, GCancellable *cancellable, GError **error)
{
    if (prepared && g_variant_equal(prepared, record))
        return original.commit(self, record, cancellable, error);
    g_autoptr(GVariant) other = choose_anew(record);
    return original.commit(self, other, cancellable, error);
}

/* ---- a source that cannot be at work for two machines at once ---- */

static GVariant *
prepare_for_all(gpointer self, const LvpHolding *holding, GCancellable *cancellable, GError **error)
{
    static GVariant *record; /* where the mistake is */
    GVariant *made = original.prepare(self, holding, cancellable, error);
    if (!made)
        return NULL;
    g_clear_pointer(&record, g_variant_unref);
    record = g_variant_take_ref(made);
    sim_pause();
    return g_variant_ref(record);
}

/* ---- after damage to the journal everything is offered ---- */

static gboolean
discover_untaken(gpointer self,
                 LvpDiscoverFlags flags,
                 LvpSnapshot *snapshot,
                 GCancellable *cancellable,
                 GError **error)
{
    gboolean ok = original.discover(self, flags, snapshot, cancellable, error);
    for (guint i = 0; i < snapshot->units->len; i++)
        ((LvpUnit *)g_ptr_array_index(snapshot->units, i))->taken = FALSE;
    return ok;
}

/* ---- which ---- */

char *
sim_mutate_finding(const char *mutant, const char *name, char *found)
{
    if (g_strcmp0(mutant, name) != 0)
        return found;
    g_free(found);
    return NULL;
}

void
sim_mutate_pci(const char *mutant, LvpSourceTable *pci)
{
    original = *pci;
    if (g_strcmp0(mutant, LATE_RECORD) == 0)
        pci->prepare = prepare_late;
    if (g_strcmp0(mutant, RESTORE_RE_PICKS) == 0) {
        pci->prepare = prepare_and_remember;
        pci->commit = commit_anew;
    }
    if (g_strcmp0(mutant, ONE_RECORD_FOR_ALL) == 0)
        pci->prepare = prepare_for_all;
    if (g_strcmp0(mutant, NOTHING_LOOKS_TAKEN) == 0)
        pci->discover = discover_untaken;
}

void
sim_mutate_effects(const char *mutant, LvpHostEffects *effects)
{
    if (g_strcmp0(mutant, NO_HOLDER_CHECK) == 0)
        effects->find_opener = find_nobody;
}
