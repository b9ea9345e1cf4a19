/* SPDX-License-Identifier: Apache-2.0 */
#include "rebuild.h"

#include "domain-xml.h"
#include "machine-state.h"

#include <string.h>

/* The machine that the domain says it is; NULL where it says nothing, or nothing that can be
 * trusted. */
static LvpMachine *
read_machine(const LvpDomainSeen *seen, const char *boot_id)
{
    g_autofree char *claim = lvp_domain_xml_find_claim(seen->xml);
    if (g_strcmp0(claim, seen->uuid) != 0)
        return NULL;
    g_autofree char *class_name = lvp_domain_xml_find_class(seen->xml);
    g_autofree char *state = lvp_domain_xml_find_state(seen->xml);
    LvpMachine *machine = state && class_name
                              ? lvp_machine_state_parse(state, seen->uuid, seen->name, class_name)
                              : NULL;
    if (!machine) {
        g_warning("domain %s says that it is ours, but not what it holds: it is left alone, and "
                  "its devices are quarantined",
                  seen->name);
        return NULL;
    }
    gboolean off = seen->state == LVP_DOMAIN_OFF;
    machine->desired = off ? LVP_DESIRED_OFF : LVP_DESIRED_RUNNING;
    machine->domain = seen->state;
    g_free(machine->boot_id);
    machine->boot_id = g_strdup(boot_id);
    return machine;
}

/* Units that look taken and that nobody holds: their marks. */
static void
find_unexplained(const LvpWorld *world, gpointer data)
{
    GPtrArray *marks = data;
    const GPtrArray *units = lvp_inventory_get_units(world->inventory);
    for (guint i = 0; i < units->len; i++) {
        const LvpInventoryUnit *unit = g_ptr_array_index(units, i);
        if (unit->holder || unit->quarantine || !unit->found->taken)
            continue;
        LvpUnitMark *mark = lvp_unit_mark_new(unit->source, unit->found->id);
        mark->quarantine = g_strdup("it looks taken, and the journal that could say by whom was "
                                    "damaged: look who has it, put it back, then release it with "
                                    "--force");
        mark->resource = g_strdup(lvp_resource_get_name(unit->resource));
        mark->identity = g_strdup(unit->found->identity);
        g_ptr_array_add(marks, mark);
    }
}

gboolean
lvp_rebuild(const LvpMachineJobs *jobs, const GPtrArray *domains, GError **error)
{
    guint n_machines = 0;
    for (guint i = 0; i < domains->len; i++) {
        g_autoptr(LvpMachine) machine = read_machine(g_ptr_array_index(domains, i), jobs->boot_id);
        g_autoptr(GError) problem = NULL;
        if (!machine)
            continue;
        if (lvp_allocator_adopt(jobs->allocator, machine, &problem))
            n_machines++;
        else
            g_warning("machine %s cannot be taken up: %s", machine->name, problem->message);
    }
    g_autoptr(GPtrArray) marks = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_unit_mark_free);
    lvp_allocator_read(jobs->allocator, find_unexplained, marks);
    if (!lvp_allocator_end_rebuild(jobs->allocator, marks, error))
        return FALSE;
    g_message("the journal is made again: %u machines from their domains, %u devices quarantined",
              n_machines, marks->len);
    return TRUE;
}
