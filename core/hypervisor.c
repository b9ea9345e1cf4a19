/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor.h"

#include <libvirt-provider/error.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

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

G_DEFINE_AUTOPTR_CLEANUP_FUNC(virConnect, virConnectClose)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomain, virDomainFree)

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

/* A reference to the connection for one call. A call that comes right after the start waits for the
 * first attempt to connect. */
static virConnectPtr
acquire(LvpHypervisor *self, GError **error)
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

/* Whether the last error means that the connection went away, not that libvirt said no. */
static gboolean
is_connection_error(void)
{
    int domain = virGetLastErrorDomain(), code = virGetLastErrorCode();
    return domain == VIR_FROM_RPC ||
           (domain == VIR_FROM_REMOTE && code != VIR_ERR_OPERATION_UNSUPPORTED);
}

/* Whether the last error is about the text of a domain, which comes from a template. */
static gboolean
is_xml_error(void)
{
    int code = virGetLastErrorCode();
    return code == VIR_ERR_XML_ERROR || code == VIR_ERR_XML_DETAIL;
}

static gboolean
set_libvirt_error(GError **error, const char *format, const char *what)
{
    if (virGetLastErrorCode() == VIR_ERR_XML_INVALID_SCHEMA) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "libvirt cannot %s %s: it is not valid by libvirt's schema (look at the "
                    "template; --dry-run -o xml shows the domain, virt-xml-validate checks one)",
                    format, what);
        return FALSE;
    }
    g_autofree char *verb = g_strdup_printf("%s %s", format, what);
    g_autofree char *message = g_strchomp(g_strdup(virGetLastErrorMessage()));
    g_strdelimit(message, "\n", ' ');
    g_set_error(error, LVP_ERROR,
                is_connection_error() ? LVP_ERROR_NOT_REACHABLE
                : is_xml_error()      ? LVP_ERROR_INVALID_REQUEST
                                      : LVP_ERROR_HYPERVISOR,
                "libvirt cannot %s: %s%s", verb, message,
                is_xml_error() ? " (look at the template; --dry-run -o xml shows the domain)" : "");
    return FALSE;
}

/* NULL without error (and *RET_FOUND FALSE) where there is no such domain. */
static virDomainPtr
look_up(virConnectPtr connection, const char *uuid, GError **error)
{
    virDomainPtr domain = virDomainLookupByUUIDString(connection, uuid);
    if (!domain && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
        set_libvirt_error(error, "look up domain", uuid);
    return domain;
}

/* The domain, or NULL; FALSE only on an error. */
static gboolean
find_domain(LvpHypervisor *self, const char *uuid, virDomainPtr *ret_domain, GError **error)
{
    g_autoptr(virConnect) connection = acquire(self, error);
    if (!connection)
        return FALSE;
    GError *problem = NULL;
    *ret_domain = look_up(connection, uuid, &problem);
    if (!problem)
        return TRUE;
    g_propagate_error(error, problem);
    return FALSE;
}

static gboolean
get_existing(LvpHypervisor *self, const char *uuid, virDomainPtr *ret_domain, GError **error)
{
    if (!find_domain(self, uuid, ret_domain, error))
        return FALSE;
    if (*ret_domain)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND, "libvirt has no domain %s", uuid);
    return FALSE;
}

char *
lvp_hypervisor_dup_domain_type(LvpHypervisor *self, GError **error)
{
    g_autoptr(virConnect) connection = acquire(self, error);
    if (!connection)
        return NULL;
    const char *driver = virConnectGetType(connection);
    if (!driver || strcmp(driver, "QEMU") != 0)
        return g_ascii_strdown(driver ? driver : "qemu", -1);
    char *capabilities = virConnectGetDomainCapabilities(connection, NULL, NULL, NULL, "kvm", 0);
    gboolean has_kvm = capabilities != NULL;
    free(capabilities);
    return g_strdup(has_kvm ? "kvm" : "qemu");
}

gboolean
lvp_hypervisor_get_state(LvpHypervisor *self,
                         const char *uuid,
                         LvpDomainState *ret_state,
                         GError **error)
{
    g_autoptr(virDomain) domain = NULL;
    if (!find_domain(self, uuid, &domain, error))
        return FALSE;
    if (!domain) {
        *ret_state = LVP_DOMAIN_ABSENT;
        return TRUE;
    }
    int state = 0;
    if (virDomainGetState(domain, &state, NULL, 0) < 0) {
        if (virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
            return set_libvirt_error(error, "read the state of domain", uuid);
        *ret_state = LVP_DOMAIN_ABSENT;
        return TRUE;
    }
    gboolean off = state == VIR_DOMAIN_SHUTOFF || state == VIR_DOMAIN_CRASHED;
    *ret_state = off                          ? LVP_DOMAIN_OFF
                 : state == VIR_DOMAIN_PAUSED ? LVP_DOMAIN_PAUSED
                                              : LVP_DOMAIN_RUNNING;
    return TRUE;
}

gboolean
lvp_hypervisor_check_unused(LvpHypervisor *self, const char *name, const char *uuid, GError **error)
{
    g_autoptr(virConnect) connection = acquire(self, error);
    if (!connection)
        return FALSE;
    const char *what = name;
    g_autoptr(virDomain) domain = virDomainLookupByName(connection, name);
    if (!domain && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN) {
        what = uuid;
        domain = virDomainLookupByUUIDString(connection, uuid);
    }
    if (domain) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_EXISTS,
                    "libvirt has a domain %s already, which is no machine of this provider: choose "
                    "another name or uuid",
                    what);
        return FALSE;
    }
    if (virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
        return set_libvirt_error(error, "look up domain", what);
    return TRUE;
}

char *
lvp_hypervisor_read_xml(LvpHypervisor *self, const char *uuid, gboolean *ret_found, GError **error)
{
    g_autoptr(virDomain) domain = NULL;
    *ret_found = FALSE;
    if (!find_domain(self, uuid, &domain, error) || !domain)
        return NULL;
    char *xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
    if (!xml) {
        set_libvirt_error(error, "read domain", uuid);
        return NULL;
    }
    char *copy = g_strdup(xml);
    free(xml);
    *ret_found = TRUE;
    return copy;
}

gboolean
lvp_hypervisor_define(LvpHypervisor *self, const char *xml, GError **error)
{
    g_autoptr(virConnect) connection = acquire(self, error);
    if (!connection)
        return FALSE;
    g_autoptr(virDomain) domain =
        virDomainDefineXMLFlags(connection, xml, VIR_DOMAIN_DEFINE_VALIDATE);
    return domain || set_libvirt_error(error, "define", "the domain");
}

gboolean
lvp_hypervisor_start(LvpHypervisor *self, const char *uuid, GError **error)
{
    g_autoptr(virDomain) domain = NULL;
    if (!get_existing(self, uuid, &domain, error))
        return FALSE;
    if (virDomainIsActive(domain) == 1 || virDomainCreate(domain) == 0)
        return TRUE;
    return set_libvirt_error(error, "start domain", uuid);
}

gboolean
lvp_hypervisor_shutdown(LvpHypervisor *self, const char *uuid, GError **error)
{
    g_autoptr(virDomain) domain = NULL;
    if (!get_existing(self, uuid, &domain, error))
        return FALSE;
    if (virDomainIsActive(domain) == 0 || virDomainShutdown(domain) == 0)
        return TRUE;
    return set_libvirt_error(error, "shut down domain", uuid);
}

gboolean
lvp_hypervisor_destroy(LvpHypervisor *self, const char *uuid, GError **error)
{
    g_autoptr(virDomain) domain = NULL;
    if (!find_domain(self, uuid, &domain, error))
        return FALSE;
    if (!domain || virDomainIsActive(domain) == 0 || virDomainDestroy(domain) == 0 ||
        virDomainIsActive(domain) == 0 || virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
        return TRUE;
    return set_libvirt_error(error, "destroy domain", uuid);
}

gboolean
lvp_hypervisor_undefine(LvpHypervisor *self, const char *uuid, gboolean keep_nvram, GError **error)
{
    g_autoptr(virDomain) domain = NULL;
    if (!find_domain(self, uuid, &domain, error))
        return FALSE;
    unsigned int flags = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                         VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA;
    unsigned int nvram = keep_nvram ? VIR_DOMAIN_UNDEFINE_KEEP_NVRAM : VIR_DOMAIN_UNDEFINE_NVRAM;
    unsigned int tpm = keep_nvram ? VIR_DOMAIN_UNDEFINE_KEEP_TPM : VIR_DOMAIN_UNDEFINE_TPM;
    if (!domain || virDomainUndefineFlags(domain, flags | nvram | tpm) == 0 ||
        virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
        return TRUE;
    /* Drivers other than QEMU know fewer of the flags. */
    if (virGetLastErrorCode() == VIR_ERR_INVALID_ARG && virDomainUndefine(domain) == 0)
        return TRUE;
    return set_libvirt_error(error, "undefine domain", uuid);
}
