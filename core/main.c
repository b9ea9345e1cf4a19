/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt-provider: builds the objects, runs the loop. */
#include "config.h"
#include "control-server.h"
#include "default-template.h"
#include "lib/host-effects.h"
#include "logging.h"
#include "reconcile.h"
#include "setup.h"
#include "standard-files.h"

#include <glib-unix.h>
#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define EXIT_BAD_INPUT 2
#define RECONCILE_INTERVAL_S 60
#define RESCAN_DELAY_MS 500
#define STOP_TIMEOUT_MS 10000

typedef struct {
    char **arguments;
    LvpConfig *config;
    LvpHost *host;
    LvpJournal *journal;
    LvpAllocator *allocator;
    LvpHypervisor *hypervisor;
    LvpMachineJobs jobs;
    LvpJobQueue *queue;
    LvpService *service;
    LvpControlServer *server;
    GThreadPool *observer; /* one thread: what happened to a domain, one after the other */
    GMutex setup_mutex;    /* one setup or rescan at a time */
    GMainLoop *loop;
    guint rescan_source; /* a rescan that was asked for and has not begun; main thread */
    char *boot_id;
} Daemon;

/* ---- the observer thread ---- */

/* Tasks are uuids; these two are none. */
static char ALL_DOMAINS[] = "*";
static char RESCAN[] = "rescan";

static gboolean
rescan(gpointer data, GError **error)
{
    Daemon *self = data;
    g_mutex_lock(&self->setup_mutex);
    gboolean ok = lvp_setup_rescan(self->allocator, error);
    g_mutex_unlock(&self->setup_mutex);
    return ok;
}

static void
observe(gpointer data, gpointer user_data)
{
    Daemon *self = user_data;
    if (data == ALL_DOMAINS) {
        lvp_reconcile_all(&self->jobs);
    } else if (data == RESCAN) {
        g_autoptr(GError) error = NULL;
        if (!rescan(self, &error))
            g_warning("cannot look at the host again: %s", error->message);
    } else {
        lvp_reconcile_domain(&self->jobs, data);
        g_free(data);
    }
}

static void
handle_connection(gpointer data, gboolean connected)
{
    Daemon *self = data;
    if (connected)
        g_thread_pool_push(self->observer, ALL_DOMAINS, NULL);
    else
        lvp_allocator_forget_domain_states(self->allocator);
}

static void
handle_domain(gpointer data, const char *uuid)
{
    Daemon *self = data;
    g_thread_pool_push(self->observer, g_strdup(uuid), NULL);
}

static gboolean
reconcile_again(gpointer data)
{
    Daemon *self = data;
    g_thread_pool_push(self->observer, ALL_DOMAINS, NULL);
    return G_SOURCE_CONTINUE;
}

/* ---- rescans that sources ask for ---- */

static gboolean
begin_rescan(gpointer data)
{
    Daemon *self = data;
    self->rescan_source = 0;
    g_thread_pool_push(self->observer, RESCAN, NULL);
    return G_SOURCE_REMOVE;
}

static gboolean
schedule_rescan(gpointer data)
{
    Daemon *self = data;
    if (self->rescan_source == 0)
        self->rescan_source = g_timeout_add(RESCAN_DELAY_MS, begin_rescan, self);
    return G_SOURCE_REMOVE;
}

static void
handle_rescan_request(gpointer data)
{
    g_main_context_invoke(NULL, schedule_rescan, data);
}

/* ---- configuration ---- */

static gboolean
install_world(Daemon *self, const LvpConfig *config, GError **error)
{
    LvpSourceContextCalls calls = {.request_rescan = handle_rescan_request, .data = self};
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_mutex_lock(&self->setup_mutex);
    gboolean ok =
        lvp_setup_install(config, self->host, &calls, self->allocator, diagnostics, error);
    g_mutex_unlock(&self->setup_mutex);
    if (!ok && lvp_diagnostics_get_count(diagnostics) > 0)
        lvp_diagnostics_check(diagnostics, error);
    return ok;
}

/* Names the settings that only a restart can change, if one has changed. */
static gboolean
check_fixed(const LvpConfig *old, const LvpConfig *new, GError **error)
{
    static const char *const FIXED[] = {"resource-manager-sources",
                                        "source-dir",
                                        "libvirt-uri",
                                        "libvirt-provider-dir",
                                        "host-root",
                                        "control-socket",
                                        "system-bus",
                                        "log-level"};
    for (guint i = 0; i < G_N_ELEMENTS(FIXED); i++) {
        const char *before = lvp_config_get_string(old, FIXED[i]);
        const char *after = lvp_config_get_string(new, FIXED[i]);
        if (g_strcmp0(before, after) == 0)
            continue;
        g_set_error(
            error, LVP_ERROR, LVP_ERROR_NOT_SUPPORTED,
            "%s was '%s' and is '%s' now: only a restart can change it; nothing is reloaded",
            FIXED[i], before, after);
        return FALSE;
    }
    return TRUE;
}

/* Looks at the file of classes, too, so that all mistakes are told at once. */
static gboolean
has_no_mistakes(const LvpConfig *config, LvpDiagnostics *diagnostics)
{
    GPtrArray *classes = lvp_setup_read_classes(config, diagnostics);
    g_clear_pointer(&classes, g_ptr_array_unref);
    return lvp_diagnostics_get_count(diagnostics) == 0;
}

static gboolean
reload(gpointer data, GError **error)
{
    Daemon *self = data;
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpConfig) config =
        lvp_config_read((const char *const *)self->arguments, diagnostics);
    if (!has_no_mistakes(config, diagnostics) && !lvp_diagnostics_check(diagnostics, error))
        return FALSE;
    if (!check_fixed(self->config, config, error) || !install_world(self, config, error))
        return FALSE;
    g_message("configuration is reloaded");
    return TRUE;
}

static void
reload_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    (void)task;
    (void)source;
    (void)cancellable;
    g_autoptr(GError) error = NULL;
    if (!reload(data, &error))
        g_warning("nothing is reloaded: %s", error->message);
}

static gboolean
handle_hangup(gpointer data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, NULL, NULL);
    g_task_set_task_data(task, data, NULL);
    g_task_run_in_thread(task, reload_in_thread);
    return G_SOURCE_CONTINUE;
}

static gboolean
handle_stop(gpointer data)
{
    Daemon *self = data;
    g_main_loop_quit(self->loop);
    return G_SOURCE_CONTINUE;
}

/* ---- life ---- */

/* The order is that of trust: the lock before the journal, what is known before what is offered. */
static gboolean
start(Daemon *self, GError **error)
{
    const LvpConfig *config = self->config;
    self->host = lvp_host_new(lvp_config_get_string(config, "host-root"), error);
    if (!self->host || !lvp_host_lock_provider(self->host, error))
        return FALSE;
    self->boot_id = lvp_host_read_boot_id(self->host);
    self->journal = lvp_journal_open(lvp_config_get_string(config, "libvirt-provider-dir"), error);
    if (!self->journal)
        return FALSE;
    self->allocator = lvp_allocator_new(self->journal, error);
    if (!self->allocator || !install_world(self, config, error))
        return FALSE;
    LvpHypervisorCalls calls = {handle_connection, handle_domain, self};
    self->observer = g_thread_pool_new(observe, self, 1, FALSE, NULL);
    self->hypervisor = lvp_hypervisor_new(lvp_config_get_string(config, "libvirt-uri"), &calls);
    self->jobs =
        (LvpMachineJobs){self->allocator, self->hypervisor, self->boot_id, DEFAULT_TEMPLATE};
    self->queue = lvp_job_queue_new();
    LvpServiceCalls service_calls = {rescan, reload, self};
    self->service = lvp_service_new(&self->jobs, self->queue,
                                    lvp_config_get_string(config, "host-root"), &service_calls);
    self->server = lvp_control_server_new(self->service,
                                          lvp_config_get_string(config, "control-socket"), error);
    if (!self->server)
        return FALSE;
    if (lvp_options_get_boolean(config->core, "system-bus") &&
        !lvp_control_server_join_system_bus(self->server, error))
        return FALSE;
    lvp_hypervisor_connect(self->hypervisor);
    return TRUE;
}

/* A job that the kernel does not let go of is left to the next start, which finds it in the
 * journal. */
static void
stop(Daemon *self)
{
    if (self->queue && !lvp_job_queue_close(self->queue, STOP_TIMEOUT_MS)) {
        g_warning("an operation is still under way: the next start ends it");
        _exit(EXIT_SUCCESS);
    }
    lvp_control_server_free(self->server);
    lvp_service_free(self->service);
    lvp_job_queue_free(self->queue);
    lvp_hypervisor_free(self->hypervisor);
    if (self->observer)
        g_thread_pool_free(self->observer, FALSE, TRUE);
    lvp_allocator_free(self->allocator);
    lvp_journal_close(self->journal);
    lvp_host_free(self->host);
    lvp_config_free(self->config);
    g_free(self->boot_id);
}

static int
run(Daemon *self)
{
    g_autoptr(GError) error = NULL;
    umask(077);
    g_mutex_init(&self->setup_mutex);
    gboolean started = start(self, &error);
    if (started) {
        self->loop = g_main_loop_new(NULL, FALSE);
        g_unix_signal_add(SIGTERM, handle_stop, self);
        g_unix_signal_add(SIGINT, handle_stop, self);
        g_unix_signal_add(SIGHUP, handle_hangup, self);
        g_timeout_add_seconds(RECONCILE_INTERVAL_S, reconcile_again, self);
        g_message("ready on %s", lvp_config_get_string(self->config, "control-socket"));
        sd_notify(0, "READY=1");
        g_main_loop_run(self->loop);
        sd_notify(0, "STOPPING=1");
        g_main_loop_unref(self->loop);
    } else {
        fprintf(stderr, "libvirt-provider: %s\n", error->message);
    }
    gboolean bad_input = error && error->code == LVP_ERROR_INVALID_REQUEST;
    stop(self);
    return started ? EXIT_SUCCESS : bad_input ? EXIT_BAD_INPUT : EXIT_FAILURE;
}

static gboolean
has_flag(char **arguments, const char *flag, const char *letter)
{
    for (guint i = 1; arguments[i] && strcmp(arguments[i], "--") != 0; i++)
        if (strcmp(arguments[i], flag) == 0 || strcmp(arguments[i], letter) == 0)
            return TRUE;
    return FALSE;
}

int
main(int argc, char **argv)
{
    (void)argc;
    lvp_standard_files_fill();
    mallopt(M_ARENA_MAX, 1); /* a dozen threads that mostly wait do not need an arena each */
    setlocale(LC_ALL, "");
    const char *const *arguments = (const char *const *)argv;
    if (has_flag(argv, "--help", "-h")) {
        g_autofree char *help = lvp_config_get_help(arguments);
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    if (has_flag(argv, "--version", "-V")) {
        printf("libvirt-provider %s (source ABI %u)\n", LVP_VERSION, LVP_SOURCE_ABI);
        return EXIT_SUCCESS;
    }
    Daemon self = {.arguments = argv};
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    self.config = lvp_config_read(arguments, diagnostics);
    gboolean ok = has_no_mistakes(self.config, diagnostics);
    if (!ok) {
        g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
        fprintf(stderr, "%s\n", text);
    }
    if (!ok || lvp_options_get_boolean(self.config->core, "check-config")) {
        lvp_config_free(self.config);
        return ok ? EXIT_SUCCESS : EXIT_BAD_INPUT;
    }
    lvp_logging_set_level(lvp_config_get_string(self.config, "log-level"));
    return run(&self);
}
