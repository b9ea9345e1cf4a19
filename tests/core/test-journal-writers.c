/* SPDX-License-Identifier: Apache-2.0 */
/* Several writers at once, and a writer that is killed. */
#include "assert-error.h"
#include "journal.h"
#include "scratch.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_THREADS 8
#define N_MACHINES 20
#define N_ACKNOWLEDGED 200
#define NAME_SIZE 16

/* ---- how often the disk is asked: these stand before those of the C library ---- */

static int n_syncs;

int
fdatasync(int fd)
{
    g_atomic_int_inc(&n_syncs);
    return (int)syscall(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
    g_atomic_int_inc(&n_syncs);
    return (int)syscall(SYS_fsync, fd);
}

/* ---- writers ---- */

static LvpMachine *
make_machine(guint thread, guint index, const char *unit)
{
    g_autofree char *uuid = g_uuid_string_random();
    g_autofree char *name = g_strdup_printf("t%u-%u", thread, index);
    LvpMachine *machine = lvp_machine_new(uuid, name, "gpu");
    LvpHolding *pci = lvp_holding_new(uuid, "pci");
    lvp_holding_add_unit(pci, "gpu.nvidia/a30", unit, "i", 0);
    g_ptr_array_add(machine->holdings, pci);
    return machine;
}

typedef struct {
    LvpJournal *journal;
    guint thread;
    const char *unit;  /* that all want; NULL: each its own */
    guint n_reserved;  /* out */
    guint n_conflicts; /* out */
    int pipe;          /* where acknowledged names go; -1: nowhere */
} Writer;

static gpointer
write_machines(gpointer data)
{
    Writer *self = data;
    for (guint i = 0; self->pipe >= 0 || i < N_MACHINES; i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *own = g_strdup_printf("%u:%u", self->thread, i);
        g_autoptr(LvpMachine) machine =
            make_machine(self->thread, i, self->unit ? self->unit : own);
        if (lvp_journal_reserve(self->journal, machine, &error))
            self->n_reserved++;
        else if (g_error_matches(error, LVP_ERROR, LVP_ERROR_CONFLICT))
            self->n_conflicts++;
        if (self->pipe < 0)
            continue;
        char name[NAME_SIZE] = {0};
        g_strlcpy(name, machine->name, sizeof name);
        if (write(self->pipe, name, sizeof name) != sizeof name)
            return NULL;
    }
    return NULL;
}

/* Runs N_THREADS writers to their end; the sums of what they did. */
static Writer
write_at_once(LvpJournal *journal, const char *unit)
{
    Writer writers[N_THREADS], sum = {0};
    GThread *threads[N_THREADS];
    for (guint i = 0; i < N_THREADS; i++) {
        writers[i] = (Writer){.journal = journal, .thread = i, .unit = unit, .pipe = -1};
        threads[i] = g_thread_new("writer", write_machines, &writers[i]);
    }
    for (guint i = 0; i < N_THREADS; i++) {
        g_thread_join(threads[i]);
        sum.n_reserved += writers[i].n_reserved;
        sum.n_conflicts += writers[i].n_conflicts;
    }
    return sum;
}

static LvpJournal *
open_journal(const LvpScratch *scratch)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = lvp_scratch_get_path(scratch, "state");
    LvpJournal *journal = lvp_journal_open(folder, &error);
    assert_no_error(error);
    return journal;
}

static GPtrArray *
load(LvpJournal *journal)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *machines = lvp_journal_load_machines(journal, &error);
    assert_no_error(error);
    return machines;
}

Test(journal, every_write_is_on_the_disk_when_it_is_acknowledged)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    LvpJournal *journal = open_journal(scratch);
    for (guint i = 0; i < 5; i++) {
        g_autofree char *unit = g_strdup_printf("%u", i);
        g_autoptr(LvpMachine) machine = make_machine(0, i, unit);
        int before = g_atomic_int_get(&n_syncs);
        cr_assert(lvp_journal_reserve(journal, machine, NULL));
        cr_assert_gt(g_atomic_int_get(&n_syncs), before);
    }
    lvp_journal_close(journal);
}

Test(journal, writers_at_once_lose_nothing)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    LvpJournal *journal = open_journal(scratch);
    Writer sum = write_at_once(journal, NULL);
    lvp_journal_close(journal);
    cr_assert_eq(sum.n_reserved, N_THREADS * N_MACHINES);
    journal = open_journal(scratch);
    g_autoptr(GPtrArray) machines = load(journal);
    cr_assert_eq(machines->len, N_THREADS * N_MACHINES);
    lvp_journal_close(journal);
}

Test(journal, of_writers_that_want_one_unit_one_gets_it)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    LvpJournal *journal = open_journal(scratch);
    Writer sum = write_at_once(journal, "0000:3b:00.0");
    g_autoptr(GPtrArray) machines = load(journal);
    lvp_journal_close(journal);
    cr_assert_eq(sum.n_reserved, 1);
    cr_assert_eq(sum.n_conflicts, N_THREADS * N_MACHINES - 1);
    cr_assert_eq(machines->len, 1);
}

/* A child that writes until it is killed. */
static pid_t
fork_writer(const LvpScratch *scratch, int *ret_pipe)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        Writer writers[N_THREADS];
        LvpJournal *journal = open_journal(scratch);
        for (guint i = 0; i < N_THREADS; i++) {
            writers[i] = (Writer){.journal = journal, .thread = i, .pipe = ends[1]};
            g_thread_new("writer", write_machines, &writers[i]);
        }
        pause();
        _exit(0);
    }
    close(ends[1]);
    *ret_pipe = ends[0];
    return child;
}

Test(journal, killed_writer_loses_nothing_that_was_acknowledged, .timeout = 60)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    g_autoptr(GPtrArray) acknowledged = g_ptr_array_new_with_free_func(g_free);
    int end, status;
    pid_t child = fork_writer(scratch, &end);
    char name[NAME_SIZE];
    while (read(end, name, sizeof name) == sizeof name) {
        g_ptr_array_add(acknowledged, g_strdup(name));
        if (acknowledged->len == N_ACKNOWLEDGED)
            kill(child, SIGKILL);
    }
    close(end);
    waitpid(child, &status, 0);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    cr_assert_geq(acknowledged->len, N_ACKNOWLEDGED);
    LvpJournal *journal = open_journal(scratch);
    g_autoptr(GPtrArray) machines = load(journal);
    g_autoptr(GHashTable) found = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < machines->len; i++) {
        const LvpMachine *machine = g_ptr_array_index(machines, i);
        cr_assert_eq(machine->holdings->len, 1, "%s is half there", machine->name);
        g_hash_table_add(found, machine->name);
    }
    for (guint i = 0; i < acknowledged->len; i++)
        cr_assert(g_hash_table_contains(found, g_ptr_array_index(acknowledged, i)));
    lvp_journal_close(journal);
}
