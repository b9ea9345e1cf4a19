/* SPDX-License-Identifier: Apache-2.0 */
/* What is around the provider: cards in a fake host, libvirtd, and a clock. It outlives every
 * provider, and knows the truth. */
#pragma once

#include "fake-host.h"
#include "host-effects.h"
#include "sim-fate.h"
#include "sim-tasks.h"

#include "hypervisor.h"

/* How a card is bound. */
typedef struct {
    char *driver;   /* "" for none */
    char *override; /* "" for none */
} SimBinding;

/* For which it must be left alone. */
typedef enum {
    SIM_USE_HOST,   /* a disk in use, an interface that is up */
    SIM_USE_VFS,    /* its virtual functions */
    SIM_USE_OPENER, /* somebody has its group open */
    SIM_N_USES,
} SimUse;

/* What stands, or stood, at one address. */
typedef struct {
    LvpFakePci card;     /* that stands there now, or did last */
    LvpFakePci other;    /* another one that could */
    SimBinding original; /* of the card, from when nothing of ours explained it */
    SimBinding other_original;
    char identity[64];  /* of CARD, as the source writes it */
    gboolean meddled;   /* somebody has changed it while it was held */
    gboolean renewed;   /* the kernel has forgotten its binding while it was held */
    gboolean faulted;   /* an effect on it has gone wrong, or hung */
    gboolean unsure;    /* a journal that knew of it was damaged */
    gboolean forced;    /* a release by force was tried: if that was done, it is where it belongs */
    gboolean excused;   /* there is a mark on it, for which there was a cause */
    SimBinding left;    /* as somebody has left it in this step, if so */
    gboolean raced;     /* changed in this step, when the provider may have been reading it */
    gboolean multipath; /* of a disk */
    gboolean used;      /* its interface is up, whenever it is there, or its disk is in use */
    guint64 used_since, vfs_since;                    /* moments */
    guint64 looked_at[SIM_TASKS_MAX + 1][SIM_N_USES]; /* of each task: the last moment */
    gboolean explained; /* a claim or mark has it, as of the last look */
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
    guint64 since;   /* a moment */
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
    /* Whether the journal is not waiting to be made again now. */
    gboolean (*is_whole)(gpointer data);
    gpointer look_data;
    gboolean hands_off;                  /* until then nothing may be done to a card */
    guint64 moment;                      /* the last that something happened in */
    guint64 wrote_at[SIM_TASKS_MAX + 1]; /* of each task: the moment of its last write */
    LvpHostEffects effects;
    char *violation; /* seen while something was done */
} SimWorld;

/* The one clock of the process. */
extern gint64 sim_clock_us;
gint64 sim_get_now_us(void);

SimWorld *sim_world_new(SimFate *fate);
void sim_world_free(SimWorld *self);

/* ---- cards ---- */

/* Puts the card where none is, with its interface, if it has one; that is down. Of a VF: where its
 * PF is on its host driver. */
void sim_card_plug(SimWorld *self, SimCard *card);
SimCard *sim_world_find_card(SimWorld *self, const char *address);
SimCard *sim_world_pick_card(SimWorld *self);
/* Whether it has an interface, or a disk that the host sees now. */
gboolean sim_card_can_be_used(SimWorld *self, const SimCard *card);
/* Sets its interface up or down; mounts its disk, or uses it in another way. */
void sim_card_set_used(SimWorld *self, SimCard *card, gboolean used);
/* Its disk goes, and the use of it. */
void sim_card_lose_disk(SimWorld *self, SimCard *card);
/* The moment since when it is used so; 0: it is not. */
guint64 sim_card_get_use(SimWorld *self, const SimCard *card, SimUse use);
guint sim_card_count_vfs(SimWorld *self, const SimCard *pf);
gboolean sim_card_is_on_host_driver(SimWorld *self, const SimCard *card);
gboolean sim_card_is_present(SimWorld *self, const SimCard *card);
/* As it is now; of one that is present. sim_binding_clear(). */
SimBinding sim_card_read(SimWorld *self, const SimCard *card);
void sim_binding_clear(SimBinding *self);
/* It is nobody's, and right as it is; takes BINDING over. */
void sim_card_accept(SimCard *card, SimBinding *binding);
gboolean sim_binding_equal(const SimBinding *a, const SimBinding *b);
/* What it is when the kernel knows nothing but the card. */
gboolean sim_card_is_fresh(const SimCard *card, const SimBinding *binding);
void sim_world_add_cards(SimWorld *self);

/* ---- who has a group open ---- */

const char *sim_world_find_opener(SimWorld *self, int group);
guint64 sim_world_get_open_since(SimWorld *self, int group);
void sim_world_open_group(SimWorld *self, int group, const SimDomain *domain);
/* Ends the holds whose time is over. */
void sim_world_release_due(SimWorld *self);

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
void sim_domain_free(gpointer domain);
/* FALSE with *RET_WHY (static). */
gboolean sim_domain_start(SimWorld *self, SimDomain *domain, const char **ret_why);
/* Its QEMU holds its groups for LINGER_US more. */
void sim_domain_stop(SimWorld *self, SimDomain *domain, gint64 linger_us);

/* A connection of the provider. */
LvpHypervisor *sim_hypervisor_new(SimWorld *world);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SimBinding, sim_binding_clear)
