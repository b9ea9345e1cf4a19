/* SPDX-License-Identifier: Apache-2.0 */
/* The sink that collects all mistakes of a run. */
#include <libvirt-provider/error.h>
#include <libvirt-provider/text.h>
#include <libvirt-provider/yaml.h>
#include <string.h>

/* A file of garbage makes one mistake a line; nobody reads more than this. */
#define MAX_MISTAKES 100

typedef struct {
    char *file;
    guint line, column;
    char *text;
} Mistake;

struct LvpDiagnostics {
    GArray *mistakes; /* Mistake */
    guint count;      /* also those past MAX_MISTAKES */
};

static void
clear_mistake(gpointer data)
{
    Mistake *mistake = data;
    g_free(mistake->file);
    g_free(mistake->text);
}

LvpDiagnostics *
lvp_diagnostics_new(void)
{
    LvpDiagnostics *self = g_new0(LvpDiagnostics, 1);
    self->mistakes = g_array_new(FALSE, FALSE, sizeof(Mistake));
    g_array_set_clear_func(self->mistakes, clear_mistake);
    return self;
}

void
lvp_diagnostics_free(LvpDiagnostics *self)
{
    if (!self)
        return;
    g_array_unref(self->mistakes);
    g_free(self);
}

void
lvp_diagnostics_add(
    LvpDiagnostics *self, const char *file, guint line, guint column, const char *format, ...)
{
    if (self->count++ >= MAX_MISTAKES)
        return;
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *raw = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    Mistake mistake = {lvp_text_make_printable(file), line, column, lvp_text_make_printable(raw)};
    g_array_append_val(self->mistakes, mistake);
}

guint
lvp_diagnostics_get_count(const LvpDiagnostics *self)
{
    return self->count;
}

static int
compare_places(gconstpointer a, gconstpointer b)
{
    const Mistake *left = a, *right = b;
    int files = g_strcmp0(left->file, right->file);
    if (files != 0)
        return files;
    if (left->line != right->line)
        return left->line < right->line ? -1 : 1;
    return left->column < right->column ? -1 : left->column > right->column;
}

char *
lvp_diagnostics_to_text(const LvpDiagnostics *self)
{
    g_array_sort(self->mistakes, compare_places);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < self->mistakes->len; i++) {
        const Mistake *mistake = &g_array_index(self->mistakes, Mistake, i);
        if (i > 0)
            g_string_append_c(text, '\n');
        if (mistake->file)
            g_string_append_printf(text, "%s:", mistake->file);
        if (mistake->line > 0)
            g_string_append_printf(text, "%u:%u:", mistake->line, mistake->column);
        g_string_append_printf(text, "%serror: %s", mistake->file || mistake->line ? " " : "",
                               mistake->text);
    }
    if (self->count > MAX_MISTAKES)
        g_string_append_printf(text, "\nand %u more", self->count - MAX_MISTAKES);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

gboolean
lvp_diagnostics_check(const LvpDiagnostics *self, GError **error)
{
    if (self->count == 0)
        return TRUE;
    g_autofree char *text = lvp_diagnostics_to_text(self);
    g_set_error_literal(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, text);
    return FALSE;
}
