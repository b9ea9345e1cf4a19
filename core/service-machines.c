/* SPDX-License-Identifier: Apache-2.0 */
/* The methods that change machines and devices: what came in is checked at once, what takes long
 * becomes a job. Without effect: service-dry-run.c. */
#include "service-private.h"

#include "describe.h"
#include "service-spec.h"

#include <libvirt-provider/error.h>

#define DEFAULT_STOP_SECONDS 60

/* ---- jobs ---- */

typedef struct {
    const LvpMachineJobs *jobs;
    const LvpServiceCalls *calls;
    GVariant *parameters;
} JobData;

static void
free_job_data(gpointer data)
{
    JobData *job = data;
    g_variant_unref(job->parameters);
    g_free(job);
}

static gboolean
start_job(LvpService *self,
          GDBusMethodInvocation *invocation,
          const char *operation,
          const char *subject,
          LvpJobFunc func)
{
    GError *error = NULL;
    JobData *data = g_new0(JobData, 1);
    data->jobs = self->jobs;
    data->calls = &self->calls;
    data->parameters = g_variant_ref(g_dbus_method_invocation_get_parameters(invocation));
    g_autofree char *path =
        lvp_job_queue_start(self->queue, g_dbus_method_invocation_get_connection(invocation),
                            operation, subject, func, data, free_job_data, &error);
    if (path)
        g_dbus_method_invocation_return_value(invocation, g_variant_new("(o)", path));
    else
        g_dbus_method_invocation_take_error(invocation, error);
    return TRUE;
}

typedef struct {
    const char *name;
    GVariant *row;
} MachineRow;

static void
read_machine_row(const LvpWorld *world, gpointer data)
{
    MachineRow *reading = data;
    reading->row = lvp_describe_machine(world, reading->name);
}

/* The drivers of devices have changed hands; a look that fails is told by the next one. */
static void
look_again(const JobData *job)
{
    g_autoptr(GError) error = NULL;
    if (!job->calls->rescan(job->calls->data, &error))
        g_warning("cannot look at the host again: %s", error->message);
}

static gboolean
run_create(gpointer data, const LvpProgress *progress, GVariant **ret_result, GError **error)
{
    const JobData *job = data;
    g_autoptr(GVariant) values = g_variant_get_child_value(job->parameters, 0);
    g_auto(LvpCreation) creation = {0};
    if (!lvp_creation_read(values, &creation, error))
        return FALSE;
    GError *problem = NULL;
    g_autoptr(LvpMachine) machine =
        lvp_machine_create(job->jobs, &creation.spec, progress, &problem);
    look_again(job);
    /* What the host has let go of since the last look is free now. */
    if (g_error_matches(problem, LVP_ERROR, LVP_ERROR_NO_CAPACITY)) {
        g_clear_error(&problem);
        machine = lvp_machine_create(job->jobs, &creation.spec, progress, &problem);
    }
    if (problem)
        g_propagate_error(error, problem);
    if (!machine)
        return FALSE;
    MachineRow reading = {machine->uuid, NULL};
    lvp_allocator_read(job->jobs->allocator, read_machine_row, &reading);
    *ret_result = reading.row;
    return TRUE;
}

static gboolean
handle_create_machine(LvpManager1 *object,
                      GDBusMethodInvocation *invocation,
                      GVariant *values,
                      gpointer data)
{
    (void)object;
    g_auto(LvpCreation) creation = {0};
    GError *error = NULL;
    if (!lvp_creation_read(values, &creation, &error) ||
        !lvp_machine_check_name(creation.spec.name, &error)) {
        g_dbus_method_invocation_take_error(invocation, error);
        return TRUE;
    }
    return start_job(data, invocation, "create", creation.spec.name, run_create);
}

static gboolean
run_start(gpointer data, const LvpProgress *progress, GVariant **ret_result, GError **error)
{
    (void)ret_result;
    const JobData *job = data;
    const char *name;
    g_variant_get(job->parameters, "(&s)", &name);
    return lvp_machine_start(job->jobs, name, progress, error);
}

static gboolean
handle_start_machine(LvpManager1 *object,
                     GDBusMethodInvocation *invocation,
                     const char *name,
                     gpointer data)
{
    (void)object;
    return start_job(data, invocation, "start", name, run_start);
}

static gboolean
run_stop(gpointer data, const LvpProgress *progress, GVariant **ret_result, GError **error)
{
    (void)ret_result;
    const JobData *job = data;
    const char *name;
    gboolean force = FALSE;
    guint seconds = DEFAULT_STOP_SECONDS;
    g_autoptr(GVariant) options = NULL;
    g_variant_get(job->parameters, "(&s@a{sv})", &name, &options);
    g_variant_lookup(options, "force", "b", &force);
    g_variant_lookup(options, "timeoutSeconds", "u", &seconds);
    guint timeout_ms = MIN(seconds, 86400) * 1000;
    return lvp_machine_stop(job->jobs, name, force, timeout_ms, progress, error);
}

static gboolean
handle_stop_machine(LvpManager1 *object,
                    GDBusMethodInvocation *invocation,
                    const char *name,
                    GVariant *options,
                    gpointer data)
{
    (void)object;
    GError *error = NULL;
    if (lvp_spec_check_keys(options, LVP_STOP_OPTIONS, &error))
        return start_job(data, invocation, "stop", name, run_stop);
    g_dbus_method_invocation_take_error(invocation, error);
    return TRUE;
}

static gboolean
run_delete(gpointer data, const LvpProgress *progress, GVariant **ret_result, GError **error)
{
    (void)ret_result;
    const JobData *job = data;
    const char *name;
    gboolean keep_nvram = FALSE;
    g_autoptr(GVariant) options = NULL;
    g_variant_get(job->parameters, "(&s@a{sv})", &name, &options);
    g_variant_lookup(options, "keepNvram", "b", &keep_nvram);
    gboolean ok = lvp_machine_delete(job->jobs, name, keep_nvram, progress, error);
    look_again(job);
    return ok;
}

static gboolean
handle_delete_machine(LvpManager1 *object,
                      GDBusMethodInvocation *invocation,
                      const char *name,
                      GVariant *options,
                      gpointer data)
{
    (void)object;
    GError *error = NULL;
    if (lvp_spec_check_keys(options, LVP_DELETE_OPTIONS, &error))
        return start_job(data, invocation, "delete", name, run_delete);
    g_dbus_method_invocation_take_error(invocation, error);
    return TRUE;
}

static gboolean
run_release(gpointer data, const LvpProgress *progress, GVariant **ret_result, GError **error)
{
    (void)ret_result;
    const JobData *job = data;
    const char *device;
    gboolean force;
    g_variant_get(job->parameters, "(&sb)", &device, &force);
    progress->say(progress->data, "putting the device back");
    gboolean ok = lvp_device_release(job->jobs, device, force, error);
    look_again(job);
    return ok;
}

static gboolean
handle_release_device(LvpManager1 *object,
                      GDBusMethodInvocation *invocation,
                      const char *device,
                      gboolean force,
                      gpointer data)
{
    (void)object;
    (void)force;
    return start_job(data, invocation, "release", device, run_release);
}

static GVariant *
run_set_cordoned(LvpService *self, const LvpServiceCall *call, GError **error)
{
    const char *device;
    gboolean cordoned;
    g_variant_get(call->parameters, "(&sb)", &device, &cordoned);
    gboolean ok = lvp_allocator_set_cordoned(self->jobs->allocator, device, cordoned, error);
    return ok ? g_variant_new("()") : NULL;
}

static gboolean
handle_set_cordoned(LvpManager1 *object,
                    GDBusMethodInvocation *invocation,
                    const char *device,
                    gboolean cordoned,
                    gpointer data)
{
    (void)object;
    (void)device;
    (void)cordoned;
    return lvp_service_queue_call(data, invocation, run_set_cordoned);
}

void
lvp_service_connect_machines(LvpService *self)
{
    static const struct {
        const char *signal;
        GCallback handler;
    } HANDLERS[] = {
        {"handle-create-machine", G_CALLBACK(handle_create_machine)},
        {"handle-start-machine", G_CALLBACK(handle_start_machine)},
        {"handle-stop-machine", G_CALLBACK(handle_stop_machine)},
        {"handle-delete-machine", G_CALLBACK(handle_delete_machine)},
        {"handle-set-cordoned", G_CALLBACK(handle_set_cordoned)},
        {"handle-release-device", G_CALLBACK(handle_release_device)},
    };
    for (guint i = 0; i < G_N_ELEMENTS(HANDLERS); i++)
        g_signal_connect(self->object, HANDLERS[i].signal, HANDLERS[i].handler, self);
}
