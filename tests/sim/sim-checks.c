/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-checks.h"

#include "sim-disk.h"

#include <sqlite3.h>
#include <string.h>

static void
free_row(gpointer data)
{
    SimRow *row = data;
    g_free(row->owner);
    g_free(row->address);
    g_free(row->identity);
    g_free(row->driver);
    g_free(row->override);
    g_free(row->unit);
    g_free(row);
}

static gboolean
look_and_explain(gpointer data, const SimCard *card)
{
    SimChecks *self = data;
    return sim_checks_look(self) && sim_checks_explain(self, card);
}

SimChecks *
sim_checks_new(SimWorld *world, SimProvider *provider)
{
    SimChecks *self = g_new0(SimChecks, 1);
    self->world = world;
    self->provider = provider;
    world->explain = look_and_explain;
    world->explain_data = self;
    self->rows = g_ptr_array_new_with_free_func(free_row);
    self->units = g_ptr_array_new_with_free_func(free_row);
    self->machines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    self->marks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    self->kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return self;
}

void
sim_checks_free(SimChecks *self)
{
    sim_checks_close(self);
    g_ptr_array_unref(self->rows);
    g_ptr_array_unref(self->units);
    g_hash_table_unref(self->machines);
    g_hash_table_unref(self->marks);
    g_hash_table_unref(self->kept);
    g_free(self);
}

void
sim_checks_close(SimChecks *self)
{
    sqlite3_close(self->journal);
    self->journal = NULL;
}

/* ---- reading the journal ---- */

static char *
dup_column(sqlite3_stmt *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row, column);
    return g_strdup(text ? (const char *)text : "");
}

/* The functions of a record; with ONLY_UNIT those that stand there for it. */
static void
add_record(SimChecks *self, const char *owner, const char *only_unit, sqlite3_stmt *row, int column)
{
    gsize size = (gsize)sqlite3_column_bytes(row, column);
    g_autoptr(GBytes) bytes = g_bytes_new(sqlite3_column_blob(row, column), size);
    g_autoptr(GVariant) wrapped =
        g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARIANT, bytes, FALSE));
    g_autoptr(GVariant) record = g_variant_get_variant(wrapped);
    if (!g_variant_is_of_type(record, G_VARIANT_TYPE("(ua(ssssssb))")))
        return;
    g_autoptr(GVariant) functions = g_variant_get_child_value(record, 1);
    GVariantIter iter;
    const char *address, *identity, *driver, *override, *group, *unit;
    gboolean passed;
    g_variant_iter_init(&iter, functions);
    while (g_variant_iter_next(&iter, "(&s&s&s&s&s&sb)", &address, &identity, &driver, &override,
                               &group, &unit, &passed)) {
        if (only_unit && strcmp(only_unit, unit) != 0)
            continue;
        SimRow *added = g_new0(SimRow, 1);
        *added = (SimRow){g_strdup(owner),  g_strdup(address),  g_strdup(identity),
                          g_strdup(driver), g_strdup(override), g_strdup(unit)};
        g_ptr_array_add(self->rows, added);
    }
}

static void
take_machine(SimChecks *self, sqlite3_stmt *row)
{
    g_hash_table_insert(self->machines, dup_column(row, 0), dup_column(row, 1));
}

static void
take_unit(SimChecks *self, sqlite3_stmt *row)
{
    SimRow *unit = g_new0(SimRow, 1);
    unit->address = dup_column(row, 0);
    unit->identity = dup_column(row, 1);
    unit->owner = dup_column(row, 2);
    g_ptr_array_add(self->units, unit);
}

static void
take_record(SimChecks *self, sqlite3_stmt *row)
{
    g_autofree char *owner = dup_column(row, 0);
    add_record(self, owner, NULL, row, 1);
}

static void
take_mark(SimChecks *self, sqlite3_stmt *row)
{
    g_autofree char *unit = dup_column(row, 0);
    add_record(self, "", unit, row, 2);
    g_hash_table_insert(self->marks, g_steal_pointer(&unit), dup_column(row, 1));
}

static gboolean
query(SimChecks *self, const char *sql, void (*take)(SimChecks *, sqlite3_stmt *))
{
    sqlite3_stmt *row = NULL;
    int result = sqlite3_prepare_v2(self->journal, sql, -1, &row, NULL);
    while (result == SQLITE_OK || result == SQLITE_ROW)
        if ((result = sqlite3_step(row)) == SQLITE_ROW)
            take(self, row);
    sqlite3_finalize(row);
    return result == SQLITE_DONE;
}

static gboolean
look_into_file(SimChecks *self, const char *path)
{
    if (!self->journal)
        sqlite3_open_v2(path, &self->journal, SQLITE_OPEN_READWRITE, SIM_DISK_CHECK_VFS);
    g_ptr_array_set_size(self->rows, 0);
    g_ptr_array_set_size(self->units, 0);
    g_hash_table_remove_all(self->machines);
    g_hash_table_remove_all(self->marks);
    return query(self, "SELECT uuid, name FROM machine", take_machine) &&
           query(self, "SELECT id, identity, machine FROM held_unit", take_unit) &&
           query(self, "SELECT machine, bytes FROM record WHERE source='pci'", take_record) &&
           query(self, "SELECT id, quarantine, record FROM unit_mark WHERE quarantine NOT NULL",
                 take_mark);
}

gboolean
sim_checks_look(SimChecks *self)
{
    g_autofree char *path = g_build_filename(self->provider->folder, "state.db", NULL);
    return look_into_file(self, path);
}

gboolean
sim_checks_look_ahead(SimChecks *self, SimDisk *disk)
{
    g_autofree char *path = g_build_filename(self->provider->folder, "state.db", NULL);
    g_autofree char *copy = g_build_filename(self->provider->folder, "copy.db", NULL);
    sim_disk_copy(disk, path, copy);
    gboolean ok = look_into_file(self, copy);
    sim_checks_close(self);
    return ok;
}

static const SimRow *
find_row(const SimChecks *self, const SimCard *card)
{
    for (guint i = 0; i < self->rows->len; i++) {
        const SimRow *row = g_ptr_array_index(self->rows, i);
        if (strcmp(row->address, card->card.address) == 0 &&
            strcmp(row->identity, card->identity) == 0)
            return row;
    }
    return NULL;
}

gboolean
sim_checks_explain(const SimChecks *self, const SimCard *card)
{
    return find_row(self, card) != NULL;
}

/* ---- claims ---- */

static int
find_group(const SimChecks *self, const char *address)
{
    const SimCard *card = sim_world_find_card(self->world, address);
    return card ? card->card.group : 0;
}

/* Of a card that is not there, or not any more: another may stand at its address. */
static gboolean
is_past(const SimChecks *self, const SimRow *row)
{
    const SimCard *card = sim_world_find_card(self->world, row->address);
    return !card || strcmp(card->identity, row->identity) != 0;
}

/* No function, and no IOMMU group, stands in two claims. */
static char *
check_claims(const SimChecks *self, const GPtrArray *rows)
{
    for (guint i = 0; i < rows->len; i++)
        for (guint k = 0; k < i; k++) {
            const SimRow *a = g_ptr_array_index(rows, i), *b = g_ptr_array_index(rows, k);
            if (strcmp(a->owner, b->owner) != 0 && !is_past(self, a) && !is_past(self, b) &&
                find_group(self, a->address) == find_group(self, b->address))
                return g_strdup_printf("%s of '%s' and %s of '%s' share a group", a->address,
                                       a->owner, b->address, b->owner);
        }
    return NULL;
}

/* Whether the mark of UNIT is about a card that stands there no more. */
static gboolean
is_of_past_card(const SimChecks *self, const char *unit)
{
    for (guint i = 0; i < self->rows->len; i++) {
        const SimRow *row = g_ptr_array_index(self->rows, i);
        if (row->owner[0] == '\0' && strcmp(row->address, unit) == 0)
            return is_past(self, row);
    }
    return FALSE;
}

/* A device is quarantined only where something has gone wrong with it or its neighbours. */
static char *
check_marks(const SimChecks *self)
{
    GHashTableIter iter;
    gpointer unit, reason;
    g_hash_table_iter_init(&iter, self->marks);
    while (g_hash_table_iter_next(&iter, &unit, &reason)) {
        gboolean excused = is_of_past_card(self, unit);
        for (guint i = 0; i < self->world->cards->len; i++) {
            const SimCard *card = g_ptr_array_index(self->world->cards, i);
            excused |= card->card.group == find_group(self, unit) &&
                       (card->faulted || card->meddled || card->renewed);
        }
        if (!excused)
            return g_strdup_printf("%s is quarantined though nothing has happened to it: %s",
                                   (const char *)unit, (const char *)reason);
    }
    return NULL;
}

static char *
check_kept(const SimChecks *self)
{
    GHashTableIter iter;
    gpointer uuid;
    g_hash_table_iter_init(&iter, self->kept);
    while (g_hash_table_iter_next(&iter, &uuid, NULL))
        if (!g_hash_table_contains(self->machines, uuid))
            return g_strdup_printf("machine %s was acknowledged and is lost", (const char *)uuid);
    return NULL;
}

/* ---- domains ---- */

static gboolean
holds(const SimChecks *self, const char *uuid, const char *address)
{
    for (guint i = 0; i < self->rows->len; i++) {
        const SimRow *row = g_ptr_array_index(self->rows, i);
        if (strcmp(row->owner, uuid) == 0 && strcmp(row->address, address) == 0)
            return TRUE;
    }
    return FALSE;
}

/* A domain that we have made is of a machine, and has nothing but what that machine holds. */
static char *
check_domains(const SimChecks *self)
{
    for (guint i = 0; i < self->world->domains->len; i++) {
        const SimDomain *domain = g_ptr_array_index(self->world->domains, i);
        if (domain->name[0] == 'f')
            continue;
        if (!g_hash_table_contains(self->machines, domain->uuid))
            return g_strdup_printf("domain %s is of no machine", domain->name);
        for (guint k = 0; domain->addresses[k]; k++)
            if (!holds(self, domain->uuid, domain->addresses[k]))
                return g_strdup_printf("domain %s has %s, which its machine does not hold",
                                       domain->name, domain->addresses[k]);
    }
    return NULL;
}

/* ---- cards ---- */

static char *
check_card(const SimChecks *self, SimCard *card)
{
    if (!sim_card_is_present(self->world, card))
        return NULL;
    const SimRow *row = find_row(self, card);
    card->explained = row != NULL;
    SimBinding now = sim_card_read(self->world, card);
    char *problem = NULL;
    if (row && (strcmp(row->driver, card->original.driver) != 0 ||
                strcmp(row->override, card->original.override) != 0)) {
        problem = g_strdup_printf("%s was on '%s' (override '%s'); the record of '%s' says '%s' "
                                  "('%s')",
                                  card->card.address, card->original.driver,
                                  card->original.override, row->owner, row->driver, row->override);
    } else if (!row && !sim_binding_equal(&now, &card->original) &&
               !(card->renewed && sim_card_is_fresh(card, &now))) {
        problem = g_strdup_printf("%s is nobody's and on '%s' (override '%s'), but was on '%s' "
                                  "('%s')",
                                  card->card.address, now.driver, now.override,
                                  card->original.driver, card->original.override);
    } else if (!row) {
        card->explained = FALSE;
        sim_binding_clear(&card->original);
        card->original = now;
        card->meddled = card->renewed = card->faulted = FALSE;
        return NULL;
    }
    sim_binding_clear(&now);
    return problem;
}

/* ---- what the provider says ---- */

typedef struct {
    const SimChecks *checks;
    char *problem;
} Look;

static char *
check_unit(const SimChecks *self, const LvpInventoryUnit *unit)
{
    const SimCard *card = sim_world_find_card(self->world, unit->found->id);
    if (!card || !lvp_unit_is_free(unit) || strcmp(unit->found->identity, card->identity) != 0)
        return NULL;
    const SimRow *row = find_row(self, card);
    return row ? g_strdup_printf("%s is free, and '%s' has it", row->address, row->owner) : NULL;
}

static gint64
sum_held(const LvpWorld *world, const char *resource)
{
    gint64 sum = 0;
    for (guint i = 0; i < world->machines->len; i++) {
        const LvpMachine *machine = g_ptr_array_index(world->machines, i);
        for (guint h = 0; h < machine->holdings->len; h++) {
            const LvpHolding *holding = g_ptr_array_index(machine->holdings, h);
            for (guint k = 0; k < holding->amounts->len; k++) {
                const LvpHeldAmount *held = &g_array_index(holding->amounts, LvpHeldAmount, k);
                sum += strcmp(held->resource, resource) == 0 ? held->amount : 0;
            }
        }
    }
    return sum;
}

static gint64
count_free(const LvpWorld *world, const LvpResource *resource)
{
    gint64 count = 0;
    const GPtrArray *units = lvp_inventory_get_units(world->inventory);
    for (guint i = 0; i < units->len; i++) {
        const LvpInventoryUnit *unit = g_ptr_array_index(units, i);
        count += unit->resource == resource && lvp_unit_is_free(unit) ? 1 : 0;
    }
    return count;
}

static char *
check_totals(const LvpWorld *world)
{
    const GPtrArray *resources = lvp_inventory_get_resources(world->inventory);
    for (guint i = 0; i < resources->len; i++) {
        const LvpResource *resource = g_ptr_array_index(resources, i);
        const char *name = lvp_resource_get_name(resource);
        gint64 total = lvp_resource_get_total(resource), free = lvp_resource_get_free(resource);
        gint64 expected = lvp_resource_is_unitary(resource) ? count_free(world, resource)
                                                            : total - sum_held(world, name);
        if (free != expected || free < 0 || free > total)
            return g_strdup_printf("of %" G_GINT64_FORMAT " %s %" G_GINT64_FORMAT
                                   " are free, and should be %" G_GINT64_FORMAT,
                                   total, name, free, expected);
    }
    return NULL;
}

static void
look_into(const LvpWorld *world, gpointer data)
{
    Look *look = data;
    const SimChecks *self = look->checks;
    const GPtrArray *units = lvp_inventory_get_units(world->inventory);
    for (guint i = 0; i < units->len && !look->problem; i++)
        look->problem = check_unit(self, g_ptr_array_index(units, i));
    if (!look->problem)
        look->problem = check_totals(world);
    for (guint i = 0; i < world->machines->len && !look->problem; i++) {
        const LvpMachine *machine = g_ptr_array_index(world->machines, i);
        if (!g_hash_table_contains(self->machines, machine->uuid))
            look->problem = g_strdup_printf("machine %s is not in the journal", machine->name);
        else if (machine->busy)
            look->problem = g_strdup_printf("machine %s is busy with nothing", machine->name);
    }
    if (!look->problem && world->machines->len != g_hash_table_size(self->machines))
        look->problem = g_strdup_printf("%u machines, and %u in the journal", world->machines->len,
                                        g_hash_table_size(self->machines));
}

/* ---- all ---- */

char *
sim_checks_run(SimChecks *self)
{
    if (self->world->violation)
        return g_strdup(self->world->violation);
    if (!sim_checks_look(self))
        return NULL; /* there is no journal yet, or it is beyond reading just now */
    char *problem = check_claims(self, self->units);
    if (!problem)
        problem = check_claims(self, self->rows);
    if (!problem)
        problem = check_kept(self);
    if (!problem)
        problem = check_marks(self);
    if (!problem)
        problem = check_domains(self);
    for (guint i = 0; i < self->world->cards->len && !problem; i++)
        problem = check_card(self, g_ptr_array_index(self->world->cards, i));
    Look look = {self, problem};
    if (!problem && self->provider->allocator && !self->world->fate->dead)
        lvp_allocator_read(self->provider->allocator, look_into, &look);
    return look.problem;
}

char *
sim_checks_run_last(SimChecks *self)
{
    char *problem = sim_checks_run(self);
    if (problem)
        return problem;
    if (g_hash_table_size(self->machines) > 0)
        return g_strdup_printf("%u machines are left", g_hash_table_size(self->machines));
    if (g_hash_table_size(self->marks) > 0)
        return g_strdup_printf("%u units are still quarantined", g_hash_table_size(self->marks));
    if (self->units->len > 0 || self->rows->len > 0)
        return g_strdup("units or records of nobody are left");
    if (self->world->domains->len > 0)
        return g_strdup("a domain is left");
    return NULL;
}
