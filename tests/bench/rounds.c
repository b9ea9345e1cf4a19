/* SPDX-License-Identifier: Apache-2.0 */
#include "rounds.h"

#include <stdio.h>
#include <time.h>

static double
get_time_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int
compare_doubles(gconstpointer a, gconstpointer b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double
run_once(const LvpWork *work)
{
    double start_ns = get_time_ns();
    work->run(work->data);
    double spent_ns = get_time_ns() - start_ns;
    if (work->clean)
        work->clean(work->data);
    return spent_ns / work->n_items;
}

static double
find_median(double *values, guint count)
{
    qsort(values, count, sizeof(double), compare_doubles);
    return values[count / 2];
}

/* What runs before a piece of work decides how fast disk and processor answer it: no piece shall
 * always follow the same one. */
static void
shuffle(guint *order, guint count, GRand *dice)
{
    for (guint i = count; i > 1; i--) {
        guint other = (guint)g_rand_int_range(dice, 0, (gint32)i);
        guint swapped = order[i - 1];
        order[i - 1] = order[other];
        order[other] = swapped;
    }
}

void
lvp_rounds_run(LvpWork *works, guint n_works, guint n_rounds)
{
    g_autofree double *times = g_new0(double, (gsize)n_works *n_rounds);
    g_autofree double *ratios = g_new0(double, n_rounds);
    g_autofree guint *order = g_new0(guint, n_works);
    g_autoptr(GRand) dice = g_rand_new_with_seed(1);
    for (guint w = 0; w < n_works; w++) {
        order[w] = w;
        run_once(&works[w]); /* warms up */
    }
    for (guint r = 0; r < n_rounds; r++) {
        shuffle(order, n_works, dice);
        for (guint i = 0; i < n_works; i++)
            times[order[i] * n_rounds + r] = run_once(&works[order[i]]);
    }
    for (guint w = n_works; w > 0; w--) { /* the floor last: it is sorted, too */
        LvpWork *work = &works[w - 1];
        double *own = &times[(w - 1) * n_rounds];
        for (guint r = 0; r < n_rounds; r++)
            ratios[r] = own[r] / times[r];
        work->ratio = find_median(ratios, n_rounds);
        work->median_ns = find_median(own, n_rounds);
        work->best_ns = own[0];
    }
}

void
lvp_rounds_print(const LvpWork *works, guint n_works, const char *rate)
{
    printf("%-44s %10s %10s %12s %10s %7s\n", "", "best ns", "median ns", rate, "best ratio",
           "ratio");
    for (guint i = 0; i < n_works; i++)
        printf("%-44s %10.0f %10.0f %12.0f %10.2f %7.2f\n", works[i].name, works[i].best_ns,
               works[i].median_ns, 1e9 / works[i].median_ns, works[i].best_ns / works[0].best_ns,
               works[i].ratio);
}

void
lvp_rounds_print_target(const char *text, double measured, double limit, gboolean at_most)
{
    gboolean met = at_most ? measured <= limit : measured >= limit;
    printf("  target: %s: %.2f, %s\n", text, measured, met ? "met" : "MISSED");
}
