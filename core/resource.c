/* SPDX-License-Identifier: Apache-2.0 */
#include "resource.h"

#include <string.h>

#define WORD_BITS 64u
#define MAX_NAME_LENGTH 253 /* that of a DNS name, as Kubernetes has it */

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
    GArray *bundles;     /* guint: how many bundles have so many free units; the first is unused */
    GPtrArray *partners; /* LvpResource, borrowed */
};

gboolean
lvp_resource_is_name(const char *text)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/";
    gsize length = strlen(text);
    return length > 0 && length <= MAX_NAME_LENGTH && strspn(text, allowed) == length;
}

LvpResource *
lvp_resource_new(const char *name, const char *source, gboolean unitary)
{
    LvpResource *self = g_new0(LvpResource, 1);
    self->name = g_strdup(name);
    self->source = source;
    self->unitary = unitary;
    self->bundles = g_array_new(FALSE, TRUE, sizeof(guint));
    self->partners = g_ptr_array_new();
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
    g_array_unref(self->bundles);
    g_ptr_array_unref(self->partners);
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

gboolean
lvp_resource_set_unit_free(LvpResource *self, guint node_index, guint bit, gboolean free)
{
    Shelf *shelf = &self->shelves[node_index];
    if (is_set(shelf, bit) == free)
        return FALSE;
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
    return TRUE;
}

/* ---- bundles ---- */

static guint
get_n_bundles(const GArray *bundles, guint size)
{
    return size < bundles->len ? g_array_index(bundles, guint, size) : 0;
}

void
lvp_resource_move_bundle(LvpResource *self, guint before, guint after)
{
    guint highest = MAX(before, after);
    if (highest >= self->bundles->len)
        g_array_set_size(self->bundles, highest + 1);
    g_array_index(self->bundles, guint, before)--; /* that of size 0 counts nothing */
    g_array_index(self->bundles, guint, after)++;
}

gboolean
lvp_resource_has_equal_bundles(const LvpResource *self)
{
    guint sizes = 0;
    for (guint size = 1; size < self->bundles->len; size++)
        sizes += g_array_index(self->bundles, guint, size) > 0;
    return sizes <= 1;
}

gboolean
lvp_resource_prefers_bundle(guint size, guint best, gint64 needed)
{
    if (best == 0)
        return TRUE;
    if (size >= needed)
        return best < needed || size < best;
    return best < needed && size > best;
}

static guint
choose_size(const GArray *bundles, gint64 needed)
{
    guint best = 0;
    for (guint size = 1; size < bundles->len; size++)
        if (get_n_bundles(bundles, size) > 0 && lvp_resource_prefers_bundle(size, best, needed))
            best = size;
    return best;
}

/* Takes the bundles of one machine out of LEFT, into USED; FALSE where they are not enough. */
static gboolean
take_bundles(GArray *left, GArray *used, gint64 amount)
{
    for (gint64 needed = amount; needed > 0;) {
        guint size = choose_size(left, needed);
        if (size == 0)
            return FALSE;
        g_array_index(left, guint, size)--;
        g_array_index(used, guint, size)++;
        needed -= size;
    }
    return TRUE;
}

/* As many machines more as find the same bundles as the last one. */
static gint64
repeat(GArray *left, const GArray *used)
{
    guint times = G_MAXUINT;
    for (guint size = 1; size < left->len; size++)
        if (g_array_index(used, guint, size) > 0)
            times = MIN(times, g_array_index(left, guint, size) / g_array_index(used, guint, size));
    for (guint size = 1; size < left->len; size++)
        g_array_index(left, guint, size) -= times * g_array_index(used, guint, size);
    return times;
}

gint64
lvp_resource_count_fits(const LvpResource *self, gint64 amount)
{
    if (!self->unitary || self->bundles->len <= 2)
        return lvp_resource_get_free(self) / amount;
    g_autoptr(GArray) left = g_array_copy(self->bundles);
    g_autoptr(GArray) used = g_array_new(FALSE, TRUE, sizeof(guint));
    gint64 count = 0;
    for (;;) {
        g_array_set_size(used, 0);
        g_array_set_size(used, left->len);
        if (!take_bundles(left, used, amount))
            return count;
        count += 1 + repeat(left, used);
    }
}

void
lvp_resource_add_partner(LvpResource *self, LvpResource *other)
{
    if (self != other && !lvp_resource_has_partner(self, other))
        g_ptr_array_add(self->partners, other);
}

gboolean
lvp_resource_has_partner(const LvpResource *self, const LvpResource *other)
{
    return g_ptr_array_find(self->partners, other, NULL);
}
