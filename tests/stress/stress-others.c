/* SPDX-License-Identifier: Apache-2.0 */
/* Who works besides the clients: operators, and what the daemon does by itself. */
#include "stress.h"

#include "allocator-private.h"
#include "describe.h"
#include "machine-dry-run.h"

#include <libvirt-provider/error.h>

#define FEW_MACHINES 12 /* a limit that is hit */
#define EVENTS_AT_ONCE 50
#define MAX_CORDONED_US 20000

typedef struct {
    const char *name;
    void (*act)(Stress *stress, GRand *random);
    guint max_pause_us; /* between two things that he does */
    Stress *stress;
    GRand *random;
} Other;

static guint
pick(GRand *random, guint n)
{
    return (guint)g_rand_int_range(random, 0, (int)n);
}

typedef struct {
    GRand *random;
    char *name;
} Choice;

static void
choose_machine(const LvpWorld *world, gpointer data)
{
    Choice *choice = data;
    if (world->machines->len == 0)
        return;
    const LvpMachine *machine =
        g_ptr_array_index(world->machines, pick(choice->random, world->machines->len));
    choice->name = g_strdup(machine->name);
}

/* The name of a machine that there is, or was a moment ago; g_free(). */
static char *
pick_machine(Stress *stress, GRand *random)
{
    Choice choice = {random, NULL};
    lvp_allocator_read(stress->allocator, choose_machine, &choice);
    return choice.name ? choice.name : g_strdup("none");
}

static void
rescan(Stress *stress, GRand *random)
{
    (void)random;
    stress_rescan(stress);
}

static void
reload(Stress *stress, GRand *random)
{
    stress_reload(stress, pick(random, 3) == 0 ? FEW_MACHINES : 0);
}

static void
cordon(Stress *stress, GRand *random)
{
    const char *address = STRESS_CARDS[pick(random, STRESS_N_CARDS)].card.address;
    for (guint i = 0; i < 2; i++) {
        g_autoptr(GError) error = NULL;
        gboolean cordoned = i == 0;
        if (!lvp_allocator_set_cordoned(stress->allocator, address, cordoned, &error) &&
            error->code != LVP_ERROR_NOT_FOUND) /* one that no entry names */
            stress_fail(stress, "cordon %s: %s", address, error->message);
        if (cordoned)
            g_usleep(pick(random, MAX_CORDONED_US));
    }
    STRESS_COUNT(stress->n_cordons);
}

static void
describe(const LvpWorld *world, gpointer data)
{
    const char *address = data;
    g_variant_unref(g_variant_ref_sink(lvp_describe_sources(world)));
    g_variant_unref(g_variant_ref_sink(lvp_describe_devices(world)));
    g_variant_unref(g_variant_ref_sink(lvp_describe_classes(world)));
    g_variant_unref(g_variant_ref_sink(lvp_describe_machines(world)));
    g_free(lvp_explain_device(world, address));
    for (guint i = 0; STRESS_CLASSES[i]; i++)
        g_free(lvp_explain_class(world, STRESS_CLASSES[i]));
}

static void
look(Stress *stress, GRand *random)
{
    const char *address = STRESS_CARDS[pick(random, STRESS_N_CARDS)].card.address;
    lvp_allocator_read(stress->allocator, stress_check_world, stress);
    lvp_allocator_read(stress->allocator, describe, (gpointer)(gsize)address);
    if (stress_has_mutant(stress, STRESS_NO_LOCK) && stress->allocator->machines->len > G_MAXINT)
        stress_fail(stress, "too many machines");
    STRESS_COUNT(stress->n_lists);
}

static void
monitor(Stress *stress, GRand *random)
{
    (void)random;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) events = lvp_events_list(stress->events, 0, EVENTS_AT_ONCE, &error);
    if (!events)
        stress_fail(stress, "events: %s", error->message);
    for (guint i = 1; events && i < events->len; i++) {
        gint64 id = ((const LvpEvent *)g_ptr_array_index(events, i))->id;
        gint64 before = ((const LvpEvent *)g_ptr_array_index(events, i - 1))->id;
        if (id != before + 1)
            stress_fail(stress, "event %" G_GINT64_FORMAT " comes after %" G_GINT64_FORMAT, id,
                        before);
    }
}

/* What somebody is told who does something to a machine that another may delete at any moment. */
static void
judge(Stress *stress, const GError *error)
{
    if (error && error->code != LVP_ERROR_BUSY && error->code != LVP_ERROR_NOT_FOUND &&
        error->code != LVP_ERROR_EXISTS && error->code != LVP_ERROR_NO_CAPACITY)
        stress_fail(stress, "somebody: %s", error->message);
}

static void
meddle(Stress *stress, GRand *random)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *name = pick_machine(stress, random);
    if (pick(random, 2) == 0)
        lvp_machine_start(&stress->jobs, name, NULL, &error);
    else
        lvp_machine_stop(&stress->jobs, name, TRUE, STRESS_STOP_TIMEOUT_MS, NULL, &error);
    judge(stress, error);
    STRESS_COUNT(stress->n_meddled);
}

static void
dry_run(Stress *stress, GRand *random)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *name = pick_machine(stress, random);
    g_autoptr(GVariant) none = g_variant_ref_sink(g_variant_new("a{ss}", NULL));
    LvpCreateSpec spec = {.name = "new", .labels = none, .annotations = none};
    spec.class_name = STRESS_CLASSES[pick(random, g_strv_length((char **)(gsize)STRESS_CLASSES))];
    switch (pick(random, 3)) {
    case 0:
        g_free(lvp_machine_try_create(&stress->jobs, &spec, &error));
        break;
    case 1:
        g_free(lvp_machine_try_start(&stress->jobs, name, &error));
        break;
    default:
        g_free(lvp_machine_try_delete(&stress->jobs, name, &error));
    }
    judge(stress, error);
    STRESS_COUNT(stress->n_tried);
}

static gpointer
run_other(gpointer data)
{
    Other *self = data;
    while (!STRESS_GET(self->stress->stopping)) {
        self->act(self->stress, self->random);
        g_usleep(pick(self->random, self->max_pause_us));
    }
    g_rand_free(self->random);
    g_free(self);
    return NULL;
}

GPtrArray *
stress_start_others(Stress *self)
{
    static const Other ALL[] = {
        {"rescan", rescan, 20000},   {"reload", reload, 20000}, {"cordon", cordon, 20000},
        {"look", look, 20000},       {"look", look, 20000},     {"monitor", monitor, 20000},
        {"dry run", dry_run, 20000}, {"meddle", meddle, 2000},  {"meddle", meddle, 2000},
    };
    GPtrArray *threads = g_ptr_array_new();
    for (guint i = 0; i < G_N_ELEMENTS(ALL); i++) {
        Other *other = g_memdup2(&ALL[i], sizeof *other);
        other->stress = self;
        other->random = g_rand_new_with_seed(self->seed + i);
        g_ptr_array_add(threads, g_thread_new(other->name, run_other, other));
    }
    stress_begin_passes(self);
    return threads;
}
