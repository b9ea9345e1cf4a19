/* SPDX-License-Identifier: Apache-2.0 */
/* The only user of libyaml. Reads events, never yaml_parser_load: that takes minutes on hostile
 * nesting and accepts duplicate keys. */
#include <errno.h>
#include <fcntl.h>
#include <libvirt-provider/yaml.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define MAX_DEPTH 16
#define MAX_BYTES (1u << 20)

struct LvpYamlNode {
    LvpYaml *tree; /* borrowed: for the file's name */
    LvpYamlKind kind;
    guint line, column;
    gboolean cut_off; /* what comes after a syntax error in it is not known */
    char *text;
    GPtrArray *keys;   /* LvpYamlNode, of a mapping */
    GPtrArray *items;  /* LvpYamlNode, of a mapping or sequence */
    GHashTable *index; /* text of key -> item, both borrowed; of a mapping */
};

struct LvpYaml {
    char *file;
    LvpYamlNode *root;
};

typedef struct {
    LvpYaml *tree;
    yaml_parser_t parser;
    LvpDiagnostics *diagnostics;
    guint depth;
    gboolean stopped; /* by a mistake after which nothing can be read */
} Reader;

static void
free_node(gpointer data)
{
    LvpYamlNode *self = data;
    if (!self)
        return;
    g_free(self->text);
    g_clear_pointer(&self->keys, g_ptr_array_unref);
    g_clear_pointer(&self->items, g_ptr_array_unref);
    g_clear_pointer(&self->index, g_hash_table_unref);
    g_free(self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpYamlNode, free_node)

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
        node->items = g_ptr_array_new_with_free_func(free_node);
    if (kind == LVP_YAML_MAPPING) {
        node->keys = g_ptr_array_new_with_free_func(free_node);
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
        free_node(key);
        free_node(value);
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
        node->text = g_strndup((const char *)event->data.scalar.value, event->data.scalar.length);
        if (strlen(node->text) == event->data.scalar.length)
            return node;
        stop(reader, event->start_mark, "text with a NUL character");
        free_node(node);
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

void
lvp_yaml_free(LvpYaml *self)
{
    if (!self)
        return;
    free_node(self->root);
    g_free(self->file);
    g_free(self);
}

/* ---- nodes ---- */

const LvpYamlNode *
lvp_yaml_get_root(const LvpYaml *self)
{
    return self->root;
}

LvpYamlKind
lvp_yaml_node_get_kind(const LvpYamlNode *self)
{
    return self->kind;
}

guint
lvp_yaml_node_get_line(const LvpYamlNode *self)
{
    return self->line;
}

const char *
lvp_yaml_node_get_text(const LvpYamlNode *self)
{
    return self->text;
}

guint
lvp_yaml_node_get_length(const LvpYamlNode *self)
{
    return self->items ? self->items->len : 0;
}

const LvpYamlNode *
lvp_yaml_node_get_item(const LvpYamlNode *self, guint index)
{
    g_return_val_if_fail(index < lvp_yaml_node_get_length(self), NULL);
    return g_ptr_array_index(self->items, index);
}

const LvpYamlNode *
lvp_yaml_node_get_key(const LvpYamlNode *self, guint index)
{
    g_return_val_if_fail(self->keys && index < self->keys->len, NULL);
    return g_ptr_array_index(self->keys, index);
}

const LvpYamlNode *
lvp_yaml_node_find(const LvpYamlNode *self, const char *key)
{
    return self->index ? g_hash_table_lookup(self->index, key) : NULL;
}

void
lvp_yaml_node_report(const LvpYamlNode *self, LvpDiagnostics *diagnostics, const char *format, ...)
{
    if (self->cut_off)
        return;
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    lvp_diagnostics_add(diagnostics, self->tree->file, self->line, self->column, "%s", text);
}

gboolean
lvp_yaml_node_expect(const LvpYamlNode *self,
                     LvpYamlKind kind,
                     const char *what,
                     LvpDiagnostics *diagnostics)
{
    static const char *const NAMES[] = {"plain text", "a list", "a mapping (key: value)"};
    if (self->kind == kind)
        return TRUE;
    lvp_yaml_node_report(self, diagnostics, "%s must be %s, but is %s", what, NAMES[kind],
                         NAMES[self->kind]);
    return FALSE;
}

void
lvp_yaml_node_check_keys(const LvpYamlNode *self,
                         const char *const *known,
                         LvpDiagnostics *diagnostics)
{
    g_return_if_fail(self->kind == LVP_YAML_MAPPING);
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; known[i]; i++)
        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", known[i]);
    for (guint i = 0; i < lvp_yaml_node_get_length(self); i++) {
        const LvpYamlNode *key = lvp_yaml_node_get_key(self, i);
        if (!g_strv_contains(known, key->text))
            lvp_yaml_node_report(key, diagnostics, "unknown key '%s'; known here: %s", key->text,
                                 names->str);
    }
}
