/* SPDX-License-Identifier: Apache-2.0 */
/* A table of its own beside the core's: who has been told that he has a card, and how much of what
 * is counted has been given away. */
#include "stress.h"

#include <string.h>

#define N_NODES 2
#define N_COUNTED 2

static const struct {
    const char *resource;
    gint64 total; /* on each node */
} COUNTED[N_COUNTED] = {{"cpu", 8000}, {"memory", G_GINT64_CONSTANT(16) << 30}};

struct StressOwners {
    Stress *stress;
    guint *cards; /* of each card the number of the client who has its group; 0: nobody */
    gint64 given[N_COUNTED][N_NODES];
};

StressOwners *
stress_owners_new(Stress *stress)
{
    StressOwners *self = g_new0(StressOwners, 1);
    self->stress = stress;
    self->cards = g_new0(guint, STRESS_N_CARDS);
    return self;
}

void
stress_owners_free(StressOwners *self)
{
    g_free(self->cards);
    g_free(self);
}

/* ---- cards: one machine has all of a group ---- */

static void
change_card(StressOwners *self, guint card, guint from, guint to)
{
    guint expected = from;
    if (!__atomic_compare_exchange_n(&self->cards[card], &expected, to, FALSE, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
        stress_fail(self->stress, "%s goes from client %u to %u, but is client %u's",
                    STRESS_CARDS[card].card.address, from, to, expected);
}

/* Whether the machine holds a card of the group. */
static gboolean
holds_group(const LvpHolding *pci, int group)
{
    for (guint i = 0; i < pci->units->len; i++)
        if (stress_find_card(g_array_index(pci->units, LvpHeldUnit, i).id)->card.group == group)
            return TRUE;
    return FALSE;
}

static void
change_cards(StressOwners *self, const LvpMachine *machine, guint from, guint to)
{
    const LvpHolding *pci = lvp_machine_find_holding(machine, "pci");
    for (guint i = 0; pci && i < STRESS_N_CARDS; i++)
        if (holds_group(pci, STRESS_CARDS[i].card.group))
            change_card(self, i, from, to);
}

/* ---- what is counted ---- */

static void
change_amount(StressOwners *self, const LvpHeldAmount *held, int sign)
{
    for (guint i = 0; i < N_COUNTED; i++) {
        if (strcmp(COUNTED[i].resource, held->resource) != 0)
            continue;
        if (held->node < 0 || held->node >= N_NODES) {
            stress_fail(self->stress, "%s of node %d", held->resource, held->node);
            continue;
        }
        gint64 given =
            __atomic_add_fetch(&self->given[i][held->node], sign * held->amount, __ATOMIC_RELAXED);
        if (given < 0 || given > COUNTED[i].total)
            stress_fail(self->stress, "%" G_GINT64_FORMAT " %s of node %d are given away", given,
                        held->resource, held->node);
    }
}

static void
change_amounts(StressOwners *self, const LvpMachine *machine, int sign)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        for (guint k = 0; k < holding->amounts->len; k++)
            change_amount(self, &g_array_index(holding->amounts, LvpHeldAmount, k), sign);
    }
}

void
stress_owners_take(StressOwners *self, const LvpMachine *machine, guint client)
{
    change_cards(self, machine, 0, client);
    change_amounts(self, machine, 1);
}

void
stress_owners_give(StressOwners *self, const LvpMachine *machine, guint client)
{
    change_cards(self, machine, client, 0);
    change_amounts(self, machine, -1);
}
