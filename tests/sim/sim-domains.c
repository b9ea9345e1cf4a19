/* SPDX-License-Identifier: Apache-2.0 */
/* libvirtd: its domains, ours and others, and the devices that they have. */
#include "sim-world.h"

#include <string.h>

void
sim_domain_free(gpointer data)
{
    SimDomain *domain = data;
    g_free(domain->uuid);
    g_free(domain->name);
    g_free(domain->xml);
    g_strfreev(domain->addresses);
    g_ptr_array_unref(domain->detached);
    g_free(domain);
}

SimDomain *
sim_world_find_domain(SimWorld *self, const char *uuid)
{
    for (guint i = 0; i < self->domains->len; i++) {
        SimDomain *domain = g_ptr_array_index(self->domains, i);
        if (strcmp(domain->uuid, uuid) == 0)
            return domain;
    }
    return NULL;
}

SimDomain *
sim_world_add_domain(SimWorld *self, const char *uuid, const char *name)
{
    SimDomain *domain = g_new0(SimDomain, 1);
    domain->uuid = g_strdup(uuid);
    domain->name = g_strdup(name);
    domain->state = LVP_DOMAIN_OFF;
    domain->deaf = g_rand_int_range(self->random, 0, 4) == 0;
    domain->detached = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(self->domains, domain);
    return domain;
}

void
sim_world_drop_domain(SimWorld *self, SimDomain *domain)
{
    g_ptr_array_remove(self->domains, domain);
}

/* libvirt takes a card for a managed='yes' device; that it is in use does not keep it from that. */
static gboolean
detach(SimWorld *self, SimDomain *domain, SimCard *card)
{
    const char *address = card->card.address;
    g_autofree char *driver = lvp_fake_host_get_driver(self->host, address);
    if (g_strcmp0(driver, "vfio-pci") == 0)
        return TRUE;
    if (!domain->managed || lvp_fake_host_is_stuck(self->host, address) ||
        sim_card_count_vfs(self, card) > 0)
        return FALSE;
    sim_card_lose_disk(self, card);
    lvp_fake_host_set_override(self->host, address, "vfio-pci");
    lvp_fake_host_set_driver(self->host, address, "vfio-pci");
    g_ptr_array_add(domain->detached, g_strdup(address));
    return TRUE;
}

static void
reattach(SimWorld *self, SimDomain *domain)
{
    for (guint i = 0; i < domain->detached->len; i++) {
        const char *address = g_ptr_array_index(domain->detached, i);
        const SimCard *card = sim_world_find_card(self, address);
        if (!sim_card_is_present(self, card) || lvp_fake_host_is_stuck(self->host, address) ||
            sim_world_find_opener(self, card->card.group))
            continue;
        lvp_fake_host_set_override(self->host, address, NULL);
        lvp_fake_host_set_driver(self->host, address, card->card.driver);
    }
    g_ptr_array_set_size(domain->detached, 0);
}

/* The group is viable: everything in it is on vfio-pci or without driver. */
static gboolean
is_viable(SimWorld *self, int group)
{
    for (guint i = 0; i < self->cards->len; i++) {
        const SimCard *card = g_ptr_array_index(self->cards, i);
        if (card->card.group != group || !sim_card_is_present(self, card))
            continue;
        g_autofree char *driver = lvp_fake_host_get_driver(self->host, card->card.address);
        if (driver && strcmp(driver, "vfio-pci") != 0)
            return FALSE;
    }
    return TRUE;
}

static const char *
find_obstacle(SimWorld *self, SimDomain *domain)
{
    for (guint i = 0; domain->addresses[i]; i++) {
        const SimCard *card = sim_world_find_card(self, domain->addresses[i]);
        if (!card || !sim_card_is_present(self, card))
            return "Device not found";
        if (sim_world_find_opener(self, card->card.group))
            return "PCI device is in use by driver QEMU";
    }
    for (guint i = 0; domain->addresses[i]; i++)
        if (!detach(self, domain, sim_world_find_card(self, domain->addresses[i])))
            return "Unmanaged PCI device must be manually detached from the host";
    for (guint i = 0; domain->addresses[i]; i++)
        if (!is_viable(self, sim_world_find_card(self, domain->addresses[i])->card.group))
            return "group is not viable";
    return NULL;
}

gboolean
sim_domain_start(SimWorld *self, SimDomain *domain, const char **ret_why)
{
    *ret_why = find_obstacle(self, domain);
    if (*ret_why) {
        reattach(self, domain);
        return FALSE;
    }
    for (guint i = 0; domain->addresses[i]; i++)
        sim_world_open_group(self, sim_world_find_card(self, domain->addresses[i])->card.group,
                             domain);
    domain->state = LVP_DOMAIN_RUNNING;
    return TRUE;
}

void
sim_domain_stop(SimWorld *self, SimDomain *domain, gint64 linger_us)
{
    domain->state = LVP_DOMAIN_OFF;
    for (guint i = 0; i < self->holds->len; i++) {
        SimHold *hold = &g_array_index(self->holds, SimHold, i);
        if (strcmp(hold->uuid, domain->uuid) == 0 && hold->until_us == 0)
            hold->until_us = sim_clock_us + linger_us;
    }
    sim_world_release_due(self);
    reattach(self, domain);
}
