/* SPDX-License-Identifier: Apache-2.0 */
/* Machines that exist: reboots, domains that others undefine, start or share, and devices that come
 * and go. */
#include "assert-error.h"
#include "reconcile.h"
#include "world.h"

#include <dlfcn.h>
#include <libvirt/libvirt.h>
#include <string.h>

static World *world;

/* Stands before libvirt's own, which starts everything. */
static gboolean libvirt_starts_nothing;

int
virDomainCreate(virDomainPtr domain)
{
    int (*real)(virDomainPtr) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "virDomainCreate");
    return libvirt_starts_nothing ? -1 : real(domain);
}

static void
set_up(void)
{
    world = world_new();
    world_connect(world);
    world_clock_us = 1;
}

static void
tear_down(void)
{
    world_free(world);
}

TestSuite(recovery, .init = set_up, .fini = tear_down);

static gboolean
reconcile(void)
{
    return lvp_reconcile_all(&world->jobs);
}

static void
assert_state(const char *expected)
{
    const LvpMachine *machine = world_find(world, "vm1");
    cr_assert_not_null(machine);
    cr_assert_not(machine->busy);
    cr_assert_str_eq(lvp_machine_get_state(machine), expected);
}

static void
assert_reason(const char *part)
{
    g_autofree char *reason = lvp_machine_dup_reason(world_find(world, "vm1"));
    assert_contains(reason, part);
}

static void
make_autostarting(gboolean start)
{
    g_autoptr(GError) error = NULL;
    LvpCreateSpec spec = world_make_spec(world, "vm1", "both");
    spec.uuid = WORLD_UUID;
    spec.start = start;
    spec.autostart = TRUE;
    g_autoptr(LvpMachine) machine = lvp_machine_create(&world->jobs, &spec, NULL, &error);
    assert_no_error(error);
}

/* ---- reboots ---- */

Test(recovery, after_a_reboot_devices_are_bound_again_and_the_machine_stays_off)
{
    world_make(world, "both");
    world_reboot(world);
    reconcile();
    assert_state("stopped");
    cr_assert(scripted_source_has_taken(world->cards, CARD_1));
    cr_assert(scripted_source_has_taken(world->cards, CARD_2));
}

Test(recovery, machine_marked_autostart_runs_again_after_a_reboot)
{
    make_autostarting(TRUE);
    world_reboot(world);
    reconcile();
    assert_state("running");
    cr_assert(scripted_source_has_taken(world->cards, CARD_1));
}

Test(recovery, machine_that_was_to_be_off_stays_off_though_marked_autostart)
{
    make_autostarting(FALSE);
    world_reboot(world);
    reconcile();
    assert_state("stopped");
    cr_assert(scripted_source_has_taken(world->cards, CARD_1));
}

Test(recovery, autostart_that_failed_is_named_and_tried_again)
{
    make_autostarting(TRUE);
    world_reboot(world);
    libvirt_starts_nothing = TRUE;
    reconcile();
    world->cards->found_again = LVP_VERDICT_MATCHES;
    reconcile();
    assert_state("stopped");
    assert_reason("autostart: ");
    cr_assert(scripted_source_has_taken(world->cards, CARD_1));
    world_restart(world);
    libvirt_starts_nothing = FALSE;
    reconcile();
    assert_state("running");
    cr_assert_null(lvp_machine_dup_reason(world_find(world, "vm1")));
}

Test(recovery, machine_that_somebody_started_after_a_reboot_is_not_started_once_more)
{
    make_autostarting(TRUE);
    world_reboot(world);
    lvp_hypervisor_start(world->hypervisor, WORLD_UUID, NULL);
    reconcile();
    assert_state("running");
    lvp_hypervisor_destroy(world->hypervisor, WORLD_UUID, NULL);
    reconcile();
    assert_state("stopped");
}

Test(recovery, machine_that_its_guest_has_stopped_is_not_started_in_the_same_boot)
{
    make_autostarting(TRUE);
    world_reboot(world);
    reconcile();
    lvp_hypervisor_destroy(world->hypervisor, WORLD_UUID, NULL);
    reconcile();
    assert_state("stopped");
}

Test(recovery, device_that_cannot_be_bound_after_a_reboot_is_named_and_tried_again)
{
    world_make(world, "both");
    world_reboot(world);
    world->cards->fail_at = "commit";
    reconcile();
    assert_state("stopped");
    assert_reason("after a reboot: ");
    world->cards->fail_at = NULL;
    reconcile();
    world->cards->found_again = LVP_VERDICT_MATCHES;
    reconcile();
    cr_assert(scripted_source_has_taken(world->cards, CARD_2));
    cr_assert_null(lvp_machine_dup_reason(world_find(world, "vm1")));
}

/* Of messages with a colon. */
static guint told_count;

static GLogWriterOutput
count_told(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
    (void)level;
    (void)data;
    for (gsize i = 0; i < n_fields; i++)
        if (strcmp(fields[i].key, "MESSAGE") == 0 && strstr(fields[i].value, ": "))
            told_count++;
    return G_LOG_WRITER_HANDLED;
}

Test(recovery, device_that_cannot_be_bound_after_a_reboot_is_logged_once)
{
    world_make(world, "both");
    world_reboot(world);
    world->cards->fail_at = "commit";
    world->cards->found_again = LVP_VERDICT_NEEDS_COMMIT;
    world->cards->odd_unit = CARD_1;
    g_log_set_writer_func(count_told, NULL, NULL);
    reconcile();
    guint once = told_count;
    cr_assert_gt(once, 0);
    reconcile();
    reconcile();
    cr_assert_eq(told_count, once);
    cr_assert_not_null(g_hash_table_lookup(world_find(world, "vm1")->notes, CARD_1));
    assert_reason("after a reboot: ");
}

Test(recovery, autostart_that_fails_is_logged_once)
{
    make_autostarting(TRUE);
    world_reboot(world);
    libvirt_starts_nothing = TRUE;
    g_log_set_writer_func(count_told, NULL, NULL);
    reconcile();
    guint once = told_count;
    cr_assert_gt(once, 0);
    world->cards->found_again = LVP_VERDICT_MATCHES;
    reconcile();
    reconcile();
    cr_assert_eq(told_count, once);
}

/* ---- devices ---- */

Test(recovery, device_that_somebody_took_away_is_named_and_left)
{
    world_make(world, "both");
    lvp_hypervisor_destroy(world->hypervisor, WORLD_UUID, NULL);
    world->cards->found_again = LVP_VERDICT_NEEDS_COMMIT;
    world->cards->odd_unit = CARD_1;
    g_string_truncate(world->calls, 0);
    reconcile();
    assert_state("stopped");
    assert_reason(CARD_1 ": ");
    cr_assert_null(strstr(world->calls->str, "commit"));
}

Test(recovery, device_that_a_start_has_bound_again_is_named_no_more)
{
    world_make(world, "both");
    lvp_hypervisor_destroy(world->hypervisor, WORLD_UUID, NULL);
    world->cards->found_again = LVP_VERDICT_NEEDS_COMMIT;
    world->cards->odd_unit = CARD_1;
    reconcile();
    assert_reason(CARD_1 ": ");
    cr_assert(lvp_machine_start(&world->jobs, "vm1", NULL, NULL));
    cr_assert_null(lvp_machine_dup_reason(world_find(world, "vm1")));
}

Test(recovery, device_that_is_blocked_is_to_be_looked_at_again_soon)
{
    world_make(world, "both");
    cr_assert_not(reconcile());
    world->cards->found_again = LVP_VERDICT_BLOCKED;
    world->cards->odd_unit = CARD_1;
    cr_assert(reconcile());
    world->cards->found_again = LVP_VERDICT_MATCHES;
    cr_assert_not(reconcile());
    cr_assert_null(lvp_machine_dup_reason(world_find(world, "vm1")));
}

/* ---- orphans ---- */

static void
orphan(void)
{
    world_make(world, "both");
    lvp_hypervisor_destroy(world->hypervisor, WORLD_UUID, NULL);
    lvp_hypervisor_undefine(world->hypervisor, WORLD_UUID, FALSE, NULL);
    reconcile();
    assert_state("orphaned");
}

Test(recovery, orphan_is_given_back_after_its_grace)
{
    orphan();
    world_clock_us += WORLD_GRACE_US - 1;
    reconcile();
    assert_state("orphaned");
    world_clock_us += 1;
    reconcile();
    world_assert_nothing_left(world);
}

Test(recovery, grace_begins_anew_with_each_start_of_the_provider)
{
    orphan();
    world_restart(world);
    world_clock_us += WORLD_GRACE_US;
    reconcile();
    assert_state("orphaned");
}

Test(recovery, orphan_whose_domain_is_back_is_none)
{
    g_autoptr(GError) error = NULL;
    orphan();
    world_clock_us += WORLD_GRACE_US / 2;
    cr_assert(lvp_machine_start(&world->jobs, "vm1", NULL, &error));
    reconcile();
    assert_state("running");
    world_clock_us += WORLD_GRACE_US;
    reconcile();
    assert_state("running");
}

/* The time is asked for between the look at the domains and the verdict. */
static gint64
define_meanwhile(void)
{
    if (world_get_domain(world) == LVP_DOMAIN_ABSENT)
        world_define_foreign(world, "vm1", WORLD_UUID);
    return world_clock_us;
}

Test(recovery, orphan_whose_domain_comes_back_before_the_verdict_keeps_what_it_holds)
{
    orphan();
    world_clock_us += WORLD_GRACE_US;
    world->jobs.get_now_us = define_meanwhile;
    reconcile();
    assert_state("stopped");
    cr_assert(scripted_source_has_taken(world->cards, CARD_1));
}

Test(recovery, same_create_takes_an_orphan_up_again)
{
    orphan();
    world_make(world, "both");
    assert_state("running");
    world_clock_us += WORLD_GRACE_US;
    reconcile();
    assert_state("running");
}

Test(recovery, machine_made_while_domains_are_listed_is_no_orphan)
{
    world_make(world, "both");
    world_clock_us += WORLD_GRACE_US;
    reconcile();
    assert_state("running");
}

/* ---- foreign domains ---- */

#define FOREIGN_UUID "00000000-0000-4000-8000-000000000007"

static void
run_foreign_with(const char *address, const char *elements)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *xml = g_strdup_printf(
        "<domain type='test'><name>theirs</name><uuid>" FOREIGN_UUID "</uuid>"
        "<memory unit='MiB'>64</memory><os><type>hvm</type></os>%s<devices>"
        "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
        "<address domain='0' bus='0x%.2s' slot='0' function='0'/></source></hostdev>"
        "</devices></domain>",
        elements, address + strlen("0000:"));
    cr_assert(lvp_hypervisor_define(world->hypervisor, xml, &error));
    cr_assert(lvp_hypervisor_start(world->hypervisor, FOREIGN_UUID, &error));
    assert_no_error(error);
}

static void
run_foreign(const char *address)
{
    run_foreign_with(address, "");
}

Test(recovery, foreign_domain_that_could_be_no_template_has_its_device_all_the_same)
{
    run_foreign_with(CARD_1, "<maxMemory slots='4' unit='MiB'>256</maxMemory><vcpu>1</vcpu><cpu>"
                             "<numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>");
    reconcile();
    g_autofree char *held = world_explain(world, CARD_1);
    assert_contains(held, "domain theirs, which is not ours to manage, has it");
    cr_assert_eq(world_count_free(world, GPU), 1);
}

Test(recovery, device_that_a_foreign_domain_has_is_not_offered_until_it_lets_go)
{
    run_foreign(CARD_1);
    reconcile();
    g_autofree char *held = world_explain(world, CARD_1);
    assert_contains(held, "domain theirs, which is not ours to manage, has it");
    cr_assert_eq(world_count_free(world, GPU), 1);
    world_install(world);
    cr_assert_eq(world_count_free(world, GPU), 1, "a rescan does not forget it");
    lvp_hypervisor_destroy(world->hypervisor, FOREIGN_UUID, NULL);
    reconcile();
    cr_assert_eq(world_count_free(world, GPU), 2);
}

Test(recovery, foreign_domain_that_does_not_run_takes_nothing)
{
    run_foreign(CARD_1);
    lvp_hypervisor_destroy(world->hypervisor, FOREIGN_UUID, NULL);
    reconcile();
    cr_assert_eq(world_count_free(world, GPU), 2);
}

Test(recovery, own_domain_is_not_foreign)
{
    world_make(world, "both");
    reconcile();
    g_autofree char *held = world_explain(world, CARD_1);
    cr_assert_str_eq(held, "is held by vm1");
}

Test(recovery, device_of_a_machine_that_is_gone_is_free_at_once)
{
    g_autoptr(GError) error = NULL;
    world_make(world, "both");
    reconcile();
    lvp_machine_delete(&world->jobs, "vm1", FALSE, NULL, &error);
    assert_no_error(error);
    world_install(world);
    cr_assert_eq(world_count_free(world, GPU), 2);
}
