/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of an operation without doing it: yes where it works, its error where it does not,
 * and never an effect. */
#include "assert-error.h"
#include "machine-dry-run.h"
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

TestSuite(machine_dry_run, .init = set_up, .fini = tear_down);

static LvpCreateSpec
make_spec(const char *class_name)
{
    LvpCreateSpec spec = world_make_spec(world, "vm1", class_name);
    spec.uuid = WORLD_UUID;
    return spec;
}

/* What the journal and libvirt have; g_free(). */
static char *
look(void)
{
    g_autofree char *row = world_query(world, "SELECT desired, op, step, generation FROM machine");
    return g_strdup_printf("%s %d", row, world_get_domain(world));
}

/* SUMMARY, which is freed, is WANT. */
static void
assert_says(char *summary, const GError *error, const char *want)
{
    assert_no_error(error);
    cr_assert_str_eq(summary, want);
    g_free(summary);
}

static void
assert_refused(char *summary, GError *error, int code, const char *part)
{
    cr_assert_null(summary);
    cr_assert(g_error_matches(error, LVP_ERROR, code), "%s", error->message);
    assert_contains(error->message, part);
    g_error_free(error);
}

/* ---- create ---- */

static void
assert_create_says(const LvpCreateSpec *spec, const char *want)
{
    GError *error = NULL;
    char *summary = lvp_machine_try_create(&world->jobs, spec, &error);
    assert_says(summary, error, want);
}

static void
assert_create_refused(const LvpCreateSpec *spec, int code, const char *part)
{
    GError *error = NULL;
    char *summary = lvp_machine_try_create(&world->jobs, spec, &error);
    assert_refused(summary, error, code, part);
}

Test(machine_dry_run, rendered_domain_is_the_one_that_is_made_and_has_no_effect)
{
    g_autoptr(GError) error = NULL;
    LvpCreateSpec spec = make_spec("gpu");
    g_autofree char *before = lvp_machine_render(&world->jobs, &spec, &error);
    assert_no_error(error);
    world_assert_nothing_left(world);
    world_make(world, "gpu");
    g_autofree char *after = lvp_machine_render(&world->jobs, &spec, &error);
    assert_no_error(error);
    cr_assert_str_eq(before, after);
}

Test(machine_dry_run, render_is_refused_as_the_create_would_be)
{
    g_autoptr(GError) error = NULL;
    LvpCreateSpec spec = make_spec("none");
    cr_assert_null(lvp_machine_render(&world->jobs, &spec, &error));
    assert_error(error, LVP_ERROR_NOT_FOUND);
}

Test(machine_dry_run, create_that_would_work_says_what_it_would_take_and_takes_nothing)
{
    LvpCreateSpec spec = make_spec("both"), off = make_spec("plain");
    off.start = FALSE;
    assert_create_says(&spec, "machine vm1 of class both would be created and started, with " CARD_1
                              ", " CARD_2);
    assert_create_says(&off, "machine vm1 of class plain would be created");
    cr_assert_null(strstr(world->calls->str, "commit"));
    world_assert_nothing_left(world);
}

Test(machine_dry_run, same_create_again_would_do_nothing)
{
    LvpCreateSpec spec = make_spec("gpu");
    world_make(world, "gpu");
    assert_create_says(&spec,
                       "machine vm1 exists already and was created so: nothing would be done");
}

Test(machine_dry_run, name_and_uuid_of_foreign_domains_are_refused)
{
    LvpCreateSpec spec = make_spec("gpu"), other = world_make_spec(world, "vm2", "gpu");
    other.uuid = OTHER_UUID;
    world_define_foreign(world, "vm1", OTHER_UUID);
    assert_create_refused(&spec, LVP_ERROR_EXISTS, "libvirt has a domain vm1 already");
    assert_create_refused(&other, LVP_ERROR_EXISTS, "libvirt has a domain " OTHER_UUID " already");
}

Test(machine_dry_run, create_that_libvirts_schema_forbids_names_the_element)
{
    LvpCreateSpec spec = make_spec("gpu");
    spec.template_xml = "<domain><os><type>hvm</type></os><devices><nosuch/></devices></domain>";
    assert_create_refused(&spec, LVP_ERROR_INVALID_REQUEST, "/domain/devices/nosuch");
    cr_assert_eq(world_count_free(world, GPU), 2);
}

Test(machine_dry_run, create_without_capacity_or_libvirt_is_refused)
{
    LvpHypervisorCalls calls = {0};
    LvpHypervisor *away = lvp_hypervisor_new("test:///default", &calls);
    LvpCreateSpec spec = world_make_spec(world, "vm2", "gpu");
    world_make(world, "both");
    assert_create_refused(&spec, LVP_ERROR_NO_CAPACITY, "is held by vm1");
    spec.class_name = "plain";
    world->jobs.hypervisor = away;
    assert_create_refused(&spec, LVP_ERROR_NOT_REACHABLE, "systemctl status libvirtd");
    world->jobs.hypervisor = world->hypervisor;
    lvp_hypervisor_free(away);
}

/* ---- start, stop, delete ---- */

static void
assert_start_says(const char *want)
{
    GError *error = NULL;
    g_autofree char *before = look();
    char *summary = lvp_machine_try_start(&world->jobs, "vm1", &error);
    assert_says(summary, error, want);
    g_autofree char *after = look();
    cr_assert_str_eq(after, before);
}

static void
assert_stop_says(gboolean force, const char *want)
{
    GError *error = NULL;
    g_autofree char *before = look();
    char *summary = lvp_machine_try_stop(&world->jobs, "vm1", force, &error);
    assert_says(summary, error, want);
    g_autofree char *after = look();
    cr_assert_str_eq(after, before);
}

static void
assert_delete_says(const char *want)
{
    GError *error = NULL;
    g_autofree char *before = look();
    char *summary = lvp_machine_try_delete(&world->jobs, "vm1", &error);
    assert_says(summary, error, want);
    g_autofree char *after = look();
    cr_assert_str_eq(after, before);
}

static void
stop(void)
{
    g_autoptr(GError) error = NULL;
    lvp_machine_stop(&world->jobs, "vm1", TRUE, 60000, NULL, &error);
    assert_no_error(error);
}

static void
undefine_behind_its_back(void)
{
    lvp_hypervisor_destroy(world->hypervisor, WORLD_UUID, NULL);
    lvp_hypervisor_undefine(world->hypervisor, WORLD_UUID, FALSE, NULL);
}

Test(machine_dry_run, running_machine)
{
    world_make(world, "gpu");
    assert_start_says("machine vm1 is running already: nothing would be done");
    assert_stop_says(FALSE, "machine vm1 would be asked to shut down");
    assert_stop_says(TRUE, "machine vm1 would be ended at once");
    assert_delete_says("machine vm1 would be ended and removed with its domain; given back would "
                       "be " CARD_1);
}

Test(machine_dry_run, stopped_machine)
{
    world_make(world, "gpu");
    stop();
    assert_start_says("machine vm1 would be started");
    assert_stop_says(FALSE, "machine vm1 is off already: nothing would be done");
    assert_delete_says("machine vm1 would be removed with its domain; given back would be " CARD_1);
}

Test(machine_dry_run, machine_without_its_domain)
{
    GError *error = NULL;
    world_make(world, "gpu");
    undefine_behind_its_back();
    assert_start_says("machine vm1 would be defined again and started");
    assert_delete_says("machine vm1 would be removed; it has no domain any more; given back would "
                       "be " CARD_1);
    char *summary = lvp_machine_try_stop(&world->jobs, "vm1", FALSE, &error);
    assert_refused(summary, error, LVP_ERROR_CONFLICT, "has no domain any more");
    error = NULL;
    world_define_foreign(world, "vm1", OTHER_UUID);
    summary = lvp_machine_try_start(&world->jobs, "vm1", &error);
    assert_refused(summary, error, LVP_ERROR_EXISTS, "libvirt has a domain vm1 already");
}

Test(machine_dry_run, start_compares_the_host_with_the_record)
{
    GError *error = NULL;
    world_make(world, "gpu");
    stop();
    world->cards->found_again = LVP_VERDICT_NEEDS_COMMIT;
    assert_start_says("machine vm1 would be started, its devices taken from the host again");
    world->cards->found_again = LVP_VERDICT_LOST;
    char *summary = lvp_machine_try_start(&world->jobs, "vm1", &error);
    assert_refused(summary, error, LVP_ERROR_CONFLICT, "machine vm1 cannot start: " CARD_1);
}

Test(machine_dry_run, what_cannot_begin_is_refused)
{
    GError *error = NULL;
    char *summary = lvp_machine_try_start(&world->jobs, "none", &error);
    assert_refused(summary, error, LVP_ERROR_NOT_FOUND, "no machine 'none'");
    g_autoptr(LvpMachine) busy = world_reserve(world, "vm1", "gpu");
    error = NULL;
    summary = lvp_machine_try_delete(&world->jobs, "vm1", &error);
    assert_refused(summary, error, LVP_ERROR_BUSY, "is busy with create");
}
