/* SPDX-License-Identifier: Apache-2.0 */
/* One run: the real core over the real sources on a fake host, and all who work on it at once.
 *
 * What threads of the test tell each other is told by relaxed atomics: an order that only the test
 * makes would hide a race of the core from ThreadSanitizer. */
#pragma once

#include "fake-host.h"

#include "config.h"
#include "reconcile.h"

#define STRESS_COUNT(counter) __atomic_fetch_add(&(counter), 1, __ATOMIC_RELAXED)
#define STRESS_GET(value) __atomic_load_n(&(value), __ATOMIC_RELAXED)
#define STRESS_SET(value, new) __atomic_store_n(&(value), (new), __ATOMIC_RELAXED)

#define STRESS_STOP_TIMEOUT_MS 60000

/* Mistakes that can be built in. */
#define STRESS_LATE_GIVE "late-give" /* a client tells too late that it has given back */
#define STRESS_NO_LOCK "no-lock"     /* one look at the allocator without its lock */

typedef struct StressOwners StressOwners;

typedef struct {
    guint n_clients;
    guint64 n_wanted; /* machines that are made and deleted */
    int seconds;      /* at most; 0: no limit */
    guint32 seed;
    const char *mutant; /* NULL: none */
    /* ---- the provider and what is around it ---- */
    LvpFakeHost *host;
    char *folder; /* of the journal */
    LvpJournal *journal;
    LvpEvents *events;
    LvpAllocator *allocator;
    LvpHypervisor *hypervisor;
    LvpMachineJobs jobs;
    char *boot_id;
    GThreadPool *observer; /* one thread, as in core/main.c */
    /* ---- the test ---- */
    StressOwners *owners;
    gboolean stopping, ended;
    char *problem; /* the first; NULL: none */
    guint64 n_made, n_refused, n_exists, n_busy, n_repeated, n_deleted;
    guint64 n_passes, n_rescans, n_reloads, n_cordons, n_lists, n_tried, n_meddled;
} Stress;

/* ---- stress-run.c ---- */

/* FALSE after a problem. Once in a process. */
gboolean stress_run(Stress *self);
/* The first problem ends the run. Any thread. */
void stress_fail(Stress *self, const char *format, ...) G_GNUC_PRINTF(2, 3);
gboolean stress_has_mutant(const Stress *self, const char *mutant);

/* ---- stress-world.c: what there is, and the provider as core/main.c puts it together ---- */

typedef struct {
    LvpFakePci card;
    const char *driver, *override; /* what an administrator has made of it; NULL: nothing */
} StressCard;

extern const StressCard STRESS_CARDS[];
extern const guint STRESS_N_CARDS;
extern const char *const STRESS_CLASSES[]; /* ends with NULL */

const StressCard *stress_find_card(const char *address);
void stress_open_world(Stress *self);
void stress_close_world(Stress *self);
void stress_rescan(Stress *self);
/* VM_LIMIT 0: none. */
void stress_reload(Stress *self, guint vm_limit);
void stress_begin_passes(Stress *self);

/* ---- stress-hypervisor.c: libvirt, in place of core/hypervisor.c ---- */

LvpHypervisor *stress_hypervisor_new(Stress *stress, const LvpHypervisorCalls *calls);
guint stress_hypervisor_count(LvpHypervisor *self);

/* ---- stress-owners.c: who has been told that he has what ---- */

StressOwners *stress_owners_new(Stress *stress);
void stress_owners_free(StressOwners *self);
/* The machine is CLIENT's (from 1) now. */
void stress_owners_take(StressOwners *self, const LvpMachine *machine, guint client);
/* It is going to be nobody's. */
void stress_owners_give(StressOwners *self, const LvpMachine *machine, guint client);

/* ---- stress-clients.c, stress-others.c ---- */

/* Threads that work until it stops, or until enough machines are made. */
GPtrArray *stress_start_clients(Stress *self);
GPtrArray *stress_start_others(Stress *self);

/* ---- stress-checks.c ---- */

/* Under the allocator's lock; data: the Stress. */
void stress_check_world(const LvpWorld *world, gpointer data);
/* When all is over: everything is free, and as it was. */
void stress_check_end(Stress *self);
