/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold whenever the provider rests: seen from outside, by the journal's file, the cards
 * and libvirtd, and only then by what the provider says of itself. */
#pragma once

#include "sim-disk.h"
#include "sim-provider.h"

typedef struct sqlite3 sqlite3;

typedef struct {
    SimWorld *world;
    SimProvider *provider;
    sqlite3 *journal;     /* a connection of its own; NULL before it is needed */
    GPtrArray *rows;      /* SimRow: what the journal explains */
    GPtrArray *units;     /* SimRow: what it holds */
    GHashTable *machines; /* uuid -> name, in the journal */
    GHashTable *marks;    /* id of a quarantined unit -> reason */
    GHashTable *kept;     /* uuid: acknowledged, and nobody has asked to delete it */
} SimChecks;

/* One function in a record, or one unit. */
typedef struct {
    char *owner; /* uuid of the machine; "" of a mark */
    char *address, *identity, *driver, *override, *unit;
} SimRow;

SimChecks *sim_checks_new(SimWorld *world, SimProvider *provider);
void sim_checks_free(SimChecks *self);

/* Lets go of the journal's file. */
void sim_checks_close(SimChecks *self);
/* While no provider lives: reads the journal as the next one will. A write that failed when the
 * last one died may be there all the same. */
gboolean sim_checks_look_ahead(SimChecks *self, SimDisk *disk);
/* Reads the journal. FALSE where it cannot be. */
gboolean sim_checks_look(SimChecks *self);
/* Whether a claim or mark explains what is the matter with the card. */
gboolean sim_checks_explain(const SimChecks *self, const SimCard *card);
/* What is broken, or NULL; g_free(). Looks, and takes note of cards that are nobody's again. */
char *sim_checks_run(SimChecks *self);
/* What is broken when all is over, and nothing should be left; g_free(). */
char *sim_checks_run_last(SimChecks *self);
