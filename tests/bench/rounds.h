/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the time of several pieces of work in turns, in a random order, so that what else the
 * machine does disturbs all of them alike, and prints each as a ratio to the first, the floor. */
#pragma once

#include <glib.h>

typedef struct {
    const char *name;
    void (*run)(gpointer data);
    void (*clean)(gpointer data); /* after each run, not timed; may be NULL */
    gpointer data;
    guint n_items; /* done by one run */
    /* Filled by lvp_rounds_run(): times per item, and the median of the ratios to the floor's time
     * in the same round. */
    double best_ns, median_ns, ratio;
} LvpWork;

void lvp_rounds_run(LvpWork *works, guint n_works, guint n_rounds);
/* A line each. RATE is what the column of items per second is called: "devices/s". */
void lvp_rounds_print(const LvpWork *works, guint n_works, const char *rate);
/* "  target: TEXT: MEASURED, met" or "MISSED". */
void lvp_rounds_print_target(const char *text, double measured, double limit, gboolean at_most);
