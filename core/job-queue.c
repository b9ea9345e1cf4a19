/* SPDX-License-Identifier: Apache-2.0 */
#include "job-queue.h"

#include "main-wait.h"
#include "org.libvirtprovider.h"

#include <libvirt-provider/error.h>

#define MAX_RUNNING 8
#define MAX_WAITING 256
#define KEEP_ENDED 64

struct LvpJobQueue {
    GThreadPool *pool;
    gint closed;      /* atomic; all else is of the main thread */
    guint unfinished; /* jobs whose end has not been told yet */
    GQueue ended;     /* Job, the oldest first */
    guint64 last_id;
};

typedef struct {
    gatomicrefcount references;
    LvpJobQueue *queue;
    LvpJob1 *object;
    LvpJobFunc func;
    gpointer data;
    GDestroyNotify free_data;
} Job;

/* A change of the object, on its way to the main thread. */
typedef struct {
    Job *job;
    char *step; /* NULL: the job has ended */
    GVariant *result;
    GError *error;
} Update;

static void
unref_job(gpointer data)
{
    Job *job = data;
    if (!g_atomic_ref_count_dec(&job->references))
        return;
    if (g_dbus_interface_skeleton_get_connection(G_DBUS_INTERFACE_SKELETON(job->object)))
        g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(job->object));
    g_object_unref(job->object);
    g_free(job);
}

static void
end_job(Job *job, const Update *update)
{
    LvpJobQueue *self = job->queue;
    if (update->error) {
        g_autofree char *name = g_dbus_error_encode_gerror(update->error);
        lvp_job1_set_error_name(job->object, name);
        lvp_job1_set_error_message(job->object, update->error->message);
    }
    if (update->result)
        lvp_job1_set_result(job->object, update->result);
    lvp_job1_set_state(job->object, update->error ? "failed" : "done");
    /* The clients see all of it in one signal, with the end. */
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(job->object));
    self->unfinished--;
    g_atomic_ref_count_inc(&job->references);
    g_queue_push_tail(&self->ended, job);
    while (g_queue_get_length(&self->ended) > KEEP_ENDED)
        unref_job(g_queue_pop_head(&self->ended));
}

static gboolean
apply_update(gpointer data)
{
    Update *update = data;
    if (update->step)
        lvp_job1_set_step(update->job->object, update->step);
    else
        end_job(update->job, update);
    return G_SOURCE_REMOVE;
}

static void
free_update(gpointer data)
{
    Update *update = data;
    unref_job(update->job);
    g_free(update->step);
    g_clear_pointer(&update->result, g_variant_unref);
    g_clear_error(&update->error);
    g_free(update);
}

static void
send_update(Job *job, const char *step, GVariant *result, GError *error)
{
    Update *update = g_new0(Update, 1);
    g_atomic_ref_count_inc(&job->references);
    *update = (Update){job, g_strdup(step), result, error};
    /* Not g_main_context_invoke(): while the loop does not run, that would call it in this thread.
     */
    g_idle_add_full(G_PRIORITY_DEFAULT, apply_update, update, free_update);
}

static void
say_step(gpointer data, const char *text)
{
    send_update(data, text, NULL, NULL);
}

static gboolean
refuse(GError **error)
{
    g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY,
                "libvirt-provider is being stopped: nothing is begun, try again when it runs");
    return FALSE;
}

static void
run_job(gpointer data, gpointer user_data)
{
    Job *job = data;
    LvpJobQueue *self = user_data;
    LvpProgress progress = {say_step, job};
    GVariant *result = NULL;
    GError *error = NULL;
    gboolean ok = g_atomic_int_get(&self->closed)
                      ? refuse(&error)
                      : job->func(job->data, &progress, &result, &error);
    if (!ok)
        g_info("%s %s: %s", lvp_job1_get_operation(job->object), lvp_job1_get_subject(job->object),
               error->message);
    if (job->free_data)
        job->free_data(job->data);
    send_update(job, NULL, result ? g_variant_take_ref(result) : NULL, error);
    unref_job(job);
}

LvpJobQueue *
lvp_job_queue_new(void)
{
    LvpJobQueue *self = g_new0(LvpJobQueue, 1);
    self->pool = g_thread_pool_new(run_job, self, MAX_RUNNING, FALSE, NULL);
    return self;
}

static gboolean
is_idle(gconstpointer data)
{
    return ((const LvpJobQueue *)data)->unfinished == 0;
}

gboolean
lvp_job_queue_close(LvpJobQueue *self, guint timeout_ms)
{
    g_atomic_int_set(&self->closed, TRUE);
    return lvp_main_wait(is_idle, self, timeout_ms);
}

void
lvp_job_queue_free(LvpJobQueue *self)
{
    if (!self)
        return;
    g_thread_pool_free(self->pool, FALSE, TRUE);
    while (g_main_context_iteration(NULL, FALSE))
        ; /* the last updates hold references */
    g_queue_clear_full(&self->ended, unref_job);
    g_free(self);
}

static gboolean
admit(LvpJobQueue *self, GError **error)
{
    if (g_atomic_int_get(&self->closed))
        return refuse(error);
    if (self->unfinished >= MAX_WAITING) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY,
                    "too many operations are waiting: try again later");
        return FALSE;
    }
    self->unfinished++;
    return TRUE;
}

char *
lvp_job_queue_start(LvpJobQueue *self,
                    GDBusConnection *connection,
                    const char *operation,
                    const char *subject,
                    LvpJobFunc func,
                    gpointer data,
                    GDestroyNotify free_data,
                    GError **error)
{
    if (!admit(self, error)) {
        if (free_data)
            free_data(data);
        return NULL;
    }
    g_autofree char *path =
        g_strdup_printf(LVP_OBJECT_PATH "/jobs/%" G_GUINT64_FORMAT, ++self->last_id);
    Job *job = g_new0(Job, 1);
    g_atomic_ref_count_init(&job->references);
    *job = (Job){job->references, self, lvp_job1_skeleton_new(), func, data, free_data};
    lvp_job1_set_operation(job->object, operation);
    lvp_job1_set_subject(job->object, subject);
    lvp_job1_set_state(job->object, "running");
    lvp_job1_set_step(job->object, "waiting");
    lvp_job1_set_result(job->object, g_variant_new("a{sv}", NULL));
    g_autoptr(GError) problem = NULL;
    if (!g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(job->object), connection, path,
                                          &problem))
        g_warning("job %s cannot be shown: %s", path, problem->message);
    g_thread_pool_push(self->pool, job, NULL);
    return g_steal_pointer(&path);
}
