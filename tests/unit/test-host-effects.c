/* SPDX-License-Identifier: Apache-2.0 */
/* Effects on a made tree in real helper processes, and their locks. */
#include "assert-error.h"
#include "host-effects.h"
#include "open-files.h"
#include "scratch.h"
#include "wait-until.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCK "0000:3b:00.0"
#define OTHER_LOCK "0000:af:00.0"
#define TIMEOUT_MS 30000
#define SHORT_MS 50

static LvpScratch *scratch;
static LvpHost *host;

static LvpHost *
open_host(void)
{
    g_autoptr(GError) error = NULL;
    LvpHost *opened = lvp_host_new(lvp_scratch_get_root(scratch), &error);
    assert_no_error(error);
    return opened;
}

static void
set_up(void)
{
    scratch = lvp_scratch_new();
    lvp_scratch_make_folder(scratch, "sys");
    host = open_host();
}

static void
tear_down(void)
{
    lvp_host_free(host);
    lvp_scratch_free(scratch);
}

TestSuite(host_effects, .init = set_up, .fini = tear_down, .timeout = 60);

static gboolean
is_unlocked(gpointer data)
{
    return !lvp_host_is_stuck(data, LOCK);
}

/* ---- effects ---- */

Test(host_effects, write_reaches_the_file)
{
    g_autoptr(GError) error = NULL;
    lvp_scratch_write(scratch, "sys/driver_override", "");
    cr_assert(lvp_host_write(host, "driver_override", "vfio-pci", LOCK, TIMEOUT_MS, &error));
    assert_no_error(error);
    g_autofree char *text = lvp_scratch_read(scratch, "sys/driver_override");
    cr_assert_str_eq(text, "vfio-pci");
}

Test(host_effects, write_of_nothing_is_no_error)
{
    g_autoptr(GError) error = NULL;
    lvp_scratch_write(scratch, "sys/driver_override", "vfio-pci\n");
    cr_assert(lvp_host_write(host, "driver_override", "", LOCK, TIMEOUT_MS, &error));
    assert_no_error(error);
}

Test(host_effects, write_makes_no_file_where_there_is_none)
{
    g_autoptr(GError) error = NULL;
    cr_assert_not(lvp_host_write(host, "none", "1", LOCK, TIMEOUT_MS, &error));
    assert_error(error, LVP_ERROR_NOT_FOUND);
    assert_contains(error->message, "sys/none");
    cr_assert_not(lvp_scratch_exists(scratch, "sys/none"));
}

Test(host_effects, write_that_the_kernel_refuses_says_why)
{
    g_autoptr(GError) error = NULL;
    lvp_scratch_link_text(scratch, "sys/full", "/dev/full");
    cr_assert_not(lvp_host_write(host, "full", "1", LOCK, TIMEOUT_MS, &error));
    assert_error(error, LVP_ERROR_HOST);
    assert_contains(error->message, "cannot write ");
    assert_contains(error->message, g_strerror(ENOSPC));
}

Test(host_effects, effects_leave_no_file_lock_or_child)
{
    lvp_scratch_write(scratch, "sys/a", "1\n");
    guint before = lvp_count_open_files();
    for (guint i = 0; i < 10; i++) {
        lvp_host_write(host, "a", "1\n", LOCK, TIMEOUT_MS, NULL);
        lvp_host_write(host, "none", "1\n", LOCK, TIMEOUT_MS, NULL);
        g_free(lvp_host_read_guarded(host, "a", LOCK, TIMEOUT_MS, NULL));
    }
    cr_assert_eq(lvp_count_open_files(), before);
    cr_assert_not(lvp_host_is_stuck(host, LOCK));
    cr_assert(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

Test(host_effects, guarded_read_gives_the_text_without_its_line_end)
{
    g_autoptr(GError) error = NULL;
    lvp_scratch_write(scratch, "sys/driver_override", "(null) \n");
    g_autofree char *text =
        lvp_host_read_guarded(host, "driver_override", LOCK, TIMEOUT_MS, &error);
    assert_no_error(error);
    cr_assert_str_eq(text, "(null) ");
}

Test(host_effects, guarded_read_of_what_is_not_there_is_not_found)
{
    g_autoptr(GError) error = NULL;
    cr_assert_null(lvp_host_read_guarded(host, "none", LOCK, TIMEOUT_MS, &error));
    assert_error(error, LVP_ERROR_NOT_FOUND);
}

Test(host_effects, guarded_read_that_hangs_times_out)
{
    g_autoptr(GError) error = NULL;
    lvp_scratch_make_fifo(scratch, "sys/stuck");
    cr_assert_null(lvp_host_read_guarded(host, "stuck", LOCK, SHORT_MS, &error));
    assert_error(error, LVP_ERROR_TIMED_OUT);
}

/* The kernel lets this child go when it is killed; the next test is about one that stays. */
Test(host_effects, write_that_hangs_times_out_and_its_lock_ends_with_the_child)
{
    g_autoptr(GError) error = NULL;
    lvp_scratch_make_fifo(scratch, "sys/stuck");
    cr_assert_not(lvp_host_write(host, "stuck", "1", LOCK, SHORT_MS, &error));
    assert_error(error, LVP_ERROR_TIMED_OUT);
    assert_contains(error->message, "/sys/stuck: the kernel has not answered in ");
    cr_assert(lvp_wait_until(is_unlocked, host));
}

/* ---- an effect that outlives its provider ---- */

#define STUCK_BYTES 65536

/* A provider in a process of its own that is in the middle of a write: a pipe takes less than it
 * writes, so its helper stays in the kernel, with the lock, until somebody reads. */
typedef struct {
    pid_t provider;
    int reader;
} StuckWrite;

static void
be_provider(void)
{
    g_autofree char *text = g_strnfill(STUCK_BYTES, 'x');
    LvpHost *own = open_host();
    if (lvp_host_lock_provider(own, NULL))
        lvp_host_write(own, "stuck", text, LOCK, TIMEOUT_MS, NULL);
    _exit(0);
}

static StuckWrite
start_stuck_write(void)
{
    lvp_scratch_make_fifo(scratch, "sys/stuck");
    g_autofree char *path = lvp_scratch_get_path(scratch, "sys/stuck");
    StuckWrite stuck = {.reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    cr_assert_geq(fcntl(stuck.reader, F_SETPIPE_SZ, 4096), 4096);
    stuck.provider = fork();
    if (stuck.provider == 0)
        be_provider();
    cr_assert(lvp_wait_until_readable(stuck.reader));
    return stuck;
}

static void
kill_provider(const StuckWrite *stuck)
{
    kill(stuck->provider, SIGKILL);
    cr_assert_eq(waitpid(stuck->provider, NULL, 0), stuck->provider);
}

/* Lets the write complete; the number of bytes that came. */
static gsize
finish_stuck_write(const StuckWrite *stuck)
{
    char buffer[4096];
    gsize sum = 0;
    ssize_t length;
    while (lvp_wait_until_readable(stuck->reader) &&
           (length = read(stuck->reader, buffer, sizeof buffer)) > 0)
        sum += (gsize)length;
    close(stuck->reader);
    return sum;
}

Test(host_effects, effect_of_a_killed_provider_keeps_its_lock_until_it_completes)
{
    StuckWrite stuck = start_stuck_write();
    kill_provider(&stuck);
    cr_assert(lvp_host_is_stuck(host, LOCK));
    cr_assert_not(lvp_host_is_stuck(host, OTHER_LOCK));
    cr_assert_eq(finish_stuck_write(&stuck), STUCK_BYTES);
    cr_assert(lvp_wait_until(is_unlocked, host));
}

Test(host_effects, what_is_in_flight_makes_others_on_its_lock_busy)
{
    StuckWrite stuck = start_stuck_write();
    kill_provider(&stuck);
    lvp_scratch_write(scratch, "sys/a", "1\n");
    g_autoptr(GError) write_error = NULL, read_error = NULL;
    guint before = lvp_count_open_files();
    cr_assert_not(lvp_host_write(host, "a", "2\n", LOCK, TIMEOUT_MS, &write_error));
    assert_error(write_error, LVP_ERROR_BUSY);
    cr_assert_null(lvp_host_read_guarded(host, "a", LOCK, TIMEOUT_MS, &read_error));
    assert_error(read_error, LVP_ERROR_BUSY);
    cr_assert_eq(lvp_count_open_files(), before);
    g_autofree char *text = lvp_scratch_read(scratch, "sys/a");
    cr_assert_str_eq(text, "1\n");
    finish_stuck_write(&stuck);
}

Test(host_effects, what_is_in_flight_leaves_other_locks_alone)
{
    StuckWrite stuck = start_stuck_write();
    g_autoptr(GError) error = NULL;
    lvp_scratch_write(scratch, "sys/a", "1\n");
    cr_assert(lvp_host_write(host, "a", "2\n", OTHER_LOCK, TIMEOUT_MS, &error));
    kill_provider(&stuck);
    finish_stuck_write(&stuck);
}

Test(host_effects, effect_that_outlives_its_provider_does_not_keep_the_provider_lock)
{
    StuckWrite stuck = start_stuck_write();
    g_autoptr(GError) busy = NULL, error = NULL;
    cr_assert_not(lvp_host_lock_provider(host, &busy));
    assert_error(busy, LVP_ERROR_BUSY);
    kill_provider(&stuck);
    cr_assert(lvp_host_is_stuck(host, LOCK));
    cr_assert(lvp_host_lock_provider(host, &error));
    finish_stuck_write(&stuck);
}

/* ---- effects of this process ---- */

static gpointer
write_stuck(gpointer data)
{
    g_autofree char *text = g_strnfill(STUCK_BYTES, 'x');
    return GINT_TO_POINTER(lvp_host_write(data, "stuck", text, LOCK, TIMEOUT_MS, NULL));
}

static gpointer
write_a(gpointer data)
{
    return GINT_TO_POINTER(lvp_host_write(data, "a", "2\n", LOCK, TIMEOUT_MS, NULL));
}

/* A write that is under way in a thread: it goes on when somebody reads from READER. */
static GThread *
start_own_write(int *ret_reader)
{
    lvp_scratch_make_fifo(scratch, "sys/stuck");
    g_autofree char *path = lvp_scratch_get_path(scratch, "sys/stuck");
    *ret_reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    cr_assert_geq(fcntl(*ret_reader, F_SETPIPE_SZ, 4096), 4096);
    GThread *writer = g_thread_new("writer", write_stuck, host);
    cr_assert(lvp_wait_until_readable(*ret_reader));
    return writer;
}

Test(host_effects, own_effect_that_is_under_way_is_working_and_not_stuck)
{
    StuckWrite own = {0};
    GThread *writer = start_own_write(&own.reader);
    cr_assert(lvp_host_is_working(host, LOCK));
    cr_assert_not(lvp_host_is_stuck(host, LOCK));
    cr_assert_not(lvp_host_is_working(host, OTHER_LOCK));
    g_autoptr(LvpHost) of_another = open_host();
    cr_assert(lvp_host_is_stuck(of_another, LOCK));
    finish_stuck_write(&own);
    cr_assert(GPOINTER_TO_INT(g_thread_join(writer)));
    cr_assert_not(lvp_host_is_working(host, LOCK));
    cr_assert_not(lvp_host_is_stuck(host, LOCK));
}

Test(host_effects, effects_of_one_process_on_one_lock_wait_for_each_other)
{
    StuckWrite own = {0};
    g_autoptr(GError) error = NULL;
    GThread *writer = start_own_write(&own.reader);
    lvp_scratch_write(scratch, "sys/a", "1\n");
    GThread *waiter = g_thread_new("waiter", write_a, host);
    cr_assert_not(lvp_host_write(host, "a", "3\n", LOCK, SHORT_MS, &error));
    assert_error(error, LVP_ERROR_BUSY);
    g_autofree char *before = lvp_scratch_read(scratch, "sys/a");
    cr_assert_str_eq(before, "1\n");
    finish_stuck_write(&own);
    cr_assert(GPOINTER_TO_INT(g_thread_join(writer)));
    cr_assert(GPOINTER_TO_INT(g_thread_join(waiter)));
    g_autofree char *after = lvp_scratch_read(scratch, "sys/a");
    cr_assert_str_eq(after, "2\n");
}

/* ---- the provider's lock ---- */

Test(host_effects, second_provider_on_one_root_is_refused_by_name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpHost) second = open_host();
    cr_assert(lvp_host_lock_provider(host, NULL));
    cr_assert_not(lvp_host_lock_provider(second, &error));
    assert_error(error, LVP_ERROR_BUSY);
    assert_contains(error->message, lvp_scratch_get_root(scratch));
}

Test(host_effects, provider_lock_ends_with_its_host)
{
    g_autoptr(LvpHost) second = open_host();
    cr_assert(lvp_host_lock_provider(second, NULL));
    g_clear_pointer(&second, lvp_host_free);
    cr_assert(lvp_host_lock_provider(host, NULL));
}

Test(host_effects, provider_lock_that_cannot_be_made_is_an_error)
{
    g_autoptr(GError) error = NULL;
    lvp_scratch_write(scratch, "run", "a file");
    cr_assert_not(lvp_host_lock_provider(host, &error));
    assert_error(error, LVP_ERROR_HOST);
}

/* ---- threads ---- */

#define THREADS 8
#define ROUNDS 20

static gpointer
write_often(gpointer name)
{
    for (guint i = 0; i < ROUNDS; i++) {
        g_autofree char *text = g_strdup_printf("%s %02u\n", (const char *)name, i);
        if (!lvp_host_write(host, name, text, name, TIMEOUT_MS, NULL))
            return name;
    }
    return NULL;
}

Test(host_effects, threads_with_locks_of_their_own_do_not_disturb_each_other)
{
    static char names[THREADS][8];
    GThread *threads[THREADS];
    for (guint i = 0; i < THREADS; i++) {
        g_snprintf(names[i], sizeof names[i], "file%u", i);
        g_autofree char *path = g_strconcat("sys/", names[i], NULL);
        lvp_scratch_write(scratch, path, "");
        threads[i] = g_thread_new(names[i], write_often, names[i]);
    }
    for (guint i = 0; i < THREADS; i++)
        cr_assert_null(g_thread_join(threads[i]), "a write to %s failed", names[i]);
    for (guint i = 0; i < THREADS; i++) {
        g_autofree char *path = g_strconcat("sys/", names[i], NULL);
        g_autofree char *expected = g_strdup_printf("%s %02u\n", names[i], ROUNDS - 1);
        g_autofree char *text = lvp_scratch_read(scratch, path);
        cr_assert_str_eq(text, expected);
    }
}

static gint64
get_made_time(gpointer data)
{
    return *(gint64 *)data;
}

static void
make_time_pass(gpointer data, guint duration_us)
{
    *(gint64 *)data += duration_us;
}

Test(host_effects, made_host_has_a_time_of_its_own)
{
    static const LvpHostEffects TIME = {.get_now_us = get_made_time, .sleep = make_time_pass};
    gint64 now_us = 5, before_us = g_get_monotonic_time();
    lvp_host_set_effects(host, &TIME, &now_us);
    lvp_host_sleep(host, 3600u * 1000000u);
    cr_assert_eq(lvp_host_get_now_us(host), 5 + G_GINT64_CONSTANT(3600000000));
    cr_assert_lt(g_get_monotonic_time() - before_us, 60 * G_USEC_PER_SEC);
}

/* ---- block devices ---- */

typedef struct {
    guint busy_times; /* so often an open says EBUSY */
    guint n_opens;
    guint waited_us;
} Disk;

static int
open_disk(gpointer data, const char *name)
{
    Disk *disk = data;
    cr_assert_str_eq(name, "nvme0n1");
    return disk->n_opens++ < disk->busy_times ? EBUSY : 0;
}

static void
note_pause(gpointer data, guint duration_us)
{
    ((Disk *)data)->waited_us += duration_us;
}

static gboolean
is_busy(Disk *disk)
{
    static const LvpHostEffects DISK = {.open_exclusive = open_disk, .sleep = note_pause};
    gboolean busy = FALSE;
    lvp_host_set_effects(host, &DISK, disk);
    cr_assert(lvp_host_probe_block_device(host, "nvme0n1", TIMEOUT_MS, &busy, NULL));
    return busy;
}

Test(host_effects, block_device_that_is_busy_for_a_moment_is_not_busy)
{
    Disk disk = {.busy_times = 2};
    cr_assert_not(is_busy(&disk));
    cr_assert_eq(disk.n_opens, 3);
    cr_assert_gt(disk.waited_us, 0);
}

Test(host_effects, block_device_that_stays_busy_is_busy)
{
    Disk disk = {.busy_times = G_MAXUINT};
    cr_assert(is_busy(&disk));
    cr_assert_lt(disk.n_opens, 10);
    cr_assert_lt(disk.waited_us, 100000);
}

Test(host_effects, block_device_that_is_not_busy_is_opened_once)
{
    Disk disk = {0};
    cr_assert_not(is_busy(&disk));
    cr_assert_eq(disk.n_opens, 1);
    cr_assert_eq(disk.waited_us, 0);
}

/* ---- time ---- */

Test(host_effects, time_of_a_host_without_a_model_is_the_real_one)
{
    gint64 before_us = lvp_host_get_now_us(host);
    lvp_host_sleep(host, 1000);
    cr_assert_geq(lvp_host_get_now_us(host) - before_us, 1000);
}

static gpointer
look_until_told(gpointer stop)
{
    while (!g_atomic_int_get((int *)stop))
        lvp_host_is_stuck(host, LOCK);
    return NULL;
}

Test(host_effects, looking_at_a_lock_makes_nobody_busy)
{
    int stop = FALSE;
    GThread *looker = g_thread_new("looker", look_until_told, &stop);
    lvp_scratch_write(scratch, "sys/a", "1\n");
    g_autoptr(GError) error = NULL;
    for (guint i = 0; i < 200 && !error; i++)
        lvp_host_write(host, "a", "2\n", LOCK, TIMEOUT_MS, &error);
    g_atomic_int_set(&stop, TRUE);
    g_thread_join(looker);
    assert_no_error(error);
}
