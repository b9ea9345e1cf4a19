/* SPDX-License-Identifier: Apache-2.0 */
#include "journal-db.h"

#include "journal-rows.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt-provider/error.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#define SCHEMA_VERSION 1
#define REMOVALS_BETWEEN_CLEANUPS 64
#define MAX_EVENTS 10000
#define APPLICATION_ID 0x6c767031 /* "lvp1" */

/* MEMORY: a savepoint's journal is no file in /var/tmp. */
static const char PRAGMAS[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;";

/* What costs is the number of pages that a commit has to sync. So machines have no index but their
 * row (that names and uuids are unique is the allocator's to see to), and a template, which is
 * larger than all the rest, stands once for all machines that were made from it. */
static const char SCHEMA[] =
    "CREATE TABLE template(id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, text TEXT NOT NULL);"
    "CREATE TABLE machine(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL, name TEXT NOT NULL,"
    " class TEXT NOT NULL, request TEXT NOT NULL, template INTEGER NOT NULL, labels TEXT NOT NULL,"
    " annotations TEXT NOT NULL, amounts TEXT NOT NULL, desired INTEGER NOT NULL,"
    " created INTEGER NOT NULL, keep_nvram INTEGER NOT NULL, autostart INTEGER NOT NULL,"
    " op INTEGER NOT NULL, step INTEGER NOT NULL, boot_id TEXT NOT NULL,"
    " generation INTEGER NOT NULL, error TEXT);"
    "CREATE TABLE held_unit(source TEXT, id TEXT, identity TEXT, machine TEXT NOT NULL,"
    " resource TEXT NOT NULL, node INTEGER NOT NULL, found BLOB,"
    " PRIMARY KEY(source, id, identity)) WITHOUT ROWID;"
    "CREATE TABLE record(machine TEXT, source TEXT, bytes BLOB NOT NULL,"
    " PRIMARY KEY(machine, source)) WITHOUT ROWID;"
    "CREATE TABLE unit_mark(source TEXT, id TEXT, cordoned INTEGER NOT NULL, quarantine TEXT,"
    " resource TEXT, identity TEXT, record BLOB, found BLOB, PRIMARY KEY(source, id))"
    " WITHOUT ROWID;"
    "CREATE TABLE rebuild(reason TEXT NOT NULL);"
    "CREATE TABLE origin(host_root TEXT NOT NULL);"
    "CREATE TABLE event(id INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, kind TEXT NOT NULL,"
    " subject TEXT NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL,"
    " reason TEXT NOT NULL);";

typedef enum {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_SAVEPOINT,
    SQL_RELEASE,
    SQL_ROLLBACK_TO,
    SQL_INSERT_TEMPLATE,
    SQL_FIND_TEMPLATE,
    SQL_DELETE_TEMPLATES,
    SQL_INSERT_MACHINE,
    SQL_UPDATE_MACHINE,
    SQL_DELETE_MACHINE,
    SQL_INSERT_UNIT,
    SQL_DELETE_UNITS,
    SQL_PUT_RECORD,
    SQL_DELETE_RECORDS,
    SQL_PUT_MARK,
    SQL_DELETE_MARK,
    SQL_INSERT_EVENT,
    SQL_DELETE_EVENTS,
    SQL_COUNT,
} Sql;

static const char *const SQL_TEXTS[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_SAVEPOINT] = "SAVEPOINT task",
    [SQL_RELEASE] = "RELEASE task",
    [SQL_ROLLBACK_TO] = "ROLLBACK TO task",
    [SQL_INSERT_TEMPLATE] = "INSERT OR IGNORE INTO template(hash, text) VALUES(?1,?2)",
    [SQL_FIND_TEMPLATE] = "SELECT id FROM template WHERE hash=?1",
    [SQL_DELETE_TEMPLATES] = "DELETE FROM template WHERE id NOT IN (SELECT template FROM machine)",
    [SQL_INSERT_MACHINE] =
        "INSERT INTO machine(desired, created, op, step, boot_id, generation,"
        " error, keep_nvram, uuid, name, class, request, template, labels, annotations,"
        " amounts, autostart) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)",
    [SQL_UPDATE_MACHINE] = "UPDATE machine SET desired=?1, created=?2, op=?3, step=?4, boot_id=?5,"
                           " generation=?6, error=?7, keep_nvram=?8 WHERE id=?9",
    [SQL_DELETE_MACHINE] = "DELETE FROM machine WHERE id=?1",
    [SQL_INSERT_UNIT] = "INSERT INTO held_unit(source, id, machine, resource, identity, node,"
                        " found) VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [SQL_DELETE_UNITS] = "DELETE FROM held_unit WHERE source=?1 AND id=?2 AND machine=?3",
    [SQL_PUT_RECORD] = "INSERT OR REPLACE INTO record(machine, source, bytes) VALUES(?1,?2,?3)",
    [SQL_DELETE_RECORDS] = "DELETE FROM record WHERE machine=?1",
    [SQL_PUT_MARK] = "INSERT OR REPLACE INTO unit_mark(source, id, cordoned, quarantine, resource,"
                     " identity, record, found) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
    [SQL_DELETE_MARK] = "DELETE FROM unit_mark WHERE source=?1 AND id=?2",
    [SQL_INSERT_EVENT] = "INSERT OR REPLACE INTO event(id, time_us, kind, subject, from_state,"
                         " to_state, reason) VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [SQL_DELETE_EVENTS] = "DELETE FROM event WHERE id<=?1",
};

struct LvpJournalDb {
    sqlite3 *handle;
    sqlite3_stmt *statements[SQL_COUNT];
    char *path;
    char *last_template; /* its text, and its row; 0: not known to be there */
    gint64 last_template_id;
    guint n_removed; /* machines, since templates were last looked through */
};

/* ---- statements ---- */

/* What the system has said. Of a file that can only be read sqlite keeps nothing, and of one that
 * cannot be made the errno of its second try, which is for reading. */
static int
find_errno(const LvpJournalDb *self)
{
    int code = sqlite3_system_errno(self->handle);
    g_autofree char *folder = g_path_get_dirname(self->path);
    if (code != 0 && code != ENOENT)
        return code;
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0 ||
        (faccessat(AT_FDCWD, self->path, W_OK, AT_EACCESS) < 0 && errno != ENOENT))
        return errno;
    return code;
}

/* That, and where to look; g_free(). */
static char *
explain_errno(const LvpJournalDb *self)
{
    int code = find_errno(self);
    return g_strdup_printf(
        "%s%s%s: the daemon must be able to write in the state folder, see --libvirt-provider-dir",
        code ? " (" : "", code ? g_strerror(code) : "", code ? ")" : "");
}

static char *
explain_error(const LvpJournalDb *self)
{
    int result = sqlite3_errcode(self->handle) & 0xff; /* without the extension */
    if (result != SQLITE_CANTOPEN && result != SQLITE_READONLY && result != SQLITE_IOERR &&
        result != SQLITE_FULL)
        return g_strdup("");
    return explain_errno(self);
}

static void
set_db_error(LvpJournalDb *self, GError **error, const char *what)
{
    g_autofree char *explanation = explain_error(self);
    int code = sqlite3_errcode(self->handle);
    /* What is read is asked for in the same words always: SQL that is wrong now is of a file that
     * is. */
    gboolean damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB ||
                       (code == SQLITE_ERROR && strcmp(what, "write") != 0);
    g_set_error(error, LVP_ERROR,
                code == SQLITE_CONSTRAINT ? LVP_ERROR_CONFLICT
                : damaged                 ? LVP_ERROR_DAMAGED
                                          : LVP_ERROR_HOST,
                "cannot %s journal %s: %s%s", what, self->path, sqlite3_errmsg(self->handle),
                explanation);
}

static void
bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

/* Runs a statement that returns no rows, and clears it for the next use. */
static gboolean
step(LvpJournalDb *self, Sql sql, GError **error)
{
    sqlite3_stmt *statement = self->statements[sql];
    gboolean ok = sqlite3_step(statement) == SQLITE_DONE;
    if (!ok)
        set_db_error(self, error, "write");
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return ok;
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

/* *RET_TEXT is the first value that SQL gives, NULL where it gives none; g_free(). */
static gboolean
read_text(LvpJournalDb *self, const char *sql, char **ret_text, GError **error)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(self->handle, sql, -1, &statement, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    gboolean ok = result == SQLITE_ROW || result == SQLITE_DONE;
    if (ok)
        *ret_text =
            result == SQLITE_ROW ? g_strdup((const char *)sqlite3_column_text(statement, 0)) : NULL;
    else
        set_db_error(self, error, "read");
    sqlite3_finalize(statement);
    return ok;
}

static gboolean
execute(LvpJournalDb *self, const char *sql, GError **error)
{
    if (sqlite3_exec(self->handle, sql, NULL, NULL, NULL) == SQLITE_OK)
        return TRUE;
    set_db_error(self, error, "open");
    return FALSE;
}

/* ---- writes ---- */

static sqlite3_stmt *
bind_progress(LvpJournalDb *self, Sql sql, const LvpMachine *machine)
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
    if (!step(self, SQL_INSERT_TEMPLATE, error))
        return 0;
    sqlite3_stmt *row = self->statements[SQL_FIND_TEMPLATE];
    bind_text(row, 1, hash);
    gint64 id = sqlite3_step(row) == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
    if (id == 0)
        set_db_error(self, error, "read");
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
    return step(self, SQL_DELETE_TEMPLATES, error);
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
        if (!step(self, SQL_INSERT_UNIT, error))
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
    if (!step(self, SQL_INSERT_MACHINE, error))
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
    if (!step(self, SQL_UPDATE_MACHINE, error))
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
        if (!step(self, SQL_PUT_RECORD, error))
            return FALSE;
    }
    return lvp_journal_db_save_machine(self, machine, error);
}

gboolean
lvp_journal_db_set_mark(LvpJournalDb *self, const LvpUnitMark *mark, GError **error)
{
    gboolean empty = !mark->cordoned && !mark->quarantine;
    Sql sql = empty ? SQL_DELETE_MARK : SQL_PUT_MARK;
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
    return step(self, sql, error);
}

static gboolean
delete_units(LvpJournalDb *self, const LvpHolding *holding, GError **error)
{
    for (guint i = 0; i < holding->units->len; i++) {
        sqlite3_stmt *statement = self->statements[SQL_DELETE_UNITS];
        bind_text(statement, 1, holding->source);
        bind_text(statement, 2, g_array_index(holding->units, LvpHeldUnit, i).id);
        bind_text(statement, 3, holding->machine);
        if (!step(self, SQL_DELETE_UNITS, error))
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
    if (!step(self, SQL_DELETE_RECORDS, error))
        return FALSE;
    sqlite3_bind_int64(self->statements[SQL_DELETE_MACHINE], 1, machine->row_id);
    if (!step(self, SQL_DELETE_MACHINE, error))
        return FALSE;
    if (++self->n_removed >= REMOVALS_BETWEEN_CLEANUPS && !forget_templates(self, error))
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
        if (!step(self, SQL_INSERT_EVENT, error))
            return FALSE;
        last_id = event->id;
    }
    sqlite3_bind_int64(self->statements[SQL_DELETE_EVENTS], 1, last_id - MAX_EVENTS);
    return step(self, SQL_DELETE_EVENTS, error);
}

/* ---- after damage ---- */

/* One row says that the journal has to be made again, and why. */
gboolean
lvp_journal_db_set_rebuild(LvpJournalDb *self, const char *reason, GError **error)
{
    if (!reason)
        return execute(self, "DELETE FROM rebuild", error);
    char *sql = sqlite3_mprintf("INSERT INTO rebuild(reason) VALUES(%Q)", reason);
    gboolean ok = execute(self, sql, error);
    sqlite3_free(sql);
    return ok;
}

gboolean
lvp_journal_db_check(LvpJournalDb *self, GError **error)
{
    g_autofree char *answer = NULL;
    if (!read_text(self, "PRAGMA quick_check(1)", &answer, error))
        return FALSE;
    if (g_strcmp0(answer, "ok") == 0)
        return TRUE;
    g_autofree char *line = g_strdelimit(g_strdup(answer ? answer : "no answer"), "\n", ' ');
    g_set_error(error, LVP_ERROR, LVP_ERROR_DAMAGED, "journal %s is damaged: %s", self->path, line);
    return FALSE;
}

gboolean
lvp_journal_db_read_host_root(LvpJournalDb *self, char **ret_host_root, GError **error)
{
    return read_text(self, "SELECT host_root FROM origin LIMIT 1", ret_host_root, error);
}

gboolean
lvp_journal_db_set_host_root(LvpJournalDb *self, const char *host_root, GError **error)
{
    char *sql = sqlite3_mprintf("INSERT INTO origin(host_root) VALUES(%Q)", host_root);
    gboolean ok = execute(self, sql, error);
    sqlite3_free(sql);
    return ok;
}

gboolean
lvp_journal_db_read_rebuild(LvpJournalDb *self, char **ret_reason, GError **error)
{
    return read_text(self, "SELECT reason FROM rebuild LIMIT 1", ret_reason, error);
}

/* ---- transactions ---- */

gboolean
lvp_journal_db_begin(LvpJournalDb *self, GError **error)
{
    return step(self, SQL_BEGIN, error);
}

gboolean
lvp_journal_db_commit(LvpJournalDb *self, GError **error)
{
    if (step(self, SQL_COMMIT, error))
        return TRUE;
    lvp_journal_db_roll_back(self);
    return FALSE;
}

void
lvp_journal_db_roll_back(LvpJournalDb *self)
{
    self->last_template_id = 0; /* it may be this transaction that has put it there */
    if (lvp_journal_db_is_in_transaction(self))
        step(self, SQL_ROLLBACK, NULL);
}

gboolean
lvp_journal_db_is_in_transaction(LvpJournalDb *self)
{
    return !sqlite3_get_autocommit(self->handle);
}

gboolean
lvp_journal_db_begin_part(LvpJournalDb *self, GError **error)
{
    return step(self, SQL_SAVEPOINT, error);
}

gboolean
lvp_journal_db_end_part(LvpJournalDb *self, gboolean keep, GError **error)
{
    if (!keep) {
        self->last_template_id = 0;
        step(self, SQL_ROLLBACK_TO, NULL);
    }
    return step(self, SQL_RELEASE, error);
}

/* ---- open and close ---- */

static gboolean
read_pragma(LvpJournalDb *self, const char *sql, gint64 *ret_value, GError **error)
{
    sqlite3_stmt *statement = NULL;
    gboolean ok = sqlite3_prepare_v2(self->handle, sql, -1, &statement, NULL) == SQLITE_OK &&
                  sqlite3_step(statement) == SQLITE_ROW;
    if (ok)
        *ret_value = sqlite3_column_int64(statement, 0);
    else
        set_db_error(self, error, "read");
    sqlite3_finalize(statement);
    return ok;
}

static gboolean
make_schema(LvpJournalDb *self, GError **error)
{
    g_autofree char *sql =
        g_strdup_printf("BEGIN EXCLUSIVE; PRAGMA application_id=%d; PRAGMA user_version=%d; %s "
                        "COMMIT;",
                        APPLICATION_ID, SCHEMA_VERSION, SCHEMA);
    return execute(self, sql, error);
}

/* A file that was there and says nothing has lost what it said, and in one that is damaged its
 * version may be, too. */
static gboolean
check_schema(LvpJournalDb *self, gboolean is_new, GError **error)
{
    gint64 version, application;
    if (!read_pragma(self, "PRAGMA user_version", &version, error) ||
        !read_pragma(self, "PRAGMA application_id", &application, error))
        return FALSE;
    if (application == APPLICATION_ID && version == SCHEMA_VERSION)
        return TRUE;
    gboolean empty = version == 0 && application == 0;
    if (empty && is_new)
        return make_schema(self, error);
    if (!lvp_journal_db_check(self, error))
        return FALSE;
    if (empty)
        g_set_error(error, LVP_ERROR, LVP_ERROR_DAMAGED, "journal %s is damaged: it is empty",
                    self->path);
    else
        g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_SUPPORTED,
                    "journal %s is of schema %" G_GINT64_FORMAT " (application %" G_GINT64_FORMAT
                    "), this version knows %d: install the version that wrote it",
                    self->path, version, application, SCHEMA_VERSION);
    return FALSE;
}

static gboolean
prepare_statements(LvpJournalDb *self, GError **error)
{
    for (guint i = 0; i < SQL_COUNT; i++)
        if (sqlite3_prepare_v3(self->handle, SQL_TEXTS[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &self->statements[i], NULL) != SQLITE_OK) {
            set_db_error(self, error, "open");
            return FALSE;
        }
    return TRUE;
}

/* What an earlier process has left in the log may stand in the cache only: Linux forgets a sync
 * that failed. What is written after it would be lost with it when the power goes, so all of it
 * goes into the file first. With a reader it has to wait for the next start. */
static gboolean
write_log_back(LvpJournalDb *self, GError **error)
{
    int result =
        sqlite3_wal_checkpoint_v2(self->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (result == SQLITE_OK || result == SQLITE_BUSY)
        return TRUE;
    set_db_error(self, error, "open");
    return FALSE;
}

/* sqlite opens what it cannot write for reading. */
static gboolean
check_writable(const LvpJournalDb *self, GError **error)
{
    if (sqlite3_db_readonly(self->handle, "main") != 1)
        return TRUE;
    g_autofree char *explanation = explain_errno(self);
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "cannot open journal %s: it can only be read%s",
                self->path, explanation);
    return FALSE;
}

LvpJournalDb *
lvp_journal_db_open(const char *path, gboolean is_new, GError **error)
{
    g_autoptr(LvpJournalDb) self = g_new0(LvpJournalDb, 1);
    self->path = g_strdup(path);
    self->n_removed = REMOVALS_BETWEEN_CLEANUPS; /* what an earlier run has left */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | (is_new ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(self->path, &self->handle, flags, NULL) != SQLITE_OK) {
        set_db_error(self, error, "open");
        return NULL;
    }
    sqlite3_busy_timeout(self->handle, 2000);
    if (!check_writable(self, error) || !execute(self, PRAGMAS, error) ||
        !write_log_back(self, error) || !check_schema(self, is_new, error) ||
        !prepare_statements(self, error))
        return NULL;
    return g_steal_pointer(&self);
}

void
lvp_journal_db_close(LvpJournalDb *self)
{
    if (!self)
        return;
    for (guint i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(self->statements[i]);
    sqlite3_close(self->handle);
    g_free(self->last_template);
    g_free(self->path);
    g_free(self);
}

GPtrArray *
lvp_journal_db_load_machines(LvpJournalDb *self, GError **error)
{
    return lvp_journal_rows_load_machines(self->handle, self->path, error);
}

GPtrArray *
lvp_journal_db_load_marks(LvpJournalDb *self, GError **error)
{
    return lvp_journal_rows_load_marks(self->handle, self->path, error);
}

GPtrArray *
lvp_journal_db_load_events(LvpJournalDb *self, gint64 after, guint max, GError **error)
{
    return lvp_journal_rows_load_events(self->handle, self->path, after, max, error);
}
