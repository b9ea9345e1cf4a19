/* SPDX-License-Identifier: Apache-2.0 */
/* What journal-db.c (the file, its schema and transactions) and journal-writes.c (the rows) share.
 * Of no interest to others. */
#pragma once

#include "journal-db.h"

#include <sqlite3.h>

/* Removed machines after which templates are looked through for those that nobody needs. */
#define LVP_JOURNAL_REMOVALS_BETWEEN_CLEANUPS 64

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
} LvpJournalSql;

struct LvpJournalDb {
    sqlite3 *handle;
    sqlite3_stmt *statements[SQL_COUNT];
    char *path;
    char *last_template; /* its text, and its row; 0: not known to be there */
    gint64 last_template_id;
    guint n_removed; /* machines, since templates were last looked through */
};

/* After a call of sqlite that failed; WHAT is open, read or write. */
void lvp_journal_db_set_error(LvpJournalDb *self, GError **error, const char *what);
/* Runs a statement that returns no rows, and clears it for the next use. */
gboolean lvp_journal_db_step(LvpJournalDb *self, LvpJournalSql sql, GError **error);
