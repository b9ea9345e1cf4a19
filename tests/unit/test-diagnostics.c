/* SPDX-License-Identifier: Apache-2.0 */
#include "assert-error.h"

#include <libvirt-provider/yaml.h>
#include <string.h>

static void
assert_text(const LvpDiagnostics *diagnostics, const char *expected)
{
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    cr_assert_str_eq(text, expected);
}

Test(diagnostics, empty_run_is_well)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(GError) error = NULL;
    cr_assert(lvp_diagnostics_check(diagnostics, &error));
    cr_assert_null(error);
    cr_assert_eq(lvp_diagnostics_get_count(diagnostics), 0);
    assert_text(diagnostics, "");
}

Test(diagnostics, mistake_is_shown_as_compilers_do)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    lvp_diagnostics_add(diagnostics, "/etc/pci.yaml", 3, 9, "unknown key '%s'", "nmae");
    assert_text(diagnostics, "/etc/pci.yaml:3:9: error: unknown key 'nmae'");
}

Test(diagnostics, name_of_a_file_is_made_printable)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    lvp_diagnostics_add(diagnostics, "/a\033[2J\nb\377", 1, 2, "wrong");
    assert_text(diagnostics, "/a?[2J?b\357\277\275:1:2: error: wrong");
}

Test(diagnostics, place_is_left_out_where_there_is_none)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    lvp_diagnostics_add(diagnostics, NULL, 0, 0, "no source is configured");
    lvp_diagnostics_add(diagnostics, "/etc/pci.yaml", 0, 0, "cannot be read");
    assert_text(diagnostics, "error: no source is configured\n"
                             "/etc/pci.yaml: error: cannot be read");
}

Test(diagnostics, mistakes_stand_in_the_order_of_files_lines_and_columns)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    lvp_diagnostics_add(diagnostics, "b", 1, 1, "fifth");
    lvp_diagnostics_add(diagnostics, "a", 10, 1, "fourth");
    lvp_diagnostics_add(diagnostics, "a", 9, 12, "third");
    lvp_diagnostics_add(diagnostics, "a", 9, 2, "second");
    lvp_diagnostics_add(diagnostics, "a", 0, 0, "first");
    assert_text(diagnostics, "a: error: first\n"
                             "a:9:2: error: second\n"
                             "a:9:12: error: third\n"
                             "a:10:1: error: fourth\n"
                             "b:1:1: error: fifth");
}

Test(diagnostics, mistakes_of_one_place_stay_in_their_order)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    for (guint i = 0; i < 20; i++)
        lvp_diagnostics_add(diagnostics, "a", 1, 1, "%02u", i);
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 1; i < 20; i++)
        cr_assert(strcmp(lines[i - 1], lines[i]) < 0, "%s", text);
}

Test(diagnostics, all_are_counted_and_the_first_hundred_shown)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    for (guint i = 1; i <= 250; i++)
        lvp_diagnostics_add(diagnostics, "a", i, 1, "mistake");
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    cr_assert_eq(lvp_diagnostics_get_count(diagnostics), 250);
    assert_contains(text, "a:100:1:");
    cr_assert_null(strstr(text, "a:101:1:"));
    cr_assert(g_str_has_suffix(text, "\nand 150 more"), "%s", text);
}

Test(diagnostics, hundred_are_shown_without_a_remark)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    for (guint i = 1; i <= 100; i++)
        lvp_diagnostics_add(diagnostics, "a", i, 1, "mistake");
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    cr_assert(g_str_has_suffix(text, "\na:100:1: error: mistake"), "%s", text);
}

Test(diagnostics, mistake_stays_one_line_without_escapes)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    lvp_diagnostics_add(diagnostics, NULL, 0, 0, "key '%s'", "a\r\n\x1b[31mb");
    assert_text(diagnostics, "error: key 'a???[31mb'");
}

Test(diagnostics, control_characters_of_every_kind_are_replaced)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    lvp_diagnostics_add(diagnostics, NULL, 0, 0, "%s", "bell\a del\x7f csi\xc2\x9b nel\xc2\x85 é");
    assert_text(diagnostics, "error: bell? del? csi?? nel?? é");
}

Test(diagnostics, text_is_valid_utf8_whatever_was_in_the_file)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    lvp_diagnostics_add(diagnostics, NULL, 0, 0, "key '%s'", "\xff\xfe");
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    cr_assert(g_utf8_validate(text, -1, NULL));
}

Test(diagnostics, check_fails_with_all_mistakes)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(GError) error = NULL;
    lvp_diagnostics_add(diagnostics, "a", 2, 1, "100%% wrong");
    lvp_diagnostics_add(diagnostics, "a", 1, 1, "also wrong");
    cr_assert_not(lvp_diagnostics_check(diagnostics, &error));
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    cr_assert_str_eq(error->message, "a:1:1: error: also wrong\na:2:1: error: 100% wrong");
}

Test(diagnostics, free_accepts_null) { lvp_diagnostics_free(NULL); }
