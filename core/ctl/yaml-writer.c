/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml-writer.h"

#include <stdio.h>
#include <string.h>

static void print_yaml(JsonNode *node, guint depth, gboolean in_list);

static void
indent(guint depth)
{
    printf("%*s", (int)depth * 2, "");
}

static gboolean
is_empty(JsonNode *node)
{
    if (JSON_NODE_HOLDS_ARRAY(node))
        return json_array_get_length(json_node_get_array(node)) == 0;
    return !JSON_NODE_HOLDS_OBJECT(node) || json_object_get_size(json_node_get_object(node)) == 0;
}

/* NODE as JSON, which is YAML, too, but for some characters that may stand in JSON as they are. */
static char *
make_scalar(JsonNode *node)
{
    g_autofree char *json = json_to_string(node, FALSE);
    g_autoptr(GString) text = g_string_new(NULL);
    for (const char *c = json; *c; c = g_utf8_find_next_char(c, NULL)) {
        gunichar character = g_utf8_get_char(c);
        gboolean is_break = character == 0x2028 || character == 0x2029; /* line, paragraph */
        if (character < 0x7f || (g_unichar_isprint(character) && !is_break))
            g_string_append_unichar(text, character);
        else
            g_string_append_printf(text, "\\U%08x", character);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static gboolean
is_plain(const char *key)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-";
    static const char *const OTHERS[] = {"null", "true", "false", "yes", "no",
                                         "on",   "off",  "y",     "n",   NULL};
    g_autofree char *lower = g_ascii_strdown(key, -1);
    return g_ascii_isalpha(key[0]) && strspn(key, allowed) == strlen(key) &&
           !g_strv_contains(OTHERS, lower);
}

/* Plain where YAML can read it so; labels may have any key. */
static void
print_key(const char *key)
{
    g_autoptr(JsonNode) node = json_node_init_string(json_node_alloc(), key);
    g_autofree char *text = is_plain(key) ? g_strdup(key) : make_scalar(node);
    printf("%s:", text);
}

static void
print_yaml_value(JsonNode *node, guint depth)
{
    if (is_empty(node)) {
        g_autofree char *text = make_scalar(node);
        printf(" %s\n", text);
        return;
    }
    putchar('\n');
    print_yaml(node, depth, FALSE);
}

static void
print_yaml(JsonNode *node, guint depth, gboolean in_list)
{
    if (JSON_NODE_HOLDS_ARRAY(node)) {
        JsonArray *array = json_node_get_array(node);
        for (guint i = 0; i < json_array_get_length(array); i++) {
            JsonNode *item = json_array_get_element(array, i);
            indent(depth);
            putchar('-');
            if (JSON_NODE_HOLDS_OBJECT(item) && !is_empty(item)) {
                putchar(' ');
                print_yaml(item, depth + 1, TRUE);
            } else {
                print_yaml_value(item, depth + 1);
            }
        }
        return;
    }
    JsonObjectIter iter;
    const char *key;
    JsonNode *value;
    json_object_iter_init_ordered(&iter, json_node_get_object(node));
    for (gboolean first = TRUE; json_object_iter_next_ordered(&iter, &key, &value); first = FALSE) {
        if (!first || !in_list)
            indent(depth);
        print_key(key);
        print_yaml_value(value, depth + 1);
    }
}

void
lvp_yaml_print(JsonNode *node)
{
    print_yaml(node, 0, FALSE);
}
