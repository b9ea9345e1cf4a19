/* SPDX-License-Identifier: Apache-2.0 */
/* What the provider does to the host: asked of fate first, and watched. */
#include "sim-world.h"

#include "fake-kernel.h"
#include "sim-mutants.h"
#include "sim-watch.h"

#include <errno.h>
#include <string.h>

/* The card that a write or read is about; NULL: none. */
static SimCard *
find_subject(SimWorld *self, const char *path, const char *text)
{
    for (guint i = 0; i < self->cards->len; i++) {
        SimCard *card = g_ptr_array_index(self->cards, i);
        if (strstr(path, card->card.address) || (text && strstr(text, card->card.address)))
            return card;
    }
    return NULL;
}

/* All that the kernel was seen to answer to any of the writes, and what it may to each. */
static int
pick_errno(SimWorld *self)
{
    static const int CODES[] = {EINVAL, ENODEV, ENOENT, EBUSY, EIO, ENOTTY, EACCES, ENOMEM};
    return CODES[g_rand_int_range(self->random, 0, G_N_ELEMENTS(CODES))];
}

/* Of an open that says nothing about the disk. */
static int
pick_open_errno(SimWorld *self)
{
    static const int CODES[] = {EIO, EACCES, EPERM, EMFILE};
    return CODES[g_rand_int_range(self->random, 0, G_N_ELEMENTS(CODES))];
}

static int
host_write(gpointer data, const char *path, const char *text, int lock_fd)
{
    SimWorld *self = data;
    sim_pause();
    SimCard *card = find_subject(self, path, text);
    SimFateKind fate = sim_fate_begin(self->fate, SIM_HOST);
    if (fate == SIM_DEAD)
        return EIO;
    sim_watch_write(self, card, path);
    if (fate != SIM_GO && card)
        card->faulted = TRUE;
    if (fate == SIM_FAIL)
        return pick_errno(self);
    if (fate == SIM_LIE)
        return 0;
    if (fate == SIM_HANG)
        lvp_fake_host_hang_at(self->host, 1);
    int code = FAKE_KERNEL_EFFECTS.write(self->host, path, text, lock_fd);
    if (code == ETIMEDOUT)
        sim_world_advance(self, G_USEC_PER_SEC);
    gboolean died = sim_fate_end(self->fate);
    sim_pause();
    return died ? EIO : code;
}

static int
host_read_guarded(gpointer data, const char *path, char *buffer, gsize size)
{
    SimWorld *self = data;
    sim_pause();
    SimFateKind fate = sim_fate_begin(self->fate, SIM_HOST);
    buffer[0] = '\0';
    if (fate == SIM_DEAD)
        return EIO;
    if (fate != SIM_GO) {
        SimCard *card = find_subject(self, path, NULL);
        if (card)
            card->faulted = TRUE;
        return fate == SIM_HANG ? ETIMEDOUT : pick_errno(self);
    }
    int code = FAKE_KERNEL_EFFECTS.read_guarded(self->host, path, buffer, size);
    return sim_fate_end(self->fate) ? EIO : code;
}

/* A module that is loaded takes what has no driver and names it: that is what a person wanted. */
static void
accept_probed(SimWorld *self)
{
    for (guint i = 0; i < self->cards->len; i++) {
        SimCard *card = g_ptr_array_index(self->cards, i);
        if (!sim_card_is_present(self, card) || card->original.driver[0] != '\0' ||
            strcmp(card->original.override, "vfio-pci") != 0 ||
            self->explain(self->look_data, card))
            continue;
        sim_binding_clear(&card->original);
        card->original = sim_card_read(self, card);
    }
}

static int
host_load_module(gpointer data, const char *module)
{
    SimWorld *self = data;
    sim_pause();
    SimFateKind fate = sim_fate_begin(self->fate, SIM_HOST);
    if (fate == SIM_DEAD)
        return EIO;
    if (fate != SIM_GO)
        return fate == SIM_LIE ? 0 : fate == SIM_HANG ? ETIMEDOUT : pick_errno(self);
    int code = FAKE_KERNEL_EFFECTS.load_module(self->host, module);
    accept_probed(self);
    return sim_fate_end(self->fate) ? EIO : code;
}

static int
host_open_exclusive(gpointer data, const char *name)
{
    SimWorld *self = data;
    sim_pause();
    SimFateKind fate = sim_fate_begin(self->fate, SIM_HOST);
    if (fate != SIM_GO)
        return fate == SIM_HANG ? ETIMEDOUT : pick_open_errno(self);
    int code = FAKE_KERNEL_EFFECTS.open_exclusive(self->host, name);
    return sim_fate_end(self->fate) ? EIO : code;
}

static char *
host_find_opener(gpointer data, const char *path)
{
    SimWorld *self = data;
    sim_pause();
    for (guint i = 0; i < self->cards->len; i++) {
        const SimCard *card = g_ptr_array_index(self->cards, i);
        g_autofree char *node = g_strdup_printf("vfio/%d", card->card.group);
        if (strcmp(node, path) == 0)
            sim_watch_look(self, SIM_USE_OPENER, card->card.address);
    }
    return FAKE_KERNEL_EFFECTS.find_opener(self->host, path);
}

static char *
host_find_interface_address(gpointer data, const char *name)
{
    (void)data, (void)name;
    return NULL;
}

static gint64
host_get_now_us(gpointer data)
{
    (void)data;
    return sim_clock_us;
}

static void
host_sleep(gpointer data, guint duration_us)
{
    sim_world_advance(data, duration_us);
    sim_pause();
}

void
sim_world_attach(SimWorld *self, LvpHost *host)
{
    self->effects = (LvpHostEffects){
        .write = host_write,
        .read_guarded = host_read_guarded,
        .load_module = host_load_module,
        .open_exclusive = host_open_exclusive,
        .find_opener = host_find_opener,
        .find_interface_address = host_find_interface_address,
        .get_now_us = host_get_now_us,
        .sleep = host_sleep,
    };
    sim_mutate_effects(self->mutant, &self->effects);
    sim_seams_set_world(self);
    lvp_host_set_effects(host, &self->effects, self);
}
