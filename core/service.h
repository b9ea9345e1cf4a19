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

/* JOBS, QUEUE and EVENTS outlive the service, which listens to EVENTS until it is freed. */
LvpService *lvp_service_new(const LvpMachineJobs *jobs,
                            LvpJobQueue *queue,
                            LvpEvents *events,
                            const char *host_root,
                            const LvpServiceCalls *calls);
/* Sends all clients what was said to them, as far as that goes within TIMEOUT_MS: one may not read.
 * Runs the main context. */
void lvp_service_flush(LvpService *self, guint timeout_ms);
/* Waits for the calls that are under way, and answers them. */
void lvp_service_free(LvpService *self);
/* Offers the API on one connection. */
gboolean lvp_service_export(LvpService *self, GDBusConnection *connection, GError **error);
