/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-node.h"

#include <sqlite3.h>
#include <string.h>

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

/* ---- the disk ---- */

SimDisk *
sim_disk_new(SimFate *fate)
{
    SimDisk *self = g_new0(SimDisk, 1);
    self->fate = fate;
    self->nodes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_node);
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
    g_free(self);
    sim_disk = NULL;
}

static void
cut_node(SimDisk *self, SimNode *node, gboolean keep_some)
{
    for (guint i = 0; i < node->pending->len; i++)
        if (keep_some && g_rand_boolean(self->fate->random))
            apply(node->durable, &g_array_index(node->pending, SimPending, i));
    g_array_set_size(node->pending, 0);
    resize(node->data, 0);
    g_byte_array_append(node->data, node->durable->data, node->durable->len);
}

void
sim_disk_cut_power(SimDisk *self)
{
    gboolean keep_some = g_rand_boolean(self->fate->random);
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, self->nodes);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        SimNode *node = value;
        if (node->lasts)
            cut_node(self, node, keep_some);
        else
            g_hash_table_iter_remove(&iter);
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
