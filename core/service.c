/* SPDX-License-Identifier: Apache-2.0 */
#include "service-private.h"

#include "describe.h"
#include "main-wait.h"

#include <libvirt-provider/error.h>
#include <string.h>

#define MAX_CALLS 4
#define FLUSH_TIMEOUT_MS 1000

/* ---- calls that may block: in a thread, answered from there ---- */

static void
run_call(gpointer data, gpointer user_data)
{
    LvpServiceCall *call = data;
    GError *error = NULL;
    GVariant *answer = call->run(user_data, call, &error);
    if (answer)
        g_dbus_method_invocation_return_value(call->invocation, answer);
    else
        g_dbus_method_invocation_take_error(call->invocation, error);
    g_variant_unref(call->parameters);
    g_free(call);
}

gboolean
lvp_service_queue_call(LvpService *self,
                       GDBusMethodInvocation *invocation,
                       GVariant *(*run)(LvpService *, const LvpServiceCall *, GError **))
{
    LvpServiceCall *call = g_new0(LvpServiceCall, 1);
    call->run = run;
    call->invocation = invocation;
    call->parameters = g_variant_ref(g_dbus_method_invocation_get_parameters(invocation));
    g_thread_pool_push(self->pool, call, NULL);
    return TRUE;
}

/* ---- reading ---- */

typedef struct {
    GVariant *(*describe)(const LvpWorld *world);
    GVariant *rows;
} Reading;

static void
read_rows(const LvpWorld *world, gpointer data)
{
    Reading *reading = data;
    reading->rows = reading->describe(world);
}

static GVariant *
read_world(LvpService *self, GVariant *(*describe)(const LvpWorld *))
{
    Reading reading = {describe, NULL};
    lvp_allocator_read(self->jobs->allocator, read_rows, &reading);
    return reading.rows;
}

static gboolean
handle_list_sources(LvpManager1 *object, GDBusMethodInvocation *invocation, gpointer data)
{
    lvp_manager1_complete_list_sources(object, invocation, read_world(data, lvp_describe_sources));
    return TRUE;
}

static gboolean
handle_list_classes(LvpManager1 *object, GDBusMethodInvocation *invocation, gpointer data)
{
    lvp_manager1_complete_list_classes(object, invocation, read_world(data, lvp_describe_classes));
    return TRUE;
}

static gboolean
handle_list_machines(LvpManager1 *object, GDBusMethodInvocation *invocation, gpointer data)
{
    lvp_manager1_complete_list_machines(object, invocation,
                                        read_world(data, lvp_describe_machines));
    return TRUE;
}

/* What a full discovery found, to be compared with the world. */
typedef struct {
    GPtrArray *sources;
    GPtrArray *snapshots;
    GVariantBuilder rows;
} FullList;

static void
add_unlisted(const LvpWorld *world, gpointer data)
{
    FullList *list = data;
    g_autoptr(GVariant) listed = g_variant_ref_sink(lvp_describe_devices(world));
    for (gsize i = 0; i < g_variant_n_children(listed); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(listed, i);
        g_variant_builder_add_value(&list->rows, row);
    }
    for (guint i = 0; i < list->snapshots->len; i++) {
        const char *source = lvp_source_get_name(g_ptr_array_index(list->sources, i));
        const LvpSnapshot *snapshot = g_ptr_array_index(list->snapshots, i);
        for (guint k = 0; k < snapshot->units->len; k++) {
            GVariant *row =
                lvp_describe_unlisted(world, source, g_ptr_array_index(snapshot->units, k));
            if (row)
                g_variant_builder_add_value(&list->rows, row);
        }
    }
}

/* LvpSnapshot of each of the sources; g_ptr_array_unref(). */
static GPtrArray *
discover_all(GPtrArray *sources, GError **error)
{
    g_autoptr(GPtrArray) snapshots =
        g_ptr_array_new_with_free_func((GDestroyNotify)lvp_snapshot_free);
    for (guint i = 0; i < sources->len; i++) {
        LvpSnapshot *snapshot =
            lvp_source_discover(g_ptr_array_index(sources, i), LVP_DISCOVER_ALL, error);
        if (!snapshot)
            return NULL;
        g_ptr_array_add(snapshots, snapshot);
    }
    return g_steal_pointer(&snapshots);
}

static GVariant *
list_all_devices(LvpService *self, GError **error)
{
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(self->jobs->allocator);
    g_autoptr(GPtrArray) snapshots = discover_all(sources, error);
    if (!snapshots)
        return NULL;
    FullList list = {sources, snapshots, G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"))};
    lvp_allocator_read(self->jobs->allocator, add_unlisted, &list);
    return g_variant_builder_end(&list.rows);
}

static GVariant *
run_list_devices(LvpService *self, const LvpServiceCall *call, GError **error)
{
    gboolean all = FALSE;
    g_variant_get(call->parameters, "(b)", &all);
    if (!self->calls.rescan(self->calls.data, error))
        return NULL;
    GVariant *rows = all ? list_all_devices(self, error) : read_world(self, lvp_describe_devices);
    return rows ? g_variant_new("(@aa{sv})", rows) : NULL;
}

static gboolean
handle_list_devices(LvpManager1 *object,
                    GDBusMethodInvocation *invocation,
                    gboolean all,
                    gpointer data)
{
    (void)object;
    (void)all;
    return lvp_service_queue_call(data, invocation, run_list_devices);
}

typedef struct {
    char *(*explain)(const LvpWorld *world, const char *name);
    const char *name;
    char *text;
} Explanation;

static void
read_explanation(const LvpWorld *world, gpointer data)
{
    Explanation *explanation = data;
    explanation->text = explanation->explain(world, explanation->name);
}

typedef struct {
    const char *source;
    const LvpUnit *unit;
    char *text;
} Unlisted;

static void
read_unlisted(const LvpWorld *world, gpointer data)
{
    Unlisted *unlisted = data;
    unlisted->text = lvp_explain_unlisted(world, unlisted->source, unlisted->unit);
}

/* Of a device that no resource has; NULL without error where no source knows it. g_free(). */
static char *
explain_unlisted(LvpService *self, const char *id, GError **error)
{
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(self->jobs->allocator);
    g_autoptr(GPtrArray) snapshots = discover_all(sources, error);
    for (guint i = 0; snapshots && i < snapshots->len; i++) {
        const LvpSnapshot *snapshot = g_ptr_array_index(snapshots, i);
        for (guint k = 0; k < snapshot->units->len; k++) {
            Unlisted found = {lvp_source_get_name(g_ptr_array_index(sources, i)),
                              g_ptr_array_index(snapshot->units, k), NULL};
            if (strcmp(found.unit->id, id) != 0)
                continue;
            lvp_allocator_read(self->jobs->allocator, read_unlisted, &found);
            return found.text;
        }
    }
    return NULL;
}

static GVariant *
run_explain(LvpService *self, const LvpServiceCall *call, GError **error)
{
    const char *kind, *name;
    g_variant_get(call->parameters, "(&s&s)", &kind, &name);
    Explanation explanation = {NULL, name, NULL};
    if (strcmp(kind, "device") == 0)
        explanation.explain = lvp_explain_device;
    else if (strcmp(kind, "class") == 0)
        explanation.explain = lvp_explain_class;
    else if (strcmp(kind, "machine") == 0)
        explanation.explain = lvp_explain_machine;
    if (explanation.explain)
        lvp_allocator_read(self->jobs->allocator, read_explanation, &explanation);
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = explanation.text;
    if (!text && explanation.explain == lvp_explain_device)
        text = explain_unlisted(self, name, &problem);
    if (text)
        return g_variant_new("(s)", text);
    if (problem)
        g_propagate_error(error, g_steal_pointer(&problem));
    else
        g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND, "no %s '%s'", kind, name);
    return NULL;
}

static gboolean
handle_explain(LvpManager1 *object,
               GDBusMethodInvocation *invocation,
               const char *kind,
               const char *name,
               gpointer data)
{
    (void)object;
    (void)kind;
    (void)name;
    return lvp_service_queue_call(data, invocation, run_explain);
}

static void
add_counts(const LvpWorld *world, gpointer data)
{
    GVariantBuilder *status = data;
    GVariantBuilder names = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("as"));
    for (guint i = 0; i < world->sources->len; i++)
        g_variant_builder_add(&names, "s",
                              lvp_source_get_name(g_ptr_array_index(world->sources, i)));
    g_variant_builder_add(status, "{sv}", "sources", g_variant_builder_end(&names));
    guint devices = lvp_inventory_get_units(world->inventory)->len;
    g_variant_builder_add(status, "{sv}", "devices", g_variant_new_uint32(devices));
    g_variant_builder_add(status, "{sv}", "classes", g_variant_new_uint32(world->classes->len));
    g_variant_builder_add(status, "{sv}", "machines", g_variant_new_uint32(world->machines->len));
}

static gboolean
handle_get_status(LvpManager1 *object, GDBusMethodInvocation *invocation, gpointer data)
{
    LvpService *self = data;
    g_autofree char *problem = lvp_hypervisor_dup_problem(self->jobs->hypervisor);
    g_autofree char *libvirt =
        problem ? g_strdup_printf("not reachable: %s (" LVP_HYPERVISOR_HINT ")", problem)
                : g_strdup("connected");
    const char *uri = lvp_hypervisor_get_uri(self->jobs->hypervisor);
    GVariantBuilder status = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&status, "{sv}", "version", g_variant_new_string(LVP_VERSION));
    g_variant_builder_add(&status, "{sv}", "hostRoot", g_variant_new_string(self->host_root));
    g_variant_builder_add(&status, "{sv}", "libvirtUri", g_variant_new_string(uri));
    g_variant_builder_add(&status, "{sv}", "libvirt", g_variant_new_string(libvirt));
    lvp_allocator_read(self->jobs->allocator, add_counts, &status);
    lvp_manager1_complete_get_status(object, invocation, g_variant_builder_end(&status));
    return TRUE;
}

/* ---- events ---- */

static GVariant *
run_list_events(LvpService *self, const LvpServiceCall *call, GError **error)
{
    gint64 after = 0;
    guint max = 0;
    g_variant_get(call->parameters, "(xu)", &after, &max);
    g_autoptr(GPtrArray) events = lvp_events_list(self->events, after, max, error);
    if (!events)
        return NULL;
    GVariantBuilder rows = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < events->len; i++)
        g_variant_builder_add_value(&rows, lvp_event_to_row(g_ptr_array_index(events, i)));
    return g_variant_new("(@aa{sv})", g_variant_builder_end(&rows));
}

static gboolean
handle_list_events(
    LvpManager1 *object, GDBusMethodInvocation *invocation, gint64 after, guint max, gpointer data)
{
    (void)object, (void)after, (void)max;
    return lvp_service_queue_call(data, invocation, run_list_events);
}

static void
send_event(gpointer data, const LvpEvent *event)
{
    LvpService *self = data;
    lvp_manager1_emit_event(self->object, lvp_event_to_row(event));
}

/* ---- the rest ---- */

static GVariant *
run_reload(LvpService *self, const LvpServiceCall *call, GError **error)
{
    (void)call;
    return self->calls.reload(self->calls.data, error) ? g_variant_new("()") : NULL;
}

static gboolean
handle_reload(LvpManager1 *object, GDBusMethodInvocation *invocation, gpointer data)
{
    (void)object;
    return lvp_service_queue_call(data, invocation, run_reload);
}

/* ---- life ---- */

LvpService *
lvp_service_new(const LvpMachineJobs *jobs,
                LvpJobQueue *queue,
                LvpEvents *events,
                const char *host_root,
                const LvpServiceCalls *calls)
{
    static const struct {
        const char *signal;
        GCallback handler;
    } HANDLERS[] = {
        {"handle-list-sources", G_CALLBACK(handle_list_sources)},
        {"handle-list-devices", G_CALLBACK(handle_list_devices)},
        {"handle-list-classes", G_CALLBACK(handle_list_classes)},
        {"handle-list-machines", G_CALLBACK(handle_list_machines)},
        {"handle-explain", G_CALLBACK(handle_explain)},
        {"handle-get-status", G_CALLBACK(handle_get_status)},
        {"handle-list-events", G_CALLBACK(handle_list_events)},
        {"handle-reload", G_CALLBACK(handle_reload)},
    };
    LvpService *self = g_new0(LvpService, 1);
    self->jobs = jobs;
    self->queue = queue;
    self->events = events;
    self->host_root = g_strdup(host_root);
    self->calls = *calls;
    self->object = lvp_manager1_skeleton_new();
    self->pool = g_thread_pool_new(run_call, self, MAX_CALLS, FALSE, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(HANDLERS); i++)
        g_signal_connect(self->object, HANDLERS[i].signal, HANDLERS[i].handler, self);
    lvp_service_connect_machines(self);
    lvp_events_set_listener(events, send_event, self);
    lvp_service_connect_dry_runs(self);
    return self;
}

/* Outlives the wait for it: a client that does not read keeps its flush for ever. */
static void
handle_flushed(GObject *connection, GAsyncResult *result, gpointer data)
{
    guint *n_pending = data;
    g_autoptr(GError) error = NULL;
    if (!g_dbus_connection_flush_finish(G_DBUS_CONNECTION(connection), result, &error))
        g_debug("a client has gone before it was told all: %s", error->message);
    (*n_pending)--;
    g_rc_box_release(n_pending);
}

static gboolean
is_zero(gconstpointer data)
{
    return *(const guint *)data == 0;
}

/* Takes CONNECTIONS. */
static void
flush(GList *connections, guint timeout_ms)
{
    guint *n_pending = g_rc_box_new0(guint);
    for (const GList *each = connections; each; each = each->next, (*n_pending)++)
        g_dbus_connection_flush(each->data, NULL, handle_flushed, g_rc_box_acquire(n_pending));
    lvp_main_wait(is_zero, n_pending, timeout_ms);
    g_rc_box_release(n_pending);
    g_list_free_full(connections, g_object_unref);
}

void
lvp_service_flush(LvpService *self, guint timeout_ms)
{
    flush(g_dbus_interface_skeleton_get_connections(G_DBUS_INTERFACE_SKELETON(self->object)),
          timeout_ms);
}

void
lvp_service_free(LvpService *self)
{
    if (!self)
        return;
    lvp_events_set_listener(self->events, NULL, NULL);
    GDBusInterfaceSkeleton *object = G_DBUS_INTERFACE_SKELETON(self->object);
    GList *connections = g_dbus_interface_skeleton_get_connections(object);
    if (connections)
        g_dbus_interface_skeleton_unexport(object);
    g_thread_pool_free(self->pool, FALSE, TRUE);
    flush(connections, FLUSH_TIMEOUT_MS);
    g_object_unref(self->object);
    g_free(self->host_root);
    g_free(self);
}

/* Else the object would keep the connections of all clients that ever were. */
static void
withdraw(GDBusConnection *connection, gboolean vanished, GError *error, gpointer data)
{
    (void)vanished;
    (void)error;
    GDBusInterfaceSkeleton *object = data;
    if (g_dbus_interface_skeleton_has_connection(object, connection))
        g_dbus_interface_skeleton_unexport_from_connection(object, connection);
}

gboolean
lvp_service_export(LvpService *self, GDBusConnection *connection, GError **error)
{
    g_signal_connect_object(connection, "closed", G_CALLBACK(withdraw), self->object, 0);
    return g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(self->object), connection,
                                            LVP_OBJECT_PATH, error);
}
