/* SPDX-License-Identifier: Apache-2.0 */
/* Known mistakes, built in through the seams, to show that the checks find them. */
#pragma once

#include "host-effects.h"

#include <libvirt-provider/source.h>

/* NULL-ended. */
extern const char *const SIM_MUTANTS[];

/* NULL: none of the mutants. */
void sim_mutate_pci(const char *mutant, LvpSourceTable *pci);
void sim_mutate_effects(const char *mutant, LvpHostEffects *effects);
