/* SPDX-License-Identifier: Apache-2.0 */
/* A disk in memory below SQLite: the default VFS of this process. It knows what was synced, so that
 * a power cut can take the rest away. One disk at a time, one thread. */
#pragma once

#include "sim-fate.h"

/* Of one that looks at the files without being part of the simulation. */
#define SIM_DISK_CHECK_VFS "sim-check"

typedef struct SimDisk SimDisk;

/* FATE outlives it. Becomes the disk of the VFS. */
SimDisk *sim_disk_new(SimFate *fate);
/* When no file is open. */
void sim_disk_free(SimDisk *self);

/* Makes files TO... of FROM... as they are now, with what stands for their log: for a look at them
 * as another start would see them. */
void sim_disk_copy(SimDisk *self, const char *from, const char *to);
/* When no file is open: each write that no sync has made durable is lost, or, at random, kept. */
void sim_disk_cut_power(SimDisk *self);
