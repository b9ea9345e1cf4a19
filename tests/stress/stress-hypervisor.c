/* SPDX-License-Identifier: Apache-2.0 */
/* Domains that only exist here. A domain that runs has the groups of its devices open, as QEMU has;
 * that nobody else has is looked at there, too. */
#include "stress.h"

#include "domain-xml.h"
#include "linked-provider.h"

#include <libvirt-provider/error.h>
#include <string.h>

typedef struct {
    char *uuid, *name, *xml;
    char **addresses; /* of its host devices */
    LvpDomainState state;
} Domain;

struct LvpHypervisor {
    Stress *stress;
    LvpHypervisorCalls calls;
    GMutex mutex;        /* guards the rest */
    GHashTable *domains; /* uuid -> Domain */
    GHashTable *groups;  /* number of an IOMMU group -> Domain that has it open */
};

static void
free_domain(gpointer data)
{
    Domain *domain = data;
    g_free(domain->uuid);
    g_free(domain->name);
    g_free(domain->xml);
    g_strfreev(domain->addresses);
    g_free(domain);
}

LvpHypervisor *
stress_hypervisor_new(Stress *stress, const LvpHypervisorCalls *calls)
{
    LvpHypervisor *self = g_new0(LvpHypervisor, 1);
    self->stress = stress;
    self->calls = *calls;
    g_mutex_init(&self->mutex);
    self->domains = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_domain);
    self->groups = g_hash_table_new(NULL, NULL);
    return self;
}

void
lvp_hypervisor_free(LvpHypervisor *self)
{
    g_hash_table_unref(self->groups);
    g_hash_table_unref(self->domains);
    g_mutex_clear(&self->mutex);
    g_free(self);
}

guint
stress_hypervisor_count(LvpHypervisor *self)
{
    g_mutex_lock(&self->mutex);
    guint count = g_hash_table_size(self->domains) + g_hash_table_size(self->groups);
    g_mutex_unlock(&self->mutex);
    return count;
}

/* ---- looking ---- */

const char *
lvp_hypervisor_get_uri(const LvpHypervisor *self)
{
    (void)self;
    return "stress:///system";
}

char *
lvp_hypervisor_dup_problem(LvpHypervisor *self)
{
    (void)self;
    return NULL;
}

gboolean
lvp_hypervisor_check_reachable(LvpHypervisor *self, GError **error)
{
    (void)self, (void)error;
    return TRUE;
}

char *
lvp_hypervisor_dup_domain_type(LvpHypervisor *self, GError **error)
{
    (void)self, (void)error;
    return g_strdup("kvm");
}

gboolean
lvp_hypervisor_get_state(LvpHypervisor *self,
                         const char *uuid,
                         LvpDomainState *ret_state,
                         GError **error)
{
    (void)error;
    g_mutex_lock(&self->mutex);
    const Domain *domain = g_hash_table_lookup(self->domains, uuid);
    *ret_state = domain ? domain->state : LVP_DOMAIN_ABSENT;
    g_mutex_unlock(&self->mutex);
    return TRUE;
}

GPtrArray *
lvp_hypervisor_list(LvpHypervisor *self, GError **error)
{
    (void)error;
    GPtrArray *list = g_ptr_array_new_with_free_func(linked_free_seen);
    GHashTableIter iter;
    gpointer value;
    g_mutex_lock(&self->mutex);
    g_hash_table_iter_init(&iter, self->domains);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Domain *domain = value;
        LvpDomainSeen *seen = g_new0(LvpDomainSeen, 1);
        *seen = (LvpDomainSeen){g_strdup(domain->uuid), g_strdup(domain->name), domain->state,
                                g_strdup(domain->xml)};
        g_ptr_array_add(list, seen);
    }
    g_mutex_unlock(&self->mutex);
    return list;
}

gboolean
lvp_hypervisor_check_unused(LvpHypervisor *self, const char *name, const char *uuid, GError **error)
{
    GHashTableIter iter;
    gpointer value;
    gboolean unused = TRUE;
    g_mutex_lock(&self->mutex);
    g_hash_table_iter_init(&iter, self->domains);
    while (unused && g_hash_table_iter_next(&iter, NULL, &value)) {
        const Domain *domain = value;
        unused = strcmp(domain->uuid, uuid) != 0 && strcmp(domain->name, name) != 0;
    }
    g_mutex_unlock(&self->mutex);
    if (!unused)
        g_set_error(error, LVP_ERROR, LVP_ERROR_EXISTS, "domain %s exists", name);
    return unused;
}

char *
lvp_hypervisor_read_xml(LvpHypervisor *self, const char *uuid, gboolean *ret_found, GError **error)
{
    (void)error;
    g_mutex_lock(&self->mutex);
    const Domain *domain = g_hash_table_lookup(self->domains, uuid);
    char *xml = domain ? g_strdup(domain->xml) : NULL;
    g_mutex_unlock(&self->mutex);
    *ret_found = xml != NULL;
    return xml;
}

/* ---- acting ---- */

/* The text between two others; g_free(). */
static char *
cut_out(const char *xml, const char *before, const char *after)
{
    const char *from = strstr(xml, before);
    const char *to = from ? strstr(from, after) : NULL;
    return to ? g_strndup(from + strlen(before), (gsize)(to - from) - strlen(before)) : NULL;
}

gboolean
lvp_hypervisor_define(LvpHypervisor *self, const char *xml, GError **error)
{
    Domain *domain = g_new0(Domain, 1);
    domain->xml = g_strdup(xml);
    domain->uuid = cut_out(xml, "<uuid>", "</uuid>");
    domain->name = cut_out(xml, "<name>", "</name>");
    domain->addresses = lvp_domain_xml_list_host_addresses(xml, error);
    domain->state = LVP_DOMAIN_OFF;
    if (!domain->addresses || !domain->uuid || !domain->name) {
        free_domain(domain);
        return FALSE;
    }
    g_mutex_lock(&self->mutex);
    if (g_hash_table_contains(self->domains, domain->uuid))
        stress_fail(self->stress, "domain %s is defined twice", domain->name);
    g_hash_table_replace(self->domains, domain->uuid, domain);
    g_mutex_unlock(&self->mutex);
    return TRUE;
}

static void
open_group(LvpHypervisor *self, Domain *domain, const char *address)
{
    gpointer group = GINT_TO_POINTER(stress_find_card(address)->card.group);
    const Domain *other = g_hash_table_lookup(self->groups, group);
    g_autofree char *driver = lvp_fake_host_get_driver(self->stress->host, address);
    if (other && other != domain)
        stress_fail(self->stress, "%s has the group of %s open when %s starts", other->name,
                    address, domain->name);
    if (g_strcmp0(driver, "vfio-pci") != 0)
        stress_fail(self->stress, "%s is on driver %s when %s starts", address, driver,
                    domain->name);
    g_hash_table_insert(self->groups, group, domain);
}

static void
tell_openers(LvpHypervisor *self, const Domain *domain, const char *text)
{
    for (guint i = 0; domain->addresses[i]; i++) {
        g_autofree char *node =
            g_strdup_printf("vfio/%d", stress_find_card(domain->addresses[i])->card.group);
        lvp_fake_host_set_opener(self->stress->host, node, text);
    }
}

static void
tell_change(LvpHypervisor *self, const char *uuid)
{
    self->calls.domain_changed(self->calls.data, uuid);
}

gboolean
lvp_hypervisor_start(LvpHypervisor *self, const char *uuid, GError **error)
{
    g_mutex_lock(&self->mutex);
    Domain *domain = g_hash_table_lookup(self->domains, uuid);
    gboolean found = domain != NULL;
    if (found && domain->state != LVP_DOMAIN_RUNNING) {
        for (guint i = 0; domain->addresses[i]; i++)
            open_group(self, domain, domain->addresses[i]);
        tell_openers(self, domain, "pid 1 (qemu)");
        domain->state = LVP_DOMAIN_RUNNING;
        tell_change(self, uuid);
    }
    g_mutex_unlock(&self->mutex);
    if (!found)
        g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND, "libvirt has no domain %s", uuid);
    return found;
}

gboolean
lvp_hypervisor_destroy(LvpHypervisor *self, const char *uuid, GError **error)
{
    (void)error;
    g_mutex_lock(&self->mutex);
    Domain *domain = g_hash_table_lookup(self->domains, uuid);
    if (domain && domain->state == LVP_DOMAIN_RUNNING) {
        tell_openers(self, domain, NULL);
        for (guint i = 0; domain->addresses[i]; i++)
            g_hash_table_remove(
                self->groups, GINT_TO_POINTER(stress_find_card(domain->addresses[i])->card.group));
        domain->state = LVP_DOMAIN_OFF;
        tell_change(self, uuid);
    }
    g_mutex_unlock(&self->mutex);
    return TRUE;
}

gboolean
lvp_hypervisor_shutdown(LvpHypervisor *self, const char *uuid, GError **error)
{
    return lvp_hypervisor_destroy(self, uuid, error);
}

gboolean
lvp_hypervisor_undefine(LvpHypervisor *self, const char *uuid, gboolean keep_nvram, GError **error)
{
    (void)keep_nvram, (void)error;
    g_mutex_lock(&self->mutex);
    const Domain *domain = g_hash_table_lookup(self->domains, uuid);
    if (domain && domain->state != LVP_DOMAIN_OFF)
        stress_fail(self->stress, "domain %s is undefined while it runs", domain->name);
    if (g_hash_table_remove(self->domains, uuid))
        tell_change(self, uuid);
    g_mutex_unlock(&self->mutex);
    return TRUE;
}
