/* SPDX-License-Identifier: Apache-2.0 */
#include "machine-steps.h"

#include "domain-schema.h"
#include "domain-xml.h"
#include "machine-state.h"

#include <libvirt-provider/error.h>
#include <string.h>

void
lvp_step_say(const LvpProgress *progress, const char *text)
{
    if (progress && progress->say)
        progress->say(progress->data, text);
}

LvpSource *
lvp_step_find_source(GPtrArray *sources,
                     const LvpMachine *machine,
                     const char *name,
                     GError **error)
{
    LvpSource *source = lvp_source_find(sources, name);
    if (source)
        return source;
    g_set_error(error, LVP_ERROR, LVP_ERROR_CONFLICT,
                "source-missing: machine %s holds resources of source %s, which is not loaded: add "
                "it to --resource-manager-sources and restart",
                machine->name, name);
    return NULL;
}

gboolean
lvp_step_check_sources(GPtrArray *sources, const LvpMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        if (!lvp_step_find_source(sources, machine, holding->source, error))
            return FALSE;
    }
    return TRUE;
}

/* ---- what is asked for ---- */

/* A template that names a device which this provider gives away would give it away twice. */
typedef struct {
    char **addresses;
    const char *found; /* of them */
    const char *source;
    const LvpUnit *unlisted; /* of the source, at one of them */
} TemplateCheck;

static const char *
find_address(const TemplateCheck *check, const char *id)
{
    for (guint i = 0; check->addresses[i]; i++)
        if (strcmp(check->addresses[i], id) == 0)
            return check->addresses[i];
    return NULL;
}

static void
find_template_neighbour(const LvpWorld *world, gpointer data)
{
    TemplateCheck *check = data;
    if (lvp_inventory_find_mate(world->inventory, check->source, check->unlisted))
        check->found = find_address(check, check->unlisted->id);
}

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

/* What goes along with one of our devices is no unit, and only a look at the whole host knows it.
 */
static gboolean
check_neighbours(const LvpMachineJobs *jobs, TemplateCheck *check, GError **error)
{
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    for (guint i = 0; i < sources->len; i++) {
        LvpSource *source = g_ptr_array_index(sources, i);
        g_autoptr(LvpSnapshot) all = lvp_source_discover(source, LVP_DISCOVER_ALL, error);
        if (!all)
            return FALSE;
        check->source = lvp_source_get_name(source);
        for (guint k = 0; k < all->units->len && !check->found; k++) {
            check->unlisted = g_ptr_array_index(all->units, k);
            if (find_address(check, check->unlisted->id))
                lvp_allocator_read(jobs->allocator, find_template_neighbour, check);
        }
    }
    if (!check->found)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "the template holds %s itself, which goes along with a device that this provider "
                "gives away, because they share an IOMMU group: remove it from the template",
                check->found);
    return FALSE;
}

static gboolean
check_template(const LvpMachineJobs *jobs, const char *text, GError **error)
{
    g_auto(GStrv) addresses = lvp_domain_xml_list_template_addresses(text, error);
    if (!addresses)
        return FALSE;
    TemplateCheck check = {.addresses = addresses};
    lvp_allocator_read(jobs->allocator, find_template_device, &check);
    if (!check.found)
        return !addresses[0] || check_neighbours(jobs, &check, error);
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "the template holds %s itself, a device that this provider gives away: remove it "
                "from the template, the class says what the machine gets",
                check.found);
    return FALSE;
}

gboolean
lvp_step_check_spec(const LvpMachineJobs *jobs, const LvpCreateSpec *spec, GError **error)
{
    return lvp_machine_check_name(spec->name, error) &&
           (!spec->uuid || lvp_machine_check_uuid(spec->uuid, error)) &&
           check_template(jobs, spec->template_xml, error);
}

gboolean
lvp_step_prepare(GPtrArray *sources, LvpMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        LvpSource *source = lvp_step_find_source(sources, machine, holding->source, error);
        if (!source || !lvp_source_prepare(source, holding, error))
            return FALSE;
    }
    return TRUE;
}

gboolean
lvp_step_compare(LvpSource *source,
                 const LvpMachine *machine,
                 const LvpHolding *holding,
                 gboolean *ret_needs_commit,
                 GError **error)
{
    g_autoptr(LvpOutcome) outcome = lvp_source_restore(source, holding);
    for (guint i = 0; i < outcome->rows->len; i++) {
        const LvpOutcomeRow *row = &g_array_index(outcome->rows, LvpOutcomeRow, i);
        if (row->verdict == LVP_VERDICT_MATCHES || row->verdict == LVP_VERDICT_NEEDS_COMMIT)
            continue;
        g_set_error(error, LVP_ERROR,
                    row->verdict == LVP_VERDICT_BLOCKED ? LVP_ERROR_BUSY : LVP_ERROR_CONFLICT,
                    "machine %s cannot start: %s: %s", machine->name,
                    row->unit_id ? row->unit_id : holding->source, row->reason);
        return FALSE;
    }
    *ret_needs_commit = lvp_outcome_find(outcome, LVP_VERDICT_NEEDS_COMMIT) != NULL;
    return TRUE;
}

/* ---- the domain ---- */

gboolean
lvp_step_find_domain(const LvpMachineJobs *jobs,
                     const LvpMachine *machine,
                     LvpDomainState *ret_state,
                     GError **error)
{
    if (!lvp_hypervisor_get_state(jobs->hypervisor, machine->uuid, ret_state, error))
        return FALSE;
    if (*ret_state != LVP_DOMAIN_ABSENT)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_CONFLICT,
                "machine %s has no domain any more: there is nothing to stop; start it, or "
                "delete it",
                machine->name);
    return FALSE;
}

char *
lvp_step_build_domain(const LvpMachineJobs *jobs,
                      GPtrArray *sources,
                      const LvpMachine *machine,
                      GError **error)
{
    if (machine->template_xml[0] == '\0') {
        g_set_error(error, LVP_ERROR, LVP_ERROR_CONFLICT,
                    "the template of machine %s was lost with a damaged journal: its domain cannot "
                    "be defined again",
                    machine->name);
        return NULL;
    }
    g_autofree char *type = lvp_hypervisor_dup_domain_type(jobs->hypervisor, error);
    if (!type)
        return NULL;
    g_autoptr(GPtrArray) parts =
        g_ptr_array_new_with_free_func((GDestroyNotify)lvp_domain_part_free);
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        LvpSource *source = lvp_step_find_source(sources, machine, holding->source, error);
        LvpDomainPart *part = lvp_domain_part_new();
        g_ptr_array_add(parts, part);
        if (!source || !lvp_source_contribute_xml(source, holding, part, error))
            return NULL;
    }
    g_autofree char *state = lvp_machine_state_to_text(machine);
    LvpDomainIdentity identity = {machine->name, machine->uuid, machine->class_name, type, state};
    return lvp_domain_xml_build(machine->template_xml, &identity, parts, error);
}

gboolean
lvp_step_define_domain(const LvpMachineJobs *jobs,
                       GPtrArray *sources,
                       const LvpMachine *machine,
                       GError **error)
{
    g_autofree char *xml = lvp_step_build_domain(jobs, sources, machine, error);
    if (!xml)
        return FALSE;
    GError *problem = NULL;
    if (lvp_hypervisor_define(jobs->hypervisor, xml, &problem))
        return TRUE;
    /* Which element it is, libvirt does not say. */
    gboolean checked;
    if (g_error_matches(problem, LVP_ERROR, LVP_ERROR_INVALID_REQUEST) &&
        !lvp_domain_schema_check(lvp_domain_schema_get_file(), xml, &checked, error))
        g_error_free(problem);
    else
        g_propagate_error(error, problem);
    return FALSE;
}

LvpDomainState
lvp_step_look_at_domain(const LvpMachineJobs *jobs, const LvpMachine *machine)
{
    LvpDomainState state = LVP_DOMAIN_UNKNOWN;
    lvp_hypervisor_get_state(jobs->hypervisor, machine->uuid, &state, NULL);
    lvp_allocator_set_domain_state(jobs->allocator, machine->uuid, state);
    return state;
}
