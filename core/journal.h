/* SPDX-License-Identifier: Apache-2.0 */
/* Machines and their claims on disk.
 *
 * Each write returns after it is durable (WAL, synchronous=FULL) or has failed with LVP_ERROR_HOST
 * and changed nothing. Writes may come from any thread; those that come together share a sync. What
 * a call passes in must not change until it returns. */
#pragma once

#include "event.h"
#include "machine.h"

typedef struct LvpJournal LvpJournal;

/* A unit that something is noted about, apart from who holds it. */
typedef struct {
    char *source;
    char *unit_id;
    gboolean cordoned;
    char *quarantine; /* the reason; NULL: not quarantined */
    char *resource;   /* of a quarantined unit */
    char *identity;
    GVariant *record; /* from which a release can try again; NULL without */
    GVariant *found; /* as of a LvpHeldUnit: the sets that it keeps from others though it is lost */
} LvpUnitMark;

LvpUnitMark *lvp_unit_mark_new(const char *source, const char *unit_id);
LvpUnitMark *lvp_unit_mark_copy(const LvpUnitMark *self);
void lvp_unit_mark_free(LvpUnitMark *self);

/* Opens or makes FOLDER/state.db. A damaged one is set aside, and the new one is to be made again:
 * see lvp_journal_read_rebuild(). LVP_ERROR_BUSY: another provider has the folder; LVP_ERROR_HOST:
 * not writable; LVP_ERROR_NOT_SUPPORTED: of a later version. */
LvpJournal *lvp_journal_open(const char *folder, GError **error);
/* After the last write has returned. Accepts NULL. */
void lvp_journal_close(LvpJournal *self);

/* Notes that it is of this host, the first time; LVP_ERROR_CONFLICT where it is of another. On a
 * host of which it knows nothing all machines would look lost. */
gboolean lvp_journal_claim_host(LvpJournal *self, const char *host_root, GError **error);

/* All machines with their holdings and records: LvpMachine, in the order of names. Both loads are
 * for the start, before the first write. */
GPtrArray *lvp_journal_load_machines(LvpJournal *self, GError **error);
/* All marks: LvpUnitMark. */
GPtrArray *lvp_journal_load_marks(LvpJournal *self, GError **error);

/* Adds the machine with its amounts and units, and sets its row_id. LVP_ERROR_CONFLICT where a unit
 * is held already. */
gboolean lvp_journal_reserve(LvpJournal *self, LvpMachine *machine, GError **error);
/* Updates the machine's row. */
gboolean lvp_journal_save_machine(LvpJournal *self, const LvpMachine *machine, GError **error);
/* The same, and the records of its holdings. */
gboolean lvp_journal_save_records(LvpJournal *self, const LvpMachine *machine, GError **error);
/* Forgets the machine and, in the same transaction, sets MARKS (LvpUnitMark; may be NULL). */
gboolean lvp_journal_remove(LvpJournal *self,
                            const LvpMachine *machine,
                            const GPtrArray *marks,
                            GError **error);
/* *RET_REASON: why the journal has to be made again, from what else is known; NULL where it is all
 * there. For the start. g_free(). */
gboolean lvp_journal_read_rebuild(LvpJournal *self, char **ret_reason, GError **error);
/* Adds a machine that exists, with its records. */
gboolean lvp_journal_adopt(LvpJournal *self, LvpMachine *machine, GError **error);
/* It is made again; MARKS (LvpUnitMark) are set in the same transaction. */
gboolean lvp_journal_end_rebuild(LvpJournal *self, const GPtrArray *marks, GError **error);
/* Sets a mark, or removes it if it says nothing. */
gboolean lvp_journal_set_mark(LvpJournal *self, const LvpUnitMark *mark, GError **error);

/* ---- events ---- */

/* Adds EVENTS (LvpEvent, in the order of ids) and forgets the oldest: ten thousand are kept. */
gboolean lvp_journal_add_events(LvpJournal *self, const GPtrArray *events, GError **error);
/* The highest id; 0 where there is none, -1 with error. Before anything is written. */
gint64 lvp_journal_read_last_event(LvpJournal *self, GError **error);
/* The last MAX events with an id above AFTER, in the order of ids: LvpEvent. */
GPtrArray *lvp_journal_load_events(LvpJournal *self, gint64 after, guint max, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpJournal, lvp_journal_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpUnitMark, lvp_unit_mark_free)
