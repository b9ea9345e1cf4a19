/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor-private.h"

#include <libvirt-provider/error.h>
#include <libvirt/virterror.h>
#include <string.h>

/* Whether the last error means that the connection went away, not that libvirt said no. */
static gboolean
is_connection_error(void)
{
    int domain = virGetLastErrorDomain(), code = virGetLastErrorCode();
    return domain == VIR_FROM_RPC ||
           (domain == VIR_FROM_REMOTE && code != VIR_ERR_OPERATION_UNSUPPORTED);
}

/* What the last error is for the caller; see libvirt/virterror.h. */
static LvpError
classify_error(void)
{
    static const struct {
        virErrorNumber code;
        LvpError error;
    } CODES[] = {
        /* The text of a domain, and what it names: both come from a template. */
        {VIR_ERR_XML_ERROR, LVP_ERROR_INVALID_REQUEST},
        {VIR_ERR_XML_DETAIL, LVP_ERROR_INVALID_REQUEST},
        {VIR_ERR_OS_TYPE, LVP_ERROR_INVALID_REQUEST},
        {VIR_ERR_NO_NETWORK, LVP_ERROR_INVALID_REQUEST},
        {VIR_ERR_NO_STORAGE_POOL, LVP_ERROR_INVALID_REQUEST},
        {VIR_ERR_NO_STORAGE_VOL, LVP_ERROR_INVALID_REQUEST},
        {VIR_ERR_NO_NWFILTER, LVP_ERROR_INVALID_REQUEST},
        {VIR_ERR_NO_SECRET, LVP_ERROR_INVALID_REQUEST},
        {VIR_ERR_CONFIG_UNSUPPORTED, LVP_ERROR_NOT_SUPPORTED},
        {VIR_ERR_ARGUMENT_UNSUPPORTED, LVP_ERROR_NOT_SUPPORTED},
        {VIR_ERR_OPERATION_UNSUPPORTED, LVP_ERROR_NOT_SUPPORTED},
        {VIR_ERR_NO_SUPPORT, LVP_ERROR_NOT_SUPPORTED},
        {VIR_ERR_DOM_EXIST, LVP_ERROR_EXISTS},
        {VIR_ERR_RESOURCE_BUSY, LVP_ERROR_BUSY},
        {VIR_ERR_OPERATION_TIMEOUT, LVP_ERROR_TIMED_OUT},
        {VIR_ERR_OPERATION_DENIED, LVP_ERROR_NOT_PERMITTED},
        {VIR_ERR_ACCESS_DENIED, LVP_ERROR_NOT_PERMITTED},
        {VIR_ERR_AUTH_FAILED, LVP_ERROR_NOT_PERMITTED},
    };
    if (is_connection_error())
        return LVP_ERROR_NOT_REACHABLE;
    for (guint i = 0; i < G_N_ELEMENTS(CODES); i++)
        if ((int)CODES[i].code == virGetLastErrorCode())
            return CODES[i].error;
    return LVP_ERROR_HYPERVISOR;
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
    LvpError code = classify_error();
    gboolean of_template = code == LVP_ERROR_INVALID_REQUEST ||
                           (code == LVP_ERROR_NOT_SUPPORTED &&
                            (strcmp(format, "define") == 0 || strcmp(format, "start domain") == 0));
    g_autofree char *message = g_strchomp(g_strdup(virGetLastErrorMessage()));
    g_strdelimit(message, "\n", ' ');
    g_set_error(error, LVP_ERROR, (int)code, "libvirt cannot %s %s: %s%s", format, what, message,
                of_template ? " (look at the template; --dry-run -o xml shows the domain)" : "");
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
    g_autoptr(virConnect) connection = lvp_hypervisor_acquire(self, error);
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

gboolean
lvp_hypervisor_check_reachable(LvpHypervisor *self, GError **error)
{
    g_autoptr(virConnect) connection = lvp_hypervisor_acquire(self, error);
    return connection != NULL;
}

char *
lvp_hypervisor_dup_domain_type(LvpHypervisor *self, GError **error)
{
    g_autoptr(virConnect) connection = lvp_hypervisor_acquire(self, error);
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

/* LVP_DOMAIN_ABSENT where it has gone meanwhile. */
static gboolean
read_state(virDomainPtr domain, LvpDomainState *ret_state)
{
    int state = 0;
    if (virDomainGetState(domain, &state, NULL, 0) < 0) {
        *ret_state = LVP_DOMAIN_ABSENT;
        return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
    }
    gboolean off = state == VIR_DOMAIN_SHUTOFF || state == VIR_DOMAIN_CRASHED;
    *ret_state = off                          ? LVP_DOMAIN_OFF
                 : state == VIR_DOMAIN_PAUSED ? LVP_DOMAIN_PAUSED
                                              : LVP_DOMAIN_RUNNING;
    return TRUE;
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
    return read_state(domain, ret_state) ||
           set_libvirt_error(error, "read the state of domain", uuid);
}

/* ---- all domains ---- */

static void
free_domain_seen(gpointer data)
{
    LvpDomainSeen *seen = data;
    g_free(seen->uuid);
    g_free(seen->name);
    g_free(seen->xml);
    g_free(seen);
}

/* Adds the domain, unless it has gone meanwhile. FALSE where libvirt did not tell: a domain that is
 * left out would pass for one that is gone. */
static gboolean
add_seen(GPtrArray *list, virDomainPtr domain, GError **error)
{
    const char *name = virDomainGetName(domain);
    LvpDomainState state = LVP_DOMAIN_UNKNOWN;
    char uuid[VIR_UUID_STRING_BUFLEN];
    char *xml = virDomainGetXMLDesc(domain, 0);
    if (!xml && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
        return TRUE;
    if (!xml || virDomainGetUUIDString(domain, uuid) < 0 || !read_state(domain, &state)) {
        free(xml);
        return set_libvirt_error(error, "look at domain", name);
    }
    if (state != LVP_DOMAIN_ABSENT) {
        LvpDomainSeen *seen = g_new0(LvpDomainSeen, 1);
        seen->uuid = g_strdup(uuid);
        seen->name = g_strdup(name);
        seen->state = state;
        seen->xml = g_strdup(xml);
        g_ptr_array_add(list, seen);
    }
    free(xml);
    return TRUE;
}

GPtrArray *
lvp_hypervisor_list(LvpHypervisor *self, GError **error)
{
    g_autoptr(virConnect) connection = lvp_hypervisor_acquire(self, error);
    virDomainPtr *domains = NULL;
    if (!connection)
        return NULL;
    int count = virConnectListAllDomains(connection, &domains, 0);
    if (count < 0) {
        set_libvirt_error(error, "list", "its domains");
        return NULL;
    }
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(free_domain_seen);
    gboolean ok = TRUE;
    for (int i = 0; i < count; i++) {
        ok = ok && add_seen(list, domains[i], error);
        virDomainFree(domains[i]);
    }
    free(domains);
    return ok ? g_steal_pointer(&list) : NULL;
}

gboolean
lvp_hypervisor_check_unused(LvpHypervisor *self, const char *name, const char *uuid, GError **error)
{
    g_autoptr(virConnect) connection = lvp_hypervisor_acquire(self, error);
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
    g_autoptr(virConnect) connection = lvp_hypervisor_acquire(self, error);
    if (!connection)
        return FALSE;
    g_autoptr(virDomain) domain =
        virDomainDefineXMLFlags(connection, xml, VIR_DOMAIN_DEFINE_VALIDATE);
    if (domain)
        return TRUE;
    /* The only operation of a define that fails: somebody has taken name or uuid meanwhile. */
    if (virGetLastErrorCode() != VIR_ERR_OPERATION_FAILED)
        return set_libvirt_error(error, "define", "the domain");
    g_set_error(error, LVP_ERROR, LVP_ERROR_EXISTS, "libvirt cannot define the domain: %s",
                virGetLastErrorMessage());
    return FALSE;
}

gboolean
lvp_hypervisor_start(LvpHypervisor *self, const char *uuid, GError **error)
{
    g_autoptr(virDomain) domain = NULL;
    if (!get_existing(self, uuid, &domain, error))
        return FALSE;
    const char *name = virDomainGetName(domain); /* later it would drop the error */
    LvpDomainState state;
    if (read_state(domain, &state) && state == LVP_DOMAIN_PAUSED)
        return virDomainResume(domain) == 0 || set_libvirt_error(error, "resume domain", name);
    if (virDomainIsActive(domain) == 1 || virDomainCreate(domain) == 0)
        return TRUE;
    return set_libvirt_error(error, "start domain", name);
}

gboolean
lvp_hypervisor_shutdown(LvpHypervisor *self, const char *uuid, GError **error)
{
    g_autoptr(virDomain) domain = NULL;
    if (!get_existing(self, uuid, &domain, error))
        return FALSE;
    const char *name = virDomainGetName(domain);
    if (virDomainIsActive(domain) == 0 || virDomainShutdown(domain) == 0)
        return TRUE;
    return set_libvirt_error(error, "shut down domain", name);
}

gboolean
lvp_hypervisor_destroy(LvpHypervisor *self, const char *uuid, GError **error)
{
    g_autoptr(virDomain) domain = NULL;
    if (!find_domain(self, uuid, &domain, error))
        return FALSE;
    const char *name = domain ? virDomainGetName(domain) : uuid;
    if (!domain || virDomainIsActive(domain) == 0 || virDomainDestroy(domain) == 0 ||
        virDomainIsActive(domain) == 0 || virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
        return TRUE;
    return set_libvirt_error(error, "destroy domain", name);
}

gboolean
lvp_hypervisor_undefine(LvpHypervisor *self, const char *uuid, gboolean keep_nvram, GError **error)
{
    g_autoptr(virDomain) domain = NULL;
    if (!find_domain(self, uuid, &domain, error))
        return FALSE;
    const char *name = domain ? virDomainGetName(domain) : uuid;
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
    return set_libvirt_error(error, "undefine domain", name);
}
