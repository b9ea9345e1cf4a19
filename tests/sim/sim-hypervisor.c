/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's side of libvirt, in place of core/hypervisor.c: the same functions, answered by
 * the simulated libvirtd. */
#include "sim-tasks.h"
#include "sim-world.h"

#include "domain-xml.h"
#include "linked-provider.h"

#include <libvirt-provider/error.h>
#include <string.h>

#define LINGER_MAX_US (15 * G_USEC_PER_SEC)

struct LvpHypervisor {
    SimWorld *world;
};

LvpHypervisor *
sim_hypervisor_new(SimWorld *world)
{
    LvpHypervisor *self = g_new0(LvpHypervisor, 1);
    self->world = world;
    return self;
}

void
lvp_hypervisor_free(LvpHypervisor *self)
{
    g_free(self);
}

/* ---- answers ---- */

static gboolean
refuse(GError **error, const char *why)
{
    g_set_error(error, LVP_ERROR, LVP_ERROR_HYPERVISOR, "libvirt says: %s", why);
    return FALSE;
}

static gboolean
lose_connection(GError **error)
{
    g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_REACHABLE, "libvirt cannot be reached");
    return FALSE;
}

/* Whether the call gets to libvirtd; *RET_LIE: it has its effect, and an error is the answer. */
static gboolean
begin(LvpHypervisor *self, gboolean *ret_lie, GError **error)
{
    *ret_lie = FALSE;
    sim_pause();
    switch (sim_fate_begin(self->world->fate, SIM_LIBVIRT)) {
    case SIM_DEAD:
        return lose_connection(error);
    case SIM_FAIL:
        return g_rand_boolean(self->world->random) ? refuse(error, "no") : lose_connection(error);
    case SIM_LIE:
    case SIM_HANG:
        *ret_lie = TRUE;
        break;
    case SIM_GO:
    case SIM_N_FATES:
        break;
    }
    return !self->world->unreachable || lose_connection(error);
}

static gboolean
end(LvpHypervisor *self, gboolean lie, GError **error)
{
    gboolean lost = sim_fate_end(self->world->fate) || lie;
    sim_pause();
    return !lost || lose_connection(error);
}

/* ---- looking ---- */

const char *
lvp_hypervisor_get_uri(const LvpHypervisor *self)
{
    (void)self;
    return "sim:///system";
}

char *
lvp_hypervisor_dup_problem(LvpHypervisor *self)
{
    return self->world->unreachable ? g_strdup("it is away") : NULL;
}

gboolean
lvp_hypervisor_check_reachable(LvpHypervisor *self, GError **error)
{
    return !self->world->unreachable || lose_connection(error);
}

char *
lvp_hypervisor_dup_domain_type(LvpHypervisor *self, GError **error)
{
    gboolean lie;
    return begin(self, &lie, error) && end(self, lie, error) ? g_strdup("kvm") : NULL;
}

gboolean
lvp_hypervisor_get_state(LvpHypervisor *self,
                         const char *uuid,
                         LvpDomainState *ret_state,
                         GError **error)
{
    gboolean lie;
    if (!begin(self, &lie, error))
        return FALSE;
    const SimDomain *domain = sim_world_find_domain(self->world, uuid);
    LvpDomainState state = domain ? domain->state : LVP_DOMAIN_ABSENT;
    if (!end(self, lie, error))
        return FALSE;
    *ret_state = state;
    return TRUE;
}

GPtrArray *
lvp_hypervisor_list(LvpHypervisor *self, GError **error)
{
    gboolean lie;
    if (!begin(self, &lie, error))
        return NULL;
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(linked_free_seen);
    for (guint i = 0; i < self->world->domains->len; i++) {
        const SimDomain *domain = g_ptr_array_index(self->world->domains, i);
        LvpDomainSeen *seen = g_new0(LvpDomainSeen, 1);
        seen->uuid = g_strdup(domain->uuid);
        seen->name = g_strdup(domain->name);
        seen->state = domain->state;
        seen->xml = g_strdup(domain->xml);
        g_ptr_array_add(list, seen);
    }
    return end(self, lie, error) ? g_steal_pointer(&list) : NULL;
}

gboolean
lvp_hypervisor_check_unused(LvpHypervisor *self, const char *name, const char *uuid, GError **error)
{
    gboolean lie;
    gboolean used = FALSE;
    if (!begin(self, &lie, error))
        return FALSE;
    for (guint i = 0; i < self->world->domains->len; i++) {
        const SimDomain *domain = g_ptr_array_index(self->world->domains, i);
        used |= strcmp(domain->uuid, uuid) == 0 || strcmp(domain->name, name) == 0;
    }
    if (!end(self, lie, error))
        return FALSE;
    if (used)
        g_set_error(error, LVP_ERROR, LVP_ERROR_EXISTS, "domain %s exists", name);
    return !used;
}

char *
lvp_hypervisor_read_xml(LvpHypervisor *self, const char *uuid, gboolean *ret_found, GError **error)
{
    gboolean lie;
    *ret_found = FALSE;
    if (!begin(self, &lie, error))
        return NULL;
    const SimDomain *domain = sim_world_find_domain(self->world, uuid);
    g_autofree char *xml = domain ? g_strdup(domain->xml) : NULL;
    if (!end(self, lie, error))
        return NULL;
    *ret_found = xml != NULL;
    return g_steal_pointer(&xml);
}

/* ---- acting ---- */

/* The text between two others; g_free(). */
static char *
cut_out(const char *xml, const char *before, const char *after)
{
    const char *from = strstr(xml, before);
    const char *to = from ? strstr(from + strlen(before), after) : NULL;
    return to ? g_strndup(from + strlen(before), (gsize)(to - from) - strlen(before)) : NULL;
}

static gboolean
define(SimWorld *world, const char *xml, GError **error)
{
    g_auto(GStrv) addresses = lvp_domain_xml_list_host_addresses(xml, error);
    g_autofree char *uuid = cut_out(xml, "<uuid>", "</uuid>");
    g_autofree char *name = cut_out(xml, "<name>", "</name>");
    if (!addresses)
        return FALSE;
    if (!uuid || !name)
        return refuse(error, "a domain without name or uuid");
    SimDomain *domain = sim_world_find_domain(world, uuid);
    if (!domain)
        domain = sim_world_add_domain(world, uuid, name);
    g_free(domain->xml);
    g_strfreev(domain->addresses);
    domain->xml = g_strdup(xml);
    domain->addresses = g_steal_pointer(&addresses);
    return TRUE;
}

gboolean
lvp_hypervisor_define(LvpHypervisor *self, const char *xml, GError **error)
{
    gboolean lie;
    return begin(self, &lie, error) && define(self->world, xml, error) && end(self, lie, error);
}

gboolean
lvp_hypervisor_start(LvpHypervisor *self, const char *uuid, GError **error)
{
    gboolean lie;
    const char *why = NULL;
    if (!begin(self, &lie, error))
        return FALSE;
    SimDomain *domain = sim_world_find_domain(self->world, uuid);
    if (!domain) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND, "libvirt has no domain %s", uuid);
        return FALSE;
    }
    if (domain->state == LVP_DOMAIN_OFF && !sim_domain_start(self->world, domain, &why))
        return refuse(error, why);
    return end(self, lie, error);
}

static gint64
pick_linger(SimWorld *world)
{
    return g_rand_boolean(world->random) ? 0 : g_rand_int_range(world->random, 0, LINGER_MAX_US);
}

gboolean
lvp_hypervisor_shutdown(LvpHypervisor *self, const char *uuid, GError **error)
{
    gboolean lie;
    if (!begin(self, &lie, error))
        return FALSE;
    SimDomain *domain = sim_world_find_domain(self->world, uuid);
    if (!domain)
        return refuse(error, "no such domain");
    if (domain->state == LVP_DOMAIN_RUNNING && !domain->deaf)
        sim_domain_stop(self->world, domain, pick_linger(self->world));
    return end(self, lie, error);
}

gboolean
lvp_hypervisor_destroy(LvpHypervisor *self, const char *uuid, GError **error)
{
    gboolean lie;
    if (!begin(self, &lie, error))
        return FALSE;
    SimDomain *domain = sim_world_find_domain(self->world, uuid);
    if (domain && domain->state != LVP_DOMAIN_OFF)
        sim_domain_stop(self->world, domain, pick_linger(self->world));
    return end(self, lie, error);
}

gboolean
lvp_hypervisor_undefine(LvpHypervisor *self, const char *uuid, gboolean keep_nvram, GError **error)
{
    (void)keep_nvram;
    gboolean lie;
    if (!begin(self, &lie, error))
        return FALSE;
    SimDomain *domain = sim_world_find_domain(self->world, uuid);
    if (domain && domain->state != LVP_DOMAIN_OFF)
        return refuse(error, "it runs"); /* it would become a transient one */
    if (domain)
        sim_world_drop_domain(self->world, domain);
    return end(self, lie, error);
}
