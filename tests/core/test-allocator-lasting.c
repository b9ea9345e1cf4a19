/* SPDX-License-Identifier: Apache-2.0 */
/* Claims and marks over rescans and restarts. */
#include "assert-error.h"
#include "journal-file.h"
#include "world.h"

#include <string.h>

static World *world;

static void
set_up(void)
{
    world = world_new();
}

static void
tear_down(void)
{
    world_free(world);
}

TestSuite(allocator, .init = set_up, .fini = tear_down);

static void
assert_explained(const char *unit, const char *expected)
{
    g_autofree char *text = world_explain(world, unit);
    cr_assert(g_strcmp0(text, expected) == 0, "%s: expected '%s', got '%s'", unit, expected, text);
}

/* ---- rescans ---- */

Test(allocator, rescan_keeps_claims)
{
    world_hold(world, "vm1", "gpu");
    world_install(world);
    world_install(world);
    assert_explained(CARD_1, "is held by vm1");
    assert_explained(CARD_2, "");
    cr_assert_eq(world_count_free(world, "cpu"), 3000);
}

static void
look_at_conditions(const LvpWorld *seen, gpointer data)
{
    const LvpInventoryUnit *unit = lvp_inventory_find_unit(seen->inventory, "cards", CARD_1);
    *(guint *)data = unit->conditions | unit->found->conditions;
}

static guint
get_conditions(void)
{
    guint conditions = 0;
    lvp_allocator_read(world->allocator, look_at_conditions, &conditions);
    return conditions;
}

Test(allocator, held_unit_that_vanished_stays_held_and_is_lost)
{
    world_hold(world, "vm1", "gpu");
    scripted_source_remove_unit(world->cards, CARD_1);
    world_install(world);
    assert_explained(CARD_1, "is held by vm1");
    cr_assert_eq(get_conditions(), LVP_CONDITION_LOST);
    cr_assert_eq(world_count_free(world, GPU), 1);
}

Test(allocator, held_unit_that_came_back_is_no_longer_lost)
{
    world_hold(world, "vm1", "gpu");
    scripted_source_remove_unit(world->cards, CARD_1);
    world_install(world);
    scripted_source_add_unit(world->cards, GPU, CARD_1, "first", 0);
    world_install(world);
    cr_assert_eq(get_conditions(), 0);
    assert_explained(CARD_1, "is held by vm1");
}

Test(allocator, other_device_at_the_address_of_a_held_unit_is_judged_for_itself)
{
    g_autoptr(LvpMachine) machine = world_add(world, "vm1", "gpu");
    scripted_source_remove_unit(world->cards, CARD_1);
    scripted_source_add_unit(world->cards, GPU, CARD_1, "another", 0);
    world_install(world);
    assert_explained(CARD_1, "");
    cr_assert_eq(world_count_free(world, GPU), 2);
    world_hold(world, "vm2", "gpu");
    assert_explained(CARD_1, "is held by vm2");
    lvp_allocator_remove(world->allocator, machine, NULL, NULL);
    world_install(world);
    assert_explained(CARD_1, "is held by vm2");
}

Test(allocator, lost_and_new_device_at_one_address_are_both_remembered)
{
    world_hold(world, "vm1", "gpu");
    scripted_source_remove_unit(world->cards, CARD_1);
    scripted_source_add_unit(world->cards, GPU, CARD_1, "another", 0);
    world_install(world);
    world_hold(world, "vm2", "gpu");
    world_restart(world);
    g_autofree char *held = world_query(world, "SELECT identity FROM held_unit ORDER BY identity");
    cr_assert_str_eq(held, "another first");
    assert_explained(CARD_1, "is held by vm2");
}

Test(allocator, unit_under_another_resource_stays_held)
{
    world_hold(world, "vm1", "gpu");
    scripted_source_remove_unit(world->cards, CARD_1);
    scripted_source_add_unit(world->cards, "gpu.nvidia/renamed", CARD_1, "first", 0);
    world_install(world);
    assert_explained(CARD_1, "is held by vm1");
    cr_assert_eq(world_count_free(world, "gpu.nvidia/renamed"), 0);
}

Test(allocator, host_that_shrank_has_nothing_free_and_keeps_claims)
{
    world_hold(world, "vm1", "plain");
    scripted_source_set_amount(world->cores, "cpu", 0, 500);
    world_install(world);
    cr_assert_eq(world_count_free(world, "cpu"), 0);
    scripted_source_set_amount(world->cores, "cpu", 0, 4000);
    world_install(world);
    cr_assert_eq(world_count_free(world, "cpu"), 3000);
}

Test(allocator, resource_that_is_no_longer_offered_does_not_stop_a_rescan)
{
    world_hold(world, "vm1", "gpu");
    g_ptr_array_remove(world->sources, world->cards->source);
    world_install(world);
    assert_explained(CARD_1, "is held by vm1");
    g_ptr_array_add(world->sources, world->cards->source);
    world_install(world);
    assert_explained(CARD_1, "is held by vm1");
    assert_explained(CARD_2, "");
}

Test(allocator, install_that_is_refused_changes_nothing)
{
    g_autoptr(GError) error = NULL;
    world_hold(world, "vm1", "gpu");
    g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_source_unref);
    g_autoptr(GPtrArray) snapshots = g_ptr_array_new();
    scripted_source_set_amount(world->cards, "cpu", 0, 1);
    for (guint i = 0; i < world->sources->len; i++) {
        LvpSource *source = g_ptr_array_index(world->sources, i);
        g_ptr_array_add(sources, lvp_source_ref(source));
        g_ptr_array_add(snapshots, lvp_source_discover(source, LVP_DISCOVER_OFFERED, NULL));
    }
    cr_assert_not(
        lvp_allocator_install(world->allocator, sources, snapshots, world->classes, 0, &error));
    assert_error(error, LVP_ERROR_CONFLICT);
    cr_assert_eq(world_count_free(world, "cpu"), 3000);
    assert_explained(CARD_1, "is held by vm1");
}

/* ---- at once ---- */

static gpointer
try_to_reserve(gpointer name)
{
    gboolean existing = FALSE;
    LvpCreateSpec spec = world_make_spec(world, name, "gpu");
    LvpMachine *machine = lvp_allocator_reserve(world->allocator, &spec, &existing, NULL);
    gboolean ok = machine != NULL;
    lvp_machine_unref(machine);
    return GINT_TO_POINTER(ok);
}

Test(allocator, creates_at_once_never_share_a_unit)
{
    static const char *const NAMES[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    GThread *threads[G_N_ELEMENTS(NAMES)];
    int n_reserved = 0;
    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++)
        threads[i] = g_thread_new("create", try_to_reserve, (gpointer)(gsize)NAMES[i]);
    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++)
        n_reserved += GPOINTER_TO_INT(g_thread_join(threads[i]));
    cr_assert_eq(n_reserved, 2);
    cr_assert_eq(world_count_free(world, GPU), 0);
    cr_assert_eq(world_count_free(world, "cpu"), 2000);
    g_autofree char *units = world_query(world, "SELECT count(DISTINCT machine) FROM held_unit");
    cr_assert_str_eq(units, "2");
}

/* ---- restarts ---- */

Test(allocator, restart_keeps_every_claim_and_address)
{
    g_autoptr(LvpMachine) one = world_add(world, "vm1", "gpu");
    g_autoptr(LvpMachine) two = world_add(world, "vm2", "gpu");
    lvp_allocator_remove(world->allocator, one, NULL, NULL);
    g_autofree char *before = journal_file_describe(two);
    world_restart(world);
    g_autofree char *after = journal_file_describe(world_find(world, "vm2"));
    cr_assert_str_eq(after, before);
    assert_explained(CARD_1, "");
    assert_explained(CARD_2, "is held by vm2");
    cr_assert_eq(world_count_free(world, "cpu"), 3000);
    cr_assert_eq(world_count_free(world, "memory"), G_GINT64_CONSTANT(7) << 30);
}

Test(allocator, machine_is_as_it_was_made_though_its_class_changed)
{
    world_hold(world, "vm1", "gpu");
    world_set_classes(world, "- {name: gpu, capabilities: {cpu: 3}}");
    world_restart(world);
    cr_assert_eq(world_count_free(world, "cpu"), 3000);
    g_autofree char *request = lvp_request_to_text(world_find(world, "vm1")->request);
    cr_assert_str_eq(request, "cpu=1 memory=1Gi " GPU "=1");
}

Test(allocator, restart_without_the_unit_keeps_it_held)
{
    world_hold(world, "vm1", "gpu");
    scripted_source_remove_unit(world->cards, CARD_1);
    world_restart(world);
    assert_explained(CARD_1, "is held by vm1");
    cr_assert_eq(get_conditions(), LVP_CONDITION_LOST);
}

Test(allocator, machine_of_a_restart_is_not_busy_and_its_domain_unknown)
{
    lvp_machine_unref(world_reserve(world, "vm1", "gpu"));
    world_restart(world);
    const LvpMachine *after = world_find(world, "vm1");
    cr_assert_not(after->busy);
    cr_assert_eq(after->domain, LVP_DOMAIN_UNKNOWN);
    cr_assert_eq(after->operation, LVP_OPERATION_CREATE);
    assert_explained(CARD_1, "is held by vm1");
}

/* ---- marks ---- */

static void
set_cordoned(gboolean cordoned)
{
    g_autoptr(GError) error = NULL;
    lvp_allocator_set_cordoned(world->allocator, CARD_1, cordoned, &error);
    assert_no_error(error);
}

/* Removes MACHINE with a quarantine of CARD_1. */
static void
remove_with_quarantine(LvpMachine *machine)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) marks = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_unit_mark_free);
    LvpUnitMark *mark = lvp_unit_mark_new("cards", CARD_1);
    mark->quarantine = g_strdup("unbind failed");
    mark->resource = g_strdup(GPU);
    mark->identity = g_strdup("first");
    mark->record = g_variant_ref_sink(g_variant_new_string("prior"));
    g_ptr_array_add(marks, mark);
    lvp_allocator_remove(world->allocator, machine, marks, &error);
    assert_no_error(error);
}

Test(allocator, cordon_lasts_until_uncordon)
{
    set_cordoned(TRUE);
    assert_explained(CARD_1, "is not available: an operator has cordoned it");
    world_install(world);
    world_restart(world);
    assert_explained(CARD_1, "is not available: an operator has cordoned it");
    set_cordoned(FALSE);
    assert_explained(CARD_1, "");
    world_restart(world);
    assert_explained(CARD_1, "");
}

Test(allocator, cordon_of_an_unknown_device_is_not_found)
{
    g_autoptr(GError) error = NULL;
    cr_assert_not(lvp_allocator_set_cordoned(world->allocator, "0000:ff:00.0", TRUE, &error));
    assert_error(error, LVP_ERROR_NOT_FOUND);
}

Test(allocator, cordon_that_the_journal_refuses_is_none)
{
    g_autoptr(GError) error = NULL;
    world_fail_write(world, "INSERT ON unit_mark");
    cr_assert_not(lvp_allocator_set_cordoned(world->allocator, CARD_1, TRUE, &error));
    cr_assert_not_null(error);
    assert_explained(CARD_1, "");
}

Test(allocator, quarantine_lasts_over_rescan_and_restart)
{
    g_autoptr(LvpMachine) machine = world_reserve(world, "vm1", "gpu");
    remove_with_quarantine(machine);
    assert_explained(CARD_1, "is quarantined: unbind failed");
    assert_explained(CARD_2, "");
    world_install(world);
    world_restart(world);
    assert_explained(CARD_1, "is quarantined: unbind failed");
    g_autoptr(LvpUnitMark) mark = lvp_allocator_dup_quarantine(world->allocator, CARD_1, NULL);
    g_autofree char *text = journal_file_describe_mark(mark);
    cr_assert_str_eq(text, "cards:" CARD_1 " cordoned=0 quarantine=unbind failed resource=" GPU
                           " identity=first record='prior'");
}

Test(allocator, quarantined_unit_that_vanished_stays_listed)
{
    g_autoptr(LvpMachine) machine = world_reserve(world, "vm1", "gpu");
    remove_with_quarantine(machine);
    scripted_source_remove_unit(world->cards, CARD_1);
    world_restart(world);
    assert_explained(CARD_1, "is quarantined: unbind failed");
}

Test(allocator, cleared_quarantine_is_gone_for_ever)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = world_reserve(world, "vm1", "gpu");
    remove_with_quarantine(machine);
    lvp_allocator_clear_quarantine(world->allocator, CARD_1, &error);
    assert_no_error(error);
    assert_explained(CARD_1, "");
    world_restart(world);
    assert_explained(CARD_1, "");
}

Test(allocator, unit_that_is_not_quarantined_cannot_be_released)
{
    g_autoptr(GError) error = NULL;
    cr_assert_null(lvp_allocator_dup_quarantine(world->allocator, CARD_1, &error));
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
}

Test(allocator, cordon_of_a_held_unit_outlives_its_quarantine)
{
    g_autoptr(LvpMachine) machine = world_reserve(world, "vm1", "gpu");
    set_cordoned(TRUE);
    remove_with_quarantine(machine);
    lvp_allocator_clear_quarantine(world->allocator, CARD_1, NULL);
    assert_explained(CARD_1, "is not available: an operator has cordoned it");
    world_restart(world);
    assert_explained(CARD_1, "is not available: an operator has cordoned it");
}

/* ---- domains ---- */

Test(allocator, state_of_a_domain_is_noted_and_forgotten)
{
    g_autoptr(LvpMachine) machine = world_add(world, "vm1", "plain");
    lvp_allocator_set_domain_state(world->allocator, machine->uuid, LVP_DOMAIN_PAUSED);
    cr_assert_eq(machine->domain, LVP_DOMAIN_PAUSED);
    lvp_allocator_set_domain_state(world->allocator, "unknown", LVP_DOMAIN_PAUSED);
    lvp_allocator_forget_domain_states(world->allocator);
    cr_assert_eq(machine->domain, LVP_DOMAIN_UNKNOWN);
}

Test(allocator, wait_for_a_domain_that_does_not_change_ends)
{
    g_autoptr(LvpMachine) machine = world_add(world, "vm1", "plain");
    cr_assert_not(lvp_allocator_wait_domain(world->allocator, machine, LVP_DOMAIN_OFF, 1));
}

static gpointer
turn_off(gpointer machine)
{
    lvp_allocator_set_domain_state(world->allocator, ((LvpMachine *)machine)->uuid, LVP_DOMAIN_OFF);
    return NULL;
}

Test(allocator, wait_for_a_domain_ends_when_it_changes, .timeout = 20)
{
    g_autoptr(LvpMachine) machine = world_add(world, "vm1", "plain");
    GThread *thread = g_thread_new("domain", turn_off, machine);
    cr_assert(lvp_allocator_wait_domain(world->allocator, machine, LVP_DOMAIN_OFF, 60000));
    g_thread_join(thread);
}

Test(allocator, quarantine_of_a_lost_unit_still_keeps_its_set)
{
    scripted_source_add_unit_in_set(world->cards, GPU, "0000:3d:00.0", "iommu:9");
    scripted_source_add_unit_in_set(world->cards, GPU, "0000:3d:00.1", "iommu:9");
    world_install(world);
    g_autoptr(LvpUnitMark) mark = lvp_unit_mark_new("cards", "0000:3d:00.0");
    mark->quarantine = g_strdup("unbind failed");
    mark->resource = g_strdup(GPU);
    mark->identity = g_strdup("of before");
    mark->found = g_variant_ref_sink(g_variant_new_parsed("(['iommu:9'], @a{ss} {})"));
    g_autoptr(GError) error = NULL;
    lvp_journal_set_mark(world->journal, mark, &error);
    assert_no_error(error);
    world_restart(world);
    assert_explained("0000:3d:00.0", "is not available: it goes only together with 0000:3d:00.0, "
                                     "which is quarantined");
    assert_explained("0000:3d:00.1", "is not available: it goes only together with 0000:3d:00.0, "
                                     "which is quarantined");
}
