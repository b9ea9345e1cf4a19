/* SPDX-License-Identifier: Apache-2.0 */
#include "control-case.h"

#include "control-server.h"
#include "ctl/client.h"
#include "service-private.h"
#include "wait-until.h"
#include "world.h"

#include <criterion/criterion.h>
#include <glib-unix.h>
#include <libvirt-provider/error.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the server's process ---- */

static World *world; /* of the server */

static gboolean
rescan(gpointer data, GError **error)
{
    (void)data;
    (void)error;
    world_install(world);
    return TRUE;
}

/* Says how many clients are connected, which the API does not tell. */
static gboolean
refuse_reload(gpointer data, GError **error)
{
    LvpService *const *service = data;
    GDBusInterfaceSkeleton *object = G_DBUS_INTERFACE_SKELETON((*service)->object);
    GList *connections = g_dbus_interface_skeleton_get_connections(object);
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "%u clients",
                g_list_length(connections));
    g_list_free_full(connections, g_object_unref);
    return FALSE;
}

static gboolean
quit(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_CONTINUE;
}

/* The machine named "dies" takes the provider with it. */
static void
die_in_commit(gpointer data, ScriptedSource *source, const char *member)
{
    (void)source;
    (void)data;
    if (strcmp(member, "commit") != 0 || !world_find(world, "dies"))
        return;
    lvp_scratch_free(world->scratch);
    _exit(EXIT_FAILURE);
}

static int
serve(const char *socket)
{
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    LvpService *service = NULL;
    LvpServiceCalls calls = {rescan, refuse_reload, &service};
    world = world_new();
    world_connect(world);
    world->cards->hook = die_in_commit;
    LvpJobQueue *queue = lvp_job_queue_new();
    service = lvp_service_new(&world->jobs, queue, world->events, "/", &calls);
    LvpControlServer *server = lvp_control_server_new(service, socket, NULL);
    if (!server)
        return EXIT_FAILURE;
    g_unix_signal_add(SIGTERM, quit, loop);
    g_main_loop_run(loop);
    gboolean ended = lvp_job_queue_close(queue, 10000);
    lvp_control_server_free(server);
    lvp_service_free(service);
    lvp_job_queue_free(queue);
    world_free(world);
    g_main_loop_unref(loop);
    return ended ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the test's ---- */

void
control_case_init(ControlCase *self)
{
    self->scratch = lvp_scratch_new();
    self->socket = lvp_scratch_get_path(self->scratch, "run/control.sock");
    self->server = 0;
}

static gboolean
answers(gpointer socket)
{
    g_autoptr(LvpClient) client = lvp_client_new(socket, NULL);
    return client != NULL;
}

void
control_case_start(ControlCase *self)
{
    self->server = fork();
    if (self->server == 0)
        _exit(serve(self->socket));
    cr_assert(lvp_wait_until(answers, self->socket), "the server does not answer");
}

void
control_case_stop(ControlCase *self)
{
    int status = 0;
    kill(self->server, SIGTERM);
    waitpid(self->server, &status, 0);
    self->server = 0;
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS, "status %d", status);
}

void
control_case_clear(ControlCase *self)
{
    if (self->server)
        control_case_stop(self);
    g_free(self->socket);
    lvp_scratch_free(self->scratch);
}
