/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a create is the order of trust: what is decided is durable before the sources are
 * asked, their records are durable before they act, they have acted before libvirt sees the domain,
 * and it is acknowledged last. Taking back: machine-undo.c;
 * what would be done: machine-dry-run.c. */
#include "machine-steps.h"

#include <libvirt-provider/error.h>

/* ---- create ---- */

static gboolean
commit_all(GPtrArray *sources, const LvpMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        LvpSource *source = lvp_step_find_source(sources, machine, holding->source, error);
        if (!source || !lvp_source_commit(source, holding, error))
            return FALSE;
    }
    return TRUE;
}

/* From reserved to acknowledged. */
static gboolean
carry_out_create(const LvpMachineJobs *jobs,
                 LvpMachine *machine,
                 const LvpProgress *progress,
                 GError **error)
{
    LvpAllocator *allocator = jobs->allocator;
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(allocator);
    lvp_step_say(progress, "looking at the resources");
    if (!lvp_step_prepare(sources, machine, error) ||
        !lvp_allocator_advance(allocator, machine, LVP_STEP_PREPARED, jobs->boot_id, error))
        return FALSE;
    lvp_step_say(progress, "taking the resources from the host");
    if (!commit_all(sources, machine, error) ||
        !lvp_allocator_advance(allocator, machine, LVP_STEP_COMMITTED, jobs->boot_id, error))
        return FALSE;
    lvp_step_say(progress, "defining the domain");
    if (!lvp_step_define_domain(jobs, sources, machine, error))
        return FALSE;
    if (machine->desired == LVP_DESIRED_RUNNING) {
        lvp_step_say(progress, "starting the domain");
        if (!lvp_hypervisor_start(jobs->hypervisor, machine->uuid, error))
            return FALSE;
    }
    lvp_step_look_at_domain(jobs, machine);
    return lvp_allocator_finish(allocator, machine, error);
}

/* The create of a machine that exists already: one that has lost its domain gets it back. */
static gboolean
take_up(const LvpMachineJobs *jobs,
        const LvpMachine *machine,
        gboolean start,
        const LvpProgress *progress,
        GError **error)
{
    if (lvp_step_look_at_domain(jobs, machine) != LVP_DOMAIN_ABSENT)
        return TRUE;
    g_message("machine %s is taken up again", machine->name);
    if (start)
        return lvp_machine_start(jobs, machine->name, progress, error);
    g_autoptr(LvpMachine) held =
        lvp_allocator_resume(jobs->allocator, machine->uuid, LVP_OPERATION_NONE);
    if (!held) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY, "machine %s is busy: try again later",
                    machine->name);
        return FALSE;
    }
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    gboolean ok = lvp_step_define_domain(jobs, sources, held, error);
    lvp_step_look_at_domain(jobs, held);
    lvp_allocator_rest(jobs->allocator, held);
    return ok;
}

LvpMachine *
lvp_machine_create(const LvpMachineJobs *jobs,
                   const LvpCreateSpec *asked,
                   const LvpProgress *progress,
                   GError **error)
{
    LvpCreateSpec spec = *asked;
    g_autofree char *new_uuid = asked->uuid ? NULL : g_uuid_string_random();
    gboolean existing = FALSE;
    if (!spec.template_xml)
        spec.template_xml = jobs->default_template;
    if (!lvp_step_check_spec(jobs, &spec, error))
        return NULL;
    g_autoptr(LvpMachine) planned = lvp_allocator_plan(jobs->allocator, &spec, &existing, error);
    if (!planned)
        return NULL;
    if (!spec.uuid)
        spec.uuid = new_uuid;
    if (!existing && !lvp_hypervisor_check_unused(jobs->hypervisor, spec.name, spec.uuid, error))
        return NULL;
    g_autoptr(LvpMachine) machine = lvp_allocator_reserve(jobs->allocator, &spec, &existing, error);
    if (!machine)
        return NULL;
    if (existing)
        return take_up(jobs, machine, spec.start, progress, error) ? g_steal_pointer(&machine)
                                                                   : NULL;
    GError *problem = NULL;
    if (carry_out_create(jobs, machine, progress, &problem)) {
        g_message("machine %s (%s) of class %s is created", machine->name, machine->uuid,
                  machine->class_name);
        return g_steal_pointer(&machine);
    }
    lvp_step_say(progress, "failed: taking everything back");
    g_autoptr(GError) second = NULL;
    if (!lvp_machine_take_back(jobs, machine, progress, &second))
        g_prefix_error(&problem, "not all could be taken back (%s); first: ", second->message);
    g_propagate_error(error, problem);
    return NULL;
}

/* ---- start, stop, delete ---- */

/* Brings what the sources hold for the machine back to what the records say: after a reboot the
 * devices are on their host drivers again. */
static gboolean
commit_again(const LvpMachineJobs *jobs, GPtrArray *sources, LvpMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        LvpSource *source = lvp_step_find_source(sources, machine, holding->source, error);
        gboolean needs_commit = FALSE;
        if (!source || !lvp_step_compare(source, machine, holding, &needs_commit, error) ||
            (needs_commit && !lvp_source_commit(source, holding, error)))
            return FALSE;
    }
    lvp_allocator_drop_notes(jobs->allocator, machine);
    return TRUE;
}

gboolean
lvp_machine_bind_again(const LvpMachineJobs *jobs, const char *uuid, GError **error)
{
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    g_autoptr(LvpMachine) machine = lvp_allocator_resume(jobs->allocator, uuid, LVP_OPERATION_NONE);
    if (!machine) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY, "an operation is under way");
        return FALSE;
    }
    gboolean ok =
        lvp_step_check_sources(sources, machine, error) &&
        commit_again(jobs, sources, machine, error) &&
        lvp_allocator_advance(jobs->allocator, machine, LVP_STEP_COMMITTED, jobs->boot_id, error);
    lvp_allocator_rest(jobs->allocator, machine);
    return ok;
}

static gboolean
carry_out_start(const LvpMachineJobs *jobs,
                LvpMachine *machine,
                const LvpProgress *progress,
                GError **error)
{
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    LvpDomainState state;
    if (!lvp_step_check_sources(sources, machine, error) ||
        !lvp_hypervisor_get_state(jobs->hypervisor, machine->uuid, &state, error))
        return FALSE;
    if (state != LVP_DOMAIN_RUNNING && state != LVP_DOMAIN_PAUSED) {
        lvp_step_say(progress, "looking at the resources");
        if (!commit_again(jobs, sources, machine, error))
            return FALSE;
    }
    if (state == LVP_DOMAIN_ABSENT && !lvp_step_define_domain(jobs, sources, machine, error))
        return FALSE;
    lvp_step_say(progress, "starting the domain");
    if (!lvp_hypervisor_start(jobs->hypervisor, machine->uuid, error))
        return FALSE;
    lvp_step_look_at_domain(jobs, machine);
    /* Only now: an autostart that fails is tried again. */
    if (strcmp(machine->boot_id, jobs->boot_id) != 0 &&
        !lvp_allocator_advance(jobs->allocator, machine, LVP_STEP_COMMITTED, jobs->boot_id, error))
        return FALSE;
    return lvp_allocator_finish(jobs->allocator, machine, error);
}

gboolean
lvp_machine_start(const LvpMachineJobs *jobs,
                  const char *name,
                  const LvpProgress *progress,
                  GError **error)
{
    g_autoptr(LvpMachine) machine =
        lvp_allocator_begin(jobs->allocator, name, LVP_OPERATION_START, FALSE, error);
    if (!machine)
        return FALSE;
    GError *problem = NULL;
    if (carry_out_start(jobs, machine, progress, &problem))
        return TRUE;
    lvp_step_look_at_domain(jobs, machine);
    lvp_allocator_fail(jobs->allocator, machine, problem, FALSE);
    g_propagate_error(error, problem);
    return FALSE;
}

static gboolean
carry_out_stop(const LvpMachineJobs *jobs,
               LvpMachine *machine,
               gboolean force,
               guint timeout_ms,
               const LvpProgress *progress,
               GError **error)
{
    LvpDomainState state;
    if (!lvp_step_find_domain(jobs, machine, &state, error))
        return FALSE;
    if (force) {
        lvp_step_say(progress, "ending the domain");
        if (!lvp_hypervisor_destroy(jobs->hypervisor, machine->uuid, error))
            return FALSE;
    } else {
        lvp_step_say(progress, "waiting for the guest to shut down");
        if (!lvp_hypervisor_shutdown(jobs->hypervisor, machine->uuid, error))
            return FALSE;
    }
    lvp_step_look_at_domain(jobs, machine);
    if (!lvp_allocator_wait_domain(jobs->allocator, machine, LVP_DOMAIN_OFF, timeout_ms)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_TIMED_OUT,
                    "the guest of machine %s did not shut down within %u s: it may ignore ACPI; "
                    "--force ends it at once",
                    machine->name, timeout_ms / 1000);
        return FALSE;
    }
    return lvp_allocator_finish(jobs->allocator, machine, error);
}

gboolean
lvp_machine_stop(const LvpMachineJobs *jobs,
                 const char *name,
                 gboolean force,
                 guint timeout_ms,
                 const LvpProgress *progress,
                 GError **error)
{
    g_autoptr(LvpMachine) machine =
        lvp_allocator_begin(jobs->allocator, name, LVP_OPERATION_STOP, FALSE, error);
    if (!machine)
        return FALSE;
    GError *problem = NULL;
    if (carry_out_stop(jobs, machine, force, timeout_ms, progress, &problem))
        return TRUE;
    lvp_allocator_fail(jobs->allocator, machine, problem, FALSE);
    g_propagate_error(error, problem);
    return FALSE;
}

gboolean
lvp_machine_delete(const LvpMachineJobs *jobs,
                   const char *name,
                   gboolean keep_nvram,
                   const LvpProgress *progress,
                   GError **error)
{
    g_autoptr(LvpMachine) machine =
        lvp_allocator_begin(jobs->allocator, name, LVP_OPERATION_DELETE, keep_nvram, error);
    if (!machine)
        return FALSE;
    if (!lvp_machine_take_back(jobs, machine, progress, error))
        return FALSE;
    g_message("machine %s (%s) is deleted", machine->name, machine->uuid);
    return TRUE;
}
