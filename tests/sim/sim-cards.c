/* SPDX-License-Identifier: Apache-2.0 */
/* The cards: what they are, how they are bound, and who uses them. */
#include "sim-world.h"

#include <string.h>

/* Alone; with a second function; without a driver; two pools in one slot; a group over two slots;
 * on vfio-pci before us; a disk with a partition; a PF whose VFs go with its driver, and one that
 * leaves its VF. */
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
    {{.address = "0000:09:00.0", .device = 0x2203, .driver = "nvme", .group = 9}},
    {{.address = "0000:0a:00.0", .device = 0x10c9, .driver = "igb", .group = 10, .max_vfs = 2}},
    {{.address = "0000:0a:10.0",
      .device = 0x10ca,
      .driver = "igbvf",
      .pf = "0000:0a:00.0",
      .group = 11}},
    {{.address = "0000:0a:10.2",
      .device = 0x10ca,
      .driver = "igbvf",
      .pf = "0000:0a:00.0",
      .group = 12}},
    {{.address = "0000:0b:00.0", .device = 0x37c8, .driver = "c6xx", .group = 13, .max_vfs = 1}},
    {{.address = "0000:0b:00.1",
      .device = 0x37c9,
      .driver = "c6xxvf",
      .pf = "0000:0b:00.0",
      .group = 14}},
};

#define VENDOR 0x10deu
#define CLASS_NETWORK 0x020000u
#define CLASS_NVME 0x010802u
#define CLASS_ACCELERATOR 0x120000u
#define FLAGS_DOWN 0x1002u
#define FLAGS_UP 0x1003u
#define OTHER_REVISION 0x77u
#define GROUP_WITH_PARTITION 9

/* ---- bindings ---- */

void
sim_binding_clear(SimBinding *self)
{
    g_clear_pointer(&self->driver, g_free);
    g_clear_pointer(&self->override, g_free);
}

void
sim_card_accept(SimCard *card, SimBinding *binding)
{
    sim_binding_clear(&card->original);
    card->original = *binding;
    *binding = (SimBinding){0};
    card->explained = FALSE;
    card->meddled = card->renewed = card->faulted = card->unsure = card->forced = FALSE;
}

gboolean
sim_binding_equal(const SimBinding *a, const SimBinding *b)
{
    return strcmp(a->driver, b->driver) == 0 && strcmp(a->override, b->override) == 0;
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

gboolean
sim_card_is_on_host_driver(SimWorld *self, const SimCard *card)
{
    if (!sim_card_is_present(self, card))
        return FALSE;
    g_autofree char *driver = lvp_fake_host_get_driver(self->host, card->card.address);
    return driver && g_strcmp0(driver, card->card.driver) == 0;
}

/* ---- which ---- */

gboolean
sim_card_is_present(SimWorld *self, const SimCard *card)
{
    return lvp_fake_host_has_pci(self->host, card->card.address);
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

guint
sim_card_count_vfs(SimWorld *self, const SimCard *pf)
{
    guint count = 0;
    for (guint i = 0; i < self->cards->len; i++) {
        const SimCard *card = g_ptr_array_index(self->cards, i);
        if (g_strcmp0(card->card.pf, pf->card.address) == 0 && sim_card_is_present(self, card))
            count++;
    }
    return count;
}

/* ---- who uses it ---- */

static gboolean
is_disk(const SimCard *card)
{
    return card->card.class_code == CLASS_NVME;
}

gboolean
sim_card_can_be_used(SimWorld *self, const SimCard *card)
{
    return card->card.class_code == CLASS_NETWORK ||
           (is_disk(card) && sim_card_is_on_host_driver(self, card));
}

static char *
make_interface_name(const SimCard *card)
{
    return g_strdup_printf("eth%d", card->card.group);
}

/* The part that is in use: the disk, or its partition. */
static char *
make_block_name(const SimCard *card)
{
    return g_strdup_printf("nvme%dn1%s", card->card.group,
                           card->card.group == GROUP_WITH_PARTITION ? "p1" : "");
}

static char *
make_holder_name(const SimCard *card)
{
    return g_strdup_printf("dm-%d", card->card.group);
}

static void
let_disk_go(SimWorld *self, const SimCard *card)
{
    g_autofree char *block = make_block_name(card);
    g_autofree char *holder = make_holder_name(card);
    lvp_fake_host_unstack(self->host, holder, block);
    lvp_fake_host_let_go(self->host, block);
}

static void
use_disk(SimWorld *self, const SimCard *card)
{
    g_autofree char *block = make_block_name(card);
    g_autofree char *holder = make_holder_name(card);
    g_autofree char *disk = g_strdup_printf("nvme%dn1", card->card.group);
    switch (g_rand_int_range(self->random, 0, 4)) {
    case 0:
        lvp_fake_host_mount(self->host, block, "/mnt");
        break;
    case 1:
        lvp_fake_host_swap_on(self->host, block);
        break;
    case 2:
        lvp_fake_host_stack(self->host, &(LvpFakeStacked){.name = holder, .on = block});
        G_GNUC_FALLTHROUGH; /* who stacks one has it open */
    default:                /* in another mount namespace */
        lvp_fake_host_set_busy(self->host, block, TRUE);
        lvp_fake_host_set_busy(self->host, disk, TRUE);
    }
}

void
sim_card_set_used(SimWorld *self, SimCard *card, gboolean used)
{
    if (used == card->used)
        return;
    card->used = used;
    card->used_since = ++self->moment;
    if (!is_disk(card)) {
        g_autofree char *interface = make_interface_name(card);
        lvp_fake_host_set_net_flags(self->host, interface, used ? FLAGS_UP : FLAGS_DOWN);
    } else if (used) {
        use_disk(self, card);
    } else {
        let_disk_go(self, card);
    }
}

void
sim_card_lose_disk(SimWorld *self, SimCard *card)
{
    if (is_disk(card) && sim_card_is_present(self, card))
        sim_card_set_used(self, card, FALSE);
}

guint64
sim_card_get_use(SimWorld *self, const SimCard *card, SimUse use)
{
    switch (use) {
    case SIM_USE_HOST:
        return card->used ? card->used_since : 0;
    case SIM_USE_VFS:
        return sim_card_count_vfs(self, card) > 0 ? card->vfs_since : 0;
    case SIM_USE_OPENER:
        return sim_world_get_open_since(self, card->card.group);
    case SIM_N_USES:
        break;
    }
    return 0;
}

/* ---- coming ---- */

static void
add_block(SimWorld *self, const SimCard *card)
{
    g_autofree char *disk = g_strdup_printf("nvme%dn1", card->card.group);
    g_autofree char *partition = make_block_name(card);
    lvp_fake_host_add_block(
        self->host,
        &(LvpFakeBlock){.name = disk, .pci = card->card.address, .multipath = card->multipath});
    if (strcmp(partition, disk) != 0)
        lvp_fake_host_add_block(self->host, &(LvpFakeBlock){.name = partition, .disk = disk});
}

void
sim_card_plug(SimWorld *self, SimCard *card)
{
    const LvpFakePci *pci = &card->card;
    g_snprintf(card->identity, sizeof card->identity, "%04x:%04x:%04x:%04x:%02x:%06x", pci->vendor,
               pci->device, pci->subsystem_vendor, pci->subsystem_device, pci->revision,
               pci->class_code);
    lvp_fake_host_add_pci(self->host, pci);
    g_autofree char *name = make_interface_name(card);
    card->used = FALSE;
    SimCard *pf = pci->pf ? sim_world_find_card(self, pci->pf) : NULL;
    if (pf)
        pf->vfs_since = ++self->moment;
    if (is_disk(card))
        add_block(self, card);
    if (pci->class_code == CLASS_NETWORK)
        lvp_fake_host_add_net(
            self->host, &(LvpFakeNet){.name = name, .pci = pci->address, .flags = FLAGS_DOWN});
}

static guint
get_class(guint device)
{
    return device == 0x1572 || device == 0x10c9 || device == 0x10ca ? CLASS_NETWORK
           : device == 0x2203                                       ? CLASS_NVME
                                                                    : CLASS_ACCELERATOR;
}

static void
add_card(SimWorld *self, guint index)
{
    SimCard *card = g_new0(SimCard, 1);
    card->card = CARDS[index].card;
    card->card.vendor = VENDOR;
    card->card.class_code = get_class(card->card.device);
    card->card.reset = (LvpFakeReset)g_rand_int_range(self->random, 0, 3);
    card->multipath = g_rand_boolean(self->random);
    card->other = card->card;
    card->other.revision = OTHER_REVISION;
    card->other_original = (SimBinding){g_strdup(card->card.driver), g_strdup("")};
    g_ptr_array_add(self->cards, card);
    if (card->card.pf) { /* made later, if at all */
        card->original = (SimBinding){g_strdup(card->card.driver), g_strdup("")};
        return;
    }
    sim_card_plug(self, card);
    if (CARDS[index].override)
        lvp_fake_host_set_override(self->host, card->card.address, CARDS[index].override);
    if (CARDS[index].driver)
        lvp_fake_host_set_driver(self->host, card->card.address, CARDS[index].driver);
    card->original = sim_card_read(self, card);
}

static void
free_card(gpointer data)
{
    SimCard *card = data;
    sim_binding_clear(&card->original);
    sim_binding_clear(&card->other_original);
    sim_binding_clear(&card->left);
    g_free(card);
}

void
sim_world_add_cards(SimWorld *self)
{
    self->cards = g_ptr_array_new_with_free_func(free_card);
    for (guint i = 0; i < G_N_ELEMENTS(CARDS); i++)
        add_card(self, i);
}
