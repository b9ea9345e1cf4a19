/* SPDX-License-Identifier: Apache-2.0 */
#include "assert-error.h"

#include <libvirt-provider/yaml.h>
#include <string.h>

#define FILE_NAME "test.yaml"

static LvpYaml *
read_text(const char *text, LvpDiagnostics *diagnostics)
{
    return lvp_yaml_read_text(FILE_NAME, text, strlen(text), diagnostics);
}

/* The tree of a text without mistakes. */
static LvpYaml *
read_well(const char *text)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    LvpYaml *tree = read_text(text, diagnostics);
    g_autofree char *mistakes = lvp_diagnostics_to_text(diagnostics);
    cr_assert_not_null(tree, "%s", mistakes);
    cr_assert_str_eq(mistakes, "");
    return tree;
}

/* TEXT gives one mistake at PLACE ("LINE:COLUMN") that contains REASON. */
static void
assert_refused(const char *text, const char *place, const char *reason)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpYaml) tree = read_text(text, diagnostics);
    g_autofree char *mistakes = lvp_diagnostics_to_text(diagnostics);
    g_autofree char *start = g_strdup_printf(FILE_NAME ":%s: error: ", place);
    cr_assert_eq(lvp_diagnostics_get_count(diagnostics), 1, "%s", mistakes);
    cr_assert(g_str_has_prefix(mistakes, start), "expected %s, got '%s'", start, mistakes);
    assert_contains(mistakes, reason);
}

static void
assert_place(const LvpYamlNode *node, const char *place)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    lvp_yaml_node_report(node, diagnostics, "here");
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    g_autofree char *expected = g_strdup_printf(FILE_NAME ":%s: error: here", place);
    cr_assert_str_eq(text, expected);
}

/* ---- trees ---- */

Test(yaml_reader, mapping_gives_pairs_in_their_order)
{
    g_autoptr(LvpYaml) tree = read_well("b: 1\na: two words\n");
    const LvpYamlNode *root = lvp_yaml_get_root(tree);
    cr_assert_eq(lvp_yaml_node_get_kind(root), LVP_YAML_MAPPING);
    cr_assert_eq(lvp_yaml_node_get_length(root), 2);
    cr_assert_str_eq(lvp_yaml_node_get_text(lvp_yaml_node_get_key(root, 0)), "b");
    cr_assert_str_eq(lvp_yaml_node_get_text(lvp_yaml_node_get_item(root, 0)), "1");
    cr_assert_str_eq(lvp_yaml_node_get_text(lvp_yaml_node_find(root, "a")), "two words");
}

Test(yaml_reader, sequence_gives_elements_in_their_order)
{
    g_autoptr(LvpYaml) tree = read_well("- x\n- [y, z]\n");
    const LvpYamlNode *root = lvp_yaml_get_root(tree);
    cr_assert_eq(lvp_yaml_node_get_kind(root), LVP_YAML_SEQUENCE);
    cr_assert_eq(lvp_yaml_node_get_length(root), 2);
    const LvpYamlNode *inner = lvp_yaml_node_get_item(root, 1);
    cr_assert_str_eq(lvp_yaml_node_get_text(lvp_yaml_node_get_item(inner, 1)), "z");
}

/* All scalars of the list TEXT are of TYPE. */
static void
assert_types(const char *text, LvpYamlType type)
{
    g_autoptr(LvpYaml) tree = read_well(text);
    const LvpYamlNode *root = lvp_yaml_get_root(tree);
    cr_assert_gt(lvp_yaml_node_get_length(root), 0);
    for (guint i = 0; i < lvp_yaml_node_get_length(root); i++) {
        const LvpYamlNode *node = lvp_yaml_node_get_item(root, i);
        cr_assert_eq(lvp_yaml_node_get_type(node), type, "'%s' is of type %d",
                     lvp_yaml_node_get_text(node), lvp_yaml_node_get_type(node));
    }
}

Test(yaml_reader, types_are_those_of_the_core_schema)
{
    assert_types("[~, null, Null, NULL, ]", LVP_YAML_NULL);
    assert_types("-\n-\n", LVP_YAML_NULL);
    assert_types("[true, True, TRUE, false, False, FALSE]", LVP_YAML_BOOLEAN);
    assert_types("[0, 5, 007, -19, +1, 0o17, 0x10de, 0xA, 82574]", LVP_YAML_INTEGER);
    assert_types("[1.5, .5, 5., -0.0, 12e03, 1E-3, -2E+05, .inf, -.Inf, +.INF, .nan, .NaN, .NAN]",
                 LVP_YAML_FLOAT);
    assert_types(
        "[nULL, tRUE, yes, no, on, off, y, 82574l, 1.2.3, a1, 1e, e1, 0x, 0o8, 0xg, '-', +, "
        "., .e1, -.nan, .infinity, 1 2, 1_000, 0b1, 12e1.5]",
        LVP_YAML_TEXT);
    assert_types("['null', \"~\", '', \"true\", '5', \"1.5\"]", LVP_YAML_TEXT);
    assert_types("- |\n  null\n- >-\n  5\n", LVP_YAML_TEXT);
}

static void
assert_no_text(const char *text, const char *expected)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpYaml) tree = read_well(text);
    cr_assert_not(lvp_yaml_node_expect_text(lvp_yaml_node_find(lvp_yaml_get_root(tree), "a"),
                                            "name", diagnostics));
    g_autofree char *told = lvp_diagnostics_to_text(diagnostics);
    cr_assert_str_eq(told, expected);
}

Test(yaml_reader, scalar_that_is_no_text_is_reported_with_what_it_is)
{
    assert_no_text("a: null", FILE_NAME ":1:4: error: name must be text, but null is no value: "
                                        "put it in quotes");
    assert_no_text("{\"a\":true}", FILE_NAME ":1:6: error: name must be text, but true is a "
                                             "boolean: put it in quotes");
    assert_no_text("a: 5", FILE_NAME ":1:4: error: name must be text, but 5 is a number: put it in "
                                     "quotes");
    assert_no_text("a: 1e3", FILE_NAME ":1:4: error: name must be text, but 1e3 is a number: put "
                                       "it in quotes");
    assert_no_text("a:\n", FILE_NAME ":1:3: error: name must be text, but there is none");
    assert_no_text("a: []", FILE_NAME ":1:4: error: name must be plain text, but is a list");
}

Test(yaml_reader, numbers_stay_text)
{
    g_autoptr(LvpYaml) tree = read_well("[0x10de, \"0x10de\", 1e3, true, ~]");
    static const char *const EXPECTED[] = {"0x10de", "0x10de", "1e3", "true", "~"};
    for (guint i = 0; i < G_N_ELEMENTS(EXPECTED); i++)
        cr_assert_str_eq(lvp_yaml_node_get_text(lvp_yaml_node_get_item(lvp_yaml_get_root(tree), i)),
                         EXPECTED[i]);
}

Test(yaml_reader, json_is_read)
{
    g_autoptr(LvpYaml) tree =
        read_well("{\n\t\"vendors\": [{\"id\": \"0x10de\"}],\n\t\"a\": []\n}");
    const LvpYamlNode *vendors = lvp_yaml_node_find(lvp_yaml_get_root(tree), "vendors");
    const LvpYamlNode *first = lvp_yaml_node_get_item(vendors, 0);
    cr_assert_str_eq(lvp_yaml_node_get_text(lvp_yaml_node_find(first, "id")), "0x10de");
}

Test(yaml_reader, byte_order_mark_and_document_marks_are_no_mistake)
{
    g_autoptr(LvpYaml) tree = read_well("\xef\xbb\xbf---\na: b\n...\n");
    cr_assert_str_eq(lvp_yaml_node_get_text(lvp_yaml_node_find(lvp_yaml_get_root(tree), "a")), "b");
}

Test(yaml_reader, find_on_what_is_no_mapping_finds_nothing)
{
    g_autoptr(LvpYaml) tree = read_well("- a\n");
    const LvpYamlNode *root = lvp_yaml_get_root(tree);
    cr_assert_null(lvp_yaml_node_find(root, "a"));
    cr_assert_null(lvp_yaml_node_find(lvp_yaml_node_get_item(root, 0), "a"));
    cr_assert_null(lvp_yaml_node_get_text(root));
    cr_assert_eq(lvp_yaml_node_get_length(lvp_yaml_node_get_item(root, 0)), 0);
}

/* ---- places ---- */

Test(yaml_reader, every_node_knows_its_line_and_column)
{
    g_autoptr(LvpYaml) tree = read_well("# first\n"
                                        "vendors:\n"
                                        "  - id: \"0x10de\"\n"
                                        "    devices: [ a,\n"
                                        "               b]\n");
    const LvpYamlNode *root = lvp_yaml_get_root(tree);
    const LvpYamlNode *vendors = lvp_yaml_node_find(root, "vendors");
    const LvpYamlNode *vendor = lvp_yaml_node_get_item(vendors, 0);
    const LvpYamlNode *devices = lvp_yaml_node_find(vendor, "devices");
    assert_place(lvp_yaml_node_get_key(root, 0), "2:1");
    assert_place(vendors, "3:3");
    assert_place(vendor, "3:5");
    assert_place(lvp_yaml_node_find(vendor, "id"), "3:9");
    assert_place(devices, "4:14");
    assert_place(lvp_yaml_node_get_item(devices, 1), "5:16");
    cr_assert_eq(lvp_yaml_node_get_line(devices), 4);
}

Test(yaml_reader, columns_count_characters)
{
    g_autoptr(LvpYaml) tree = read_well("ééé: x");
    assert_place(lvp_yaml_node_get_item(lvp_yaml_get_root(tree), 0), "1:6");
}

Test(yaml_reader, line_ends_of_windows_count_once)
{
    g_autoptr(LvpYaml) tree = read_well("a: 1\r\nb: 2\r\n");
    const LvpYamlNode *root = lvp_yaml_get_root(tree);
    assert_place(lvp_yaml_node_get_key(root, 1), "2:1");
    cr_assert_str_eq(lvp_yaml_node_get_text(lvp_yaml_node_find(root, "b")), "2");
}

/* ---- what is refused ---- */

Test(yaml_reader, alias_is_refused_at_its_place)
{
    assert_refused("a: 1\nb:   *name\n", "2:6", "aliases");
}

Test(yaml_reader, anchor_is_refused_wherever_it_stands)
{
    assert_refused("a: &x 1\n", "1:4", "anchors");
    assert_refused("a: &x [1]\n", "1:4", "anchors");
    assert_refused("a: &x {b: 1}\n", "1:4", "anchors");
    assert_refused("&x a: 1\n", "1:1", "anchors");
}

Test(yaml_reader, tag_is_refused_wherever_it_stands)
{
    assert_refused("a: !!str 1\n", "1:4", "tags");
    assert_refused("a: ! 1\n", "1:4", "tags");
    assert_refused("a: !x [1]\n", "1:4", "tags");
    assert_refused("--- !x\na: 1\n", "1:5", "tags");
}

Test(yaml_reader, merge_of_an_alias_is_refused)
{
    assert_refused("a: 1\n<<: *base\n", "2:5", "aliases");
}

Test(yaml_reader, alias_bomb_is_refused_at_its_first_anchor, .timeout = 10)
{
    g_autoptr(GString) text = g_string_new("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for (char name = 'b'; name <= 'z'; name++) {
        g_autofree char *alias = g_strdup_printf("*%c", name - 1);
        g_string_append_printf(text, "%c: &%c [%s, %s, %s]\n", name, name, alias, alias, alias);
    }
    assert_refused(text->str, "1:4", "anchors");
}

Test(yaml_reader, second_document_is_refused_at_its_start)
{
    assert_refused("a: 1\n---\nb: 2\n", "2:1", "second document");
    assert_refused("a: 1\n...\n\n---\n", "4:1", "second document");
}

Test(yaml_reader, key_that_is_no_text_is_refused)
{
    assert_refused("? [a]\n: b\n", "1:3", "plain text");
    assert_refused("{{a: b}: c}\n", "1:2", "plain text");
}

Test(yaml_reader, nul_is_refused_raw_and_escaped)
{
    assert_refused("a: \"x\\0y\"\n", "1:4", "NUL");
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpYaml) tree = lvp_yaml_read_text(FILE_NAME, "a: x\0y\n", 7, diagnostics);
    cr_assert_eq(lvp_diagnostics_get_count(diagnostics), 1);
}

Test(yaml_reader, text_that_is_not_closed_is_refused)
{
    assert_refused("a: \"x\n", "2:1", "no valid YAML");
    assert_refused("a: [x\n", "2:1", "no valid YAML");
    assert_refused("a: b: c\n", "1:5", "no valid YAML");
    assert_refused("a:\n\t- x\n", "2:1", "no valid YAML");
}

Test(yaml_reader, invalid_utf8_is_refused_with_the_number_of_its_byte)
{
    assert_refused("ab: \xff\n", "1:1", "(byte 4)");
}

Test(yaml_reader, nothing_is_a_mistake)
{
    assert_refused("", "1:1", "empty");
    assert_refused("# only a remark\n", "1:1", "empty");
}

/* ---- duplicate keys ---- */

Test(yaml_reader, each_repetition_of_a_key_is_reported_and_the_first_value_stays)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpYaml) tree = read_text("a: 1\nb: 2\n\"a\": 3\n'a': 4\n", diagnostics);
    g_autofree char *mistakes = lvp_diagnostics_to_text(diagnostics);
    cr_assert_str_eq(mistakes, FILE_NAME ":3:1: error: key 'a' stands here twice\n" FILE_NAME
                                         ":4:1: error: key 'a' stands here twice");
    cr_assert_str_eq(lvp_yaml_node_get_text(lvp_yaml_node_find(lvp_yaml_get_root(tree), "a")), "1");
}

Test(yaml_reader, one_key_in_two_mappings_is_no_duplicate)
{
    g_autoptr(LvpYaml) tree = read_well("- a: 1\n  b: {a: 2}\n- a: 3\n");
    cr_assert_eq(lvp_yaml_node_get_length(lvp_yaml_get_root(tree)), 2);
}

/* ---- depth ---- */

static char *
nest(guint depth)
{
    g_autofree char *opening = g_strnfill(depth, '[');
    g_autofree char *closing = g_strnfill(depth, ']');
    return g_strconcat(opening, closing, NULL);
}

Test(yaml_reader, sixteen_levels_are_read_and_seventeen_refused)
{
    g_autofree char *deep = nest(16);
    g_autofree char *deeper = nest(17);
    lvp_yaml_free(read_well(deep));
    assert_refused(deeper, "1:17", "too deep");
}

Test(yaml_reader, neighbours_do_not_add_up_to_levels)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < 20; i++)
        g_string_append(text, "- [{a: b}]\n");
    lvp_yaml_free(read_well(text->str));
}

Test(yaml_reader, mappings_count_as_levels_too)
{
    assert_refused("a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: 1"
                   "}}}}}}}}}}}}}}}}",
                   "1:64", "too deep");
}

/* ---- checks of nodes ---- */

Test(yaml_reader, each_unknown_key_is_reported_with_those_that_are_known)
{
    static const char *const KNOWN[] = {"id", "name", NULL};
    g_autoptr(LvpYaml) tree = read_well("id: 1\nnmae: x\nNAME: y\n");
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    lvp_yaml_node_check_keys(lvp_yaml_get_root(tree), KNOWN, diagnostics);
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    cr_assert_str_eq(text,
                     FILE_NAME ":2:1: error: unknown key 'nmae'; known here: id, name\n" FILE_NAME
                               ":3:1: error: unknown key 'NAME'; known here: id, name");
}

Test(yaml_reader, expect_says_what_was_meant_and_what_is_there)
{
    g_autoptr(LvpYaml) tree = read_well("vendors: {}\n");
    const LvpYamlNode *vendors = lvp_yaml_node_find(lvp_yaml_get_root(tree), "vendors");
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    cr_assert(lvp_yaml_node_expect(vendors, LVP_YAML_MAPPING, "vendors", diagnostics));
    cr_assert_eq(lvp_diagnostics_get_count(diagnostics), 0);
    cr_assert_not(lvp_yaml_node_expect(vendors, LVP_YAML_SEQUENCE, "vendors", diagnostics));
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    cr_assert_str_eq(text, FILE_NAME
                     ":1:10: error: vendors must be a list, but is a mapping (key: value)");
}

Test(yaml_reader, percent_signs_in_the_file_are_only_text)
{
    static const char *const KNOWN[] = {"id", NULL};
    g_autoptr(LvpYaml) tree = read_well("'%s%n': 1\n");
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    lvp_yaml_node_check_keys(lvp_yaml_get_root(tree), KNOWN, diagnostics);
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    assert_contains(text, "'%s%n'");
}

/* ---- what a syntax error leaves ---- */

Test(yaml_reader, what_stands_before_a_syntax_error_is_there)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpYaml) tree = read_text("list:\n- {a: 1}\n- {b: 2, c: }}\n- d\n", diagnostics);
    cr_assert_eq(lvp_diagnostics_get_count(diagnostics), 1);
    cr_assert_not_null(tree);
    const LvpYamlNode *list = lvp_yaml_node_find(lvp_yaml_get_root(tree), "list");
    cr_assert_not_null(list);
    cr_assert_eq(lvp_yaml_node_get_length(list), 2);
    cr_assert_str_eq(
        lvp_yaml_node_get_text(lvp_yaml_node_find(lvp_yaml_node_get_item(list, 0), "a")), "1");
}

Test(yaml_reader, nothing_is_said_of_what_a_syntax_error_has_cut_off)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpYaml) tree = read_text("- {a: 1}\n- {b: 2, b: [\n", diagnostics);
    cr_assert_not_null(tree);
    guint before = lvp_diagnostics_get_count(diagnostics);
    const LvpYamlNode *root = lvp_yaml_get_root(tree);
    lvp_yaml_node_report(root, diagnostics, "something is missing");
    lvp_yaml_node_report(lvp_yaml_node_get_item(root, 1), diagnostics, "something is missing");
    cr_assert_eq(lvp_diagnostics_get_count(diagnostics), before);
    lvp_yaml_node_report(lvp_yaml_node_get_item(root, 0), diagnostics, "something is missing");
    cr_assert_eq(lvp_diagnostics_get_count(diagnostics), before + 1);
}

Test(yaml_reader, free_accepts_null) { lvp_yaml_free(NULL); }
