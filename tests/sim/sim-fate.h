/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong, and when: every effect of the provider asks here first. An effect is a write to
 * the host, a call of libvirt, or a write or sync of the disk. */
#pragma once

#include <glib.h>

typedef enum {
    SIM_HOST,
    SIM_LIBVIRT,
    SIM_DISK,
    SIM_DISK_READ, /* no effect: nobody dies of it */
    SIM_N_KINDS,
} SimKind;

typedef enum {
    SIM_GO,   /* nothing is the matter */
    SIM_DEAD, /* the provider is dead: an error, and no effect */
    SIM_FAIL, /* an error, and no effect */
    SIM_LIE,  /* success without effect (host), or effect with an error (libvirt) */
    SIM_HANG, /* it never returns (host) */
    SIM_N_FATES,
} SimFateKind;

typedef struct {
    GRand *random;
    guint64 n_effects; /* in all */
    guint64 n_of_kind[SIM_N_KINDS];
    guint64 crash_at;              /* the effect with that number; 0: none */
    gboolean crash_after;          /* it has its effect */
    gboolean dead;                 /* until the provider is thrown away */
    guint64 fault_at[SIM_N_KINDS]; /* of the kind's own numbers; 0: none */
    SimFateKind fault[SIM_N_KINDS];
    guint fault_length[SIM_N_KINDS]; /* how many in a row */
    gboolean exempt;                 /* what is done now is not the provider's */
    guint64 n_crashes;
    guint64 n_faults[SIM_N_KINDS][SIM_N_FATES];
} SimFate;

/* What becomes of the next effect; one that goes on is to be ended with sim_fate_end(). */
SimFateKind sim_fate_begin(SimFate *self, SimKind kind);
/* TRUE: it had its effect, and the provider died of it. */
gboolean sim_fate_end(SimFate *self);

/* Plans a crash at one of the next MAX_EFFECTS effects. */
void sim_fate_plan_crash(SimFate *self, guint max_effects);
/* Plans a fault of KIND at one of its next MAX_EFFECTS. */
void sim_fate_plan_fault(SimFate *self, SimKind kind, SimFateKind fault, guint max_effects);
/* Drops what is planned. */
void sim_fate_calm(SimFate *self);
