/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml-node.h"

#include <string.h>

void
lvp_yaml_node_free(gpointer node)
{
    LvpYamlNode *self = node;
    if (!self)
        return;
    g_free(self->text);
    g_clear_pointer(&self->keys, g_ptr_array_unref);
    g_clear_pointer(&self->items, g_ptr_array_unref);
    g_clear_pointer(&self->index, g_hash_table_unref);
    g_free(self);
}

void
lvp_yaml_free(LvpYaml *self)
{
    if (!self)
        return;
    lvp_yaml_node_free(self->root);
    g_free(self->file);
    g_free(self);
}

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

guint
lvp_yaml_node_get_column(const LvpYamlNode *self)
{
    return self->column;
}

/* ---- types ---- */

/* At least one, and all of ALLOWED. */
static gboolean
is_made_of(const char *text, const char *allowed)
{
    return text[0] != '\0' && strspn(text, allowed) == strlen(text);
}

static const char *
skip_sign(const char *text)
{
    return text + (text[0] == '-' || text[0] == '+');
}

#define DIGITS "0123456789"

static gboolean
is_integer(const char *text)
{
    if (g_str_has_prefix(text, "0o"))
        return is_made_of(text + 2, "01234567");
    if (g_str_has_prefix(text, "0x"))
        return is_made_of(text + 2, DIGITS "abcdefABCDEF");
    return is_made_of(skip_sign(text), DIGITS);
}

static gboolean
is_float(const char *text)
{
    static const char *const INFINITE[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const NO_NUMBER[] = {".nan", ".NaN", ".NAN", NULL};
    if (g_strv_contains(INFINITE, skip_sign(text)) || g_strv_contains(NO_NUMBER, text))
        return TRUE;
    const char *rest = skip_sign(text);
    gsize n_digits = strspn(rest, DIGITS);
    rest += n_digits;
    if (rest[0] == '.') {
        gsize n_decimals = strspn(rest + 1, DIGITS);
        n_digits += n_decimals;
        rest += 1 + n_decimals;
    }
    gboolean has_exponent = rest[0] == 'e' || rest[0] == 'E';
    return n_digits > 0 &&
           (rest[0] == '\0' || (has_exponent && is_made_of(skip_sign(rest + 1), DIGITS)));
}

LvpYamlType
lvp_yaml_node_get_type(const LvpYamlNode *self)
{
    static const char *const NOTHING[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const BOOLEANS[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    g_return_val_if_fail(self->kind == LVP_YAML_SCALAR, LVP_YAML_NULL);
    if (!self->plain)
        return LVP_YAML_TEXT;
    if (g_strv_contains(NOTHING, self->text))
        return LVP_YAML_NULL;
    if (g_strv_contains(BOOLEANS, self->text))
        return LVP_YAML_BOOLEAN;
    return is_integer(self->text) ? LVP_YAML_INTEGER
           : is_float(self->text) ? LVP_YAML_FLOAT
                                  : LVP_YAML_TEXT;
}

/* ---- contents ---- */

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

gboolean
lvp_yaml_node_expect_text(const LvpYamlNode *self, const char *what, LvpDiagnostics *diagnostics)
{
    static const char *const MEANINGS[] = {"text", "no value", "a boolean", "a number", "a number"};
    if (!lvp_yaml_node_expect(self, LVP_YAML_SCALAR, what, diagnostics))
        return FALSE;
    LvpYamlType type = lvp_yaml_node_get_type(self);
    if (type == LVP_YAML_TEXT)
        return TRUE;
    if (self->text[0] == '\0')
        lvp_yaml_node_report(self, diagnostics, "%s must be text, but there is none", what);
    else
        lvp_yaml_node_report(self, diagnostics, "%s must be text, but %s is %s: put it in quotes",
                             what, self->text, MEANINGS[type]);
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
