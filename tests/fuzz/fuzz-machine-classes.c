/* SPDX-License-Identifier: Apache-2.0 */
/* machine-classes.yaml: mistakes or valid classes, which written as JSON read back the same. */
#include "fuzz.h"
#include "machine-class.h"
#include "machine.h"

#include <string.h>

/* What is read of the text, or NULL after a look at the mistakes. */
static GPtrArray *
read_classes(const void *data, gsize size)
{
    g_autofree char *path = fuzz_make_file(data, size);
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    GPtrArray *classes = lvp_machine_classes_read(path, diagnostics);
    must((classes == NULL) == (lvp_diagnostics_get_count(diagnostics) > 0));
    g_autofree char *mistakes = lvp_diagnostics_to_text(diagnostics);
    must_be_printable(mistakes);
    return classes;
}

static void
append_class(GString *text, const LvpMachineClass *class)
{
    must(lvp_machine_check_name(class->name, NULL));
    must(lvp_request_get_length(class->capabilities) > 0);
    g_string_append_printf(text, "{\"name\": \"%s\", \"capabilities\": {", class->name);
    for (guint i = 0; i < lvp_request_get_length(class->capabilities); i++) {
        const char *resource = lvp_request_get_resource(class->capabilities, i);
        gint64 amount = lvp_request_get_amount(class->capabilities, resource);
        g_autofree char *quantity = lvp_quantity_format(resource, amount);
        must(amount > 0 && resource[0] != '\0');
        g_string_append_printf(text, "%s\"%s\": \"%s\"", i > 0 ? ", " : "", resource, quantity);
    }
    g_string_append(text, "}}");
}

static void
check_same(const GPtrArray *a, const GPtrArray *b)
{
    must(a->len == b->len);
    for (guint i = 0; i < a->len; i++) {
        const LvpMachineClass *left = g_ptr_array_index(a, i), *right = g_ptr_array_index(b, i);
        g_autofree char *left_text = lvp_request_to_text(left->capabilities);
        g_autofree char *right_text = lvp_request_to_text(right->capabilities);
        must(strcmp(left->name, right->name) == 0 && strcmp(left_text, right_text) == 0);
    }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autoptr(GPtrArray) classes = read_classes(data, size);
    if (!classes)
        return 0;
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GString) json = g_string_new("[");
    for (guint i = 0; i < classes->len; i++) {
        const LvpMachineClass *class = g_ptr_array_index(classes, i);
        must(g_hash_table_add(names, class->name));
        g_string_append(json, i > 0 ? ",\n" : "");
        append_class(json, class);
    }
    g_string_append(json, "]\n");
    g_autoptr(GPtrArray) again = read_classes(json->str, json->len);
    must(again != NULL);
    check_same(classes, again);
    return 0;
}
