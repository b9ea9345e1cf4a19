/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt could translate a domain into a command line of QEMU, and so check more of it than a
 * schema can; but that makes the domain's network interfaces on the host. */
#include "machine-dry-run.h"

#include "domain-schema.h"
#include "machine-steps.h"

/* "0000:3b:00.0, 0000:3c:00.0" after BEFORE; "" where nothing is held; g_free(). */
static char *
list_units(const LvpMachine *machine, const char *before)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        for (guint k = 0; k < holding->units->len; k++)
            g_string_append_printf(text, "%s%s", text->len ? ", " : before,
                                   lvp_holding_get_unit_id(holding, k));
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* ---- create ---- */

/* The machine as create would make it, or the one that an equal create has made. */
static LvpMachine *
plan(const LvpMachineJobs *jobs, const LvpCreateSpec *asked, gboolean *ret_existing, GError **error)
{
    LvpCreateSpec spec = *asked;
    if (!spec.template_xml)
        spec.template_xml = jobs->default_template;
    if (!lvp_step_check_spec(jobs, &spec, error))
        return NULL;
    return lvp_allocator_plan(jobs->allocator, &spec, ret_existing, error);
}

/* MACHINE belongs to us if it is planned; one that is EXISTING has its records. */
static char *
build(const LvpMachineJobs *jobs, LvpMachine *machine, gboolean existing, GError **error)
{
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    if (!existing && !lvp_step_prepare(sources, machine, error))
        return NULL;
    return lvp_step_build_domain(jobs, sources, machine, error);
}

/* Whether libvirt would define the machine's domain, which it does not have: as far as names and
 * schema say. *RET_NOTE is to be told. */
static gboolean
check_new_domain(const LvpMachineJobs *jobs,
                 LvpMachine *machine,
                 gboolean existing,
                 char **ret_note,
                 GError **error)
{
    const char *schema = lvp_domain_schema_get_file();
    gboolean checked = FALSE;
    if (!lvp_hypervisor_check_unused(jobs->hypervisor, machine->name, machine->uuid, error))
        return FALSE;
    g_autofree char *xml = build(jobs, machine, existing, error);
    if (!xml || !lvp_domain_schema_check(schema, xml, &checked, error))
        return FALSE;
    *ret_note = checked ? g_strdup("")
                        : g_strdup_printf("; libvirt's schema is not in %s, so the domain is not "
                                          "checked",
                                          schema);
    return TRUE;
}

char *
lvp_machine_render(const LvpMachineJobs *jobs, const LvpCreateSpec *asked, GError **error)
{
    gboolean existing;
    g_autoptr(LvpMachine) machine = plan(jobs, asked, &existing, error);
    return machine ? build(jobs, machine, existing, error) : NULL;
}

char *
lvp_machine_try_create(const LvpMachineJobs *jobs, const LvpCreateSpec *asked, GError **error)
{
    gboolean existing;
    g_autoptr(LvpMachine) machine = plan(jobs, asked, &existing, error);
    if (!machine)
        return NULL;
    if (existing)
        return g_strdup_printf(
            "machine %s exists already and was created so: nothing would be done", machine->name);
    g_autofree char *note = NULL;
    if (!check_new_domain(jobs, machine, FALSE, &note, error))
        return NULL;
    g_autofree char *units = list_units(machine, ", with ");
    return g_strdup_printf("machine %s of class %s would be created%s%s%s", machine->name,
                           machine->class_name, asked->start ? " and started" : "", units, note);
}

/* ---- start, stop, delete ---- */

/* The machine on which OPERATION could begin now, and its domain's state. */
static LvpMachine *
look_up(const LvpMachineJobs *jobs,
        const char *name,
        LvpOperation operation,
        LvpDomainState *ret_state,
        GError **error)
{
    g_autoptr(LvpMachine) machine =
        lvp_allocator_find_idle(jobs->allocator, name, operation, error);
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    if (!machine ||
        (operation != LVP_OPERATION_STOP && !lvp_step_check_sources(sources, machine, error)))
        return NULL;
    gboolean known =
        operation == LVP_OPERATION_STOP
            ? lvp_step_find_domain(jobs, machine, ret_state, error)
            : lvp_hypervisor_get_state(jobs->hypervisor, machine->uuid, ret_state, error);
    return known ? g_steal_pointer(&machine) : NULL;
}

/* *RET_TAKEN: whether a source would take something from the host again. */
static gboolean
compare_all(const LvpMachineJobs *jobs,
            const LvpMachine *machine,
            gboolean *ret_taken,
            GError **error)
{
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(jobs->allocator);
    *ret_taken = FALSE;
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        LvpSource *source = lvp_step_find_source(sources, machine, holding->source, error);
        gboolean needs_commit = FALSE;
        if (!source || !lvp_step_compare(source, machine, holding, &needs_commit, error))
            return FALSE;
        *ret_taken |= needs_commit;
    }
    return TRUE;
}

static char *
say_nothing_to_do(const LvpMachine *machine, const char *state)
{
    return g_strdup_printf("machine %s is %s already: nothing would be done", machine->name, state);
}

char *
lvp_machine_try_start(const LvpMachineJobs *jobs, const char *name, GError **error)
{
    LvpDomainState state;
    gboolean taken;
    g_autofree char *note = NULL;
    g_autoptr(LvpMachine) machine = look_up(jobs, name, LVP_OPERATION_START, &state, error);
    if (!machine)
        return NULL;
    if (state == LVP_DOMAIN_RUNNING)
        return say_nothing_to_do(machine, "running");
    if (state == LVP_DOMAIN_PAUSED)
        return g_strdup_printf("machine %s is paused and would be resumed", machine->name);
    if (!compare_all(jobs, machine, &taken, error) ||
        (state == LVP_DOMAIN_ABSENT && !check_new_domain(jobs, machine, TRUE, &note, error)))
        return NULL;
    return g_strdup_printf("machine %s would be %sstarted%s%s", machine->name,
                           state == LVP_DOMAIN_ABSENT ? "defined again and " : "",
                           taken ? ", its devices taken from the host again" : "",
                           note ? note : "");
}

char *
lvp_machine_try_stop(const LvpMachineJobs *jobs, const char *name, gboolean force, GError **error)
{
    LvpDomainState state;
    g_autoptr(LvpMachine) machine = look_up(jobs, name, LVP_OPERATION_STOP, &state, error);
    if (!machine)
        return NULL;
    if (state == LVP_DOMAIN_OFF)
        return say_nothing_to_do(machine, "off");
    return g_strdup_printf(
        "machine %s would be %s%s", machine->name, force ? "ended at once" : "asked to shut down",
        !force && state == LVP_DOMAIN_PAUSED ? ", but is paused and will not hear it" : "");
}

char *
lvp_machine_try_delete(const LvpMachineJobs *jobs, const char *name, GError **error)
{
    LvpDomainState state;
    g_autoptr(LvpMachine) machine = look_up(jobs, name, LVP_OPERATION_DELETE, &state, error);
    if (!machine)
        return NULL;
    g_autofree char *units = list_units(machine, "; given back would be ");
    return g_strdup_printf("machine %s would be %s%s", machine->name,
                           state == LVP_DOMAIN_ABSENT ? "removed; it has no domain any more"
                           : state == LVP_DOMAIN_OFF  ? "removed with its domain"
                                                      : "ended and removed with its domain",
                           units);
}
