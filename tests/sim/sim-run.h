/* SPDX-License-Identifier: Apache-2.0 */
/* One seed: a world, a provider with its lives, the steps that the seed picks, and the end, where
 * all must come to rest. */
#pragma once

#include "sim-checks.h"
#include "sim-damage.h"
#include "sim-disk.h"

/* What a seed lets happen: its last bits. Crashes and reboots are always among it. */
typedef enum {
    SIM_WITH_FAULTS = 1 << 0, /* wrong answers of host, libvirt and disk */
    SIM_WITH_WORLD = 1 << 1,  /* cards that go, foreign domains, an admin */
    SIM_WITH_OTHERS = 1 << 2, /* several operations at once */
    SIM_WITH_DAMAGE = 1 << 3, /* the journal's file is damaged while no provider lives */
    SIM_N_PROFILES = 1 << 4,
} SimProfile;

/* A create that was asked for. */
typedef struct {
    char *uuid, *name;
    const char *class_name;
    gboolean autostart;
    gboolean to_delete; /* somebody has asked for that since, or undefined its domain */
} SimAsked;

typedef struct Sim Sim;
struct Sim {
    guint64 seed;
    guint profile;
    gboolean verbose;
    GRand *random;
    SimFate fate;
    SimDisk *disk;
    SimWorld *world;
    SimProvider *provider;
    SimLook *look;
    GQueue log; /* char *: the last steps */
    guint64 n_steps, n_together, n_restarts, n_reboots, n_damages;
    gboolean looking;  /* at the host; one at a time, as in the daemon */
    gboolean passing;  /* a pass is under way */
    guint n_created;   /* for uuids */
    GHashTable *asked; /* uuid -> SimAsked, all creates so far */
    GVariant *labels;  /* a{ss} */
    char *problem;     /* the broken invariant */
};

/* A step; TEXT is what the log says of it. */
typedef struct {
    const char *name;
    guint weight;
    guint profile; /* all of it must be among the seed's */
    void (*run)(Sim *self);
    gboolean alone; /* not together with others */
} SimStep;

/* Ends with an empty name. */
extern const SimStep SIM_PROVIDER_STEPS[], SIM_WORLD_STEPS[];

/* MUTANT: NULL, or of SIM_MUTANTS. */
Sim *sim_new(guint64 seed, const char *mutant, gboolean verbose);
void sim_free(Sim *self);
/* FALSE where an invariant broke: self->problem. */
gboolean sim_run(Sim *self, guint n_steps);

/* ---- for the steps ---- */

guint sim_pick(Sim *self, guint n);
/* One at random; with preference one that somebody is just writing to. */
SimCard *sim_pick_card(Sim *self);
/* The next step, or several of them at once. */
void sim_steps_run(Sim *self);
/* What comes after the last. */
void sim_end(Sim *self);
/* Notes what is broken, if nothing was before. */
void sim_check(Sim *self);
/* Adds to the log. */
void sim_say(Sim *self, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* What the last call said; takes over ERROR. */
void sim_say_end(Sim *self, gboolean ok, GError *error);
/* The machine need not be there any more from now on. */
void sim_let_go(Sim *self, const char *uuid);
/* Looks at the host again, as after each operation. */
void sim_rescan(Sim *self);
/* Reads the configuration again. */
gboolean sim_reload(Sim *self, GError **error);
void sim_reconcile(Sim *self);
/* Ends the provider, gently or dead, and starts it until it lives. */
void sim_restart(Sim *self);
/* The name or, with BY_UUID, the uuid of a machine at random, of those that the journal had at the
 * last look; NULL: none. g_free(). */
char *sim_pick_machine(Sim *self, gboolean by_uuid);
/* Runs ACT on the world, and notes which cards somebody has changed; RENEWED: not a person, but the
 * kernel, which has forgotten. */
void sim_act(Sim *self, gboolean renewed, void (*act)(Sim *self, gpointer data), gpointer data);
