/* SPDX-License-Identifier: Apache-2.0 */
#include "command-line.h"

#include <string.h>

static void
clear_flag(gpointer data)
{
    LvpFlag *flag = data;
    g_free(flag->name);
    g_free(flag->value);
}

static void
add_flag(LvpCommandLine *self, const char *name, const char *value)
{
    LvpFlag flag = {g_strdup(name), g_strdup(value)};
    g_array_append_val(self->flags, flag);
}

static gboolean
is_of_main(const char *word)
{
    static const char *const WORDS[] = {"-h", "--help", "-V", "--version", NULL};
    return g_strv_contains(WORDS, word);
}

/* Reads the flag WORD; NEXT may be its value. How many words more that takes. */
static guint
read_flag(LvpCommandLine *self,
          const char *word,
          const char *next,
          const LvpOptionRow *row,
          LvpDiagnostics *diagnostics)
{
    const char *equals = strchr(word, '=');
    g_autofree char *name = equals ? g_strndup(word, (gsize)(equals - word)) : g_strdup(word);
    gboolean takes_value = row && row->type != LVP_OPTION_BOOLEAN;
    if (!row) {
        g_ptr_array_add(self->unknown, g_steal_pointer(&name));
        return !equals && next && next[0] != '-' ? 1 : 0; /* most likely its value */
    }
    if (!takes_value && equals)
        lvp_diagnostics_add(diagnostics, NULL, 0, 0,
                            "--%s takes no value: give it, or leave it out", name);
    else if (!takes_value || equals)
        add_flag(self, name, equals ? equals + 1 : "true");
    else if (next)
        add_flag(self, name, next);
    else
        lvp_diagnostics_add(diagnostics, NULL, 0, 0, "--%s needs a value; see --help", name);
    return takes_value && !equals && next ? 1 : 0;
}

/* The row of what stands before '=' in WORD. */
static const LvpOptionRow *
find(LvpFindRow find_row, gconstpointer data, const char *word)
{
    g_autofree char *name = g_strndup(word, strcspn(word, "="));
    return find_row(data, name);
}

LvpCommandLine *
lvp_command_line_read(const char *const *words,
                      LvpFindRow find_row,
                      gconstpointer data,
                      LvpDiagnostics *diagnostics)
{
    LvpCommandLine *self = g_new0(LvpCommandLine, 1);
    self->flags = g_array_new(FALSE, FALSE, sizeof(LvpFlag));
    g_array_set_clear_func(self->flags, clear_flag);
    self->unknown = g_ptr_array_new_with_free_func(g_free);
    gboolean flags_end = FALSE;
    for (guint i = 1; words[0] && words[i]; i++) {
        const char *word = words[i];
        if (!g_utf8_validate(word, -1, NULL))
            lvp_diagnostics_add(diagnostics, NULL, 0, 0, "argument '%s' is no UTF-8 text", word);
        else if (flags_end || word[0] != '-')
            lvp_diagnostics_add(diagnostics, NULL, 0, 0, "unexpected argument '%s'; see --help",
                                word);
        else if (strcmp(word, "--") == 0)
            flags_end = TRUE;
        else if (g_str_has_prefix(word, "--") && !is_of_main(word))
            i += read_flag(self, word + 2, words[i + 1], find(find_row, data, word + 2),
                           diagnostics);
        else if (!is_of_main(word))
            lvp_diagnostics_add(diagnostics, NULL, 0, 0, "unknown option %s; see --help", word);
    }
    return self;
}

void
lvp_command_line_free(LvpCommandLine *self)
{
    if (!self)
        return;
    g_array_unref(self->flags);
    g_ptr_array_unref(self->unknown);
    g_free(self);
}
