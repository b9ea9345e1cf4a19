/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <libvirt-provider/error.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MANAGER_PATH "/org/libvirtprovider"
#define MANAGER_INTERFACE "org.libvirtprovider.Manager1"
#define JOB_INTERFACE "org.libvirtprovider.Job1"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define QUIET_MS 1000
#define CONNECT_WAIT_MS 10000
#define CONNECT_PAUSE_US 20000
#define CLEAR_LINE "\r\033[K"

struct LvpClient {
    GDBusConnection *connection;
    char *socket;
};

typedef struct {
    GMainLoop *loop;
    char *path;         /* NULL until the call has returned */
    GHashTable *values; /* property -> GVariant; of the job, as far as known */
    gboolean show;      /* progress: the quiet time is over, and stderr is a terminal */
    gboolean shown;
    gboolean timed_out;
    gboolean disconnected;
} JobWait;

static void
set_daemon_error(const LvpClient *self, const GError *problem, GError **error)
{
    g_set_error(error, LVP_ERROR, LVP_ERROR_DAEMON,
                "libvirt-provider does not answer on %s: %s (is it running? see systemctl status "
                "libvirt-provider, or give --socket)",
                self->socket, problem->message);
}

/* A daemon that many clients call at once takes them one after the other: the kernel says "try
 * again" once its queue is full. */
static GDBusConnection *
connect_in_turn(const char *address, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)CONNECT_WAIT_MS * 1000;
    for (;;) {
        g_autoptr(GError) problem = NULL;
        GDBusConnection *connection = g_dbus_connection_new_for_address_sync(
            address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, &problem);
        if (connection)
            return connection;
        if (!g_error_matches(problem, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK) ||
            g_get_monotonic_time() > deadline) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return NULL;
        }
        g_usleep(CONNECT_PAUSE_US);
    }
}

LvpClient *
lvp_client_new(const char *socket, GError **error)
{
    lvp_error_quark(); /* registers the names by which the daemon's errors come back as ours */
    g_autoptr(LvpClient) self = g_new0(LvpClient, 1);
    self->socket = g_strdup(socket);
    g_autofree char *escaped = g_dbus_address_escape_value(socket);
    g_autofree char *address = g_strdup_printf("unix:path=%s", escaped);
    g_autoptr(GError) problem = NULL;
    self->connection = connect_in_turn(address, &problem);
    if (self->connection)
        return g_steal_pointer(&self);
    if (g_error_matches(problem, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
        g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_PERMITTED,
                    "%s may be opened by root and group libvirt-provider only", socket);
    else
        set_daemon_error(self, problem, error);
    return NULL;
}

void
lvp_client_free(LvpClient *self)
{
    if (!self)
        return;
    g_clear_object(&self->connection);
    g_free(self->socket);
    g_free(self);
}

static GVariant *
call(LvpClient *self,
     const char *path,
     const char *interface,
     const char *method,
     GVariant *parameters,
     GError **error)
{
    g_autoptr(GError) problem = NULL;
    GVariant *answer =
        g_dbus_connection_call_sync(self->connection, NULL, path, interface, method, parameters,
                                    NULL, G_DBUS_CALL_FLAGS_NONE, G_MAXINT, NULL, &problem);
    if (answer)
        return answer;
    g_dbus_error_strip_remote_error(problem);
    if (problem->domain == LVP_ERROR)
        g_propagate_error(error, g_steal_pointer(&problem));
    else if (g_dbus_connection_is_closed(self->connection))
        g_set_error(error, LVP_ERROR, LVP_ERROR_DAEMON,
                    "libvirt-provider on %s went away before it has answered: look what became of "
                    "it when it runs again",
                    self->socket);
    else
        set_daemon_error(self, problem, error);
    return NULL;
}

GVariant *
lvp_client_call(LvpClient *self, const char *method, GVariant *parameters, GError **error)
{
    return call(self, MANAGER_PATH, MANAGER_INTERFACE, method, parameters, error);
}

/* ---- jobs ---- */

static const char *
get_value(const JobWait *wait, const char *property)
{
    GVariant *value = g_hash_table_lookup(wait->values, property);
    return value ? g_variant_get_string(value, NULL) : "";
}

static gboolean
has_ended(const JobWait *wait)
{
    const char *state = get_value(wait, "State");
    return strcmp(state, "done") == 0 || strcmp(state, "failed") == 0;
}

static void
take_values(JobWait *wait, GVariant *changed)
{
    GVariantIter iter;
    const char *key;
    GVariant *value;
    g_variant_iter_init(&iter, changed);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &value))
        g_hash_table_insert(wait->values, g_strdup(key), value);
    if (wait->show && !has_ended(wait)) {
        fprintf(stderr, CLEAR_LINE "%s ...", get_value(wait, "Step"));
        wait->shown = TRUE;
    }
    if (has_ended(wait) && wait->loop)
        g_main_loop_quit(wait->loop);
}

static void
handle_change(GDBusConnection *connection,
              const char *sender,
              const char *path,
              const char *interface,
              const char *signal,
              GVariant *parameters,
              gpointer data)
{
    (void)connection;
    (void)sender;
    (void)interface;
    (void)signal;
    JobWait *wait = data;
    const char *changed_interface;
    g_autoptr(GVariant) changed = NULL;
    g_variant_get(parameters, "(&s@a{sv}@as)", &changed_interface, &changed, NULL);
    if (g_strcmp0(path, wait->path) == 0 && strcmp(changed_interface, JOB_INTERFACE) == 0)
        take_values(wait, changed);
}

static void
handle_closed(GDBusConnection *connection, gboolean vanished, GError *error, gpointer data)
{
    (void)connection;
    (void)vanished;
    (void)error;
    JobWait *wait = data;
    wait->disconnected = !has_ended(wait);
    g_main_loop_quit(wait->loop);
}

static gboolean
end_quiet_time(gpointer data)
{
    JobWait *wait = data;
    wait->show = isatty(STDERR_FILENO) == 1;
    g_autoptr(GVariant) nothing = g_variant_ref_sink(g_variant_new("a{sv}", NULL));
    take_values(wait, nothing);
    return G_SOURCE_REMOVE;
}

static gboolean
run_out_of_time(gpointer data)
{
    JobWait *wait = data;
    wait->timed_out = TRUE;
    g_main_loop_quit(wait->loop);
    return G_SOURCE_REMOVE;
}

/* The error of a failed job, as if the daemon had answered with it. */
static void
set_job_error(const JobWait *wait, GError **error)
{
    const char *name = get_value(wait, "ErrorName");
    g_autoptr(GError) problem = g_dbus_error_new_for_dbus_error(
        name[0] ? name : "org.libvirtprovider.Error.Internal", get_value(wait, "ErrorMessage"));
    g_dbus_error_strip_remote_error(problem);
    if (problem->domain == LVP_ERROR)
        g_propagate_error(error, g_steal_pointer(&problem));
    else
        g_set_error_literal(error, LVP_ERROR, LVP_ERROR_INTERNAL, problem->message);
}

static GVariant *
get_job_result(LvpClient *self, const JobWait *wait, guint timeout_s, GError **error)
{
    if (wait->timed_out) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_TIMED_OUT, "not done after %u s (%s); it goes on",
                    timeout_s, get_value(wait, "Step"));
        return NULL;
    }
    if (wait->disconnected) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_DAEMON,
                    "libvirt-provider on %s went away meanwhile: what was begun is finished or "
                    "undone at its next start; lpctl machine show, or device show, tells then",
                    self->socket);
        return NULL;
    }
    if (strcmp(get_value(wait, "State"), "failed") == 0) {
        set_job_error(wait, error);
        return NULL;
    }
    GVariant *result = g_hash_table_lookup(wait->values, "Result");
    return result ? g_variant_ref(result) : g_variant_ref_sink(g_variant_new("a{sv}", NULL));
}

static gboolean
begin_job(LvpClient *self, JobWait *wait, const char *method, GVariant *parameters, GError **error)
{
    g_autoptr(GVariant) answer = lvp_client_call(self, method, parameters, error);
    if (!answer)
        return FALSE;
    g_variant_get(answer, "(o)", &wait->path);
    /* The job may have ended before we knew its path. */
    GError *problem = NULL;
    g_autoptr(GVariant) all =
        call(self, wait->path, PROPERTIES, "GetAll", g_variant_new("(s)", JOB_INTERFACE), &problem);
    if (!all && g_dbus_connection_is_closed(self->connection)) {
        g_error_free(problem); /* wait_for_end() will see it, and knows that a job had begun */
        return TRUE;
    }
    if (!all) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    g_autoptr(GVariant) values = g_variant_get_child_value(all, 0);
    take_values(wait, values);
    return TRUE;
}

static void
wait_for_end(LvpClient *self, JobWait *wait, guint timeout_s)
{
    wait->loop = g_main_loop_new(NULL, FALSE);
    gulong closed = g_signal_connect(self->connection, "closed", G_CALLBACK(handle_closed), wait);
    guint quiet = g_timeout_add(QUIET_MS, end_quiet_time, wait);
    /* Not g_timeout_add_seconds(), which may come almost a second too early. */
    guint timeout_ms = MIN(timeout_s, G_MAXUINT / 1000) * 1000;
    guint deadline = timeout_s > 0 ? g_timeout_add(timeout_ms, run_out_of_time, wait) : 0;
    if (g_dbus_connection_is_closed(self->connection)) {
        while (g_main_context_iteration(NULL, FALSE))
            ; /* what it has said before it went */
        wait->disconnected = !has_ended(wait);
    } else if (!has_ended(wait)) {
        g_main_loop_run(wait->loop);
    }
    if (wait->show)
        quiet = 0;
    if (quiet > 0 && g_main_context_find_source_by_id(NULL, quiet))
        g_source_remove(quiet);
    if (deadline > 0 && !wait->timed_out)
        g_source_remove(deadline);
    g_signal_handler_disconnect(self->connection, closed);
    g_main_loop_unref(wait->loop);
    if (wait->shown)
        fputs(CLEAR_LINE, stderr);
}

GVariant *
lvp_client_run_job(
    LvpClient *self, const char *method, GVariant *parameters, guint timeout_s, GError **error)
{
    JobWait wait = {0};
    GVariant *result = NULL;
    wait.values =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_variant_unref);
    guint subscription = g_dbus_connection_signal_subscribe(
        self->connection, NULL, PROPERTIES, "PropertiesChanged", NULL, NULL,
        G_DBUS_SIGNAL_FLAGS_NONE, handle_change, &wait, NULL);
    if (begin_job(self, &wait, method, parameters, error)) {
        wait_for_end(self, &wait, timeout_s);
        result = get_job_result(self, &wait, timeout_s, error);
    }
    g_dbus_connection_signal_unsubscribe(self->connection, subscription);
    g_hash_table_unref(wait.values);
    g_free(wait.path);
    return result;
}

/* ---- signals ---- */

typedef struct {
    void (*handler)(gpointer data, GVariant *parameters);
    gpointer data;
} Subscription;

static void
handle_signal(GDBusConnection *connection,
              const char *sender,
              const char *path,
              const char *interface,
              const char *signal,
              GVariant *parameters,
              gpointer data)
{
    (void)connection, (void)sender, (void)path, (void)interface, (void)signal;
    const Subscription *subscription = data;
    subscription->handler(subscription->data, parameters);
}

void
lvp_client_subscribe(LvpClient *self,
                     const char *signal,
                     void (*handler)(gpointer data, GVariant *parameters),
                     gpointer data)
{
    Subscription *subscription = g_new0(Subscription, 1);
    subscription->handler = handler;
    subscription->data = data;
    g_dbus_connection_signal_subscribe(self->connection, NULL, MANAGER_INTERFACE, signal,
                                       MANAGER_PATH, NULL, G_DBUS_SIGNAL_FLAGS_NONE, handle_signal,
                                       subscription, g_free);
}

static void
quit_loop(GDBusConnection *connection, gboolean vanished, GError *error, gpointer data)
{
    (void)connection, (void)vanished, (void)error;
    g_main_loop_quit(data);
}

gboolean
lvp_client_run_loop(LvpClient *self, GMainLoop *loop, GError **error)
{
    gulong closed = g_signal_connect(self->connection, "closed", G_CALLBACK(quit_loop), loop);
    if (!g_dbus_connection_is_closed(self->connection))
        g_main_loop_run(loop);
    g_signal_handler_disconnect(self->connection, closed);
    if (!g_dbus_connection_is_closed(self->connection))
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_DAEMON, "libvirt-provider on %s went away",
                self->socket);
    return FALSE;
}
