/* SPDX-License-Identifier: Apache-2.0 */
/* What a user asks the provider for. */
#include "sim-run.h"

#include "default-template.h"

#define N_NAMES 6

static void
create(Sim *self, SimAsked *asked)
{
    GError *error = NULL;
    LvpCreateSpec spec = {
        .name = asked->name,
        .uuid = asked->uuid,
        .class_name = asked->class_name,
        .template_xml = DEFAULT_TEMPLATE,
        .labels = self->labels,
        .annotations = self->labels,
        .start = sim_pick(self, 3) > 0,
        .autostart = asked->autostart,
    };
    sim_say(self, "  %s of class %s, %s", asked->name, asked->class_name, asked->uuid);
    g_autoptr(LvpMachine) machine = lvp_machine_create(&self->provider->jobs, &spec, NULL, &error);
    if (machine && !self->fate.dead && !asked->to_delete)
        g_hash_table_add(self->look->kept, g_strdup(asked->uuid));
    sim_say_end(self, machine != NULL, error);
    sim_rescan(self);
}

static SimAsked *
ask_anew(Sim *self)
{
    static const char *const CLASSES[] = {"plain", "gpu", "gpus", "nic", "both", "disk",
                                          "fpga",  "all", "pf",   "vf",  "vfs"};
    SimAsked *asked = g_new0(SimAsked, 1);
    asked->uuid = g_strdup_printf("00000000-0000-4000-8000-%012u", ++self->n_created);
    asked->name = g_strdup_printf("vm%u", sim_pick(self, N_NAMES));
    asked->class_name = CLASSES[sim_pick(self, G_N_ELEMENTS(CLASSES))];
    asked->autostart = sim_pick(self, 2) == 0;
    g_hash_table_insert(self->asked, asked->uuid, asked);
    return asked;
}

/* The same create as before gives the machine that there is, or takes up one whose domain is gone.
 */
static void
run_create(Sim *self)
{
    g_autofree char *again = sim_pick(self, 8) == 0 ? sim_pick_machine(self, TRUE) : NULL;
    SimAsked *asked = again ? g_hash_table_lookup(self->asked, again) : NULL;
    create(self, asked ? asked : ask_anew(self));
}

static void
run_start(Sim *self)
{
    g_autofree char *name = sim_pick_machine(self, FALSE);
    GError *error = NULL;
    if (!name) {
        run_create(self);
        return;
    }
    sim_say(self, "  %s", name);
    gboolean ok = lvp_machine_start(&self->provider->jobs, name, NULL, &error);
    sim_say_end(self, ok, error);
}

static void
run_stop(Sim *self)
{
    g_autofree char *name = sim_pick_machine(self, FALSE);
    GError *error = NULL;
    if (!name) {
        run_create(self);
        return;
    }
    gboolean force = sim_pick(self, 2) == 0;
    sim_say(self, "  %s%s", name, force ? " by force" : "");
    gboolean ok = lvp_machine_stop(&self->provider->jobs, name, force, 0, NULL, &error);
    sim_say_end(self, ok, error);
}

static void
run_delete(Sim *self)
{
    g_autofree char *uuid = sim_pick_machine(self, TRUE);
    GError *error = NULL;
    if (!uuid) {
        run_create(self);
        return;
    }
    sim_say(self, "  %s", uuid);
    sim_let_go(self, uuid);
    gboolean ok =
        lvp_machine_delete(&self->provider->jobs, uuid, sim_pick(self, 2) == 0, NULL, &error);
    sim_say_end(self, ok, error);
    sim_rescan(self);
}

/* By force a card is free as it is: so that is where it belongs, from when it is done. */
static void
note_force(Sim *self, int group)
{
    for (guint i = 0; i < self->world->cards->len; i++) {
        SimCard *card = g_ptr_array_index(self->world->cards, i);
        card->forced |= card->card.group == group;
    }
}

static void
run_release(Sim *self)
{
    GError *error = NULL;
    const SimCard *card = sim_world_pick_card(self->world);
    for (guint i = 0; i < 8 && !g_hash_table_contains(self->look->marks, card->card.address); i++)
        card = sim_world_pick_card(self->world);
    gboolean marked = g_hash_table_contains(self->look->marks, card->card.address);
    gboolean force = marked && sim_pick(self, 4) == 0;
    sim_say(self, "  %s%s", card->card.address, force ? " by force" : "");
    if (force)
        note_force(self, card->card.group);
    gboolean ok = lvp_device_release(&self->provider->jobs, card->card.address, force, &error);
    sim_say_end(self, ok, error);
    sim_rescan(self);
}

static void
run_cordon(Sim *self)
{
    GError *error = NULL;
    const SimCard *card = sim_world_pick_card(self->world);
    gboolean cordoned = sim_pick(self, 2) == 0;
    gboolean ok =
        lvp_allocator_set_cordoned(self->provider->allocator, card->card.address, cordoned, &error);
    sim_say(self, "  %s: %d", card->card.address, cordoned);
    sim_say_end(self, ok, error);
}

static void
run_reload(Sim *self)
{
    GError *error = NULL;
    gboolean ok = sim_reload(self, &error);
    sim_say_end(self, ok, error);
}

static void
run_reconcile(Sim *self)
{
    sim_reconcile(self);
}

static void
run_restart(Sim *self)
{
    sim_restart(self);
}

const SimStep SIM_PROVIDER_STEPS[] = {
    {"create", 30, 0, run_create},
    {"start", 12, 0, run_start},
    {"stop", 10, 0, run_stop},
    {"delete", 22, 0, run_delete},
    {"release", 6, 0, run_release},
    {"cordon", 3, 0, run_cordon},
    {"reload", 2, 0, run_reload},
    {"reconcile", 12, 0, run_reconcile},
    {"restart", 4, 0, run_restart, .alone = TRUE},
    {NULL},
};
