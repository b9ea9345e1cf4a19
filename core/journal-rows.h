/* SPDX-License-Identifier: Apache-2.0 */
/* From rows of the journal back to machines and marks; trusts no value in them. PATH names the
 * journal in errors: LVP_ERROR_HOST, LVP_ERROR_DAMAGED where a value cannot be. */
#pragma once

#include "journal.h"

#include <sqlite3.h>

/* LvpMachine, in the order of names. */
GPtrArray *lvp_journal_rows_load_machines(sqlite3 *handle, const char *path, GError **error);
/* LvpUnitMark. */
GPtrArray *lvp_journal_rows_load_marks(sqlite3 *handle, const char *path, GError **error);
/* LvpEvent: up to MAX of those whose id is greater than AFTER. */
GPtrArray *lvp_journal_rows_load_events(
    sqlite3 *handle, const char *path, gint64 after, guint max, GError **error);
