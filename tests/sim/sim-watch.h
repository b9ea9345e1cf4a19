/* SPDX-License-Identifier: Apache-2.0 */
/* What must never be done to a card: taking or resetting it while somebody uses it. A use that
 * begins when the provider has already looked is its bad luck; but it has to look right before it
 * writes, with no write in between. */
#pragma once

#include "sim-world.h"

/* The running task looks for such a use of the card now. */
void sim_watch_look(SimWorld *self, SimUse use, const char *address);
/* It is about to write to PATH; CARD: the one that this is about, or NULL. */
void sim_watch_write(SimWorld *self, const SimCard *card, const char *path);

/* The world that what the linker leads through sim-seams.c is about. */
void sim_seams_set_world(SimWorld *self);
/* The lock of an effect of a task that pauses; NULL: none does so within one. */
const char *sim_seams_find_working(void);
