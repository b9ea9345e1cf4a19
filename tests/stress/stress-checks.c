/* SPDX-License-Identifier: Apache-2.0 */
#include "stress.h"

#include "linked-provider.h"

#include <string.h>

/* ---- at any time: what the core says of itself adds up ---- */

static gboolean
holds_unit(const LvpMachine *machine, const char *id)
{
    const LvpHolding *pci = lvp_machine_find_holding(machine, "pci");
    for (guint i = 0; pci && i < pci->units->len; i++)
        if (strcmp(g_array_index(pci->units, LvpHeldUnit, i).id, id) == 0)
            return TRUE;
    return FALSE;
}

static void
check_unit(Stress *self, const LvpWorld *world, const LvpInventoryUnit *unit)
{
    const char *id = unit->found->id;
    for (guint i = 0; i < world->machines->len; i++) {
        const LvpMachine *machine = g_ptr_array_index(world->machines, i);
        if (holds_unit(machine, id) != (unit->holder == machine))
            stress_fail(self, "machine %s %s %s, the inventory says otherwise", machine->name,
                        unit->holder == machine ? "does not hold" : "holds", id);
    }
    if (unit->quarantine)
        stress_fail(self, "%s is quarantined: %s", id, unit->quarantine);
}

void
stress_check_world(const LvpWorld *world, gpointer data)
{
    Stress *self = data;
    const GPtrArray *resources = lvp_inventory_get_resources(world->inventory);
    const GPtrArray *units = lvp_inventory_get_units(world->inventory);
    for (guint i = 0; i < resources->len; i++) {
        const LvpResource *resource = g_ptr_array_index(resources, i);
        gint64 taken = lvp_resource_get_total(resource) - lvp_resource_get_free(resource);
        const char *name = lvp_resource_get_name(resource);
        if (!lvp_resource_is_unitary(resource) && taken != linked_sum_held(world, name))
            stress_fail(self,
                        "%" G_GINT64_FORMAT " %s is taken, the machines hold %" G_GINT64_FORMAT,
                        taken, name, linked_sum_held(world, name));
    }
    for (guint i = 0; i < units->len; i++)
        check_unit(self, world, g_ptr_array_index(units, i));
}

/* ---- at the end ---- */

static void
check_all_free(const LvpWorld *world, gpointer data)
{
    Stress *self = data;
    const GPtrArray *resources = lvp_inventory_get_resources(world->inventory);
    for (guint i = 0; i < resources->len; i++) {
        const LvpResource *resource = g_ptr_array_index(resources, i);
        gint64 total = lvp_resource_get_total(resource), left = lvp_resource_get_free(resource);
        if (total == 0 || left != total)
            stress_fail(self, "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " %s are free at the end",
                        left, total, lvp_resource_get_name(resource));
    }
    if (world->machines->len > 0)
        stress_fail(self, "%u machines are left", world->machines->len);
}

static void
check_card(Stress *self, const StressCard *card)
{
    const char *address = card->card.address, *wanted = card->driver;
    g_autofree char *driver = lvp_fake_host_get_driver(self->host, address);
    g_autofree char *override = lvp_fake_host_get_override(self->host, address);
    if (!wanted)
        wanted = card->card.driver;
    if (g_strcmp0(driver, wanted) != 0 || g_strcmp0(override, card->override) != 0)
        stress_fail(self, "%s is on driver %s with override %s, but was on %s with %s", address,
                    driver, override, wanted, card->override);
}

/* The next process would find nothing. */
static void
check_journal(Stress *self)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) machines = lvp_journal_load_machines(self->journal, &error);
    g_autoptr(GPtrArray) marks = machines ? lvp_journal_load_marks(self->journal, &error) : NULL;
    if (!marks)
        stress_fail(self, "the journal: %s", error->message);
    else if (machines->len > 0 || marks->len > 0)
        stress_fail(self, "the journal has %u machines and %u marks", machines->len, marks->len);
}

void
stress_check_end(Stress *self)
{
    stress_rescan(self);
    lvp_allocator_read(self->allocator, check_all_free, self);
    for (guint i = 0; i < STRESS_N_CARDS; i++)
        check_card(self, &STRESS_CARDS[i]);
    if (stress_hypervisor_count(self->hypervisor) > 0)
        stress_fail(self, "domains are left");
    check_journal(self);
}
