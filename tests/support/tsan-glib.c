/* SPDX-License-Identifier: Apache-2.0 */
#include <glib.h>
#include <sanitizer/tsan_interface.h>

const char *__tsan_default_options(void);
const char *__tsan_default_suppressions(void);

/* Else each lpctl waits a second for its other threads. */
const char *
__tsan_default_options(void)
{
    return "atexit_sleep_ms=0:second_deadlock_stack=1:history_size=5";
}

/* What these libraries do with memory of their own, such as the nodes of a queue, under locks of
 * their own. */
const char *
__tsan_default_suppressions(void)
{
    return "called_from_lib:libglib-2.0.so\n"
           "called_from_lib:libgobject-2.0.so\n"
           "called_from_lib:libgio-2.0.so\n";
}

/* ---- locks ---- */

void tsan_mutex_init(GMutex *mutex);
void tsan_mutex_clear(GMutex *mutex);
void tsan_mutex_lock(GMutex *mutex);
gboolean tsan_mutex_trylock(GMutex *mutex);
void tsan_mutex_unlock(GMutex *mutex);
void tsan_cond_wait(GCond *cond, GMutex *mutex);
gboolean tsan_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time);

void
tsan_mutex_init(GMutex *mutex)
{
    __tsan_mutex_create(mutex, __tsan_mutex_not_static);
    g_mutex_init(mutex);
}

void
tsan_mutex_clear(GMutex *mutex)
{
    __tsan_mutex_destroy(mutex, __tsan_mutex_not_static);
    g_mutex_clear(mutex);
}

void
tsan_mutex_lock(GMutex *mutex)
{
    __tsan_mutex_pre_lock(mutex, 0);
    g_mutex_lock(mutex);
    __tsan_mutex_post_lock(mutex, 0, 0);
}

gboolean
tsan_mutex_trylock(GMutex *mutex)
{
    const unsigned try = __tsan_mutex_try_lock, failed = __tsan_mutex_try_lock_failed;
    __tsan_mutex_pre_lock(mutex, try);
    gboolean locked = g_mutex_trylock(mutex);
    __tsan_mutex_post_lock(mutex, locked ? try : try | failed, 0);
    return locked;
}

void
tsan_mutex_unlock(GMutex *mutex)
{
    __tsan_mutex_pre_unlock(mutex, 0);
    g_mutex_unlock(mutex);
    __tsan_mutex_post_unlock(mutex, 0);
}

static void
begin_wait(GMutex *mutex)
{
    __tsan_mutex_pre_unlock(mutex, 0);
    __tsan_mutex_post_unlock(mutex, 0);
}

static void
end_wait(GMutex *mutex)
{
    __tsan_mutex_pre_lock(mutex, 0);
    __tsan_mutex_post_lock(mutex, 0, 0);
}

void
tsan_cond_wait(GCond *cond, GMutex *mutex)
{
    begin_wait(mutex);
    g_cond_wait(cond, mutex);
    end_wait(mutex);
}

gboolean
tsan_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
    begin_wait(mutex);
    gboolean signalled = g_cond_wait_until(cond, mutex, end_time);
    end_wait(mutex);
    return signalled;
}

/* ---- reference counts: each use of an object comes before its end ---- */

gboolean tsan_atomic_ref_count_dec(gatomicrefcount *count);

gboolean
tsan_atomic_ref_count_dec(gatomicrefcount *count)
{
    __tsan_release(count);
    gboolean last = g_atomic_ref_count_dec(count);
    if (last)
        __tsan_acquire(count);
    return last;
}

/* ---- what one thread hands to another: there all is known that came before ---- */

guint tsan_idle_add(GSourceFunc function, gpointer data);
guint
tsan_idle_add_full(int priority, GSourceFunc function, gpointer data, GDestroyNotify free_data);

typedef struct {
    GSourceFunc function;
    gpointer data;
    GDestroyNotify free_data;
} Call;

static gboolean
run_call(gpointer data)
{
    const Call *call = data;
    __tsan_acquire(data);
    return call->function(call->data);
}

static void
free_call(gpointer data)
{
    Call *call = data;
    if (call->free_data)
        call->free_data(call->data);
    g_free(call);
}

static Call *
make_call(GSourceFunc function, gpointer data, GDestroyNotify free_data)
{
    Call *call = g_new0(Call, 1);
    *call = (Call){function, data, free_data};
    __tsan_release(call);
    return call;
}

guint
tsan_idle_add(GSourceFunc function, gpointer data)
{
    return g_idle_add_full(G_PRIORITY_DEFAULT_IDLE, run_call, make_call(function, data, NULL),
                           free_call);
}

guint
tsan_idle_add_full(int priority, GSourceFunc function, gpointer data, GDestroyNotify free_data)
{
    return g_idle_add_full(priority, run_call, make_call(function, data, free_data), free_call);
}

/* ---- pools: the same, and all tasks come before the end of a pool that waits for them ---- */

GThreadPool *tsan_thread_pool_new(
    GFunc function, gpointer user_data, int max_threads, gboolean exclusive, GError **error);
gboolean tsan_thread_pool_push(GThreadPool *pool, gpointer task, GError **error);
void tsan_thread_pool_free(GThreadPool *pool, gboolean immediate, gboolean wait);

/* Stands as the user data of the pool, which are a public field. */
typedef struct {
    GFunc function;
    gpointer user_data;
} Pool;

static void
run_task(gpointer task, gpointer user_data)
{
    const Pool *pool = user_data;
    __tsan_acquire(task);
    pool->function(task, pool->user_data);
    __tsan_release(user_data);
}

GThreadPool *
tsan_thread_pool_new(
    GFunc function, gpointer user_data, int max_threads, gboolean exclusive, GError **error)
{
    Pool *pool = g_new0(Pool, 1);
    *pool = (Pool){function, user_data};
    return g_thread_pool_new(run_task, pool, max_threads, exclusive, error);
}

gboolean
tsan_thread_pool_push(GThreadPool *pool, gpointer task, GError **error)
{
    __tsan_release(task);
    return g_thread_pool_push(pool, task, error);
}

/* Without a wait the last task may still run, and needs its pool. */
void
tsan_thread_pool_free(GThreadPool *pool, gboolean immediate, gboolean wait)
{
    gpointer own = pool->user_data;
    g_thread_pool_free(pool, immediate, wait);
    if (!wait)
        return;
    __tsan_acquire(own);
    g_free(own);
}
