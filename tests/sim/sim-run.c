/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-run.h"

#include "setup.h"

#include <libvirt-provider/error.h>
#include <stdio.h>

#define LOG_LENGTH 24
#define MAX_EFFECTS 60
#define START_TRIES 40
#define SETTLE_ROUNDS 60

/* ---- life ---- */

Sim *
sim_new(guint64 seed, const char *mutant, gboolean verbose)
{
    Sim *self = g_new0(Sim, 1);
    const guint32 key[] = {(guint32)seed, (guint32)(seed >> 32)};
    self->seed = seed;
    self->profile = seed % 4;
    self->verbose = verbose;
    self->random = g_rand_new_with_seed_array(key, G_N_ELEMENTS(key));
    self->fate.random = self->random;
    sim_clock_us = 1;
    self->disk = sim_disk_new(&self->fate);
    self->world = sim_world_new(&self->fate);
    self->world->mutant = mutant;
    self->provider = sim_provider_new(self->world, mutant);
    self->checks = sim_checks_new(self->world, self->provider);
    self->labels = g_variant_ref_sink(g_variant_new("a{ss}", NULL));
    g_queue_init(&self->log);
    return self;
}

void
sim_free(Sim *self)
{
    self->fate.dead = TRUE;
    sim_provider_free(self->provider);
    sim_checks_free(self->checks);
    sim_world_free(self->world);
    sim_disk_free(self->disk);
    g_queue_clear_full(&self->log, g_free);
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

void
sim_say(Sim *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    char *line = g_strdup_printf("%5" G_GUINT64_FORMAT " %s", self->n_steps, text);
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
            gboolean explained = sim_checks_explain(self->checks, card);
            if (changed && explained && (renewed || !there[i]))
                card->renewed = TRUE;
            else if (changed && explained)
                card->meddled = TRUE;
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

void
sim_rescan(Sim *self)
{
    GError *error = NULL;
    if (self->fate.dead || !self->provider->allocator)
        return;
    gboolean ok = lvp_setup_rescan(self->provider->allocator, &error);
    if (!ok)
        sim_say_end(self, ok, error);
}

void
sim_reconcile(Sim *self)
{
    if (self->fate.dead || !self->provider->allocator)
        return;
    sim_rescan(self);
    if (!self->fate.dead)
        lvp_reconcile_all(&self->provider->jobs);
}

static void
check(Sim *self)
{
    if (!self->problem)
        self->problem = sim_checks_run(self->checks);
}

static void
reboot(Sim *self, gpointer data)
{
    (void)data;
    sim_world_reboot(self->world);
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
    sim_checks_look_ahead(self->checks, self->disk);
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
        check(self); /* as it was when it died */
    sim_checks_close(self->checks);
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
    if (ok && !self->problem)
        check(self);
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
        if (start(self))
            return;
        sim_say(self, "  it died while it recovered");
        stop(self);
        pick_end(self);
    }
}

char *
sim_pick_machine(Sim *self)
{
    g_autoptr(GList) names = g_hash_table_get_values(self->checks->machines);
    guint length = g_list_length(names);
    names = g_list_sort(names, (GCompareFunc)g_strcmp0);
    return length > 0 ? g_strdup(g_list_nth_data(names, sim_pick(self, length))) : NULL;
}

/* ---- steps ---- */

static const SimStep *
pick_step(Sim *self)
{
    const SimStep *const tables[] = {SIM_PROVIDER_STEPS, SIM_WORLD_STEPS};
    guint sum = 0, at = 0;
    for (guint round = 0; round < 2; round++) {
        guint drawn = round == 0 ? 0 : sim_pick(self, sum);
        for (guint t = 0; t < G_N_ELEMENTS(tables); t++)
            for (const SimStep *step = tables[t]; step->name; step++) {
                if ((step->profile & ~self->profile) != 0)
                    continue;
                if (round == 0)
                    sum += step->weight;
                else if (drawn < (at += step->weight))
                    return step;
            }
    }
    return NULL;
}

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
    if (!(self->profile & SIM_WITH_FAULTS) || sim_pick(self, 2) > 0)
        return;
    SimKind kind = (SimKind)sim_pick(self, SIM_N_KINDS);
    SimFateKind fault = (SimFateKind)(SIM_FAIL + sim_pick(self, SIM_N_FATES - SIM_FAIL));
    sim_fate_plan_fault(&self->fate, kind, fault, kind == SIM_DISK ? 20 : 10);
    sim_say(self, "(a fault of kind %d in %d)", (int)fault, (int)kind);
}

static void
run_step(Sim *self)
{
    const SimStep *step = pick_step(self);
    self->n_steps++;
    plan(self);
    sim_world_advance(self->world, sim_pick(self, 2000) * 1000);
    sim_say(self, "%s", step->name);
    step->run(self);
    if (self->fate.dead)
        sim_restart(self);
    check(self);
}

/* ---- the end ---- */

static void
end_world(Sim *self, gpointer data)
{
    (void)data;
    SimWorld *world = self->world;
    lvp_fake_host_finish_hung(world->host);
    world->unreachable = FALSE;
    for (guint i = world->domains->len; i > 0; i--) {
        SimDomain *domain = g_ptr_array_index(world->domains, i - 1);
        if (domain->name[0] != 'f')
            continue;
        sim_domain_stop(world, domain, 0);
        sim_world_drop_domain(world, domain);
    }
}

static void
plug_all(Sim *self, gpointer data)
{
    (void)data;
    for (guint i = 0; i < self->world->cards->len; i++) {
        SimCard *card = g_ptr_array_index(self->world->cards, i);
        if (!sim_card_is_present(self->world, card))
            sim_card_plug(self->world, card);
    }
}

/* Until nothing is under way any more. */
static void
settle(Sim *self)
{
    for (guint i = 0; i < SETTLE_ROUNDS && !self->problem; i++) {
        sim_world_advance(self->world, 20 * G_USEC_PER_SEC);
        sim_act(self, TRUE, plug_all, NULL);
        sim_reconcile(self);
        check(self);
    }
}

static void
delete_all(Sim *self)
{
    g_autoptr(GList) uuids = g_hash_table_get_keys(self->checks->machines);
    g_hash_table_remove_all(self->checks->kept);
    for (GList *each = uuids; each && !self->problem; each = each->next) {
        g_autoptr(GError) error = NULL;
        g_autofree char *uuid = g_strdup(each->data);
        /* One that has to wait for something goes when it is looked at again. */
        if (!lvp_machine_delete(&self->provider->jobs, uuid, FALSE, NULL, &error))
            sim_say(self, "  %s stays for now: %s", uuid, error->message);
    }
}

/* What is quarantined has met a fault or a person; and can be put back, but for a person. */
static void
release_all(Sim *self)
{
    GHashTableIter iter;
    gpointer key;
    g_autoptr(GPtrArray) units = g_ptr_array_new_with_free_func(g_free);
    g_hash_table_iter_init(&iter, self->checks->marks);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        g_ptr_array_add(units, g_strdup(key));
    for (guint i = 0; i < units->len && !self->problem; i++) {
        g_autoptr(GError) error = NULL;
        const char *unit = g_ptr_array_index(units, i);
        if (lvp_device_release(&self->provider->jobs, unit, FALSE, &error))
            continue;
        const SimCard *unit_card = sim_world_find_card(self->world, unit);
        gboolean excused = FALSE;
        for (guint k = 0; k < self->world->cards->len; k++) {
            const SimCard *card = g_ptr_array_index(self->world->cards, k);
            excused |=
                card->card.group == unit_card->card.group && (card->meddled || card->renewed);
        }
        if (!excused)
            self->problem = g_strdup_printf("%s cannot be released: %s", unit, error->message);
        else if (!lvp_device_release(&self->provider->jobs, unit, TRUE, NULL))
            self->problem = g_strdup_printf("%s cannot be released by force", unit);
    }
}

/* A release by force leaves a card as it is, and so it is right. */
static void
accept_forced(Sim *self)
{
    sim_checks_look(self->checks);
    for (guint i = 0; i < self->world->cards->len; i++) {
        SimCard *card = g_ptr_array_index(self->world->cards, i);
        if (sim_checks_explain(self->checks, card) || !(card->meddled || card->renewed) ||
            !sim_card_is_present(self->world, card))
            continue;
        sim_binding_clear(&card->original);
        card->original = sim_card_read(self->world, card);
    }
}

static void
end(Sim *self)
{
    sim_fate_calm(&self->fate);
    sim_say(self, "the end: all faults stop, foreign domains end, lost cards are back");
    sim_act(self, FALSE, end_world, NULL);
    settle(self);
    if (!self->problem)
        delete_all(self);
    settle(self);
    if (!self->problem)
        release_all(self);
    accept_forced(self);
    sim_rescan(self);
    if (!self->problem)
        self->problem = sim_checks_run_last(self->checks);
}

gboolean
sim_run(Sim *self, guint n_steps)
{
    if (!start(self) && !self->problem)
        self->problem = g_strdup("the provider does not start on a fresh host");
    check(self);
    while (self->n_steps < n_steps && !self->problem)
        run_step(self);
    if (!self->problem)
        end(self);
    return self->problem == NULL;
}
