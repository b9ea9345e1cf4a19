/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include "describe.h"
#include "org.libvirtprovider.h"

#include <libvirt-provider/error.h>
#include <string.h>

#define MAX_CALLS 4
#define DEFAULT_STOP_SECONDS 60

struct LvpService {
    const LvpMachineJobs *jobs;
    LvpJobQueue *queue;
    char *host_root;
    LvpServiceCalls calls;
    LvpManager1 *object;
    GThreadPool *pool; /* calls that may block */
};

/* ---- calls that may block: in a thread, answered from there ---- */

typedef struct Call Call;
struct Call {
    GVariant *(*run)(LvpService *self, const Call *call, GError **error);
    GDBusMethodInvocation *invocation;
    GVariant *parameters;
};

static void
run_call(gpointer data, gpointer user_data)
{
    Call *call = data;
    GError *error = NULL;
    GVariant *answer = call->run(user_data, call, &error);
    if (answer)
        g_dbus_method_invocation_return_value(call->invocation, answer);
    else
        g_dbus_method_invocation_take_error(call->invocation, error);
    g_variant_unref(call->parameters);
    g_free(call);
}

static gboolean
queue_call(LvpService *self,
           GDBusMethodInvocation *invocation,
           GVariant *(*run)(LvpService *, const Call *, GError **))
{
    Call *call = g_new0(Call, 1);
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

static GVariant *
list_all_devices(LvpService *self, GError **error)
{
    g_autoptr(GPtrArray) sources = lvp_allocator_dup_sources(self->jobs->allocator);
    g_autoptr(GPtrArray) snapshots =
        g_ptr_array_new_with_free_func((GDestroyNotify)lvp_snapshot_free);
    for (guint i = 0; i < sources->len; i++) {
        LvpSnapshot *snapshot =
            lvp_source_discover(g_ptr_array_index(sources, i), LVP_DISCOVER_ALL, error);
        if (!snapshot)
            return NULL;
        g_ptr_array_add(snapshots, snapshot);
    }
    FullList list = {sources, snapshots, G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"))};
    lvp_allocator_read(self->jobs->allocator, add_unlisted, &list);
    return g_variant_builder_end(&list.rows);
}

static GVariant *
run_list_devices(LvpService *self, const Call *call, GError **error)
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
    return queue_call(data, invocation, run_list_devices);
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

static gboolean
handle_explain(LvpManager1 *object,
               GDBusMethodInvocation *invocation,
               const char *kind,
               const char *name,
               gpointer data)
{
    LvpService *self = data;
    Explanation explanation = {NULL, name, NULL};
    if (strcmp(kind, "device") == 0)
        explanation.explain = lvp_explain_device;
    else if (strcmp(kind, "class") == 0)
        explanation.explain = lvp_explain_class;
    else if (strcmp(kind, "machine") == 0)
        explanation.explain = lvp_explain_machine;
    if (explanation.explain)
        lvp_allocator_read(self->jobs->allocator, read_explanation, &explanation);
    if (explanation.text)
        lvp_manager1_complete_explain(object, invocation, explanation.text);
    else
        g_dbus_method_invocation_return_error(invocation, LVP_ERROR, LVP_ERROR_NOT_FOUND,
                                              "no %s '%s'", kind, name);
    g_free(explanation.text);
    return TRUE;
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
        problem ? g_strdup_printf("not reachable: %s", problem) : g_strdup("connected");
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

/* ---- specifications ---- */

/* A create as it came in; borrows from PARAMETERS. */
typedef struct {
    GVariant *values; /* a{sv} */
    LvpCreateSpec spec;
} Creation;

static void
clear_creation(Creation *self)
{
    g_clear_pointer(&self->spec.labels, g_variant_unref);
    g_clear_pointer(&self->spec.annotations, g_variant_unref);
    g_clear_pointer(&self->values, g_variant_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Creation, clear_creation)

/* Reports keys that are unknown or of another type, so that no wish is silently lost. */
static gboolean
check_keys(GVariant *values, const char *const *known, GError **error)
{
    GVariantIter iter;
    const char *key;
    GVariant *value;
    gboolean ok = TRUE;
    g_variant_iter_init(&iter, values);
    while (ok && g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        const char *type = NULL;
        for (guint i = 0; known[i]; i += 2)
            if (strcmp(known[i], key) == 0)
                type = known[i + 1];
        ok = type && g_variant_is_of_type(value, G_VARIANT_TYPE(type));
        if (!ok)
            g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                        type ? "'%s' must be of D-Bus type %s" : "unknown key '%s'", key, type);
        g_variant_unref(value);
    }
    return ok;
}

static GVariant *
look_up_map(GVariant *values, const char *key)
{
    GVariant *map = g_variant_lookup_value(values, key, G_VARIANT_TYPE("a{ss}"));
    return map ? map : g_variant_ref_sink(g_variant_new("a{ss}", NULL));
}

static gboolean
read_creation(GVariant *values, Creation *creation, GError **error)
{
    static const char *const KNOWN[] = {"name",        "s",        "class", "s",      "uuid",
                                        "s",           "template", "s",     "labels", "a{ss}",
                                        "annotations", "a{ss}",    "start", "b",      NULL};
    if (!check_keys(values, KNOWN, error))
        return FALSE;
    creation->values = g_variant_ref(values);
    creation->spec.labels = look_up_map(values, "labels");
    creation->spec.annotations = look_up_map(values, "annotations");
    creation->spec.start = TRUE;
    g_variant_lookup(values, "name", "&s", &creation->spec.name);
    g_variant_lookup(values, "class", "&s", &creation->spec.class_name);
    g_variant_lookup(values, "uuid", "&s", &creation->spec.uuid);
    g_variant_lookup(values, "template", "&s", &creation->spec.template_xml);
    g_variant_lookup(values, "start", "b", &creation->spec.start);
    if (creation->spec.name && creation->spec.class_name)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "a machine needs name and class");
    return FALSE;
}

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
    g_auto(Creation) creation = {0};
    if (!read_creation(values, &creation, error))
        return FALSE;
    g_autoptr(LvpMachine) machine = lvp_machine_create(job->jobs, &creation.spec, progress, error);
    look_again(job);
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
    g_auto(Creation) creation = {0};
    GError *error = NULL;
    if (!read_creation(values, &creation, &error) ||
        !lvp_machine_check_name(creation.spec.name, &error)) {
        g_dbus_method_invocation_take_error(invocation, error);
        return TRUE;
    }
    return start_job(data, invocation, "create", creation.spec.name, run_create);
}

static GVariant *
run_render(LvpService *self, const Call *call, GError **error)
{
    g_autoptr(GVariant) values = g_variant_get_child_value(call->parameters, 0);
    g_auto(Creation) creation = {0};
    if (!read_creation(values, &creation, error))
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
    return queue_call(data, invocation, run_render);
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
    static const char *const KNOWN[] = {"force", "b", "timeoutSeconds", "u", NULL};
    GError *error = NULL;
    if (check_keys(options, KNOWN, &error))
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
    static const char *const KNOWN[] = {"keepNvram", "b", NULL};
    GError *error = NULL;
    if (check_keys(options, KNOWN, &error))
        return start_job(data, invocation, "delete", name, run_delete);
    g_dbus_method_invocation_take_error(invocation, error);
    return TRUE;
}

static gboolean
run_release(gpointer data, const LvpProgress *progress, GVariant **ret_result, GError **error)
{
    (void)progress;
    (void)ret_result;
    const JobData *job = data;
    const char *device;
    gboolean force;
    g_variant_get(job->parameters, "(&sb)", &device, &force);
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

/* ---- the rest ---- */

static GVariant *
run_set_cordoned(LvpService *self, const Call *call, GError **error)
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
    return queue_call(data, invocation, run_set_cordoned);
}

static GVariant *
run_reload(LvpService *self, const Call *call, GError **error)
{
    (void)call;
    return self->calls.reload(self->calls.data, error) ? g_variant_new("()") : NULL;
}

static gboolean
handle_reload(LvpManager1 *object, GDBusMethodInvocation *invocation, gpointer data)
{
    (void)object;
    return queue_call(data, invocation, run_reload);
}

/* ---- life ---- */

LvpService *
lvp_service_new(const LvpMachineJobs *jobs,
                LvpJobQueue *queue,
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
        {"handle-create-machine", G_CALLBACK(handle_create_machine)},
        {"handle-render-machine", G_CALLBACK(handle_render_machine)},
        {"handle-start-machine", G_CALLBACK(handle_start_machine)},
        {"handle-stop-machine", G_CALLBACK(handle_stop_machine)},
        {"handle-delete-machine", G_CALLBACK(handle_delete_machine)},
        {"handle-set-cordoned", G_CALLBACK(handle_set_cordoned)},
        {"handle-release-device", G_CALLBACK(handle_release_device)},
        {"handle-get-status", G_CALLBACK(handle_get_status)},
        {"handle-reload", G_CALLBACK(handle_reload)},
    };
    LvpService *self = g_new0(LvpService, 1);
    self->jobs = jobs;
    self->queue = queue;
    self->host_root = g_strdup(host_root);
    self->calls = *calls;
    self->object = lvp_manager1_skeleton_new();
    self->pool = g_thread_pool_new(run_call, self, MAX_CALLS, FALSE, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(HANDLERS); i++)
        g_signal_connect(self->object, HANDLERS[i].signal, HANDLERS[i].handler, self);
    return self;
}

void
lvp_service_free(LvpService *self)
{
    if (!self)
        return;
    g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(self->object));
    g_thread_pool_free(self->pool, FALSE, TRUE);
    g_object_unref(self->object);
    g_free(self->host_root);
    g_free(self);
}

gboolean
lvp_service_export(LvpService *self, GDBusConnection *connection, GError **error)
{
    return g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(self->object), connection,
                                            LVP_OBJECT_PATH, error);
}
