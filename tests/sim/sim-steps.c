/* SPDX-License-Identifier: Apache-2.0 */
/* Which step comes next: one alone, or several at once. */
#include "sim-run.h"
#include "sim-tasks.h"

#define TOGETHER_MAX 4
#define LOOKS_AT_ONE_OF 16
#define DELAY_MAX 60 /* about as often as a create pauses */

typedef struct {
    Sim *sim;
    const SimStep *step;
} Part;

static const SimStep *
pick_step(Sim *self, gboolean together)
{
    const SimStep *const tables[] = {SIM_PROVIDER_STEPS, SIM_WORLD_STEPS};
    guint sum = 0, at = 0;
    for (guint round = 0; round < 2; round++) {
        guint drawn = round == 0 ? 0 : sim_pick(self, sum);
        for (guint t = 0; t < G_N_ELEMENTS(tables); t++)
            for (const SimStep *step = tables[t]; step->name; step++) {
                if ((step->profile & ~self->profile) != 0 || (together && step->alone))
                    continue;
                if (round == 0)
                    sum += step->weight;
                else if (drawn < (at += step->weight))
                    return step;
            }
    }
    return NULL;
}

/* In the middle of the others, as often as not. */
static void
begin_late(gpointer data)
{
    const Part *part = data;
    for (guint i = sim_pick(part->sim, 2) * sim_pick(part->sim, DELAY_MAX); i > 0; i--)
        sim_pause();
}

static void
run_part(gpointer data)
{
    const Part *part = data;
    begin_late(data);
    sim_say(part->sim, "%s", part->step->name);
    part->step->run(part->sim);
}

/* What is durable must be right at any time; it is looked at now and then. */
static void
look_between(gpointer data)
{
    Sim *self = data;
    if (!self->problem && sim_pick(self, LOOKS_AT_ONE_OF) == 0)
        self->problem = sim_checks_run_durable(self->look);
}

static void
run_together(Sim *self)
{
    Part parts[TOGETHER_MAX];
    guint n_parts = 2 + sim_pick(self, TOGETHER_MAX - 1);
    for (guint i = 0; i < n_parts; i++) {
        parts[i] = (Part){self, pick_step(self, TRUE)};
        sim_tasks_add(run_part, &parts[i]);
    }
    sim_say(self, "%u at once", n_parts);
    self->n_together++;
    sim_tasks_run(self->random, look_between, self);
}

void
sim_steps_run(Sim *self)
{
    if ((self->profile & SIM_WITH_OTHERS) && sim_pick(self, 3) == 0) {
        run_together(self);
        return;
    }
    Part part = {self, pick_step(self, FALSE)};
    run_part(&part);
}
