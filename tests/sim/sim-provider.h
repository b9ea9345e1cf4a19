/* SPDX-License-Identifier: Apache-2.0 */
/* One life of the provider: the real core over the real sources, put together as core/main.c does,
 * on the world and the disk of before. */
#pragma once

#include "sim-world.h"

#include "config.h"
#include "reconcile.h"

#define SIM_GRACE_US (600 * G_USEC_PER_SEC)

typedef struct {
    SimWorld *world;
    LvpConfig *config; /* the same for all lives */
    char *folder;      /* of the journal */
    LvpHost *host;
    char *boot_id;
    LvpJournal *journal; /* NULL: it does not live */
    LvpAllocator *allocator;
    LvpHypervisor *hypervisor;
    LvpMachineJobs jobs;
} SimProvider;

/* MUTANT: NULL, or the name of one that sim-mutants.c has. */
SimProvider *sim_provider_new(SimWorld *world, const char *mutant);
void sim_provider_free(SimProvider *self);

/* Up to the point where it answers; FALSE, and not alive, where it could not. */
gboolean sim_provider_start(SimProvider *self, GError **error);
/* Throws all objects away. */
void sim_provider_stop(SimProvider *self);
/* What a reload does. */
gboolean sim_provider_install(SimProvider *self, GError **error);
