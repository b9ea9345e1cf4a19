/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold whenever the provider rests: seen from outside, by the journal's file, the cards
 * and libvirtd, and only then by what the provider says of itself. */
#pragma once

#include "sim-look.h"

/* What is broken, or NULL; g_free(). Looks, and takes note of cards that are nobody's again. */
char *sim_checks_run(SimLook *self);
/* The same without what the provider says of itself: at any time, operations under way or not. */
char *sim_checks_run_durable(SimLook *self);
/* And only that, of one that lives, after a look. */
char *sim_checks_run_said(const SimLook *self);
/* No operation is under way any more: what was not read by then was not read too early. */
void sim_checks_end_races(SimLook *self);
/* What is broken when all is over, and nothing should be left; g_free(). */
char *sim_checks_run_last(SimLook *self);
