/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor-private.h"

#include <libvirt-provider/error.h>
#include <libvirt/virterror.h>

#define FIRST_RETRY_MS 250
#define LAST_RETRY_MS 30000
#define FIRST_TRY_WAIT_MS 5000
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT 6

struct LvpHypervisor {
    char *uri;
    LvpHypervisorCalls calls;
    GThread *thread;
    GMutex mutex; /* guards the rest */
    GCond wake;
    virConnectPtr connection; /* NULL while there is none */
    char *problem;
    gboolean broken; /* the connection was closed under us */
    gboolean stopping;
    gboolean tried; /* the first attempt to connect has ended */
};

/* ---- the connection ---- */

static void
ignore_error(void *data, virErrorPtr error)
{
    (void)data; /* each call reports its own error; the default handler would print it, too */
    (void)error;
}

static void
handle_close(virConnectPtr connection, int reason, void *data)
{
    (void)connection;
    (void)reason;
    LvpHypervisor *self = data;
    g_mutex_lock(&self->mutex);
    self->broken = TRUE;
    g_cond_broadcast(&self->wake);
    g_mutex_unlock(&self->mutex);
}

static int
handle_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *data)
{
    (void)connection;
    (void)event;
    (void)detail;
    LvpHypervisor *self = data;
    char uuid[VIR_UUID_STRING_BUFLEN];
    if (virDomainGetUUIDString(domain, uuid) == 0 && self->calls.domain_changed)
        self->calls.domain_changed(self->calls.data, uuid);
    return 0;
}

/* NULL with self->problem set. */
static virConnectPtr
open_connection(LvpHypervisor *self)
{
    g_autoptr(virConnect) connection = virConnectOpen(self->uri);
    if (connection && virConnectDomainEventRegisterAny(
                          connection, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                          VIR_DOMAIN_EVENT_CALLBACK(handle_lifecycle), self, NULL) >= 0) {
        /* In-process drivers know neither; they cannot lose their connection. */
        virConnectRegisterCloseCallback(connection, handle_close, self, NULL);
        virConnectSetKeepAlive(connection, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
        return g_steal_pointer(&connection);
    }
    const char *why = virGetLastErrorMessage();
    g_mutex_lock(&self->mutex);
    g_free(self->problem);
    self->problem = g_strdup(why);
    self->tried = TRUE;
    g_cond_broadcast(&self->wake);
    g_mutex_unlock(&self->mutex);
    return NULL;
}

static void
announce(LvpHypervisor *self, gboolean connected)
{
    if (self->calls.connection_changed)
        self->calls.connection_changed(self->calls.data, connected);
}

/* Until the connection breaks or we stop. */
static void
serve_connection(LvpHypervisor *self, virConnectPtr connection)
{
    g_mutex_lock(&self->mutex);
    self->connection = connection;
    self->broken = FALSE;
    self->tried = TRUE;
    g_cond_broadcast(&self->wake);
    g_clear_pointer(&self->problem, g_free);
    g_mutex_unlock(&self->mutex);
    g_message("libvirt %s is connected", self->uri);
    announce(self, TRUE);
    g_mutex_lock(&self->mutex);
    while (!self->broken && !self->stopping)
        g_cond_wait(&self->wake, &self->mutex);
    self->connection = NULL;
    gboolean lost = !self->stopping;
    if (lost)
        self->problem = g_strdup("the connection was closed");
    g_mutex_unlock(&self->mutex);
    if (lost) {
        g_warning("libvirt %s has closed the connection; machines go on, trying to reach it again",
                  self->uri);
        announce(self, FALSE);
    }
    virConnectUnregisterCloseCallback(connection, handle_close);
    virConnectClose(connection);
}

/* TRUE to go on, FALSE to stop. */
static gboolean
wait_before_retry(LvpHypervisor *self, guint wait_ms)
{
    gint64 until = g_get_monotonic_time() + (gint64)wait_ms * 1000;
    g_mutex_lock(&self->mutex);
    while (!self->stopping && g_cond_wait_until(&self->wake, &self->mutex, until))
        ;
    gboolean go_on = !self->stopping;
    g_mutex_unlock(&self->mutex);
    return go_on;
}

static gpointer
keep_connected(gpointer data)
{
    LvpHypervisor *self = data;
    guint wait_ms = FIRST_RETRY_MS;
    gboolean told = FALSE;
    for (;;) {
        virConnectPtr connection = open_connection(self);
        if (connection) {
            serve_connection(self, connection);
            wait_ms = FIRST_RETRY_MS;
            told = FALSE;
        } else if (!told) {
            g_warning("libvirt %s cannot be reached: %s; trying again", self->uri, self->problem);
            told = TRUE;
        }
        if (!wait_before_retry(self, wait_ms))
            return NULL;
        wait_ms = MIN(wait_ms * 2, LAST_RETRY_MS);
    }
}

LvpHypervisor *
lvp_hypervisor_new(const char *uri, const LvpHypervisorCalls *calls)
{
    LvpHypervisor *self = g_new0(LvpHypervisor, 1);
    self->uri = g_strdup(uri);
    self->calls = *calls;
    self->problem = g_strdup("not connected yet");
    g_mutex_init(&self->mutex);
    g_cond_init(&self->wake);
    virSetErrorFunc(NULL, ignore_error);
    virInitialize();
    virEventRegisterDefaultImpl();
    return self;
}

void
lvp_hypervisor_connect(LvpHypervisor *self)
{
    g_return_if_fail(self->thread == NULL);
    self->thread = g_thread_new("libvirt", keep_connected, self);
}

void
lvp_hypervisor_free(LvpHypervisor *self)
{
    if (!self)
        return;
    g_mutex_lock(&self->mutex);
    self->stopping = TRUE;
    g_cond_broadcast(&self->wake);
    g_mutex_unlock(&self->mutex);
    if (self->thread)
        g_thread_join(self->thread);
    g_cond_clear(&self->wake);
    g_mutex_clear(&self->mutex);
    g_free(self->uri);
    g_free(self->problem);
    g_free(self);
}

/* ---- calls ---- */

const char *
lvp_hypervisor_get_uri(const LvpHypervisor *self)
{
    return self->uri;
}

char *
lvp_hypervisor_dup_problem(LvpHypervisor *self)
{
    g_mutex_lock(&self->mutex);
    char *problem = g_strdup(self->problem);
    g_mutex_unlock(&self->mutex);
    return problem;
}

virConnectPtr
lvp_hypervisor_acquire(LvpHypervisor *self, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)FIRST_TRY_WAIT_MS * 1000;
    g_mutex_lock(&self->mutex);
    while (!self->tried && self->thread && g_cond_wait_until(&self->wake, &self->mutex, deadline))
        ;
    virConnectPtr connection = self->connection;
    if (connection)
        virConnectRef(connection);
    else
        g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_REACHABLE,
                    "libvirt %s cannot be reached: %s (" LVP_HYPERVISOR_HINT ")", self->uri,
                    self->problem);
    g_mutex_unlock(&self->mutex);
    return connection;
}
