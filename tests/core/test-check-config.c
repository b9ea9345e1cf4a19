/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's own --check-config: exit status and what stands on stderr. */
#include "test-modules.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static LvpScratch *scratch;

static void
set_up(void)
{
    scratch = lvp_scratch_new();
    copy_module(scratch, "modules", "good");
    lvp_scratch_write(scratch, "classes.yaml", "- {name: a, capabilities: {cpu: 1}}\n");
    lvp_scratch_write(scratch, "main.conf", "[good]\ngood-level=2\n");
}

static void
tear_down(void)
{
    lvp_scratch_free(scratch);
}

TestSuite(check_config, .init = set_up, .fini = tear_down);

/* Runs it with one more argument (may be NULL); the exit status, and stderr with the scratch folder
 * as DIR (g_free()). */
static int
check(const char *argument, char **ret_errors)
{
    const char *root = lvp_scratch_get_root(scratch);
    g_autofree char *config = g_strdup_printf("--config=%s/main.conf", root);
    g_autofree char *dir = g_strdup_printf("--source-dir=%s/modules", root);
    g_autofree char *classes = g_strdup_printf("--supported-machine-classes=%s/classes.yaml", root);
    const char *words[] = {
        DAEMON, "--check-config", "--resource-manager-sources=good", config, dir, classes, argument,
        NULL};
    g_autofree char *output = NULL, *errors = NULL;
    int status = -1;
    cr_assert(g_spawn_sync(NULL, (char **)(gpointer)words, NULL, G_SPAWN_DEFAULT, NULL, NULL,
                           &output, &errors, &status, NULL));
    cr_assert(WIFEXITED(status), "status %d: %s", status, errors);
    g_auto(GStrv) parts = g_strsplit(errors, root, -1);
    *ret_errors = g_strjoinv("DIR", parts);
    return WEXITSTATUS(status);
}

static void
assert_bad(const char *argument, const char *expected)
{
    g_autofree char *errors = NULL;
    cr_assert_eq(check(argument, &errors), 2, "%s", errors);
    cr_assert_str_eq(errors, expected);
}

Test(check_config, good_configuration_ends_with_zero_and_says_nothing)
{
    g_autofree char *errors = NULL;
    cr_assert_eq(check(NULL, &errors), 0, "%s", errors);
    cr_assert_str_eq(errors, "");
}

Test(check_config, mistakes_of_all_files_are_told_in_one_run_with_their_places)
{
    lvp_scratch_write(scratch, "main.conf", "[good]\n\nwrong=1\n");
    lvp_scratch_write(scratch, "classes.yaml", "- {name: a, capabilities: {cpu: -1}}\n");
    assert_bad("--resource-manager-good-level=-1",
               "DIR/classes.yaml:1:33: error: quantity '-1' of cpu is negative\n"
               "DIR/main.conf:3:1: error: unknown key 'wrong' in [good]; known there: good-level, "
               "good-flag, good-file, good-near-level\n"
               "good.yaml:3:7: error: good-level must not be negative\n");
}

Test(check_config, missing_file_of_classes_is_told)
{
    g_autofree char *errors = NULL;
    lvp_scratch_remove(scratch, "classes.yaml");
    cr_assert_eq(check(NULL, &errors), 2);
    cr_assert_not_null(strstr(errors, "DIR/classes.yaml: error: "), "%s", errors);
}

Test(check_config, wrong_flag_is_told)
{
    g_autofree char *errors = NULL;
    cr_assert_eq(check("--nonsense", &errors), 2);
    cr_assert_not_null(strstr(errors, "--nonsense"), "%s", errors);
}

Test(check_config, source_that_is_not_trusted_is_told)
{
    g_autofree char *module = lvp_scratch_get_path(scratch, "modules/good.so");
    g_autofree char *errors = NULL;
    cr_assert_eq(chmod(module, 0666), 0);
    cr_assert_eq(check(NULL, &errors), 2);
    cr_assert_not_null(strstr(errors, "DIR/modules/good.so is not loaded"), "%s", errors);
}
