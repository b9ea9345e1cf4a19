/* SPDX-License-Identifier: Apache-2.0 */
/* Creates that succeed or are refused; those that fail half-way: test-machine-failures.c. */
#include "assert-error.h"
#include "domain-xml.h"
#include "world.h"

#include <string.h>

#define OTHER_UUID "00000000-0000-4000-8000-000000000002"

static World *world;

static void
set_up(void)
{
    world = world_new();
    world_connect(world);
}

static void
tear_down(void)
{
    world_free(world);
}

TestSuite(machine_create, .init = set_up, .fini = tear_down);

static LvpCreateSpec
make_spec(const char *class_name)
{
    LvpCreateSpec spec = world_make_spec(world, "vm1", class_name);
    spec.uuid = WORLD_UUID;
    return spec;
}

static void
assert_refused(const LvpCreateSpec *spec, int code, const char *part)
{
    g_autoptr(GError) error = NULL;
    cr_assert_null(lvp_machine_create(&world->jobs, spec, NULL, &error));
    cr_assert_not_null(error);
    cr_assert(g_error_matches(error, LVP_ERROR, code), "%s", error->message);
    assert_contains(error->message, part);
}

/* ---- the order of trust ---- */

/* What is durable and what libvirt has, at this moment: "step|created|records domain". */
static char *
look(void)
{
    static const char *const DOMAINS[] = {"unknown", "absent", "off", "running", "paused"};
    g_autofree char *row =
        world_query(world, "SELECT step, created, (SELECT count(*) FROM record) FROM machine");
    return g_strdup_printf("%s %s", row[0] ? row : "-", DOMAINS[world_get_domain(world)]);
}

static GString *events;

static void
note(const char *what)
{
    g_autofree char *seen = look();
    g_string_append_printf(events, "%s: %s\n", what, seen);
}

static void
note_member(gpointer data, ScriptedSource *source, const char *member)
{
    (void)data;
    (void)source;
    note(member);
}

static void
note_saying(gpointer data, const char *text)
{
    (void)data;
    note(text);
}

static gboolean
plan_cards(gpointer self, const LvpView *view, const LvpRequest *request, int node, LvpPlan *plan)
{
    (void)self;
    (void)request;
    note("plan");
    const char *unit = lvp_view_get_unit(view, GPU, node, 0);
    return unit && lvp_plan_take_unit(plan, GPU, unit);
}

Test(machine_create, each_step_is_durable_before_the_next)
{
    g_autoptr(GError) error = NULL;
    const LvpProgress progress = {note_saying, NULL};
    LvpCreateSpec spec = make_spec("gpu");
    events = g_string_new(NULL);
    world->cards->hook = note_member;
    world->cards->table->plan = plan_cards;
    world_install(world);
    lvp_machine_unref(lvp_machine_create(&world->jobs, &spec, &progress, &error));
    assert_no_error(error);
    note("acknowledged");
    cr_assert_str_eq(events->str, "plan: - absent\n"
                                  "plan: - absent\n"
                                  "looking at the resources: 1|0|0 absent\n"
                                  "prepare: 1|0|0 absent\n"
                                  "taking the resources from the host: 2|0|1 absent\n"
                                  "commit: 2|0|1 absent\n"
                                  "defining the domain: 3|0|1 absent\n"
                                  "contribute_xml: 3|0|1 absent\n"
                                  "starting the domain: 3|0|1 off\n"
                                  "acknowledged: 3|1|1 running\n");
    g_string_free(events, TRUE);
}

/* ---- created ---- */

Test(machine_create, created_machine_runs_and_holds_its_units)
{
    g_autoptr(LvpMachine) machine = world_create(world, "gpu");
    g_autofree char *held = world_explain(world, CARD_1);
    cr_assert_str_eq(lvp_machine_get_state(machine), "running");
    cr_assert_not(machine->busy);
    cr_assert_str_eq(held, "is held by vm1");
    cr_assert(scripted_source_has_taken(world->cards, CARD_1));
    cr_assert_not(scripted_source_has_taken(world->cards, CARD_2));
    cr_assert_eq(world_get_domain(world), LVP_DOMAIN_RUNNING);
}

Test(machine_create, domain_has_the_claim_the_parts_and_the_template)
{
    world_make(world, "gpu");
    gboolean found = FALSE;
    g_autofree char *xml = lvp_hypervisor_read_xml(world->hypervisor, WORLD_UUID, &found, NULL);
    g_autofree char *claim = lvp_domain_xml_find_claim(xml);
    g_auto(GStrv) addresses = lvp_domain_xml_list_host_addresses(xml, NULL);
    cr_assert_str_eq(claim, WORLD_UUID);
    cr_assert_str_eq(addresses[0], CARD_1);
    cr_assert_null(addresses[1]);
    assert_contains(xml, "<name>vm1</name>");
    assert_contains(xml, "<memory unit='KiB'>1048576</memory>");
    assert_contains(xml, "machine='q35'");
}

Test(machine_create, machine_that_shall_not_start_is_defined_and_off)
{
    g_autoptr(GError) error = NULL;
    LvpCreateSpec spec = make_spec("gpu");
    spec.start = FALSE;
    g_autoptr(LvpMachine) machine = lvp_machine_create(&world->jobs, &spec, NULL, &error);
    assert_no_error(error);
    cr_assert_str_eq(lvp_machine_get_state(machine), "stopped");
    cr_assert_eq(world_get_domain(world), LVP_DOMAIN_OFF);
    cr_assert(scripted_source_has_taken(world->cards, CARD_1));
}

Test(machine_create, default_template_serves_when_none_is_given)
{
    g_autoptr(GError) error = NULL;
    LvpCreateSpec spec = make_spec("plain");
    spec.template_xml = NULL;
    g_autoptr(LvpMachine) machine = lvp_machine_create(&world->jobs, &spec, NULL, &error);
    assert_no_error(error);
    cr_assert_str_eq(machine->template_xml, world->jobs.default_template);
}

Test(machine_create, same_create_again_answers_with_the_machine_and_does_nothing)
{
    g_autoptr(GError) error = NULL;
    LvpCreateSpec spec = make_spec("gpu");
    g_autoptr(LvpMachine) first = world_create(world, "gpu");
    g_string_truncate(world->calls, 0);
    g_autoptr(LvpMachine) second = lvp_machine_create(&world->jobs, &spec, NULL, &error);
    assert_no_error(error);
    cr_assert_eq(first, second);
    cr_assert_str_eq(world->calls->str, "");
}

/* ---- refused ---- */

Test(machine_create, bad_names_uuids_and_templates_are_refused_before_anything)
{
    LvpCreateSpec spec = make_spec("gpu");
    LvpCreateSpec bad_name = spec, bad_uuid = spec, no_xml = spec, dtd = spec;
    bad_name.name = "a b";
    bad_uuid.uuid = "1";
    no_xml.template_xml = "vm";
    dtd.template_xml = "<!DOCTYPE domain><domain/>";
    assert_refused(&bad_name, LVP_ERROR_INVALID_REQUEST, "is no name");
    assert_refused(&bad_uuid, LVP_ERROR_INVALID_REQUEST, "is no uuid");
    assert_refused(&no_xml, LVP_ERROR_INVALID_REQUEST, "no XML");
    assert_refused(&dtd, LVP_ERROR_INVALID_REQUEST, "document type");
    cr_assert_str_eq(world->calls->str, "");
    world_assert_nothing_left(world);
}

static void
assert_template_refused(const char *device)
{
    g_autofree char *template = g_strdup_printf("<domain><devices>%s</devices></domain>", device);
    LvpCreateSpec spec = make_spec("gpu");
    spec.template_xml = template;
    assert_refused(&spec, LVP_ERROR_INVALID_REQUEST, "the template holds " CARD_2 " itself");
}

Test(machine_create, template_with_one_of_our_devices_is_refused)
{
    assert_template_refused("<hostdev mode='subsystem' type='pci'><source><address domain='0' "
                            "bus='0x3c' slot='0' function='0'/></source></hostdev>");
    assert_template_refused("<hostdev mode='subsystem' type='pci'><source><address bus='074'/>"
                            "</source></hostdev>");
    assert_template_refused("<interface type='hostdev'><source><address type='pci' domain='0' "
                            "bus='60' slot='0' function='0'/></source></interface>");
    world_assert_nothing_left(world);
}

Test(machine_create, template_with_another_device_is_taken)
{
    g_autofree char *template =
        g_strdup("<domain><os><type arch='x86_64'>hvm</type></os><devices><hostdev "
                 "mode='subsystem' type='pci'><source><address domain='0' bus='0x5e' slot='0' "
                 "function='0'/></source></hostdev></devices></domain>");
    g_autoptr(GError) error = NULL;
    LvpCreateSpec spec = make_spec("gpu");
    spec.template_xml = template;
    lvp_machine_unref(lvp_machine_create(&world->jobs, &spec, NULL, &error));
    assert_no_error(error);
}

Test(machine_create, name_of_a_foreign_domain_exists_and_it_is_left_alone)
{
    world_define_foreign(world, "vm1", OTHER_UUID);
    LvpCreateSpec spec = make_spec("gpu");
    gboolean found = FALSE;
    g_autofree char *before = lvp_hypervisor_read_xml(world->hypervisor, OTHER_UUID, &found, NULL);
    assert_refused(&spec, LVP_ERROR_EXISTS, "libvirt has a domain vm1 already");
    g_autofree char *after = lvp_hypervisor_read_xml(world->hypervisor, OTHER_UUID, &found, NULL);
    cr_assert_str_eq(before, after);
    world_assert_nothing_left(world);
}

Test(machine_create, uuid_of_a_foreign_domain_exists_and_it_is_left_alone)
{
    world_define_foreign(world, "theirs", WORLD_UUID);
    LvpCreateSpec spec = make_spec("gpu");
    assert_refused(&spec, LVP_ERROR_EXISTS, "libvirt has a domain " WORLD_UUID " already");
    cr_assert_eq(world_get_domain(world), LVP_DOMAIN_OFF);
    cr_assert_eq(world_count_free(world, GPU), 2);
}

Test(machine_create, no_capacity_is_said_before_libvirt_is_asked)
{
    world_make(world, "both");
    LvpCreateSpec spec = world_make_spec(world, "vm2", "gpu");
    g_string_truncate(world->calls, 0);
    assert_refused(&spec, LVP_ERROR_NO_CAPACITY, "is held by vm1");
    cr_assert_str_eq(world->calls->str, "");
}

Test(machine_create, nothing_is_reserved_while_libvirt_is_not_reachable)
{
    LvpHypervisorCalls calls = {0};
    LvpHypervisor *away = lvp_hypervisor_new("test:///default", &calls);
    LvpCreateSpec spec = make_spec("gpu");
    world->jobs.hypervisor = away;
    assert_refused(&spec, LVP_ERROR_NOT_REACHABLE, "libvirt test:///default cannot be reached");
    world->jobs.hypervisor = world->hypervisor;
    lvp_hypervisor_free(away);
    world_assert_nothing_left(world);
}
