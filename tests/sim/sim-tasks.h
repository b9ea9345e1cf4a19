/* SPDX-License-Identifier: Apache-2.0 */
/* Several operations at once in the one thread. Each task has a stack of its own; wherever the
 * threads of a real provider may overtake each other, it pauses, and one picked at random goes on.
 * One set of tasks at a time. */
#pragma once

#include <glib.h>

#define SIM_TASKS_MAX 6

/* Adds one, to begin with the next sim_tasks_run(). */
void sim_tasks_add(void (*run)(gpointer data), gpointer data);
/* Runs what was added until all of it has ended, and BETWEEN whenever one pauses. */
void sim_tasks_run(GRand *random, void (*between)(gpointer data), gpointer data);

/* Lets others go on; nothing outside of a task. */
void sim_pause(void);
/* The number of the task that runs; 0: none does. */
guint sim_tasks_get_current(void);
/* How often one has paused, in all. */
guint64 sim_tasks_count_pauses(void);
