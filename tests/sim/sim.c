/* SPDX-License-Identifier: Apache-2.0 */
/* The command: runs seeds, or one again; as a TAP test, and with mutants. A seed that fails prints
 * how to run it again; ninja sim-million makes a million steps. The last four bits of a seed say
 * what it lets happen, see SimProfile. */
#include "sim-mutants.h"
#include "sim-run.h"
#include "sim-tasks.h"

#include <stdio.h>
#include <string.h>

#define SEEDS_OF_A_MUTANT 60
#define SECONDS_OF_A_MUTANT 30 /* of which it needs one or two */

typedef struct {
    gint64 first, n_seeds, stride, n_steps, one, seconds;
    gboolean verbose, tap, all;
    char *mutant;
} Arguments;

typedef struct {
    guint64 seeds, steps, together, restarts, reboots, damages;
    SimFate fate; /* sums of its counts */
} Sums;

/* ---- one seed ---- */

static void
add_to_sums(Sums *sums, const Sim *sim)
{
    sums->seeds++;
    sums->steps += sim->n_steps;
    sums->together += sim->n_together;
    sums->damages += sim->n_damages;
    sums->restarts += sim->n_restarts;
    sums->reboots += sim->n_reboots;
    sums->fate.n_effects += sim->fate.n_effects;
    sums->fate.n_crashes += sim->fate.n_crashes;
    for (guint kind = 0; kind < SIM_N_KINDS; kind++)
        for (guint fate = 0; fate < SIM_N_FATES; fate++)
            sums->fate.n_faults[kind][fate] += sim->fate.n_faults[kind][fate];
}

/* FALSE where an invariant broke; with TELL that is printed. */
static gboolean
run_seed(guint64 seed, const Arguments *arguments, gboolean tell, Sums *sums)
{
    Sim *sim = sim_new(seed, arguments->mutant, arguments->verbose);
    gboolean ok = sim_run(sim, (guint)arguments->n_steps);
    add_to_sums(sums, sim);
    if (!ok && tell) {
        printf("# seed %" G_GUINT64_FORMAT ", step %" G_GUINT64_FORMAT ": %s\n", seed, sim->n_steps,
               sim->problem);
        for (GList *each = sim->log.head; each; each = each->next)
            printf("#   %s\n", (const char *)each->data);
        printf("# again: sim --seed %" G_GUINT64_FORMAT " --steps %" G_GINT64_FORMAT " -v\n", seed,
               arguments->n_steps);
    }
    fflush(stdout);
    sim_free(sim);
    return ok;
}

static void
print_sums(const Sums *sums, gint64 since_us)
{
    static const char *const KINDS[] = {"host", "libvirt", "disk writes", "disk reads"};
    double seconds = (double)(g_get_monotonic_time() - since_us) / G_USEC_PER_SEC;
    printf("# %" G_GUINT64_FORMAT " seeds, %" G_GUINT64_FORMAT " steps (%" G_GUINT64_FORMAT
           " of several at once, %" G_GUINT64_FORMAT " changes between them), %.0f steps/s\n",
           sums->seeds, sums->steps, sums->together, sim_tasks_count_pauses(),
           (double)sums->steps / seconds);
    printf("# %" G_GUINT64_FORMAT " effects, %" G_GUINT64_FORMAT " crashes, %" G_GUINT64_FORMAT
           " starts, %" G_GUINT64_FORMAT " reboots, %" G_GUINT64_FORMAT " damaged journals\n",
           sums->fate.n_effects, sums->fate.n_crashes, sums->restarts, sums->reboots,
           sums->damages);
    for (guint kind = 0; kind < SIM_N_KINDS; kind++) {
        const guint64 *faults = sums->fate.n_faults[kind];
        printf("# faults of %s: %" G_GUINT64_FORMAT " failed, %" G_GUINT64_FORMAT
               " lied, %" G_GUINT64_FORMAT " hung\n",
               KINDS[kind], faults[SIM_FAIL], faults[SIM_LIE], faults[SIM_HANG]);
    }
}

/* Seeds until one fails, all have run, or the time is up. */
static gboolean
run_seeds(const Arguments *arguments, gboolean tell, Sums *sums)
{
    gint64 begin_us = g_get_monotonic_time();
    gint64 end_us = arguments->seconds > 0 ? begin_us + arguments->seconds * G_USEC_PER_SEC : 0;
    gboolean ok = TRUE;
    for (gint64 i = 0; (ok || arguments->all) && i < arguments->n_seeds; i++) {
        if (end_us > 0 && g_get_monotonic_time() > end_us)
            break;
        ok = run_seed((guint64)(arguments->first + i * arguments->stride), arguments, tell, sums) &&
             ok;
    }
    if (tell)
        print_sums(sums, begin_us);
    return ok;
}

/* ---- as a test ---- */

static gboolean
say_result(gboolean ok, guint number, const char *what)
{
    printf("%sok %u - %s\n", ok ? "" : "not ", number, what);
    fflush(stdout);
    return ok;
}

static gboolean
run_tap(const Arguments *arguments)
{
    Sums sums = {0};
    guint number = 1;
    gboolean ok = say_result(run_seeds(arguments, TRUE, &sums), number, "no invariant breaks");
    for (const SimMutant *mutant = SIM_MUTANTS; mutant->name; mutant++) {
        Arguments mutated = {
            .first = mutant->profile,
            .n_seeds = SEEDS_OF_A_MUTANT,
            .stride = SIM_N_PROFILES,
            .n_steps = arguments->n_steps,
            .seconds = SECONDS_OF_A_MUTANT,
            .mutant = (char *)(gsize)mutant->name,
        };
        Sums mutated_sums = {0};
        gboolean caught = !run_seeds(&mutated, FALSE, &mutated_sums);
        g_autofree char *what = g_strdup_printf("mutant %s is caught (%" G_GUINT64_FORMAT " steps)",
                                                mutant->name, mutated_sums.steps);
        ok = say_result(caught, ++number, what) && ok;
    }
    printf("1..%u\n", number);
    return ok;
}

static GLogWriterOutput
drop_log(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer verbose)
{
    if (level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR))
        return g_log_writer_standard_streams(level, fields, n_fields, NULL);
    return *(const gboolean *)verbose ? g_log_writer_standard_streams(level, fields, n_fields, NULL)
                                      : G_LOG_WRITER_HANDLED;
}

int
main(int argc, char **argv)
{
    static Arguments arguments = {
        .first = 1, .n_seeds = 100, .stride = 1, .n_steps = 150, .one = -1};
    const GOptionEntry entries[] = {
        {"first", 0, 0, G_OPTION_ARG_INT64, &arguments.first, "the first seed", "S"},
        {"seeds", 0, 0, G_OPTION_ARG_INT64, &arguments.n_seeds, "how many seeds", "N"},
        {"steps", 0, 0, G_OPTION_ARG_INT64, &arguments.n_steps, "steps of each seed", "K"},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &arguments.one, "only this seed", "S"},
        {"seconds", 0, 0, G_OPTION_ARG_INT64, &arguments.seconds, "no new seed after that", "N"},
        {"mutant", 0, 0, G_OPTION_ARG_STRING, &arguments.mutant, "with a mistake built in", "NAME"},
        {"all", 0, 0, G_OPTION_ARG_NONE, &arguments.all, "go on when a seed has failed", NULL},
        {"tap", 0, 0, G_OPTION_ARG_NONE, &arguments.tap, "as a test, mutants included", NULL},
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &arguments.verbose, "print each step", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- the provider in a simulated world");
    g_autoptr(GError) error = NULL;
    Sums sums = {0};
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 2;
    }
    g_log_set_writer_func(drop_log, &arguments.verbose, NULL);
    if (g_file_test("/dev/shm", G_FILE_TEST_IS_DIR))
        g_setenv("TMPDIR", "/dev/shm", FALSE);
    if (arguments.one >= 0) {
        arguments.first = arguments.one;
        arguments.n_seeds = 1;
    }
    gboolean ok = arguments.tap ? run_tap(&arguments) : run_seeds(&arguments, TRUE, &sums);
    return ok ? 0 : 1;
}
