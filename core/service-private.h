/* SPDX-License-Identifier: Apache-2.0 */
/* What service.c (reading, and the service's life), service-machines.c (changing) and
 * service-dry-run.c (only saying) share. */
#pragma once

#include "org.libvirtprovider.h"
#include "service.h"

struct LvpService {
    const LvpMachineJobs *jobs;
    LvpJobQueue *queue;
    LvpEvents *events;
    char *host_root;
    LvpServiceCalls calls;
    LvpManager1 *object;
    GThreadPool *pool; /* calls that may block */
};

/* A call that may block: runs in a thread of the pool and is answered from there. RUN returns the
 * answer's tuple, or NULL with error. */
typedef struct LvpServiceCall LvpServiceCall;
struct LvpServiceCall {
    GVariant *(*run)(LvpService *self, const LvpServiceCall *call, GError **error);
    GDBusMethodInvocation *invocation;
    GVariant *parameters;
};

/* Always TRUE: the invocation is taken care of. */
gboolean lvp_service_queue_call(LvpService *self,
                                GDBusMethodInvocation *invocation,
                                GVariant *(*run)(LvpService *, const LvpServiceCall *, GError **));

/* Connects the handlers of all methods that change machines and devices. */
void lvp_service_connect_machines(LvpService *self);
/* And of those that say what would be changed. */
void lvp_service_connect_dry_runs(LvpService *self);
