/* SPDX-License-Identifier: Apache-2.0 */
/* What the disk and the VFS on it share: one file, and what of it is durable. */
#pragma once

#include "sim-disk.h"

#define SIM_NODE_SHM_MAX 64

/* A write that is not durable yet; BYTES NULL: the file was cut to OFFSET. */
typedef struct {
    gsize offset;
    GBytes *bytes;
} SimPending;

typedef struct {
    char *name;
    GByteArray *data;    /* as the running system sees it */
    GByteArray *durable; /* as the next boot will */
    GArray *pending;     /* SimPending; in order */
    gboolean lasts;      /* its name was synced */
    guint n_open, n_shared;
    void *shm[SIM_NODE_SHM_MAX];
} SimNode;

typedef struct {
    char *from, *to;
} SimRename;

struct SimDisk {
    SimFate *fate;
    GHashTable *nodes; /* name -> SimNode */
    GArray *renames;   /* SimRename: that are not durable yet, in order */
};

/* SQLite's list of VFS is global, and so is the disk that stands behind it. */
extern SimDisk *sim_disk;

/* Made where it is missing. */
SimNode *sim_disk_get_node(SimDisk *self, const char *name);
/* Takes over WRITE's bytes. */
void sim_node_put(SimNode *self, SimPending write);
/* As on Linux: what a failed sync could not write is forgotten to be dirty, and the next sync says
 * that all is well. */
void sim_node_sync(SimNode *self, gboolean ok);
void sim_node_drop_shm(SimNode *self);
/* Makes DATA all that the file has, now and after a power cut. What it had; g_byte_array_unref().
 */
GByteArray *sim_node_exchange(SimNode *self, const GByteArray *data);

/* Makes the disk's VFS known, once. */
void sim_vfs_register(void);
