/* SPDX-License-Identifier: Apache-2.0 */
/* The command: many clients at once make machines and delete them, while others rescan, reload,
 * cordon, list and meddle. By hand that is one run; as a TAP test a run and its mutants, which must
 * be found, each in a process of its own. */
#include "stress.h"

#include "domain-xml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#define HAS_TSAN __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define HAS_TSAN TRUE
#else
#define HAS_TSAN FALSE
#endif

#define TSAN_STATUS 66 /* of a process with reports */

typedef struct {
    gint64 n_machines;
    int n_clients, seconds, seed;
    char *mutant;
    gboolean tap;
} Arguments;

/* ---- as a test ---- */

/* A process with the same arguments and MUTANT; its status and all that it says. */
static int
run_child(const Arguments *arguments, const char *program, const char *mutant, char **ret_output)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *machines =
        g_strdup_printf("--machines=%" G_GINT64_FORMAT, arguments->n_machines);
    g_autofree char *clients = g_strdup_printf("--clients=%d", arguments->n_clients);
    g_autofree char *seconds = g_strdup_printf("--seconds=%d", arguments->seconds);
    g_autofree char *seed = g_strdup_printf("--seed=%d", arguments->seed);
    g_autofree char *which = g_strdup_printf("--mutant=%s", mutant);
    const char *argv[] = {program, machines, clients, seconds, seed, mutant[0] ? which : NULL,
                          NULL};
    g_autofree char *output = NULL, *errors = NULL;
    int status = 0;
    if (!g_spawn_sync(NULL, (char **)(gsize)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output,
                      &errors, &status, &error)) {
        *ret_output = g_strdup(error->message);
        return -1;
    }
    *ret_output = g_strconcat(output, errors, NULL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static gboolean
say_result(gboolean ok, guint number, const char *what, const char *output)
{
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
    printf("%sok %u - %s\n", ok ? "" : "not ", number, what);
    for (char **line = lines; *line; line++)
        if ((*line)[0] != '\0' && (!ok || (*line)[0] == '#'))
            printf("# %s\n", *line);
    fflush(stdout);
    return ok;
}

static gboolean
run_tap(const Arguments *arguments, const char *program)
{
    g_autofree char *plain = NULL, *late = NULL, *unlocked = NULL;
    printf("1..3\n");
    int status = run_child(arguments, program, "", &plain);
    gboolean ok = say_result(status == 0, 1, "each claim has one winner", plain);
    status = run_child(arguments, program, STRESS_LATE_GIVE, &late);
    gboolean found = strstr(late, "goes from client") || strstr(late, "are given away");
    ok = say_result(status == 1 && found, 2, "two owners at once are found", late) && ok;
    if (!HAS_TSAN) {
        printf("ok 3 - an access without its lock is found # SKIP no ThreadSanitizer\n");
        return ok;
    }
    g_setenv("TSAN_OPTIONS", "halt_on_error=1", TRUE);
    status = run_child(arguments, program, STRESS_NO_LOCK, &unlocked);
    found = strstr(unlocked, "data race") && strstr(unlocked, "stress-others.c");
    return say_result(status == TSAN_STATUS && found, 3, "an access without its lock is found",
                      unlocked) &&
           ok;
}

/* ---- the command ---- */

/* GLib 2.74 has memory that it gives out again itself, unseen by sanitizers, unless this stands in
 * the environment before main(). */
static void
need_plain_memory(char **argv)
{
    if (g_getenv("G_SLICE"))
        return;
    g_setenv("G_SLICE", "always-malloc", TRUE);
    execv("/proc/self/exe", argv);
    g_error("cannot be executed again: %s", g_strerror(errno));
}

int
main(int argc, char **argv)
{
    static Arguments arguments = {.n_machines = 2000, .n_clients = 64, .seed = 1};
    static Stress stress;
    const GOptionEntry entries[] = {
        {"clients", 0, 0, G_OPTION_ARG_INT, &arguments.n_clients, "how many at once", "N"},
        {"machines", 0, 0, G_OPTION_ARG_INT64, &arguments.n_machines, "made and deleted", "N"},
        {"seconds", 0, 0, G_OPTION_ARG_INT, &arguments.seconds, "at most; 0: no limit", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT, &arguments.seed, "of what is chosen", "S"},
        {"mutant", 0, 0, G_OPTION_ARG_STRING, &arguments.mutant, "with a mistake built in", "NAME"},
        {"tap", 0, 0, G_OPTION_ARG_NONE, &arguments.tap, "as a test, mutants included", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- many clients at once");
    g_autoptr(GError) error = NULL;
    need_plain_memory(argv);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 2;
    }
    if (g_file_test("/dev/shm", G_FILE_TEST_IS_DIR))
        g_setenv("TMPDIR", "/dev/shm", FALSE);
    if (arguments.tap)
        return run_tap(&arguments, argv[0]) ? 0 : 1;
    stress.n_clients = (guint)arguments.n_clients;
    stress.n_wanted = (guint64)arguments.n_machines;
    stress.seconds = arguments.seconds;
    stress.seed = (guint32)arguments.seed;
    stress.mutant = arguments.mutant;
    lvp_domain_xml_init();
    return stress_run(&stress) ? 0 : 1;
}
