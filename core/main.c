/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt-provider: builds the objects, runs the loop. */
#include "config.h"
#include "control-server.h"
#include "default-template.h"
#include "domain-xml.h"
#include "lib/host-effects.h"
#include "logging.h"
#include "reconcile.h"
#include "setup.h"
#include "standard-files.h"

#include <errno.h>
#include <glib-unix.h>
#include <gudev/gudev.h>
#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define EXIT_BAD_INPUT 2
/* How soon host, libvirt and journal are compared again after what happened. */
#define PASS_INTERVAL_MS 60000
#define PASS_AFTER_DOMAIN_MS 100
#define PASS_AFTER_DEVICE_MS 500
#define PASS_WHILE_BLOCKED_MS 2000
#define STOP_TIMEOUT_MS 10000
#define FLUSH_TIMEOUT_MS 1000

typedef struct {
    char **arguments;
    LvpConfig *config;
    LvpHost *host;
    LvpJournal *journal;
    LvpEvents *events;
    LvpAllocator *allocator;
    LvpHypervisor *hypervisor;
    LvpMachineJobs jobs;
    LvpJobQueue *queue;
    LvpService *service;
    LvpControlServer *server;
    GThreadPool *observer; /* one thread: what happened to a domain, one after the other */
    GMainLoop *loop;
    int stopping;       /* atomic: nothing is begun any more */
    GUdevClient *udev;  /* NULL on a made host tree */
    guint pass_source;  /* the next pass; main thread */
    gint64 pass_due_us; /* when it is */
    char *boot_id;
} Daemon;

/* ---- the observer thread: passes, and what happened to a domain, one after the other ---- */

/* Tasks are uuids; this one is none. */
static char PASS[] = "pass", RELOAD[] = "reload";

static gboolean
rescan(gpointer data, GError **error)
{
    const Daemon *self = data;
    return lvp_setup_rescan(self->allocator, error);
}

static void schedule_pass(Daemon *self, guint delay_ms);
static void reload_or_warn(Daemon *self);

static gboolean
handle_blocked(gpointer data)
{
    schedule_pass(data, PASS_WHILE_BLOCKED_MS);
    return G_SOURCE_REMOVE;
}

static void
run_pass(Daemon *self)
{
    g_autoptr(GError) error = NULL;
    if (!rescan(self, &error))
        g_warning("cannot look at the host again: %s", error->message);
    if (lvp_reconcile_all(&self->jobs))
        g_idle_add(handle_blocked, self);
}

/* WHAT: PASS, RELOAD, or the uuid of a domain. */
static void
look(Daemon *self, const char *what)
{
    if (what == RELOAD) {
        reload_or_warn(self);
    } else if (what == PASS) {
        run_pass(self);
        malloc_trim(0); /* a pass follows each operation, which needs more than all that stays */
    } else {
        lvp_reconcile_domain(&self->jobs, what);
    }
}

static void
observe(gpointer data, gpointer user_data)
{
    Daemon *self = user_data;
    if (!g_atomic_int_get(&self->stopping))
        look(self, data);
    if (data != PASS && data != RELOAD)
        g_free(data);
}

/* ---- when passes are made; main thread ---- */

static gboolean
begin_pass(gpointer data)
{
    Daemon *self = data;
    self->pass_source = 0;
    if (g_atomic_int_get(&self->stopping))
        return G_SOURCE_REMOVE;
    schedule_pass(self, PASS_INTERVAL_MS);
    g_thread_pool_push(self->observer, PASS, NULL);
    return G_SOURCE_REMOVE;
}

/* One pass stands for all that ask for one before it begins. */
static void
schedule_pass(Daemon *self, guint delay_ms)
{
    gint64 due_us = g_get_monotonic_time() + (gint64)delay_ms * 1000;
    if (self->pass_source != 0 && self->pass_due_us <= due_us)
        return;
    if (self->pass_source != 0)
        g_source_remove(self->pass_source);
    self->pass_due_us = due_us;
    self->pass_source = g_timeout_add(delay_ms, begin_pass, self);
}

static gboolean
handle_device_change(gpointer data)
{
    schedule_pass(data, PASS_AFTER_DEVICE_MS);
    return G_SOURCE_REMOVE;
}

static gboolean
handle_domain_change(gpointer data)
{
    schedule_pass(data, PASS_AFTER_DOMAIN_MS);
    return G_SOURCE_REMOVE;
}

static gboolean
handle_new_connection(gpointer data)
{
    schedule_pass(data, 0);
    return G_SOURCE_REMOVE;
}

static void
handle_connection(gpointer data, gboolean connected)
{
    Daemon *self = data;
    if (connected)
        g_idle_add(handle_new_connection, self);
    else
        lvp_allocator_forget_domain_states(self->allocator);
}

static void
handle_domain(gpointer data, const char *uuid)
{
    Daemon *self = data;
    g_thread_pool_push(self->observer, g_strdup(uuid), NULL);
    g_idle_add(handle_domain_change, self);
}

static void
handle_rescan_request(gpointer data)
{
    g_idle_add(handle_device_change, data);
}

static void
handle_uevent(GUdevClient *client, const char *action, GUdevDevice *device, gpointer data)
{
    (void)client;
    (void)action;
    (void)device;
    schedule_pass(data, PASS_AFTER_DEVICE_MS);
}

/* The kernel tells of devices that come, go, or change their driver. */
static void
watch_devices(Daemon *self)
{
    static const char *const SUBSYSTEMS[] = {"pci", NULL};
    if (strcmp(lvp_config_get_string(self->config, "host-root"), "/") != 0)
        return;
    self->udev = g_udev_client_new(SUBSYSTEMS);
    g_signal_connect(self->udev, "uevent", G_CALLBACK(handle_uevent), self);
}

/* ---- configuration ---- */

static gboolean
install_world(Daemon *self, const LvpConfig *config, GError **error)
{
    LvpSourceContextCalls calls = {.request_rescan = handle_rescan_request, .data = self};
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    gboolean ok =
        lvp_setup_install(config, self->host, &calls, self->allocator, diagnostics, error);
    if (!ok && lvp_diagnostics_get_count(diagnostics) > 0)
        lvp_diagnostics_check(diagnostics, error);
    return ok;
}

/* Names the settings that only a restart can change, if one has changed. */
static gboolean
check_fixed(const LvpConfig *old, const LvpConfig *new, GError **error)
{
    static const char *const FIXED[] = {"resource-manager-sources", "source-dir", "libvirt-uri",
                                        "libvirt-provider-dir",     "host-root",  "orphan-grace",
                                        "control-socket",           "system-bus", "log-level"};
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
    handle_rescan_request(self);
    return TRUE;
}

static void
reload_or_warn(Daemon *self)
{
    g_autoptr(GError) error = NULL;
    if (!reload(self, &error))
        g_warning("nothing is reloaded: %s", error->message);
}

static gboolean
handle_hangup(gpointer data)
{
    const Daemon *self = data;
    g_thread_pool_push(self->observer, RELOAD, NULL);
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

static gboolean
lock_host(const Daemon *self, GError **error)
{
    GError *problem = NULL;
    if (lvp_host_lock_provider(self->host, &problem))
        return TRUE;
    if (problem->code == LVP_ERROR_BUSY) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    g_set_error(error, LVP_ERROR, problem->code, "%s: %s", problem->message,
                geteuid() == 0
                    ? "the daemon must be able to write there, see --host-root"
                    : "run it as root, or, to try it, with --host-root on a folder of your own");
    g_error_free(problem);
    return FALSE;
}

/* The order is that of trust: the lock before the journal, what is known before what is offered. */
static gboolean
start(Daemon *self, GError **error)
{
    const LvpConfig *config = self->config;
    self->host = lvp_host_new(lvp_config_get_string(config, "host-root"), error);
    if (!self->host || !lock_host(self, error))
        return FALSE;
    self->boot_id = lvp_host_read_boot_id(self->host);
    self->journal = lvp_journal_open(lvp_config_get_string(config, "libvirt-provider-dir"), error);
    if (!self->journal ||
        !lvp_journal_claim_host(self->journal, lvp_config_get_string(config, "host-root"), error))
        return FALSE;
    self->events = lvp_events_new(self->journal, error);
    self->allocator = self->events ? lvp_allocator_new(self->journal, error) : NULL;
    if (!self->allocator)
        return FALSE;
    lvp_allocator_set_events(self->allocator, self->events);
    if (!install_world(self, config, error))
        return FALSE;
    LvpHypervisorCalls calls = {handle_connection, handle_domain, self};
    self->observer = g_thread_pool_new(observe, self, 1, FALSE, NULL);
    self->hypervisor = lvp_hypervisor_new(lvp_config_get_string(config, "libvirt-uri"), &calls);
    gint64 grace_us = lvp_options_get_integer(config->core, "orphan-grace") * G_USEC_PER_SEC;
    self->jobs = (LvpMachineJobs){
        self->allocator, self->hypervisor,     self->boot_id,
        grace_us,        g_get_monotonic_time, DEFAULT_TEMPLATE,
    };
    self->queue = lvp_job_queue_new();
    LvpServiceCalls service_calls = {rescan, reload, self};
    self->service = lvp_service_new(&self->jobs, self->queue, self->events,
                                    lvp_config_get_string(config, "host-root"), &service_calls);
    self->server = lvp_control_server_new(self->service,
                                          lvp_config_get_string(config, "control-socket"), error);
    if (!self->server)
        return FALSE;
    if (lvp_options_get_boolean(config->core, "system-bus") &&
        !lvp_control_server_join_system_bus(self->server, error))
        return FALSE;
    lvp_hypervisor_connect(self->hypervisor);
    watch_devices(self);
    return TRUE;
}

/* What runs is ended and answered first. A job that the kernel does not let go of is left to the
 * next start, which finds it in the journal. */
static void
stop(Daemon *self)
{
    g_atomic_int_set(&self->stopping, TRUE);
    if (self->queue && !lvp_job_queue_close(self->queue, STOP_TIMEOUT_MS)) {
        g_warning("an operation is still under way: the next start ends it");
        lvp_service_flush(self->service, FLUSH_TIMEOUT_MS);
        _exit(EXIT_SUCCESS);
    }
    g_clear_object(&self->udev);
    if (self->observer) /* before all that a pass or a reload uses */
        g_thread_pool_free(self->observer, FALSE, TRUE);
    lvp_control_server_free(self->server);
    lvp_service_free(self->service);
    lvp_job_queue_free(self->queue);
    lvp_hypervisor_free(self->hypervisor);
    lvp_events_free(self->events);
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
    lvp_domain_xml_init();
    umask(077);
    gboolean started = start(self, &error);
    if (started) {
        self->loop = g_main_loop_new(NULL, FALSE);
        g_unix_signal_add(SIGTERM, handle_stop, self);
        g_unix_signal_add(SIGINT, handle_stop, self);
        g_unix_signal_add(SIGHUP, handle_hangup, self);
        schedule_pass(self, PASS_INTERVAL_MS);
        g_message("ready on %s", lvp_config_get_string(self->config, "control-socket"));
        sd_notify(0, "READY=1");
        g_main_loop_run(self->loop);
        sd_notify(0, "STOPPING=1");
    } else {
        fprintf(stderr, "libvirt-provider: %s\n", error->message);
    }
    gboolean bad_input = error && error->code == LVP_ERROR_INVALID_REQUEST;
    stop(self);
    g_clear_pointer(&self->loop, g_main_loop_unref);
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

/* The end of --help and --version. */
static int
print(const char *text)
{
    if (fputs(text, stdout) != EOF && fflush(stdout) == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "libvirt-provider: cannot write the output: %s\n", g_strerror(errno));
    return EXIT_FAILURE;
}

static int
print_mistakes(const LvpDiagnostics *diagnostics)
{
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    fprintf(stderr, "%s\n", text);
    return EXIT_BAD_INPUT;
}

static int
print_help(const char *const *arguments, gboolean version)
{
    g_autoptr(LvpDiagnostics) mistakes = lvp_diagnostics_new();
    lvp_config_check_words(arguments, mistakes);
    if (lvp_diagnostics_get_count(mistakes) > 0)
        return print_mistakes(mistakes);
    g_autofree char *text = version ? g_strdup_printf("libvirt-provider %s (source ABI %u)\n",
                                                      LVP_VERSION, LVP_SOURCE_ABI)
                                    : lvp_config_get_help(arguments);
    return print(text);
}

int
main(int argc, char **argv)
{
    (void)argc;
    lvp_standard_files_fill();
    mallopt(M_ARENA_MAX, 1); /* a dozen threads that mostly wait do not need an arena each */
    setlocale(LC_ALL, "");
    g_set_prgname("libvirt-provider"); /* the help begins with it */
    const char *const *arguments = (const char *const *)argv;
    gboolean help = has_flag(argv, "--help", "-h");
    if (help || has_flag(argv, "--version", "-V"))
        return print_help(arguments, !help);
    Daemon self = {.arguments = argv};
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    self.config = lvp_config_read(arguments, diagnostics);
    gboolean ok = has_no_mistakes(self.config, diagnostics);
    if (!ok)
        print_mistakes(diagnostics);
    if (!ok || lvp_options_get_boolean(self.config->core, "check-config")) {
        lvp_config_free(self.config);
        return ok ? EXIT_SUCCESS : EXIT_BAD_INPUT;
    }
    lvp_logging_set_level(lvp_config_get_string(self.config, "log-level"));
    return run(&self);
}
