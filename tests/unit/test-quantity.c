/* SPDX-License-Identifier: Apache-2.0 */
#include "assert-error.h"

#include <libvirt-provider/request.h>
#include <string.h>

static void
assert_amount(const char *resource, const char *text, gint64 expected)
{
    g_autoptr(GError) error = NULL;
    gint64 amount = -1;
    cr_assert(lvp_quantity_parse(resource, text, &amount, &error), "'%s' is refused: %s", text,
              error ? error->message : "");
    cr_assert_eq(amount, expected, "'%s' is %" G_GINT64_FORMAT, text, amount);
}

static void
assert_refused(const char *resource, const char *text, const char *reason)
{
    g_autoptr(GError) error = NULL;
    gint64 amount = -1;
    cr_assert_not(lvp_quantity_parse(resource, text, &amount, &error),
                  "'%s' is taken as %" G_GINT64_FORMAT, text, amount);
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    assert_contains(error->message, reason);
    cr_assert_eq(amount, -1, "'%s' is refused, but changed the output", text);
}

static void
assert_text(const char *resource, gint64 amount, const char *expected)
{
    g_autofree char *text = lvp_quantity_format(resource, amount);
    cr_assert_str_eq(text, expected);
}

/* ---- what is read ---- */

Test(quantity, whole_number_is_a_count)
{
    assert_amount("gpu.nvidia/a100", "2", 2);
    assert_amount("memory", "16106127361", G_GINT64_CONSTANT(16106127361));
}

Test(quantity, cpu_is_held_in_millicores)
{
    assert_amount("cpu", "2", 2000);
    assert_amount("cpu", "500m", 500);
    assert_amount("cpu", "0.1", 100);
    assert_amount("cpu", "1k", 1000000);
}

Test(quantity, each_binary_suffix_is_a_power_of_1024)
{
    static const char *const SUFFIXES[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    for (guint i = 0; i < G_N_ELEMENTS(SUFFIXES); i++) {
        g_autofree char *text = g_strconcat("3", SUFFIXES[i], NULL);
        assert_amount("memory", text, G_GINT64_CONSTANT(3) << (10 * i));
    }
}

Test(quantity, each_decimal_suffix_is_a_power_of_1000)
{
    static const char *const SUFFIXES[] = {"", "k", "M", "G", "T", "P", "E"};
    gint64 factor = 1;
    for (guint i = 0; i < G_N_ELEMENTS(SUFFIXES); i++) {
        g_autofree char *text = g_strconcat("3", SUFFIXES[i], NULL);
        factor = i == 0 ? 1 : factor * 1000;
        assert_amount("memory", text, 3 * factor);
    }
}

Test(quantity, small_suffixes_are_taken_where_they_come_out_whole)
{
    assert_amount("memory", "3000m", 3);
    assert_amount("memory", "3000000u", 3);
    assert_amount("memory", "3000000000n", 3);
    assert_amount("cpu", "2000u", 2);
}

Test(quantity, exponent_is_decimal)
{
    assert_amount("memory", "1.5e3", 1500);
    assert_amount("memory", "15E+2", 1500);
    assert_amount("memory", "1500e-2", 15);
}

Test(quantity, letter_e_alone_is_exa_and_with_digits_an_exponent)
{
    assert_amount("memory", "1E", G_GINT64_CONSTANT(1000000000000000000));
    assert_amount("memory", "1E1", 10);
}

Test(quantity, fraction_is_taken_where_it_comes_out_whole)
{
    assert_amount("memory", "0.5Ki", 512);
    assert_amount("memory", "1.5Gi", G_GINT64_CONSTANT(1610612736));
    assert_amount("memory", ".5k", 500);
    assert_amount("memory", "5.", 5);
    assert_amount("gpu.nvidia/a100", "1.000", 1);
}

Test(quantity, fraction_of_a_large_suffix_does_not_overflow_on_the_way)
{
    assert_amount("memory", "1.25Ei", G_GINT64_CONSTANT(1441151880758558720));
    assert_amount("memory", "1.00000000Ti", G_GINT64_CONSTANT(1) << 40);
    assert_amount("memory", "0.0009765625Ei", G_GINT64_CONSTANT(1) << 50);
}

Test(quantity, leading_plus_and_zeros_do_not_matter)
{
    assert_amount("memory", "+2", 2);
    assert_amount("memory", "0000000000000000000000000000002", 2);
}

Test(quantity, digits_that_only_say_zero_do_not_overflow)
{
    assert_amount("memory", "1844674407370955160.0", G_GINT64_CONSTANT(1844674407370955160));
    assert_refused("memory", "1.00000000000000000000000", "too many digits");
}

Test(quantity, sixty_four_characters_are_read_and_no_more)
{
    g_autofree char *zeros = g_strnfill(63, '0');
    g_autofree char *longest = g_strconcat(zeros, "2", NULL);
    g_autofree char *longer = g_strconcat("0", longest, NULL);
    assert_amount("memory", longest, 2);
    assert_refused("memory", longer, "too long");
}

Test(quantity, zero_is_zero_with_any_suffix)
{
    static const char *const ZEROS[] = {"0", "0Ei", "0.000", "0e99", "0n", "0e-99"};
    for (guint i = 0; i < G_N_ELEMENTS(ZEROS); i++)
        assert_amount("cpu", ZEROS[i], 0);
}

/* ---- limits ---- */

Test(quantity, largest_int64_is_taken_and_one_more_is_too_large)
{
    assert_amount("memory", "9223372036854775807", G_MAXINT64);
    assert_refused("memory", "9223372036854775808", "too large");
}

Test(quantity, largest_uint64_and_more_is_too_large)
{
    assert_refused("memory", "18446744073709551615", "too large");
    assert_refused("memory", "18446744073709551616", "too large");
    assert_refused("memory", "99999999999999999999999999999", "too large");
}

Test(quantity, suffix_that_overflows_is_too_large)
{
    assert_amount("memory", "7Ei", G_GINT64_CONSTANT(7) << 60);
    assert_refused("memory", "8Ei", "too large");
    assert_refused("memory", "16Ei", "too large");
    assert_refused("memory", "10E", "too large");
    assert_refused("memory", "1e19", "too large");
    assert_refused("memory", "1e99", "too large");
}

Test(quantity, cpu_overflows_in_millicores)
{
    assert_amount("cpu", "9223372036854775.807", G_MAXINT64);
    assert_refused("cpu", "9223372036854775.808", "too large");
    assert_refused("cpu", "8Ei", "too large");
}

/* ---- what is refused ---- */

Test(quantity, half_a_device_is_refused)
{
    assert_refused("gpu.nvidia/a100", "500m", "finer");
    assert_refused("gpu.nvidia/a100", "0.5", "finer");
    assert_refused("gpu.nvidia/a100", "1.5", "finer");
    assert_refused("gpu.nvidia/a100", "5e-1", "finer");
}

Test(quantity, less_than_a_byte_or_a_millicore_is_refused)
{
    assert_refused("memory", "0.1Ki", "finer");
    assert_refused("cpu", "1u", "finer");
    assert_refused("cpu", "0.0001", "finer");
}

Test(quantity, negative_is_refused)
{
    assert_refused("cpu", "-1", "negative");
    assert_refused("cpu", "-500m", "negative");
}

Test(quantity, text_that_is_none_is_refused_with_examples)
{
    static const char *const JUNK[] = {
        "",      " ",    "2 ",   " 2",  ".",   "+",    "+-2",   "Gi",   "2gi",   "2GI",
        "2K",    "2GiB", "0x10", "1e",  "1e+", "1e 3", "1e3.5", "1e3k", "1.2.3", "1,5",
        "1_000", "two",  "NaN",  "inf", "2\n", "2Gi ", "1e999", "٣",    "%s",    "m"};
    for (guint i = 0; i < G_N_ELEMENTS(JUNK); i++)
        assert_refused("memory", JUNK[i], "examples");
}

Test(quantity, refusal_names_text_and_resource)
{
    assert_refused("gpu.nvidia/a100", "1.5", "'1.5' of gpu.nvidia/a100");
}

Test(quantity, long_text_is_refused_in_valid_utf8)
{
    /* The cut falls into a character of two bytes. */
    g_autoptr(GString) text = g_string_new("1");
    for (guint i = 0; i < 100; i++)
        g_string_append(text, "é");
    g_autoptr(GError) error = NULL;
    gint64 amount = 0;
    cr_assert_not(lvp_quantity_parse("memory", text->str, &amount, &error));
    cr_assert(g_utf8_validate(error->message, -1, NULL), "'%s'", error->message);
}

/* ---- what is written ---- */

Test(quantity, cpu_is_written_in_cores_where_whole)
{
    assert_text("cpu", 2000, "2");
    assert_text("cpu", 500, "500m");
    assert_text("cpu", 2500, "2500m");
    assert_text("cpu", 0, "0");
}

Test(quantity, memory_is_written_with_the_largest_exact_suffix)
{
    assert_text("memory", G_GINT64_CONSTANT(4) << 30, "4Gi");
    assert_text("memory", (G_GINT64_CONSTANT(4) << 30) + 1024, "4194305Ki");
    assert_text("memory", G_GINT64_CONSTANT(16106127361), "16106127361");
    assert_text("memory", G_GINT64_CONSTANT(1) << 60, "1Ei");
    assert_text("memory", 0, "0");
}

Test(quantity, count_is_written_without_suffix) { assert_text("nic.intel/x710", 1024, "1024"); }

Test(quantity, what_is_written_reads_back_the_same)
{
    static const char *const RESOURCES[] = {"cpu", "memory", "gpu.nvidia/a100"};
    static const gint64 AMOUNTS[] = {0,    1,    999,      1000,           1001,      1023,
                                     1024, 1025, G_MAXINT, G_MAXINT64 - 1, G_MAXINT64};
    for (guint i = 0; i < G_N_ELEMENTS(RESOURCES); i++)
        for (guint j = 0; j < G_N_ELEMENTS(AMOUNTS); j++) {
            g_autofree char *text = lvp_quantity_format(RESOURCES[i], AMOUNTS[j]);
            assert_amount(RESOURCES[i], text, AMOUNTS[j]);
        }
}
