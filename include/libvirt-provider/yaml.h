/* SPDX-License-Identifier: Apache-2.0 */
/* Untrusted YAML and JSON files as a small tree in which every node knows its line and column, and
 * the sink that collects all mistakes of a run.
 *
 * Refused: aliases and anchors, tags, duplicate keys, more than one document, nesting deeper than
 * 16, files over 1 MiB. Not thread-safe; a tree is constant once read. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct LvpDiagnostics LvpDiagnostics;
typedef struct LvpYaml LvpYaml;
typedef struct LvpYamlNode LvpYamlNode;

LvpDiagnostics *lvp_diagnostics_new(void);
void lvp_diagnostics_free(LvpDiagnostics *self);
/* LINE and COLUMN count from 1; 0 where there is none. FILE may be NULL. */
void lvp_diagnostics_add(
    LvpDiagnostics *self, const char *file, guint line, guint column, const char *format, ...)
    G_GNUC_PRINTF(5, 6);
guint lvp_diagnostics_get_count(const LvpDiagnostics *self);
/* "FILE:LINE:COLUMN: error: TEXT" of each, in the order of lines, one a line; g_free(). */
char *lvp_diagnostics_to_text(const LvpDiagnostics *self);
/* Sets LVP_ERROR_INVALID_REQUEST with that text and returns FALSE if there is any. */
gboolean lvp_diagnostics_check(const LvpDiagnostics *self, GError **error);

typedef enum {
    LVP_YAML_SCALAR,
    LVP_YAML_SEQUENCE,
    LVP_YAML_MAPPING,
} LvpYamlKind;

/* NULL with at least one diagnostic where the file cannot be read, or has nothing that could be
 * looked at; an empty file is a mistake too. After a syntax error the tree has what stands before
 * it, so that the caller can report what is wrong there: whether all is well, the count of
 * diagnostics says. */
LvpYaml *lvp_yaml_read_file(const char *file, LvpDiagnostics *diagnostics);
/* The same for TEXT; FILE only names it. */
LvpYaml *
lvp_yaml_read_text(const char *file, const char *text, gsize length, LvpDiagnostics *diagnostics);
void lvp_yaml_free(LvpYaml *self);

/* What YAML 1.2 (its core schema, 10.3.2) and JSON take a scalar for. */
typedef enum {
    LVP_YAML_TEXT, /* all that is in quotes, and what is none of the others */
    LVP_YAML_NULL, /* null, ~, or nothing at all */
    LVP_YAML_BOOLEAN,
    LVP_YAML_INTEGER,
    LVP_YAML_FLOAT,
} LvpYamlType;

/* Borrowed, as long as the tree lives; never NULL. */
const LvpYamlNode *lvp_yaml_get_root(const LvpYaml *self);
LvpYamlKind lvp_yaml_node_get_kind(const LvpYamlNode *self);
guint lvp_yaml_node_get_line(const LvpYamlNode *self);
/* Counts from 1, in characters as the reader counts them. */
guint lvp_yaml_node_get_column(const LvpYamlNode *self);
/* Of a scalar. */
LvpYamlType lvp_yaml_node_get_type(const LvpYamlNode *self);
/* A scalar as it is written, whatever its type, but without quotes; else NULL. */
const char *lvp_yaml_node_get_text(const LvpYamlNode *self);
/* Elements of a sequence, or pairs of a mapping. */
guint lvp_yaml_node_get_length(const LvpYamlNode *self);
/* The element, or the value of pair INDEX. */
const LvpYamlNode *lvp_yaml_node_get_item(const LvpYamlNode *self, guint index);
/* The key of pair INDEX of a mapping. */
const LvpYamlNode *lvp_yaml_node_get_key(const LvpYamlNode *self, guint index);
/* The value of KEY in a mapping, or NULL. */
const LvpYamlNode *lvp_yaml_node_find(const LvpYamlNode *self, const char *key);

/* Adds a mistake at the node's place; none for a node that a syntax error has cut off: what seems
 * to be missing may stand behind it. */
void
lvp_yaml_node_report(const LvpYamlNode *self, LvpDiagnostics *diagnostics, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/* Whether the node is of KIND; reports "WHAT must be a list" and the like if not. */
gboolean lvp_yaml_node_expect(const LvpYamlNode *self,
                              LvpYamlKind kind,
                              const char *what,
                              LvpDiagnostics *diagnostics);
/* Whether the node is a scalar of type text; reports "WHAT must be text" and the like if not. */
gboolean
lvp_yaml_node_expect_text(const LvpYamlNode *self, const char *what, LvpDiagnostics *diagnostics);
/* Reports each key of a mapping that is not in the NULL-ended KNOWN. */
void lvp_yaml_node_check_keys(const LvpYamlNode *self,
                              const char *const *known,
                              LvpDiagnostics *diagnostics);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpDiagnostics, lvp_diagnostics_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpYaml, lvp_yaml_free)

G_END_DECLS
