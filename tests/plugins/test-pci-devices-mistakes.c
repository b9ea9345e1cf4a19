/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a pci_devices.yaml: where, and all of it in one run. */
#include "assert-error.h"
#include "devices-text.h"
#include "scratch.h"

#include <string.h>

TestSuite(pci_devices_mistakes, .timeout = 60);

#define WELL "name: a, type: gpu"
#define WELL_LINES "name: a\n        type: gpu\n"

/* TEXT has one mistake: at PLACE ("FILE:5:14", or "FILE" alone), and its text has PART. */
static void
assert_mistake(const char *text, const char *place, const char *part)
{
    g_autofree char *mistakes = devices_text_find_mistakes(text);
    g_autofree char *begin = g_strconcat(place, ": error: ", NULL);
    cr_assert(g_str_has_prefix(mistakes, begin), "expected %s for\n%s\ngot '%s'", place, text,
              mistakes);
    cr_assert_null(strchr(mistakes, '\n'), "%s", mistakes);
    assert_contains(mistakes, part);
}

/* FORMAT with VALUE in it, a mistake as above. */
static void
assert_wrong_value(const char *format, const char *value, const char *place, const char *part)
{
    g_autoptr(GString) text = g_string_new(format);
    g_string_replace(text, "@", value, 0);
    assert_mistake(text->str, place, part);
}

/* ---- numbers ---- */

static const char *const NO_FOUR_DIGITS[] = {
    "\"\"",       "10de",   "10de00", "\"0x\"", "0x10d",       "0x10d3f", "0x10dg", "x10de0",
    "\"0x 10d\"", "0x-10d", "0x+10d", "0x0x1f", "\"0x10de \"", "4318",    "~"};

Test(pci_devices_mistakes, vendor_id_is_no_four_hex_digits)
{
    for (guint i = 0; i < G_N_ELEMENTS(NO_FOUR_DIGITS); i++)
        assert_wrong_value("vendors:\n  - id: @\n    name: n\n    devices: []\n", NO_FOUR_DIGITS[i],
                           "FILE:2:9", "id must be 0x and 4 hex digits, but is '");
}

Test(pci_devices_mistakes, subsystem_is_no_four_hex_digits)
{
    for (guint i = 0; i < G_N_ELEMENTS(NO_FOUR_DIGITS); i++) {
        assert_wrong_value(NVIDIA("      - id: 0x20b7\n        subsystemVendor: @\n"
                                  "        subsystemDevice: 0x1532\n        name: a\n"
                                  "        type: t\n"),
                           NO_FOUR_DIGITS[i], "FILE:6:26", "subsystemVendor must be 0x and 4 hex");
        assert_wrong_value(NVIDIA("      - id: 0x20b7\n        subsystemVendor: 0x10de\n"
                                  "        subsystemDevice: @\n        name: a\n"
                                  "        type: t\n"),
                           NO_FOUR_DIGITS[i], "FILE:7:26", "subsystemDevice must be 0x and 4 hex");
    }
}

Test(pci_devices_mistakes, device_id_is_neither_four_nor_six_hex_digits)
{
    static const char *const WRONG[] = {
        "\"\"",   "0x",       "0x20b",    "0x20b77",  "0x0302000", "030200",      "20b7",
        "0x20bg", "0x03020g", "03020000", "0x0x0302", "0x-30200",  "\"0x 3020\"", "~"};
    for (guint i = 0; i < G_N_ELEMENTS(WRONG); i++)
        assert_wrong_value(NVIDIA("      - id: @\n        name: a\n        type: t\n"), WRONG[i],
                           "FILE:5:13", "id must be 0x and ");
}

Test(pci_devices_mistakes, revision_is_no_two_hex_digits)
{
    static const char *const WRONG[] = {"\"\"",  "a1",   "0x",       "0xa",
                                        "0x0a1", "0xg1", "\" 0xa\"", "~"};
    for (guint i = 0; i < G_N_ELEMENTS(WRONG); i++)
        assert_wrong_value(
            NVIDIA("      - id: 0x20b7\n        name: a\n        type: t\n        revision: @\n"),
            WRONG[i], "FILE:8:19", "revision must be 0x and 2 hex digits, but is '");
}

/* ---- names ---- */

#define LONG_NAME "a123456789a123456789a123456789a123456789a123456789a123456789abcd"

Test(pci_devices_mistakes, vendor_name_has_other_characters_than_allowed)
{
    static const char *const WRONG[] = {"NVIDIA", "nvidia.com", "a/b",    "\"a b\"",
                                        "\"\"",   "é",          LONG_NAME};
    for (guint i = 0; i < G_N_ELEMENTS(WRONG); i++)
        assert_wrong_value("vendors:\n  - id: 0x10de\n    name: @\n    devices: []\n", WRONG[i],
                           "FILE:3:11", "name must be 1 to 63 of a-z 0-9 _ -, but is '");
}

Test(pci_devices_mistakes, device_name_has_other_characters_than_allowed)
{
    static const char *const WRONG[] = {"a/b", "\"a b\"", "\"\"", "a=b", "\"a\\nb\"", LONG_NAME};
    for (guint i = 0; i < G_N_ELEMENTS(WRONG); i++)
        assert_wrong_value(NVIDIA("      - id: 0x20b7\n        name: @\n        type: t\n"),
                           WRONG[i], "FILE:6:15",
                           "name must be 1 to 63 of A-Z a-z 0-9 . _ -, but is '");
}

Test(pci_devices_mistakes, type_has_other_characters_than_allowed)
{
    static const char *const WRONG[] = {"GPU", "a.b", "a/b", "\"\"", LONG_NAME};
    for (guint i = 0; i < G_N_ELEMENTS(WRONG); i++)
        assert_wrong_value(NVIDIA("      - id: 0x20b7\n        name: a\n        type: @\n"),
                           WRONG[i], "FILE:7:15", "type must be 1 to 63 of a-z 0-9 _ -, but is '");
}

/* ---- keys ---- */

Test(pci_devices_mistakes, key_that_must_be_there_is_missing)
{
    assert_mistake("{}\n", "FILE:1:1", "vendors is missing");
    assert_mistake("vendors:\n  - name: n\n    devices: []\n", "FILE:2:5", "id is missing");
    assert_mistake("vendors:\n  - id: 0x10de\n    devices: []\n", "FILE:2:5", "name is missing");
    assert_mistake("vendors:\n  - id: 0x10de\n    name: n\n", "FILE:2:5", "devices is missing");
    assert_mistake(NVIDIA("      - name: a\n        type: t\n"), "FILE:5:9", "id is missing");
    assert_mistake(NVIDIA("      - id: 0x20b7\n        type: t\n"), "FILE:5:9", "name is missing");
    assert_mistake(NVIDIA("      - id: 0x20b7\n        name: a\n"), "FILE:5:9", "type is missing");
}

Test(pci_devices_mistakes, key_is_unknown)
{
    assert_mistake("vendors: []\nvendor: []\n", "FILE:2:1",
                   "unknown key 'vendor'; known here: vendors");
    assert_mistake("vendors:\n  - {id: 0x10de, name: n, devices: [], device: []}\n", "FILE:2:40",
                   "unknown key 'device'; known here: id, name, devices");
    assert_mistake(NVIDIA(ENTRY("0x20b7", WELL ", Revision: 0xa1")), "FILE:5:44",
                   "unknown key 'Revision'; known here: id, name, type, subsystemVendor, "
                   "subsystemDevice, revision");
}

Test(pci_devices_mistakes, key_stands_twice)
{
    assert_mistake(NVIDIA("      - id: 0x20b7\n        name: a\n        type: t\n        id: "
                          "0x20b8\n"),
                   "FILE:8:9", "key 'id' stands here twice");
}

/* ---- types ---- */

Test(pci_devices_mistakes, value_is_of_another_type)
{
    static const struct {
        const char *text, *place, *part;
    } CASES[] = {
        {"- a\n", "FILE:1:1", "the file must be a mapping (key: value), but is a list"},
        {"text\n", "FILE:1:1", "the file must be a mapping (key: value), but is plain text"},
        {"vendors: nvidia\n", "FILE:1:10", "vendors must be a list, but is plain text"},
        {"vendors:\n", "FILE:1:9", "vendors must be a list, but is plain text"},
        {"vendors: {id: a}\n", "FILE:1:10", "vendors must be a list, but is a mapping"},
        {"vendors: [a]\n", "FILE:1:11", "a vendor must be a mapping (key: value), but is plain"},
        {"vendors: [[a]]\n", "FILE:1:11", "a vendor must be a mapping (key: value), but is a list"},
        {"vendors: [{id: 0x10de, name: n, devices: a}]\n", "FILE:1:42", "devices must be a list"},
        {"vendors: [{id: 0x10de, name: n, devices: {a: b}}]\n", "FILE:1:42",
         "devices must be a list"},
        {"vendors: [{id: [a], name: n, devices: []}]\n", "FILE:1:16", "id must be plain text"},
        {"vendors: [{id: 0x10de, name: {a: b}, devices: []}]\n", "FILE:1:30",
         "name must be plain text, but is a mapping"},
        {NVIDIA("      - 0x20b7\n"), "FILE:5:9", "a device must be a mapping (key: value)"},
        {NVIDIA(ENTRY("0x20b7", "name: [a], type: t")), "FILE:5:30", "name must be plain text"},
        {NVIDIA(ENTRY("0x20b7", "name: a, type: {b: c}")), "FILE:5:39", "type must be plain text"},
        {NVIDIA(ENTRY("0x20b7", WELL ", revision: []")), "FILE:5:54", "revision must be plain"},
        {NVIDIA("      - {id: [], " WELL "}\n"), "FILE:5:14", "id must be plain text"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++)
        assert_mistake(CASES[i].text, CASES[i].place, CASES[i].part);
}

/* ---- what makes no sense ---- */

Test(pci_devices_mistakes, class_of_a_bridge)
{
    assert_mistake(NVIDIA(ENTRY("0x060400", WELL)), "FILE:5:14",
                   "class 0x060400 is a bridge's: bridges are never given away");
    assert_mistake(NVIDIA(ENTRY("0x06ff00", WELL)), "FILE:5:14", "bridge");
}

Test(pci_devices_mistakes, half_a_subsystem)
{
    assert_mistake(NVIDIA(ENTRY("0x20b7", "subsystemVendor: 0x10de, " WELL)), "FILE:5:9",
                   "subsystemVendor and subsystemDevice must stand together");
    assert_mistake(NVIDIA(ENTRY("0x20b7", "subsystemDevice: 0x10de, " WELL)), "FILE:5:9",
                   "subsystemVendor and subsystemDevice must stand together");
}

Test(pci_devices_mistakes, vendor_stands_twice)
{
    assert_mistake("vendors:\n  - {id: 0x10de, name: a, devices: []}\n"
                   "  - {id: 0x8086, name: b, devices: []}\n"
                   "  - {id: 0x10DE, name: c, devices: []}\n",
                   "FILE:4:10", "vendor 0x10de stands already in line 2, column 10");
}

static const char *const EQUAL[] = {
    ENTRY("0x030200", "@"),
    ENTRY("0x20b7", "@"),
    ENTRY("0x20b7", "revision: 0xA1, @"),
    ENTRY("0x20b7", "subsystemVendor: 0x10DE, subsystemDevice: 0x1532, @"),
    ENTRY("0x030200", "revision: 0xA1, subsystemDevice: 0x1532, subsystemVendor: 0x10de, @"),
};

Test(pci_devices_mistakes, equal_entries_are_named_by_both_places)
{
    for (guint i = 0; i < G_N_ELEMENTS(EQUAL); i++) {
        g_autoptr(GString) text = g_string_new(NVIDIA(ENTRY("0x0001", WELL)));
        g_string_append_printf(text, "%s%s%s", EQUAL[i], ENTRY("0x0002", WELL), EQUAL[i]);
        g_string_replace(text, "@", "name: a, type: t", 1);
        g_string_replace(text, "@", "name: b, type: t", 1);
        assert_mistake(text->str, "FILE:8:9",
                       "as the entry in line 6, column 9, just as specifically");
    }
}

Test(pci_devices_mistakes, equal_entries_of_one_pool_are_refused_too)
{
    assert_mistake(NVIDIA(ENTRY("0x20b7", WELL) ENTRY("0x20B7", WELL)), "FILE:6:9",
                   "line 5, column 9");
}

Test(pci_devices_mistakes, equal_entries_are_found_by_a_name_that_is_wrong_too)
{
    g_autofree char *mistakes = devices_text_find_mistakes(
        NVIDIA(ENTRY("0x20b7", "name: a/b, type: t") ENTRY("0x20b7", WELL)));
    assert_contains(mistakes, "FILE:5:30: error: name must be");
    assert_contains(mistakes,
                    "FILE:6:9: error: matches the same devices as the entry in line 5, column 9");
}

Test(pci_devices_mistakes, wrong_revision_is_not_taken_for_none)
{
    assert_mistake(NVIDIA(ENTRY("0x20b7", WELL) ENTRY("0x20b7", "revision: 0xa, " WELL)),
                   "FILE:6:34", "revision must be");
}

Test(pci_devices_mistakes, vendors_of_wrong_ids_are_not_taken_for_one)
{
    g_autofree char *mistakes = devices_text_find_mistakes(
        "vendors:\n"
        "  - {id: 0x1, name: a, devices: [{id: 0x20b7, name: n, type: t}]}\n"
        "  - {id: 0x2, name: b, devices: [{id: 0x20b7, name: n, type: t}]}\n"
        "  - {name: c, devices: [{id: 0x20b7, name: n, type: t}]}\n");
    g_auto(GStrv) lines = g_strsplit(mistakes, "\n", -1);
    cr_assert_eq(g_strv_length(lines), 3, "%s", mistakes);
}

/* ---- the whole file ---- */

static const char *const ALL_WRONG = "vendors:\n"
                                     "  - id: 10de\n"      /* 2:9 */
                                     "    name: NVIDIA\n"  /* 3:11 */
                                     "    colour: green\n" /* 4:5 */
                                     "    devices:\n"
                                     "      - id: 0x06040\n"            /* 6:13 */
                                     "        name: a b\n"              /* 7:15 */
                                     "        type: [gpu]\n"            /* 8:15 */
                                     "        revision: 0xa\n"          /* 9:19 */
                                     "        subsystemVendor: 0x10d\n" /* 10:26, and alone: 6:9 */
                                     "      - just text\n"              /* 11:9 */
                                     "  - id: 0x8086\n"
                                     "    name: intel\n"
                                     "    devices:\n"
                                     "      - {id: 0x060000, name: a, type: t}\n" /* 15:14 */
                                     "      - {id: 0x100f, name: a, type: t}\n"
                                     "      - {id: 0x100f, name: b, type: t}\n" /* 17:9 */
                                     "      - {id: 0x1010, name: b}\n"          /* 18:9 */
                                     "  - id: 0x8086\n"                         /* 19:9 */
                                     "    name: again\n" /* 19:5: no devices */
                                     "  - [list]\n"      /* 21:5 */
                                     "other: 1\n";       /* 22:1 */

Test(pci_devices_mistakes, all_are_said_in_one_run_each_with_its_place)
{
    static const char *const PLACES =
        "2:9 3:11 4:5 6:9 6:13 7:15 8:15 9:19 10:26 11:9 15:14 17:9 18:9 19:5 19:9 21:5 22:1 ";
    g_autofree char *mistakes = devices_text_find_mistakes(ALL_WRONG);
    g_auto(GStrv) lines = g_strsplit(mistakes, "\n", -1);
    g_autoptr(GString) places = g_string_new(NULL);
    for (guint i = 0; lines[i]; i++) {
        const char *end = strstr(lines[i], ": error: ");
        cr_assert(end && g_str_has_prefix(lines[i], "FILE:"), "%s", lines[i]);
        g_string_append_len(places, lines[i] + strlen("FILE:"),
                            end - lines[i] - (gssize)strlen("FILE:"));
        g_string_append_c(places, ' ');
    }
    cr_assert_str_eq(places->str, PLACES, "%s", mistakes);
}

Test(pci_devices_mistakes, text_that_is_no_yaml)
{
    assert_mistake("vendors: [\n", "FILE:2:1", "no valid YAML");
    assert_mistake("", "FILE:1:1", "the file is empty");
    assert_mistake("vendors: &a []\n", "FILE:1:10", "anchors");
}

static void
assert_unreadable(const char *path, const char *part)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    cr_assert_null(lvp_pci_devices_file_read(path, diagnostics));
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    cr_assert(g_str_has_prefix(text, path), "%s", text);
    assert_contains(text, part);
}

Test(pci_devices_mistakes, file_that_cannot_be_read)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    g_autofree char *missing = lvp_scratch_get_path(scratch, "missing.yaml");
    assert_unreadable(missing, "cannot be read: No such file or directory");
    assert_unreadable(lvp_scratch_get_root(scratch), "cannot be read: Is a directory");
}

Test(pci_devices_mistakes, mistakes_of_another_file_do_not_count)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autofree char *path = lvp_scratch_get_path(scratch, "well.yaml");
    lvp_scratch_write(scratch, "well.yaml", "vendors: []\n");
    lvp_diagnostics_add(diagnostics, "other.yaml", 1, 1, "wrong");
    g_autoptr(LvpPciDevicesFile) file = lvp_pci_devices_file_read(path, diagnostics);
    cr_assert_not_null(file);
}

/* ---- all of them ---- */

Test(pci_devices_mistakes, mistakes_before_a_syntax_error_are_told_with_it)
{
    g_autofree char *mistakes =
        devices_text_find_mistakes(NVIDIA("      - id: 0x20b\n        name: a\n        type: gpu\n"
                                          "      - id: 0x20b7\n        name: {\n"));
    cr_assert(g_str_has_prefix(mistakes, "FILE:5:13: error: id must be 0x and six hex digits"),
              "%s", mistakes);
    assert_contains(mistakes, "no valid YAML or JSON");
    cr_assert_null(strstr(mistakes, "is missing"), "%s", mistakes);
}

Test(pci_devices_mistakes, equal_entries_of_a_vendor_without_an_id_are_told)
{
    static const char DEVICES[] = "    name: n\n    devices:\n"
                                  "      - {id: 0x20b7, name: a, type: gpu}\n"
                                  "      - {id: 0x20b7, name: b, type: gpu}\n";
    g_autofree char *text = g_strconcat("vendors:\n  - ", DEVICES + 4, NULL);
    g_autofree char *mistakes = devices_text_find_mistakes(text);
    cr_assert(g_str_has_prefix(mistakes,
                               "FILE:2:5: error: id is missing\n"
                               "FILE:5:9: error: matches the same devices as the entry in "
                               "line 4, column 9"),
              "%s", mistakes);
}

Test(pci_devices_mistakes, entries_of_two_vendors_without_an_id_are_no_rivals)
{
    static const char VENDOR[] = "  - name: n\n    devices:\n"
                                 "      - {id: 0x20b7, name: a, type: gpu}\n";
    g_autofree char *text = g_strconcat("vendors:\n", VENDOR, VENDOR, NULL);
    g_autofree char *mistakes = devices_text_find_mistakes(text);
    cr_assert_null(strstr(mistakes, "matches the same"), "%s", mistakes);
}

/* ---- what goes with it ---- */

Test(pci_devices_mistakes, words_for_functions_and_group_are_others)
{
    static const char *const WRONG[] = {"Single", "\"\"", "\"single \"", "true",
                                        "1",      "~",    "refused"};
    for (guint i = 0; i < G_N_ELEMENTS(WRONG); i++) {
        assert_wrong_value(
            NVIDIA("      - id: \"0x20b7\"\n        functions: @\n        " WELL_LINES), WRONG[i],
            "FILE:6:20", "functions must be together or single, but is '");
        assert_wrong_value(NVIDIA("      - id: \"0x20b7\"\n        group: @\n        " WELL_LINES),
                           WRONG[i], "FILE:6:16", "group must be refuse or allow, but is '");
    }
}

Test(pci_devices_mistakes, functions_and_group_are_no_words)
{
    assert_wrong_value(NVIDIA("      - id: \"0x20b7\"\n        functions: @\n        " WELL_LINES),
                       "[single]", "FILE:6:20", "functions");
    assert_wrong_value(NVIDIA("      - id: \"0x20b7\"\n        group: @\n        " WELL_LINES),
                       "{allow: 1}", "FILE:6:16", "group");
}
