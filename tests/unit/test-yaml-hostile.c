/* SPDX-License-Identifier: Apache-2.0 */
/* Files that mean harm, or are none. */
#include "assert-error.h"
#include "open-files.h"
#include "scratch.h"

#include <libvirt-provider/yaml.h>
#include <string.h>

#define MIB (1u << 20)
#define FILE_NAME "test.yaml"

TestSuite(yaml_hostile, .timeout = 20);

/* ---- floods ---- */

/* TEXT is refused without a look at the rest: the time limit of the test says how fast. */
static void
assert_flood_refused(const char *part, const char *reason)
{
    g_autoptr(GString) text = g_string_new(NULL);
    while (text->len < 200000)
        g_string_append(text, part);
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpYaml) tree = lvp_yaml_read_text(FILE_NAME, text->str, text->len, diagnostics);
    g_autofree char *mistakes = lvp_diagnostics_to_text(diagnostics);
    cr_assert_eq(lvp_diagnostics_get_count(diagnostics), 1);
    assert_contains(mistakes, reason);
}

/* The number of children of the root of TEXT, which is well. */
static guint
count_children(const GString *text)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpYaml) tree = lvp_yaml_read_text(FILE_NAME, text->str, text->len, diagnostics);
    cr_assert_not_null(tree);
    cr_assert_eq(lvp_diagnostics_get_count(diagnostics), 0);
    return lvp_yaml_node_get_length(lvp_yaml_get_root(tree));
}

Test(yaml_hostile, flood_of_openings_is_refused_at_once)
{
    assert_flood_refused("[", "too deep");
    assert_flood_refused("{", "too deep");
    assert_flood_refused("- ", "too deep");
    assert_flood_refused("[{a: ", "too deep");
    assert_flood_refused("? ", "");
}

Test(yaml_hostile, flood_of_elements_is_read_at_once)
{
    g_autoptr(GString) text = g_string_new("[");
    while (text->len < MIB - 3)
        g_string_append(text, "a,");
    g_string_append_c(text, ']');
    cr_assert_gt(count_children(text), 500000);
}

Test(yaml_hostile, flood_of_keys_is_read_at_once)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < 80000; i++)
        g_string_append_printf(text, "k%u: 1\n", i);
    cr_assert_eq(count_children(text), 80000);
}

/* ---- files ---- */

Test(yaml_hostile, one_mebibyte_is_read_and_one_byte_more_refused)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    g_autofree char *text = g_strnfill(MIB + 1, '#');
    memcpy(text, "a: b\n", 5);
    lvp_scratch_write_bytes(scratch, "exact", text, MIB);
    lvp_scratch_write_bytes(scratch, "over", text, MIB + 1);
    g_autofree char *exact = lvp_scratch_get_path(scratch, "exact");
    g_autofree char *over = lvp_scratch_get_path(scratch, "over");
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpYaml) tree = lvp_yaml_read_file(exact, diagnostics);
    cr_assert_not_null(tree);
    g_autoptr(LvpYaml) too_large = lvp_yaml_read_file(over, diagnostics);
    cr_assert_null(too_large);
    g_autofree char *mistakes = lvp_diagnostics_to_text(diagnostics);
    g_autofree char *expected = g_strconcat(over, ": error: larger than 1 MiB", NULL);
    cr_assert_str_eq(mistakes, expected);
}

/* The one thing that is said about PATH; g_free(). */
static char *
read_unreadable(const char *path)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpYaml) tree = lvp_yaml_read_file(path, diagnostics);
    cr_assert_eq(lvp_diagnostics_get_count(diagnostics), 1);
    char *text = lvp_diagnostics_to_text(diagnostics);
    cr_assert(g_str_has_prefix(text, path), "%s", text);
    return text;
}

Test(yaml_hostile, file_is_read_and_named_in_mistakes)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    lvp_scratch_write(scratch, "a.yaml", "a: 1\na: 2\n");
    g_autofree char *path = lvp_scratch_get_path(scratch, "a.yaml");
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    lvp_yaml_free(lvp_yaml_read_file(path, diagnostics));
    g_autofree char *mistakes = lvp_diagnostics_to_text(diagnostics);
    g_autofree char *expected = g_strdup_printf("%s:2:1: error: key 'a' stands here twice", path);
    cr_assert_str_eq(mistakes, expected);
}

Test(yaml_hostile, file_that_does_not_exist_is_reported)
{
    g_autofree char *text = read_unreadable("/nonexistent/pci.yaml");
    assert_contains(text, "No such file");
}

Test(yaml_hostile, folder_is_reported)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    g_autofree char *text = read_unreadable(lvp_scratch_get_root(scratch));
    assert_contains(text, "Is a directory");
}

Test(yaml_hostile, fifo_is_reported_without_waiting_for_a_writer)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    lvp_scratch_make_fifo(scratch, "fifo");
    g_autofree char *path = lvp_scratch_get_path(scratch, "fifo");
    g_autofree char *text = read_unreadable(path);
    assert_contains(text, "cannot be read");
}

Test(yaml_hostile, endless_device_is_reported)
{
    g_autofree char *text = read_unreadable("/dev/zero");
    assert_contains(text, "cannot be read");
}

Test(yaml_hostile, empty_file_is_reported)
{
    g_autofree char *text = read_unreadable("/dev/null");
    assert_contains(text, "cannot be read");
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    lvp_scratch_write(scratch, "empty", "");
    g_autofree char *path = lvp_scratch_get_path(scratch, "empty");
    g_autofree char *empty = read_unreadable(path);
    assert_contains(empty, "empty");
}

Test(yaml_hostile, files_are_closed_also_those_that_are_refused)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    guint before = lvp_count_open_files();
    lvp_scratch_write(scratch, "a.yaml", "a: &x 1\n");
    g_autofree char *path = lvp_scratch_get_path(scratch, "a.yaml");
    g_free(read_unreadable(path));
    g_free(read_unreadable(lvp_scratch_get_root(scratch)));
    cr_assert_eq(lvp_count_open_files(), before);
}

/* ---- garbage ---- */

/* Either a tree, or a reason; and the reason can be shown. */
static void
assert_tree_or_reason(const char *text, gsize length)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpYaml) tree = lvp_yaml_read_text(FILE_NAME, text, length, diagnostics);
    g_autofree char *mistakes = lvp_diagnostics_to_text(diagnostics);
    cr_assert(tree || lvp_diagnostics_get_count(diagnostics) > 0, "neither for '%.*s'", (int)length,
              text);
    cr_assert(g_utf8_validate(mistakes, -1, NULL));
}

Test(yaml_hostile, every_byte_value_gives_a_tree_or_a_reason)
{
    for (guint byte = 0; byte < 256; byte++) {
        const char text[] = {'a', ':', ' ', (char)byte, 'b', '\n', (char)byte, '\n'};
        assert_tree_or_reason(text, sizeof text);
    }
}

Test(yaml_hostile, every_beginning_of_a_file_gives_a_tree_or_a_reason)
{
    static const char WHOLE[] = "vendors:\n"
                                "  - id: \"0x10\\u00e9\"\n"
                                "    'devices': [{a: é}, |\n"
                                "  - >-\n"
                                "    folded\n";
    for (gsize length = 0; length < sizeof WHOLE; length++)
        assert_tree_or_reason(WHOLE, length);
}

Test(yaml_hostile, random_bytes_give_a_tree_or_a_reason)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    for (guint round = 0; round < 2000; round++) {
        char text[64];
        for (guint i = 0; i < sizeof text; i++)
            text[i] = (char)g_rand_int_range(random, 0, round % 2 ? 128 : 256);
        assert_tree_or_reason(text, sizeof text);
    }
}

Test(yaml_hostile, random_marks_of_the_language_give_a_tree_or_a_reason)
{
    static const char MARKS[] = "[]{},:-?&*!|>'\"%@`# \n\tab";
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    for (guint round = 0; round < 5000; round++) {
        char text[32];
        for (guint i = 0; i < sizeof text; i++)
            text[i] = MARKS[g_rand_int_range(random, 0, sizeof MARKS - 1)];
        assert_tree_or_reason(text, sizeof text);
    }
}
