/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a create is the order of trust: what is decided is durable before the sources are
 * asked, their records are durable before they act, they have acted before libvirt sees the domain,
 * and it is acknowledged last. Taking back goes the same way in reverse; it needs nothing but the
 * journal, and each of its steps can be repeated. */
#include "machine-jobs.h"

#include "domain-xml.h"

#include <libvirt-provider/error.h>
#include <string.h>

static void
say(const LvpProgress *progress, const char *text)
{
    if (progress && progress->say)
        progress->say(progress->data, text);
}

/* The source of a holding, or NULL with error. */
static LvpSource *
find_source(GPtrArray *sources, const LvpMachine *machine, const char *name, GError **error)
{
    for (guint i = 0; i < sources->len; i++) {
        LvpSource *source = g_ptr_array_index(sources, i);
        if (strcmp(lvp_source_get_name(source), name) == 0)
            return source;
    }
    g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE,
                "source-missing: machine %s holds resources of source %s, which is not loaded: add "
                "it to --resource-manager-sources and restart",
                machine->name, name);
    return NULL;
}

static gboolean
check_sources(GPtrArray *sources, const LvpMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        if (!find_source(sources, machine, holding->source, error))
            return FALSE;
    }
    return TRUE;
}

/* ---- the domain ---- */

static char *
build_domain(const LvpMachineJobs *jobs,
             GPtrArray *sources,
             const LvpMachine *machine,
             GError **error)
{
    g_autofree char *type = lvp_hypervisor_dup_domain_type(jobs->hypervisor, error);
    if (!type)
        return NULL;
    g_autoptr(GPtrArray) parts =
        g_ptr_array_new_with_free_func((GDestroyNotify)lvp_domain_part_free);
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        LvpSource *source = find_source(sources, machine, holding->source, error);
        LvpDomainPart *part = lvp_domain_part_new();
        g_ptr_array_add(parts, part);
        if (!source || !lvp_source_contribute_xml(source, holding, part, error))
            return NULL;
    }
    LvpDomainIdentity identity = {machine->name, machine->uuid, machine->class_name, type};
    return lvp_domain_xml_build(machine->template_xml, &identity, parts, error);
}

static gboolean
define_domain(const LvpMachineJobs *jobs,
              GPtrArray *sources,
              const LvpMachine *machine,
              GError **error)
{
    g_autofree char *xml = build_domain(jobs, sources, machine, error);
    return xml && lvp_hypervisor_define(jobs->hypervisor, xml, error);
}

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

static void
look_at_domain(const LvpMachineJobs *jobs, const LvpMachine *machine)
{
    LvpDomainState state = LVP_DOMAIN_UNKNOWN;
    lvp_hypervisor_get_state(jobs->hypervisor, machine->uuid, &state, NULL);
    lvp_allocator_set_domain_state(jobs->allocator, machine->uuid, state);
}

/* ---- taking back ---- */

/* Rolls every holding back, the last first. What could not be put back becomes a mark. FALSE where
 * something is blocked: then the machine keeps what it holds. */
static gboolean
roll_back(GPtrArray *sources, const LvpMachine *machine, GPtrArray *marks, GError **error)
{
    for (guint i = machine->holdings->len; i > 0; i--) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i - 1);
        LvpSource *source = find_source(sources, machine, holding->source, error);
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
            g_ptr_array_add(marks, mark);
        }
    }
    return TRUE;
}

static gboolean
remove_domain(const LvpMachineJobs *jobs,
              const LvpMachine *machine,
              gboolean keep_nvram,
              GError **error)
{
    gboolean ours = FALSE;
    if (!find_own_domain(jobs, machine, &ours, error))
        return FALSE;
    if (!ours)
        return TRUE;
    return lvp_hypervisor_destroy(jobs->hypervisor, machine->uuid, error) &&
           lvp_hypervisor_undefine(jobs->hypervisor, machine->uuid, keep_nvram, error);
}

static gboolean
take_all_back(const LvpMachineJobs *jobs,
              LvpMachine *machine,
              gboolean keep_nvram,
              const LvpProgress *progress,
              GError **error)
{
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    g_autoptr(GPtrArray) marks = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_unit_mark_free);
    if (!check_sources(sources, machine, error))
        return FALSE;
    gboolean never_defined =
        machine->operation == LVP_OPERATION_CREATE && machine->step < LVP_STEP_COMMITTED;
    if (!never_defined) {
        say(progress, "removing the domain");
        if (!remove_domain(jobs, machine, keep_nvram, error))
            return FALSE;
        lvp_allocator_set_domain_state(jobs->allocator, machine->uuid, LVP_DOMAIN_ABSENT);
    }
    say(progress, "giving the resources back to the host");
    return roll_back(sources, machine, marks, error) &&
           lvp_allocator_remove(jobs->allocator, machine, marks, error);
}

gboolean
lvp_machine_take_back(const LvpMachineJobs *jobs,
                      LvpMachine *machine,
                      gboolean keep_nvram,
                      const LvpProgress *progress,
                      GError **error)
{
    GError *problem = NULL;
    if (take_all_back(jobs, machine, keep_nvram, progress, &problem))
        return TRUE;
    lvp_allocator_fail(jobs->allocator, machine, problem, TRUE);
    g_propagate_error(error, problem);
    return FALSE;
}

/* ---- create ---- */

/* A template that names a device which this provider gives away would give it away twice. */
typedef struct {
    char **addresses;
    const char *found;
} TemplateCheck;

static void
find_template_device(const LvpWorld *world, gpointer data)
{
    TemplateCheck *check = data;
    for (guint i = 0; check->addresses[i] && !check->found; i++)
        for (guint s = 0; s < world->sources->len; s++)
            if (lvp_inventory_find_unit(world->inventory,
                                        lvp_source_get_name(g_ptr_array_index(world->sources, s)),
                                        check->addresses[i]))
                check->found = check->addresses[i];
}

static gboolean
check_template(const LvpMachineJobs *jobs, const char *text, GError **error)
{
    g_auto(GStrv) addresses = lvp_domain_xml_list_host_addresses(text, error);
    if (!addresses)
        return FALSE;
    TemplateCheck check = {addresses, NULL};
    lvp_allocator_read(jobs->allocator, find_template_device, &check);
    if (!check.found)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "the template holds %s itself, a device that this provider gives away: remove it "
                "from the template, the class says what the machine gets",
                check.found);
    return FALSE;
}

static gboolean
check_spec(const LvpMachineJobs *jobs, const LvpCreateSpec *spec, GError **error)
{
    return lvp_machine_check_name(spec->name, error) &&
           (!spec->uuid || lvp_machine_check_uuid(spec->uuid, error)) &&
           check_template(jobs, spec->template_xml, error);
}

static gboolean
prepare_all(GPtrArray *sources, LvpMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        LvpSource *source = find_source(sources, machine, holding->source, error);
        if (!source || !lvp_source_prepare(source, holding, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
commit_all(GPtrArray *sources, const LvpMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        LvpSource *source = find_source(sources, machine, holding->source, error);
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
    if (!prepare_all(sources, machine, error) ||
        !lvp_allocator_advance(allocator, machine, LVP_STEP_PREPARED, jobs->boot_id, error))
        return FALSE;
    say(progress, "taking the resources from the host");
    if (!commit_all(sources, machine, error) ||
        !lvp_allocator_advance(allocator, machine, LVP_STEP_COMMITTED, jobs->boot_id, error))
        return FALSE;
    say(progress, "defining the domain");
    if (!define_domain(jobs, sources, machine, error))
        return FALSE;
    if (machine->desired == LVP_DESIRED_RUNNING) {
        say(progress, "starting the domain");
        if (!lvp_hypervisor_start(jobs->hypervisor, machine->uuid, error))
            return FALSE;
    }
    look_at_domain(jobs, machine);
    return lvp_allocator_finish(allocator, machine, error);
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
    if (!check_spec(jobs, &spec, error))
        return NULL;
    g_autoptr(LvpMachine) planned = lvp_allocator_plan(jobs->allocator, &spec, error);
    if (!planned)
        return NULL;
    if (!spec.uuid)
        spec.uuid = new_uuid;
    if (!planned->created &&
        !lvp_hypervisor_check_unused(jobs->hypervisor, spec.name, spec.uuid, error))
        return NULL;
    g_autoptr(LvpMachine) machine = lvp_allocator_reserve(jobs->allocator, &spec, &existing, error);
    if (!machine || existing)
        return g_steal_pointer(&machine);
    GError *problem = NULL;
    if (carry_out_create(jobs, machine, progress, &problem)) {
        g_message("machine %s (%s) of class %s is created", machine->name, machine->uuid,
                  machine->class_name);
        return g_steal_pointer(&machine);
    }
    say(progress, "failed: taking everything back");
    g_autoptr(GError) second = NULL;
    if (!lvp_machine_take_back(jobs, machine, FALSE, progress, &second))
        g_prefix_error(&problem, "not all could be taken back (%s); first: ", second->message);
    g_propagate_error(error, problem);
    return NULL;
}

char *
lvp_machine_render(const LvpMachineJobs *jobs, const LvpCreateSpec *asked, GError **error)
{
    LvpCreateSpec spec = *asked;
    if (!spec.template_xml)
        spec.template_xml = jobs->default_template;
    if (!check_spec(jobs, &spec, error))
        return NULL;
    g_autoptr(LvpMachine) machine = lvp_allocator_plan(jobs->allocator, &spec, error);
    if (!machine)
        return NULL;
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    return build_domain(jobs, sources, machine, error);
}

/* ---- start, stop, delete ---- */

/* Brings what the sources hold for the machine back to what the records say: after a reboot the
 * devices are on their host drivers again. */
static gboolean
commit_again(GPtrArray *sources, const LvpMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        LvpSource *source = find_source(sources, machine, holding->source, error);
        if (!source)
            return FALSE;
        g_autoptr(LvpOutcome) outcome = lvp_source_restore(source, holding);
        for (guint k = 0; k < outcome->rows->len; k++) {
            const LvpOutcomeRow *row = &g_array_index(outcome->rows, LvpOutcomeRow, k);
            if (row->verdict == LVP_VERDICT_MATCHES || row->verdict == LVP_VERDICT_NEEDS_COMMIT)
                continue;
            g_set_error(error, LVP_ERROR,
                        row->verdict == LVP_VERDICT_BLOCKED ? LVP_ERROR_BUSY : LVP_ERROR_CONFLICT,
                        "machine %s cannot start: %s: %s", machine->name,
                        row->unit_id ? row->unit_id : holding->source, row->reason);
            return FALSE;
        }
        if (lvp_outcome_find(outcome, LVP_VERDICT_NEEDS_COMMIT) &&
            !lvp_source_commit(source, holding, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
carry_out_start(const LvpMachineJobs *jobs,
                LvpMachine *machine,
                const LvpProgress *progress,
                GError **error)
{
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    LvpDomainState state;
    if (!check_sources(sources, machine, error) ||
        !lvp_hypervisor_get_state(jobs->hypervisor, machine->uuid, &state, error))
        return FALSE;
    if (state != LVP_DOMAIN_RUNNING && state != LVP_DOMAIN_PAUSED &&
        !commit_again(sources, machine, error))
        return FALSE;
    if (state == LVP_DOMAIN_ABSENT && !define_domain(jobs, sources, machine, error))
        return FALSE;
    say(progress, "starting the domain");
    if (!lvp_hypervisor_start(jobs->hypervisor, machine->uuid, error))
        return FALSE;
    look_at_domain(jobs, machine);
    return lvp_allocator_finish(jobs->allocator, machine, error);
}

gboolean
lvp_machine_start(const LvpMachineJobs *jobs,
                  const char *name,
                  const LvpProgress *progress,
                  GError **error)
{
    g_autoptr(LvpMachine) machine =
        lvp_allocator_begin(jobs->allocator, name, LVP_OPERATION_START, LVP_DESIRED_RUNNING, error);
    if (!machine)
        return FALSE;
    GError *problem = NULL;
    if (carry_out_start(jobs, machine, progress, &problem))
        return TRUE;
    look_at_domain(jobs, machine);
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
    if (force) {
        say(progress, "ending the domain");
        if (!lvp_hypervisor_destroy(jobs->hypervisor, machine->uuid, error))
            return FALSE;
    } else {
        say(progress, "waiting for the guest to shut down");
        if (!lvp_hypervisor_shutdown(jobs->hypervisor, machine->uuid, error))
            return FALSE;
    }
    look_at_domain(jobs, machine);
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
        lvp_allocator_begin(jobs->allocator, name, LVP_OPERATION_STOP, LVP_DESIRED_OFF, error);
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
        lvp_allocator_begin(jobs->allocator, name, LVP_OPERATION_DELETE, LVP_DESIRED_ABSENT, error);
    if (!machine)
        return FALSE;
    if (!lvp_machine_take_back(jobs, machine, keep_nvram, progress, error))
        return FALSE;
    g_message("machine %s (%s) is deleted", machine->name, machine->uuid);
    return TRUE;
}

/* ---- quarantined devices ---- */

gboolean
lvp_device_release(const LvpMachineJobs *jobs, const char *unit_id, gboolean force, GError **error)
{
    g_autoptr(LvpUnitMark) mark = lvp_allocator_dup_quarantine(jobs->allocator, unit_id, error);
    if (!mark)
        return FALSE;
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    g_autoptr(LvpOutcome) outcome = NULL;
    for (guint i = 0; i < sources->len && mark->record; i++) {
        LvpSource *source = g_ptr_array_index(sources, i);
        if (strcmp(lvp_source_get_name(source), mark->source) == 0)
            outcome = lvp_source_rollback_unit(source, mark->record, unit_id);
    }
    const LvpOutcomeRow *failed = outcome ? lvp_outcome_find_failure(outcome, unit_id) : NULL;
    if (failed && !force) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                    "device %s could still not be put back: %s (--force makes it free as it is)",
                    unit_id, failed->reason);
        return FALSE;
    }
    return lvp_allocator_clear_quarantine(jobs->allocator, unit_id, error);
}
