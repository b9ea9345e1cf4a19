/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-tasks.h"

#include <sys/mman.h>
#include <ucontext.h>

#define STACK_BYTES ((gsize)1024 * 1024)
#define GUARD_BYTES ((gsize)64 * 1024)

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(WITH_ASAN)
#include <sanitizer/common_interface_defs.h>
#define START_SWITCH(saved, stack, size) __sanitizer_start_switch_fiber(saved, stack, size)
#define FINISH_SWITCH(saved, stack, size) __sanitizer_finish_switch_fiber(saved, stack, size)
#else
#define START_SWITCH(saved, stack, size) (void)(saved), (void)(stack), (void)(size)
#define FINISH_SWITCH(saved, stack, size) (void)(saved), (void)(stack), (void)(size)
#endif

typedef struct {
    ucontext_t context;
    char *stack; /* kept for the next that has this place */
    void *saved; /* of the sanitizer */
    void (*run)(gpointer data);
    gpointer data;
    gboolean ended;
} Task;

static struct {
    Task tasks[SIM_TASKS_MAX];
    guint n_tasks;
    Task *current;
    ucontext_t scheduler;
    const void *scheduler_stack;
    gsize scheduler_size;
    guint64 n_pauses;
} all;

static char *
make_stack(void)
{
    char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED || mprotect(stack, GUARD_BYTES, PROT_NONE) < 0)
        g_error("no memory for the stack of a task");
    return stack;
}

static void
leave(Task *self)
{
    START_SWITCH(self->ended ? NULL : &self->saved, all.scheduler_stack, all.scheduler_size);
    swapcontext(&self->context, &all.scheduler);
    FINISH_SWITCH(self->saved, &all.scheduler_stack, &all.scheduler_size);
}

static void
run_task(void)
{
    Task *self = all.current;
    FINISH_SWITCH(NULL, &all.scheduler_stack, &all.scheduler_size);
    self->run(self->data);
    self->ended = TRUE;
    leave(self);
}

static void
go_on(Task *self)
{
    void *saved = NULL;
    all.current = self;
    START_SWITCH(&saved, self->stack + GUARD_BYTES, STACK_BYTES - GUARD_BYTES);
    swapcontext(&all.scheduler, &self->context);
    FINISH_SWITCH(saved, NULL, NULL);
    all.current = NULL;
}

void
sim_tasks_add(void (*run)(gpointer data), gpointer data)
{
    g_assert(all.n_tasks < SIM_TASKS_MAX && !all.current);
    Task *task = &all.tasks[all.n_tasks++];
    if (!task->stack)
        task->stack = make_stack();
    task->run = run;
    task->data = data;
    task->ended = FALSE;
    getcontext(&task->context);
    task->context.uc_stack.ss_sp = task->stack + GUARD_BYTES;
    task->context.uc_stack.ss_size = STACK_BYTES - GUARD_BYTES;
    task->context.uc_link = NULL; /* it leaves by itself */
    makecontext(&task->context, run_task, 0);
}

/* One that has not ended; NULL: all have. */
static Task *
pick_task(GRand *random)
{
    Task *left[SIM_TASKS_MAX];
    guint n_left = 0;
    for (guint i = 0; i < all.n_tasks; i++)
        if (!all.tasks[i].ended)
            left[n_left++] = &all.tasks[i];
    return n_left > 0 ? left[g_rand_int_range(random, 0, (int)n_left)] : NULL;
}

void
sim_tasks_run(GRand *random, void (*between)(gpointer data), gpointer data)
{
    for (Task *task; (task = pick_task(random)) != NULL;) {
        go_on(task);
        between(data);
    }
    all.n_tasks = 0;
}

void
sim_pause(void)
{
    if (!all.current)
        return;
    all.n_pauses++;
    leave(all.current);
}

guint
sim_tasks_get_current(void)
{
    return all.current ? (guint)(all.current - all.tasks) + 1 : 0;
}

guint64
sim_tasks_count_pauses(void)
{
    return all.n_pauses;
}
