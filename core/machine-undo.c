/* SPDX-License-Identifier: Apache-2.0 */
/* Taking back: the way of a create in reverse. It needs nothing but the journal, and each of its
 * steps can be repeated. */
#include "domain-xml.h"
#include "machine-steps.h"

#include <libvirt-provider/error.h>
#include <string.h>

/* Whether libvirt has the domain and it is the one that we defined: another of the same uuid is not
 * ours to destroy. */
static gboolean
find_own_domain(const LvpMachineJobs *jobs,
                const LvpMachine *machine,
                gboolean *ret_ours,
                GError **error)
{
    gboolean found = FALSE;
    GError *problem = NULL;
    g_autofree char *xml =
        lvp_hypervisor_read_xml(jobs->hypervisor, machine->uuid, &found, &problem);
    if (problem) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    g_autofree char *claim = found ? lvp_domain_xml_find_claim(xml) : NULL;
    *ret_ours = g_strcmp0(claim, machine->uuid) == 0;
    return TRUE;
}

/* Rolls every holding back, the last first. What could not be put back becomes a mark. FALSE where
 * something is blocked: then the machine keeps what it holds. */
static gboolean
roll_back(GPtrArray *sources, const LvpMachine *machine, GPtrArray *marks, GError **error)
{
    for (guint i = machine->holdings->len; i > 0; i--) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i - 1);
        LvpSource *source = lvp_step_find_source(sources, machine, holding->source, error);
        if (!source)
            return FALSE;
        g_autoptr(LvpOutcome) outcome = lvp_source_rollback(source, holding);
        const LvpOutcomeRow *blocked = lvp_outcome_find(outcome, LVP_VERDICT_BLOCKED);
        if (blocked) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY, "%s cannot be given back yet: %s",
                        blocked->unit_id ? blocked->unit_id : holding->source, blocked->reason);
            return FALSE;
        }
        for (guint k = 0; k < holding->units->len; k++) {
            const LvpHeldUnit *unit = &g_array_index(holding->units, LvpHeldUnit, k);
            const LvpOutcomeRow *failed = lvp_outcome_find_failure(outcome, unit->id);
            if (!failed)
                continue;
            g_warning("%s is quarantined: %s", unit->id, failed->reason);
            LvpUnitMark *mark = lvp_unit_mark_new(holding->source, unit->id);
            mark->quarantine = g_strdup(failed->reason);
            mark->resource = g_strdup(unit->resource);
            mark->identity = g_strdup(unit->identity);
            mark->record = g_variant_ref(holding->record);
            mark->found = unit->found ? g_variant_ref(unit->found) : NULL;
            g_ptr_array_add(marks, mark);
        }
    }
    return TRUE;
}

static gboolean
remove_domain(const LvpMachineJobs *jobs, const LvpMachine *machine, GError **error)
{
    gboolean ours = FALSE;
    if (!find_own_domain(jobs, machine, &ours, error))
        return FALSE;
    if (!ours)
        return TRUE;
    return lvp_hypervisor_destroy(jobs->hypervisor, machine->uuid, error) &&
           lvp_hypervisor_undefine(jobs->hypervisor, machine->uuid, machine->keep_nvram, error);
}

static gboolean
take_all_back(const LvpMachineJobs *jobs,
              LvpMachine *machine,
              const LvpProgress *progress,
              GError **error)
{
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    g_autoptr(GPtrArray) marks = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_unit_mark_free);
    if (!lvp_step_check_sources(sources, machine, error))
        return FALSE;
    gboolean never_defined =
        machine->operation == LVP_OPERATION_CREATE && machine->step < LVP_STEP_COMMITTED;
    if (!never_defined) {
        lvp_step_say(progress, "removing the domain");
        if (!remove_domain(jobs, machine, error))
            return FALSE;
        lvp_allocator_set_domain_state(jobs->allocator, machine->uuid, LVP_DOMAIN_ABSENT);
    }
    lvp_step_say(progress, "giving the resources back to the host");
    return roll_back(sources, machine, marks, error) &&
           lvp_allocator_remove(jobs->allocator, machine, marks, error);
}

gboolean
lvp_machine_take_back(const LvpMachineJobs *jobs,
                      LvpMachine *machine,
                      const LvpProgress *progress,
                      GError **error)
{
    GError *problem = NULL;
    if (take_all_back(jobs, machine, progress, &problem))
        return TRUE;
    lvp_allocator_fail(jobs->allocator, machine, problem, TRUE);
    g_propagate_error(error, problem);
    return FALSE;
}

/* Of one that nobody can put back: its record was lost with a damaged journal. */
static gboolean
check_without_record(const LvpMachineJobs *jobs,
                     const char *unit_id,
                     gboolean force,
                     GError **error)
{
    if (!force) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_CONFLICT,
                    "nothing is known of how %s was before: look who has it, put it back, then "
                    "say --force, which makes it free as it is",
                    unit_id);
        return FALSE;
    }
    if (!lvp_allocator_has_blocked_units(jobs->allocator, unit_id))
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY,
                "%s cannot be released yet, nor by force: an operation on it has not returned from "
                "the kernel: try again later",
                unit_id);
    return FALSE;
}

gboolean
lvp_device_release(const LvpMachineJobs *jobs, const char *unit_id, gboolean force, GError **error)
{
    g_autoptr(LvpUnitMark) mark = lvp_allocator_dup_quarantine(jobs->allocator, unit_id, error);
    if (!mark || !lvp_hypervisor_check_reachable(jobs->hypervisor, error))
        return FALSE; /* a domain may have it: nothing is given back on a guess */
    if (!mark->record && !check_without_record(jobs, unit_id, force, error))
        return FALSE;
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    g_autoptr(LvpOutcome) outcome = NULL;
    for (guint i = 0; i < sources->len && mark->record; i++) {
        LvpSource *source = g_ptr_array_index(sources, i);
        if (strcmp(lvp_source_get_name(source), mark->source) == 0)
            outcome = lvp_source_rollback_unit(source, mark->record, unit_id);
    }
    const LvpOutcomeRow *blocked = outcome ? lvp_outcome_find(outcome, LVP_VERDICT_BLOCKED) : NULL;
    if (blocked) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY,
                    "%s cannot be released yet, nor by force: %s: try again later", unit_id,
                    blocked->reason);
        return FALSE;
    }
    const LvpOutcomeRow *failed = outcome ? lvp_outcome_find_failure(outcome, unit_id) : NULL;
    if (failed && !force) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                    "it could still not be put back: %s (--force makes it free as it is)",
                    failed->reason);
        return FALSE;
    }
    return lvp_allocator_clear_quarantine(jobs->allocator, unit_id, error);
}
