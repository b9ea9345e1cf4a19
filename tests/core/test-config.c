/* SPDX-License-Identifier: Apache-2.0 */
/* What wins over what; mistakes are in test-config-mistakes.c. */
#include "assert-error.h"
#include "config-case.h"

#include <string.h>

TestSuite(config, .init = config_case_set_up, .fini = config_case_tear_down);

static LvpConfig *
read_well(const char *first, const char *second)
{
    Outcome outcome = config_case_read(first, second);
    cr_assert_not_null(outcome.config, "%s", outcome.mistakes);
    cr_assert_str_eq(outcome.mistakes, "");
    LvpConfig *config = g_steal_pointer(&outcome.config);
    outcome_clear(&outcome);
    return config;
}

static const LvpOptions *
get_good(const LvpConfig *config)
{
    const LvpConfiguredSource *source = g_ptr_array_index(config->sources, 0);
    return source->options;
}

static const char *
get_uri(const LvpConfig *config)
{
    return lvp_config_get_string(config, "libvirt-uri");
}

/* ---- which value ---- */

Test(config, defaults_are_there)
{
    g_autoptr(LvpConfig) config = read_well(NULL, NULL);
    cr_assert_str_eq(get_uri(config), "qemu:///system");
    cr_assert_str_eq(lvp_config_get_string(config, "libvirt-provider-dir"),
                     "/var/lib/libvirt-provider");
    cr_assert_str_eq(lvp_config_get_string(config, "host-root"), "/");
    cr_assert_null(lvp_config_get_string(config, "supported-machine-classes"));
    cr_assert_eq(lvp_options_get_integer(config->core, "resource-manager-vm-limit"), 0);
    cr_assert_eq(lvp_options_get_integer(get_good(config), "good-level"), 1);
}

Test(config, key_file_wins_over_the_default)
{
    config_case_write("main.conf", "[libvirt-provider]\nlibvirt-uri=test:///file\n"
                                   "[good]\ngood-level=2\n");
    g_autoptr(LvpConfig) config = read_well(NULL, NULL);
    cr_assert_str_eq(get_uri(config), "test:///file");
    cr_assert_eq(lvp_options_get_integer(get_good(config), "good-level"), 2);
}

Test(config, conf_d_wins_over_the_key_file)
{
    config_case_write("main.conf", "[libvirt-provider]\nlibvirt-uri=test:///file\n"
                                   "[good]\ngood-level=2\n");
    config_case_write("conf.d/a.conf", "[libvirt-provider]\nlibvirt-uri=test:///d\n"
                                       "[good]\ngood-level=3\n");
    g_autoptr(LvpConfig) config = read_well(NULL, NULL);
    cr_assert_str_eq(get_uri(config), "test:///d");
    cr_assert_eq(lvp_options_get_integer(get_good(config), "good-level"), 3);
}

Test(config, flag_wins_over_all)
{
    config_case_write("main.conf", "[libvirt-provider]\nlibvirt-uri=test:///file\n"
                                   "[good]\ngood-level=2\n");
    config_case_write("conf.d/a.conf", "[libvirt-provider]\nlibvirt-uri=test:///d\n"
                                       "[good]\ngood-level=3\n");
    g_autoptr(LvpConfig) config =
        read_well("--libvirt-uri=test:///flag", "--resource-manager-good-level=4");
    cr_assert_str_eq(get_uri(config), "test:///flag");
    cr_assert_eq(lvp_options_get_integer(get_good(config), "good-level"), 4);
}

Test(config, value_may_be_the_next_argument)
{
    g_autoptr(LvpConfig) config = read_well("--resource-manager-good-level", "7");
    cr_assert_eq(lvp_options_get_integer(get_good(config), "good-level"), 7);
}

Test(config, last_of_equal_flags_wins)
{
    g_autoptr(LvpConfig) config = read_well("--libvirt-uri=a:", "--libvirt-uri=b:");
    cr_assert_str_eq(get_uri(config), "b:");
}

Test(config, boolean_flag_needs_no_value)
{
    g_autoptr(LvpConfig) config = read_well("--check-config", "--resource-manager-good-flag");
    cr_assert(lvp_options_get_boolean(config->core, "check-config"));
    cr_assert(lvp_options_get_boolean(get_good(config), "good-flag"));
}

Test(config, files_of_conf_d_come_in_the_order_of_names)
{
    config_case_write("conf.d/20.conf", "[libvirt-provider]\nlibvirt-uri=second:\n");
    config_case_write("conf.d/10.conf",
                      "[libvirt-provider]\nlibvirt-uri=first:\nlog-level=debug\n");
    g_autoptr(LvpConfig) config = read_well(NULL, NULL);
    cr_assert_str_eq(get_uri(config), "second:");
    cr_assert_str_eq(lvp_config_get_string(config, "log-level"), "debug");
}

Test(config, other_files_of_conf_d_are_passed_over)
{
    config_case_write("conf.d/.hidden.conf", "[libvirt-provider]\nlibvirt-uri=hidden\n");
    config_case_write("conf.d/a.conf.bak", "[libvirt-provider]\nlibvirt-uri=backup\n");
    config_case_write("conf.d/README", "no key file");
    g_autoptr(LvpConfig) config = read_well(NULL, NULL);
    cr_assert_str_eq(get_uri(config), "qemu:///system");
}

/* ---- sources ---- */

Test(config, sources_stand_in_the_order_of_the_list)
{
    config_case_copy_module("short-table");
    g_autoptr(LvpConfig) config =
        read_well("--resource-manager-sources= short-table , good,", NULL);
    static const char *const EXPECTED[] = {"short-table", "good"};
    cr_assert_eq(config->sources->len, G_N_ELEMENTS(EXPECTED));
    for (guint i = 0; i < config->sources->len; i++) {
        const LvpConfiguredSource *source = g_ptr_array_index(config->sources, i);
        cr_assert_str_eq(source->module->table->name, EXPECTED[i]);
    }
}

Test(config, sources_of_the_key_file_are_loaded)
{
    config_case_copy_module("short-table");
    config_case_write("main.conf", "[libvirt-provider]\nresource-manager-sources=short-table\n");
    g_autoptr(LvpConfig) config = config_case_read_without_sources();
    const LvpConfiguredSource *source = g_ptr_array_index(config->sources, 0);
    cr_assert_str_eq(source->module->table->name, "short-table");
}

Test(config, group_of_a_source_that_is_not_loaded_is_passed_over)
{
    config_case_write("main.conf", "[pci]\nanything=1\n[another]\nx=2\n");
    g_autoptr(LvpConfig) config = read_well(NULL, NULL);
    cr_assert_not_null(config);
}

Test(config, list_is_split_and_stripped)
{
    g_auto(GStrv) list = lvp_config_dup_list(" a, b ,,c,", ",");
    g_autofree char *joined = g_strjoinv("|", list);
    cr_assert_str_eq(joined, "a|b|c");
    g_auto(GStrv) empty = lvp_config_dup_list("", ",");
    cr_assert_null(empty[0]);
}

/* ---- help ---- */

Test(config, help_has_the_options_of_the_daemon_and_of_the_sources)
{
    g_autofree char *dir = config_case_make_source_dir_flag();
    const char *const arguments[] = {"libvirt-provider", dir, "--resource-manager-sources=good",
                                     NULL};
    g_autofree char *help = lvp_config_get_help(arguments);
    assert_contains(help, "--resource-manager-sources=VALUE");
    assert_contains(help, "--check-config");
    assert_contains(help, "Source good:");
    assert_contains(help, "--resource-manager-good-level=VALUE");
    assert_contains(help, "how good (default: 1)");
}

Test(config, help_works_without_sources)
{
    static const char *const ARGUMENTS[] = {"libvirt-provider", "--source-dir=/nonexistent", NULL};
    g_autofree char *help = lvp_config_get_help(ARGUMENTS);
    assert_contains(help, "--resource-manager-sources=VALUE");
    assert_contains(help, "The options of some sources are missing here:\n");
    assert_contains(help, "no source 'cpu' in /nonexistent");
}
