/* SPDX-License-Identifier: Apache-2.0 */
#include "assert-error.h"
#include "source-context.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static const LvpOptionRow ROWS[] = {
    {.name = "text", .type = LVP_OPTION_STRING},
    {.name = "path", .type = LVP_OPTION_FILE, .default_value = "/etc/pci.yaml"},
    {.name = "flag", .type = LVP_OPTION_BOOLEAN, .default_value = "yes"},
    {.name = "count", .type = LVP_OPTION_INTEGER, .default_value = "-7"},
    {.name = "ratio", .type = LVP_OPTION_DOUBLE, .default_value = "1.5"},
    {.name = "size", .type = LVP_OPTION_QUANTITY, .default_value = "4Gi"},
    {.name = "time", .type = LVP_OPTION_SECONDS, .default_value = "5m"},
    {0},
};

static void
set(LvpOptions *options, const char *name, const char *text)
{
    g_autoptr(GError) error = NULL;
    cr_assert(lvp_options_set(options, name, text, &error), "%s = '%s'", name, text);
    assert_no_error(error);
}

static void
assert_refused(const char *name, const char *text)
{
    g_autoptr(LvpOptions) options = lvp_options_new(ROWS);
    g_autoptr(GError) error = NULL;
    cr_assert_not(lvp_options_set(options, name, text, &error), "%s = '%s'", name, text);
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    assert_contains(error->message, name);
    assert_contains(error->message, text);
}

static void
assert_seconds(const char *text, gint64 expected)
{
    g_autoptr(LvpOptions) options = lvp_options_new(ROWS);
    set(options, "time", text);
    cr_assert_eq(lvp_options_get_integer(options, "time"), expected, "%s", text);
}

Test(options, defaults_hold_until_something_is_set)
{
    g_autoptr(LvpOptions) options = lvp_options_new(ROWS);
    cr_assert_str_eq(lvp_options_get_string(options, "path"), "/etc/pci.yaml");
    cr_assert(lvp_options_get_boolean(options, "flag"));
    cr_assert_eq(lvp_options_get_integer(options, "count"), -7);
    cr_assert_float_eq(lvp_options_get_double(options, "ratio"), 1.5, 0);
    cr_assert_eq(lvp_options_get_integer(options, "size"), G_GINT64_CONSTANT(4) << 30);
    cr_assert_eq(lvp_options_get_integer(options, "time"), 300);
}

Test(options, text_without_default_is_null)
{
    g_autoptr(LvpOptions) options = lvp_options_new(ROWS);
    cr_assert_null(lvp_options_get_string(options, "text"));
}

Test(options, text_may_be_empty_and_a_path_may_not)
{
    g_autoptr(LvpOptions) options = lvp_options_new(ROWS);
    set(options, "text", "");
    cr_assert_str_eq(lvp_options_get_string(options, "text"), "");
    assert_refused("path", "");
}

Test(options, last_set_wins)
{
    g_autoptr(LvpOptions) options = lvp_options_new(ROWS);
    set(options, "count", "1");
    set(options, "count", "2");
    cr_assert_eq(lvp_options_get_integer(options, "count"), 2);
    cr_assert_str_eq(lvp_options_get_string(options, "count"), "2");
}

Test(options, refused_text_leaves_the_value)
{
    g_autoptr(LvpOptions) options = lvp_options_new(ROWS);
    set(options, "count", "42");
    cr_assert_not(lvp_options_set(options, "count", "many", NULL));
    cr_assert_eq(lvp_options_get_integer(options, "count"), 42);
    cr_assert_str_eq(lvp_options_get_string(options, "count"), "42");
}

Test(options, each_spelling_of_a_boolean_is_read)
{
    g_autoptr(LvpOptions) options = lvp_options_new(ROWS);
    static const char *const YES[] = {"true", "yes", "1"}, *const NO[] = {"false", "no", "0"};
    for (guint i = 0; i < G_N_ELEMENTS(YES); i++) {
        set(options, "flag", NO[i]);
        cr_assert_not(lvp_options_get_boolean(options, "flag"), "%s", NO[i]);
        set(options, "flag", YES[i]);
        cr_assert(lvp_options_get_boolean(options, "flag"), "%s", YES[i]);
    }
}

Test(options, no_boolean_is_refused)
{
    static const char *const JUNK[] = {"", "2", "on", "TRUE", "y", "true ", "-1"};
    for (guint i = 0; i < G_N_ELEMENTS(JUNK); i++)
        assert_refused("flag", JUNK[i]);
}

Test(options, whole_int64_range_is_an_integer)
{
    g_autoptr(LvpOptions) options = lvp_options_new(ROWS);
    set(options, "count", "-9223372036854775808");
    cr_assert_eq(lvp_options_get_integer(options, "count"), G_MININT64);
    set(options, "count", "9223372036854775807");
    cr_assert_eq(lvp_options_get_integer(options, "count"), G_MAXINT64);
}

Test(options, no_integer_is_refused)
{
    static const char *const JUNK[] = {
        "", " 1", "1 ", "1.0", "0x10", "1e3", "1k", "9223372036854775808", "--1", "one"};
    for (guint i = 0; i < G_N_ELEMENTS(JUNK); i++)
        assert_refused("count", JUNK[i]);
}

Test(options, decimal_number_is_a_double)
{
    g_autoptr(LvpOptions) options = lvp_options_new(ROWS);
    set(options, "ratio", "-2.5e1");
    cr_assert_float_eq(lvp_options_get_double(options, "ratio"), -25.0, 0);
    set(options, "ratio", "3");
    cr_assert_float_eq(lvp_options_get_double(options, "ratio"), 3.0, 0);
}

Test(options, no_finite_decimal_number_is_refused)
{
    static const char *const JUNK[] = {"",          " 1.5",  "1.5 ", "1,5",   "nan", "inf",
                                       "-infinity", "1e999", "0x10", "0x1p3", "1.5x"};
    for (guint i = 0; i < G_N_ELEMENTS(JUNK); i++)
        assert_refused("ratio", JUNK[i]);
}

Test(options, no_quantity_is_refused)
{
    static const char *const JUNK[] = {"", "-1", "4GiB", "0.5", "much"};
    for (guint i = 0; i < G_N_ELEMENTS(JUNK); i++)
        assert_refused("size", JUNK[i]);
}

Test(options, time_is_held_in_seconds)
{
    assert_seconds("0", 0);
    assert_seconds("30", 30);
    assert_seconds("30s", 30);
    assert_seconds("5m", 300);
    assert_seconds("2h", 7200);
}

Test(options, longest_time_fits_an_int)
{
    assert_seconds("2147483647", G_MAXINT);
    assert_refused("time", "2147483648");
    assert_refused("time", "35791395m");
    assert_refused("time", "99999999999999999999h");
}

Test(options, error_of_an_earlier_call_does_not_matter)
{
    errno = ERANGE;
    assert_seconds("30", 30);
}

Test(options, no_time_is_refused)
{
    static const char *const JUNK[] = {"", "s", "-1", "+1", " 1", "1 s", "1.5h", "1d", "1hm", "1H"};
    for (guint i = 0; i < G_N_ELEMENTS(JUNK); i++)
        assert_refused("time", JUNK[i]);
}

Test(options, row_is_found_by_its_whole_name)
{
    cr_assert_eq(lvp_options_find_row(ROWS, "time"), &ROWS[6]);
    cr_assert_null(lvp_options_find_row(ROWS, "tim"));
    cr_assert_null(lvp_options_find_row(ROWS, "times"));
    cr_assert_null(lvp_options_find_row(NULL, "time"));
}

Test(options, each_option_set_has_values_of_its_own)
{
    g_autoptr(LvpOptions) first = lvp_options_new(ROWS);
    g_autoptr(LvpOptions) second = lvp_options_new(ROWS);
    set(first, "count", "1");
    cr_assert_eq(lvp_options_get_integer(second, "count"), -7);
}

Test(options, default_that_is_not_of_its_type_is_a_bug, .signal = SIGTRAP)
{
    static const LvpOptionRow WRONG[] = {
        {.name = "count", .type = LVP_OPTION_INTEGER, .default_value = "many"}, {0}};
    g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
    lvp_options_unref(lvp_options_new(WRONG));
}

/* ---- places ---- */

static char *
report(const LvpOptionPlace *place)
{
    g_autoptr(LvpOptions) options = lvp_options_new(ROWS);
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    if (place)
        lvp_options_set_from(options, "count", "5", place, diagnostics);
    cr_assert_eq(lvp_diagnostics_get_count(diagnostics), 0);
    lvp_options_report(options, "count", diagnostics, "must be %d", 4);
    return lvp_diagnostics_to_text(diagnostics);
}

Test(options, report_names_the_place_of_the_value)
{
    g_autofree char *by_default = report(NULL);
    g_autofree char *flag = report(&(LvpOptionPlace){.name = "--the-count"});
    g_autofree char *key = report(&(LvpOptionPlace){"count", "a.conf", 3});
    cr_assert_str_eq(by_default, "error: count must be 4");
    cr_assert_str_eq(flag, "error: --the-count must be 4");
    cr_assert_str_eq(key, "a.conf:3:1: error: count must be 4");
}

Test(options, value_of_another_type_is_reported_with_its_place_and_not_set)
{
    g_autoptr(LvpOptions) options = lvp_options_new(ROWS);
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    const LvpOptionPlace place = {"count", "a.conf", 3};
    lvp_options_set_from(options, "count", "many", &place, diagnostics);
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    cr_assert_str_eq(text, "a.conf:3:1: error: count must be a whole number, but is 'many'");
    cr_assert_eq(lvp_options_get_integer(options, "count"), -7);
}
