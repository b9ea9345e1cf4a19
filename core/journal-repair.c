/* SPDX-License-Identifier: Apache-2.0 */
/* The new journal is there, and says what it is, before the damaged one leaves its place: whenever
 * this breaks off, the next start finds either the damaged one, or no journal but the new one
 * beside it. The write-ahead log goes with its own file: SQLite would play it into any other. */
#include "journal-repair.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <libvirt-provider/error.h>
#include <unistd.h>

static gboolean
move(const char *from, const char *to, GError **error)
{
    if (g_rename(from, to) == 0 || errno == ENOENT)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "cannot set %s aside as %s: %s", from, to,
                g_strerror(errno));
    return FALSE;
}

/* Makes the names in the folder of PATH durable. */
static gboolean
sync_folder(const char *path, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gboolean ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "cannot sync %s: %s", folder,
                    g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

static char *
make_aside_path(const char *path)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time = g_date_time_format(now, "%Y%m%dT%H%M%S");
    return g_strdup_printf("%s.damaged-%s.%06dZ", path, time, g_date_time_get_microsecond(now));
}

/* Moves what is left of the journal at PATH to ASIDE, and FRESH into its place. */
static gboolean
exchange(const char *path, const char *aside, const char *fresh, GError **error)
{
    static const char *const SUFFIXES[] = {"", "-wal", "-shm"};
    for (guint i = 0; i < G_N_ELEMENTS(SUFFIXES); i++) {
        g_autofree char *from = g_strconcat(path, SUFFIXES[i], NULL);
        g_autofree char *to = g_strconcat(aside, SUFFIXES[i], NULL);
        if (!move(from, to, error) || !sync_folder(path, error))
            return FALSE;
    }
    return move(fresh, path, error) && sync_folder(path, error);
}

static gboolean
make_fresh(const char *fresh, const char *reason, GError **error)
{
    g_unlink(fresh); /* of an attempt that broke off */
    g_autoptr(LvpJournalDb) db = lvp_journal_db_open(fresh, TRUE, error);
    return db && lvp_journal_db_set_rebuild(db, reason, error);
}

static gboolean
set_aside(const char *path, const char *fresh, const GError *problem, GError **error)
{
    g_autofree char *aside = make_aside_path(path);
    g_autofree char *reason = g_strdup_printf("%s; it is kept as %s", problem->message, aside);
    if (!make_fresh(fresh, reason, error) || !exchange(path, aside, fresh, error))
        return FALSE;
    g_warning("%s: machines are taken up from their domains", reason);
    return TRUE;
}

/* One that broke off between the two. */
static gboolean
finish_exchange(const char *path, const char *fresh, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_EXISTS) || !g_file_test(fresh, G_FILE_TEST_EXISTS))
        return TRUE;
    g_autofree char *aside = make_aside_path(path);
    return exchange(path, aside, fresh, error);
}

static LvpJournalDb *
open_and_look(const char *path, GError **error)
{
    gboolean is_new = !g_file_test(path, G_FILE_TEST_EXISTS);
    g_autoptr(LvpJournalDb) db = lvp_journal_db_open(path, is_new, error);
    if (!db || !lvp_journal_db_check(db, error))
        return NULL;
    g_autoptr(GPtrArray) machines = lvp_journal_db_load_machines(db, error);
    g_autoptr(GPtrArray) marks = machines ? lvp_journal_db_load_marks(db, error) : NULL;
    return marks ? g_steal_pointer(&db) : NULL;
}

/* SQLite tells of a page that could not be read in the same words as of one that is wrong: a
 * damaged file is so at the second look, too. */
static LvpJournalDb *
open_and_look_twice(const char *path, GError **error)
{
    g_autoptr(GError) first = NULL;
    LvpJournalDb *db = open_and_look(path, &first);
    if (db || g_error_matches(first, LVP_ERROR, LVP_ERROR_DAMAGED))
        return db ? db : open_and_look(path, error);
    g_propagate_error(error, g_steal_pointer(&first));
    return NULL;
}

LvpJournalDb *
lvp_journal_repair_open(const char *path, GError **error)
{
    g_autofree char *fresh = g_strconcat(path, ".new", NULL);
    g_autoptr(GError) problem = NULL;
    if (!finish_exchange(path, fresh, error))
        return NULL;
    LvpJournalDb *db = open_and_look_twice(path, &problem);
    if (db)
        return db;
    if (!g_error_matches(problem, LVP_ERROR, LVP_ERROR_DAMAGED)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    return set_aside(path, fresh, problem, error) ? lvp_journal_db_open(path, FALSE, error) : NULL;
}
