/* SPDX-License-Identifier: Apache-2.0 */
/* Looks, lets verdict.c decide, acts. What is looked at may be stale when it is acted on: each
 * action begins with the journal, under the lock, and looks at the host once more itself. */
#include "reconcile.h"

#include "domain-xml.h"
#include "rebuild.h"
#include "verdict.h"

#include <libvirt-provider/error.h>
#include <string.h>

typedef struct {
    const LvpMachineJobs *jobs;
    GPtrArray *sources; /* LvpSource */
    GHashTable *states; /* uuid -> LvpDomainState of a domain that is ours */
    gboolean waiting;   /* for something that may be over soon */
} Pass;

/* ---- looking ---- */

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

static void
add_use(GPtrArray *uses, const LvpDomainSeen *seen)
{
    g_autoptr(GError) error = NULL;
    char **addresses = lvp_domain_xml_list_host_addresses(seen->xml, &error);
    if (!addresses) {
        g_warning("domain %s cannot be looked into: %s", seen->name, error->message);
        return;
    }
    LvpDomainUse *use = g_new0(LvpDomainUse, 1);
    use->uuid = g_strdup(seen->uuid);
    use->name = g_strdup(seen->name);
    use->addresses = addresses;
    g_ptr_array_add(uses, use);
}

/* FALSE where libvirt does not answer. */
static gboolean
look_at_domains(Pass *self)
{
    g_autoptr(GError) error = NULL;
    lvp_allocator_begin_look(self->jobs->allocator);
    g_autoptr(GPtrArray) domains = lvp_hypervisor_list(self->jobs->hypervisor, &error);
    if (!domains) {
        g_debug("%s", error->message);
        return FALSE;
    }
    if (lvp_allocator_needs_rebuild(self->jobs->allocator) &&
        !lvp_rebuild(self->jobs, domains, &error)) {
        g_warning("the journal cannot be made again yet: %s", error->message);
        return FALSE;
    }
    GPtrArray *uses = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_domain_use_free);
    for (guint i = 0; i < domains->len; i++) {
        const LvpDomainSeen *seen = g_ptr_array_index(domains, i);
        if (seen->state == LVP_DOMAIN_RUNNING || seen->state == LVP_DOMAIN_PAUSED)
            add_use(uses, seen);
        g_hash_table_insert(self->states, g_strdup(seen->uuid), GINT_TO_POINTER(seen->state));
    }
    lvp_allocator_set_domain_uses(self->jobs->allocator, uses);
    return TRUE;
}

/* The worst verdict on the machine's units, and a note on each that is not as it should be. */
static LvpVerdict
look_at_units(const Pass *self, const LvpMachine *machine, GHashTable *notes)
{
    LvpVerdict worst = LVP_VERDICT_MATCHES;
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        LvpSource *source = lvp_source_find(self->sources, holding->source);
        if (!source || !holding->record)
            continue;
        g_autoptr(LvpOutcome) outcome = lvp_source_restore(source, holding);
        for (guint k = 0; k < outcome->rows->len; k++) {
            const LvpOutcomeRow *row = &g_array_index(outcome->rows, LvpOutcomeRow, k);
            worst = lvp_verdict_worse(worst, row->verdict);
            if (row->verdict != LVP_VERDICT_MATCHES)
                g_hash_table_insert(notes, g_strdup(row->unit_id ? row->unit_id : holding->source),
                                    g_strdup(row->reason));
        }
    }
    return worst;
}

/* AGAIN: what was seen of its domain at the beginning of the pass is no longer true. */
static LvpSight
look_at(Pass *self, LvpMachine *machine, gboolean again)
{
    const LvpMachineJobs *jobs = self->jobs;
    gpointer state = g_hash_table_lookup(self->states, machine->uuid);
    if (again)
        lvp_reconcile_domain(jobs, machine->uuid);
    else
        lvp_allocator_set_domain_state(jobs->allocator, machine->uuid,
                                       state ? (LvpDomainState)GPOINTER_TO_INT(state)
                                             : LVP_DOMAIN_ABSENT);
    LvpSight sight = {.worst = LVP_VERDICT_MATCHES, .orphan_grace_us = jobs->orphan_grace_us};
    GHashTable *notes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    sight.worst = look_at_units(self, machine, notes);
    lvp_allocator_note_sight(jobs->allocator, machine, notes, jobs->boot_id, jobs->get_now_us(),
                             &sight);
    self->waiting |= sight.worst == LVP_VERDICT_BLOCKED;
    return sight;
}

/* ---- acting ---- */

/* Undoes or finishes what stands in the journal. */
static void
take_back(Pass *self, const char *uuid, LvpOperation operation)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = lvp_allocator_resume(self->jobs->allocator, uuid, operation);
    if (!machine)
        return;
    g_autofree char *told = g_strdup(machine->error);
    if (lvp_machine_take_back(self->jobs, machine, NULL, &error)) {
        g_message("machine %s: an interrupted %s is %s", machine->name,
                  lvp_operation_get_name(operation),
                  operation == LVP_OPERATION_CREATE ? "undone" : "finished");
        return;
    }
    self->waiting |= error->code == LVP_ERROR_BUSY;
    if (g_strcmp0(error->message, told) != 0) /* once, not at every try */
        g_warning("machine %s: an interrupted %s cannot be ended yet: %s", machine->name,
                  lvp_operation_get_name(operation), error->message);
}

static void
settle(const Pass *self, const char *uuid, LvpOperation operation)
{
    g_autoptr(LvpMachine) machine = lvp_allocator_resume(self->jobs->allocator, uuid, operation);
    if (machine)
        lvp_allocator_fail(self->jobs->allocator, machine, NULL, FALSE);
}

/* What could not be done is tried again by the next pass; until then it is noted. */
static void
note_failure(const Pass *self, LvpMachine *machine, const char *what, const GError *error)
{
    g_autofree char *failure = g_strdup_printf("%s: %s", what, error->message);
    lvp_allocator_note_failure(self->jobs->allocator, machine, failure);
}

/* Whether the machine still has no domain: what was seen may be old, and what has a domain again is
 * not given back. */
static gboolean
is_still_orphaned(const Pass *self, const LvpMachine *machine)
{
    LvpDomainState state;
    return lvp_hypervisor_get_state(self->jobs->hypervisor, machine->uuid, &state, NULL) &&
           state == LVP_DOMAIN_ABSENT;
}

/* It runs in this boot: so it has had its start, and stays off when its guest ends. */
static gboolean
adopt(const Pass *self, const char *uuid, GError **error)
{
    const LvpMachineJobs *jobs = self->jobs;
    g_autoptr(LvpMachine) machine = lvp_allocator_resume(jobs->allocator, uuid, LVP_OPERATION_NONE);
    if (!machine)
        return TRUE;
    gboolean ok =
        lvp_allocator_advance(jobs->allocator, machine, LVP_STEP_COMMITTED, jobs->boot_id, error);
    lvp_allocator_rest(jobs->allocator, machine);
    return ok;
}

/* TRUE where the machine is to be looked at again: it is another now. */
static gboolean
act(Pass *self, LvpMachine *machine, const LvpSight *sight)
{
    const LvpMachineJobs *jobs = self->jobs;
    g_autoptr(GError) error = NULL;
    switch (lvp_verdict_decide(sight)) {
    case LVP_ACTION_REST:
        lvp_allocator_note_failure(jobs->allocator, machine, NULL);
        return FALSE;
    case LVP_ACTION_UNDO:
    case LVP_ACTION_FINISH:
        take_back(self, machine->uuid, sight->operation);
        return FALSE;
    case LVP_ACTION_SETTLE:
        settle(self, machine->uuid, sight->operation);
        return TRUE;
    case LVP_ACTION_BIND:
        if (lvp_machine_bind_again(jobs, machine->uuid, &error)) {
            g_message("machine %s has its resources again after a reboot", machine->name);
            return TRUE;
        }
        note_failure(self, machine, "after a reboot", error);
        return FALSE;
    case LVP_ACTION_START:
        if (lvp_machine_start(jobs, machine->name, NULL, &error)) {
            g_message("machine %s is started after a reboot", machine->name);
            return TRUE;
        }
        note_failure(self, machine, "autostart", error);
        return FALSE;
    case LVP_ACTION_ADOPT:
        if (adopt(self, machine->uuid, &error))
            return TRUE;
        note_failure(self, machine, "after a reboot", error);
        return FALSE;
    case LVP_ACTION_GIVE_BACK:
        if (!is_still_orphaned(self, machine))
            return TRUE;
        if (lvp_machine_delete(jobs, machine->name, TRUE, NULL, &error))
            g_message("machine %s was orphaned for too long: what it held is given back",
                      machine->name);
        else
            note_failure(self, machine, "orphaned", error);
        return FALSE;
    }
    return FALSE;
}

/* What an action has made of the machine is judged once more, and not more often than the actions
 * can follow each other: settled, then bound, then at rest. */
static void
reconcile_machine(Pass *self, LvpMachine *machine)
{
    for (guint round = 0; round < 3; round++) {
        LvpSight sight = look_at(self, machine, round > 0);
        if (!act(self, machine, &sight))
            return;
    }
}

gboolean
lvp_reconcile_all(const LvpMachineJobs *jobs)
{
    g_autoptr(GHashTable) states = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    /* Machines before domains: one that is made in between is not missed without its domain. */
    g_autoptr(GPtrArray) machines = lvp_allocator_list_idle(jobs->allocator);
    Pass pass = {jobs, sources, states, FALSE};
    if (!look_at_domains(&pass))
        return FALSE;
    for (guint i = 0; i < machines->len; i++)
        reconcile_machine(&pass, g_ptr_array_index(machines, i));
    return pass.waiting || lvp_allocator_has_blocked_units(jobs->allocator, NULL);
}
