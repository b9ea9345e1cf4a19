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

void
lvp_rounds_run(LvpWork *works, guint n_works, guint n_rounds)
{
    g_autofree double *times = g_new0(double, (gsize)n_works *n_rounds);
    for (guint w = 0; w < n_works; w++)
        run_once(&works[w]); /* warms up */
    for (guint r = 0; r < n_rounds; r++)
        for (guint w = 0; w < n_works; w++)
            times[w * n_rounds + r] = run_once(&works[w]);
    for (guint w = 0; w < n_works; w++) {
        double *own = &times[w * n_rounds];
        qsort(own, n_rounds, sizeof(double), compare_doubles);
        works[w].best_ns = own[0];
        works[w].median_ns = own[n_rounds / 2];
    }
}

void
lvp_rounds_print(const LvpWork *works, guint n_works, const char *item)
{
    printf("%-44s %11s %11s %13s %7s %7s\n", "", "best ns", "median ns", item, "best", "median");
    for (guint i = 0; i < n_works; i++)
        printf("%-44s %11.0f %11.0f %13.0f %7.2f %7.2f\n", works[i].name, works[i].best_ns,
               works[i].median_ns, 1e9 / works[i].median_ns, works[i].best_ns / works[0].best_ns,
               works[i].median_ns / works[0].median_ns);
}

void
lvp_rounds_print_target(const char *text, double measured, double limit, gboolean at_most)
{
    gboolean met = at_most ? measured <= limit : measured >= limit;
    printf("  target: %s: %.2f, %s\n", text, measured, met ? "met" : "MISSED");
}
