/* SPDX-License-Identifier: Apache-2.0 */
#include "assert-error.h"
#include "machine-class.h"
#include "scratch.h"

#include <string.h>

typedef struct {
    LvpScratch *scratch;
    char *file;
    LvpDiagnostics *diagnostics;
    GPtrArray *classes; /* NULL after mistakes */
    char *mistakes;     /* without the file's name */
} Reading;

static void
clear_reading(Reading *self)
{
    lvp_scratch_free(self->scratch);
    g_free(self->file);
    lvp_diagnostics_free(self->diagnostics);
    g_clear_pointer(&self->classes, g_ptr_array_unref);
    g_free(self->mistakes);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reading, clear_reading)

static void
finish_reading(Reading *self)
{
    self->diagnostics = lvp_diagnostics_new();
    self->classes = lvp_machine_classes_read(self->file, self->diagnostics);
    g_autofree char *text = lvp_diagnostics_to_text(self->diagnostics);
    g_auto(GStrv) parts = g_strsplit(text, self->file, -1);
    self->mistakes = g_strjoinv("FILE", parts);
}

static Reading
read_text(const char *text)
{
    Reading self = {.scratch = lvp_scratch_new()};
    lvp_scratch_write(self.scratch, "classes.yaml", text);
    self.file = lvp_scratch_get_path(self.scratch, "classes.yaml");
    finish_reading(&self);
    return self;
}

static const LvpMachineClass *
get_class(const Reading *self, guint index)
{
    cr_assert_not_null(self->classes, "%s", self->mistakes);
    return g_ptr_array_index(self->classes, index);
}

static void
assert_refused(const char *text, const char *mistakes)
{
    g_auto(Reading) reading = read_text(text);
    cr_assert_null(reading.classes);
    cr_assert_str_eq(reading.mistakes, mistakes);
}

static void
assert_capabilities(const LvpMachineClass *class, const char *expected)
{
    g_autofree char *text = lvp_request_to_text(class->capabilities);
    cr_assert_str_eq(text, expected);
}

/* ---- well-formed ---- */

Test(machine_class, yaml_is_read_in_its_order)
{
    g_auto(Reading) reading = read_text("- name: gpu-small\n"
                                        "  capabilities:\n"
                                        "    cpu: 2\n"
                                        "    memory: 4Gi\n"
                                        "    gpu.nvidia/ga100gl.rev.a1: 1\n"
                                        "- capabilities: {memory: 512Mi, cpu: 500m}\n"
                                        "  name: tiny\n");
    cr_assert_str_eq(get_class(&reading, 0)->name, "gpu-small");
    assert_capabilities(get_class(&reading, 0), "cpu=2 memory=4Gi gpu.nvidia/ga100gl.rev.a1=1");
    cr_assert_str_eq(get_class(&reading, 1)->name, "tiny");
    assert_capabilities(get_class(&reading, 1), "memory=512Mi cpu=500m");
    cr_assert_eq(reading.classes->len, 2);
}

Test(machine_class, json_of_the_upstream_project_is_read_unchanged)
{
    g_auto(Reading) reading =
        read_text("[{\"name\":\"x3-xlarge\",\"capabilities\":{\"cpu\":2,\"memory\":2147483648,"
                  "\"gpu.nvidia/x\":1}}]");
    const LvpMachineClass *class = get_class(&reading, 0);
    cr_assert_str_eq(class->name, "x3-xlarge");
    cr_assert_eq(lvp_request_get_amount(class->capabilities, "cpu"), 2000);
    cr_assert_eq(lvp_request_get_amount(class->capabilities, "memory"), 2147483648);
    cr_assert_eq(lvp_request_get_amount(class->capabilities, "gpu.nvidia/x"), 1);
}

Test(machine_class, json_over_several_lines_with_tabs_is_read)
{
    g_auto(Reading) reading = read_text("[\n\t{\n\t\t\"name\": \"a\",\n\t\t\"capabilities\": {\n"
                                        "\t\t\t\"cpu\": \"2\"\n\t\t}\n\t}\n]\n");
    assert_capabilities(get_class(&reading, 0), "cpu=2");
}

Test(machine_class, empty_list_is_no_mistake)
{
    g_auto(Reading) reading = read_text("[]\n");
    cr_assert_not_null(reading.classes);
    cr_assert_eq(reading.classes->len, 0);
}

Test(machine_class, free_accepts_null) { lvp_machine_class_free(NULL); }

/* ---- mistakes ---- */

Test(machine_class, all_mistakes_are_reported_in_one_run)
{
    assert_refused("- name: 'bad name'\n"
                   "  capabilities:\n"
                   "    cpu: -2\n"
                   "    memory: lots\n"
                   "    'g p u': 1\n"
                   "- name: a\n"
                   "  capabilities: {cpu: 0}\n"
                   "  disk: 3\n"
                   "- name: b\n",
                   "FILE:1:9: error: 'bad name' is no name for a class: 1 to 64 of A-Z a-z 0-9 _ . "
                   "- and no dot first\n"
                   "FILE:3:10: error: quantity '-2' of cpu is negative\n"
                   "FILE:4:13: error: quantity 'lots' of memory is none (examples: 2, 500m, 4Gi, "
                   "16106127361)\n"
                   "FILE:5:5: error: 'g p u' is no name of a resource (examples: cpu, memory, "
                   "gpu.nvidia/a30)\n"
                   "FILE:7:23: error: cpu must be more than 0\n"
                   "FILE:8:3: error: unknown key 'disk'; known here: name, capabilities\n"
                   "FILE:9:3: error: a machine class needs name and capabilities");
}

Test(machine_class, second_class_of_a_name_names_the_place_of_the_first)
{
    assert_refused("- {name: a, capabilities: {cpu: 1}}\n"
                   "- {name: b, capabilities: {cpu: 1}}\n"
                   "- {name: a, capabilities: {cpu: 2}}\n",
                   "FILE:3:10: error: class a exists already in line 1, column 10");
}

Test(machine_class, class_that_asks_for_nothing_is_refused)
{
    assert_refused("- {name: a, capabilities: {}}\n", "FILE:1:27: error: class a asks for nothing");
}

Test(machine_class, wrong_kinds_are_refused)
{
    g_auto(Reading) mapping = read_text("name: a\ncapabilities: {cpu: 1}\n");
    cr_assert_null(mapping.classes);
    assert_contains(mapping.mistakes, "FILE:1:1: error: a file of machine classes must be a list");
    g_auto(Reading) text = read_text("- a\n- {name: [b], capabilities: {cpu: 1}}\n"
                                     "- {name: c, capabilities: [cpu]}\n"
                                     "- {name: d, capabilities: {cpu: [1]}}\n");
    cr_assert_null(text.classes);
    cr_assert_eq(lvp_diagnostics_get_count(text.diagnostics), 4, "%s", text.mistakes);
}

Test(machine_class, quantity_finer_than_its_unit_is_refused)
{
    g_auto(Reading) reading = read_text("- {name: a, capabilities: {gpu.nvidia/x: 500m}}\n");
    cr_assert_null(reading.classes);
    assert_contains(reading.mistakes, "FILE:1:42: error: ");
}

Test(machine_class, quantity_over_int64_is_refused)
{
    g_auto(Reading) reading = read_text("- {name: a, capabilities: {memory: 8Ei}}\n");
    cr_assert_null(reading.classes);
    assert_contains(reading.mistakes, "is too large");
}

Test(machine_class, repeated_resource_is_refused)
{
    g_auto(Reading) reading = read_text("- {name: a, capabilities: {cpu: 1, cpu: 2}}\n");
    cr_assert_null(reading.classes);
    assert_contains(reading.mistakes, "FILE:1:36: error: ");
}

Test(machine_class, resource_name_over_253_characters_is_refused)
{
    g_autofree char *name = g_strnfill(254, 'x');
    g_autofree char *text = g_strdup_printf("- {name: a, capabilities: {%s: 1}}\n", name);
    g_auto(Reading) reading = read_text(text);
    cr_assert_null(reading.classes);
    assert_contains(reading.mistakes, "is no name of a resource");
}

Test(machine_class, missing_and_empty_files_are_mistakes)
{
    g_auto(Reading) missing = {.scratch = lvp_scratch_new()};
    missing.file = lvp_scratch_get_path(missing.scratch, "none.yaml");
    finish_reading(&missing);
    cr_assert_null(missing.classes);
    assert_contains(missing.mistakes, "No such file");
    g_auto(Reading) empty = read_text("");
    cr_assert_null(empty.classes);
    cr_assert_eq(lvp_diagnostics_get_count(empty.diagnostics), 1);
}

Test(machine_class, earlier_mistakes_of_other_files_do_not_refuse_a_good_one)
{
    g_auto(Reading) reading = read_text("[]");
    lvp_diagnostics_add(reading.diagnostics, "other.conf", 1, 1, "before");
    g_autoptr(GPtrArray) classes = lvp_machine_classes_read(reading.file, reading.diagnostics);
    cr_assert_not_null(classes);
}

Test(machine_class, mistakes_before_a_syntax_error_are_told_with_it)
{
    g_auto(Reading) reading = read_text("- {name: .a, capabilities: {cpu: 1}}\n"
                                        "- {name: b, capabilities: {cpu: 0}}\n"
                                        "- {name: c, capabilities: {\n");
    assert_contains(reading.mistakes, "FILE:1:10: error: '.a' is no name for a class");
    assert_contains(reading.mistakes, "FILE:2:33: error: cpu must be more than 0");
    assert_contains(reading.mistakes, "no valid YAML or JSON");
    cr_assert_null(strstr(reading.mistakes, "asks for nothing"), "%s", reading.mistakes);
}
