/* SPDX-License-Identifier: Apache-2.0 */
/* The API: D-Bus calls in, answers and jobs out. */
#pragma once

#include "job-queue.h"

typedef struct LvpService LvpService;

/* What the daemon does for the service; both run in a thread and block. */
typedef struct {
    gboolean (*rescan)(gpointer data, GError **error);
    gboolean (*reload)(gpointer data, GError **error);
    gpointer data;
} LvpServiceCalls;

/* JOBS and QUEUE outlive the service. */
LvpService *lvp_service_new(const LvpMachineJobs *jobs,
                            LvpJobQueue *queue,
                            const char *host_root,
                            const LvpServiceCalls *calls);
void lvp_service_free(LvpService *self);
/* Offers the API on one connection. */
gboolean lvp_service_export(LvpService *self, GDBusConnection *connection, GError **error);
