/* SPDX-License-Identifier: Apache-2.0 */
/* A look at the journal from outside: its file, read by a connection that is not the provider's. */
#pragma once

#include "sim-disk.h"
#include "sim-provider.h"

typedef struct sqlite3 sqlite3;

typedef enum {
    SIM_JOURNAL_WHOLE,
    SIM_JOURNAL_DAMAGED, /* and no provider has opened it since: it says nothing */
    SIM_JOURNAL_PENDING, /* machines are still to be taken up: what is known is from before */
} SimJournalState;

typedef struct {
    SimWorld *world;
    SimProvider *provider;
    sqlite3 *journal;     /* a connection of its own; NULL before it is needed */
    GPtrArray *rows;      /* SimRow: what the journal explains */
    GPtrArray *units;     /* SimRow: what it holds */
    GHashTable *machines; /* uuid -> name, in the journal */
    GHashTable *created;  /* uuid: of those that are acknowledged */
    GHashTable *marks;    /* id of a quarantined unit -> SimMark */
    GHashTable *kept;     /* uuid: acknowledged, and nobody has asked to delete it */
    SimJournalState state;
    gboolean pending; /* while it is read */
} SimLook;

typedef struct {
    char *reason, *identity;
    gboolean has_record;
} SimMark;

/* One function in a record, or one unit. */
typedef struct {
    char *owner; /* uuid of the machine; "" of a mark */
    char *address, *identity, *driver, *override, *unit;
} SimRow;

SimLook *sim_look_new(SimWorld *world, SimProvider *provider);
void sim_look_free(SimLook *self);

/* Lets go of the journal's file. */
void sim_look_close(SimLook *self);
/* While no provider lives: reads the journal as the next one will. A write that failed when the
 * last one died may be there all the same. */
gboolean sim_look_ahead(SimLook *self, SimDisk *disk);
/* The journal is damaged: what nothing but it knew is lost. */
void sim_look_note_damage(SimLook *self);
/* A provider has opened it. */
void sim_look_note_start(SimLook *self);
/* Reads the journal. FALSE where it cannot be, or does not know all yet. */
gboolean sim_look(SimLook *self);
/* What explains what is the matter with the card; NULL: nothing does. */
const SimRow *sim_look_find_row(const SimLook *self, const SimCard *card);
gboolean sim_look_explains(const SimLook *self, const SimCard *card);
/* Whether a unit of the card's group is quarantined. */
gboolean sim_look_has_mark(const SimLook *self, const SimCard *card);
