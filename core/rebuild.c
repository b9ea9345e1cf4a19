/* SPDX-License-Identifier: Apache-2.0 */
#include "rebuild.h"

#include "domain-xml.h"
#include "machine-state.h"
#include "setup.h"

#include <libvirt-provider/error.h>
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

/* It goes along with a unit that a machine holds. */
static gboolean
is_held_along(const LvpInventoryUnit *unit)
{
    const LvpInventoryUnit *rival = lvp_unit_find_rival(unit);
    return rival && rival->holder;
}

typedef struct {
    GPtrArray *marks; /* LvpUnitMark */
    guint n_machines;
} Result;

/* Units that look taken and that nobody holds: their marks. */
static void
find_unexplained(const LvpWorld *world, gpointer data)
{
    Result *result = data;
    result->n_machines = world->machines->len;
    const GPtrArray *units = lvp_inventory_get_units(world->inventory);
    for (guint i = 0; i < units->len; i++) {
        const LvpInventoryUnit *unit = g_ptr_array_index(units, i);
        if (unit->holder || unit->quarantine || !unit->found->taken || is_held_along(unit))
            continue;
        LvpUnitMark *mark = lvp_unit_mark_new(unit->source, unit->found->id);
        mark->quarantine = g_strdup("it looks taken, and the journal that could say by whom was "
                                    "damaged: look who has it, put it back, then release it with "
                                    "--force");
        mark->resource = g_strdup(lvp_resource_get_name(unit->resource));
        mark->identity = g_strdup(unit->found->identity);
        g_ptr_array_add(result->marks, mark);
    }
}

/* FALSE where it could not be written: what is not taken up now would be lost. One that was taken
 * up by an attempt that broke off is there already. */
static gboolean
take_up(const LvpMachineJobs *jobs, LvpMachine *machine, GError **error)
{
    g_autoptr(GError) problem = NULL;
    if (lvp_allocator_adopt(jobs->allocator, machine, &problem) ||
        g_error_matches(problem, LVP_ERROR, LVP_ERROR_EXISTS))
        return TRUE;
    if (g_error_matches(problem, LVP_ERROR, LVP_ERROR_CONFLICT)) {
        g_warning("machine %s cannot be taken up: %s", machine->name, problem->message);
        return TRUE;
    }
    g_propagate_prefixed_error(error, g_steal_pointer(&problem),
                               "machine %s cannot be taken up: ", machine->name);
    return FALSE;
}

gboolean
lvp_rebuild(const LvpMachineJobs *jobs, const GPtrArray *domains, GError **error)
{
    for (guint i = 0; i < domains->len; i++) {
        g_autoptr(LvpMachine) machine = read_machine(g_ptr_array_index(domains, i), jobs->boot_id);
        if (machine && !take_up(jobs, machine, error))
            return FALSE;
    }
    /* What they hold and is not there any more was unknown so far, and with it what goes along. */
    if (!lvp_setup_rescan(jobs->allocator, error))
        return FALSE;
    g_autoptr(GPtrArray) marks = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_unit_mark_free);
    Result result = {marks, 0};
    lvp_allocator_read(jobs->allocator, find_unexplained, &result);
    if (!lvp_allocator_end_rebuild(jobs->allocator, marks, error))
        return FALSE;
    g_message("the journal is made again: %u machines from their domains, %u devices quarantined",
              result.n_machines, marks->len);
    return TRUE;
}
