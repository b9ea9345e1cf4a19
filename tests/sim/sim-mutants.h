/* SPDX-License-Identifier: Apache-2.0 */
/* Known mistakes, built in through the seams, to show that the checks find them. */
#pragma once

#include "host-effects.h"

#include <libvirt-provider/source.h>

typedef struct {
    const char *name;
    guint profile; /* of the seeds that show it soonest */
} SimMutant;

/* Ends with one without name. */
extern const SimMutant SIM_MUTANTS[];

/* NULL: none of the mutants. */
void sim_mutate_pci(const char *mutant, LvpSourceTable *pci);
/* Of those that are checks left out, what a check has found; NULL instead of FOUND, which it frees.
 */
char *sim_mutate_finding(const char *mutant, const char *name, char *found);
void sim_mutate_effects(const char *mutant, LvpHostEffects *effects);

#define SIM_MUTANT_NO_HOST_USE_CHECK "no-host-use-check"
#define SIM_MUTANT_NO_SRIOV_CHECK "no-sriov-check"
#define SIM_MUTANT_NO_REBUILD "no-rebuild"
