/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-fate.h"

#define MAX_ROW 3

SimFateKind
sim_fate_begin(SimFate *self, SimKind kind)
{
    if (self->exempt)
        return SIM_GO;
    if (self->dead)
        return SIM_DEAD;
    self->n_effects += kind != SIM_DISK_READ;
    guint64 number = ++self->n_of_kind[kind];
    if (kind != SIM_DISK_READ && self->crash_at == self->n_effects && !self->crash_after) {
        self->dead = TRUE;
        self->n_crashes++;
        return SIM_DEAD;
    }
    guint64 first = self->fault_at[kind];
    if (first == 0 || number < first || number >= first + self->fault_length[kind])
        return SIM_GO;
    self->n_faults[kind][self->fault[kind]]++;
    return self->fault[kind];
}

gboolean
sim_fate_end(SimFate *self)
{
    if (self->exempt || self->crash_at != self->n_effects || !self->crash_after || self->dead)
        return FALSE;
    self->dead = TRUE;
    self->n_crashes++;
    return TRUE;
}

void
sim_fate_plan_crash(SimFate *self, guint max_effects)
{
    self->crash_at = self->n_effects + (guint64)g_rand_int_range(self->random, 1, (int)max_effects);
    self->crash_after = g_rand_boolean(self->random);
}

void
sim_fate_plan_fault(SimFate *self, SimKind kind, SimFateKind fault, guint max_effects)
{
    self->fault_at[kind] =
        self->n_of_kind[kind] + (guint64)g_rand_int_range(self->random, 1, (int)max_effects);
    self->fault[kind] = fault;
    self->fault_length[kind] = (guint)g_rand_int_range(self->random, 1, MAX_ROW + 1);
}

void
sim_fate_calm(SimFate *self)
{
    self->crash_at = 0;
    for (guint i = 0; i < SIM_N_KINDS; i++)
        self->fault_at[i] = 0;
}
