/* SPDX-License-Identifier: Apache-2.0 */
/* Long operations in threads of a bounded pool, each with a D-Bus object for its progress and
 * result. */
#pragma once

#include "machine-jobs.h"

#include <gio/gio.h>

#define LVP_OBJECT_PATH "/org/libvirtprovider"

typedef struct LvpJobQueue LvpJobQueue;

/* Runs in a job thread. *RET_RESULT may be set to an a{sv} (floating or full). */
typedef gboolean (*LvpJobFunc)(gpointer data,
                               const LvpProgress *progress,
                               GVariant **ret_result,
                               GError **error);

/* The default main context of the calling thread exports the objects. */
LvpJobQueue *lvp_job_queue_new(void);
/* Takes no more jobs, refuses those that wait, and runs the main context up to TIMEOUT_MS until the
 * ends of all are told to their clients; FALSE if some still run (then the queue must stay in
 * memory: leave the process). Main thread. */
gboolean lvp_job_queue_close(LvpJobQueue *self, guint timeout_ms);
/* After a close that returned TRUE. Accepts NULL. */
void lvp_job_queue_free(LvpJobQueue *self);

/* Queues a job and exports its object on CONNECTION. Returns the object's path (g_free()), or NULL
 * with LVP_ERROR_BUSY. FREE_DATA is called in any case. Main thread. */
char *lvp_job_queue_start(LvpJobQueue *self,
                          GDBusConnection *connection,
                          const char *operation,
                          const char *subject,
                          LvpJobFunc func,
                          gpointer data,
                          GDestroyNotify free_data,
                          GError **error);
