/* SPDX-License-Identifier: Apache-2.0 */
/* What happens besides the provider. */
#include "sim-run.h"

#include <string.h>

#define N_FOREIGN 2

static gboolean
is_movable(Sim *self, const SimCard *card)
{
    return sim_card_is_present(self->world, card) &&
           !lvp_fake_host_is_stuck(self->world->host, card->card.address) &&
           !sim_world_find_opener(self->world, card->card.group);
}

/* ---- time ---- */

static void
run_advance(Sim *self)
{
    static const gint64 SECONDS[] = {1, 5, 30, 120, 700};
    gint64 seconds = SECONDS[sim_pick(self, G_N_ELEMENTS(SECONDS))];
    sim_say(self, "  %" G_GINT64_FORMAT " s", seconds);
    sim_world_advance(self->world, seconds * G_USEC_PER_SEC);
}

static void
run_finish_hung(Sim *self)
{
    lvp_fake_host_finish_hung(self->world->host);
}

static void
run_unreachable(Sim *self)
{
    self->world->unreachable = !self->world->unreachable;
    sim_say(self, "  libvirt is %s", self->world->unreachable ? "away" : "back");
}

/* ---- cards ---- */

static void
pull(Sim *self, gpointer data)
{
    const SimCard *card = data;
    lvp_fake_host_pull(self->world->host, card->card.address);
}

static void
plug(Sim *self, gpointer data)
{
    sim_card_plug(self->world, data);
}

/* Not one that the kernel is busy with. */
static void
pull_free(Sim *self, SimCard *card)
{
    if (!sim_card_is_present(self->world, card) ||
        lvp_fake_host_is_stuck(self->world->host, card->card.address))
        return;
    sim_card_lose_disk(self->world, card);
    card->renewed = card->explained;
    sim_act(self, TRUE, pull, card);
}

static void
pull_vfs(Sim *self, const SimCard *pf)
{
    for (guint i = 0; i < self->world->cards->len; i++) {
        SimCard *card = g_ptr_array_index(self->world->cards, i);
        if (g_strcmp0(card->card.pf, pf->card.address) == 0)
            pull_free(self, card);
    }
}

static void
run_pull(Sim *self)
{
    SimCard *card = sim_pick_card(self);
    if (card->card.pf)
        return;
    sim_say(self, "  %s", card->card.address);
    pull_vfs(self, card);
    if (sim_card_count_vfs(self->world, card) == 0)
        pull_free(self, card);
}

static void
run_plug(Sim *self)
{
    for (guint i = 0; i < self->world->cards->len; i++) {
        SimCard *card = g_ptr_array_index(self->world->cards, i);
        if (card->card.pf || sim_card_is_present(self->world, card))
            continue;
        if (sim_pick(self, 3) == 0) {
            LvpFakePci other = card->other;
            card->other = card->card;
            card->card = other;
            SimBinding original = card->other_original;
            card->other_original = card->original;
            card->original = original;
            card->unsure = FALSE;
        }
        sim_act(self, TRUE, plug, card);
        sim_say(self, "  %s, %s", card->card.address, card->identity);
        return;
    }
}

static void
run_use(Sim *self)
{
    SimCard *card = sim_pick_card(self);
    if (!is_movable(self, card) || !sim_card_can_be_used(self->world, card))
        return;
    sim_card_set_used(self->world, card, !card->used);
    sim_say(self, "  %s is %s", card->card.address, card->used ? "in use" : "in use no more");
}

static void
plug_vfs(Sim *self, gpointer data)
{
    const SimCard *pf = data;
    for (guint i = 0; i < self->world->cards->len; i++) {
        SimCard *card = g_ptr_array_index(self->world->cards, i);
        if (g_strcmp0(card->card.pf, pf->card.address) == 0)
            sim_card_plug(self->world, card);
    }
}

static void
run_vfs(Sim *self)
{
    SimCard *card = sim_pick_card(self);
    for (guint i = 0; i < 8 && card->card.max_vfs == 0; i++)
        card = sim_pick_card(self);
    if (card->card.max_vfs == 0 || !sim_card_is_on_host_driver(self->world, card) ||
        lvp_fake_host_is_stuck(self->world->host, card->card.address))
        return;
    gboolean has_some = sim_card_count_vfs(self->world, card) > 0;
    sim_say(self, "  %s %s", card->card.address, has_some ? "loses its VFs" : "gets VFs");
    if (has_some)
        pull_vfs(self, card);
    else
        sim_act(self, TRUE, plug_vfs, card);
}

/* ---- an admin, by hand ---- */

static void
bind_by_hand(Sim *self, gpointer data)
{
    const SimCard *card = data;
    LvpFakeHost *host = self->world->host;
    const char *address = card->card.address;
    static const char *const OVERRIDES[] = {NULL, "vfio-pci", "other"};
    gboolean has_vfs = sim_card_count_vfs(self->world, card) > 0;
    switch (has_vfs ? 0 : sim_pick(self, 5)) {
    case 0:
        sim_say(self, "  unbinds %s", address);
        lvp_fake_host_set_driver(host, address, NULL);
        break;
    case 1:
        sim_say(self, "  gives %s its host driver", address);
        lvp_fake_host_set_override(host, address, NULL);
        lvp_fake_host_set_driver(host, address, card->card.driver);
        break;
    case 2:
        sim_say(self, "  binds %s to another driver", address);
        lvp_fake_host_set_override(host, address, "other");
        lvp_fake_host_set_driver(host, address, "other");
        break;
    case 3:
        sim_say(self, "  binds %s to vfio-pci", address);
        lvp_fake_host_set_override(host, address, "vfio-pci");
        lvp_fake_host_set_driver(host, address, "vfio-pci");
        break;
    default:
        sim_say(self, "  sets the override of %s", address);
        lvp_fake_host_set_override(host, address, OVERRIDES[sim_pick(self, 3)]);
    }
}

static void
run_admin_bind(Sim *self)
{
    SimCard *card = sim_pick_card(self);
    if (!is_movable(self, card))
        return;
    sim_card_lose_disk(self->world, card);
    sim_act(self, FALSE, bind_by_hand, card);
}

static void
unload(Sim *self, gpointer data)
{
    (void)data;
    gboolean ok = lvp_fake_host_unload_vfio(self->world->host);
    sim_say(self, "  %s", ok ? "is unloaded" : "is in use");
}

static void
run_unload(Sim *self)
{
    sim_act(self, FALSE, unload, NULL);
}

/* One of the provider's domains. */
static SimDomain *
pick_own(Sim *self)
{
    const GPtrArray *domains = self->world->domains;
    if (domains->len == 0)
        return NULL;
    SimDomain *domain = g_ptr_array_index(domains, sim_pick(self, domains->len));
    return domain->name[0] == 'f' ? NULL : domain;
}

static void
run_admin_domain(Sim *self)
{
    const char *why = NULL;
    SimDomain *domain = pick_own(self);
    if (!domain)
        return;
    switch (sim_pick(self, 5)) {
    case 0:
        sim_say(self, "  undefines %s", domain->name);
        if (domain->state == LVP_DOMAIN_OFF) {
            sim_let_go(self, domain->uuid);
            sim_world_drop_domain(self->world, domain);
        }
        break;
    case 1:
    case 2:
        sim_say(self, "  destroys %s", domain->name);
        if (domain->state != LVP_DOMAIN_OFF)
            sim_domain_stop(self->world, domain, sim_pick(self, 3) * 2 * G_USEC_PER_SEC);
        break;
    case 3:
        sim_say(self, "  starts %s", domain->name);
        if (domain->state == LVP_DOMAIN_OFF)
            sim_domain_start(self->world, domain, &why);
        break;
    default:
        sim_say(self, "  pauses or resumes %s", domain->name);
        if (domain->state != LVP_DOMAIN_OFF)
            domain->state =
                domain->state == LVP_DOMAIN_PAUSED ? LVP_DOMAIN_RUNNING : LVP_DOMAIN_PAUSED;
    }
}

/* ---- domains that are not ours ---- */

static SimDomain *
define_foreign(Sim *self, guint number)
{
    const SimCard *card = sim_pick_card(self);
    g_autofree char *name = g_strdup_printf("foreign%u", number);
    g_autofree char *uuid = g_strdup_printf("f0000000-0000-4000-8000-%012u", number);
    SimDomain *domain = sim_world_find_domain(self->world, uuid);
    if (domain && (domain->state != LVP_DOMAIN_OFF || sim_pick(self, 2) == 0))
        return domain;
    if (domain)
        sim_world_drop_domain(self->world, domain);
    domain = sim_world_add_domain(self->world, uuid, name);
    domain->managed = sim_pick(self, 4) > 0;
    domain->addresses = g_strsplit(card->card.address, ",", -1);
    domain->xml = g_strdup_printf(
        "<domain><name>%s</name><uuid>%s</uuid><devices><hostdev mode='subsystem' type='pci' "
        "managed='%s'><source><address domain='0x0000' bus='0x%.2s' slot='0x%.2s' "
        "function='0x%.1s'/></source></hostdev></devices></domain>",
        name, uuid, domain->managed ? "yes" : "no", card->card.address + 5, card->card.address + 8,
        card->card.address + 11);
    return domain;
}

static void
use_foreign(Sim *self, gpointer data)
{
    SimDomain *domain = data;
    const char *why = NULL;
    if (domain->state != LVP_DOMAIN_OFF) {
        sim_say(self, "  %s stops", domain->name);
        sim_domain_stop(self->world, domain, 0);
        if (sim_pick(self, 2) == 0)
            sim_world_drop_domain(self->world, domain);
        return;
    }
    gboolean ok = sim_domain_start(self->world, domain, &why);
    sim_say(self, "  %s starts with %s%s%s", domain->name, domain->addresses[0],
            ok ? "" : ", in vain: ", ok ? "" : why);
}

static void
run_foreign(Sim *self)
{
    sim_act(self, FALSE, use_foreign, define_foreign(self, sim_pick(self, N_FOREIGN)));
}

const SimStep SIM_WORLD_STEPS[] = {
    {"time goes by", 8, 0, run_advance},
    {"what hung, ends", 4, SIM_WITH_FAULTS, run_finish_hung},
    {"libvirt comes or goes", 3, SIM_WITH_FAULTS, run_unreachable},
    {"a card is pulled", 4, SIM_WITH_WORLD, run_pull},
    {"a card is plugged in", 6, SIM_WITH_WORLD, run_plug},
    {"the host uses a card", 10, SIM_WITH_WORLD, run_use},
    {"virtual functions", 6, SIM_WITH_WORLD, run_vfs},
    {"an admin binds", 5, SIM_WITH_WORLD, run_admin_bind},
    {"an admin unloads vfio-pci", 2, SIM_WITH_WORLD, run_unload},
    {"an admin at a domain", 8, SIM_WITH_WORLD, run_admin_domain},
    {"a foreign domain", 8, SIM_WITH_WORLD, run_foreign},
    {NULL},
};
