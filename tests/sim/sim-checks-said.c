/* SPDX-License-Identifier: Apache-2.0 */
/* What the provider says of itself: it must be what the journal has. */
#include "sim-checks.h"

#include "linked-provider.h"

#include <string.h>

typedef struct {
    const SimLook *look;
    char *problem;
} Said;

static char *
check_unit(const SimLook *self, const LvpInventoryUnit *unit)
{
    const SimCard *card = sim_world_find_card(self->world, unit->found->id);
    if (!card || !lvp_unit_is_free(unit) || strcmp(unit->found->identity, card->identity) != 0)
        return NULL;
    const SimRow *row = sim_look_find_row(self, card);
    return row ? g_strdup_printf("%s is free, and '%s' has it", row->address, row->owner) : NULL;
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
                                                            : total - linked_sum_held(world, name);
        if (free != expected || free < 0 || free > total)
            return g_strdup_printf("of %" G_GINT64_FORMAT " %s %" G_GINT64_FORMAT
                                   " are free, and should be %" G_GINT64_FORMAT,
                                   total, name, free, expected);
    }
    return NULL;
}

static void
check_world(const LvpWorld *world, gpointer data)
{
    Said *said = data;
    const SimLook *self = said->look;
    const GPtrArray *units = lvp_inventory_get_units(world->inventory);
    for (guint i = 0; i < units->len && !said->problem; i++)
        said->problem = check_unit(self, g_ptr_array_index(units, i));
    if (!said->problem)
        said->problem = check_totals(world);
    for (guint i = 0; i < world->machines->len && !said->problem; i++) {
        const LvpMachine *machine = g_ptr_array_index(world->machines, i);
        if (!g_hash_table_contains(self->machines, machine->uuid))
            said->problem = g_strdup_printf("machine %s is not in the journal", machine->name);
        else if (machine->busy)
            said->problem = g_strdup_printf("machine %s is busy with nothing", machine->name);
    }
    if (!said->problem && world->machines->len != g_hash_table_size(self->machines))
        said->problem = g_strdup_printf("%u machines, and %u in the journal", world->machines->len,
                                        g_hash_table_size(self->machines));
}

char *
sim_checks_run_said(const SimLook *self)
{
    Said said = {self, NULL};
    lvp_allocator_read(self->provider->allocator, check_world, &said);
    return said.problem;
}
