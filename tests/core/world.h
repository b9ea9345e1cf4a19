/* SPDX-License-Identifier: Apache-2.0 */
/* A provider without its outer floors: journal, allocator and, if asked for, libvirt's test driver,
 * over two scripted sources. What a test does not ask for succeeds or fails the test. */
#pragma once

#include "machine-jobs.h"
#include "scratch.h"
#include "scripted-source.h"

#define GPU "gpu.nvidia/a30"
#define CARD_1 "0000:3b:00.0"
#define CARD_2 "0000:3c:00.0"

typedef struct {
    LvpScratch *scratch;
    LvpJournal *journal;
    LvpEvents *events;
    LvpAllocator *allocator;
    LvpHypervisor *hypervisor; /* NULL before world_connect() */
    LvpMachineJobs jobs;
    const char *boot_id;
    GPtrArray *sources;    /* LvpSource, of the scripts that are loaded */
    ScriptedSource *cores; /* counted: 4 CPUs and 8 GiB on node 0; no effects */
    ScriptedSource *cards; /* unitary: the two cards of GPU on node 0 */
    GString *calls;        /* of both */
    GPtrArray *classes;
    gint64 vm_limit;
    GVariant *no_labels; /* a{ss} */
} World;

/* How long an orphaned machine keeps what it holds, and the clock by which that is measured. */
#define WORLD_GRACE_US G_GINT64_CONSTANT(600000000)
extern gint64 world_clock_us;

/* Classes: plain (1 CPU, 1 GiB), gpu (the same and one card), both (two cards). */
World *world_new(void);
void world_free(World *self);

/* Replaces the classes by those of a YAML text; effective with world_install(). */
void world_set_classes(World *self, const char *yaml);
/* Discovers and installs; what a rescan or reload does. */
void world_install(World *self);
/* Another process on the same journal: what was not written there is gone. The domains stay. */
void world_restart(World *self);
/* The same after a reboot: another boot id, the cards are on their host drivers, and the domain
 * WORLD_UUID, if there is one, is off. */
void world_reboot(World *self);
/* Connects to test:///default, without the domain that it has. */
void world_connect(World *self);

/* ---- machines ---- */

/* A create of CLASS that starts; borrows from SELF. */
LvpCreateSpec world_make_spec(const World *self, const char *name, const char *class_name);
/* Reserved and busy; lvp_machine_unref(). */
LvpMachine *world_reserve(World *self, const char *name, const char *class_name);
/* Reserved and acknowledged, without sources and domain; lvp_machine_unref(). */
LvpMachine *world_add(World *self, const char *name, const char *class_name);
/* The same without a reference. */
void world_hold(World *self, const char *name, const char *class_name);
/* The code of the error of a create that must fail; *RET_MESSAGE (may be NULL) is to be freed. */
int world_refuse(World *self, const LvpCreateSpec *spec, char **ret_message);
/* Borrowed, or NULL. */
LvpMachine *world_find(World *self, const char *name);
gint64 world_count_free(World *self, const char *resource);
/* "is held by vm1", "" where it is free, NULL where there is no such card; g_free(). */
char *world_explain(World *self, const char *unit_id);

/* ---- with libvirt ---- */

#define WORLD_UUID "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"

/* The machine vm1 with WORLD_UUID, created; lvp_machine_unref(). */
LvpMachine *world_create(World *self, const char *class_name);
/* The same without a reference. */
void world_make(World *self, const char *class_name);
/* Of the domain with WORLD_UUID. */
LvpDomainState world_get_domain(World *self);
/* A domain that somebody else made. */
void world_define_foreign(World *self, const char *name, const char *uuid);
/* No machine, row, mark, held card or domain WORLD_UUID is left, and nothing is taken. */
void world_assert_nothing_left(World *self);

/* The events that are kept, "device 0000:3b:00.0 free>reserved", a line each, without times and
 * reasons; g_free(). */
char *world_list_events(World *self);

/* ---- the journal's file, by a connection of its own ---- */

/* Runs SQL; a trigger that raises is how a write is made to fail. */
void world_execute(World *self, const char *sql);
/* The rows of a query, columns with '|' between, rows with ' '; g_free(). */
char *world_query(World *self, const char *sql);
/* Makes writes to the journal fail that satisfy WHEN ("UPDATE ON machine WHEN NEW.step = 2"). */
void world_fail_write(World *self, const char *when);
void world_heal_writes(World *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)
