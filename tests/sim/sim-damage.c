/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-damage.h"

#include "sim-node.h"

#include <sqlite3.h>
#include <string.h>

#define PAGE_BYTES 4096u
#define HEADER_BYTES 100u /* of a file of SQLite */
#define SPOT_MAX_BYTES 64u

/* ---- what it says ---- */

static int
add_row(void *data, int n_columns, char **texts, char **names)
{
    (void)names;
    for (int i = 0; i < n_columns; i++)
        g_string_append_printf(data, "%s|", texts[i] ? texts[i] : "");
    g_string_append_c(data, '\n');
    return 0;
}

/* Sets *RET_SOUND to whether the file is sound. All that stands there; g_free(). */
static char *
dump(SimDisk *self, const char *path, gboolean *ret_sound)
{
    static const char SQL[] = "PRAGMA user_version; PRAGMA application_id;"
                              "SELECT * FROM template; SELECT * FROM machine;"
                              "SELECT * FROM held_unit; SELECT * FROM rebuild;"
                              "SELECT machine, source, quote(bytes) FROM record;"
                              "SELECT source, id, cordoned, quarantine, resource, identity,"
                              " quote(record), found FROM unit_mark;";
    g_autofree char *copy = g_strconcat(path, ".copy", NULL);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) verdict = g_string_new(NULL);
    sqlite3 *file = NULL;
    sim_disk_copy(self, path, copy);
    *ret_sound =
        sqlite3_open_v2(copy, &file, SQLITE_OPEN_READWRITE, SIM_DISK_CHECK_VFS) == SQLITE_OK &&
        sqlite3_exec(file, SQL, add_row, text, NULL) == SQLITE_OK &&
        sqlite3_exec(file, "PRAGMA integrity_check", add_row, verdict, NULL) == SQLITE_OK &&
        strcmp(verdict->str, "ok|\n") == 0;
    sqlite3_close(file);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* ---- what is done to it ---- */

static guint
pick(SimDisk *self, guint n)
{
    return (guint)g_rand_int_range(self->fate->random, 0, (int)n);
}

static void
scribble(SimDisk *self, GByteArray *bytes, guint offset, guint length)
{
    for (guint i = offset; i < MIN(bytes->len, offset + length); i++)
        bytes->data[i] = (guint8)pick(self, 256);
}

static char *
change(SimDisk *self, GByteArray *bytes)
{
    guint length = bytes->len, page = pick(self, length / PAGE_BYTES + 1) * PAGE_BYTES;
    guint offset = pick(self, pick(self, 4) == 0 ? MIN(length, HEADER_BYTES) : length);
    guint size = 1 + pick(self, SPOT_MAX_BYTES);
    switch (pick(self, 6)) {
    case 0:
    case 1:
        scribble(self, bytes, offset, size);
        return g_strdup_printf("%u bytes at %u", size, offset);
    case 2:
        scribble(self, bytes, page, PAGE_BYTES);
        return g_strdup_printf("the page at %u", page);
    case 3:
        if (page < length)
            memset(bytes->data + page, 0, MIN(PAGE_BYTES, length - page));
        return g_strdup_printf("zeros at %u", page);
    case 4:
        g_byte_array_set_size(bytes, pick(self, 3) == 0 ? 0 : offset);
        return g_strdup_printf("cut to %u of %u", bytes->len, length);
    default:
        scribble(self, bytes, 0, length);
        return g_strdup("all of it");
    }
}

char *
sim_damage(SimDisk *self, const char *path)
{
    SimNode *node = g_hash_table_lookup(self->nodes, path);
    gboolean sound;
    if (!node || node->data->len == 0)
        return NULL;
    g_autofree char *before = dump(self, path, &sound);
    if (!sound)
        return NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_append(bytes, node->data->data, node->data->len);
    g_autofree char *what = change(self, bytes);
    g_autoptr(GByteArray) old = sim_node_exchange(node, bytes);
    g_autofree char *after = dump(self, path, &sound);
    if (!sound)
        return g_steal_pointer(&what);
    if (strcmp(before, after) != 0)
        g_byte_array_unref(sim_node_exchange(node, old));
    return NULL;
}
