/* SPDX-License-Identifier: Apache-2.0 */
/* The options of the command line, and what GOption does not check of them. */
#include "options.h"

#include <libvirt-provider/error.h>
#include <string.h>

/* A day; the daemon waits no longer for a guest, either. */
#define MAX_WAIT_S 86400

static gboolean
is_given(const GOptionEntry *entry)
{
    switch (entry->arg) {
    case G_OPTION_ARG_NONE:
        return *(const gboolean *)entry->arg_data;
    case G_OPTION_ARG_STRING:
    case G_OPTION_ARG_FILENAME:
    case G_OPTION_ARG_STRING_ARRAY:
    case G_OPTION_ARG_FILENAME_ARRAY:
        return *(const gconstpointer *)entry->arg_data != NULL;
    case G_OPTION_ARG_CALLBACK:
    case G_OPTION_ARG_INT:
    case G_OPTION_ARG_DOUBLE:
    case G_OPTION_ARG_INT64:
        break;
    }
    return FALSE;
}

#define OPTION(set, name, letter, type, field, help, value)                                        \
    {                                                                                              \
        (set), { name, letter, 0, G_OPTION_ARG_##type, &options->field, help, value }              \
    }

GArray *
lvp_ctl_options_list(LvpCtlOptions *options)
{
    const LvpCtlOption rows[] = {
        OPTION(0, "help", 'h', NONE, help, "show help and end", NULL),
        OPTION(0, "version", 'V', NONE, version, "show the version and end", NULL),
        OPTION(LVP_CTL_DAEMON, "socket", 0, FILENAME, socket,
               "control socket (or $" LVP_CTL_SOCKET_VARIABLE ")", "PATH"),
        OPTION(LVP_CTL_OUTPUT, "output", 'o', STRING, format, NULL, "FORMAT"),
        OPTION(LVP_CTL_COLUMNS, "no-headers", 0, NONE, no_headers,
               "no line of titles in table and csv", NULL),
        OPTION(LVP_CTL_COLUMNS, "columns", 'c', STRING, columns,
               "columns of table and csv, ',' between", "LIST"),
        OPTION(LVP_CTL_COLUMNS, "color", 0, STRING, color, "auto, always or never", "WHEN"),
        OPTION(LVP_CTL_ALL, "all", 'a', NONE, all, "also what no entry names, except bridges",
               NULL),
        OPTION(LVP_CTL_FORCE, "force", 0, NONE, force, "see the verb's help", NULL),
        OPTION(LVP_CTL_KEEP_NVRAM, "keep-nvram", 0, NONE, keep_nvram,
               "keep the NVRAM and TPM files of the domain", NULL),
        OPTION(LVP_CTL_CREATE, "class", 0, STRING, class_name, "machine class", "CLASS"),
        OPTION(LVP_CTL_CREATE, "template", 0, FILENAME, template_file,
               "libvirt domain XML to start from; '-' is standard input", "FILE"),
        OPTION(LVP_CTL_CREATE, "uuid", 0, STRING, uuid,
               "uuid of the machine; the same create again answers with the same machine", "UUID"),
        OPTION(LVP_CTL_CREATE, "label", 0, STRING_ARRAY, labels, "a label", "KEY=VALUE"),
        OPTION(LVP_CTL_CREATE, "annotation", 0, STRING_ARRAY, annotations, "an annotation",
               "KEY=VALUE"),
        OPTION(LVP_CTL_CREATE, "no-start", 0, NONE, no_start, "define it, but do not start it",
               NULL),
        OPTION(LVP_CTL_CREATE, "autostart", 0, NONE, autostart,
               "start it after a reboot of the host, if it is to run", NULL),
        OPTION(LVP_CTL_LAST, "last", 0, STRING, last, "begin with the last events, up to 10000",
               "NUMBER"),
        OPTION(LVP_CTL_DRY_RUN, "dry-run", 0, NONE, dry_run, "say what would be done", NULL),
        OPTION(LVP_CTL_WAIT, "wait", 0, STRING, wait, "longest time to wait, from 1 to 86400",
               "SECONDS"),
        OPTION(LVP_CTL_HOST, "host-root", 0, FILENAME, host_root, "root of the host's sys", "PATH"),
        OPTION(LVP_CTL_HOST, "source-dir", 0, FILENAME, source_dir, "folders with sources", "PATH"),
    };
    GArray *array = g_array_new(TRUE, TRUE, sizeof(LvpCtlOption));
    g_array_append_vals(array, rows, G_N_ELEMENTS(rows));
    return array;
}

/* ---- reading ---- */

/* The option that WORD is: "--name", "--name=value", or the last of "-ab", which alone may have a
 * value. NULL: it is none of ours. */
static const GOptionEntry *
find_entry(const GArray *all_options, const char *word)
{
    gboolean is_long = g_str_has_prefix(word, "--");
    g_autofree char *name = is_long ? g_strndup(word + 2, strcspn(word + 2, "=")) : NULL;
    gsize length = strlen(word);
    gboolean is_short = !is_long && length > 1 && word[0] == '-';
    for (guint i = 0; i < all_options->len; i++) {
        const GOptionEntry *entry = &g_array_index(all_options, LvpCtlOption, i).entry;
        if (is_long ? strcmp(entry->long_name, name) == 0
                    : is_short && entry->short_name == word[length - 1])
            return entry;
    }
    return NULL;
}

/* GOption takes "--force=no" for "--force", and of an option that is given twice the last. */
static gboolean
check_words(char **words, const GArray *all_options, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    for (guint i = 1; words[i] && strcmp(words[i], "--") != 0; i++) {
        const GOptionEntry *entry = find_entry(all_options, words[i]);
        gboolean has_value = g_str_has_prefix(words[i], "--") && strchr(words[i], '=');
        gboolean takes_value = entry && entry->arg != G_OPTION_ARG_NONE;
        gboolean is_list = entry && entry->arg == G_OPTION_ARG_STRING_ARRAY;
        const char *problem =
            entry && has_value && !takes_value ? "takes no value: give it, or leave it out"
            : takes_value && !g_hash_table_add(seen, (gpointer)(gsize)entry) && !is_list
                ? "may be given only once"
                : NULL;
        if (problem) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "--%s %s", entry->long_name,
                        problem);
            return FALSE;
        }
        if (takes_value && !has_value && words[i + 1])
            i++; /* whatever it looks like, that is its value */
    }
    return TRUE;
}

/* A script whose variable is empty means no default. */
static gboolean
check_paths(const GArray *all_options, GError **error)
{
    for (guint i = 0; i < all_options->len; i++) {
        const GOptionEntry *entry = &g_array_index(all_options, LvpCtlOption, i).entry;
        const char *path =
            entry->arg == G_OPTION_ARG_FILENAME ? *(char *const *)entry->arg_data : NULL;
        if (!path || path[0] != '\0')
            continue;
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "--%s must be a path, but is ''",
                    entry->long_name);
        return FALSE;
    }
    return TRUE;
}

/* GOption leaves the "--" where a word after it begins with '-', as the name of a machine may. */
static void
drop_separator(char **words)
{
    guint i = 0;
    while (words[i] && strcmp(words[i], "--") != 0)
        i++;
    if (!words[i])
        return;
    g_free(words[i]);
    for (; words[i + 1]; i++)
        words[i] = words[i + 1];
    words[i] = NULL;
}

gboolean
lvp_ctl_options_parse(const GArray *list, char ***words, GError **error)
{
    g_autoptr(GArray) entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));
    for (guint i = 0; i < list->len; i++)
        g_array_append_val(entries, g_array_index(list, LvpCtlOption, i).entry);
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_add_main_entries(context, (GOptionEntry *)(gpointer)entries->data, NULL);
    g_autoptr(GError) problem = NULL;
    if (!check_words(*words, list, error))
        return FALSE;
    if (!g_option_context_parse_strv(context, words, &problem)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "%s; see lpctl --help",
                    problem->message);
        return FALSE;
    }
    drop_separator(*words);
    return check_paths(list, error);
}

gboolean
lvp_ctl_options_check(const GArray *list, guint sets, const char *command, GError **error)
{
    for (guint i = 0; i < list->len; i++) {
        const LvpCtlOption *option = &g_array_index(list, LvpCtlOption, i);
        if (option->set == 0 || (option->set & sets) || !is_given(&option->entry))
            continue;
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "--%s is no option of %s",
                    option->entry.long_name, command);
        return FALSE;
    }
    return TRUE;
}

gboolean
lvp_ctl_options_read_wait(const LvpCtlOptions *self, guint *ret_seconds, GError **error)
{
    guint64 seconds = 0;
    if (self->wait && !g_ascii_string_to_unsigned(self->wait, 10, 1, MAX_WAIT_S, &seconds, NULL)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "--wait must be a whole number of seconds from 1 to %d, but is '%s'",
                    MAX_WAIT_S, self->wait);
        return FALSE;
    }
    *ret_seconds = (guint)seconds;
    return TRUE;
}

guint
lvp_ctl_options_get_formats(guint sets)
{
    guint formats = sets & LVP_CTL_OUTPUT ? LVP_FORMATS_OF_VALUES : 0;
    if (sets & LVP_CTL_COLUMNS)
        formats |= LVP_FORMATS_OF_ROWS;
    return sets & LVP_CTL_CREATE ? formats | 1 << LVP_FORMAT_XML : formats;
}

void
lvp_ctl_options_clear(LvpCtlOptions *self)
{
    g_free(self->socket);
    g_free(self->format);
    g_free(self->columns);
    g_free(self->color);
    g_free(self->class_name);
    g_free(self->template_file);
    g_free(self->uuid);
    g_free(self->wait);
    g_free(self->last);
    g_free(self->host_root);
    g_free(self->source_dir);
    g_strfreev(self->labels);
    g_strfreev(self->annotations);
}
