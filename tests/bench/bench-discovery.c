/* SPDX-License-Identifier: Apache-2.0 */
/* bench-discovery: the pci source's discovery against a plain loop over the same files.
 * bench-discovery --once plain|source ROOT: one of them, and its time; for strace, and for a time
 * in a fresh process. */
#include "made-tree.h"
#include "pci-discovery.h"
#include "plain-discovery.h"
#include "rounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_DEVICES 1000
#define N_ROUNDS 25
#define LIMIT 1.5

typedef struct {
    const char *root;
    LvpHost *host;
    LvpPciDevicesFile *file;
    LvpSnapshot *snapshot; /* of the last run */
} Bench;

static void
open_bench(Bench *self, const char *root)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autofree char *file = g_build_filename(root, LVP_MADE_DEVICES_FILE, NULL);
    g_autoptr(GError) error = NULL;
    self->root = root;
    self->host = lvp_host_new(root, &error);
    self->file = lvp_pci_devices_file_read(file, diagnostics);
    if (!self->host || !lvp_diagnostics_check(diagnostics, &error))
        g_error("%s", error->message);
}

static void
close_bench(Bench *self)
{
    lvp_pci_devices_file_free(self->file);
    lvp_host_free(self->host);
}

static void
run_plain(gpointer data)
{
    const Bench *self = data;
    if (lvp_plain_discovery(self->root) == 0)
        g_error("nothing was read below %s", self->root);
}

static void
run_source(gpointer data)
{
    Bench *self = data;
    g_autoptr(GError) error = NULL;
    LvpPciDiscovery discovery = {.host = self->host, .file = self->file, .timeout_ms = 30000};
    self->snapshot = lvp_snapshot_new();
    if (!lvp_pci_discover(&discovery, self->snapshot, &error))
        g_error("%s", error->message);
}

static void
drop_snapshot(gpointer data)
{
    Bench *self = data;
    g_clear_pointer(&self->snapshot, lvp_snapshot_free);
}

/* What is timed must be what is meant: every function is found, and was looked at to the end. */
static void
check_result(Bench *self, guint n_devices)
{
    run_source(self);
    guint n_units = lvp_snapshot_get_n_units(self->snapshot);
    for (guint i = 0; i < n_units; i++) {
        const LvpUnit *unit = lvp_snapshot_get_unit(self->snapshot, i);
        if (lvp_unit_get_reason(unit))
            g_error("%s is not free: %s", lvp_unit_get_id(unit), lvp_unit_get_reason(unit));
    }
    if (n_units != n_devices)
        g_error("%u of %u devices are found", n_units, n_devices);
    drop_snapshot(self);
}

static void
run_bench(guint n_devices, guint n_disks)
{
    g_autoptr(LvpScratch) tree = lvp_made_tree_new(n_devices, n_disks);
    Bench bench = {0};
    open_bench(&bench, lvp_scratch_get_root(tree));
    check_result(&bench, n_devices);
    LvpWork works[] = {
        {"plain loop over the same files", run_plain, NULL, &bench, n_devices, 0, 0, 0},
        {"lvp_pci_discover()", run_source, drop_snapshot, &bench, n_devices, 0, 0, 0},
    };
    lvp_rounds_run(works, G_N_ELEMENTS(works), N_ROUNDS);
    printf("discovery, %u devices, all allowed, %u of them disks\n", n_devices, n_disks);
    lvp_rounds_print(works, G_N_ELEMENTS(works), "devices/s");
    lvp_rounds_print_target("times the plain loop, at most 1.5", works[1].ratio, LIMIT, TRUE);
    close_bench(&bench);
}

static int
run_once(const char *what, const char *root)
{
    Bench bench = {0};
    open_bench(&bench, root);
    gint64 start_us = g_get_monotonic_time();
    if (strcmp(what, "plain") == 0)
        run_plain(&bench);
    else
        run_source(&bench);
    printf("%.3f ms\n", (double)(g_get_monotonic_time() - start_us) / 1000);
    drop_snapshot(&bench);
    close_bench(&bench);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--once") == 0)
        return run_once(argv[2], argv[3]);
    run_bench(N_DEVICES, 0);
    run_bench(N_DEVICES, 20);
    return EXIT_SUCCESS;
}
