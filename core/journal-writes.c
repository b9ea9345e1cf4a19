/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that the journal writes, within a transaction of its caller. */
#include "journal-db-private.h"

#include <libvirt-provider/error.h>
#include <string.h>

#define MAX_EVENTS 10000

/* ---- values ---- */

static void
bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

/* VALUE stays until the statement has run; NULL is null. */
static void
bind_variant(sqlite3_stmt *statement, int index, GVariant *value)
{
    if (value)
        sqlite3_bind_blob64(statement, index, g_variant_get_data(value), g_variant_get_size(value),
                            SQLITE_STATIC);
}

/* Records are wrapped in a variant, so that the bytes tell their type. */
static GVariant *
wrap_record(GVariant *record)
{
    g_autoptr(GVariant) wrapped = g_variant_ref_sink(g_variant_new_variant(record));
    if (G_BYTE_ORDER == G_BIG_ENDIAN)
        return g_variant_byteswap(wrapped);
    return g_steal_pointer(&wrapped);
}

/* The two below are texts of GVariant, too; but printing one takes longer than the write. Names of
 * resources and sources have nothing in them that a text would have to escape. */
static char *
request_to_text(const LvpRequest *request)
{
    g_autoptr(GString) text = g_string_new("[");
    for (guint i = 0; i < request->rows->len; i++) {
        const LvpRequestRow *row = &g_array_index(request->rows, LvpRequestRow, i);
        g_string_append_printf(text, "%s('%s', %" G_GINT64_FORMAT ")", i ? ", " : "", row->resource,
                               row->amount);
    }
    g_string_append_c(text, ']');
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
append_amount(
    GString *text, const LvpHolding *holding, const char *resource, int node, gint64 amount)
{
    g_string_append_printf(text, "%s('%s', '%s', %d, %" G_GINT64_FORMAT ")",
                           text->len > 1 ? ", " : "", holding->source, resource, node, amount);
}

/* Each: source, resource, node, amount. A holding without amounts has one without resource, which
 * keeps its place in the order of the sources. */
static char *
amounts_to_text(const LvpMachine *machine)
{
    g_autoptr(GString) text = g_string_new("[");
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        if (holding->amounts->len == 0)
            append_amount(text, holding, "", 0, 0);
        for (guint k = 0; k < holding->amounts->len; k++) {
            const LvpHeldAmount *held = &g_array_index(holding->amounts, LvpHeldAmount, k);
            append_amount(text, holding, held->resource, held->node, held->amount);
        }
    }
    g_string_append_c(text, ']');
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* ---- writes ---- */

static sqlite3_stmt *
bind_progress(LvpJournalDb *self, LvpJournalSql sql, const LvpMachine *machine)
{
    sqlite3_stmt *statement = self->statements[sql];
    sqlite3_bind_int(statement, 1, (int)machine->desired);
    sqlite3_bind_int(statement, 2, machine->created);
    sqlite3_bind_int(statement, 3, (int)machine->operation);
    sqlite3_bind_int(statement, 4, (int)machine->step);
    bind_text(statement, 5, machine->boot_id);
    sqlite3_bind_int64(statement, 6, machine->generation);
    bind_text(statement, 7, machine->error);
    sqlite3_bind_int(statement, 8, machine->keep_nvram);
    return statement;
}

/* The row of TEXT among the templates, made if need be; 0 on failure. */
static gint64
get_template(LvpJournalDb *self, const char *text, GError **error)
{
    if (self->last_template_id != 0 && strcmp(self->last_template, text) == 0)
        return self->last_template_id;
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    bind_text(self->statements[SQL_INSERT_TEMPLATE], 1, hash);
    bind_text(self->statements[SQL_INSERT_TEMPLATE], 2, text);
    if (!lvp_journal_db_step(self, SQL_INSERT_TEMPLATE, error))
        return 0;
    sqlite3_stmt *row = self->statements[SQL_FIND_TEMPLATE];
    bind_text(row, 1, hash);
    gint64 id = sqlite3_step(row) == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
    if (id == 0)
        lvp_journal_db_set_error(self, error, "read");
    sqlite3_reset(row);
    sqlite3_clear_bindings(row);
    g_free(self->last_template);
    self->last_template = g_strdup(text);
    self->last_template_id = id;
    return id;
}

/* Removes the templates that no machine has any more; now and then, because it reads all machines.
 */
static gboolean
forget_templates(LvpJournalDb *self, GError **error)
{
    self->last_template_id = 0;
    self->n_removed = 0;
    return lvp_journal_db_step(self, SQL_DELETE_TEMPLATES, error);
}

static gboolean
insert_units(LvpJournalDb *self, const LvpHolding *holding, GError **error)
{
    for (guint i = 0; i < holding->units->len; i++) {
        const LvpHeldUnit *unit = &g_array_index(holding->units, LvpHeldUnit, i);
        sqlite3_stmt *statement = self->statements[SQL_INSERT_UNIT];
        bind_text(statement, 1, holding->source);
        bind_text(statement, 2, unit->id);
        bind_text(statement, 3, holding->machine);
        bind_text(statement, 4, unit->resource);
        bind_text(statement, 5, unit->identity);
        sqlite3_bind_int(statement, 6, unit->node);
        bind_variant(statement, 7, unit->found);
        if (!lvp_journal_db_step(self, SQL_INSERT_UNIT, error))
            return FALSE;
    }
    return TRUE;
}

gboolean
lvp_journal_db_reserve(LvpJournalDb *self, LvpMachine *machine, GError **error)
{
    gint64 template = get_template(self, machine->template_xml, error);
    if (template == 0)
        return FALSE;
    g_autofree char *request = request_to_text(machine->request);
    g_autofree char *labels = g_variant_print(machine->labels, FALSE);
    g_autofree char *annotations = g_variant_print(machine->annotations, FALSE);
    g_autofree char *amounts = amounts_to_text(machine);
    sqlite3_stmt *statement = bind_progress(self, SQL_INSERT_MACHINE, machine);
    bind_text(statement, 9, machine->uuid);
    bind_text(statement, 10, machine->name);
    bind_text(statement, 11, machine->class_name);
    bind_text(statement, 12, request);
    sqlite3_bind_int64(statement, 13, template);
    bind_text(statement, 14, labels);
    bind_text(statement, 15, annotations);
    bind_text(statement, 16, amounts);
    sqlite3_bind_int(statement, 17, machine->autostart);
    if (!lvp_journal_db_step(self, SQL_INSERT_MACHINE, error))
        return FALSE;
    machine->row_id = sqlite3_last_insert_rowid(self->handle);
    for (guint i = 0; i < machine->holdings->len; i++)
        if (!insert_units(self, g_ptr_array_index(machine->holdings, i), error))
            return FALSE;
    return TRUE;
}

gboolean
lvp_journal_db_save_machine(LvpJournalDb *self, const LvpMachine *machine, GError **error)
{
    sqlite3_bind_int64(bind_progress(self, SQL_UPDATE_MACHINE, machine), 9, machine->row_id);
    if (!lvp_journal_db_step(self, SQL_UPDATE_MACHINE, error))
        return FALSE;
    if (sqlite3_changes(self->handle) == 1)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_INTERNAL, "machine %s is not in journal %s",
                machine->name, self->path);
    return FALSE;
}

gboolean
lvp_journal_db_save_records(LvpJournalDb *self, const LvpMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        if (!holding->record)
            continue;
        g_autoptr(GVariant) wrapped = wrap_record(holding->record);
        sqlite3_stmt *statement = self->statements[SQL_PUT_RECORD];
        bind_text(statement, 1, holding->machine);
        bind_text(statement, 2, holding->source);
        bind_variant(statement, 3, wrapped);
        if (!lvp_journal_db_step(self, SQL_PUT_RECORD, error))
            return FALSE;
    }
    return lvp_journal_db_save_machine(self, machine, error);
}

gboolean
lvp_journal_db_set_mark(LvpJournalDb *self, const LvpUnitMark *mark, GError **error)
{
    gboolean empty = !mark->cordoned && !mark->quarantine;
    LvpJournalSql sql = empty ? SQL_DELETE_MARK : SQL_PUT_MARK;
    sqlite3_stmt *statement = self->statements[sql];
    g_autoptr(GVariant) wrapped = mark->record ? wrap_record(mark->record) : NULL;
    bind_text(statement, 1, mark->source);
    bind_text(statement, 2, mark->unit_id);
    if (!empty) {
        sqlite3_bind_int(statement, 3, mark->cordoned);
        bind_text(statement, 4, mark->quarantine);
        bind_text(statement, 5, mark->resource);
        bind_text(statement, 6, mark->identity);
        bind_variant(statement, 7, wrapped);
        bind_variant(statement, 8, mark->found);
    }
    return lvp_journal_db_step(self, sql, error);
}

static gboolean
delete_units(LvpJournalDb *self, const LvpHolding *holding, GError **error)
{
    for (guint i = 0; i < holding->units->len; i++) {
        sqlite3_stmt *statement = self->statements[SQL_DELETE_UNITS];
        bind_text(statement, 1, holding->source);
        bind_text(statement, 2, g_array_index(holding->units, LvpHeldUnit, i).id);
        bind_text(statement, 3, holding->machine);
        if (!lvp_journal_db_step(self, SQL_DELETE_UNITS, error))
            return FALSE;
    }
    return TRUE;
}

gboolean
lvp_journal_db_remove(LvpJournalDb *self,
                      const LvpMachine *machine,
                      const GPtrArray *marks,
                      GError **error)
{
    for (guint i = 0; i < machine->holdings->len; i++)
        if (!delete_units(self, g_ptr_array_index(machine->holdings, i), error))
            return FALSE;
    bind_text(self->statements[SQL_DELETE_RECORDS], 1, machine->uuid);
    if (!lvp_journal_db_step(self, SQL_DELETE_RECORDS, error))
        return FALSE;
    sqlite3_bind_int64(self->statements[SQL_DELETE_MACHINE], 1, machine->row_id);
    if (!lvp_journal_db_step(self, SQL_DELETE_MACHINE, error))
        return FALSE;
    if (++self->n_removed >= LVP_JOURNAL_REMOVALS_BETWEEN_CLEANUPS &&
        !forget_templates(self, error))
        return FALSE;
    for (guint i = 0; marks && i < marks->len; i++)
        if (!lvp_journal_db_set_mark(self, g_ptr_array_index(marks, i), error))
            return FALSE;
    return TRUE;
}

gboolean
lvp_journal_db_add_events(LvpJournalDb *self, const GPtrArray *events, GError **error)
{
    gint64 last_id = 0;
    for (guint i = 0; i < events->len; i++) {
        const LvpEvent *event = g_ptr_array_index(events, i);
        sqlite3_stmt *statement = self->statements[SQL_INSERT_EVENT];
        sqlite3_bind_int64(statement, 1, event->id);
        sqlite3_bind_int64(statement, 2, event->time_us);
        bind_text(statement, 3, event->kind);
        bind_text(statement, 4, event->subject);
        bind_text(statement, 5, event->from);
        bind_text(statement, 6, event->to);
        bind_text(statement, 7, event->reason);
        if (!lvp_journal_db_step(self, SQL_INSERT_EVENT, error))
            return FALSE;
        last_id = event->id;
    }
    sqlite3_bind_int64(self->statements[SQL_DELETE_EVENTS], 1, last_id - MAX_EVENTS);
    return lvp_journal_db_step(self, SQL_DELETE_EVENTS, error);
}
