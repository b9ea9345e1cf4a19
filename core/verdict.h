/* SPDX-License-Identifier: Apache-2.0 */
/* What is to become of one machine: decided from the journal, its domain and the host. Pure; the
 * whole of recovery stands here as a table, and reconcile.c only looks and acts. */
#pragma once

#include "machine.h"

#include <libvirt-provider/request.h>

typedef enum {
    LVP_ACTION_REST,
    LVP_ACTION_UNDO,      /* a create that was not acknowledged */
    LVP_ACTION_FINISH,    /* a delete that was begun */
    LVP_ACTION_SETTLE,    /* a start or stop that was begun: the domain's own state decides */
    LVP_ACTION_BIND,      /* after a reboot: take the resources from the host again */
    LVP_ACTION_START,     /* the same, and start it */
    LVP_ACTION_ADOPT,     /* somebody else has started it in this boot */
    LVP_ACTION_GIVE_BACK, /* its domain has been gone for longer than the grace */
} LvpAction;

/* All that counts. */
typedef struct {
    LvpOperation operation; /* that stands in the journal */
    LvpDesired desired;
    gboolean autostart;
    gboolean same_boot; /* its sources have last acted in this boot */
    LvpDomainState domain;
    LvpVerdict worst;       /* of what the sources say of its units: LVP_VERDICT_MATCHES is well */
    gint64 orphaned_for_us; /* how long its domain has been gone */
    gint64 orphan_grace_us;
} LvpSight;

LvpAction lvp_verdict_decide(const LvpSight *sight);

/* The worse of two verdicts on units of one machine. */
LvpVerdict lvp_verdict_worse(LvpVerdict a, LvpVerdict b);
