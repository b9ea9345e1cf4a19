/* SPDX-License-Identifier: Apache-2.0 */
#include "resource.h"

#define WORD_BITS 64u

/* One resource on one node. */
typedef struct {
    gint64 total, taken; /* of a counted resource */
    GPtrArray *units;    /* by bit; of a unitary resource */
    guint64 *free_bits;
    guint n_words;
    guint first_word; /* no bit is set before this word */
    guint n_free;
} Shelf;

struct LvpResource {
    char *name;
    const char *source;
    gboolean unitary;
    gint64 total;
    gint64 n_free; /* of a unitary resource, over all nodes */
    Shelf *shelves;
    guint n_shelves;
};

LvpResource *
lvp_resource_new(const char *name, const char *source, gboolean unitary)
{
    LvpResource *self = g_new0(LvpResource, 1);
    self->name = g_strdup(name);
    self->source = source;
    self->unitary = unitary;
    return self;
}

void
lvp_resource_free(LvpResource *self)
{
    if (!self)
        return;
    for (guint i = 0; i < self->n_shelves; i++) {
        g_clear_pointer(&self->shelves[i].units, g_ptr_array_unref);
        g_free(self->shelves[i].free_bits);
    }
    g_free(self->shelves);
    g_free(self->name);
    g_free(self);
}

void
lvp_resource_lay_out(LvpResource *self, guint n_nodes)
{
    self->n_shelves = n_nodes;
    self->shelves = g_new0(Shelf, n_nodes);
}

void
lvp_resource_add_amount(LvpResource *self, guint node_index, gint64 amount)
{
    gint64 part = MIN(amount, G_MAXINT64 - self->total);
    self->shelves[node_index].total += part;
    self->total += part;
}

guint
lvp_resource_add_unit(LvpResource *self, guint node_index, gpointer unit)
{
    Shelf *shelf = &self->shelves[node_index];
    if (!shelf->units)
        shelf->units = g_ptr_array_new();
    g_ptr_array_add(shelf->units, unit);
    self->total++;
    return shelf->units->len - 1;
}

void
lvp_resource_seal(LvpResource *self)
{
    for (guint i = 0; i < self->n_shelves; i++) {
        Shelf *shelf = &self->shelves[i];
        shelf->n_words = shelf->units ? (shelf->units->len + WORD_BITS - 1) / WORD_BITS : 0;
        shelf->free_bits = g_new0(guint64, shelf->n_words);
    }
}

const char *
lvp_resource_get_name(const LvpResource *self)
{
    return self->name;
}

const char *
lvp_resource_get_source(const LvpResource *self)
{
    return self->source;
}

gboolean
lvp_resource_is_unitary(const LvpResource *self)
{
    return self->unitary;
}

gint64
lvp_resource_get_total(const LvpResource *self)
{
    return self->total;
}

gint64
lvp_resource_get_free_on(const LvpResource *self, guint node_index)
{
    const Shelf *shelf = &self->shelves[node_index];
    if (self->unitary)
        return shelf->n_free;
    return MAX(shelf->total - shelf->taken, 0); /* less than taken after the host has shrunk */
}

gint64
lvp_resource_get_free(const LvpResource *self)
{
    if (self->unitary)
        return self->n_free;
    gint64 sum = 0;
    for (guint i = 0; i < self->n_shelves; i++)
        sum += lvp_resource_get_free_on(self, i);
    return sum;
}

gpointer
lvp_resource_next_free(LvpResource *self, guint node_index, guint *cursor)
{
    Shelf *shelf = &self->shelves[node_index];
    while (shelf->first_word < shelf->n_words && shelf->free_bits[shelf->first_word] == 0)
        shelf->first_word++;
    guint from = MAX(*cursor, shelf->first_word * WORD_BITS);
    for (guint word = from / WORD_BITS; word < shelf->n_words; word++) {
        guint64 bits = shelf->free_bits[word];
        if (word == from / WORD_BITS)
            bits &= ~G_GUINT64_CONSTANT(0) << (from % WORD_BITS);
        if (bits == 0)
            continue;
        guint bit = word * WORD_BITS + (guint)__builtin_ctzll(bits);
        *cursor = bit + 1;
        return g_ptr_array_index(shelf->units, bit);
    }
    return NULL;
}

void
lvp_resource_take_amount(LvpResource *self, guint node_index, gint64 amount)
{
    self->shelves[node_index].taken += amount;
}

void
lvp_resource_give_amount(LvpResource *self, guint node_index, gint64 amount)
{
    self->shelves[node_index].taken -= amount;
}

static gboolean
is_set(const Shelf *shelf, guint bit)
{
    return ((shelf->free_bits[bit / WORD_BITS] >> (bit % WORD_BITS)) & 1) != 0;
}

void
lvp_resource_set_unit_free(LvpResource *self, guint node_index, guint bit, gboolean free)
{
    Shelf *shelf = &self->shelves[node_index];
    if (is_set(shelf, bit) == free)
        return;
    guint word = bit / WORD_BITS;
    shelf->free_bits[word] ^= G_GUINT64_CONSTANT(1) << (bit % WORD_BITS);
    if (free) {
        shelf->n_free++;
        self->n_free++;
        shelf->first_word = MIN(shelf->first_word, word);
    } else {
        shelf->n_free--;
        self->n_free--;
    }
}
