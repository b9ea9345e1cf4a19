/* SPDX-License-Identifier: Apache-2.0 */
#include "key-file.h"

#include <string.h>
#include <sys/stat.h>

#define MAX_BYTES (1 << 20)

struct LvpKeyFile {
    char *name;
    char *text; /* to find the lines of keys */
    GKeyFile *keys;
};

/* The last line of KEY in GROUP, the one that counts, or 0; GKeyFile does not tell. */
static guint
find_line(const char *text, const char *group, const char *key)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autofree char *header = g_strdup_printf("[%s]", group);
    gboolean inside = FALSE;
    guint found = 0;
    for (guint i = 0; lines[i]; i++) {
        char *line = g_strstrip(lines[i]);
        if (line[0] == '[')
            inside = strcmp(line, header) == 0;
        else if (inside && g_str_has_prefix(line, key) && line[strlen(key)] &&
                 strchr("= \t", line[strlen(key)]))
            found = i + 1;
    }
    return found;
}

/* Where a file is read line by line. */
typedef struct {
    const char *name;
    LvpDiagnostics *diagnostics;
    GHashTable *lines; /* "[group]key" -> line of the first */
    char *group;       /* "[group]"; NULL before the first */
    gboolean told;     /* of what stands before it */
} Lines;

/* GKeyFile would take the last of them without a word. */
static void
check_double(Lines *self, const char *pair, guint line)
{
    g_autofree char *key = g_strchomp(g_strndup(pair, strcspn(pair, "=")));
    g_autofree char *full = g_strconcat(self->group, key, NULL);
    guint first = GPOINTER_TO_UINT(g_hash_table_lookup(self->lines, full));
    if (first > 0)
        lvp_diagnostics_add(self->diagnostics, self->name, line, 1,
                            "%s stands already in line %u: one of them has to go", key, first);
    else
        g_hash_table_insert(self->lines, g_steal_pointer(&full), GUINT_TO_POINTER(line));
}

/* FALSE after a report: it is neither comment, group nor pair in a group. */
static gboolean
check_line(Lines *self, const char *text, guint line)
{
    if (text[0] == '\0' || text[0] == '#')
        return TRUE;
    if (text[0] == '[' && g_str_has_suffix(text, "]")) {
        g_free(self->group);
        self->group = g_strdup(text);
        return TRUE;
    }
    if (self->group && strchr(text, '=')) {
        check_double(self, text, line);
        return TRUE;
    }
    if (self->group)
        lvp_diagnostics_add(self->diagnostics, self->name, line, 1,
                            "'%.60s' is no KEY=VALUE, [group] or # comment", text);
    else if (!self->told)
        lvp_diagnostics_add(self->diagnostics, self->name, line, 1,
                            "'%.60s' stands before the first [group]", text);
    self->told = TRUE;
    return FALSE;
}

/* TEXT without the bad lines, each reported; so that what else is wrong is told in the same run.
 * g_free(). */
static char *
drop_bad_lines(const char *name, const char *text, LvpDiagnostics *diagnostics)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Lines self = {name, diagnostics, seen, NULL, FALSE};
    for (guint i = 0; lines[i]; i++) {
        g_autofree char *line = g_strstrip(g_strdup(lines[i]));
        if (!check_line(&self, line, i + 1))
            lines[i][0] = '\0';
    }
    g_free(self.group);
    return g_strjoinv("\n", lines);
}

/* NULL after a diagnostic. A FIFO or device would never end. */
static char *
read_text(const char *name, LvpDiagnostics *diagnostics)
{
    struct stat status = {0};
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    gsize length = 0;
    if (stat(name, &status) == 0 && !S_ISREG(status.st_mode))
        lvp_diagnostics_add(diagnostics, name, 0, 0, "is no file");
    else if (status.st_size > MAX_BYTES)
        lvp_diagnostics_add(diagnostics, name, 0, 0, "larger than 1 MiB");
    else if (!g_file_get_contents(name, &text, &length, &error))
        lvp_diagnostics_add(diagnostics, name, 0, 0, "%s", error->message);
    else if (strlen(text) == length)
        return g_steal_pointer(&text);
    else /* what comes after it would be lost */
        lvp_diagnostics_add(diagnostics, name, 0, 0, "has a NUL character");
    return NULL;
}

LvpKeyFile *
lvp_key_file_read(const char *name, LvpDiagnostics *diagnostics)
{
    g_autoptr(LvpKeyFile) self = g_new0(LvpKeyFile, 1);
    self->name = g_strdup(name);
    self->keys = g_key_file_new();
    self->text = read_text(name, diagnostics);
    g_autoptr(GError) error = NULL;
    if (!self->text)
        return NULL;
    g_autofree char *good = drop_bad_lines(name, self->text, diagnostics);
    if (g_key_file_load_from_data(self->keys, good, (gsize)-1, G_KEY_FILE_NONE, &error))
        return g_steal_pointer(&self);
    lvp_diagnostics_add(diagnostics, name, 0, 0, "%s", error->message);
    return NULL;
}

void
lvp_key_file_free(LvpKeyFile *self)
{
    if (!self)
        return;
    g_free(self->name);
    g_free(self->text);
    g_key_file_unref(self->keys);
    g_free(self);
}

static void
report_unknown(const LvpKeyFile *self,
               const char *group,
               const char *key,
               const LvpOptionRow *rows,
               LvpDiagnostics *diagnostics)
{
    g_autoptr(GString) known = g_string_new(NULL);
    for (const LvpOptionRow *row = rows; row && row->name; row++)
        g_string_append_printf(known, "%s%s", known->len ? ", " : "", row->name);
    lvp_diagnostics_add(diagnostics, self->name, find_line(self->text, group, key), 1,
                        "unknown key '%s' in [%s]; known there: %s", key, group,
                        known->len ? known->str : "none");
}

void
lvp_key_file_apply(const LvpKeyFile *self,
                   const char *group,
                   const LvpOptionRow *rows,
                   LvpOptions *options,
                   LvpDiagnostics *diagnostics)
{
    g_auto(GStrv) names = g_key_file_get_keys(self->keys, group, NULL, NULL);
    for (guint i = 0; names && names[i]; i++) {
        guint line = find_line(self->text, group, names[i]);
        g_autofree char *value = g_key_file_get_string(self->keys, group, names[i], NULL);
        LvpOptionPlace place = {names[i], self->name, line};
        if (!lvp_options_find_row(rows, names[i]))
            report_unknown(self, group, names[i], rows, diagnostics);
        else if (!value)
            lvp_diagnostics_add(diagnostics, self->name, line, 1, "%s has no valid text", names[i]);
        else
            lvp_options_set_from(options, names[i], value, &place, diagnostics);
    }
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *
lvp_key_file_list(const char *named, const char *default_file, LvpDiagnostics *diagnostics)
{
    const char *file = named ? named : default_file;
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *parent = g_path_get_dirname(file);
    g_autofree char *folder = g_build_filename(parent, "conf.d", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) entries = g_dir_open(folder, 0, &error);
    const char *name;
    if (!entries && g_file_test(folder, G_FILE_TEST_EXISTS))
        lvp_diagnostics_add(diagnostics, folder, 0, 0, "%s", error->message);
    while (entries && (name = g_dir_read_name(entries)) != NULL)
        if (g_str_has_suffix(name, ".conf") && name[0] != '.')
            g_ptr_array_add(files, g_build_filename(folder, name, NULL));
    g_ptr_array_sort(files, compare_names);
    if (named || g_file_test(file, G_FILE_TEST_EXISTS))
        g_ptr_array_insert(files, 0, g_strdup(file));
    return files;
}
