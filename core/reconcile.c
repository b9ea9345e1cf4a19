/* SPDX-License-Identifier: Apache-2.0 */
#include "reconcile.h"

#include <libvirt-provider/error.h>

static void
collect_uuids(const LvpWorld *world, gpointer data)
{
    GPtrArray *uuids = data;
    for (guint i = 0; i < world->machines->len; i++) {
        const LvpMachine *machine = g_ptr_array_index(world->machines, i);
        if (!machine->busy)
            g_ptr_array_add(uuids, g_strdup(machine->uuid));
    }
}

void
lvp_reconcile_domain(const LvpMachineJobs *jobs, const char *uuid)
{
    LvpDomainState state;
    g_autoptr(GError) error = NULL;
    if (lvp_hypervisor_get_state(jobs->hypervisor, uuid, &state, &error))
        lvp_allocator_set_domain_state(jobs->allocator, uuid, state);
    else
        g_debug("domain %s: %s", uuid, error->message);
}

/* Ends what an earlier run of this process, or a failure, has left in the journal. */
static void
settle(const LvpMachineJobs *jobs, LvpMachine *machine)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *told = g_strdup(machine->error);
    switch (machine->operation) {
    case LVP_OPERATION_CREATE:
    case LVP_OPERATION_DELETE:
        if (lvp_machine_take_back(jobs, machine, NULL, &error))
            g_message("machine %s: an interrupted %s is %s", machine->name,
                      lvp_operation_get_name(machine->operation),
                      machine->operation == LVP_OPERATION_CREATE ? "undone" : "finished");
        else if (g_strcmp0(error->message, told) != 0) /* once, not at every try */
            g_warning("machine %s: an interrupted %s cannot be ended yet: %s", machine->name,
                      lvp_operation_get_name(machine->operation), error->message);
        return;
    case LVP_OPERATION_START:
    case LVP_OPERATION_STOP:
    case LVP_OPERATION_NONE:
        lvp_allocator_fail(jobs->allocator, machine, NULL, FALSE);
        return;
    }
}

void
lvp_reconcile_all(const LvpMachineJobs *jobs)
{
    g_autofree char *problem = lvp_hypervisor_dup_problem(jobs->hypervisor);
    if (problem)
        return;
    g_autoptr(GPtrArray) uuids = g_ptr_array_new_with_free_func(g_free);
    lvp_allocator_read(jobs->allocator, collect_uuids, uuids);
    for (guint i = 0; i < uuids->len; i++) {
        const char *uuid = g_ptr_array_index(uuids, i);
        lvp_reconcile_domain(jobs, uuid);
        g_autoptr(LvpMachine) machine = lvp_allocator_resume(jobs->allocator, uuid);
        if (machine)
            settle(jobs, machine);
    }
}
