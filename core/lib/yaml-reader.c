/* SPDX-License-Identifier: Apache-2.0 */
/* The only user of libyaml. Reads events, never yaml_parser_load: that takes minutes on hostile
 * nesting and accepts duplicate keys. */
#include "yaml-node.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define MAX_DEPTH 16
#define MAX_BYTES (1u << 20)

typedef struct {
    LvpYaml *tree;
    yaml_parser_t parser;
    LvpDiagnostics *diagnostics;
    guint depth;
    gboolean stopped; /* by a mistake after which nothing can be read */
} Reader;

static void
stop(Reader *reader, yaml_mark_t mark, const char *text)
{
    reader->stopped = TRUE;
    lvp_diagnostics_add(reader->diagnostics, reader->tree->file, (guint)mark.line + 1,
                        (guint)mark.column + 1, "%s", text);
}

/* FALSE after a report. */
static gboolean
next_event(Reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event))
        return TRUE;
    yaml_mark_t mark = reader->parser.problem_mark;
    const char *problem = reader->parser.problem ? reader->parser.problem : "cannot be parsed";
    g_autofree char *text =
        reader->parser.error == YAML_READER_ERROR
            ? g_strdup_printf("%s (byte %zu)", problem, reader->parser.problem_offset)
            : g_strdup_printf("no valid YAML or JSON: %s", problem);
    stop(reader, mark, text);
    return FALSE;
}

static LvpYamlNode *
new_node(Reader *reader, LvpYamlKind kind, yaml_mark_t mark)
{
    LvpYamlNode *node = g_new0(LvpYamlNode, 1);
    node->tree = reader->tree;
    node->kind = kind;
    node->line = (guint)mark.line + 1;
    node->column = (guint)mark.column + 1;
    if (kind != LVP_YAML_SCALAR)
        node->items = g_ptr_array_new_with_free_func(lvp_yaml_node_free);
    if (kind == LVP_YAML_MAPPING) {
        node->keys = g_ptr_array_new_with_free_func(lvp_yaml_node_free);
        node->index = g_hash_table_new(g_str_hash, g_str_equal);
    }
    return node;
}

/* What of YAML we refuse, or NULL. */
static const char *
find_refused(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return "aliases (*name) are not allowed here: write the value out";
    case YAML_SCALAR_EVENT:
        if (event->data.scalar.anchor)
            return "anchors (&name) are not allowed here";
        return event->data.scalar.tag ? "tags (!name) are not allowed here" : NULL;
    case YAML_SEQUENCE_START_EVENT:
        if (event->data.sequence_start.anchor)
            return "anchors (&name) are not allowed here";
        return event->data.sequence_start.tag ? "tags (!name) are not allowed here" : NULL;
    case YAML_MAPPING_START_EVENT:
        if (event->data.mapping_start.anchor)
            return "anchors (&name) are not allowed here";
        return event->data.mapping_start.tag ? "tags (!name) are not allowed here" : NULL;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return NULL;
    }
    return NULL;
}

static LvpYamlNode *read_value(Reader *reader, const yaml_event_t *event);

static void
add_pair(Reader *reader, LvpYamlNode *mapping, LvpYamlNode *key, LvpYamlNode *value)
{
    if (key->kind != LVP_YAML_SCALAR) {
        lvp_yaml_node_report(key, reader->diagnostics, "a key must be plain text");
        reader->stopped = TRUE;
        lvp_yaml_node_free(key);
        lvp_yaml_node_free(value);
        return;
    }
    g_ptr_array_add(mapping->keys, key);
    g_ptr_array_add(mapping->items, value);
    if (g_hash_table_contains(mapping->index, key->text))
        lvp_yaml_node_report(key, reader->diagnostics, "key '%s' stands here twice", key->text);
    else
        g_hash_table_insert(mapping->index, key->text, value);
}

/* The children up to the end event, or up to the mistake that stops the reader. */
static void
read_children(Reader *reader, LvpYamlNode *node)
{
    g_autoptr(LvpYamlNode) key = NULL;
    while (!reader->stopped) {
        yaml_event_t event;
        if (!next_event(reader, &event))
            return;
        if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return;
        }
        g_autoptr(LvpYamlNode) child = read_value(reader, &event);
        yaml_event_delete(&event);
        if (!child)
            return;
        if (node->kind == LVP_YAML_SEQUENCE)
            g_ptr_array_add(node->items, g_steal_pointer(&child));
        else if (key)
            add_pair(reader, node, g_steal_pointer(&key), g_steal_pointer(&child));
        else
            key = g_steal_pointer(&child);
    }
}

/* NULL after a report. What a mistake below it cuts off is returned as far as it was read. */
static LvpYamlNode *
read_value(Reader *reader, const yaml_event_t *event)
{
    const char *refused = find_refused(event);
    if (refused) {
        stop(reader, event->start_mark, refused);
        return NULL;
    }
    if (event->type == YAML_SCALAR_EVENT) {
        LvpYamlNode *node = new_node(reader, LVP_YAML_SCALAR, event->start_mark);
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        node->text = g_strndup((const char *)event->data.scalar.value, event->data.scalar.length);
        if (strlen(node->text) == event->data.scalar.length)
            return node;
        stop(reader, event->start_mark, "text with a NUL character");
        lvp_yaml_node_free(node);
        return NULL;
    }
    if (reader->depth >= MAX_DEPTH) {
        stop(reader, event->start_mark, "nested too deep (more than 16 levels)");
        return NULL;
    }
    LvpYamlKind kind =
        event->type == YAML_MAPPING_START_EVENT ? LVP_YAML_MAPPING : LVP_YAML_SEQUENCE;
    g_autoptr(LvpYamlNode) node = new_node(reader, kind, event->start_mark);
    reader->depth++;
    read_children(reader, node);
    reader->depth--;
    node->cut_off = reader->stopped;
    return g_steal_pointer(&node);
}

/* The one document of the stream. */
static void
read_document(Reader *reader)
{
    gboolean ended = FALSE;
    while (!reader->stopped && !ended) {
        yaml_event_t event;
        if (!next_event(reader, &event))
            return;
        yaml_event_type_t type = event.type;
        ended = type == YAML_STREAM_END_EVENT;
        if (type == YAML_DOCUMENT_START_EVENT && reader->tree->root)
            stop(reader, event.start_mark, "a second document begins here: only one is allowed");
        else if (type == YAML_ALIAS_EVENT || type == YAML_SCALAR_EVENT ||
                 type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT)
            reader->tree->root = read_value(reader, &event);
        else if (ended && !reader->tree->root)
            stop(reader, (yaml_mark_t){0}, "the file is empty");
        yaml_event_delete(&event);
    }
}

LvpYaml *
lvp_yaml_read_text(const char *file, const char *text, gsize length, LvpDiagnostics *diagnostics)
{
    if (length > MAX_BYTES) {
        lvp_diagnostics_add(diagnostics, file, 0, 0, "larger than 1 MiB");
        return NULL;
    }
    g_autoptr(LvpYaml) tree = g_new0(LvpYaml, 1);
    tree->file = g_strdup(file);
    Reader reader = {.tree = tree, .diagnostics = diagnostics};
    if (!yaml_parser_initialize(&reader.parser)) {
        lvp_diagnostics_add(diagnostics, file, 0, 0, "not enough memory to parse");
        return NULL;
    }
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
    read_document(&reader);
    yaml_parser_delete(&reader.parser);
    return tree->root ? g_steal_pointer(&tree) : NULL;
}

/* NULL with *RET_PROBLEM set. Opens without blocking, so that a FIFO does not hang the caller. */
static char *
read_bounded(const char *file, gsize *ret_length, const char **ret_problem)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        *ret_problem = g_strerror(errno);
        return NULL;
    }
    struct stat status;
    char *buffer = g_malloc(MAX_BYTES + 2);
    gsize used = 0;
    *ret_problem = NULL;
    if (fstat(fd, &status) < 0)
        *ret_problem = g_strerror(errno);
    else if (!S_ISREG(status.st_mode))
        *ret_problem = S_ISDIR(status.st_mode) ? g_strerror(EISDIR) : "not a regular file";
    while (!*ret_problem && used <= MAX_BYTES) {
        ssize_t length = read(fd, buffer + used, MAX_BYTES + 1 - used);
        if (length < 0)
            *ret_problem = g_strerror(errno);
        if (length <= 0)
            break;
        used += (gsize)length;
    }
    close(fd);
    *ret_length = used;
    if (!*ret_problem)
        return buffer;
    g_free(buffer);
    return NULL;
}

LvpYaml *
lvp_yaml_read_file(const char *file, LvpDiagnostics *diagnostics)
{
    gsize length = 0;
    const char *problem;
    g_autofree char *text = read_bounded(file, &length, &problem);
    if (!text) {
        lvp_diagnostics_add(diagnostics, file, 0, 0, "cannot be read: %s", problem);
        return NULL;
    }
    return lvp_yaml_read_text(file, text, length, diagnostics);
}
