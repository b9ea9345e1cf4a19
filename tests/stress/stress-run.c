/* SPDX-License-Identifier: Apache-2.0 */
#include "stress.h"

#include <stdio.h>
#include <string.h>

#define STALLED_S 60 /* nothing was made, refused or deleted for so long: a deadlock */
#define TICK_US 100000

/* ---- problems ---- */

void
stress_fail(Stress *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *problem = g_strdup_vprintf(format, arguments), *none = NULL;
    va_end(arguments);
    if (!__atomic_compare_exchange_n(&self->problem, &none, problem, FALSE, __ATOMIC_RELEASE,
                                     __ATOMIC_RELAXED))
        g_free(problem);
    STRESS_SET(self->stopping, TRUE);
}

gboolean
stress_has_mutant(const Stress *self, const char *mutant)
{
    return g_strcmp0(self->mutant, mutant) == 0;
}

/* What the core warns of has gone wrong, and here nothing may. */
static GLogWriterOutput
judge_log(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
    const char *text = "";
    if (!(level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING)))
        return G_LOG_WRITER_HANDLED;
    for (gsize i = 0; i < n_fields; i++)
        if (strcmp(fields[i].key, "MESSAGE") == 0)
            text = fields[i].value;
    stress_fail(data, "it warns: %s", text);
    return g_log_writer_standard_streams(level, fields, n_fields, NULL);
}

/* ---- threads ---- */

/* Ends the run when its time is over, and the process when nothing goes on. */
static gpointer
watch(gpointer data)
{
    Stress *self = data;
    gint64 begin_us = g_get_monotonic_time(), last_us = begin_us;
    for (guint64 n_last = 0; !STRESS_GET(self->ended);) {
        guint64 n_now = STRESS_GET(self->n_made) + STRESS_GET(self->n_refused) +
                        STRESS_GET(self->n_exists) + STRESS_GET(self->n_deleted);
        gint64 now_us = g_get_monotonic_time();
        if (self->seconds > 0 && now_us - begin_us > self->seconds * G_USEC_PER_SEC)
            STRESS_SET(self->stopping, TRUE);
        if (n_now != n_last)
            last_us = now_us;
        n_last = n_now;
        if (now_us - last_us > STALLED_S * G_USEC_PER_SEC)
            g_error("nothing goes on any more: a deadlock?");
        g_usleep(TICK_US);
    }
    return NULL;
}

static void
join(GPtrArray *threads)
{
    for (guint i = 0; i < threads->len; i++)
        g_thread_join(g_ptr_array_index(threads, i));
    g_ptr_array_unref(threads);
}

typedef struct {
    Stress *stress;
    GMainLoop *loop;
    GPtrArray *clients, *others;
} Ending;

static gboolean
quit(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static gpointer
wait_for_end(gpointer data)
{
    const Ending *ending = data;
    join(ending->clients);
    STRESS_SET(ending->stress->stopping, TRUE);
    join(ending->others);
    g_idle_add(quit, ending->loop);
    return NULL;
}

/* The main thread tells events, as in the daemon. */
static void
run_threads(Stress *self)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    Ending ending = {self, loop, stress_start_clients(self), stress_start_others(self)};
    GThread *waiter = g_thread_new("waiter", wait_for_end, &ending);
    g_main_loop_run(loop);
    g_thread_join(waiter);
    g_thread_pool_free(self->observer, FALSE, TRUE);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

/* ---- the run ---- */

static void
print_counts(const Stress *self, gint64 begin_us)
{
    double seconds = (double)(g_get_monotonic_time() - begin_us) / G_USEC_PER_SEC;
    printf("# %u clients made %" G_GUINT64_FORMAT " machines and deleted %" G_GUINT64_FORMAT
           " in %.1f s; refused: no capacity %" G_GUINT64_FORMAT ", exists %" G_GUINT64_FORMAT
           ", busy %" G_GUINT64_FORMAT "; created again %" G_GUINT64_FORMAT "\n",
           self->n_clients, self->n_made, self->n_deleted, seconds, self->n_refused, self->n_exists,
           self->n_busy, self->n_repeated);
    printf("# meanwhile: passes %" G_GUINT64_FORMAT ", rescans %" G_GUINT64_FORMAT
           ", reloads %" G_GUINT64_FORMAT ", cordons %" G_GUINT64_FORMAT
           ", lists %" G_GUINT64_FORMAT ", dry runs %" G_GUINT64_FORMAT
           ", starts and stops by others %" G_GUINT64_FORMAT "\n",
           self->n_passes, self->n_rescans, self->n_reloads, self->n_cordons, self->n_lists,
           self->n_tried, self->n_meddled);
    if (self->problem)
        printf("# problem: %s\n", self->problem);
    fflush(stdout);
}

gboolean
stress_run(Stress *self)
{
    gint64 begin_us = g_get_monotonic_time();
    g_log_set_writer_func(judge_log, self, NULL);
    self->owners = stress_owners_new(self);
    stress_open_world(self);
    GThread *watchdog = g_thread_new("watchdog", watch, self);
    run_threads(self);
    stress_check_end(self);
    print_counts(self, begin_us);
    stress_close_world(self);
    stress_owners_free(self->owners);
    STRESS_SET(self->ended, TRUE);
    g_thread_join(watchdog);
    return !self->problem;
}
