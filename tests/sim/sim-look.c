/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-look.h"

#include <sqlite3.h>
#include <string.h>

/* ---- life ---- */

static void
free_row(gpointer data)
{
    SimRow *row = data;
    g_free(row->owner);
    g_free(row->address);
    g_free(row->identity);
    g_free(row->driver);
    g_free(row->override);
    g_free(row->unit);
    g_free(row);
}

static void
free_mark(gpointer data)
{
    SimMark *mark = data;
    g_free(mark->reason);
    g_free(mark->identity);
    g_free(mark);
}

static gboolean
look_and_tell_whole(gpointer data)
{
    SimLook *self = data;
    sim_look(self);
    return self->state == SIM_JOURNAL_WHOLE;
}

static gboolean
look_and_explain(gpointer data, const SimCard *card)
{
    SimLook *self = data;
    return sim_look(self) && sim_look_explains(self, card);
}

SimLook *
sim_look_new(SimWorld *world, SimProvider *provider)
{
    SimLook *self = g_new0(SimLook, 1);
    self->world = world;
    self->provider = provider;
    world->explain = look_and_explain;
    world->is_whole = look_and_tell_whole;
    world->look_data = self;
    self->rows = g_ptr_array_new_with_free_func(free_row);
    self->units = g_ptr_array_new_with_free_func(free_row);
    self->machines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    self->created = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    self->marks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_mark);
    self->kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return self;
}

void
sim_look_free(SimLook *self)
{
    sim_look_close(self);
    g_ptr_array_unref(self->rows);
    g_ptr_array_unref(self->units);
    g_hash_table_unref(self->machines);
    g_hash_table_unref(self->created);
    g_hash_table_unref(self->marks);
    g_hash_table_unref(self->kept);
    g_free(self);
}

void
sim_look_close(SimLook *self)
{
    sqlite3_close(self->journal);
    self->journal = NULL;
}

/* ---- reading the journal ---- */

static char *
dup_column(sqlite3_stmt *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row, column);
    return g_strdup(text ? (const char *)text : "");
}

/* The functions of a record; with ONLY_UNIT those that stand there for it. */
static void
add_record(SimLook *self, const char *owner, const char *only_unit, sqlite3_stmt *row, int column)
{
    gsize size = (gsize)sqlite3_column_bytes(row, column);
    g_autoptr(GBytes) bytes = g_bytes_new(sqlite3_column_blob(row, column), size);
    g_autoptr(GVariant) wrapped =
        g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARIANT, bytes, FALSE));
    g_autoptr(GVariant) record = g_variant_get_variant(wrapped);
    if (!g_variant_is_of_type(record, G_VARIANT_TYPE("(ua(ssssssb))")))
        return;
    g_autoptr(GVariant) functions = g_variant_get_child_value(record, 1);
    GVariantIter iter;
    const char *address, *identity, *driver, *override, *group, *unit;
    gboolean passed;
    g_variant_iter_init(&iter, functions);
    while (g_variant_iter_next(&iter, "(&s&s&s&s&s&sb)", &address, &identity, &driver, &override,
                               &group, &unit, &passed)) {
        if (only_unit && strcmp(only_unit, unit) != 0)
            continue;
        SimRow *added = g_new0(SimRow, 1);
        *added = (SimRow){g_strdup(owner),  g_strdup(address),  g_strdup(identity),
                          g_strdup(driver), g_strdup(override), g_strdup(unit)};
        g_ptr_array_add(self->rows, added);
    }
}

static void
take_machine(SimLook *self, sqlite3_stmt *row)
{
    g_hash_table_insert(self->machines, dup_column(row, 0), dup_column(row, 1));
    if (sqlite3_column_int(row, 2))
        g_hash_table_add(self->created, dup_column(row, 0));
}

static void
take_unit(SimLook *self, sqlite3_stmt *row)
{
    SimRow *unit = g_new0(SimRow, 1);
    unit->address = dup_column(row, 0);
    unit->identity = dup_column(row, 1);
    unit->owner = dup_column(row, 2);
    g_ptr_array_add(self->units, unit);
}

static void
take_record(SimLook *self, sqlite3_stmt *row)
{
    g_autofree char *owner = dup_column(row, 0);
    add_record(self, owner, NULL, row, 1);
}

static void
take_mark(SimLook *self, sqlite3_stmt *row)
{
    g_autofree char *unit = dup_column(row, 0);
    SimMark *mark = g_new0(SimMark, 1);
    *mark = (SimMark){dup_column(row, 1), dup_column(row, 2),
                      sqlite3_column_type(row, 3) != SQLITE_NULL};
    if (mark->has_record)
        add_record(self, "", unit, row, 3);
    g_hash_table_insert(self->marks, g_steal_pointer(&unit), mark);
}

static void
take_pending(SimLook *self, sqlite3_stmt *row)
{
    (void)row;
    self->pending = TRUE;
}

static gboolean
query(SimLook *self, const char *sql, void (*take)(SimLook *, sqlite3_stmt *))
{
    sqlite3_stmt *row = NULL;
    int result = sqlite3_prepare_v2(self->journal, sql, -1, &row, NULL);
    while (result == SQLITE_OK || result == SQLITE_ROW)
        if ((result = sqlite3_step(row)) == SQLITE_ROW)
            take(self, row);
    sqlite3_finalize(row);
    return result == SQLITE_DONE;
}

static gboolean
look_into_file(SimLook *self, const char *path)
{
    if (!self->journal)
        sqlite3_open_v2(path, &self->journal, SQLITE_OPEN_READWRITE, SIM_DISK_CHECK_VFS);
    self->pending = FALSE;
    if (self->state == SIM_JOURNAL_DAMAGED || !query(self, "SELECT 1 FROM rebuild", take_pending))
        return FALSE;
    self->state = self->pending ? SIM_JOURNAL_PENDING : SIM_JOURNAL_WHOLE;
    if (self->pending)
        return FALSE;
    self->world->hands_off = FALSE;
    g_ptr_array_set_size(self->rows, 0);
    g_ptr_array_set_size(self->units, 0);
    g_hash_table_remove_all(self->machines);
    g_hash_table_remove_all(self->created);
    g_hash_table_remove_all(self->marks);
    return query(self, "SELECT uuid, name, created FROM machine", take_machine) &&
           query(self, "SELECT id, identity, machine FROM held_unit", take_unit) &&
           query(self, "SELECT machine, bytes FROM record WHERE source='pci'", take_record) &&
           query(self,
                 "SELECT id, quarantine, identity, record FROM unit_mark WHERE quarantine NOT NULL",
                 take_mark);
}

gboolean
sim_look(SimLook *self)
{
    g_autofree char *path = g_build_filename(self->provider->folder, "state.db", NULL);
    return look_into_file(self, path);
}

gboolean
sim_look_ahead(SimLook *self, SimDisk *disk)
{
    g_autofree char *path = g_build_filename(self->provider->folder, "state.db", NULL);
    g_autofree char *copy = g_build_filename(self->provider->folder, "copy.db", NULL);
    sim_disk_copy(disk, path, copy);
    gboolean ok = look_into_file(self, copy);
    sim_look_close(self);
    return ok;
}

const SimRow *
sim_look_find_row(const SimLook *self, const SimCard *card)
{
    for (guint i = 0; i < self->rows->len; i++) {
        const SimRow *row = g_ptr_array_index(self->rows, i);
        if (strcmp(row->address, card->card.address) == 0 &&
            strcmp(row->identity, card->identity) == 0)
            return row;
    }
    return NULL;
}

gboolean
sim_look_has_mark(const SimLook *self, const SimCard *card)
{
    GHashTableIter iter;
    gpointer unit;
    g_hash_table_iter_init(&iter, self->marks);
    while (g_hash_table_iter_next(&iter, &unit, NULL)) {
        const SimCard *marked = sim_world_find_card(self->world, unit);
        if (marked && marked->card.group == card->card.group)
            return TRUE;
    }
    return FALSE;
}

gboolean
sim_look_explains(const SimLook *self, const SimCard *card)
{
    return sim_look_find_row(self, card) != NULL || (card->unsure && sim_look_has_mark(self, card));
}

/* ---- damage ---- */

/* A machine comes back only from its domain. */
static void
forget_kept(SimLook *self)
{
    GHashTableIter iter;
    gpointer uuid;
    g_hash_table_iter_init(&iter, self->kept);
    while (g_hash_table_iter_next(&iter, &uuid, NULL))
        if (!sim_world_find_domain(self->world, uuid))
            g_hash_table_iter_remove(&iter);
}

void
sim_look_note_damage(SimLook *self)
{
    sim_look_close(self);
    self->state = SIM_JOURNAL_DAMAGED;
    forget_kept(self);
    for (guint i = 0; i < self->world->cards->len; i++)
        ((SimCard *)g_ptr_array_index(self->world->cards, i))->unsure = TRUE;
}

void
sim_look_note_start(SimLook *self)
{
    if (self->state == SIM_JOURNAL_WHOLE)
        return;
    self->state = SIM_JOURNAL_PENDING;
    self->world->hands_off = TRUE;
    sim_look(self);
}
