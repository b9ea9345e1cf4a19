/* SPDX-License-Identifier: Apache-2.0 */
/* A journal's file that was damaged while nobody had it open. */
#pragma once

#include "sim-disk.h"

/* Damages the file at PATH at a place of chance, so that it can be seen. What was done; NULL where
 * nothing came of it: what no look at the file can tell from a sound one, is not done to it. With
 * g_free(). */
char *sim_damage(SimDisk *self, const char *path);
