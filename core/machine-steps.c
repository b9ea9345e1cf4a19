/* SPDX-License-Identifier: Apache-2.0 */
#include "machine-steps.h"

#include "domain-xml.h"

#include <libvirt-provider/error.h>

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

/* ---- the domain ---- */

char *
lvp_step_build_domain(const LvpMachineJobs *jobs,
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
        LvpSource *source = lvp_step_find_source(sources, machine, holding->source, error);
        LvpDomainPart *part = lvp_domain_part_new();
        g_ptr_array_add(parts, part);
        if (!source || !lvp_source_contribute_xml(source, holding, part, error))
            return NULL;
    }
    LvpDomainIdentity identity = {machine->name, machine->uuid, machine->class_name, type};
    return lvp_domain_xml_build(machine->template_xml, &identity, parts, error);
}

gboolean
lvp_step_define_domain(const LvpMachineJobs *jobs,
                       GPtrArray *sources,
                       const LvpMachine *machine,
                       GError **error)
{
    g_autofree char *xml = lvp_step_build_domain(jobs, sources, machine, error);
    return xml && lvp_hypervisor_define(jobs->hypervisor, xml, error);
}

void
lvp_step_look_at_domain(const LvpMachineJobs *jobs, const LvpMachine *machine)
{
    LvpDomainState state = LVP_DOMAIN_UNKNOWN;
    lvp_hypervisor_get_state(jobs->hypervisor, machine->uuid, &state, NULL);
    lvp_allocator_set_domain_state(jobs->allocator, machine->uuid, state);
}
