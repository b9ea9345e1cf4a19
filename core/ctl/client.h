/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the daemon. Errors are LVP_ERROR; LVP_ERROR_DAEMON where it does not answer. */
#pragma once

#include <gio/gio.h>

typedef struct LvpClient LvpClient;

LvpClient *lvp_client_new(const char *socket, GError **error);
void lvp_client_free(LvpClient *self);

/* Calls a method of the manager; PARAMETERS is consumed. */
GVariant *
lvp_client_call(LvpClient *self, const char *method, GVariant *parameters, GError **error);

/* Calls a method that returns a job and waits for its end; the result is an a{sv}. Shows progress
 * on stderr, if that is a terminal, once it takes longer than a second. TIMEOUT_S 0: as long as it
 * takes; else LVP_ERROR_TIMED_OUT, and the job goes on. */
GVariant *lvp_client_run_job(
    LvpClient *self, const char *method, GVariant *parameters, guint timeout_s, GError **error);

/* Calls HANDLER with the parameters of each SIGNAL of the manager that comes in a main loop. */
void lvp_client_subscribe(LvpClient *self,
                          const char *signal,
                          void (*handler)(gpointer data, GVariant *parameters),
                          gpointer data);
/* Runs LOOP until it is quit; LVP_ERROR_DAEMON where the daemon goes away before. */
gboolean lvp_client_run_loop(LvpClient *self, GMainLoop *loop, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpClient, lvp_client_free)
