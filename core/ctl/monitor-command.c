/* SPDX-License-Identifier: Apache-2.0 */
/* monitor: events as they come, a line each, until the command is interrupted. */
#include "commands.h"

#include <errno.h>
#include <glib-unix.h>
#include <libvirt-provider/error.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_LAST 10000

typedef struct {
    const LvpOutput *output;
    GMainLoop *loop;
    gint64 last_id; /* of what was printed: what is listed and told at once is printed once */
    gboolean listed;
    GPtrArray *early; /* GVariant: told before the list was printed */
    GError *problem;  /* why no more can be printed */
} Monitor;

static const char *
get_text(GVariant *row, const char *key)
{
    const char *text = "-";
    g_variant_lookup(row, key, "&s", &text);
    return text;
}

/* Each at once: FALSE, with the problem, where nothing can be written any more. */
static gboolean
print_event(Monitor *self, GVariant *row)
{
    gint64 id = 0;
    g_variant_lookup(row, "id", "x", &id);
    if (id <= self->last_id)
        return TRUE;
    self->last_id = id;
    if (self->output->format == LVP_FORMAT_TABLE)
        printf("%s %s %s: %s -> %s: %s\n", get_text(row, "time"), get_text(row, "kind"),
               get_text(row, "subject"), get_text(row, "from"), get_text(row, "to"),
               get_text(row, "reason"));
    else
        lvp_output_line(self->output, row);
    return lvp_output_flush(&self->problem);
}

static void
handle_event(gpointer data, GVariant *parameters)
{
    Monitor *self = data;
    g_autoptr(GVariant) row = g_variant_get_child_value(parameters, 0);
    if (!self->listed)
        g_ptr_array_add(self->early, g_steal_pointer(&row));
    else if (!self->problem && !print_event(self, row))
        g_main_loop_quit(self->loop);
}

static gboolean
handle_interrupt(gpointer data)
{
    Monitor *self = data;
    g_main_loop_quit(self->loop);
    return G_SOURCE_CONTINUE;
}

/* Nobody reads, or there is no standard output: the next event, which would tell, may be long in
 * coming. */
static gboolean
handle_lost_output(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    Monitor *self = data;
    if (!self->problem)
        lvp_output_set_error(condition & G_IO_NVAL ? EBADF : EPIPE, &self->problem);
    g_main_loop_quit(self->loop);
    return G_SOURCE_CONTINUE;
}

/* The last ones, as many as are asked for, and then those that came meanwhile. */
static gboolean
print_first(Monitor *self, LvpCtl *ctl, guint last, GError **error)
{
    g_autoptr(GVariant) answer =
        lvp_client_call(ctl->client, "ListEvents", g_variant_new("(xu)", (gint64)0, last), error);
    if (!answer)
        return FALSE;
    g_autoptr(GVariant) rows = g_variant_get_child_value(answer, 0);
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
        if (!print_event(self, row))
            return FALSE;
    }
    self->listed = TRUE;
    for (guint i = 0; i < self->early->len; i++)
        if (!print_event(self, g_ptr_array_index(self->early, i)))
            return FALSE;
    return TRUE;
}

static gboolean
read_last(const LvpCtl *ctl, guint *ret_last, GError **error)
{
    guint64 last = 0;
    const char *text = ctl->options->last;
    if (text && !g_ascii_string_to_unsigned(text, 10, 0, MAX_LAST, &last, NULL)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "--last must be a number from 0 to %d, but is '%s'", MAX_LAST, text);
        return FALSE;
    }
    *ret_last = (guint)last;
    return TRUE;
}

gboolean
lvp_ctl_monitor(LvpCtl *ctl, GError **error)
{
    guint last;
    if (!read_last(ctl, &last, error))
        return FALSE;
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GPtrArray) early = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);
    Monitor monitor = {&ctl->output, loop, 0, FALSE, early, NULL};
    guint interrupt = g_unix_signal_add(SIGINT, handle_interrupt, &monitor);
    guint terminate = g_unix_signal_add(SIGTERM, handle_interrupt, &monitor);
    guint lost = g_unix_fd_add(STDOUT_FILENO, G_IO_ERR, handle_lost_output, &monitor);
    lvp_client_subscribe(ctl->client, "Event", handle_event, &monitor);
    gboolean ok =
        print_first(&monitor, ctl, last, error) && lvp_client_run_loop(ctl->client, loop, error);
    g_source_remove(interrupt);
    g_source_remove(terminate);
    g_source_remove(lost);
    if (!monitor.problem)
        return ok;
    g_clear_error(error);
    g_propagate_error(error, monitor.problem);
    return FALSE;
}
