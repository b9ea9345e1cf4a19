/* SPDX-License-Identifier: Apache-2.0 */
/* bench-journal [FOLDER]: durable reserves, and reserves with the removal of each, from one thread
 * and from eight, against SQLite's own transactions of one row in the same folder, which is to lie
 * on a real disk (default: the working folder). */
#include "journal.h"
#include "rounds.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define N_THREADS 8
#define N_WRITES 200 /* of one run, over all threads */
#define N_ROUNDS 25
#define MIN_RATIO 0.8
#define OPEN_FOLDERS_MAX 16

/* The floor. */
typedef struct {
    sqlite3 *handle;
    sqlite3_stmt *insert;
    char *text; /* of the one row */
} Plain;

typedef struct {
    LvpJournal *journal;
    LvpMachine *machines[N_WRITES];
    guint n_threads;
    gboolean remove; /* each machine at once */
} Bench;

/* What one thread does. */
typedef struct {
    const Bench *bench;
    guint first, end;
} Share;

/* ---- the floor ---- */

static void
run_sql(Plain *self, const char *sql)
{
    if (sqlite3_exec(self->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        g_error("%s: %s", sql, sqlite3_errmsg(self->handle));
}

static void
open_plain(Plain *self, const char *folder, const char *name, gsize size_bytes)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    if (sqlite3_open(path, &self->handle) != SQLITE_OK)
        g_error("%s: %s", path, sqlite3_errmsg(self->handle));
    run_sql(self, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                  "CREATE TABLE row(id INTEGER PRIMARY KEY, text TEXT)");
    if (sqlite3_prepare_v2(self->handle, "INSERT INTO row(text) VALUES(?1)", -1, &self->insert,
                           NULL) != SQLITE_OK)
        g_error("%s", sqlite3_errmsg(self->handle));
    self->text = g_strnfill(size_bytes, 'x');
}

static void
run_plain(gpointer data)
{
    Plain *self = data;
    for (guint i = 0; i < N_WRITES; i++) {
        sqlite3_bind_text(self->insert, 1, self->text, -1, SQLITE_STATIC);
        if (sqlite3_step(self->insert) != SQLITE_DONE)
            g_error("%s", sqlite3_errmsg(self->handle));
        sqlite3_reset(self->insert);
    }
}

static void
close_plain(Plain *self)
{
    sqlite3_finalize(self->insert);
    sqlite3_close(self->handle);
    g_free(self->text);
}

/* ---- the journal ---- */

/* A machine of the kind that the service reserves: cpu, memory, one device, the default template.
 */
static LvpMachine *
make_machine(guint index, const char *template_xml)
{
    g_autofree char *uuid = g_uuid_string_random();
    g_autofree char *name = g_strdup_printf("machine%u", index);
    g_autofree char *device = g_strdup_printf("0000:%02x:%02x.0", index / 32, index % 32);
    LvpMachine *machine = lvp_machine_new(uuid, name, "gpu-small");
    machine->step = LVP_STEP_RESERVED;
    g_free(machine->template_xml);
    machine->template_xml = g_strdup(template_xml);
    lvp_request_set_amount(machine->request, "cpu", 2000);
    lvp_request_set_amount(machine->request, "memory", G_GINT64_CONSTANT(4) << 30);
    lvp_request_set_amount(machine->request, "gpu.nvidia/a30", 1);
    static const char *const SOURCES[] = {"cpu", "memory", "pci"};
    for (guint i = 0; i < G_N_ELEMENTS(SOURCES); i++)
        g_ptr_array_add(machine->holdings, lvp_holding_new(uuid, SOURCES[i]));
    lvp_holding_add_amount(g_ptr_array_index(machine->holdings, 0), "cpu", 0, 2000);
    lvp_holding_add_amount(g_ptr_array_index(machine->holdings, 1), "memory", 0,
                           G_GINT64_CONSTANT(4) << 30);
    lvp_holding_add_unit(g_ptr_array_index(machine->holdings, 2), "gpu.nvidia/a30", device,
                         "10de:20b7:10de:1532:a1:030200", 0)
        ->found = g_variant_ref_sink(g_variant_new_parsed(
        "(['iommu:15'], {'driver': 'nvidia', 'originalDriver': 'nvidia', 'vendor': '0x10de',"
        " 'device': '0x20b7', 'class': '0x030200', 'subsystemVendor': '0x10de',"
        " 'subsystemDevice': '0x1532', 'revision': '0xa1', 'iommuGroup': '15'})"));
    return machine;
}

static gpointer
run_share(gpointer data)
{
    const Share *share = data;
    const Bench *bench = share->bench;
    g_autoptr(GError) error = NULL;
    for (guint i = share->first; i < share->end; i++)
        if (!lvp_journal_reserve(bench->journal, bench->machines[i], &error) ||
            (bench->remove &&
             !lvp_journal_remove(bench->journal, bench->machines[i], NULL, &error)))
            g_error("%s", error->message);
    return NULL;
}

static void
run_journal(gpointer data)
{
    Bench *self = data;
    GThread *threads[N_THREADS];
    Share shares[N_THREADS];
    guint n_writes = self->remove ? N_WRITES / 2 : N_WRITES; /* a removal is one, too */
    for (guint i = 0; i < self->n_threads; i++) {
        shares[i] =
            (Share){self, n_writes * i / self->n_threads, n_writes * (i + 1) / self->n_threads};
        threads[i] = g_thread_new("writer", run_share, &shares[i]);
    }
    for (guint i = 0; i < self->n_threads; i++)
        g_thread_join(threads[i]);
}

static void
remove_all(gpointer data)
{
    Bench *self = data;
    g_autoptr(GError) error = NULL;
    for (guint i = 0; i < N_WRITES && !self->remove; i++)
        if (!lvp_journal_remove(self->journal, self->machines[i], NULL, &error))
            g_error("%s", error->message);
}

/* ---- the figures ---- */

static LvpWork
open_bench(const char *name, Bench *bench, const char *template_xml)
{
    for (guint i = 0; i < N_WRITES; i++)
        bench->machines[i] = make_machine(i, template_xml);
    return (LvpWork){name, run_journal, remove_all, bench, N_WRITES, 0, 0, 0};
}

static void
close_bench(Bench *bench)
{
    for (guint i = 0; i < N_WRITES; i++)
        lvp_machine_unref(bench->machines[i]);
}

static void
print_figures(const LvpWork *works, guint n_works)
{
    printf("journal: durable writes\n");
    lvp_rounds_print(works, n_works, "writes/s");
    for (guint i = 2; i < n_works; i++) {
        g_autofree char *text =
            g_strdup_printf("times SQLite's writes/s, %s, at least 0.8", works[i].name);
        lvp_rounds_print_target(text, 1 / works[i].ratio, MIN_RATIO, FALSE);
    }
}

static void
run_bench(const char *folder, const char *template_xml)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpJournal) journal = lvp_journal_open(folder, &error);
    if (!journal)
        g_error("%s", error->message);
    Plain plain = {0}, large = {0};
    open_plain(&plain, folder, "plain.db", 100);
    open_plain(&large, folder, "large.db", strlen(template_xml) + 500);
    Bench benches[] = {
        {.journal = journal, .n_threads = 1},
        {.journal = journal, .n_threads = 1, .remove = TRUE},
        {.journal = journal, .n_threads = N_THREADS},
        {.journal = journal, .n_threads = N_THREADS, .remove = TRUE},
    };
    LvpWork works[] = {
        {"SQLite, a row of 100 bytes", run_plain, NULL, &plain, N_WRITES, 0, 0, 0},
        {"SQLite, a row as large as a machine", run_plain, NULL, &large, N_WRITES, 0, 0, 0},
        open_bench("reserve, 1 thread", &benches[0], template_xml),
        open_bench("reserve and remove, 1 thread", &benches[1], template_xml),
        open_bench("reserve, 8 threads", &benches[2], template_xml),
        open_bench("reserve and remove, 8 threads", &benches[3], template_xml),
    };
    lvp_rounds_run(works, G_N_ELEMENTS(works), N_ROUNDS);
    print_figures(works, G_N_ELEMENTS(works));
    for (guint i = 0; i < G_N_ELEMENTS(benches); i++)
        close_bench(&benches[i]);
    close_plain(&plain);
    close_plain(&large);
}

static int
remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

int
main(int argc, char **argv)
{
    g_autofree char *folder =
        g_build_filename(argc > 1 ? argv[1] : ".", "bench-journal-XXXXXX", NULL);
    g_autofree char *template_xml = NULL;
    g_autoptr(GError) error = NULL;
    if (!g_mkdtemp(folder))
        g_error("cannot make %s", folder);
    if (!g_file_get_contents(TEMPLATE_FILE, &template_xml, NULL, &error))
        g_error("%s", error->message);
    run_bench(folder, template_xml);
    nftw(folder, remove_entry, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS);
    return EXIT_SUCCESS;
}
