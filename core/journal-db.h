/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's tables and writes. Only journal-* uses sqlite. One thread at a time; journal.c sees
 * to that. Errors: LVP_ERROR_HOST, LVP_ERROR_CONFLICT where a row contradicts another. */
#pragma once

#include "journal.h"

typedef struct LvpJournalDb LvpJournalDb;

/* With IS_NEW the file is made; without, one that is missing is LVP_ERROR_HOST, and one that holds
 * nothing LVP_ERROR_DAMAGED. */
LvpJournalDb *lvp_journal_db_open(const char *path, gboolean is_new, GError **error);
void lvp_journal_db_close(LvpJournalDb *self);

/* Looks at the whole file; LVP_ERROR_DAMAGED. */
gboolean lvp_journal_db_check(LvpJournalDb *self, GError **error);
/* Notes that the journal has to be made again, or with REASON NULL that it is. */
gboolean lvp_journal_db_set_rebuild(LvpJournalDb *self, const char *reason, GError **error);
/* *RET_REASON is NULL where it is all there; g_free(). */
gboolean lvp_journal_db_read_rebuild(LvpJournalDb *self, char **ret_reason, GError **error);
/* *RET_HOST_ROOT is NULL where none is set yet; g_free(). */
gboolean lvp_journal_db_read_host_root(LvpJournalDb *self, char **ret_host_root, GError **error);
gboolean lvp_journal_db_set_host_root(LvpJournalDb *self, const char *host_root, GError **error);

/* A transaction; a commit that fails has rolled back. */
gboolean lvp_journal_db_begin(LvpJournalDb *self, GError **error);
gboolean lvp_journal_db_commit(LvpJournalDb *self, GError **error);
void lvp_journal_db_roll_back(LvpJournalDb *self);
/* SQLite ends a transaction by itself after some errors, such as a full disk. */
gboolean lvp_journal_db_is_in_transaction(LvpJournalDb *self);
/* A part of it that can be taken back alone. */
gboolean lvp_journal_db_begin_part(LvpJournalDb *self, GError **error);
gboolean lvp_journal_db_end_part(LvpJournalDb *self, gboolean keep, GError **error);

gboolean lvp_journal_db_reserve(LvpJournalDb *self, LvpMachine *machine, GError **error);
gboolean lvp_journal_db_save_machine(LvpJournalDb *self, const LvpMachine *machine, GError **error);
gboolean lvp_journal_db_save_records(LvpJournalDb *self, const LvpMachine *machine, GError **error);
gboolean lvp_journal_db_remove(LvpJournalDb *self,
                               const LvpMachine *machine,
                               const GPtrArray *marks,
                               GError **error);
gboolean lvp_journal_db_set_mark(LvpJournalDb *self, const LvpUnitMark *mark, GError **error);

gboolean lvp_journal_db_add_events(LvpJournalDb *self, const GPtrArray *events, GError **error);
/* *RET_ID is that of the last event, 0 where there is none. */
gboolean lvp_journal_db_read_last_event(LvpJournalDb *self, gint64 *ret_id, GError **error);
/* Without those that cannot be read. */
GPtrArray *lvp_journal_db_load_events(LvpJournalDb *self, gint64 after, guint max, GError **error);

GPtrArray *lvp_journal_db_load_machines(LvpJournalDb *self, GError **error);
GPtrArray *lvp_journal_db_load_marks(LvpJournalDb *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpJournalDb, lvp_journal_db_close)
