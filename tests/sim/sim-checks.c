/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-checks.h"

#include <string.h>

#define VFIO "vfio-pci"

/* ---- claims ---- */

static int
find_group(const SimLook *self, const char *address)
{
    const SimCard *card = sim_world_find_card(self->world, address);
    return card ? card->card.group : 0;
}

/* Of a card that is not there, or not any more: another may stand at its address. */
static gboolean
is_past(const SimLook *self, const SimRow *row)
{
    const SimCard *card = sim_world_find_card(self->world, row->address);
    return !card || strcmp(card->identity, row->identity) != 0;
}

/* No function, and no IOMMU group, stands in two claims. */
static char *
check_claims(const SimLook *self, const GPtrArray *rows)
{
    for (guint i = 0; i < rows->len; i++)
        for (guint k = 0; k < i; k++) {
            const SimRow *a = g_ptr_array_index(rows, i), *b = g_ptr_array_index(rows, k);
            if (strcmp(a->owner, b->owner) != 0 && !is_past(self, a) && !is_past(self, b) &&
                find_group(self, a->address) == find_group(self, b->address))
                return g_strdup_printf("%s of '%s' and %s of '%s' share a group", a->address,
                                       a->owner, b->address, b->owner);
        }
    return NULL;
}

/* A device is quarantined only where something has gone wrong with it or its neighbours, or where a
 * journal was damaged. */
static char *
check_marks(const SimLook *self)
{
    GHashTableIter iter;
    gpointer unit, value;
    g_hash_table_iter_init(&iter, self->marks);
    while (g_hash_table_iter_next(&iter, &unit, &value)) {
        const SimMark *mark = value;
        const SimCard *marked = sim_world_find_card(self->world, unit);
        gboolean excused = !marked || strcmp(marked->identity, mark->identity) != 0;
        for (guint i = 0; i < self->world->cards->len && !excused; i++) {
            const SimCard *card = g_ptr_array_index(self->world->cards, i);
            excused = card->card.group == marked->card.group &&
                      (card->faulted || card->meddled || card->renewed || card->unsure);
        }
        if (!excused)
            return g_strdup_printf("%s is quarantined though nothing has happened to it: %s",
                                   (const char *)unit, mark->reason);
    }
    return NULL;
}

static char *
check_kept(const SimLook *self)
{
    GHashTableIter iter;
    gpointer uuid;
    g_hash_table_iter_init(&iter, self->kept);
    while (g_hash_table_iter_next(&iter, &uuid, NULL))
        if (!g_hash_table_contains(self->machines, uuid))
            return g_strdup_printf("machine %s was acknowledged and is lost", (const char *)uuid);
    return NULL;
}

/* ---- domains ---- */

static gboolean
holds(const SimLook *self, const char *uuid, const char *address)
{
    for (guint i = 0; i < self->rows->len; i++) {
        const SimRow *row = g_ptr_array_index(self->rows, i);
        if (strcmp(row->owner, uuid) == 0 && strcmp(row->address, address) == 0)
            return TRUE;
    }
    return FALSE;
}

/* A domain that we have made is of a machine, and has nothing but what that machine holds. */
static char *
check_domains(const SimLook *self)
{
    for (guint i = 0; i < self->world->domains->len; i++) {
        const SimDomain *domain = g_ptr_array_index(self->world->domains, i);
        if (domain->name[0] == 'f')
            continue;
        if (!g_hash_table_contains(self->machines, domain->uuid))
            return g_strdup_printf("domain %s is of no machine", domain->name);
        for (guint k = 0; domain->addresses[k]; k++)
            if (!holds(self, domain->uuid, domain->addresses[k]))
                return g_strdup_printf("domain %s has %s, which its machine does not hold",
                                       domain->name, domain->addresses[k]);
    }
    return NULL;
}

/* ---- cards ---- */

/* Whether somebody outside, in this step, was the last to change it, and left it on DRIVER. */
static gboolean
is_left_so(const SimCard *card, const char *driver)
{
    return card->left.driver && strcmp(driver, card->left.driver) == 0;
}

/* Somebody has changed the card after it was read for the record, and before that was durable, or
 * between two machines that had it: what was read counts. */
static void
accept_what_was_read(SimCard *card, const SimRow *row)
{
    if (!row || !(card->raced || is_left_so(card, row->driver)))
        return;
    sim_binding_clear(&card->original);
    card->original = (SimBinding){g_strdup(row->driver), g_strdup(row->override)};
    card->raced = FALSE;
    card->meddled = TRUE;
}

/* Of one whose record was lost with a journal, and that nothing holds any more. */
static char *
check_forgotten(const SimLook *self, SimCard *card, SimBinding *now)
{
    if (sim_look_has_mark(self, card))
        return NULL;
    if (strcmp(now->driver, VFIO) == 0 && strcmp(card->original.driver, VFIO) != 0 &&
        !card->meddled)
        return g_strdup_printf("%s is free on vfio-pci since the journal was damaged, and was on "
                               "'%s'",
                               card->card.address, card->original.driver);
    sim_card_accept(card, now);
    return NULL;
}

static char *
check_card(const SimLook *self, SimCard *card)
{
    if (!sim_card_is_present(self->world, card))
        return NULL;
    const SimRow *row = sim_look_find_row(self, card);
    g_auto(SimBinding) now = sim_card_read(self->world, card);
    card->explained = sim_look_explains(self, card);
    accept_what_was_read(card, row);
    if (!row && card->unsure)
        return check_forgotten(self, card, &now);
    if (row && (strcmp(row->driver, card->original.driver) != 0 ||
                strcmp(row->override, card->original.override) != 0))
        return g_strdup_printf("%s was on '%s' (override '%s'); the record of '%s' says '%s' "
                               "('%s')",
                               card->card.address, card->original.driver, card->original.override,
                               row->owner, row->driver, row->override);
    /* Somebody has changed it when it had just been put back, or all but the override. */
    if (!row && is_left_so(card, now.driver))
        return NULL;
    if (!row && !sim_binding_equal(&now, &card->original) &&
        !(card->renewed && sim_card_is_fresh(card, &now)))
        return g_strdup_printf("%s is nobody's and on '%s' (override '%s'), but was on '%s' "
                               "('%s')",
                               card->card.address, now.driver, now.override, card->original.driver,
                               card->original.override);
    if (!row)
        sim_card_accept(card, &now);
    card->unsure = FALSE;
    return NULL;
}

/* ---- functions ---- */

/* No VF is with a machine while its PF is, unless somebody took that PF back by hand. */
static char *
check_virtual_functions(const SimLook *self)
{
    for (guint i = 0; i < self->rows->len; i++)
        for (guint k = 0; k < self->rows->len; k++) {
            const SimRow *vf = g_ptr_array_index(self->rows, i);
            const SimRow *pf = g_ptr_array_index(self->rows, k);
            const SimCard *card = sim_world_find_card(self->world, vf->address);
            const SimCard *above = sim_world_find_card(self->world, pf->address);
            if (!card || !above || g_strcmp0(card->card.pf, pf->address) != 0 ||
                !sim_card_is_present(self->world, card) || is_past(self, pf) || above->meddled ||
                above->renewed || !g_hash_table_contains(self->created, vf->owner) ||
                !g_hash_table_contains(self->created, pf->owner))
                continue;
            return g_strdup_printf("%s is with %s, and its physical function %s with %s",
                                   vf->address, vf->owner, pf->address, pf->owner);
        }
    return NULL;
}

/* ---- all ---- */

char *
sim_checks_run_durable(SimLook *self)
{
    if (self->world->violation)
        return g_strdup(self->world->violation);
    if (!sim_look(self))
        return NULL; /* there is no journal yet, or it is beyond reading just now */
    char *problem = check_claims(self, self->units);
    if (!problem)
        problem = check_claims(self, self->rows);
    if (!problem)
        problem = check_kept(self);
    if (!problem)
        problem = check_marks(self);
    if (!problem)
        problem = check_domains(self);
    for (guint i = 0; i < self->world->cards->len && !problem; i++)
        problem = check_card(self, g_ptr_array_index(self->world->cards, i));
    return problem;
}

char *
sim_checks_run(SimLook *self)
{
    char *problem = sim_checks_run_durable(self);
    if (problem || !sim_look(self))
        return problem;
    if (!(problem = check_virtual_functions(self)) && self->provider->allocator &&
        !self->world->fate->dead)
        problem = sim_checks_run_said(self);
    return problem;
}

static void
end_race(const SimLook *self, SimCard *card)
{
    accept_what_was_read(card, sim_look_find_row(self, card));
    if (card->left.driver && sim_card_is_present(self->world, card) &&
        !sim_look_explains(self, card)) {
        g_auto(SimBinding) now = sim_card_read(self->world, card);
        if (is_left_so(card, now.driver))
            sim_card_accept(card, &now);
    }
    card->raced = FALSE;
    sim_binding_clear(&card->left);
}

void
sim_checks_end_races(SimLook *self)
{
    if (self->world->fate->dead || !sim_look(self))
        return; /* what was not durable may be undone yet */
    for (guint i = 0; i < self->world->cards->len; i++)
        end_race(self, g_ptr_array_index(self->world->cards, i));
}

char *
sim_checks_run_last(SimLook *self)
{
    char *problem = sim_checks_run(self);
    if (problem)
        return problem;
    if (self->state != SIM_JOURNAL_WHOLE)
        return g_strdup("the journal was damaged and never made again");
    if (g_hash_table_size(self->machines) > 0)
        return g_strdup_printf("%u machines are left", g_hash_table_size(self->machines));
    if (g_hash_table_size(self->marks) > 0)
        return g_strdup_printf("%u units are still quarantined", g_hash_table_size(self->marks));
    if (self->units->len > 0 || self->rows->len > 0)
        return g_strdup("units or records of nobody are left");
    if (self->world->domains->len > 0)
        return g_strdup("a domain is left");
    return NULL;
}
