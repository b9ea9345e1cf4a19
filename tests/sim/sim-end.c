/* SPDX-License-Identifier: Apache-2.0 */
/* All faults stop: everything has to come to rest where it belongs, and to be given back. */
#include "sim-run.h"

#define SETTLE_ROUNDS 15

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
        if (!card->card.pf && !sim_card_is_present(self->world, card))
            sim_card_plug(self->world, card);
    }
}

/* Until nothing is under way any more. */
static void
settle(Sim *self)
{
    for (guint i = 0; i < SETTLE_ROUNDS && !self->problem; i++) {
        sim_world_advance(self->world, (gint64)60 * G_USEC_PER_SEC);
        sim_act(self, TRUE, plug_all, NULL);
        sim_reconcile(self);
        sim_check(self);
    }
}

static void
delete_all(Sim *self)
{
    g_autoptr(GList) uuids = g_hash_table_get_keys(self->look->machines);
    g_hash_table_remove_all(self->look->kept);
    for (GList *each = uuids; each && !self->problem; each = each->next) {
        g_autoptr(GError) error = NULL;
        g_autofree char *uuid = g_strdup(each->data);
        /* One that has to wait for something goes when it is looked at again. */
        if (!lvp_machine_delete(&self->provider->jobs, uuid, FALSE, NULL, &error))
            sim_say(self, "  %s stays for now: %s", uuid, error->message);
    }
}

/* Whether somebody has changed one of the group's cards, or nobody knows how they were. */
static gboolean
is_beyond_repair(Sim *self, const SimCard *marked)
{
    const SimMark *mark = g_hash_table_lookup(self->look->marks, marked->card.address);
    gboolean beyond = mark && !mark->has_record;
    for (guint i = 0; i < self->world->cards->len; i++) {
        const SimCard *card = g_ptr_array_index(self->world->cards, i);
        beyond |= card->card.group == marked->card.group &&
                  (card->meddled || card->renewed || card->unsure);
    }
    return beyond;
}

/* What is quarantined has met a fault or a person; and can be put back, but for a person. */
static void
release_all(Sim *self)
{
    for (guint i = 0; i < self->world->cards->len && !self->problem; i++) {
        g_autoptr(GError) error = NULL;
        const SimCard *card = g_ptr_array_index(self->world->cards, i);
        const char *unit = card->card.address;
        if (!g_hash_table_contains(self->look->marks, unit) ||
            lvp_device_release(&self->provider->jobs, unit, FALSE, &error))
            continue;
        if (!is_beyond_repair(self, card))
            self->problem = g_strdup_printf("%s cannot be released: %s", unit, error->message);
        else if (!lvp_device_release(&self->provider->jobs, unit, TRUE, NULL))
            self->problem = g_strdup_printf("%s cannot be released by force", unit);
    }
}

/* A release by force leaves a card as it is, and so it is right. */
static void
accept_forced(Sim *self)
{
    sim_look(self->look);
    for (guint i = 0; i < self->world->cards->len; i++) {
        SimCard *card = g_ptr_array_index(self->world->cards, i);
        if (sim_look_explains(self->look, card) ||
            !(card->meddled || card->renewed || card->unsure) ||
            !sim_card_is_present(self->world, card))
            continue;
        SimBinding now = sim_card_read(self->world, card);
        sim_card_accept(card, &now);
    }
}

void
sim_end(Sim *self)
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
        self->problem = sim_checks_run_last(self->look);
}
