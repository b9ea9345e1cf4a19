/* SPDX-License-Identifier: Apache-2.0 */
/* The child process itself. */
#include "host-helper.h"
#include "scratch.h"
#include "wait-until.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_MS 30000
#define SHORT_MS 50
#define FAR_FD 200

TestSuite(host_helper, .timeout = 60);

/* Runs SCRIPT by the shell; its output in OUTPUT. */
static int
run_shell(const char *script, char *output, gsize size, guint timeout_ms)
{
    g_autoptr(LvpHelper) helper = lvp_helper_new();
    g_autofree char *copy = g_strdup(script);
    char shell[] = "/bin/sh", option[] = "-c";
    char *const argv[] = {shell, option, copy, NULL};
    LvpHelperTask task = {
        .kind = LVP_HELPER_RUN, .argv = argv, .output = output, .output_size = size, .lock_fd = -1};
    return lvp_helper_run(helper, &task, timeout_ms);
}

Test(host_helper, program_gives_its_output_and_errors)
{
    char output[64];
    cr_assert_eq(run_shell("echo out; echo err >&2", output, sizeof output, TIMEOUT_MS), 0);
    cr_assert_str_eq(output, "out\nerr\n");
}

Test(host_helper, output_may_be_one_character)
{
    char output[64];
    cr_assert_eq(run_shell("printf x", output, sizeof output, TIMEOUT_MS), 0);
    cr_assert_str_eq(output, "x");
}

Test(host_helper, program_that_fails_is_eio_with_what_it_said)
{
    char output[64];
    cr_assert_eq(run_shell("echo no such module; exit 1", output, sizeof output, TIMEOUT_MS), EIO);
    cr_assert_str_eq(output, "no such module\n");
}

Test(host_helper, program_that_is_killed_is_eio)
{
    char output[64];
    cr_assert_eq(run_shell("kill -9 $$", output, sizeof output, TIMEOUT_MS), EIO);
}

Test(host_helper, program_that_does_not_exist_is_enoent)
{
    g_autoptr(LvpHelper) helper = lvp_helper_new();
    char path[] = "/nonexistent/modprobe", output[64];
    char *const argv[] = {path, NULL};
    LvpHelperTask task = {.kind = LVP_HELPER_RUN,
                          .argv = argv,
                          .output = output,
                          .output_size = sizeof output,
                          .lock_fd = -1};
    cr_assert_eq(lvp_helper_run(helper, &task, TIMEOUT_MS), ENOENT);
}

/* The next descriptors are the last ones: N of them are free. */
static void
leave_descriptors(guint n)
{
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_assert_geq(next, 0);
    close(next);
    const struct rlimit limit = {(rlim_t)next + n, (rlim_t)next + n};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

Test(host_helper, process_with_few_descriptors_gets_its_output)
{
    char output[64];
    leave_descriptors(4);
    cr_assert_eq(run_shell("echo out", output, sizeof output, TIMEOUT_MS), 0);
    cr_assert_str_eq(output, "out\n");
}

Test(host_helper, write_whose_child_could_not_hold_the_lock_is_not_done)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    g_autofree char *path = lvp_scratch_get_path(scratch, "file"), *text = NULL;
    lvp_scratch_write(scratch, "file", "before");
    g_autoptr(LvpHelper) helper = lvp_helper_new();
    int lock = open("/dev/null", O_RDONLY | O_CLOEXEC);
    LvpHelperTask task = {.kind = LVP_HELPER_WRITE, .path = path, .text = "after", .lock_fd = lock};
    leave_descriptors(3); /* a pipe, and one of two that the child lifts */
    cr_assert_eq(lvp_helper_run(helper, &task, TIMEOUT_MS), EMFILE);
    close(lock);
    cr_assert(g_file_get_contents(path, &text, NULL, NULL));
    cr_assert_str_eq(text, "before");
}

Test(host_helper, output_longer_than_the_buffer_is_cut_and_ended)
{
    char output[8];
    int code = run_shell("yes 1234567890 | head -c 100000", output, sizeof output, TIMEOUT_MS);
    cr_assert_eq(code, 0);
    cr_assert_str_eq(output, "1234567");
}

Test(host_helper, program_that_hangs_times_out)
{
    char output[64];
    int code = run_shell("echo begun; exec sleep 1000", output, sizeof output, SHORT_MS);
    cr_assert_eq(code, ETIMEDOUT);
}

Test(host_helper, program_sees_a_clean_environment)
{
    g_autoptr(LvpHelper) helper = lvp_helper_new();
    char path[] = "/usr/bin/env", output[256];
    char *const argv[] = {path, NULL};
    LvpHelperTask task = {.kind = LVP_HELPER_RUN,
                          .argv = argv,
                          .output = output,
                          .output_size = sizeof output,
                          .lock_fd = -1};
    g_setenv("LVP_SECRET", "1", TRUE);
    cr_assert_eq(lvp_helper_run(helper, &task, TIMEOUT_MS), 0);
    cr_assert_null(strstr(output, "LVP_SECRET"));
    cr_assert_not_null(strstr(output, "LC_ALL=C"));
}

Test(host_helper, child_has_none_of_the_open_files_of_its_parent)
{
    char output[256];
    int fd = open("/dev/null", O_RDONLY);
    cr_assert_eq(dup2(fd, FAR_FD), FAR_FD);
    for (guint i = 0; i < 10; i++)
        cr_assert_geq(dup(fd), 0);
    /* The shell's glob opens the folder itself, by one more descriptor. */
    cr_assert_eq(run_shell("echo /proc/self/fd/*", output, sizeof output, TIMEOUT_MS), 0);
    g_auto(GStrv) files = g_strsplit(g_strchomp(output), " ", -1);
    cr_assert_leq(g_strv_length(files), 5, "%s", output);
    cr_assert_null(strstr(output, "/200"));
}

/* A child that the kernel keeps must not keep a socket of the daemon open with it. */
Test(host_helper, child_that_hangs_lets_go_of_the_files_of_its_parent)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    lvp_scratch_make_fifo(scratch, "fifo");
    g_autofree char *path = lvp_scratch_get_path(scratch, "fifo");
    int fifo = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    cr_assert_geq(fcntl(fifo, F_SETPIPE_SZ, 4096), 4096);
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t parent = fork();
    if (parent == 0) {
        g_autoptr(LvpHelper) helper = lvp_helper_new();
        g_autofree char *text = g_strnfill(65536, 'x');
        LvpHelperTask task = {.kind = LVP_HELPER_WRITE, .path = path, .text = text, .lock_fd = -1};
        lvp_helper_run(helper, &task, TIMEOUT_MS);
        _exit(0);
    }
    cr_assert(lvp_wait_until_readable(fifo));
    close(ends[1]);
    kill(parent, SIGKILL);
    cr_assert_eq(waitpid(parent, NULL, 0), parent);
    char byte;
    cr_assert(lvp_wait_until_readable(ends[0]), "the child has the pipe still open");
    cr_assert_eq(read(ends[0], &byte, 1), 0);
    close(fifo);
}

Test(host_helper, lock_file_stays_open_in_the_child_only_as_long_as_it_runs)
{
    g_autoptr(LvpHelper) helper = lvp_helper_new();
    char shell[] = "/bin/sh", option[] = "-c", script[] = "readlink /proc/self/fd/4", output[256];
    char *const argv[] = {shell, option, script, NULL};
    int lock_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    LvpHelperTask task = {.kind = LVP_HELPER_RUN,
                          .argv = argv,
                          .output = output,
                          .output_size = sizeof output,
                          .lock_fd = lock_fd};
    cr_assert_eq(lvp_helper_run(helper, &task, TIMEOUT_MS), 0);
    cr_assert_str_eq(output, "/dev/null\n");
    close(lock_fd);
}

Test(host_helper, write_says_the_errno_of_the_child)
{
    g_autoptr(LvpHelper) helper = lvp_helper_new();
    LvpHelperTask task = {
        .kind = LVP_HELPER_WRITE, .path = "/dev/full", .text = "1", .lock_fd = -1};
    cr_assert_eq(lvp_helper_run(helper, &task, TIMEOUT_MS), ENOSPC);
    task.path = "/nonexistent/file";
    cr_assert_eq(lvp_helper_run(helper, &task, TIMEOUT_MS), ENOENT);
}

Test(host_helper, read_of_nothing_is_empty)
{
    g_autoptr(LvpHelper) helper = lvp_helper_new();
    char output[8] = "before";
    LvpHelperTask task = {.kind = LVP_HELPER_READ,
                          .path = "/dev/null",
                          .output = output,
                          .output_size = sizeof output,
                          .lock_fd = -1};
    cr_assert_eq(lvp_helper_run(helper, &task, TIMEOUT_MS), 0);
    cr_assert_str_eq(output, "");
}

/* Runs something harmless, which is when children that were killed are collected. */
static gboolean
has_no_child_left(gpointer helper)
{
    LvpHelperTask task = {.kind = LVP_HELPER_OPEN_EXCLUSIVE, .path = "/dev/null", .lock_fd = -1};
    lvp_helper_run(helper, &task, TIMEOUT_MS);
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

Test(host_helper, child_that_timed_out_is_collected_later)
{
    g_autoptr(LvpHelper) helper = lvp_helper_new();
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    lvp_scratch_make_fifo(scratch, "fifo");
    g_autofree char *path = lvp_scratch_get_path(scratch, "fifo");
    LvpHelperTask task = {.kind = LVP_HELPER_WRITE, .path = path, .text = "1", .lock_fd = -1};
    cr_assert_eq(lvp_helper_run(helper, &task, SHORT_MS), ETIMEDOUT);
    cr_assert(lvp_wait_until(has_no_child_left, helper));
}
