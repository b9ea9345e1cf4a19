/* SPDX-License-Identifier: Apache-2.0 */
/* Resources, amounts and nodes; units are in test-inventory-units.c. */
#include "assert-error.h"
#include "inventory.h"

#include <string.h>

#define GPU "gpu.nvidia/a30"

static void
add_snapshot(LvpInventory *inventory, const char *source, LvpSnapshot *snapshot)
{
    g_autoptr(GError) error = NULL;
    gboolean ok = lvp_inventory_add_snapshot(inventory, source, snapshot, &error);
    assert_no_error(error);
    cr_assert(ok);
}

/* A sealed inventory with memory of 100 on node 0 and 50 on node 1. */
static LvpInventory *
make_two_nodes(void)
{
    LvpInventory *inventory = lvp_inventory_new();
    LvpSnapshot *snapshot = lvp_snapshot_new();
    lvp_snapshot_add_amount(snapshot, "memory", 0, 100);
    lvp_snapshot_add_amount(snapshot, "memory", 1, 50);
    add_snapshot(inventory, "memory", snapshot);
    lvp_inventory_seal(inventory);
    return inventory;
}

/* ---- what is offered ---- */

Test(inventory, empty_inventory_has_no_resources_and_one_node)
{
    g_autoptr(LvpInventory) inventory = lvp_inventory_new();
    lvp_inventory_seal(inventory);
    cr_assert_eq(lvp_inventory_get_resources(inventory)->len, 0);
    cr_assert_eq(lvp_inventory_get_units(inventory)->len, 0);
    cr_assert_eq(lvp_inventory_get_n_nodes(inventory), 1);
    cr_assert_eq(lvp_inventory_get_node(inventory, 0), LVP_NODE_NONE);
    cr_assert_null(lvp_inventory_find_resource(inventory, "cpu"));
}

Test(inventory, free_accepts_null) { lvp_inventory_free(NULL); }

Test(inventory, counted_resource_has_the_sum_of_its_nodes)
{
    g_autoptr(LvpInventory) inventory = make_two_nodes();
    const LvpResource *memory = lvp_inventory_find_resource(inventory, "memory");
    cr_assert_str_eq(lvp_resource_get_name(memory), "memory");
    cr_assert_str_eq(lvp_resource_get_source(memory), "memory");
    cr_assert_not(lvp_resource_is_unitary(memory));
    cr_assert_eq(lvp_resource_get_total(memory), 150);
    cr_assert_eq(lvp_resource_get_free(memory), 150);
    cr_assert_eq(lvp_resource_get_free_on(memory, lvp_inventory_find_node(inventory, 0)), 100);
    cr_assert_eq(lvp_resource_get_free_on(memory, lvp_inventory_find_node(inventory, 1)), 50);
}

Test(inventory, pool_without_units_stays_listed)
{
    g_autoptr(LvpInventory) inventory = lvp_inventory_new();
    LvpSnapshot *snapshot = lvp_snapshot_new();
    lvp_snapshot_add_pool(snapshot, GPU);
    add_snapshot(inventory, "pci", snapshot);
    lvp_inventory_seal(inventory);
    LvpResource *resource = lvp_inventory_find_resource(inventory, GPU);
    guint cursor = 0;
    cr_assert_not_null(resource);
    cr_assert(lvp_resource_is_unitary(resource));
    cr_assert_eq(lvp_resource_get_total(resource), 0);
    cr_assert_eq(lvp_resource_get_free(resource), 0);
    cr_assert_null(lvp_resource_next_free(resource, 0, &cursor));
}

Test(inventory, resources_stand_in_the_order_of_names)
{
    g_autoptr(LvpInventory) inventory = lvp_inventory_new();
    LvpSnapshot *snapshot = lvp_snapshot_new();
    lvp_snapshot_add_pool(snapshot, "z.v/d");
    lvp_snapshot_add_pool(snapshot, "a.v/d");
    add_snapshot(inventory, "pci", snapshot);
    snapshot = lvp_snapshot_new();
    lvp_snapshot_add_amount(snapshot, "memory", 0, 1);
    add_snapshot(inventory, "memory", snapshot);
    lvp_inventory_seal(inventory);
    static const char *const EXPECTED[] = {"a.v/d", "memory", "z.v/d"};
    const GPtrArray *resources = lvp_inventory_get_resources(inventory);
    cr_assert_eq(resources->len, G_N_ELEMENTS(EXPECTED));
    for (guint i = 0; i < resources->len; i++)
        cr_assert_str_eq(lvp_resource_get_name(g_ptr_array_index(resources, i)), EXPECTED[i]);
}

Test(inventory, unit_that_is_not_given_away_is_no_resource)
{
    g_autoptr(LvpInventory) inventory = lvp_inventory_new();
    LvpSnapshot *snapshot = lvp_snapshot_new();
    lvp_snapshot_add_unit(snapshot, NULL, "0000:00:1f.0", "bridge", LVP_NODE_NONE);
    add_snapshot(inventory, "pci", snapshot);
    lvp_inventory_seal(inventory);
    cr_assert_eq(lvp_inventory_get_units(inventory)->len, 0);
    cr_assert_null(lvp_inventory_find_unit(inventory, "pci", "0000:00:1f.0"));
}

/* ---- contradictions ---- */

Test(inventory, resource_of_two_sources_is_refused_and_both_are_named)
{
    g_autoptr(LvpInventory) inventory = lvp_inventory_new();
    g_autoptr(GError) error = NULL;
    LvpSnapshot *snapshot = lvp_snapshot_new();
    lvp_snapshot_add_amount(snapshot, "memory", 0, 1);
    add_snapshot(inventory, "memory", snapshot);
    snapshot = lvp_snapshot_new();
    lvp_snapshot_add_amount(snapshot, "memory", 0, 1);
    cr_assert_not(lvp_inventory_add_snapshot(inventory, "hugepages", snapshot, &error));
    assert_error(error, LVP_ERROR_CONFLICT);
    assert_contains(error->message, "memory and hugepages");
    assert_contains(error->message, "resource memory");
}

Test(inventory, pool_of_two_sources_is_refused)
{
    g_autoptr(LvpInventory) inventory = lvp_inventory_new();
    g_autoptr(GError) error = NULL;
    LvpSnapshot *snapshot = lvp_snapshot_new();
    lvp_snapshot_add_pool(snapshot, GPU);
    add_snapshot(inventory, "pci", snapshot);
    snapshot = lvp_snapshot_new();
    lvp_snapshot_add_unit(snapshot, GPU, "x", "x", 0);
    cr_assert_not(lvp_inventory_add_snapshot(inventory, "mdev", snapshot, &error));
    assert_error(error, LVP_ERROR_CONFLICT);
    assert_contains(error->message, GPU);
}

Test(inventory, resource_as_amount_and_as_units_is_refused)
{
    g_autoptr(LvpInventory) inventory = lvp_inventory_new();
    g_autoptr(GError) error = NULL;
    LvpSnapshot *snapshot = lvp_snapshot_new();
    lvp_snapshot_add_amount(snapshot, GPU, 0, 1);
    lvp_snapshot_add_unit(snapshot, GPU, "0000:3b:00.0", "a", 0);
    cr_assert_not(lvp_inventory_add_snapshot(inventory, "pci", snapshot, &error));
    assert_error(error, LVP_ERROR_SOURCE);
    assert_contains(error->message, "source pci");
}

Test(inventory, resource_whose_name_is_none_is_refused)
{
    static const char *const NAMES[] = {"", "g pu", "c'pu", "cpu\n", "gpu\xff"};
    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        g_autoptr(LvpInventory) inventory = lvp_inventory_new();
        g_autoptr(GError) error = NULL;
        LvpSnapshot *snapshot = lvp_snapshot_new();
        lvp_snapshot_add_amount(snapshot, NAMES[i], 0, 1);
        cr_assert_not(lvp_inventory_add_snapshot(inventory, "odd", snapshot, &error));
        assert_error(error, LVP_ERROR_SOURCE);
        assert_contains(error->message, "source odd offers '");
        cr_assert(g_utf8_validate(error->message, -1, NULL));
    }
}

Test(inventory, unit_reported_twice_is_refused)
{
    g_autoptr(LvpInventory) inventory = lvp_inventory_new();
    g_autoptr(GError) error = NULL;
    LvpSnapshot *snapshot = lvp_snapshot_new();
    lvp_snapshot_add_unit(snapshot, GPU, "0000:3b:00.0", "a", 0);
    lvp_snapshot_add_unit(snapshot, "gpu.nvidia/b", "0000:3b:00.0", "a", 0);
    cr_assert_not(lvp_inventory_add_snapshot(inventory, "pci", snapshot, &error));
    assert_error(error, LVP_ERROR_SOURCE);
    assert_contains(error->message, "0000:3b:00.0 twice");
}

Test(inventory, same_id_in_two_sources_is_two_units)
{
    g_autoptr(LvpInventory) inventory = lvp_inventory_new();
    LvpSnapshot *snapshot = lvp_snapshot_new();
    lvp_snapshot_add_unit(snapshot, "a.v/d", "0", "first", 0);
    add_snapshot(inventory, "one", snapshot);
    snapshot = lvp_snapshot_new();
    lvp_snapshot_add_unit(snapshot, "b.v/d", "0", "second", 0);
    add_snapshot(inventory, "two", snapshot);
    lvp_inventory_seal(inventory);
    cr_assert_str_eq(lvp_inventory_find_unit(inventory, "one", "0")->found->identity, "first");
    cr_assert_str_eq(lvp_inventory_find_unit(inventory, "two", "0")->found->identity, "second");
    cr_assert_null(lvp_inventory_find_unit(inventory, "three", "0"));
}

/* ---- nodes ---- */

Test(inventory, nodes_ascend_after_none)
{
    g_autoptr(LvpInventory) inventory = lvp_inventory_new();
    LvpSnapshot *snapshot = lvp_snapshot_new();
    lvp_snapshot_add_amount(snapshot, "memory", 5, 1);
    lvp_snapshot_add_unit(snapshot, GPU, "a", "a", 1);
    lvp_snapshot_add_amount(snapshot, "memory", 0, 1);
    lvp_snapshot_add_unit(snapshot, GPU, "b", "b", LVP_NODE_NONE);
    add_snapshot(inventory, "all", snapshot);
    lvp_inventory_seal(inventory);
    static const int EXPECTED[] = {LVP_NODE_NONE, 0, 1, 5};
    cr_assert_eq(lvp_inventory_get_n_nodes(inventory), G_N_ELEMENTS(EXPECTED));
    for (guint i = 0; i < G_N_ELEMENTS(EXPECTED); i++) {
        cr_assert_eq(lvp_inventory_get_node(inventory, i), EXPECTED[i]);
        cr_assert_eq(lvp_inventory_find_node(inventory, EXPECTED[i]), i);
    }
}

Test(inventory, unknown_node_is_as_none)
{
    g_autoptr(LvpInventory) inventory = make_two_nodes();
    cr_assert_eq(lvp_inventory_find_node(inventory, 7), 0);
}

/* ---- amounts ---- */

Test(inventory, taken_amount_is_free_again_when_given)
{
    g_autoptr(LvpInventory) inventory = make_two_nodes();
    LvpResource *memory = lvp_inventory_find_resource(inventory, "memory");
    guint node = lvp_inventory_find_node(inventory, 0);
    lvp_resource_take_amount(memory, node, 30);
    cr_assert_eq(lvp_resource_get_free_on(memory, node), 70);
    cr_assert_eq(lvp_resource_get_free(memory), 120);
    cr_assert_eq(lvp_resource_get_total(memory), 150);
    lvp_resource_give_amount(memory, node, 30);
    cr_assert_eq(lvp_resource_get_free(memory), 150);
}

Test(inventory, node_that_shrank_below_what_is_taken_has_nothing_free)
{
    g_autoptr(LvpInventory) inventory = make_two_nodes();
    LvpResource *memory = lvp_inventory_find_resource(inventory, "memory");
    guint node = lvp_inventory_find_node(inventory, 1);
    lvp_resource_take_amount(memory, node, 80);
    cr_assert_eq(lvp_resource_get_free_on(memory, node), 0);
    cr_assert_eq(lvp_resource_get_free(memory), 100, "the other node's are still free");
    lvp_resource_give_amount(memory, node, 80);
    cr_assert_eq(lvp_resource_get_free_on(memory, node), 50);
}

Test(inventory, sum_over_nodes_saturates)
{
    g_autoptr(LvpInventory) inventory = lvp_inventory_new();
    LvpSnapshot *snapshot = lvp_snapshot_new();
    lvp_snapshot_add_amount(snapshot, "memory", 0, G_MAXINT64 - 1);
    lvp_snapshot_add_amount(snapshot, "memory", 1, 10);
    lvp_snapshot_add_amount(snapshot, "memory", 2, 10);
    add_snapshot(inventory, "memory", snapshot);
    lvp_inventory_seal(inventory);
    const LvpResource *memory = lvp_inventory_find_resource(inventory, "memory");
    cr_assert_eq(lvp_resource_get_total(memory), G_MAXINT64);
    cr_assert_eq(lvp_resource_get_free(memory), G_MAXINT64);
}
