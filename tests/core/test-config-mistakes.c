/* SPDX-License-Identifier: Apache-2.0 */
/* What --check-config has to say. */
#include "assert-error.h"
#include "config-case.h"

#include <string.h>

TestSuite(config, .init = config_case_set_up, .fini = config_case_tear_down);

/* The flags give a mistake with PART. */
static void
assert_mistake_of(const char *first, const char *second, const char *part)
{
    g_auto(Outcome) outcome = config_case_read(first, second);
    cr_assert_null(outcome.config);
    assert_contains(outcome.mistakes, part);
}

/* main.conf gives exactly these mistakes. */
static void
assert_mistakes(const char *text, const char *expected)
{
    config_case_write("main.conf", text);
    g_auto(Outcome) outcome = config_case_read(NULL, NULL);
    cr_assert_null(outcome.config);
    cr_assert_str_eq(outcome.mistakes, expected);
}

/* ---- files ---- */

Test(config, unknown_key_of_a_source_is_named_with_line_and_alternatives)
{
    assert_mistakes("# comment\n\n[good]\ngood-level=1\ngood-levle=2\n",
                    "DIR/main.conf:5:1: error: unknown key 'good-levle' in [good]; known there: "
                    "good-level, good-flag, good-file, good-near-level");
}

Test(config, unknown_key_of_the_daemon_is_named_with_its_line)
{
    config_case_write("main.conf", "[libvirt-provider]\n libvirt-url = x\n");
    g_auto(Outcome) outcome = config_case_read(NULL, NULL);
    assert_contains(outcome.mistakes,
                    "DIR/main.conf:2:1: error: unknown key 'libvirt-url' in [libvirt-provider]");
    assert_contains(outcome.mistakes, "libvirt-uri");
}

Test(config, wrong_value_is_named_with_its_line)
{
    assert_mistakes("[libvirt-provider]\nresource-manager-vm-limit=many\n[good]\ngood-flag=maybe\n",
                    "DIR/main.conf:2:1: error: resource-manager-vm-limit must be a whole number, "
                    "but is 'many'\n"
                    "DIR/main.conf:4:1: error: good-flag must be true or false, but is 'maybe'");
}

Test(config, mistakes_of_all_files_are_told_in_one_run)
{
    config_case_write("conf.d/a.conf", "[good]\n\nx=1\n");
    config_case_write("conf.d/b.conf", "[libvirt-provider]\ny=1\n");
    config_case_write("main.conf", "[good]\nz=1\n");
    g_auto(Outcome) outcome = config_case_read(NULL, NULL);
    assert_contains(outcome.mistakes, "DIR/conf.d/a.conf:3:1: error: unknown key 'x'");
    assert_contains(outcome.mistakes, "DIR/conf.d/b.conf:2:1: error: unknown key 'y'");
    assert_contains(outcome.mistakes, "DIR/main.conf:2:1: error: unknown key 'z'");
}

Test(config, line_that_is_no_pair_is_named)
{
    config_case_write("main.conf", "[good]\ngood-level=1\nwhat is this\n");
    g_auto(Outcome) outcome = config_case_read(NULL, NULL);
    cr_assert_null(outcome.config);
    assert_contains(outcome.mistakes, "DIR/main.conf:3:1: error: ");
}

Test(config, pair_before_any_group_is_named)
{
    config_case_write("main.conf", "# one\nlibvirt-uri=x\n");
    g_auto(Outcome) outcome = config_case_read(NULL, NULL);
    cr_assert_null(outcome.config);
    assert_contains(outcome.mistakes, "DIR/main.conf:2:1: error: ");
}

Test(config, file_that_cannot_be_read_is_a_mistake)
{
    config_case_write("main.conf/x", "");
    g_auto(Outcome) outcome = config_case_read(NULL, NULL);
    cr_assert_null(outcome.config);
    assert_contains(outcome.mistakes, "DIR/main.conf");
}

Test(config, key_file_cannot_name_another)
{
    config_case_write("other.conf", "[good]\ngood-level=9\n");
    config_case_write("main.conf", "[libvirt-provider]\nconfig=/other.conf\n");
    g_auto(Outcome) outcome = config_case_read(NULL, NULL);
    cr_assert_null(outcome.config);
    assert_contains(outcome.mistakes, "DIR/main.conf:2:1: error: unknown key 'config'");
}

Test(config, file_over_one_mebibyte_is_a_mistake)
{
    g_autofree char *text = g_strnfill((1u << 20) + 1, '#');
    config_case_write("main.conf", text);
    g_auto(Outcome) outcome = config_case_read(NULL, NULL);
    cr_assert_null(outcome.config);
    assert_contains(outcome.mistakes, "larger than 1 MiB");
}

Test(config, fifo_among_the_files_is_a_mistake, .timeout = 10)
{
    config_case_make_fifo("conf.d/a.conf");
    g_auto(Outcome) outcome = config_case_read(NULL, NULL);
    cr_assert_null(outcome.config);
    assert_contains(outcome.mistakes, "DIR/conf.d/a.conf: error: is no file");
}

Test(config, mistakes_that_a_source_finds_are_told)
{
    assert_mistakes("[good]\ngood-level=-1\n",
                    "good.yaml:3:7: error: good-level must not be negative");
}

Test(config, negative_vm_limit_is_a_mistake)
{
    g_auto(Outcome) outcome = config_case_read("--resource-manager-vm-limit=-1", NULL);
    cr_assert_null(outcome.config);
    assert_contains(outcome.mistakes, "must not be negative");
}

/* ---- flags ---- */

Test(config, unknown_flag_points_to_the_help)
{
    assert_mistake_of("--nonsense", NULL, "--nonsense");
    assert_mistake_of("--nonsense", NULL, "see --help");
}

Test(config, flag_of_a_source_that_is_not_loaded_names_the_source)
{
    config_case_copy_module("other");
    assert_mistake_of("--resource-manager-other-level=1", NULL,
                      "--resource-manager-other-level is an option of source other, which is "
                      "not loaded: add other to --resource-manager-sources");
    assert_mistake_of("--resource-manager-other-level", "1", "source other");
}

Test(config, flag_of_no_source_at_all_points_to_the_help)
{
    assert_mistake_of("--resource-manager-nonsense=1", NULL, "see --help");
}

Test(config, wrong_value_of_a_flag_names_the_flag)
{
    assert_mistake_of("--resource-manager-vm-limit=many", NULL,
                      "error: --resource-manager-vm-limit must be a whole number, but is 'many'");
    assert_mistake_of("--resource-manager-good-level=x", NULL,
                      "--resource-manager-good-level must ");
    assert_mistake_of("--resource-manager-good-file=", NULL, "the path of a file");
}

Test(config, flag_without_its_value_is_an_error)
{
    assert_mistake_of("--resource-manager-good-level", NULL, "--resource-manager-good-level");
}

Test(config, word_that_is_no_flag_is_an_error)
{
    assert_mistake_of("good", NULL, "unexpected argument 'good'");
}

/* ---- sources ---- */

Test(config, unknown_source_is_an_error_with_the_alternatives)
{
    assert_mistake_of("--resource-manager-sources=good,gpu", NULL, "no source 'gpu'");
    assert_mistake_of("--resource-manager-sources=good,gpu", NULL, "found there: good");
}

Test(config, no_source_and_a_source_twice_are_errors)
{
    assert_mistake_of("--resource-manager-sources=", NULL, "names no source");
    assert_mistake_of("--resource-manager-sources= , ", NULL, "names no source");
    assert_mistake_of("--resource-manager-sources=good,good", NULL, "names good twice");
}

Test(config, option_of_two_sources_is_an_error_that_names_both)
{
    config_case_copy_module("good-near");
    assert_mistake_of(
        "--resource-manager-sources=good,good-near", NULL,
        "option --resource-manager-good-near-level of source good-near exists already: it is "
        "of good");
}

Test(config, option_of_the_daemon_in_a_source_is_an_error)
{
    config_case_copy_module("vm");
    assert_mistake_of("--resource-manager-sources=vm", NULL,
                      "option --resource-manager-vm-limit of source vm exists already: it is of "
                      "the daemon itself");
}

Test(config, mistakes_of_the_daemons_keys_are_told_though_a_source_is_missing)
{
    config_case_write("main.conf", "[libvirt-provider]\nx=1\n");
    g_auto(Outcome) outcome = config_case_read("--resource-manager-sources=gpu", NULL);
    assert_contains(outcome.mistakes, "DIR/main.conf:2:1: error: unknown key 'x'");
    assert_contains(outcome.mistakes, "no source 'gpu'");
}

/* ---- places ---- */

Test(config, value_that_a_source_refuses_is_named_where_it_was_given)
{
    assert_mistakes("[good]\n\ngood-level=101\n",
                    "DIR/main.conf:3:1: error: good-level must be at most 100");
    config_case_write("conf.d/a.conf", "[good]\ngood-level=102\n");
    g_auto(Outcome) later = config_case_read(NULL, NULL);
    cr_assert_str_eq(later.mistakes,
                     "DIR/conf.d/a.conf:2:1: error: good-level must be at most 100");
    g_auto(Outcome) flag = config_case_read("--resource-manager-good-level=103", NULL);
    cr_assert_str_eq(flag.mistakes, "error: --resource-manager-good-level must be at most 100");
}

Test(config, values_that_the_daemon_refuses_are_named_where_they_were_given)
{
    assert_mistakes(
        "[libvirt-provider]\nlog-level=loud\nresource-manager-vm-limit=-1\nhost-root=x\n",
        "DIR/main.conf:2:1: error: log-level must be error, warning, info or debug, but "
        "is 'loud'\n"
        "DIR/main.conf:3:1: error: resource-manager-vm-limit must not be negative, but "
        "is -1\n"
        "DIR/main.conf:4:1: error: host-root must be an absolute path, but is 'x'");
    config_case_write("main.conf", "[libvirt-provider]\nhost-root=/nonexistent\nlibvirt-uri=\n");
    g_auto(Outcome) outcome = config_case_read(NULL, NULL);
    assert_contains(outcome.mistakes, "DIR/main.conf:2:1: error: host-root is no host: cannot "
                                      "open /nonexistent/sys: No such file or directory ");
    assert_contains(outcome.mistakes, "DIR/main.conf:3:1: error: libvirt-uri must be a URI such as "
                                      "qemu:///system, but is ''");
    config_case_write("main.conf", "");
    assert_mistake_of("--log-level=loud", NULL, "error: --log-level must be error, warning");
}

Test(config, key_given_twice_is_a_mistake_and_its_last_value_is_looked_at)
{
    assert_mistakes("[good]\ngood-level=1\ngood-level=101\n",
                    "DIR/main.conf:3:1: error: good-level stands already in line 2: one of them "
                    "has to go\n"
                    "DIR/main.conf:3:1: error: good-level must be at most 100");
}

Test(config, key_given_twice_in_a_group_that_is_continued_is_a_mistake)
{
    assert_mistakes("[good]\ngood-level=1\n[other]\ngood-level=1\n[good]\n good-level = 1\n",
                    "DIR/main.conf:6:1: error: good-level stands already in line 2: one of them "
                    "has to go");
}

Test(config, socket_whose_path_is_too_long_is_a_mistake)
{
    g_autofree char *longest = g_strnfill(107 - strlen("/"), 'a');
    g_autofree char *good = g_strdup_printf("--control-socket=/%s", longest);
    g_autofree char *bad = g_strdup_printf("--control-socket=/%sb", longest);
    g_auto(Outcome) outcome = config_case_read(good, NULL);
    cr_assert_str_eq(outcome.mistakes, "");
    assert_mistake_of(bad, NULL,
                      "error: --control-socket is too long: the path of a socket has at most 107 "
                      "bytes");
}

Test(config, source_that_is_missing_is_named_where_it_was_asked_for)
{
    config_case_write("main.conf", "[libvirt-provider]\nresource-manager-sources=good,gpu\n");
    g_auto(Outcome) outcome = config_case_read_default_sources();
    assert_contains(outcome.mistakes, "DIR/main.conf:2:1: error: resource-manager-sources names "
                                      "gpu: no source 'gpu' in DIR/modules");
}

/* ---- all of them ---- */

Test(config, all_mistakes_of_the_flags_are_told_with_those_of_the_files)
{
    config_case_write("main.conf", "[good]\nx=1\n");
    g_auto(Outcome) outcome =
        config_case_read("--resource-manager-sources=good,gpu", "--resource-manager-good-level=x");
    assert_contains(outcome.mistakes, "names gpu: no source 'gpu'");
    assert_contains(outcome.mistakes, "--resource-manager-good-level must be a whole number");
    assert_contains(outcome.mistakes, "DIR/main.conf:2:1: error: unknown key 'x'");
    g_auto(Outcome) unknown = config_case_read("--one=1", "--log-level");
    cr_assert_str_eq(unknown.mistakes, "error: --log-level needs a value; see --help\n"
                                       "error: unknown option --one; see --help\n"
                                       "DIR/main.conf:2:1: error: unknown key 'x' in [good]; known "
                                       "there: good-level, good-flag, good-file, good-near-level");
}

Test(config, flag_is_not_called_unknown_while_its_source_is_missing)
{
    g_auto(Outcome) outcome =
        config_case_read("--resource-manager-sources=good,gpu", "--resource-manager-gpu-size=1");
    cr_assert_null(strstr(outcome.mistakes, "unknown"), "%s", outcome.mistakes);
}

Test(config, all_lines_that_are_no_pairs_are_told_and_the_others_are_read)
{
    assert_mistakes(
        "early=1\nlog-level=x\n[good]\nwhat is this\ngood-level=101\nand this\n",
        "DIR/main.conf:1:1: error: 'early=1' stands before the first [group]\n"
        "DIR/main.conf:4:1: error: 'what is this' is no KEY=VALUE, [group] or # comment\n"
        "DIR/main.conf:5:1: error: good-level must be at most 100\n"
        "DIR/main.conf:6:1: error: 'and this' is no KEY=VALUE, [group] or # comment");
}
