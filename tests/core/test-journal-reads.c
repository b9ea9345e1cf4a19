/* SPDX-License-Identifier: Apache-2.0 */
/* A disk from which something cannot be read: that is no damage. */
#include "assert-error.h"
#include "journal.h"
#include "scratch.h"

#include <sqlite3.h>
#include <string.h>

#define UUID "00000000-0000-4000-8000-000000000001"

static LvpScratch *scratch;
static char *folder;
static sqlite3_vfs vfs;
static sqlite3_io_methods methods; /* of the journal's file */
static const sqlite3_io_methods *real;
static int n_reads, fail_at; /* the number of the read that fails, and all from there; 0: none */
static int n_failures;       /* how many in a row */

static int
read_or_fail(sqlite3_file *file, void *buffer, int amount, sqlite3_int64 offset)
{
    n_reads++;
    if (fail_at > 0 && n_reads >= fail_at && n_reads < fail_at + n_failures)
        return SQLITE_IOERR_READ;
    return real->xRead(file, buffer, amount, offset);
}

static int
open_watched(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    const sqlite3_vfs *below = self->pAppData;
    int result = below->xOpen(self->pAppData, name, file, flags, ret_flags);
    if (result != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB))
        return result;
    real = file->pMethods;
    methods = *real;
    methods.iVersion = 2; /* without reads past xRead */
    methods.xRead = read_or_fail;
    file->pMethods = &methods;
    return SQLITE_OK;
}

static void
set_up(void)
{
    g_autoptr(GError) error = NULL;
    scratch = lvp_scratch_new();
    folder = lvp_scratch_get_path(scratch, "state");
    sqlite3_vfs *below = sqlite3_vfs_find(NULL);
    vfs = *below;
    vfs.zName = "watched";
    vfs.pAppData = below;
    vfs.xOpen = open_watched;
    sqlite3_vfs_register(&vfs, 1);
    g_autoptr(LvpJournal) journal = lvp_journal_open(folder, &error);
    assert_no_error(error);
    g_autoptr(LvpMachine) machine = lvp_machine_new(UUID, "vm1", "gpu");
    lvp_journal_reserve(journal, machine, &error);
    assert_no_error(error);
}

static void
tear_down(void)
{
    g_free(folder);
    lvp_scratch_free(scratch);
}

TestSuite(journal_reads, .init = set_up, .fini = tear_down);

/* Opens it with N failures from read number AT; whether it could be, with the machine in it. */
static gboolean
open_with_failures(int at, int n)
{
    g_autoptr(GError) error = NULL;
    n_reads = 0;
    fail_at = at;
    n_failures = n;
    g_autoptr(LvpJournal) journal = lvp_journal_open(folder, &error);
    fail_at = 0;
    if (!journal) {
        assert_error(error, LVP_ERROR_HOST);
        return FALSE;
    }
    g_autoptr(GPtrArray) machines = lvp_journal_load_machines(journal, &error);
    assert_no_error(error);
    cr_assert_eq(machines->len, 1, "read %d", at);
    return TRUE;
}

Test(journal_reads, journal_of_which_something_cannot_be_read_once_stays_in_place)
{
    cr_assert(open_with_failures(0, 0));
    int n_needed = n_reads;
    cr_assert_gt(n_needed, 5);
    for (int at = 1; at <= n_needed; at++)
        for (int n = 1; n <= 3; n++)
            open_with_failures(at, n);
    cr_assert(open_with_failures(0, 0));
}
