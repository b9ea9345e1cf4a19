/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-world.h"

#include <string.h>

gint64 sim_clock_us = 1;

gint64
sim_get_now_us(void)
{
    return sim_clock_us;
}

/* ---- life ---- */

static void
clear_hold(gpointer data)
{
    g_free(((SimHold *)data)->uuid);
}

SimWorld *
sim_world_new(SimFate *fate)
{
    SimWorld *self = g_new0(SimWorld, 1);
    self->fate = fate;
    self->random = fate->random;
    self->host = lvp_fake_host_new();
    self->domains = g_ptr_array_new_with_free_func(sim_domain_free);
    self->holds = g_array_new(FALSE, FALSE, sizeof(SimHold));
    g_array_set_clear_func(self->holds, clear_hold);
    sim_world_add_cards(self);
    return self;
}

void
sim_world_free(SimWorld *self)
{
    g_ptr_array_unref(self->cards);
    g_ptr_array_unref(self->domains);
    g_array_unref(self->holds);
    lvp_fake_host_free(self->host);
    g_free(self->violation);
    g_free(self);
}

/* ---- who has a group open ---- */

const char *
sim_world_find_opener(SimWorld *self, int group)
{
    for (guint i = 0; i < self->holds->len; i++)
        if (g_array_index(self->holds, SimHold, i).group == group)
            return g_array_index(self->holds, SimHold, i).uuid;
    return NULL;
}

guint64
sim_world_get_open_since(SimWorld *self, int group)
{
    for (guint i = 0; i < self->holds->len; i++)
        if (g_array_index(self->holds, SimHold, i).group == group)
            return g_array_index(self->holds, SimHold, i).since;
    return 0;
}

void
sim_world_open_group(SimWorld *self, int group, const SimDomain *domain)
{
    if (sim_world_find_opener(self, group))
        return;
    SimHold hold = {group, g_strdup(domain->uuid), 0, ++self->moment};
    g_array_append_val(self->holds, hold);
    g_autofree char *node = g_strdup_printf("vfio/%d", group);
    g_autofree char *text = g_strdup_printf("pid 1 (qemu %s)", domain->name);
    lvp_fake_host_set_opener(self->host, node, text);
}

void
sim_world_release_due(SimWorld *self)
{
    for (guint i = 0; i < self->holds->len;) {
        const SimHold *hold = &g_array_index(self->holds, SimHold, i);
        if (hold->until_us == 0 || hold->until_us > sim_clock_us) {
            i++;
            continue;
        }
        g_autofree char *node = g_strdup_printf("vfio/%d", hold->group);
        g_array_remove_index(self->holds, i);
        lvp_fake_host_set_opener(self->host, node, NULL);
    }
}

/* ---- time ---- */

void
sim_world_advance(SimWorld *self, gint64 duration_us)
{
    sim_clock_us += duration_us;
    sim_world_release_due(self);
}

void
sim_world_reboot(SimWorld *self)
{
    for (guint i = 0; i < self->domains->len; i++) {
        SimDomain *domain = g_ptr_array_index(self->domains, i);
        domain->state = LVP_DOMAIN_OFF;
        g_ptr_array_set_size(domain->detached, 0);
    }
    g_array_set_size(self->holds, 0);
    for (guint i = 0; i < self->cards->len; i++)
        sim_card_lose_disk(self, g_ptr_array_index(self->cards, i));
    lvp_fake_host_reboot(self->host);
}
