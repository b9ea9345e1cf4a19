/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-run.h"
#include "sim-tasks.h"
#include "sim-watch.h"

#include "setup.h"

#include <libvirt-provider/error.h>
#include <stdio.h>

#define LOG_LENGTH 40
#define MAX_EFFECTS 60
#define START_TRIES 40

/* ---- life ---- */

static void
free_asked(gpointer data)
{
    SimAsked *asked = data;
    g_free(asked->uuid);
    g_free(asked->name);
    g_free(asked);
}

Sim *
sim_new(guint64 seed, const char *mutant, gboolean verbose)
{
    Sim *self = g_new0(Sim, 1);
    const guint32 key[] = {(guint32)seed, (guint32)(seed >> 32)};
    self->seed = seed;
    self->profile = seed % SIM_N_PROFILES;
    self->verbose = verbose;
    self->random = g_rand_new_with_seed_array(key, G_N_ELEMENTS(key));
    self->fate.random = self->random;
    sim_clock_us = 1;
    self->disk = sim_disk_new(&self->fate);
    self->world = sim_world_new(&self->fate);
    self->world->mutant = mutant;
    self->provider = sim_provider_new(self->world, mutant);
    self->look = sim_look_new(self->world, self->provider);
    self->labels = g_variant_ref_sink(g_variant_new("a{ss}", NULL));
    self->asked = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_asked);
    g_queue_init(&self->log);
    return self;
}

void
sim_free(Sim *self)
{
    self->fate.dead = TRUE;
    sim_provider_free(self->provider);
    sim_look_free(self->look);
    sim_world_free(self->world);
    sim_disk_free(self->disk);
    g_queue_clear_full(&self->log, g_free);
    g_hash_table_unref(self->asked);
    g_variant_unref(self->labels);
    g_rand_free(self->random);
    g_free(self->problem);
    g_free(self);
}

guint
sim_pick(Sim *self, guint n)
{
    return (guint)g_rand_int_range(self->random, 0, (int)n);
}

SimCard *
sim_pick_card(Sim *self)
{
    const char *working = sim_seams_find_working();
    SimCard *card = working ? sim_world_find_card(self->world, working) : NULL;
    return card && sim_pick(self, 2) == 0 ? card : sim_world_pick_card(self->world);
}

void
sim_say(Sim *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    guint task = sim_tasks_get_current();
    char *line = task ? g_strdup_printf("%5" G_GUINT64_FORMAT " %*u: %s", self->n_steps,
                                        (int)(2 * task), task, text)
                      : g_strdup_printf("%5" G_GUINT64_FORMAT " %s", self->n_steps, text);
    if (self->verbose)
        printf("# %s\n", line);
    g_queue_push_tail(&self->log, line);
    if (g_queue_get_length(&self->log) > LOG_LENGTH)
        g_free(g_queue_pop_head(&self->log));
}

void
sim_say_end(Sim *self, gboolean ok, GError *error)
{
    if (self->fate.dead)
        sim_say(self, "  the provider died");
    else if (!ok)
        sim_say(self, "  failed: %s", error ? error->message : "without a reason");
    g_clear_error(&error);
}

/* ---- cards that somebody changes ---- */

void
sim_act(Sim *self, gboolean renewed, void (*act)(Sim *self, gpointer data), gpointer data)
{
    const GPtrArray *cards = self->world->cards;
    SimBinding before[32] = {0};
    gboolean there[32];
    g_assert(cards->len <= G_N_ELEMENTS(before));
    if (sim_tasks_get_current())
        sim_look(self->look); /* what is explained may have changed within the step */
    for (guint i = 0; i < cards->len; i++) {
        const SimCard *card = g_ptr_array_index(cards, i);
        there[i] = sim_card_is_present(self->world, card);
        if (there[i])
            before[i] = sim_card_read(self->world, card);
    }
    act(self, data);
    for (guint i = 0; i < cards->len; i++) {
        SimCard *card = g_ptr_array_index(cards, i);
        if (sim_card_is_present(self->world, card)) {
            SimBinding now = sim_card_read(self->world, card);
            gboolean changed = !there[i] || !sim_binding_equal(&now, &before[i]);
            gboolean explained = sim_look_explains(self->look, card);
            if (changed && explained && (renewed || !there[i]))
                card->renewed = TRUE;
            else if (changed && explained)
                card->meddled = TRUE;
            if (changed && sim_tasks_get_current()) {
                card->raced |= !explained;
                sim_binding_clear(&card->left);
                card->left = sim_card_read(self->world, card);
            }
            if (changed && !explained) {
                sim_binding_clear(&card->original);
                card->original = now;
            } else {
                sim_binding_clear(&now);
            }
        }
        sim_binding_clear(&before[i]);
    }
}

/* ---- the provider's lives ---- */

static void
plan_fault(Sim *self)
{
    SimKind kind = (SimKind)sim_pick(self, SIM_N_KINDS);
    SimFateKind fault = (SimFateKind)(SIM_FAIL + sim_pick(self, SIM_N_FATES - SIM_FAIL));
    sim_fate_plan_fault(&self->fate, kind, fault, kind >= SIM_DISK ? 20 : 10);
    sim_say(self, "(a fault of kind %d in %d)", (int)fault, (int)kind);
}

static gboolean
is_able(const Sim *self)
{
    return self->provider->allocator && !self->fate.dead;
}

static void
begin_look(Sim *self)
{
    while (self->looking)
        sim_pause();
    self->looking = TRUE;
}

void
sim_rescan(Sim *self)
{
    GError *error = NULL;
    begin_look(self);
    gboolean ok = !is_able(self) || lvp_setup_rescan(self->provider->allocator, &error);
    self->looking = FALSE;
    if (!ok)
        sim_say_end(self, ok, error);
}

gboolean
sim_reload(Sim *self, GError **error)
{
    begin_look(self);
    gboolean ok = sim_provider_install(self->provider, error);
    self->looking = FALSE;
    return ok;
}

void
sim_reconcile(Sim *self)
{
    while (self->passing)
        sim_pause();
    self->passing = TRUE;
    sim_rescan(self);
    if (is_able(self))
        lvp_reconcile_all(&self->provider->jobs);
    self->passing = FALSE;
}

void
sim_check(Sim *self)
{
    if (!self->problem)
        self->problem = sim_checks_run(self->look);
}

static void
reboot(Sim *self, gpointer data)
{
    (void)data;
    sim_world_reboot(self->world);
}

static void
damage_journal(Sim *self)
{
    g_autofree char *path = g_build_filename(self->provider->folder, "state.db", NULL);
    g_autofree char *what = sim_damage(self->disk, path);
    if (!what)
        return;
    sim_say(self, "  the journal is damaged: %s", what);
    self->n_damages++;
    sim_look_note_damage(self->look);
}

/* What may come with the end of a process: that of the host, or of the disk's cache. */
static void
pick_end(Sim *self)
{
    guint kind = sim_pick(self, 8);
    if (kind == 0 || kind == 2) {
        sim_say(self, "  the disk loses what was not synced");
        sim_disk_cut_power(self->disk);
    }
    sim_look_ahead(self->look, self->disk);
    if ((self->profile & SIM_WITH_DAMAGE) && sim_pick(self, 10) == 0)
        damage_journal(self);
    if (kind == 0 || kind == 1) {
        sim_say(self, "  reboot");
        self->n_reboots++;
        sim_act(self, TRUE, reboot, NULL);
    }
}

/* Ends it; a dead one has no more effects. */
static void
stop(Sim *self)
{
    if (self->fate.dead)
        sim_check(self); /* as it was when it died */
    sim_look_close(self->look);
    sim_provider_stop(self->provider);
    self->n_restarts++;
}

static gboolean
start(Sim *self)
{
    GError *error = NULL;
    self->fate.dead = FALSE;
    gboolean ok = sim_provider_start(self->provider, &error);
    if (!ok)
        sim_say(self, "  start failed: %s", error->message);
    g_clear_error(&error);
    if (ok)
        sim_look_note_start(self->look);
    if (ok && !self->problem)
        sim_check(self);
    if (ok)
        sim_reconcile(self);
    return ok && !self->fate.dead;
}

void
sim_restart(Sim *self)
{
    stop(self);
    pick_end(self);
    for (guint i = 0; !self->problem; i++) {
        if (i > START_TRIES)
            self->problem = g_strdup("the provider does not start any more");
        sim_fate_calm(&self->fate);
        if (i < START_TRIES / 2 && sim_pick(self, 3) == 0) {
            sim_say(self, "  with a crash to come while it recovers");
            sim_fate_plan_crash(&self->fate, MAX_EFFECTS);
        }
        if (i < START_TRIES / 2 && (self->profile & SIM_WITH_FAULTS) && sim_pick(self, 3) == 0) {
            sim_say(self, "  with a fault to come while it recovers");
            plan_fault(self);
        }
        if (start(self))
            return;
        if (self->fate.dead)
            sim_say(self, "  it died while it recovered");
        stop(self);
        pick_end(self);
    }
}

char *
sim_pick_machine(Sim *self, gboolean by_uuid)
{
    g_autoptr(GList) all = by_uuid ? g_hash_table_get_keys(self->look->machines)
                                   : g_hash_table_get_values(self->look->machines);
    guint length = g_list_length(all);
    all = g_list_sort(all, (GCompareFunc)g_strcmp0);
    return length > 0 ? g_strdup(g_list_nth_data(all, sim_pick(self, length))) : NULL;
}

void
sim_let_go(Sim *self, const char *uuid)
{
    SimAsked *asked = g_hash_table_lookup(self->asked, uuid);
    if (asked)
        asked->to_delete = TRUE;
    g_hash_table_remove(self->look->kept, uuid);
}

/* ---- steps ---- */

static void
plan(Sim *self)
{
    static const guint NEAR_AND_FAR[] = {6, 20, MAX_EFFECTS};
    sim_fate_calm(&self->fate);
    if (sim_pick(self, 4) == 0) {
        sim_fate_plan_crash(&self->fate, NEAR_AND_FAR[sim_pick(self, G_N_ELEMENTS(NEAR_AND_FAR))]);
        sim_say(self, "(a crash %s one of the next effects)",
                self->fate.crash_after ? "after" : "before");
    }
    if ((self->profile & SIM_WITH_FAULTS) && sim_pick(self, 2) == 0)
        plan_fault(self);
}

static void
run_step(Sim *self)
{
    self->n_steps++;
    plan(self);
    sim_world_advance(self->world, sim_pick(self, 2000) * 1000);
    sim_steps_run(self);
    if (self->fate.dead)
        sim_restart(self);
    sim_check(self);
    sim_checks_end_races(self->look);
}

gboolean
sim_run(Sim *self, guint n_steps)
{
    if (!start(self) && !self->problem)
        self->problem = g_strdup("the provider does not start on a fresh host");
    sim_check(self);
    while (self->n_steps < n_steps && !self->problem)
        run_step(self);
    if (!self->problem)
        sim_end(self);
    return self->problem == NULL;
}
