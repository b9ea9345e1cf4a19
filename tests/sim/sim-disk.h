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
/* As of the calls of the system: 0 or an errno. What is renamed is so for good when the folder is
 * synced. Copies that were set aside get a name without time. */
int sim_disk_rename(SimDisk *self, const char *from, const char *to);
int sim_disk_unlink(SimDisk *self, const char *name);
int sim_disk_sync_folder(SimDisk *self);
gboolean sim_disk_exists(SimDisk *self, const char *name);
/* When no file is open: each write that no sync has made durable is lost, or, at random, kept;
 * and so is a change of names. */
void sim_disk_cut_power(SimDisk *self);
