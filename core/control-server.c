/* SPDX-License-Identifier: Apache-2.0 */
#include "control-server.h"

#include <errno.h>
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <libvirt-provider/error.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BUS_NAME "org.libvirtprovider"
#define GROUP_NAME "libvirt-provider"

/* https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-request-name */
#define DBUS_NAME "org.freedesktop.DBus"
#define REQUEST_NAME_PRIMARY_OWNER 1

struct LvpControlServer {
    LvpService *service; /* borrowed */
    char *socket;
    GDBusServer *server;
    GDBusConnection *bus;
};

static gboolean
allow_mechanism(GDBusAuthObserver *observer, const char *mechanism, gpointer data)
{
    (void)observer;
    (void)data;
    return g_strcmp0(mechanism, "EXTERNAL") == 0;
}

static void
drop_connection(GDBusConnection *connection, gboolean vanished, GError *error, gpointer data)
{
    (void)vanished;
    (void)error;
    (void)data;
    g_object_unref(connection);
}

static gboolean
accept_connection(GDBusServer *server, GDBusConnection *connection, gpointer data)
{
    (void)server;
    LvpControlServer *self = data;
    g_autoptr(GError) error = NULL;
    if (g_dbus_connection_is_closed(connection)) /* "closed" will not be said again */
        return FALSE;
    if (!lvp_service_export(self->service, connection, &error)) {
        g_warning("a client cannot be served: %s", error->message);
        return FALSE;
    }
    GCredentials *peer = g_dbus_connection_get_peer_credentials(connection);
    g_autofree char *who = peer ? g_credentials_to_string(peer) : NULL;
    g_debug("client connected: %s", who ? who : "unknown");
    g_signal_connect(g_object_ref(connection), "closed", G_CALLBACK(drop_connection), NULL);
    return TRUE;
}

/* A socket file that nobody listens on is a leftover of a crash. */
static gboolean
remove_leftover(const char *path, GError **error)
{
    struct stat status;
    if (lstat(path, &status) < 0)
        return TRUE;
    if (!S_ISSOCK(status.st_mode)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                    "control socket %s: a file that is no socket stands there (see "
                    "--control-socket)",
                    path);
        return FALSE;
    }
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GError) refusal = NULL;
    g_autoptr(GSocketConnection) connection =
        g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, &refusal);
    /* One whose queue is full, or of another type, has an owner, too. */
    if (!g_error_matches(refusal, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED)) {
        g_set_error(
            error, LVP_ERROR, LVP_ERROR_BUSY,
            "control socket %s is in use by another process: stop it, or choose another with "
            "--control-socket",
            path);
        return FALSE;
    }
    if (unlink(path) == 0)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "cannot remove the old control socket %s: %s",
                path, g_strerror(errno));
    return FALSE;
}

/* The daemon's umask keeps the socket closed until its group is set. */
static gboolean
open_to_group(const char *path, GError **error)
{
    const struct group *group = getgrnam(GROUP_NAME);
    if (group && geteuid() == 0 && chown(path, 0, group->gr_gid) < 0) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "cannot give %s to group " GROUP_NAME ": %s",
                    path, g_strerror(errno));
        return FALSE;
    }
    if (chmod(path, 0660) == 0)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "cannot set mode of %s: %s", path,
                g_strerror(errno));
    return FALSE;
}

static gboolean
make_folder(const char *socket, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(socket);
    mode_t old = umask(022);
    int made = g_mkdir_with_parents(folder, 0755);
    int code = errno;
    umask(old);
    if (made == 0)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                "cannot make folder %s for the control socket: %s (see --control-socket)", folder,
                g_strerror(code));
    return FALSE;
}

/* GLib would cut a longer one. */
static gboolean
check_length(const char *socket, GError **error)
{
    gsize most = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    if (strlen(socket) <= most)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "control socket %s: the path of a socket has at most %zu bytes", socket, most);
    return FALSE;
}

LvpControlServer *
lvp_control_server_new(LvpService *service, const char *socket, GError **error)
{
    if (!check_length(socket, error) || !make_folder(socket, error) ||
        !remove_leftover(socket, error))
        return NULL;
    g_autofree char *escaped = g_dbus_address_escape_value(socket);
    g_autofree char *address = g_strdup_printf("unix:path=%s", escaped);
    g_autofree char *guid = g_dbus_generate_guid();
    g_autoptr(GDBusAuthObserver) observer = g_dbus_auth_observer_new();
    g_signal_connect(observer, "allow-mechanism", G_CALLBACK(allow_mechanism), NULL);
    g_autoptr(GError) problem = NULL;
    g_autoptr(GDBusServer) server =
        g_dbus_server_new_sync(address, G_DBUS_SERVER_FLAGS_NONE, guid, observer, NULL, &problem);
    if (!server) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                    "cannot listen on control socket %s: %s (see --control-socket)", socket,
                    problem->message);
        return NULL;
    }
    if (!open_to_group(socket, error)) {
        unlink(socket);
        return NULL;
    }
    LvpControlServer *self = g_new0(LvpControlServer, 1);
    self->service = service;
    self->socket = g_strdup(socket);
    self->server = g_steal_pointer(&server);
    g_signal_connect(self->server, "new-connection", G_CALLBACK(accept_connection), self);
    g_dbus_server_start(self->server);
    return self;
}

static void
handle_bus_closed(GDBusConnection *bus, gboolean vanished, GError *error, gpointer data)
{
    (void)bus;
    (void)vanished;
    (void)error;
    (void)data;
    g_warning("the system bus has ended: the API is on the control socket only, until a restart");
}

/* Not through g_bus_own_name(), which cannot tell why a name is not ours, and would wait for one
 * that another process has. */
static gboolean
own_name(GDBusConnection *bus, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GVariant) answer = g_dbus_connection_call_sync(
        bus, DBUS_NAME, "/org/freedesktop/DBus", DBUS_NAME, "RequestName",
        g_variant_new("(su)", BUS_NAME, G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE), G_VARIANT_TYPE("(u)"),
        G_DBUS_CALL_FLAGS_NONE, -1, NULL, &problem);
    if (!answer) {
        g_dbus_error_strip_remote_error(problem);
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                    "--system-bus: name " BUS_NAME " is refused: %s (is the bus policy installed?)",
                    problem->message);
        return FALSE;
    }
    guint result = 0;
    g_variant_get(answer, "(u)", &result);
    if (result == REQUEST_NAME_PRIMARY_OWNER)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY,
                "--system-bus: another process has the name " BUS_NAME " (busctl status " BUS_NAME
                " shows which): stop it first");
    return FALSE;
}

gboolean
lvp_control_server_join_system_bus(LvpControlServer *self, GError **error)
{
    g_autoptr(GError) problem = NULL;
    self->bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, &problem);
    if (!self->bus) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                    "--system-bus: the system bus cannot be reached: %s", problem->message);
        return FALSE;
    }
    g_dbus_connection_set_exit_on_close(self->bus, FALSE);
    g_signal_connect(self->bus, "closed", G_CALLBACK(handle_bus_closed), self);
    return lvp_service_export(self->service, self->bus, error) && own_name(self->bus, error);
}

void
lvp_control_server_free(LvpControlServer *self)
{
    if (!self)
        return;
    if (self->bus)
        g_signal_handlers_disconnect_by_data(self->bus, self);
    g_clear_object(&self->bus);
    /* A client that came in may still be on its way to the main loop. */
    g_signal_handlers_disconnect_by_data(self->server, self);
    g_dbus_server_stop(self->server);
    g_object_unref(self->server);
    unlink(self->socket);
    g_free(self->socket);
    g_free(self);
}
