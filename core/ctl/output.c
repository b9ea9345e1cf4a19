/* SPDX-License-Identifier: Apache-2.0 */
/* Everything goes through one JSON tree, so that all formats say the same. */
#include "output.h"

#include "table.h"
#include "yaml-writer.h"

#include <errno.h>
#include <gio/gio.h>
#include <libvirt-provider/error.h>
#include <libvirt-provider/text.h>
#include <stdio.h>
#include <string.h>

static const char *const FORMAT_NAMES[] = {"table", "json", "yaml", "csv", "name", "xml"};

char *
lvp_formats_to_text(guint formats)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(FORMAT_NAMES); i++) {
        if (!(formats & 1U << i))
            continue;
        gboolean last = formats >> i == 1;
        g_string_append_printf(text, "%s%s",
                               text->len == 0 ? ""
                               : last         ? " or "
                                              : ", ",
                               FORMAT_NAMES[i]);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

gboolean
lvp_format_parse(const char *text, guint formats, LvpFormat *ret_format, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(FORMAT_NAMES); i++) {
        if ((formats & 1U << i) && strcmp(text, FORMAT_NAMES[i]) == 0) {
            *ret_format = (LvpFormat)i;
            return TRUE;
        }
    }
    g_autofree char *known = lvp_formats_to_text(formats);
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "'%s' is no format of this command: %s", text, known);
    return FALSE;
}

/* ---- the tree ---- */

/* The attributes of a device are texts, an empty one says that there is nothing. */
static JsonNode *
copy_attributes(JsonNode *attributes)
{
    JsonNode *copy = json_node_copy(attributes);
    JsonObject *texts = json_node_get_object(copy);
    g_autoptr(GList) keys = json_object_get_members(texts);
    for (const GList *key = keys; key; key = key->next)
        if (json_object_get_string_member(texts, key->data)[0] == '\0')
            json_object_set_null_member(texts, key->data);
    return copy;
}

static JsonNode *
make_value(const char *key, JsonNode *found)
{
    if (!found)
        return json_node_new(JSON_NODE_NULL);
    return strcmp(key, "attributes") == 0 ? copy_attributes(found) : json_node_copy(found);
}

/* A row with all keys of its kind, in their order. */
static JsonNode *
make_row(const LvpRowKind *kind, GVariant *values)
{
    JsonNode *found = json_gvariant_serialize(values);
    JsonObject *source = json_node_get_object(found);
    JsonObject *row = json_object_new();
    for (guint i = 0; kind->keys[i]; i++) {
        const char *key = kind->keys[i];
        json_object_set_member(row, key, make_value(key, json_object_get_member(source, key)));
    }
    json_node_unref(found);
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(node, row);
    return node;
}

static JsonArray *
make_rows(const LvpRowKind *kind, GVariant *rows)
{
    JsonArray *array = json_array_new();
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) values = g_variant_get_child_value(rows, i);
        json_array_add_element(array, make_row(kind, values));
    }
    return array;
}

static void
print_json(JsonNode *root, gboolean pretty)
{
    g_autoptr(JsonGenerator) generator = json_generator_new();
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, pretty);
    g_autofree char *text = json_generator_to_data(generator, NULL);
    puts(text);
}

/* ---- the formats ---- */

static void
print_names(const LvpRowKind *kind, JsonArray *rows)
{
    for (guint i = 0; i < json_array_get_length(rows); i++)
        puts(json_object_get_string_member(json_array_get_object_element(rows, i), kind->name_key));
}

static gboolean
refuse_xml(GError **error)
{
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "format xml is of `machine create --dry-run` only");
    return FALSE;
}

gboolean
lvp_output_check(const LvpOutput *self, const LvpRowKind *kind, GError **error)
{
    if (self->format == LVP_FORMAT_XML)
        return refuse_xml(error);
    return lvp_table_check(self, kind, error);
}

gboolean
lvp_output_rows(const LvpOutput *self, const LvpRowKind *kind, GVariant *rows, GError **error)
{
    JsonArray *array = make_rows(kind, rows);
    g_autoptr(JsonObject) object = json_object_new();
    json_object_set_array_member(object, kind->list, array);
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
    json_node_set_object(root, object);
    switch (self->format) {
    case LVP_FORMAT_JSON:
        print_json(root, TRUE);
        return TRUE;
    case LVP_FORMAT_YAML:
        lvp_yaml_print(root);
        return TRUE;
    case LVP_FORMAT_NAME:
        print_names(kind, array);
        return TRUE;
    case LVP_FORMAT_TABLE:
    case LVP_FORMAT_CSV:
        return lvp_table_print(self, kind, array, error);
    case LVP_FORMAT_XML:
        break;
    }
    return refuse_xml(error);
}

gboolean
lvp_output_row(const LvpOutput *self, const LvpRowKind *kind, GVariant *row, GError **error)
{
    if (self->format == LVP_FORMAT_TABLE && !self->columns) {
        g_autoptr(JsonNode) node = make_row(kind, row);
        lvp_table_print_lines(json_node_get_object(node));
        return TRUE;
    }
    g_autoptr(GVariant) rows =
        g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE("a{sv}"), &row, 1));
    return lvp_output_rows(self, kind, rows, error);
}

void
lvp_output_values(const LvpOutput *self, GVariant *values)
{
    g_autoptr(JsonNode) node = json_gvariant_serialize(values);
    if (self->format == LVP_FORMAT_JSON)
        print_json(node, TRUE);
    else if (self->format == LVP_FORMAT_YAML)
        lvp_yaml_print(node);
    else
        lvp_table_print_lines(json_node_get_object(node));
}

void
lvp_output_line(const LvpOutput *self, GVariant *values)
{
    g_autoptr(JsonNode) node = json_gvariant_serialize(values);
    if (self->format == LVP_FORMAT_JSON) {
        print_json(node, FALSE);
        return;
    }
    puts("---");
    lvp_yaml_print(node);
}

void
lvp_output_set_error(int code, GError **error)
{
    if (code == EPIPE)
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE, "nobody reads the output");
    else
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "cannot write the output: %s",
                    g_strerror(code));
}

gboolean
lvp_output_flush(GError **error)
{
    int code = fflush(stdout) == 0 ? 0 : errno;
    /* One that failed in the middle of a long output leaves no errno; what comes after it fails for
     * the same reason. */
    if (code == 0 && ferror(stdout))
        code = putchar('\n') != EOF && fflush(stdout) == 0 ? EIO : errno;
    if (code != 0)
        lvp_output_set_error(code, error);
    return code == 0;
}

void
lvp_output_print_error(const GError *error)
{
    /* What somebody has called a thing must not drive the terminal. But several mistakes are
     * several lines. */
    g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        g_autofree char *line = lvp_text_make_printable(lines[i]);
        fprintf(stderr, "%s%s\n", i == 0 ? "lpctl: " : "", line);
    }
}
