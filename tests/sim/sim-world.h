/* SPDX-License-Identifier: Apache-2.0 */
/* What is around the provider: cards in a fake host, libvirtd, and a clock. It outlives every
 * provider, and knows the truth. */
#pragma once

#include "fake-host.h"
#include "host-effects.h"
#include "sim-fate.h"

#include "hypervisor.h"

/* How a card is bound. */
typedef struct {
    char *driver;   /* "" for none */
    char *override; /* "" for none */
} SimBinding;

/* What stands, or stood, at one address. */
typedef struct {
    LvpFakePci card;     /* that stands there now, or did last */
    LvpFakePci other;    /* another one that could */
    SimBinding original; /* of the card, from when nothing of ours explained it */
    char identity[64];   /* of CARD, as the source writes it */
    gboolean meddled;    /* somebody has changed it while it was held */
    gboolean renewed;    /* the kernel has forgotten its binding while it was held */
    gboolean faulted;    /* an effect on it has gone wrong, or hung */
    gboolean up;         /* its interface is, whenever it is there */
    gboolean explained;  /* a claim or mark has it, as of the last look */
} SimCard;

typedef struct {
    char *uuid, *name, *xml;
    char **addresses; /* of its host devices */
    LvpDomainState state;
    gboolean managed;    /* foreign: libvirt binds its devices itself */
    gboolean deaf;       /* the guest does not listen to ACPI */
    GPtrArray *detached; /* char *: addresses that libvirt took from their host drivers */
} SimDomain;

/* Who has a group open. */
typedef struct {
    int group;
    char *uuid;
    gint64 until_us; /* 0: as long as the domain runs */
} SimHold;

typedef struct {
    GRand *random;
    SimFate *fate;
    LvpFakeHost *host;
    GPtrArray *cards;   /* SimCard */
    GPtrArray *domains; /* SimDomain */
    GArray *holds;      /* SimHold */
    gboolean unreachable;
    const char *mutant;
    /* Whether a claim or mark has the card now. */
    gboolean (*explain)(gpointer data, const SimCard *card);
    gpointer explain_data;
    LvpHostEffects effects;
    char *violation; /* seen while something was done */
} SimWorld;

/* The one clock of the process. */
extern gint64 sim_clock_us;
gint64 sim_get_now_us(void);

SimWorld *sim_world_new(SimFate *fate);
void sim_world_free(SimWorld *self);

/* ---- cards ---- */

/* Puts the card where none is, with its interface, if it has one; that is down. */
void sim_card_plug(SimWorld *self, SimCard *card);
SimCard *sim_world_find_card(SimWorld *self, const char *address);
SimCard *sim_world_pick_card(SimWorld *self);
/* Sets its interface up or down; nothing where it has none. */
void sim_card_set_up(SimWorld *self, SimCard *card, gboolean up);
gboolean sim_card_is_present(SimWorld *self, const SimCard *card);
/* As it is now; of one that is present. sim_binding_clear(). */
SimBinding sim_card_read(SimWorld *self, const SimCard *card);
void sim_binding_clear(SimBinding *self);
gboolean sim_binding_equal(const SimBinding *a, const SimBinding *b);
/* What it is when the kernel knows nothing but the card. */
gboolean sim_card_is_fresh(const SimCard *card, const SimBinding *binding);
const char *sim_world_find_opener(SimWorld *self, int group);

/* For a LvpHost of a provider; data: the SimWorld. */
void sim_world_attach(SimWorld *self, LvpHost *host);

/* ---- time ---- */

/* Lets time go by, and what is due with it. */
void sim_world_advance(SimWorld *self, gint64 duration_us);
/* Another boot: no domain runs, every card is as fresh. */
void sim_world_reboot(SimWorld *self);

/* ---- libvirtd ---- */

SimDomain *sim_world_find_domain(SimWorld *self, const char *uuid);
SimDomain *sim_world_add_domain(SimWorld *self, const char *uuid, const char *name);
void sim_world_drop_domain(SimWorld *self, SimDomain *domain);
/* FALSE with *RET_WHY (static). */
gboolean sim_domain_start(SimWorld *self, SimDomain *domain, const char **ret_why);
/* Its QEMU holds its groups for LINGER_US more. */
void sim_domain_stop(SimWorld *self, SimDomain *domain, gint64 linger_us);

/* A connection of the provider. */
LvpHypervisor *sim_hypervisor_new(SimWorld *world);
