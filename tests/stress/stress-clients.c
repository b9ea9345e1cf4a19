/* SPDX-License-Identifier: Apache-2.0 */
#include "stress.h"

#include <libvirt-provider/error.h>

#define N_NAMES_PER_CLIENT 2 /* all clients take from the same names */
#define N_REPEATS 4
#define MAX_PAUSE_US 50000 /* of one who was refused and tries again later */

typedef struct {
    Stress *stress;
    guint number; /* from 1 */
    guint n_created;
    GRand *random;
    GVariant *labels; /* a{ss}: a create of another client is not the same */
} Client;

static guint
pick(Client *self, guint n)
{
    return (guint)g_rand_int_range(self->random, 0, (int)n);
}

static void
fail(Client *self, const LvpCreateSpec *spec, const char *verb, const GError *error)
{
    stress_fail(self->stress, "client %u: %s %s of class %s: %s", self->number, verb, spec->name,
                spec->class_name, error->message);
}

/* What a create may be refused with, and nothing else. */
static void
count_refusal(Client *self, const LvpCreateSpec *spec, const GError *error)
{
    if (g_error_matches(error, LVP_ERROR, LVP_ERROR_NO_CAPACITY))
        STRESS_COUNT(self->stress->n_refused);
    else if (g_error_matches(error, LVP_ERROR, LVP_ERROR_EXISTS))
        STRESS_COUNT(self->stress->n_exists);
    else if (g_error_matches(error, LVP_ERROR, LVP_ERROR_BUSY))
        STRESS_COUNT(self->stress->n_busy);
    else
        fail(self, spec, "create", error);
}

/* The same create once more answers with the same machine. */
static void
repeat(Client *self, const LvpCreateSpec *spec, const LvpMachine *machine)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) same = lvp_machine_create(&self->stress->jobs, spec, NULL, &error);
    STRESS_COUNT(self->stress->n_repeated);
    if (same && same != machine)
        stress_fail(self->stress, "client %u: a repeated create has made another machine",
                    self->number);
    if (error && error->code != LVP_ERROR_BUSY)
        fail(self, spec, "create once more", error);
}

/* Off or on, or busy with the same of somebody else. */
static void
switch_machine(Client *self, const LvpCreateSpec *spec)
{
    g_autoptr(GError) error = NULL;
    if (pick(self, 2))
        lvp_machine_stop(&self->stress->jobs, spec->uuid, pick(self, 2) == 0,
                         STRESS_STOP_TIMEOUT_MS, NULL, &error);
    else
        lvp_machine_start(&self->stress->jobs, spec->uuid, NULL, &error);
    if (error && error->code != LVP_ERROR_BUSY)
        fail(self, spec, "start or stop", error);
}

/* Until it is gone. One that could not be given back at once may be ended by a pass. */
static void
delete_machine(Client *self, const LvpCreateSpec *spec)
{
    for (gboolean first = TRUE;; first = FALSE) {
        g_autoptr(GError) error = NULL;
        if (lvp_machine_delete(&self->stress->jobs, spec->uuid, FALSE, NULL, &error) ||
            (!first && error->code == LVP_ERROR_NOT_FOUND))
            break;
        if (error->code != LVP_ERROR_BUSY) {
            fail(self, spec, "delete", error);
            break;
        }
        STRESS_COUNT(self->stress->n_busy);
        g_thread_yield();
    }
    STRESS_COUNT(self->stress->n_deleted);
}

static void
use_machine(Client *self, const LvpCreateSpec *spec, const LvpMachine *machine)
{
    Stress *stress = self->stress;
    gboolean late = stress_has_mutant(stress, STRESS_LATE_GIVE);
    stress_owners_take(stress->owners, machine, self->number);
    switch (pick(self, 4)) {
    case 0:
        for (guint i = 0; i < N_REPEATS; i++)
            repeat(self, spec, machine);
        break;
    case 1:
        switch_machine(self, spec);
        break;
    default:
        g_thread_yield();
    }
    if (!late)
        stress_owners_give(stress->owners, machine, self->number);
    delete_machine(self, spec);
    if (late)
        stress_owners_give(stress->owners, machine, self->number);
}

static void
claim(Client *self)
{
    Stress *stress = self->stress;
    guint n_classes = g_strv_length((char **)(gsize)STRESS_CLASSES);
    g_autoptr(GError) error = NULL;
    g_autofree char *name =
        g_strdup_printf("vm%u", pick(self, stress->n_clients * N_NAMES_PER_CLIENT));
    g_autofree char *uuid = g_strdup_printf("%08x-0000-4000-8000-00000000000%u", self->number,
                                            self->n_created % 2); /* one comes back */
    LvpCreateSpec spec = {.name = name,
                          .uuid = uuid,
                          .class_name = STRESS_CLASSES[pick(self, n_classes)],
                          .labels = self->labels,
                          .annotations = self->labels,
                          .start = pick(self, 4) != 0};
    g_autoptr(LvpMachine) machine = lvp_machine_create(&stress->jobs, &spec, NULL, &error);
    if (!machine) {
        count_refusal(self, &spec, error);
        g_usleep(pick(self, MAX_PAUSE_US));
        return;
    }
    self->n_created++;
    STRESS_COUNT(stress->n_made);
    use_machine(self, &spec, machine);
}

static gpointer
run_client(gpointer data)
{
    Client *self = data;
    g_autofree char *number = g_strdup_printf("%u", self->number);
    GVariantBuilder labels = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{ss}"));
    g_variant_builder_add(&labels, "{ss}", "client", number);
    self->labels = g_variant_ref_sink(g_variant_builder_end(&labels));
    self->random = g_rand_new_with_seed(self->stress->seed + self->number);
    while (!STRESS_GET(self->stress->stopping) &&
           STRESS_GET(self->stress->n_made) < self->stress->n_wanted)
        claim(self);
    g_variant_unref(self->labels);
    g_rand_free(self->random);
    g_free(self);
    return NULL;
}

GPtrArray *
stress_start_clients(Stress *self)
{
    GPtrArray *threads = g_ptr_array_new();
    for (guint i = 1; i <= self->n_clients; i++) {
        Client *client = g_new0(Client, 1);
        client->stress = self;
        client->number = i;
        g_ptr_array_add(threads, g_thread_new("client", run_client, client));
    }
    return threads;
}
