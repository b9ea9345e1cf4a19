/* SPDX-License-Identifier: Apache-2.0 */
/* How many machines fit where units go to one machine only as bundles: what is told is what comes
 * true, one machine after the other. */
#include "assert-error.h"
#include "planner.h"

#define N_SEEDS 400
#define MAX_POOLS 3

static const char *const POOLS[MAX_POOLS] = {"gpu.v/a", "nic.v/b", "audio.v/c"};

typedef struct {
    LvpInventory *inventory;
    LvpSnapshot *snapshot;
    LvpRequest *request;
    GArray *demands;
    LvpSelection *selection;
    guint n_units;
} Case;

static Case
begin_case(void)
{
    return (Case){lvp_inventory_new(), lvp_snapshot_new(),
                  lvp_request_new(),   g_array_new(FALSE, FALSE, sizeof(LvpDemand)),
                  lvp_selection_new(), 0};
}

static void
clear_case(Case *self)
{
    lvp_inventory_free(self->inventory);
    lvp_request_free(self->request);
    g_array_unref(self->demands);
    lvp_selection_free(self->selection);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Case, clear_case)

/* POOLS says in which pool each unit of the bundle is: "001" is two of the first, one of the
 * second.
 */
static void
add_bundle(Case *self, const char *pools)
{
    g_autofree char *set = g_strdup_printf("iommu:%u", self->n_units);
    for (; *pools; pools++) {
        g_autofree char *id = g_strdup_printf("%04u", self->n_units++);
        lvp_unit_add_exclusion_set(
            lvp_snapshot_add_unit(self->snapshot, POOLS[*pools - '0'], id, id, 0), set);
    }
}

static void
seal(Case *self)
{
    g_autoptr(GError) error = NULL;
    const char *unknown = NULL;
    for (guint i = 0; i < MAX_POOLS; i++)
        lvp_snapshot_add_pool(self->snapshot, POOLS[i]);
    lvp_inventory_add_snapshot(self->inventory, "pci", self->snapshot, &error);
    assert_no_error(error);
    lvp_inventory_seal(self->inventory);
    cr_assert(lvp_planner_resolve(self->inventory, NULL, self->request, self->demands, &unknown));
}

static gint64
count(const Case *self)
{
    const char *limit = NULL;
    return lvp_planner_count(self->inventory, self->request, self->demands, &limit);
}

/* Takes for one machine after the other, as many as fit. */
static guint
take_all(const Case *self)
{
    static char machines[1000];
    guint taken = 0;
    while (lvp_planner_select(self->inventory, self->request, self->demands, self->selection))
        lvp_selection_take(self->selection, &machines[taken++]);
    return taken;
}

static void
assert_fits(const Case *self, gint64 expected)
{
    cr_assert_eq(count(self), expected);
    cr_assert_eq(take_all(self), expected);
    cr_assert_eq(count(self), 0);
}

Test(planner_bundles, pair_of_one_pool_goes_to_one_machine)
{
    g_auto(Case) self = begin_case();
    add_bundle(&self, "00");
    add_bundle(&self, "00");
    lvp_request_set_amount(self.request, POOLS[0], 1);
    seal(&self);
    assert_fits(&self, 2);
}

Test(planner_bundles, machine_that_needs_two_gets_a_pair)
{
    g_auto(Case) self = begin_case();
    add_bundle(&self, "0");
    add_bundle(&self, "00");
    add_bundle(&self, "0");
    lvp_request_set_amount(self.request, POOLS[0], 2);
    seal(&self);
    assert_fits(&self, 2);
}

Test(planner_bundles, machine_that_needs_one_leaves_the_pair_whole)
{
    g_auto(Case) self = begin_case();
    add_bundle(&self, "00");
    add_bundle(&self, "0");
    lvp_request_set_amount(self.request, POOLS[0], 1);
    seal(&self);
    cr_assert(lvp_planner_select(self.inventory, self.request, self.demands, self.selection));
    const LvpInventoryUnit *unit = g_ptr_array_index(self.selection->units, 0);
    cr_assert_str_eq(unit->found->id, "0002");
}

Test(planner_bundles, card_with_two_functions_counts_once_for_two_pools)
{
    g_auto(Case) self = begin_case();
    add_bundle(&self, "01");
    add_bundle(&self, "01");
    lvp_request_set_amount(self.request, POOLS[0], 1);
    lvp_request_set_amount(self.request, POOLS[1], 1);
    seal(&self);
    assert_fits(&self, 2);
}

Test(planner_bundles, pools_that_share_only_some_bundles_are_counted_as_they_come_true)
{
    g_auto(Case) self = begin_case();
    add_bundle(&self, "0");
    add_bundle(&self, "01");
    add_bundle(&self, "1");
    lvp_request_set_amount(self.request, POOLS[0], 1);
    lvp_request_set_amount(self.request, POOLS[1], 1);
    seal(&self);
    gint64 told = count(&self);
    cr_assert_gt(told, 0);
    cr_assert_eq(take_all(&self), told);
}

Test(planner_bundles, what_is_told_comes_true_whatever_the_bundles)
{
    for (guint32 seed = 0; seed < N_SEEDS; seed++) {
        g_auto(Case) self = begin_case();
        g_autoptr(GRand) dice = g_rand_new_with_seed(seed);
        gint32 n_bundles = g_rand_int_range(dice, 1, 12);
        for (gint32 i = 0; i < n_bundles; i++) {
            char pools[8] = "";
            gint32 size = g_rand_int_range(dice, 1, 6);
            for (gint32 k = 0; k < size; k++)
                pools[k] = (char)('0' + g_rand_int_range(dice, 0, MAX_POOLS));
            add_bundle(&self, pools);
        }
        gint32 n_pools = g_rand_int_range(dice, 1, MAX_POOLS + 1);
        for (gint32 i = 0; i < n_pools; i++)
            lvp_request_set_amount(self.request, POOLS[i], g_rand_int_range(dice, 1, 4));
        seal(&self);
        gint64 told = count(&self);
        cr_assert_eq(told, count(&self), "seed %u: counting changes nothing", seed);
        cr_assert_eq(take_all(&self), told, "seed %u", seed);
    }
}
