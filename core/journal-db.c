/* SPDX-License-Identifier: Apache-2.0 */
#include "journal-db-private.h"
#include "journal-rows.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt-provider/error.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#define SCHEMA_VERSION 1
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

void
lvp_journal_db_set_error(LvpJournalDb *self, GError **error, const char *what)
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

gboolean
lvp_journal_db_step(LvpJournalDb *self, LvpJournalSql sql, GError **error)
{
    sqlite3_stmt *statement = self->statements[sql];
    gboolean ok = sqlite3_step(statement) == SQLITE_DONE;
    if (!ok)
        lvp_journal_db_set_error(self, error, "write");
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return ok;
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
        lvp_journal_db_set_error(self, error, "read");
    sqlite3_finalize(statement);
    return ok;
}

static gboolean
execute(LvpJournalDb *self, const char *sql, GError **error)
{
    if (sqlite3_exec(self->handle, sql, NULL, NULL, NULL) == SQLITE_OK)
        return TRUE;
    lvp_journal_db_set_error(self, error, "open");
    return FALSE;
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
    return lvp_journal_db_step(self, SQL_BEGIN, error);
}

gboolean
lvp_journal_db_commit(LvpJournalDb *self, GError **error)
{
    if (lvp_journal_db_step(self, SQL_COMMIT, error))
        return TRUE;
    lvp_journal_db_roll_back(self);
    return FALSE;
}

void
lvp_journal_db_roll_back(LvpJournalDb *self)
{
    self->last_template_id = 0; /* it may be this transaction that has put it there */
    if (lvp_journal_db_is_in_transaction(self))
        lvp_journal_db_step(self, SQL_ROLLBACK, NULL);
}

gboolean
lvp_journal_db_is_in_transaction(LvpJournalDb *self)
{
    return !sqlite3_get_autocommit(self->handle);
}

gboolean
lvp_journal_db_begin_part(LvpJournalDb *self, GError **error)
{
    return lvp_journal_db_step(self, SQL_SAVEPOINT, error);
}

gboolean
lvp_journal_db_end_part(LvpJournalDb *self, gboolean keep, GError **error)
{
    if (!keep) {
        self->last_template_id = 0;
        lvp_journal_db_step(self, SQL_ROLLBACK_TO, NULL);
    }
    return lvp_journal_db_step(self, SQL_RELEASE, error);
}

/* ---- open and close ---- */

static gboolean
read_number(LvpJournalDb *self, const char *sql, gint64 *ret_value, GError **error)
{
    sqlite3_stmt *statement = NULL;
    gboolean ok = sqlite3_prepare_v2(self->handle, sql, -1, &statement, NULL) == SQLITE_OK &&
                  sqlite3_step(statement) == SQLITE_ROW;
    if (ok)
        *ret_value = sqlite3_column_int64(statement, 0);
    else
        lvp_journal_db_set_error(self, error, "read");
    sqlite3_finalize(statement);
    return ok;
}

gboolean
lvp_journal_db_read_last_event(LvpJournalDb *self, gint64 *ret_id, GError **error)
{
    return read_number(self, "SELECT ifnull(max(id), 0) FROM event", ret_id, error);
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

/* Before anything is written, for the file may be another's. One that was there and says nothing
 * has lost what it said, and in one that is damaged its version may be, too. */
static gboolean
check_schema(LvpJournalDb *self, gboolean is_new, GError **error)
{
    gint64 version, application;
    if (!read_number(self, "PRAGMA user_version", &version, error) ||
        !read_number(self, "PRAGMA application_id", &application, error))
        return FALSE;
    if (application == APPLICATION_ID && version == SCHEMA_VERSION)
        return TRUE;
    gboolean empty = version == 0 && application == 0;
    if (empty && is_new)
        return TRUE;
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
            lvp_journal_db_set_error(self, error, "open");
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
    lvp_journal_db_set_error(self, error, "open");
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
    self->n_removed = LVP_JOURNAL_REMOVALS_BETWEEN_CLEANUPS; /* what an earlier run has left */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | (is_new ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(self->path, &self->handle, flags, NULL) != SQLITE_OK) {
        lvp_journal_db_set_error(self, error, "open");
        return NULL;
    }
    sqlite3_busy_timeout(self->handle, 2000);
    if (!check_writable(self, error) || !check_schema(self, is_new, error) ||
        !execute(self, PRAGMAS, error) || !write_log_back(self, error) ||
        (is_new && !make_schema(self, error)) || !prepare_statements(self, error))
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
