/* SPDX-License-Identifier: Apache-2.0 */
#include "assert-error.h"
#include "inventory.h"

#include <string.h>

#define GPU "gpu.nvidia/a30"

static const char VM1[] = "vm1", VM2[] = "vm2";

typedef struct {
    LvpInventory *inventory;
    LvpSnapshot *snapshot; /* until sealed */
} Pool;

static Pool
begin_pool(void)
{
    return (Pool){lvp_inventory_new(), lvp_snapshot_new()};
}

/* A unit on NODE, in the exclusion SETs (two, each may be NULL). */
static LvpUnit *
add_unit(const Pool *pool, const char *id, int node, const char *set, const char *second)
{
    LvpUnit *unit = lvp_snapshot_add_unit(pool->snapshot, GPU, id, id, node);
    if (set)
        lvp_unit_add_exclusion_set(unit, set);
    if (second)
        lvp_unit_add_exclusion_set(unit, second);
    return unit;
}

static void
add_snapshot(Pool *pool)
{
    g_autoptr(GError) error = NULL;
    lvp_inventory_add_snapshot(pool->inventory, "pci", g_steal_pointer(&pool->snapshot), &error);
    assert_no_error(error);
}

static void
seal(Pool *pool)
{
    add_snapshot(pool);
    lvp_inventory_seal(pool->inventory);
}

static LvpInventoryUnit *
find(const Pool *pool, const char *id)
{
    LvpInventoryUnit *unit = lvp_inventory_find_unit(pool->inventory, "pci", id);
    cr_assert_not_null(unit, "no unit %s", id);
    return unit;
}

static LvpResource *
find_gpus(const Pool *pool)
{
    return lvp_inventory_find_resource(pool->inventory, GPU);
}

static gint64
count_free(const Pool *pool)
{
    return lvp_resource_get_free(find_gpus(pool));
}

/* The ids of the free units of a node, "a b c". */
static char *
list_free(const Pool *pool, int node)
{
    guint cursor = 0, index = lvp_inventory_find_node(pool->inventory, node);
    g_autoptr(GString) ids = g_string_new(NULL);
    const LvpInventoryUnit *unit;
    while ((unit = lvp_resource_next_free(find_gpus(pool), index, &cursor)) != NULL)
        g_string_append_printf(ids, "%s%s", ids->len ? " " : "", unit->found->id);
    return g_string_free(g_steal_pointer(&ids), FALSE);
}

static void
assert_free(const Pool *pool, int node, const char *expected)
{
    g_autofree char *ids = list_free(pool, node);
    cr_assert_str_eq(ids, expected);
}

/* N units "000", "001", ... on node 0, sealed. */
static Pool
make_many(guint n)
{
    Pool pool = begin_pool();
    for (guint i = 0; i < n; i++) {
        g_autofree char *id = g_strdup_printf("%03u", i);
        add_unit(&pool, id, 0, NULL, NULL);
    }
    seal(&pool);
    return pool;
}

/* Two units in one set, sealed. */
static Pool
make_pair(void)
{
    Pool pool = begin_pool();
    add_unit(&pool, "a", 0, "iommu:1", NULL);
    add_unit(&pool, "b", 0, "iommu:1", NULL);
    add_unit(&pool, "c", 0, "iommu:2", NULL);
    seal(&pool);
    return pool;
}

/* ---- take and give ---- */

Test(inventory, free_units_come_in_the_order_of_ids_per_node)
{
    Pool pool = begin_pool();
    add_unit(&pool, "d", 0, NULL, NULL);
    add_unit(&pool, "b", 1, NULL, NULL);
    add_unit(&pool, "a", 0, NULL, NULL);
    add_unit(&pool, "c", LVP_NODE_NONE, NULL, NULL);
    seal(&pool);
    assert_free(&pool, 0, "a d");
    assert_free(&pool, 1, "b");
    assert_free(&pool, LVP_NODE_NONE, "c");
    cr_assert_eq(count_free(&pool), 4);
    lvp_inventory_free(pool.inventory);
}

Test(inventory, units_stand_in_the_order_of_source_and_id)
{
    Pool pool = begin_pool();
    g_autoptr(GError) error = NULL;
    add_unit(&pool, "b", 0, NULL, NULL);
    add_unit(&pool, "a", 1, NULL, NULL);
    LvpSnapshot *other = lvp_snapshot_new();
    lvp_snapshot_add_unit(other, "x.v/d", "z", "z", 0);
    lvp_inventory_add_snapshot(pool.inventory, "mdev", other, &error);
    assert_no_error(error);
    seal(&pool);
    static const char *const EXPECTED[] = {"z", "a", "b"};
    const GPtrArray *units = lvp_inventory_get_units(pool.inventory);
    cr_assert_eq(units->len, G_N_ELEMENTS(EXPECTED));
    for (guint i = 0; i < units->len; i++)
        cr_assert_str_eq(((LvpInventoryUnit *)g_ptr_array_index(units, i))->found->id, EXPECTED[i]);
    lvp_inventory_free(pool.inventory);
}

Test(inventory, taken_unit_is_not_free_until_given)
{
    Pool pool = make_many(3);
    lvp_unit_take(find(&pool, "001"), VM1);
    assert_free(&pool, 0, "000 002");
    cr_assert_eq(count_free(&pool), 2);
    cr_assert_eq(lvp_resource_get_total(find_gpus(&pool)), 3);
    lvp_unit_give(find(&pool, "001"));
    assert_free(&pool, 0, "000 001 002");
    cr_assert_eq(count_free(&pool), 3);
    lvp_inventory_free(pool.inventory);
}

/* Bits stand in words of 64: the borders are where an index breaks. */
static void
check_every_bit(guint n)
{
    Pool pool = make_many(n);
    LvpResource *gpus = find_gpus(&pool);
    guint node = lvp_inventory_find_node(pool.inventory, 0);
    for (guint i = 0; i < n; i++) {
        guint cursor = 0;
        LvpInventoryUnit *unit = lvp_resource_next_free(gpus, node, &cursor);
        cr_assert_not_null(unit);
        cr_assert_eq(cursor, i + 1);
        lvp_unit_take(unit, VM1);
        cr_assert_eq(lvp_resource_get_free(gpus), n - i - 1);
    }
    guint cursor = 0;
    cr_assert_null(lvp_resource_next_free(gpus, node, &cursor));
    for (guint i = n; i > 0; i--) {
        g_autofree char *id = g_strdup_printf("%03u", i - 1);
        lvp_unit_give(find(&pool, id));
        cursor = 0;
        cr_assert_eq(lvp_resource_next_free(gpus, node, &cursor), find(&pool, id));
    }
    lvp_inventory_free(pool.inventory);
}

Test(inventory, sixty_four_units_are_all_found) { check_every_bit(64); }

Test(inventory, sixty_five_units_are_all_found) { check_every_bit(65); }

Test(inventory, two_hundred_units_are_all_found) { check_every_bit(200); }

Test(inventory, cursor_in_the_middle_of_a_word_goes_on_from_there)
{
    Pool pool = make_many(130);
    guint cursor = 70, node = lvp_inventory_find_node(pool.inventory, 0);
    const LvpInventoryUnit *unit = lvp_resource_next_free(find_gpus(&pool), node, &cursor);
    cr_assert_str_eq(unit->found->id, "070");
    cr_assert_eq(cursor, 71);
    cursor = 130;
    cr_assert_null(lvp_resource_next_free(find_gpus(&pool), node, &cursor));
    lvp_inventory_free(pool.inventory);
}

/* ---- exclusion sets ---- */

Test(inventory, other_members_of_a_held_set_are_not_free)
{
    Pool pool = make_pair();
    lvp_unit_take(find(&pool, "a"), VM1);
    assert_free(&pool, 0, "c");
    cr_assert_eq(lvp_unit_find_rival(find(&pool, "b")), find(&pool, "a"));
    cr_assert_null(lvp_unit_find_rival(find(&pool, "a")));
    lvp_unit_give(find(&pool, "a"));
    assert_free(&pool, 0, "a b c");
    lvp_inventory_free(pool.inventory);
}

Test(inventory, set_held_twice_by_one_machine_is_free_after_the_second_give)
{
    Pool pool = make_pair();
    lvp_unit_take(find(&pool, "a"), VM1);
    lvp_unit_take(find(&pool, "b"), VM1);
    cr_assert_null(lvp_unit_find_rival(find(&pool, "a")), "it is no rival of itself");
    lvp_unit_give(find(&pool, "a"));
    assert_free(&pool, 0, "c");
    lvp_unit_give(find(&pool, "b"));
    assert_free(&pool, 0, "a b c");
    lvp_inventory_free(pool.inventory);
}

Test(inventory, other_members_of_a_quarantined_set_are_not_free)
{
    Pool pool = make_pair();
    lvp_unit_set_quarantine(find(&pool, "a"), "reset failed");
    assert_free(&pool, 0, "c");
    cr_assert_eq(lvp_unit_find_rival(find(&pool, "b")), find(&pool, "a"));
    cr_assert_null(lvp_unit_find_rival(find(&pool, "a")));
    lvp_unit_set_quarantine(find(&pool, "a"), "driver failed");
    lvp_unit_set_quarantine(find(&pool, "a"), NULL);
    lvp_unit_set_quarantine(find(&pool, "a"), NULL);
    assert_free(&pool, 0, "a b c");
    lvp_inventory_free(pool.inventory);
}

Test(inventory, set_that_is_held_and_quarantined_is_free_when_both_are_over)
{
    Pool pool = make_pair();
    lvp_unit_take(find(&pool, "b"), VM1);
    lvp_unit_set_quarantine(find(&pool, "a"), "reset failed");
    lvp_unit_give(find(&pool, "b"));
    assert_free(&pool, 0, "c");
    lvp_unit_set_quarantine(find(&pool, "a"), NULL);
    assert_free(&pool, 0, "a b c");
    lvp_inventory_free(pool.inventory);
}

Test(inventory, unit_in_two_sets_excludes_the_members_of_both)
{
    Pool pool = begin_pool();
    add_unit(&pool, "a", 0, "iommu:1", NULL);
    add_unit(&pool, "b", 0, "iommu:1", "pf:x");
    add_unit(&pool, "c", 0, "pf:x", NULL);
    seal(&pool);
    lvp_unit_take(find(&pool, "b"), VM1);
    assert_free(&pool, 0, "");
    lvp_unit_give(find(&pool, "b"));
    lvp_unit_take(find(&pool, "a"), VM1);
    assert_free(&pool, 0, "c");
    lvp_unit_take(find(&pool, "c"), VM2);
    lvp_unit_give(find(&pool, "a"));
    assert_free(&pool, 0, "a");
    lvp_inventory_free(pool.inventory);
}

Test(inventory, sets_of_two_sources_with_one_name_are_two_sets)
{
    Pool pool = begin_pool();
    g_autoptr(GError) error = NULL;
    add_unit(&pool, "a", 0, "1", NULL);
    LvpSnapshot *other = lvp_snapshot_new();
    lvp_unit_add_exclusion_set(lvp_snapshot_add_unit(other, "x.v/d", "a", "a", 0), "1");
    lvp_inventory_add_snapshot(pool.inventory, "mdev", other, &error);
    assert_no_error(error);
    seal(&pool);
    lvp_unit_take(lvp_inventory_find_unit(pool.inventory, "mdev", "a"), VM1);
    cr_assert(lvp_unit_is_free(find(&pool, "a")));
    lvp_inventory_free(pool.inventory);
}

/* ---- what keeps a unit from being offered ---- */

Test(inventory, cordoned_unit_is_not_free_until_uncordoned)
{
    Pool pool = make_many(2);
    lvp_unit_set_cordoned(find(&pool, "000"), TRUE);
    assert_free(&pool, 0, "001");
    lvp_unit_set_cordoned(find(&pool, "000"), FALSE);
    assert_free(&pool, 0, "000 001");
    lvp_inventory_free(pool.inventory);
}

Test(inventory, unit_cordoned_while_held_is_not_free_when_given)
{
    Pool pool = make_many(1);
    lvp_unit_take(find(&pool, "000"), VM1);
    lvp_unit_set_cordoned(find(&pool, "000"), TRUE);
    lvp_unit_give(find(&pool, "000"));
    cr_assert_eq(count_free(&pool), 0);
    lvp_inventory_free(pool.inventory);
}

Test(inventory, quarantined_unit_keeps_its_reason_and_is_not_free)
{
    Pool pool = make_many(1);
    LvpInventoryUnit *unit = find(&pool, "000");
    lvp_unit_set_quarantine(unit, "the driver did not come back");
    lvp_unit_set_quarantine(unit, unit->quarantine);
    cr_assert_str_eq(unit->quarantine, "the driver did not come back");
    cr_assert_eq(count_free(&pool), 0);
    lvp_unit_set_quarantine(unit, NULL);
    cr_assert_eq(count_free(&pool), 1);
    lvp_inventory_free(pool.inventory);
}

Test(inventory, unit_with_a_condition_or_unusable_is_not_free)
{
    Pool pool = begin_pool();
    lvp_unit_add_condition(add_unit(&pool, "a", 0, NULL, NULL), LVP_CONDITION_HOST, "mounted");
    lvp_unit_set_unusable(add_unit(&pool, "b", 0, NULL, NULL), "IOMMU is off");
    add_unit(&pool, "c", 0, NULL, NULL);
    seal(&pool);
    lvp_unit_set_core_condition(find(&pool, "c"), LVP_CONDITION_FOREIGN, "held by another domain");
    cr_assert_eq(count_free(&pool), 0);
    cr_assert_eq(lvp_resource_get_total(find_gpus(&pool)), 3, "it is there all the same");
    lvp_inventory_free(pool.inventory);
}

/* ---- lost units ---- */

/* One that a machine holds and that no snapshot has. */
static void
add_held(const Pool *pool, const char *source, const char *resource, char *id, char *identity)
{
    g_autofree char *name = g_strdup(resource);
    const LvpHeldUnit held = {name, id, identity, 3, NULL};
    lvp_inventory_add_held_unit(pool->inventory, source, &held, LVP_CONDITION_LOST, "it is gone");
}

Test(inventory, lost_unit_beside_another_at_its_id_is_both)
{
    static char gone[] = "a", identity[] = "what it was";
    Pool pool = begin_pool();
    add_unit(&pool, "a", 0, NULL, NULL);
    add_snapshot(&pool);
    add_held(&pool, "pci", GPU, gone, identity);
    lvp_inventory_seal(pool.inventory);
    LvpInventoryUnit *lost =
        lvp_inventory_find_held_unit(pool.inventory, "pci", "a", "what it was");
    lvp_unit_take(lost, VM1);
    cr_assert(lvp_unit_has_condition(lost->found, LVP_CONDITION_LOST));
    cr_assert_str_eq(lost->found->reason, "another device stands at its address now");
    cr_assert(lvp_unit_is_free(find(&pool, "a")), "the new one is judged for itself");
    cr_assert_eq(lvp_inventory_get_units(pool.inventory)->len, 2);
    lvp_inventory_free(pool.inventory);
}

Test(inventory, lost_unit_keeps_its_sets_and_attributes)
{
    static char id[] = "gone", identity[] = "i", resource[] = GPU;
    Pool pool = begin_pool();
    add_unit(&pool, "a", 0, "iommu:1", NULL);
    add_snapshot(&pool);
    g_autoptr(GVariant) found =
        g_variant_ref_sink(g_variant_new_parsed("(['iommu:1'], {'driver': 'nvidia'})"));
    const LvpHeldUnit held = {resource, id, identity, 0, found};
    lvp_inventory_add_held_unit(pool.inventory, "pci", &held, LVP_CONDITION_LOST, "it is gone");
    lvp_inventory_seal(pool.inventory);
    lvp_unit_take(find(&pool, "gone"), VM1);
    cr_assert_not(lvp_unit_is_free(find(&pool, "a")), "its group is still held");
    cr_assert_str_eq(lvp_unit_get_attribute(find(&pool, "gone")->found, "driver"), "nvidia");
    lvp_inventory_free(pool.inventory);
}

/* One that a machine holds, of set iommu:1, at whose ID another stands by now. */
static LvpInventoryUnit *
take_replaced(const Pool *pool, char *id)
{
    static char identity[] = "what it was", resource[] = GPU;
    g_autoptr(GVariant) found =
        g_variant_ref_sink(g_variant_new_parsed("(['iommu:1'], @a{ss} {})"));
    const LvpHeldUnit held = {resource, id, identity, 0, found};
    lvp_inventory_add_held_unit(pool->inventory, "pci", &held, LVP_CONDITION_LOST, "it is gone");
    lvp_inventory_seal(pool->inventory);
    LvpInventoryUnit *lost = lvp_inventory_find_held_unit(pool->inventory, "pci", id, identity);
    lvp_unit_take(lost, VM1);
    return lost;
}

Test(inventory, lost_unit_does_not_hold_what_came_in_its_place)
{
    static char id[] = "a";
    Pool pool = begin_pool();
    add_unit(&pool, "a", 0, "iommu:1", NULL);
    add_snapshot(&pool);
    LvpInventoryUnit *lost = take_replaced(&pool, id);
    cr_assert(lvp_unit_is_free(find(&pool, "a")));
    lvp_unit_take(find(&pool, "a"), VM2);
    lvp_unit_give(lost);
    cr_assert_eq(find(&pool, "a")->holder, VM2);
    lvp_inventory_free(pool.inventory);
}

Test(inventory, lost_unit_holds_what_was_taken_with_it_though_another_came_in_its_place)
{
    static char id[] = "a";
    Pool pool = begin_pool();
    add_unit(&pool, "a", 0, "iommu:1", NULL);
    add_unit(&pool, "b", 0, "iommu:1", NULL);
    add_snapshot(&pool);
    LvpInventoryUnit *lost = take_replaced(&pool, id);
    cr_assert_not(lvp_unit_is_free(find(&pool, "b")), "it is bound with the old one");
    cr_assert_not(lvp_unit_is_free(find(&pool, "a")), "nor can the new one go without it");
    lvp_unit_give(lost);
    cr_assert_eq(count_free(&pool), 2);
    lvp_inventory_free(pool.inventory);
}

Test(inventory, lost_unit_of_a_known_resource_is_listed_and_not_free)
{
    Pool pool = begin_pool();
    add_unit(&pool, "a", 0, NULL, NULL);
    add_snapshot(&pool);
    static char id[] = "gone", identity[] = "what it was";
    add_held(&pool, "pci", GPU, id, identity);
    lvp_inventory_seal(pool.inventory);
    const LvpInventoryUnit *unit = find(&pool, "gone");
    cr_assert(lvp_unit_has_condition(unit->found, LVP_CONDITION_LOST));
    cr_assert_str_eq(unit->found->identity, "what it was");
    cr_assert_eq(unit->found->node, 3);
    cr_assert_eq(count_free(&pool), 1);
    lvp_inventory_free(pool.inventory);
}

Test(inventory, lost_unit_of_a_resource_that_nobody_offers_is_listed)
{
    Pool pool = begin_pool();
    add_snapshot(&pool);
    static char id[] = "gone", identity[] = "i";
    add_held(&pool, "mdev", "x.v/d", id, identity);
    lvp_inventory_seal(pool.inventory);
    cr_assert_not_null(lvp_inventory_find_unit(pool.inventory, "mdev", "gone"));
    cr_assert_eq(lvp_resource_get_free(lvp_inventory_find_resource(pool.inventory, "x.v/d")), 0);
    lvp_inventory_free(pool.inventory);
}

Test(inventory, unit_that_is_there_is_not_added_as_lost)
{
    Pool pool = begin_pool();
    add_unit(&pool, "a", 0, NULL, NULL);
    add_snapshot(&pool);
    static char id[] = "a", identity[] = "a";
    add_held(&pool, "pci", GPU, id, identity);
    lvp_inventory_seal(pool.inventory);
    cr_assert_eq(lvp_inventory_get_units(pool.inventory)->len, 1);
    cr_assert(lvp_unit_is_free(find(&pool, "a")));
    lvp_inventory_free(pool.inventory);
}

Test(inventory, lost_unit_whose_resource_another_source_offers_now_is_nobodys)
{
    Pool pool = begin_pool();
    add_unit(&pool, "a", 0, NULL, NULL);
    add_snapshot(&pool);
    static char id[] = "gone", identity[] = "i";
    add_held(&pool, "mdev", GPU, id, identity);
    lvp_inventory_seal(pool.inventory);
    cr_assert_null(lvp_inventory_find_unit(pool.inventory, "mdev", "gone"));
    cr_assert_eq(count_free(&pool), 1);
    lvp_inventory_free(pool.inventory);
}
