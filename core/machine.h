/* SPDX-License-Identifier: Apache-2.0 */
/* One machine as data: what the journal keeps of it, and what is seen of its domain.
 *
 * The allocator owns the machines. The fields of the claim and of the operation are changed only by
 * the job that runs the machine's operation, under the allocator's lock. */
#pragma once

#include "lib/request.h"

typedef enum { LVP_DESIRED_RUNNING, LVP_DESIRED_OFF, LVP_DESIRED_ABSENT } LvpDesired;

/* The operation under way; recovery is keyed by it. */
typedef enum {
    LVP_OPERATION_NONE,
    LVP_OPERATION_CREATE,
    LVP_OPERATION_START,
    LVP_OPERATION_STOP,
    LVP_OPERATION_DELETE,
} LvpOperation;

/* How far a create has come; each is durable before the effects that follow it. */
typedef enum {
    LVP_STEP_NONE,
    LVP_STEP_RESERVED,  /* units and quantities are held */
    LVP_STEP_PREPARED,  /* the records are written: sources may act */
    LVP_STEP_COMMITTED, /* sources have acted: the domain may be defined */
} LvpStep;

typedef enum {
    LVP_DOMAIN_UNKNOWN, /* libvirt has not been asked or does not answer */
    LVP_DOMAIN_ABSENT,
    LVP_DOMAIN_OFF,
    LVP_DOMAIN_RUNNING,
    LVP_DOMAIN_PAUSED,
} LvpDomainState;

typedef struct {
    gatomicrefcount references;
    gint64 row_id; /* the journal's; 0 before it is reserved */
    char *uuid;
    char *name;
    char *class_name;
    LvpRequest *request;   /* effective, as it was at create */
    char *template_xml;    /* as it was at create */
    GVariant *labels;      /* a{ss} */
    GVariant *annotations; /* a{ss} */
    LvpDesired desired;
    gboolean autostart;  /* start it after a reboot, if it is to run */
    gboolean created;    /* create was acknowledged */
    gboolean keep_nvram; /* of a delete: leave NVRAM and TPM files where they are */
    LvpOperation operation;
    LvpStep step;
    char *boot_id;       /* the boot in which the sources last acted */
    gint64 generation;   /* counts journalled changes */
    char *error;         /* why the last operation did not end; NULL if it did */
    GPtrArray *holdings; /* LvpHolding, in the order of the sources */
    /* Seen, not journalled: */
    gboolean busy; /* a job runs on it */
    LvpDomainState domain;
    const char *told_state; /* the last that was told of it, literal; NULL: nothing yet */
    gint64 orphaned_at_us; /* by the clock of the jobs: its domain was first missed; 0: it is not */
    GHashTable *notes;     /* id of a unit -> why it is not as it should be */
    char *failure;         /* what it should get by itself, and why that failed; NULL: nothing */
} LvpMachine;

/* Fresh: a create that has not begun. */
LvpMachine *lvp_machine_new(const char *uuid, const char *name, const char *class_name);
LvpMachine *lvp_machine_ref(LvpMachine *self);
void lvp_machine_unref(LvpMachine *self);

/* Whether TEXT is [A-Za-z0-9_.-]{1,64} without a leading dot. */
gboolean lvp_machine_check_name(const char *text, GError **error);
/* Whether TEXT is a uuid in lower case with dashes. */
gboolean lvp_machine_check_uuid(const char *text, GError **error);

/* The word of the API: creating, running, paused, stopped, stopping, deleting, failed, orphaned. */
const char *lvp_machine_get_state(const LvpMachine *self);
/* The state of the units that it holds: reserved, binding, bound, in-use, returning. */
const char *lvp_machine_get_unit_state(const LvpMachine *self);
/* What a person should know of the state; NULL if nothing. g_free(). */
char *lvp_machine_dup_reason(const LvpMachine *self);
const char *lvp_operation_get_name(LvpOperation operation);
const char *lvp_step_get_name(LvpStep step);
const char *lvp_desired_get_name(LvpDesired desired);

/* The holding of SOURCE, or NULL. */
LvpHolding *lvp_machine_find_holding(const LvpMachine *self, const char *source);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpMachine, lvp_machine_unref)
