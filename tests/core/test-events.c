/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of changes, and what is kept of it. */
#include "assert-error.h"
#include "reconcile.h"
#include "world.h"

#include <string.h>

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

TestSuite(events, .init = set_up, .fini = tear_down);

static void
assert_told(const char *expected)
{
    g_autofree char *events = world_list_events(world);
    cr_assert_str_eq(events, expected);
}

/* That it was told after what was told before. */
static void
assert_told_last(const char *expected)
{
    g_autofree char *events = world_list_events(world);
    cr_assert(g_str_has_suffix(events, expected), "%s", events);
}

Test(events, what_is_there_at_the_start_is_no_event) { assert_told(""); }

Test(events, create_and_delete_are_told_step_by_step)
{
    g_autoptr(GError) error = NULL;
    world_make(world, "gpu");
    lvp_machine_delete(&world->jobs, "vm1", FALSE, NULL, &error);
    assert_no_error(error);
    assert_told("machine vm1 >creating\n"
                "device " CARD_1 " free>reserved\n"
                "device " CARD_1 " reserved>binding\n"
                "device " CARD_1 " binding>bound\n"
                "device " CARD_1 " bound>in-use\n"
                "machine vm1 creating>running\n"
                "machine vm1 running>deleting\n"
                "device " CARD_1 " in-use>returning\n"
                "machine vm1 deleting>\n"
                "device " CARD_1 " returning>free\n");
}

Test(events, device_that_goes_and_one_that_comes_are_told)
{
    scripted_source_remove_unit(world->cards, CARD_1);
    scripted_source_add_unit(world->cards, GPU, "0000:3d:00.0", "third", 0);
    world_install(world);
    assert_told("device " CARD_1 " free>\n"
                "device 0000:3d:00.0 >free\n");
}

Test(events, held_device_that_goes_is_lost)
{
    world_make(world, "gpu");
    scripted_source_remove_unit(world->cards, CARD_1);
    world_install(world);
    assert_told_last("device " CARD_1 " in-use>in-use,lost\n");
}

Test(events, cordon_is_told_once)
{
    g_autoptr(GError) error = NULL;
    for (guint i = 0; i < 2; i++)
        lvp_allocator_set_cordoned(world->allocator, CARD_1, TRUE, &error);
    assert_no_error(error);
    assert_told("device " CARD_1 " free>free,cordoned\n");
}

Test(events, domain_that_somebody_ended_is_told)
{
    world_make(world, "gpu");
    lvp_hypervisor_destroy(world->hypervisor, WORLD_UUID, NULL);
    lvp_reconcile_all(&world->jobs);
    assert_told_last("machine vm1 running>stopped\n"
                     "device " CARD_1 " in-use>bound\n");
}

Test(events, refused_create_tells_nothing)
{
    LvpCreateSpec spec = world_make_spec(world, "vm1", "no such class");
    world_refuse(world, &spec, NULL);
    assert_told("");
}

Test(events, ids_go_on_after_a_restart)
{
    world_make(world, "gpu");
    g_free(world_list_events(world));
    world_restart(world);
    lvp_allocator_set_cordoned(world->allocator, CARD_2, TRUE, NULL);
    g_free(world_list_events(world));
    g_autofree char *ids = world_query(world, "SELECT count(*) = max(id) FROM event");
    cr_assert_str_eq(ids, "1");
}

Test(events, one_that_cannot_be_read_is_left_out_and_ids_go_on)
{
    world_make(world, "gpu");
    g_free(world_list_events(world));
    g_autofree char *count = world_query(world, "SELECT count(*) FROM event");
    world_execute(world, "UPDATE event SET reason=CAST(x'ff' AS TEXT)"
                         " WHERE id=(SELECT max(id) FROM event)");
    world_restart(world);
    lvp_allocator_set_cordoned(world->allocator, CARD_2, TRUE, NULL);
    g_autofree char *left = world_list_events(world);
    g_auto(GStrv) lines = g_strsplit(left, "\n", -1);
    cr_assert(strstr(left, "cordoned"), "%s", left);
    cr_assert_eq(g_strv_length(lines) - 1, (guint)g_ascii_strtoull(count, NULL, 10), "%s", left);
}

Test(events, only_the_last_ten_thousand_are_kept)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_event_free);
    for (gint64 id = 1; id <= 10050; id++) {
        LvpEvent *event = lvp_event_new("device", CARD_1, "free", "bound", NULL);
        event->id = id;
        g_ptr_array_add(events, event);
    }
    cr_assert(lvp_journal_add_events(world->journal, events, &error));
    g_autofree char *kept = world_query(world, "SELECT count(*), min(id) FROM event");
    cr_assert_str_eq(kept, "10000|51");
}

Test(events, list_gives_the_last_ones_in_order)
{
    g_autoptr(GError) error = NULL;
    world_make(world, "gpu");
    g_free(world_list_events(world));
    g_autoptr(GPtrArray) last = lvp_events_list(world->events, 0, 2, &error);
    g_autoptr(GPtrArray) after = lvp_events_list(world->events, 5, 100, &error);
    assert_no_error(error);
    cr_assert_eq(last->len, 2);
    cr_assert_eq(((LvpEvent *)g_ptr_array_index(last, 1))->id, 6);
    cr_assert_eq(after->len, 1);
    cr_assert_eq(((LvpEvent *)g_ptr_array_index(after, 0))->id, 6);
}

Test(events, what_cannot_be_kept_is_kept_later)
{
    world_fail_write(world, "INSERT ON event");
    world_make(world, "gpu");
    g_free(world_list_events(world));
    world_heal_writes(world);
    lvp_allocator_set_cordoned(world->allocator, CARD_2, TRUE, NULL);
    g_autofree char *events = world_list_events(world);
    cr_assert(g_str_has_prefix(events, "machine vm1 >creating\n"), "%s", events);
}
