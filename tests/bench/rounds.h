/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the time of several pieces of work in turns, so that what else the machine does disturbs
 * all of them alike, and prints each as a ratio to the first, the floor. */
#pragma once

#include <glib.h>

typedef struct {
    const char *name;
    void (*run)(gpointer data);
    void (*clean)(gpointer data); /* after each run, not timed; may be NULL */
    gpointer data;
    guint n_items;             /* done by one run */
    double best_ns, median_ns; /* per item; filled by lvp_rounds_run() */
} LvpWork;

void lvp_rounds_run(LvpWork *works, guint n_works, guint n_rounds);
/* A line each; ITEM is what is counted: "device". */
void lvp_rounds_print(const LvpWork *works, guint n_works, const char *item);
/* "  target: TEXT: MEASURED met" or "... missed", where LOWER or equal is better. */
void lvp_rounds_print_target(const char *text, double measured, double limit, gboolean at_most);
