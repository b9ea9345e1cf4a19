/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-world.h"

#include <string.h>

/* Alone; with a second function; without a driver; two pools in one slot; a group over two slots;
 * on vfio-pci before us. */
static const struct {
    LvpFakePci card;
    const char *override;
    const char *driver; /* if not that of the card */
} CARDS[] = {
    {{.address = "0000:01:00.0", .device = 0x20b7, .driver = "nvidia", .group = 1}},
    {{.address = "0000:02:00.0", .device = 0x20b7, .driver = "nvidia", .group = 2}},
    {{.address = "0000:02:00.1", .device = 0x1aef, .driver = "snd_hda_intel", .group = 2}},
    {{.address = "0000:03:00.0", .device = 0x20b7, .group = 3}},
    {{.address = "0000:04:00.0", .device = 0x1572, .driver = "i40e", .group = 4}},
    {{.address = "0000:05:00.0", .device = 0x1572, .driver = "i40e", .group = 5}},
    {{.address = "0000:05:00.1", .device = 0x2203, .driver = "nvme", .group = 5}},
    {{.address = "0000:06:00.0", .device = 0x2204, .driver = "fpga", .group = 6}},
    {{.address = "0000:07:00.0", .device = 0x2204, .driver = "fpga", .group = 6}},
    {{.address = "0000:08:00.0", .device = 0x1572, .driver = "i40e", .group = 8},
     "vfio-pci",
     "vfio-pci"},
};

#define VENDOR 0x10deu
#define CLASS_NETWORK 0x020000u
#define FLAGS_DOWN 0x1002u
#define FLAGS_UP 0x1003u
#define OTHER_REVISION 0x77u

gint64 sim_clock_us = 1;

gint64
sim_get_now_us(void)
{
    return sim_clock_us;
}

/* ---- bindings ---- */

void
sim_binding_clear(SimBinding *self)
{
    g_clear_pointer(&self->driver, g_free);
    g_clear_pointer(&self->override, g_free);
}

gboolean
sim_binding_equal(const SimBinding *a, const SimBinding *b)
{
    return strcmp(a->driver, b->driver) == 0 && strcmp(a->override, b->override) == 0;
}

void
sim_card_plug(SimWorld *self, SimCard *card)
{
    const LvpFakePci *pci = &card->card;
    g_snprintf(card->identity, sizeof card->identity, "%04x:%04x:%04x:%04x:%02x:%06x", pci->vendor,
               pci->device, pci->subsystem_vendor, pci->subsystem_device, pci->revision,
               pci->class_code);
    lvp_fake_host_add_pci(self->host, pci);
    g_autofree char *name = g_strdup_printf("eth%d", pci->group);
    card->up = FALSE;
    if (pci->class_code == CLASS_NETWORK)
        lvp_fake_host_add_net(
            self->host, &(LvpFakeNet){.name = name, .pci = pci->address, .flags = FLAGS_DOWN});
}

void
sim_card_set_up(SimWorld *self, SimCard *card, gboolean up)
{
    g_autofree char *name = g_strdup_printf("eth%d", card->card.group);
    if (card->card.class_code != CLASS_NETWORK)
        return;
    card->up = up;
    lvp_fake_host_set_net_flags(self->host, name, up ? FLAGS_UP : FLAGS_DOWN);
}

gboolean
sim_card_is_present(SimWorld *self, const SimCard *card)
{
    return lvp_fake_host_has_pci(self->host, card->card.address);
}

SimBinding
sim_card_read(SimWorld *self, const SimCard *card)
{
    SimBinding binding = {lvp_fake_host_get_driver(self->host, card->card.address),
                          lvp_fake_host_get_override(self->host, card->card.address)};
    if (!binding.driver)
        binding.driver = g_strdup("");
    if (!binding.override)
        binding.override = g_strdup("");
    return binding;
}

gboolean
sim_card_is_fresh(const SimCard *card, const SimBinding *binding)
{
    return binding->override[0] == '\0' &&
           strcmp(binding->driver, card->card.driver ? card->card.driver : "") == 0;
}

SimCard *
sim_world_find_card(SimWorld *self, const char *address)
{
    for (guint i = 0; i < self->cards->len; i++) {
        SimCard *card = g_ptr_array_index(self->cards, i);
        if (strcmp(card->card.address, address) == 0)
            return card;
    }
    return NULL;
}

SimCard *
sim_world_pick_card(SimWorld *self)
{
    return g_ptr_array_index(self->cards,
                             (guint)g_rand_int_range(self->random, 0, (int)self->cards->len));
}

/* ---- life ---- */

static void
free_card(gpointer data)
{
    sim_binding_clear(&((SimCard *)data)->original);
    g_free(data);
}

static void
free_domain(gpointer data)
{
    SimDomain *domain = data;
    g_free(domain->uuid);
    g_free(domain->name);
    g_free(domain->xml);
    g_strfreev(domain->addresses);
    g_ptr_array_unref(domain->detached);
    g_free(domain);
}

static void
add_card(SimWorld *self, guint index)
{
    SimCard *card = g_new0(SimCard, 1);
    card->card = CARDS[index].card;
    card->card.vendor = VENDOR;
    card->card.class_code = card->card.device == 0x1572 ? CLASS_NETWORK : 0x120000;
    card->card.reset = (LvpFakeReset)g_rand_int_range(self->random, 0, 3);
    card->other = card->card;
    card->other.revision = OTHER_REVISION;
    sim_card_plug(self, card);
    if (CARDS[index].override)
        lvp_fake_host_set_override(self->host, card->card.address, CARDS[index].override);
    if (CARDS[index].driver)
        lvp_fake_host_set_driver(self->host, card->card.address, CARDS[index].driver);
    card->original = sim_card_read(self, card);
    g_ptr_array_add(self->cards, card);
}

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
    self->cards = g_ptr_array_new_with_free_func(free_card);
    self->domains = g_ptr_array_new_with_free_func(free_domain);
    self->holds = g_array_new(FALSE, FALSE, sizeof(SimHold));
    g_array_set_clear_func(self->holds, clear_hold);
    for (guint i = 0; i < G_N_ELEMENTS(CARDS); i++)
        add_card(self, i);
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

static void
open_group(SimWorld *self, int group, const SimDomain *domain)
{
    if (sim_world_find_opener(self, group))
        return;
    SimHold hold = {group, g_strdup(domain->uuid), 0};
    g_array_append_val(self->holds, hold);
    g_autofree char *node = g_strdup_printf("vfio/%d", group);
    g_autofree char *text = g_strdup_printf("pid 1 (qemu %s)", domain->name);
    lvp_fake_host_set_opener(self->host, node, text);
}

static void
release_due(SimWorld *self)
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
    release_due(self);
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
    lvp_fake_host_reboot(self->host);
}

/* ---- libvirtd ---- */

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

/* libvirt takes a card for a managed='yes' device. */
static gboolean
detach(SimWorld *self, SimDomain *domain, const SimCard *card)
{
    const char *address = card->card.address;
    g_autofree char *driver = lvp_fake_host_get_driver(self->host, address);
    if (g_strcmp0(driver, "vfio-pci") == 0)
        return TRUE;
    if (!domain->managed || lvp_fake_host_is_stuck(self->host, address))
        return FALSE;
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
        open_group(self, sim_world_find_card(self, domain->addresses[i])->card.group, domain);
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
    release_due(self);
    reattach(self, domain);
}
