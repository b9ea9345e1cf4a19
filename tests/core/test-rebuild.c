/* SPDX-License-Identifier: Apache-2.0 */
/* A journal that was damaged is made again from the domains. */
#include "assert-error.h"
#include "machine-state.h"
#include "reconcile.h"
#include "world.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

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

TestSuite(rebuild, .init = set_up, .fini = tear_down);

static void
make_labelled(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) labels =
        g_variant_ref_sink(g_variant_new_parsed("{'a': 'b \\n <\\u0001>'}"));
    LvpCreateSpec spec = world_make_spec(world, "vm1", "gpu");
    spec.uuid = WORLD_UUID;
    spec.autostart = TRUE;
    spec.labels = labels;
    g_autoptr(LvpMachine) machine = lvp_machine_create(&world->jobs, &spec, NULL, &error);
    assert_no_error(error);
}

static void
reconcile(void)
{
    lvp_reconcile_all(&world->jobs);
}

Test(rebuild, claim_goes_into_a_text_and_comes_back)
{
    make_labelled();
    const LvpMachine *machine = world_find(world, "vm1");
    g_autofree char *text = lvp_machine_state_to_text(machine);
    g_autoptr(LvpMachine) back = lvp_machine_state_parse(text, machine->uuid, "vm1", "gpu");
    g_autofree char *again = lvp_machine_state_to_text(back);
    cr_assert_str_eq(again, text);
    cr_assert(back->created);
    cr_assert(back->autostart);
    cr_assert(g_variant_equal(back->labels, machine->labels));
    cr_assert(g_variant_equal(lvp_machine_find_holding(back, "cards")->record,
                              lvp_machine_find_holding(machine, "cards")->record));
}

Test(rebuild, text_that_is_none_of_ours_is_refused)
{
    static const char *const TEXTS[] = {
        "",
        "hello",
        "(uint32 2, false, @a(sx) [], @a{ss} {}, @a{ss} {}, @a(sa(six)a(sssimv)mv) [])",
        "(uint32 1, false, [('cpu', int64 -1)], @a{ss} {}, @a{ss} {}, @a(sa(six)a(sssimv)mv) [])",
        ("(uint32 1, false, @a(sx) [], @a{ss} {}, @a{ss} {}, [('s', [('cpu', 0, int64 -5)], "
         "@a(sssimv) [], @mv nothing)])"),
        ("(uint32 1, false, [(\"c'pu\", int64 1)], @a{ss} {}, @a{ss} {}, @a(sa(six)a(sssimv)mv) "
         "[])"),
        ("(uint32 1, false, @a(sx) [], @a{ss} {}, @a{ss} {}, [('s', [(\"c'pu\", 0, int64 5)], "
         "@a(sssimv) [], @mv nothing)])"),
        ("(uint32 1, false, @a(sx) [], @a{ss} {}, @a{ss} {}, [('s', @a(six) [], "
         "[('g pu', 'id', 'identity', 0, @mv nothing)], @mv nothing)])"),
        ("(uint32 1, false, @a(sx) [], @a{ss} {}, @a{ss} {}, [(\"s'\", @a(six) [], @a(sssimv) [], "
         "@mv nothing)])"),
        ("(uint32 1, false, @a(sx) [], @a{ss} {}, @a{ss} {}, [('s', [('memory', 0, int64 "
         "9223372036854775807), ('memory', 0, 1)], @a(sssimv) [], @mv nothing)])"),
        ("(uint32 1, false, @a(sx) [], @a{ss} {}, @a{ss} {}, [('s', @a(six) [], "
         "[('gpu', 'id', 'a', 0, @mv nothing), ('gpu', 'id', 'b', 0, nothing)], @mv nothing)])"),
        ("(uint32 1, false, @a(sx) [], @a{ss} {}, @a{ss} {}, [('s', @a(six) [], @a(sssimv) [], "
         "@mv nothing), ('s', [], [], nothing)])"),
    };
    for (guint i = 0; i < G_N_ELEMENTS(TEXTS); i++)
        cr_assert_null(lvp_machine_state_parse(TEXTS[i], WORLD_UUID, "vm1", "gpu"), "%s", TEXTS[i]);
    cr_assert_null(lvp_machine_state_parse(
        "(uint32 1, false, @a(sx) [], @a{ss} {}, @a{ss} {}, @a(sa(six)a(sssimv)mv) [])", "no uuid",
        "vm1", "gpu"));
}

Test(rebuild, machine_comes_back_from_its_domain)
{
    g_autoptr(GError) error = NULL;
    make_labelled();
    g_autofree char *before = lvp_machine_state_to_text(world_find(world, "vm1"));
    world_damage(world);
    cr_assert_null(world_find(world, "vm1"));
    reconcile();
    LvpMachine *machine = world_find(world, "vm1");
    cr_assert_not_null(machine);
    g_autofree char *after = lvp_machine_state_to_text(machine);
    g_autofree char *held = world_explain(world, CARD_1);
    cr_assert_str_eq(after, before);
    cr_assert_str_eq(held, "is held by vm1");
    world_restart(world);
    reconcile();
    cr_assert_str_eq(lvp_machine_get_state(world_find(world, "vm1")), "running");
    lvp_machine_delete(&world->jobs, "vm1", FALSE, NULL, &error);
    assert_no_error(error);
    world_assert_nothing_left(world);
}

Test(rebuild, nothing_is_given_before_machines_are_back)
{
    g_autofree char *message = NULL;
    make_labelled();
    world_damage(world);
    LvpCreateSpec spec = world_make_spec(world, "vm2", "gpu");
    cr_assert_eq(world_refuse(world, &spec, &message), LVP_ERROR_BUSY);
    assert_contains(message, "the journal was damaged");
    reconcile();
    world_hold(world, "vm2", "gpu");
}

Test(rebuild, device_that_looks_taken_and_that_nobody_explains_is_quarantined)
{
    make_labelled();
    g_hash_table_add(world->cards->taken, g_strdup(CARD_2));
    world_damage(world);
    reconcile();
    g_autofree char *first = world_explain(world, CARD_1);
    g_autofree char *second = world_explain(world, CARD_2);
    cr_assert_str_eq(first, "is held by vm1");
    assert_contains(second, "is quarantined: it looks taken");
    world_restart(world);
    g_autofree char *after = world_explain(world, CARD_2);
    cr_assert_str_eq(after, second);
}

Test(rebuild, machine_without_its_template_says_so_when_its_domain_is_to_be_defined)
{
    g_autoptr(GError) error = NULL;
    make_labelled();
    world_damage(world);
    reconcile();
    lvp_hypervisor_destroy(world->hypervisor, WORLD_UUID, NULL);
    lvp_hypervisor_undefine(world->hypervisor, WORLD_UUID, FALSE, NULL);
    cr_assert_not(lvp_machine_start(&world->jobs, "vm1", NULL, &error));
    assert_error(error, LVP_ERROR_CONFLICT);
    assert_contains(error->message, "template of machine vm1 was lost");
}

static void
make_with_group(void)
{
    scripted_source_remove_unit(world->cards, CARD_1);
    scripted_source_remove_unit(world->cards, CARD_2);
    scripted_source_add_unit_in_set(world->cards, GPU, CARD_1, "iommu:1");
    scripted_source_add_unit_in_set(world->cards, "nic.intel/x", CARD_2, "iommu:1");
    world_install(world);
    make_labelled();
}

Test(rebuild, device_that_goes_along_with_a_held_one_is_not_quarantined)
{
    make_with_group();
    g_hash_table_add(world->cards->taken, g_strdup(CARD_2));
    world_damage(world);
    reconcile();
    g_autofree char *first = world_explain(world, CARD_1);
    g_autofree char *second = world_explain(world, CARD_2);
    cr_assert_str_eq(first, "is held by vm1");
    assert_contains(second, "which is held by vm1");
}

Test(rebuild, device_that_goes_along_with_a_lost_one_is_not_free)
{
    make_with_group();
    world_damage(world);
    scripted_source_remove_unit(world->cards, CARD_1);
    world_install(world);
    reconcile();
    g_autofree char *second = world_explain(world, CARD_2);
    assert_contains(second, "which is held by vm1");
}

static void
limit_file_size(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(rebuild, machine_that_could_not_be_written_is_taken_up_by_a_later_pass)
{
    make_labelled();
    world_damage(world);
    limit_file_size(1024);
    reconcile();
    cr_assert_null(world_find(world, "vm1"));
    cr_assert(lvp_allocator_needs_rebuild(world->allocator));
    limit_file_size(RLIM_INFINITY);
    reconcile();
    cr_assert_not_null(world_find(world, "vm1"));
    cr_assert_not(lvp_allocator_needs_rebuild(world->allocator));
}

/* ---- release ---- */

static gboolean (*discover)(
    gpointer self, LvpDiscoverFlags, LvpSnapshot *, GCancellable *, GError **);

static gboolean
discover_blocked(gpointer self,
                 LvpDiscoverFlags flags,
                 LvpSnapshot *snapshot,
                 GCancellable *cancellable,
                 GError **error)
{
    gboolean ok = discover(self, flags, snapshot, cancellable, error);
    for (guint i = 0; i < snapshot->units->len; i++) {
        LvpUnit *unit = g_ptr_array_index(snapshot->units, i);
        if (strcmp(unit->id, CARD_2) == 0)
            lvp_unit_add_condition(unit, LVP_CONDITION_BLOCKED, "it is made to hang");
    }
    return ok;
}

/* CARD_2 is quarantined, and nobody knows how it was before. */
static void
forget_card(void)
{
    g_hash_table_add(world->cards->taken, g_strdup(CARD_2));
    world_damage(world);
    reconcile();
}

static void
assert_not_released(gboolean force, int code, const char *part)
{
    g_autoptr(GError) error = NULL;
    cr_assert_not(lvp_device_release(&world->jobs, CARD_2, force, &error));
    assert_error(error, code);
    assert_contains(error->message, part);
    g_autofree char *text = world_explain(world, CARD_2);
    assert_contains(text, "is quarantined: it looks taken");
}

Test(rebuild, device_that_nobody_can_put_back_is_released_only_by_force)
{
    g_autoptr(GError) error = NULL;
    forget_card();
    assert_not_released(FALSE, LVP_ERROR_CONFLICT, "say --force");
    lvp_device_release(&world->jobs, CARD_2, TRUE, &error);
    assert_no_error(error);
    g_autofree char *text = world_explain(world, CARD_2);
    cr_assert_str_eq(text, "");
}

Test(rebuild, device_with_an_effect_in_flight_is_not_released_even_by_force)
{
    forget_card();
    discover = world->cards->table->discover;
    world->cards->table->discover = discover_blocked;
    world_install(world);
    assert_not_released(TRUE, LVP_ERROR_BUSY, "has not returned from the kernel");
}
