/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include <criterion/criterion.h>
#include <string.h>

static const LvpSnapshotAmount *
get_amount(const LvpSnapshot *snapshot, guint index)
{
    cr_assert_lt(index, snapshot->amounts->len);
    return &g_array_index(snapshot->amounts, LvpSnapshotAmount, index);
}

static LvpUnit *
add_unit(LvpSnapshot *snapshot)
{
    return lvp_snapshot_add_unit(snapshot, "gpu.nvidia/a100", "0000:3b:00.0", "10de:20b7", 0);
}

/* ---- amounts ---- */

Test(snapshot, amounts_of_one_node_add_up)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    lvp_snapshot_add_amount(snapshot, "cpu", 0, 1000);
    lvp_snapshot_add_amount(snapshot, "cpu", 1, 2000);
    lvp_snapshot_add_amount(snapshot, "cpu", 0, 3000);
    lvp_snapshot_add_amount(snapshot, "cpu", 1, 4000);
    cr_assert_eq(snapshot->amounts->len, 2);
    cr_assert_eq(get_amount(snapshot, 0)->amount, 4000);
    cr_assert_eq(get_amount(snapshot, 1)->amount, 6000);
}

Test(snapshot, nodes_and_resources_are_kept_apart)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    lvp_snapshot_add_amount(snapshot, "cpu", 0, 1);
    lvp_snapshot_add_amount(snapshot, "cpu", 1, 2);
    lvp_snapshot_add_amount(snapshot, "memory", 1, 3);
    lvp_snapshot_add_amount(snapshot, "cpu", LVP_NODE_NONE, 4);
    cr_assert_eq(snapshot->amounts->len, 4);
    cr_assert_eq(get_amount(snapshot, 1)->amount, 2);
    cr_assert_eq(get_amount(snapshot, 3)->node, LVP_NODE_NONE);
}

Test(snapshot, amount_saturates_instead_of_wrapping)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    lvp_snapshot_add_amount(snapshot, "memory", 0, G_MAXINT64 - 1);
    lvp_snapshot_add_amount(snapshot, "memory", 0, 1);
    cr_assert_eq(get_amount(snapshot, 0)->amount, G_MAXINT64);
    lvp_snapshot_add_amount(snapshot, "memory", 0, G_MAXINT64);
    cr_assert_eq(get_amount(snapshot, 0)->amount, G_MAXINT64);
}

Test(snapshot, resource_with_nothing_of_it_stays_listed)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    lvp_snapshot_add_amount(snapshot, "hugepages", 0, 0);
    cr_assert_eq(get_amount(snapshot, 0)->amount, 0);
}

/* ---- pools and units ---- */

Test(snapshot, pool_is_listed_once)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    lvp_snapshot_add_pool(snapshot, "gpu.nvidia/a100");
    lvp_snapshot_add_pool(snapshot, "gpu.nvidia/a30");
    lvp_snapshot_add_pool(snapshot, "gpu.nvidia/a100");
    cr_assert_eq(snapshot->pools->len, 2);
}

Test(snapshot, all_texts_are_copied)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    char text[] = "original";
    lvp_snapshot_add_pool(snapshot, text);
    lvp_snapshot_add_amount(snapshot, text, 0, 1);
    LvpUnit *unit = lvp_snapshot_add_unit(snapshot, text, text, text, 0);
    lvp_unit_add_exclusion_set(unit, text);
    lvp_unit_set_attribute(unit, "driver", text);
    lvp_unit_set_unusable(unit, text);
    memset(text, 'x', strlen(text));
    cr_assert_str_eq(g_ptr_array_index(snapshot->pools, 0), "original");
    cr_assert_str_eq(get_amount(snapshot, 0)->resource, "original");
    cr_assert_str_eq(unit->resource, "original");
    cr_assert_str_eq(unit->id, "original");
    cr_assert_str_eq(unit->identity, "original");
    cr_assert_str_eq(unit->reason, "original");
    cr_assert_str_eq(unit->sets[0], "original");
    cr_assert_str_eq(unit->attributes[0].value, "original");
}

Test(snapshot, unit_stays_in_place_while_thousands_follow)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    LvpUnit *first = add_unit(snapshot);
    for (guint i = 0; i < 5000; i++) {
        g_autofree char *id = g_strdup_printf("0000:%04x", i);
        lvp_snapshot_add_unit(snapshot, "nic.intel/x710", id, "8086:1572", 1);
    }
    cr_assert_eq(g_ptr_array_index(snapshot->units, 0), first);
    cr_assert_str_eq(first->id, "0000:3b:00.0");
    const LvpUnit *last = g_ptr_array_index(snapshot->units, 5000);
    cr_assert_str_eq(last->id, "0000:1387");
}

Test(snapshot, new_unit_is_free_of_everything)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    const LvpUnit *unit = add_unit(snapshot);
    cr_assert_eq(unit->conditions, 0);
    cr_assert_not(unit->unusable);
    cr_assert_null(unit->reason);
    cr_assert_eq(unit->n_sets, 0);
    cr_assert_eq(unit->n_attributes, 0);
}

Test(snapshot, unit_may_be_of_no_resource_and_no_node)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    const LvpUnit *unit = lvp_snapshot_add_unit(snapshot, NULL, "id", "identity", LVP_NODE_NONE);
    cr_assert_null(unit->resource);
    cr_assert_eq(unit->node, LVP_NODE_NONE);
}

Test(snapshot, unit_may_be_in_many_exclusion_sets)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    LvpUnit *unit = add_unit(snapshot);
    lvp_unit_add_exclusion_set(unit, "iommu:27");
    lvp_unit_add_exclusion_set(unit, "pf:0000:3b:00.0");
    cr_assert_eq(unit->n_sets, 2);
    cr_assert_str_eq(unit->sets[1], "pf:0000:3b:00.0");
}

/* ---- conditions and reasons ---- */

Test(snapshot, conditions_lie_on_top_of_each_other)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    LvpUnit *unit = add_unit(snapshot);
    lvp_unit_add_condition(unit, LVP_CONDITION_HOST, "mounted");
    lvp_unit_add_condition(unit, LVP_CONDITION_BLOCKED, "blocked");
    cr_assert_eq(unit->conditions, (guint)(LVP_CONDITION_HOST | LVP_CONDITION_BLOCKED));
}

Test(snapshot, first_reason_of_each_kind_is_shown)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    LvpUnit *unit = add_unit(snapshot);
    lvp_unit_add_condition(unit, LVP_CONDITION_HOST, "mounted at /srv");
    lvp_unit_set_unusable(unit, "no IOMMU group");
    cr_assert(unit->unusable);
    cr_assert_str_eq(unit->reason, "mounted at /srv; no IOMMU group");
    lvp_unit_set_unusable(unit, "no driver");
    lvp_unit_add_condition(unit, LVP_CONDITION_BLOCKED, "blocked");
    cr_assert_str_eq(unit->reason, "mounted at /srv; no IOMMU group");
}

Test(snapshot, reason_of_a_condition_is_added_to_why_it_is_unusable)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    LvpUnit *unit = add_unit(snapshot);
    lvp_unit_set_unusable(unit, "no IOMMU group");
    lvp_unit_add_condition(unit, LVP_CONDITION_HOST, "eth0 is up");
    cr_assert_str_eq(unit->reason, "no IOMMU group; eth0 is up");
}

Test(snapshot, texts_from_the_host_are_made_utf8)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    LvpUnit *unit = add_unit(snapshot);
    lvp_unit_set_attribute(unit, "driver", "a\xff");
    lvp_unit_add_exclusion_set(unit, "b\xff");
    lvp_unit_set_unusable(unit, "c\xff");
    cr_assert_str_eq(lvp_unit_get_attribute(unit, "driver"), "a\xef\xbf\xbd");
    cr_assert_str_eq(unit->sets[0], "b\xef\xbf\xbd");
    cr_assert_str_eq(unit->reason, "c\xef\xbf\xbd");
}

/* ---- reading ---- */

Test(snapshot, units_are_read_in_their_order)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    add_unit(snapshot);
    lvp_snapshot_add_unit(snapshot, NULL, "0000:af:00.0", "8086:1572", 1);
    const LvpUnit *first = lvp_snapshot_get_unit(snapshot, 0);
    const LvpUnit *second = lvp_snapshot_get_unit(snapshot, 1);
    cr_assert_eq(lvp_snapshot_get_n_units(snapshot), 2);
    cr_assert_str_eq(lvp_unit_get_id(first), "0000:3b:00.0");
    cr_assert_str_eq(lvp_unit_get_resource(first), "gpu.nvidia/a100");
    cr_assert_str_eq(lvp_unit_get_id(second), "0000:af:00.0");
    cr_assert_null(lvp_unit_get_resource(second));
}

Test(snapshot, attribute_is_read_by_its_key_and_empty_where_there_is_none)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    LvpUnit *unit = add_unit(snapshot);
    cr_assert_str_eq(lvp_unit_get_attribute(unit, "driver"), "");
    lvp_unit_set_attribute(unit, "driver", "nvidia");
    lvp_unit_set_attribute(unit, "revision", "0xa1");
    cr_assert_str_eq(lvp_unit_get_attribute(unit, "driver"), "nvidia");
    cr_assert_str_eq(lvp_unit_get_attribute(unit, "revision"), "0xa1");
    cr_assert_str_eq(lvp_unit_get_attribute(unit, "rev"), "");
}

Test(snapshot, what_was_found_before_fills_attributes_that_are_empty_or_missing)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    LvpUnit *before = add_unit(snapshot);
    lvp_unit_set_attribute(before, "driver", "nvidia");
    lvp_unit_set_attribute(before, "originalDriver", "nvidia");
    lvp_unit_set_attribute(before, "revision", "");
    g_autoptr(GVariant) found = g_variant_ref_sink(lvp_unit_describe_found(before));
    LvpUnit *now = add_unit(snapshot);
    lvp_unit_set_attribute(now, "driver", "vfio-pci");
    lvp_unit_set_attribute(now, "originalDriver", "");
    lvp_unit_add_found_attributes(now, found);
    cr_assert_eq(now->n_attributes, 3);
    cr_assert_str_eq(lvp_unit_get_attribute(now, "driver"), "vfio-pci");
    cr_assert_str_eq(lvp_unit_get_attribute(now, "originalDriver"), "nvidia");
    cr_assert_str_eq(now->attributes[2].key, "revision");
}

Test(snapshot, condition_is_read_by_its_own_bit)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    LvpUnit *unit = add_unit(snapshot);
    cr_assert_null(lvp_unit_get_reason(unit));
    lvp_unit_add_condition(unit, LVP_CONDITION_HOST, "mounted");
    cr_assert(lvp_unit_has_condition(unit, LVP_CONDITION_HOST));
    cr_assert_not(lvp_unit_has_condition(unit, LVP_CONDITION_BLOCKED));
    cr_assert_str_eq(lvp_unit_get_reason(unit), "mounted");
}

Test(snapshot, free_accepts_null) { lvp_snapshot_free(NULL); }
