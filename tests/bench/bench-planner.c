/* SPDX-License-Identifier: Apache-2.0 */
/* bench-planner: plan, take and give back in memory, over numbers of classes, of devices, and of
 * devices that are taken already, against a plain loop over counters and a bitmap; and what it
 * costs to list all classes. */
#include "planner.h"
#include "rounds.h"

#include <stdio.h>
#include <stdlib.h>

#define N_NODES 2
#define N_RESOURCES 10
#define N_PAIRS 200000
#define N_LISTINGS 200000 /* of one class */
#define N_ROUNDS 15
#define MIN_PAIRS_PER_S 1000000.0
#define MAX_SLOWER 1.5

static const char RESOURCE[] = "gpu.nvidia/a%u";
static char HOLDER[] = "a machine", OTHER[] = "another machine";

/* One world. */
typedef struct {
    const char *name;
    guint n_classes, n_devices;
    guint one_free_of;      /* of each node; 1: all devices are free; 2: every second */
    guint per_set;          /* devices that go to one machine only together */
    gboolean no_first_node; /* nothing is free on it */
    gboolean has_target;    /* its pairs are as much work as those of the first case */
} Case;

static const Case CASES[] = {
    {"10 classes, 1,000 devices", 10, 1000, 1, 1, FALSE, FALSE},
    {"1,000 classes, 1,000 devices", 1000, 1000, 1, 1, FALSE, TRUE},
    {"10 classes, 10,000 devices", 10, 10000, 1, 1, FALSE, TRUE},
    {"1,000 classes, 10,000 devices", 1000, 10000, 1, 1, FALSE, TRUE},
    {"10 classes, 1,000 devices, half taken", 10, 1000, 2, 1, FALSE, TRUE},
    {"10 classes, 1,000 devices, 1 in 50 free", 10, 1000, 50, 1, FALSE, TRUE},
    {"10 classes, 10,000 devices, half taken", 10, 10000, 2, 1, FALSE, TRUE},
    {"10 classes, 10,000 devices, 1 in 500 free", 10, 10000, 500, 1, FALSE, TRUE},
    {"the same, the first node used up", 10, 10000, 500, 1, TRUE, FALSE},
    {"10 classes, 1,000 devices in sets of 8", 10, 1000, 1, 8, FALSE, FALSE},
    {"10 classes, 10,000 devices in sets of 64", 10, 10000, 1, 64, FALSE, FALSE},
};
#define N_CASES G_N_ELEMENTS(CASES)

/* One class as the allocator keeps it. */
typedef struct {
    LvpRequest *request;
    GArray *demands;
} Class;

typedef struct {
    const Case *shape;
    LvpInventory *inventory;
    Class *classes;
    LvpSelection *selection;
} Bench;

/* ---- the world ---- */

static LvpSnapshot *
make_amounts(const char *resource, gint64 total)
{
    LvpSnapshot *snapshot = lvp_snapshot_new();
    for (int node = 0; node < N_NODES; node++)
        lvp_snapshot_add_amount(snapshot, resource, node, total / N_NODES);
    return snapshot;
}

static LvpSnapshot *
make_devices(const Case *shape)
{
    LvpSnapshot *snapshot = lvp_snapshot_new();
    for (guint i = 0; i < shape->n_devices; i++) {
        guint number = i / shape->per_set; /* of the set */
        g_autofree char *resource = g_strdup_printf(RESOURCE, number % N_RESOURCES);
        g_autofree char *id = g_strdup_printf("%04x:%02x:%02x.0", i / 8192, i / 32 % 256, i % 32);
        g_autofree char *set = g_strdup_printf("iommu:%u", number);
        int node = (int)(number / N_RESOURCES % N_NODES);
        LvpUnit *unit = lvp_snapshot_add_unit(snapshot, resource, id, "10de:20b7", node);
        lvp_unit_add_exclusion_set(unit, set);
    }
    return snapshot;
}

/* The devices that are left free are spread over all addresses. */
static void
take_others(const Case *shape, const LvpInventory *inventory)
{
    const GPtrArray *units = lvp_inventory_get_units(inventory);
    for (guint i = 0; i < units->len; i += shape->per_set) {
        LvpInventoryUnit *unit = g_ptr_array_index(units, i);
        guint rank = i / shape->per_set / N_RESOURCES / N_NODES; /* of its resource on its node */
        if (rank % shape->one_free_of != shape->one_free_of - 1 ||
            (shape->no_first_node && unit->found->node == 0))
            lvp_unit_take(unit, OTHER);
    }
}

static void
make_inventory(Bench *self)
{
    g_autoptr(GError) error = NULL;
    self->inventory = lvp_inventory_new();
    if (!lvp_inventory_add_snapshot(self->inventory, "cpu", make_amounts("cpu", 4096000), &error) ||
        !lvp_inventory_add_snapshot(self->inventory, "memory",
                                    make_amounts("memory", G_GINT64_CONSTANT(1) << 44), &error) ||
        !lvp_inventory_add_snapshot(self->inventory, "pci", make_devices(self->shape), &error))
        g_error("%s", error->message);
    lvp_inventory_seal(self->inventory);
    take_others(self->shape, self->inventory);
}

static void
make_classes(Bench *self)
{
    self->classes = g_new0(Class, self->shape->n_classes);
    for (guint i = 0; i < self->shape->n_classes; i++) {
        Class *class = &self->classes[i];
        g_autofree char *device = g_strdup_printf(RESOURCE, i % N_RESOURCES);
        const char *unknown = NULL;
        class->request = lvp_request_new();
        class->demands = g_array_new(FALSE, FALSE, sizeof(LvpDemand));
        lvp_request_set_amount(class->request, "cpu", 1000 + i);
        lvp_request_set_amount(class->request, "memory", (gint64)(i + 1) << 20);
        lvp_request_set_amount(class->request, device, 1);
        if (!lvp_planner_resolve(self->inventory, NULL, class->request, class->demands, &unknown))
            g_error("no resource %s", unknown);
    }
}

static void
open_bench(Bench *self)
{
    make_inventory(self);
    make_classes(self);
    self->selection = lvp_selection_new();
}

static void
close_bench(Bench *self)
{
    for (guint i = 0; i < self->shape->n_classes; i++) {
        lvp_request_free(self->classes[i].request);
        g_array_unref(self->classes[i].demands);
    }
    g_free(self->classes);
    lvp_selection_free(self->selection);
    lvp_inventory_free(self->inventory);
}

/* ---- the work ---- */

static void
run_pairs(gpointer data)
{
    const Bench *self = data;
    for (guint i = 0; i < N_PAIRS; i++) {
        const Class *class = &self->classes[i % self->shape->n_classes];
        if (!lvp_planner_select(self->inventory, class->request, class->demands, self->selection))
            g_error("pair %u does not fit", i);
        lvp_selection_take(self->selection, HOLDER);
        lvp_selection_give(self->selection);
    }
}

static void
run_listings(gpointer data)
{
    const Bench *self = data;
    gint64 sum = 0;
    for (guint i = 0; i < N_LISTINGS; i++) {
        const Class *class = &self->classes[i % self->shape->n_classes];
        const char *limit = NULL;
        sum += lvp_planner_count(self->inventory, class->request, class->demands, &limit);
    }
    if (sum <= 0)
        g_error("nothing fits");
}

/* The floor: the same decisions, hard-wired: amounts of a node, the first free device of it. */
typedef struct {
    gint64 cpu[N_NODES], memory[N_NODES];
    guint64 free_bits[N_RESOURCES][N_NODES];
    gconstpointer holders[N_RESOURCES][N_NODES][64];
} Plain;

static void
run_plain(gpointer data)
{
    Plain *plain = data;
    for (guint i = 0; i < N_PAIRS; i++) {
        guint pool = i % N_RESOURCES, node = 0;
        gint64 cpu = 1000 + pool, memory = (gint64)(pool + 1) << 20;
        while (node < N_NODES && (plain->cpu[node] < cpu || plain->memory[node] < memory ||
                                  plain->free_bits[pool][node] == 0))
            node++;
        if (node == N_NODES)
            g_error("pair %u does not fit", i);
        guint bit = (guint)__builtin_ctzll(plain->free_bits[pool][node]);
        plain->cpu[node] -= cpu;
        plain->memory[node] -= memory;
        plain->free_bits[pool][node] ^= G_GUINT64_CONSTANT(1) << bit;
        plain->holders[pool][node][bit] = HOLDER;
        __asm__ volatile("" ::: "memory"); /* it is to be taken before it is given back */
        plain->cpu[node] += cpu;
        plain->memory[node] += memory;
        plain->free_bits[pool][node] ^= G_GUINT64_CONSTANT(1) << bit;
        plain->holders[pool][node][bit] = NULL;
    }
}

static void
init_plain(Plain *plain)
{
    for (guint node = 0; node < N_NODES; node++) {
        plain->cpu[node] = 4096000 / N_NODES;
        plain->memory[node] = (G_GINT64_CONSTANT(1) << 44) / N_NODES;
        for (guint pool = 0; pool < N_RESOURCES; pool++)
            plain->free_bits[pool][node] = ~G_GUINT64_CONSTANT(0);
    }
}

/* ---- the figures ---- */

static void
print_pairs(const LvpWork *works)
{
    const LvpWork *first = &works[1];
    printf("planner: pairs of take (planned) and give back\n");
    lvp_rounds_print(works, N_CASES + 1, "pairs/s");
    lvp_rounds_print_target("million pairs a second with 10 classes, at least 1",
                            1e9 / first->best_ns / MIN_PAIRS_PER_S, 1, FALSE);
    for (guint i = 0; i < N_CASES; i++) {
        g_autofree char *text = g_strdup_printf("times slower with %s, at most 1.5", CASES[i].name);
        if (CASES[i].has_target)
            lvp_rounds_print_target(text, works[i + 1].ratio / first->ratio, MAX_SLOWER, TRUE);
    }
}

int
main(void)
{
    Plain plain = {0};
    Bench benches[N_CASES];
    LvpWork listings[N_CASES];
    LvpWork pairs[N_CASES + 1] = {
        {"plain loop, hard-wired", run_plain, NULL, &plain, N_PAIRS, 0, 0, 0},
    };
    init_plain(&plain);
    for (guint i = 0; i < N_CASES; i++) {
        Bench *bench = &benches[i];
        *bench = (Bench){.shape = &CASES[i]};
        open_bench(bench);
        pairs[i + 1] = (LvpWork){CASES[i].name, run_pairs, NULL, bench, N_PAIRS, 0, 0, 0};
        listings[i] = (LvpWork){CASES[i].name, run_listings, NULL, bench, N_LISTINGS, 0, 0, 0};
    }
    lvp_rounds_run(pairs, N_CASES + 1, N_ROUNDS);
    print_pairs(pairs);
    lvp_rounds_run(listings, N_CASES, N_ROUNDS);
    printf("\nplanner: how many of a class fit, each class in turn\n");
    lvp_rounds_print(listings, N_CASES, "classes/s");
    for (guint i = 0; i < N_CASES; i++)
        close_bench(&benches[i]);
    return EXIT_SUCCESS;
}
