/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as a table for a person, or as CSV. */
#include "table.h"

#include <libvirt-provider/error.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    char *title;
    const char *path;
    gboolean optional;
} Column;

/* ---- text of one cell ---- */

static char *cell_to_text(JsonNode *node);

/* {"total": "2", "available": "1"} is "1/2"; other maps are "key=value ...", with "-" for null. */
static char *
map_to_text(JsonObject *object)
{
    if (json_object_has_member(object, "total") && json_object_has_member(object, "available"))
        return g_strdup_printf("%s/%s", json_object_get_string_member(object, "available"),
                               json_object_get_string_member(object, "total"));
    g_autoptr(GString) text = g_string_new(NULL);
    JsonObjectIter iter;
    const char *key;
    JsonNode *value;
    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &key, &value)) {
        g_autofree char *cell = JSON_NODE_HOLDS_NULL(value) ? g_strdup("-") : cell_to_text(value);
        g_string_append_printf(text, "%s%s=%s", text->len ? " " : "", key, cell);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* "" for null. */
static char *
cell_to_text(JsonNode *node)
{
    if (!node || JSON_NODE_HOLDS_NULL(node))
        return g_strdup("");
    if (JSON_NODE_HOLDS_OBJECT(node))
        return map_to_text(json_node_get_object(node));
    if (JSON_NODE_HOLDS_ARRAY(node)) {
        g_autoptr(GString) text = g_string_new(NULL);
        JsonArray *array = json_node_get_array(node);
        for (guint i = 0; i < json_array_get_length(array); i++) {
            g_autofree char *cell = cell_to_text(json_array_get_element(array, i));
            g_string_append_printf(text, "%s%s", i ? "," : "", cell);
        }
        return g_string_free(g_steal_pointer(&text), FALSE);
    }
    GType type = json_node_get_value_type(node);
    if (type == G_TYPE_STRING)
        return g_strdup(json_node_get_string(node));
    if (type == G_TYPE_BOOLEAN)
        return g_strdup(json_node_get_boolean(node) ? "true" : "false");
    return g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));
}

/* What stands at "state" or "attributes.driver"; a key may have dots itself, as in
 * "resources.gpu.nvidia/a30". NULL where there is nothing. */
static JsonNode *
find_member(JsonObject *object, const char *path)
{
    for (;;) {
        JsonNode *node = json_object_get_member(object, path);
        const char *dot = strchr(path, '.');
        if (node || !dot)
            return node;
        g_autofree char *name = g_strndup(path, (gsize)(dot - path));
        node = json_object_get_member(object, name);
        if (!node || !JSON_NODE_HOLDS_OBJECT(node))
            return NULL;
        object = json_node_get_object(node);
        path = dot + 1;
    }
}

/* A state carries its conditions: "host" for a free device that the host uses. So who counts "free"
 * counts what is offered. */
static char *
get_cell(JsonObject *row, const Column *column)
{
    char *text = cell_to_text(find_member(row, column->path));
    if (strcmp(column->path, "state") != 0)
        return text;
    g_autofree char *state = text;
    g_autofree char *conditions = cell_to_text(find_member(row, "conditions"));
    if (conditions[0] == '\0')
        return g_steal_pointer(&state);
    return strcmp(state, "free") == 0 ? g_steal_pointer(&conditions)
                                      : g_strdup_printf("%s,%s", state, conditions);
}

/* ---- table and CSV ---- */

static void
clear_column(gpointer data)
{
    g_free(((Column *)data)->title);
}

static gboolean
has_values(JsonArray *rows, const char *path)
{
    for (guint i = 0; i < json_array_get_length(rows); i++) {
        g_autofree char *text =
            cell_to_text(find_member(json_array_get_object_element(rows, i), path));
        if (text[0] != '\0')
            return TRUE;
    }
    return FALSE;
}

/* A column of the kind by its title or path, or by any key of the JSON. */
static gboolean
find_column(const LvpRowKind *kind, const char *name, Column *ret_column)
{
    for (guint i = 0; kind->columns[i]; i++) {
        const char *title = kind->columns[i] + (kind->columns[i][0] == '?');
        const char *path = strchr(title, '=') + 1;
        gsize length = (gsize)(path - title) - 1;
        if (g_ascii_strcasecmp(name, path) == 0 ||
            (strlen(name) == length && g_ascii_strncasecmp(name, title, length) == 0)) {
            *ret_column = (Column){g_strndup(title, length), path, kind->columns[i][0] == '?'};
            return TRUE;
        }
    }
    for (guint i = 0; kind->keys[i]; i++) {
        gsize length = strlen(kind->keys[i]);
        gboolean whole = g_ascii_strcasecmp(name, kind->keys[i]) == 0;
        if (whole || (g_str_has_prefix(name, kind->keys[i]) && name[length] == '.')) {
            *ret_column = (Column){g_ascii_strup(name, -1), whole ? kind->keys[i] : name, FALSE};
            return TRUE;
        }
    }
    return FALSE;
}

/* "a,b" as {"a", "b"}; "" as {""}, which is no column. NULL for NULL. */
static char **
split_names(const char *list)
{
    if (list && list[0] == '\0')
        return g_strdupv((char *[]){(char[]){""}, NULL});
    return list ? g_strsplit(list, ",", -1) : NULL;
}

static GArray *
choose_columns(
    const LvpOutput *self, const LvpRowKind *kind, char **names, JsonArray *rows, GError **error)
{
    g_autoptr(GArray) columns = g_array_new(FALSE, FALSE, sizeof(Column));
    g_array_set_clear_func(columns, clear_column);
    for (guint i = 0; names && names[i]; i++) {
        Column column;
        if (!find_column(kind, names[i], &column)) {
            g_autofree char *known = g_strjoinv(", ", (char **)(gsize)kind->keys);
            g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                        "no column '%s'; there are: %s", names[i], known);
            return NULL;
        }
        g_array_append_val(columns, column);
    }
    for (guint i = 0; !names && kind->columns[i]; i++) {
        Column column;
        if (!find_column(kind, strchr(kind->columns[i], '=') + 1, &column))
            continue;
        if (column.optional && self->format == LVP_FORMAT_TABLE && !has_values(rows, column.path))
            clear_column(&column);
        else
            g_array_append_val(columns, column);
    }
    return g_steal_pointer(&columns);
}

static void
print_csv_cell(const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (const char *c = text; *c; c++) {
        if (*c == '"')
            putchar('"');
        putchar(*c);
    }
    putchar('"');
}

static const char *
get_color(const char *text)
{
    static const char *const GOOD[] = {"free", "running", "ok", "connected", NULL};
    static const char *const BAD[] = {"failed", "quarantined", "unusable", "orphaned",
                                      "lost",   "blocked",     NULL};
    if (g_strv_contains(GOOD, text))
        return "\033[32m";
    return g_strv_contains(BAD, text) ? "\033[31m" : NULL;
}

/* Text from a device, a guest or a label must not drive the terminal, nor end the line. */
static char *
make_harmless(const char *text)
{
    g_autoptr(GString) harmless = g_string_new(NULL);
    for (const char *c = text; *c; c = g_utf8_find_next_char(c, NULL)) {
        gunichar character = g_utf8_get_char(c);
        GUnicodeType type = g_unichar_type(character);
        gboolean breaks_line =
            type == G_UNICODE_LINE_SEPARATOR || type == G_UNICODE_PARAGRAPH_SEPARATOR;
        g_string_append_unichar(harmless,
                                type == G_UNICODE_CONTROL || breaks_line ? ' ' : character);
    }
    return g_string_free(g_steal_pointer(&harmless), FALSE);
}

static void
print_cell(const LvpOutput *self, const char *text, int width, gboolean last)
{
    g_autofree char *plain = make_harmless(text);
    const char *color = self->color ? get_color(plain) : NULL;
    int padding = last ? 0 : width - (int)g_utf8_strlen(plain, -1) + 2;
    printf("%s%s%s%*s", color ? color : "", plain, color ? "\033[0m" : "", padding, "");
}

/* The texts of all cells, row by row; empty ones are "-" in a table. */
static GPtrArray *
make_cells(const LvpOutput *self, const GArray *columns, JsonArray *rows)
{
    GPtrArray *cells = g_ptr_array_new_with_free_func(g_free);
    gboolean table = self->format == LVP_FORMAT_TABLE;
    for (guint i = 0; !self->no_headers && i < columns->len; i++)
        g_ptr_array_add(cells, g_strdup(g_array_index(columns, Column, i).title));
    for (guint r = 0; r < json_array_get_length(rows); r++) {
        JsonObject *row = json_array_get_object_element(rows, r);
        for (guint i = 0; i < columns->len; i++) {
            char *text = get_cell(row, &g_array_index(columns, Column, i));
            if (table && text[0] == '\0') {
                g_free(text);
                text = g_strdup("-");
            }
            g_ptr_array_add(cells, text);
        }
    }
    return cells;
}

static void
print_cells(const LvpOutput *self, const GPtrArray *cells, guint n_columns)
{
    g_autofree int *widths = g_new0(int, n_columns);
    for (guint i = 0; i < cells->len; i++) {
        int width = (int)g_utf8_strlen(g_ptr_array_index(cells, i), -1);
        widths[i % n_columns] = MAX(widths[i % n_columns], width);
    }
    for (guint i = 0; i < cells->len; i++) {
        gboolean last = i % n_columns == n_columns - 1;
        if (self->format == LVP_FORMAT_CSV)
            print_csv_cell(g_ptr_array_index(cells, i));
        else
            print_cell(self, g_ptr_array_index(cells, i), widths[i % n_columns], last);
        if (last)
            putchar('\n');
        else if (self->format == LVP_FORMAT_CSV)
            putchar(',');
    }
}

gboolean
lvp_table_print(const LvpOutput *self, const LvpRowKind *kind, JsonArray *rows, GError **error)
{
    g_auto(GStrv) names = split_names(self->columns);
    g_autoptr(GArray) columns = choose_columns(self, kind, names, rows, error);
    if (!columns || columns->len == 0)
        return columns != NULL;
    g_autoptr(GPtrArray) cells = make_cells(self, columns, rows);
    print_cells(self, cells, columns->len);
    return TRUE;
}

gboolean
lvp_table_check(const LvpOutput *self, const LvpRowKind *kind, GError **error)
{
    g_auto(GStrv) names = split_names(self->columns);
    g_autoptr(JsonArray) no_rows = json_array_new();
    g_autoptr(GArray) columns = choose_columns(self, kind, names, no_rows, error);
    return columns != NULL;
}

void
lvp_table_print_lines(JsonObject *object)
{
    JsonObjectIter iter;
    const char *key;
    JsonNode *value;
    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &key, &value)) {
        g_autofree char *text = cell_to_text(value);
        g_autofree char *plain = make_harmless(text);
        printf("%s: %s\n", key, plain[0] ? plain : "-");
    }
}
