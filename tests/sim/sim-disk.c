/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-node.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#define SECTOR_BYTES 512u /* what a disk writes as a whole */

SimDisk *sim_disk;

/* ---- nodes ---- */

static void
clear_pending(gpointer data)
{
    g_clear_pointer(&((SimPending *)data)->bytes, g_bytes_unref);
}

void
sim_node_drop_shm(SimNode *self)
{
    for (guint i = 0; i < SIM_NODE_SHM_MAX; i++)
        g_clear_pointer(&self->shm[i], g_free);
}

static void
free_node(gpointer data)
{
    SimNode *node = data;
    sim_node_drop_shm(node);
    g_byte_array_unref(node->data);
    g_byte_array_unref(node->durable);
    g_array_unref(node->pending);
    g_free(node->name);
    g_free(node);
}

SimNode *
sim_disk_get_node(SimDisk *self, const char *name)
{
    SimNode *node = g_hash_table_lookup(self->nodes, name);
    if (node)
        return node;
    node = g_new0(SimNode, 1);
    node->name = g_strdup(name);
    node->data = g_byte_array_new();
    node->durable = g_byte_array_new();
    node->pending = g_array_new(FALSE, FALSE, sizeof(SimPending));
    g_array_set_clear_func(node->pending, clear_pending);
    g_hash_table_insert(self->nodes, node->name, node);
    return node;
}

static void
resize(GByteArray *array, gsize size)
{
    guint before = array->len;
    g_byte_array_set_size(array, (guint)size);
    if (size > before)
        memset(array->data + before, 0, size - before);
}

static void
apply(GByteArray *array, const SimPending *write)
{
    if (!write->bytes) {
        if (array->len > write->offset)
            resize(array, write->offset);
        return;
    }
    gsize length = g_bytes_get_size(write->bytes);
    if (array->len < write->offset + length)
        resize(array, write->offset + length);
    memcpy(array->data + write->offset, g_bytes_get_data(write->bytes, NULL), length);
}

void
sim_node_put(SimNode *self, SimPending write)
{
    apply(self->data, &write);
    g_array_append_val(self->pending, write);
}

void
sim_node_sync(SimNode *self, gboolean ok)
{
    self->lasts = self->lasts || ok;
    for (guint i = 0; ok && i < self->pending->len; i++)
        apply(self->durable, &g_array_index(self->pending, SimPending, i));
    g_array_set_size(self->pending, 0);
}

GByteArray *
sim_node_exchange(SimNode *self, const GByteArray *data)
{
    GByteArray *old = self->data;
    self->data = g_byte_array_new();
    g_byte_array_append(self->data, data->data, data->len);
    g_array_set_size(self->pending, 0);
    resize(self->durable, 0);
    g_byte_array_append(self->durable, data->data, data->len);
    return old;
}

/* ---- names ---- */

static void
clear_rename(gpointer data)
{
    g_free(((SimRename *)data)->from);
    g_free(((SimRename *)data)->to);
}

static void
move_node(SimDisk *self, const char *from, const char *to)
{
    SimNode *node = g_hash_table_lookup(self->nodes, from);
    if (!node)
        return;
    g_hash_table_steal(self->nodes, from);
    g_hash_table_remove(self->nodes, to);
    g_free(node->name);
    node->name = g_strdup(to);
    g_hash_table_insert(self->nodes, node->name, node);
}

int
sim_disk_rename(SimDisk *self, const char *from, const char *to)
{
    const char *time = strstr(to, ".damaged-");
    const char *suffix = time ? strrchr(to, 'Z') : NULL;
    SimRename rename = {g_strdup(from), g_strdup(to)};
    if (suffix) {
        g_free(rename.to);
        rename.to = g_strdup_printf("%.*s.damaged%s", (int)(time - to), to, suffix + 1);
    }
    SimFateKind fate = sim_fate_begin(self->fate, SIM_DISK);
    gboolean found = g_hash_table_contains(self->nodes, from);
    if (fate != SIM_GO || !found) {
        clear_rename(&rename);
        return fate != SIM_GO ? EIO : ENOENT;
    }
    move_node(self, rename.from, rename.to);
    g_array_append_val(self->renames, rename);
    return sim_fate_end(self->fate) ? EIO : 0;
}

int
sim_disk_unlink(SimDisk *self, const char *name)
{
    if (sim_fate_begin(self->fate, SIM_DISK) != SIM_GO)
        return EIO;
    gboolean found = g_hash_table_remove(self->nodes, name);
    return sim_fate_end(self->fate) ? EIO : found ? 0 : ENOENT;
}

int
sim_disk_sync_folder(SimDisk *self)
{
    if (sim_fate_begin(self->fate, SIM_DISK) != SIM_GO)
        return EIO;
    g_array_set_size(self->renames, 0);
    return sim_fate_end(self->fate) ? EIO : 0;
}

gboolean
sim_disk_exists(SimDisk *self, const char *name)
{
    return g_hash_table_contains(self->nodes, name);
}

/* Some of the last changes are lost, no matter whether the files of that name are durable. */
static void
lose_renames(SimDisk *self)
{
    for (guint i = self->renames->len; i > 0 && g_rand_boolean(self->fate->random); i--) {
        const SimRename *rename = &g_array_index(self->renames, SimRename, i - 1);
        move_node(self, rename->to, rename->from);
    }
    g_array_set_size(self->renames, 0);
}

/* ---- the disk ---- */

SimDisk *
sim_disk_new(SimFate *fate)
{
    SimDisk *self = g_new0(SimDisk, 1);
    self->fate = fate;
    self->nodes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_node);
    self->renames = g_array_new(FALSE, FALSE, sizeof(SimRename));
    g_array_set_clear_func(self->renames, clear_rename);
    sim_vfs_register();
    sim_disk = self;
    sqlite3_randomness(0, NULL); /* so that one seed gives the same bytes as another before it */
    return self;
}

void
sim_disk_free(SimDisk *self)
{
    if (!self)
        return;
    g_hash_table_unref(self->nodes);
    g_array_unref(self->renames);
    g_free(self);
    sim_disk = NULL;
}

/* A write of which no sync has told: it came to the disk as a whole, not at all, or in part. */
static void
keep_at_random(SimDisk *self, SimNode *node, const SimPending *write)
{
    gint32 part = g_rand_int_range(self->fate->random, 0, 3);
    gsize length = write->bytes ? g_bytes_get_size(write->bytes) : 0;
    if (part == 0 || length < SECTOR_BYTES) {
        if (part != 1)
            apply(node->durable, write);
        return;
    }
    if (part == 1)
        return;
    gsize kept =
        SECTOR_BYTES * (gsize)g_rand_int_range(self->fate->random, 0, (int)(length / SECTOR_BYTES));
    g_autoptr(GBytes) bytes = g_bytes_new_from_bytes(write->bytes, 0, kept);
    apply(node->durable, &(SimPending){write->offset, bytes});
}

static void
cut_node(SimDisk *self, SimNode *node, gboolean keep_some)
{
    for (guint i = 0; keep_some && i < node->pending->len; i++)
        keep_at_random(self, node, &g_array_index(node->pending, SimPending, i));
    g_array_set_size(node->pending, 0);
    resize(node->data, 0);
    g_byte_array_append(node->data, node->durable->data, node->durable->len);
}

void
sim_disk_cut_power(SimDisk *self)
{
    gboolean keep_some = g_rand_boolean(self->fate->random);
    lose_renames(self);
    /* In an order that does not hang on the name of the folder. */
    g_autoptr(GList) names = g_hash_table_get_keys(self->nodes);
    names = g_list_sort(names, (GCompareFunc)strcmp);
    for (const GList *each = names; each; each = each->next) {
        SimNode *node = g_hash_table_lookup(self->nodes, each->data);
        if (node->lasts)
            cut_node(self, node, keep_some);
        else
            g_hash_table_remove(self->nodes, each->data);
    }
}

void
sim_disk_copy(SimDisk *self, const char *from, const char *to)
{
    static const char *const PARTS[] = {"", "-wal"};
    for (guint i = 0; i < G_N_ELEMENTS(PARTS); i++) {
        g_autofree char *old_name = g_strconcat(from, PARTS[i], NULL);
        g_autofree char *new_name = g_strconcat(to, PARTS[i], NULL);
        const SimNode *node = g_hash_table_lookup(self->nodes, old_name);
        g_hash_table_remove(self->nodes, new_name);
        if (node)
            g_byte_array_append(sim_disk_get_node(self, new_name)->data, node->data->data,
                                node->data->len);
    }
}
