/* SPDX-License-Identifier: Apache-2.0 */
/* The methods that say what an operation would do. They may look at the host: in a thread. */
#include "machine-dry-run.h"
#include "service-private.h"
#include "service-spec.h"

#include <libvirt-provider/error.h>
#include <string.h>

static GVariant *
run_render(LvpService *self, const LvpServiceCall *call, GError **error)
{
    g_autoptr(GVariant) values = g_variant_get_child_value(call->parameters, 0);
    g_auto(LvpCreation) creation = {0};
    if (!lvp_creation_read(values, &creation, error))
        return NULL;
    g_autofree char *xml = lvp_machine_render(self->jobs, &creation.spec, error);
    return xml ? g_variant_new("(s)", xml) : NULL;
}

static gboolean
handle_render_machine(LvpManager1 *object,
                      GDBusMethodInvocation *invocation,
                      GVariant *values,
                      gpointer data)
{
    (void)object;
    (void)values;
    return lvp_service_queue_call(data, invocation, run_render);
}

static GVariant *
run_try_create(LvpService *self, const LvpServiceCall *call, GError **error)
{
    g_autoptr(GVariant) values = g_variant_get_child_value(call->parameters, 0);
    g_auto(LvpCreation) creation = {0};
    if (!lvp_creation_read(values, &creation, error) ||
        !self->calls.rescan(self->calls.data, error))
        return NULL;
    g_autofree char *summary = lvp_machine_try_create(self->jobs, &creation.spec, error);
    return summary ? g_variant_new("(s)", summary) : NULL;
}

static gboolean
handle_try_create(LvpManager1 *object,
                  GDBusMethodInvocation *invocation,
                  GVariant *values,
                  gpointer data)
{
    (void)object;
    (void)values;
    return lvp_service_queue_call(data, invocation, run_try_create);
}

static GVariant *
run_try_operation(LvpService *self, const LvpServiceCall *call, GError **error)
{
    static const char *const NO_OPTIONS[] = {NULL};
    const char *operation, *name;
    g_autoptr(GVariant) options = NULL;
    g_autofree char *summary = NULL;
    gboolean force = FALSE;
    g_variant_get(call->parameters, "(&s&s@a{sv})", &operation, &name, &options);
    g_variant_lookup(options, "force", "b", &force);
    if (strcmp(operation, "start") == 0)
        summary = lvp_spec_check_keys(options, NO_OPTIONS, error)
                      ? lvp_machine_try_start(self->jobs, name, error)
                      : NULL;
    else if (strcmp(operation, "stop") == 0)
        summary = lvp_spec_check_keys(options, LVP_STOP_OPTIONS, error)
                      ? lvp_machine_try_stop(self->jobs, name, force, error)
                      : NULL;
    else if (strcmp(operation, "delete") == 0)
        summary = lvp_spec_check_keys(options, LVP_DELETE_OPTIONS, error)
                      ? lvp_machine_try_delete(self->jobs, name, error)
                      : NULL;
    else
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "'%s' is no operation: start, stop or delete", operation);
    return summary ? g_variant_new("(s)", summary) : NULL;
}

static gboolean
handle_try_operation(LvpManager1 *object,
                     GDBusMethodInvocation *invocation,
                     const char *operation,
                     const char *name,
                     GVariant *options,
                     gpointer data)
{
    (void)object;
    (void)operation;
    (void)name;
    (void)options;
    return lvp_service_queue_call(data, invocation, run_try_operation);
}

void
lvp_service_connect_dry_runs(LvpService *self)
{
    static const struct {
        const char *signal;
        GCallback handler;
    } HANDLERS[] = {
        {"handle-render-machine", G_CALLBACK(handle_render_machine)},
        {"handle-try-create", G_CALLBACK(handle_try_create)},
        {"handle-try-operation", G_CALLBACK(handle_try_operation)},
    };
    for (guint i = 0; i < G_N_ELEMENTS(HANDLERS); i++)
        g_signal_connect(self->object, HANDLERS[i].signal, HANDLERS[i].handler, self);
}
