/* SPDX-License-Identifier: Apache-2.0 */
/* lpctl: reads the command line, runs one verb, turns errors into exit codes. */
#include "commands.h"
#include "standard-files.h"

#include <libvirt-provider/error.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/libvirt-provider/control.sock"
#define SOCKET_VARIABLE "LIBVIRT_PROVIDER_SOCKET"

static int
get_exit_code(const GError *error)
{
    if (error->domain != LVP_ERROR)
        return 1;
    switch ((LvpError)error->code) {
    case LVP_ERROR_INVALID_REQUEST:
        return 2;
    case LVP_ERROR_TIMED_OUT:
        return 3;
    case LVP_ERROR_NO_CAPACITY:
    case LVP_ERROR_BUSY:
        return 4;
    case LVP_ERROR_IN_USE_BY_HOST:
    case LVP_ERROR_CONFLICT:
    case LVP_ERROR_NOT_SUPPORTED:
        return 5;
    case LVP_ERROR_NOT_PERMITTED:
        return 6;
    case LVP_ERROR_NOT_REACHABLE:
        return 7;
    case LVP_ERROR_DAEMON:
        return 8;
    case LVP_ERROR_EXISTS:
        return 9;
    case LVP_ERROR_NOT_FOUND:
        return 10;
    case LVP_ERROR_INTERNAL:
    case LVP_ERROR_HOST:
    case LVP_ERROR_SOURCE:
    case LVP_ERROR_HYPERVISOR:
        return 1;
    }
    return 1;
}

/* ---- options ---- */

/* One option: the verbs with SET know it; SET 0: all do. */
typedef struct {
    guint set;
    GOptionEntry entry;
} CtlOption;

static gboolean
is_given(const GOptionEntry *entry)
{
    switch (entry->arg) {
    case G_OPTION_ARG_NONE:
        return *(const gboolean *)entry->arg_data;
    case G_OPTION_ARG_INT:
        return *(const int *)entry->arg_data != 0;
    case G_OPTION_ARG_STRING:
    case G_OPTION_ARG_FILENAME:
    case G_OPTION_ARG_STRING_ARRAY:
    case G_OPTION_ARG_FILENAME_ARRAY:
        return *(const gconstpointer *)entry->arg_data != NULL;
    case G_OPTION_ARG_CALLBACK:
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

/* All options, pointing into OPTIONS; the last has a NULL name. */
static GArray *
make_options(LvpCtlOptions *options, gboolean *help, gboolean *version)
{
    const CtlOption rows[] = {
        {0, {"help", 'h', 0, G_OPTION_ARG_NONE, help, "show help and end", NULL}},
        {0, {"version", 'V', 0, G_OPTION_ARG_NONE, version, "show the version and end", NULL}},
        OPTION(0, "socket", 0, FILENAME, socket, "control socket (or $" SOCKET_VARIABLE ")",
               "PATH"),
        OPTION(0, "output", 'o', STRING, format, "table, json, yaml, csv or name", "FORMAT"),
        OPTION(0, "no-headers", 0, NONE, no_headers, "no line of titles in table and csv", NULL),
        OPTION(0, "columns", 'c', STRING, columns, "columns of table and csv, ',' between", "LIST"),
        OPTION(0, "color", 0, STRING, color, "auto, always or never", "WHEN"),
        OPTION(LVP_CTL_ALL, "all", 'a', NONE, all, "also what no entry names", NULL),
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
        OPTION(LVP_CTL_DRY_RUN, "dry-run", 0, NONE, dry_run, "say what would be done", NULL),
        OPTION(LVP_CTL_WAIT, "wait", 0, INT, wait_s, "longest time to wait", "SECONDS"),
        OPTION(LVP_CTL_HOST, "host-root", 0, FILENAME, host_root, "root of the host's sys", "PATH"),
        OPTION(LVP_CTL_HOST, "source-dir", 0, FILENAME, source_dir, "folders with sources", "PATH"),
    };
    GArray *array = g_array_new(TRUE, TRUE, sizeof(CtlOption));
    g_array_append_vals(array, rows, G_N_ELEMENTS(rows));
    return array;
}

/* ---- help ---- */

/* "machine create NAME"; without ARGUMENTS "machine create". g_free(). */
static char *
make_command(const LvpCtlVerb *verb, gboolean arguments)
{
    g_autoptr(GString) text = g_string_new(verb->noun);
    if (verb->verb)
        g_string_append_printf(text, " %s", verb->verb);
    if (arguments && verb->arguments[0])
        g_string_append_printf(text, " %s", verb->arguments);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
print_verb_line(const LvpCtlVerb *verb)
{
    g_autofree char *command = make_command(verb, TRUE);
    printf("  %-26s %s\n", command, verb->help);
}

static void
print_help(const GArray *all_options, const LvpCtlVerb *only, const char *noun)
{
    guint sets = only ? only->option_sets : ~0U;
    if (only) {
        g_autofree char *command = make_command(only, TRUE);
        printf("Usage: lpctl %s [OPTION...]\n\n%s.\n", command, only->help);
    } else {
        printf("Usage: lpctl [OPTION...] NOUN VERB [ARGUMENT...]\n\n"
               "Asks libvirt-provider, the host resource manager for libvirt.\n\nCommands:\n");
        for (const LvpCtlVerb *verb = LVP_CTL_VERBS; verb->noun; verb++)
            if (!noun || strcmp(noun, verb->noun) == 0)
                print_verb_line(verb);
    }
    printf("\nOptions:\n");
    for (guint i = 0; i < all_options->len; i++) {
        const CtlOption *option = &g_array_index(all_options, CtlOption, i);
        const GOptionEntry *entry = &option->entry;
        if (option->set != 0 && !(option->set & sets))
            continue;
        g_autofree char *letter =
            entry->short_name ? g_strdup_printf("-%c, ", entry->short_name) : g_strdup("    ");
        g_autofree char *name = g_strdup_printf(
            "%s--%s%s%s", letter, entry->long_name, entry->arg_description ? "=" : "",
            entry->arg_description ? entry->arg_description : "");
        printf("  %-26s %s\n", name, entry->description);
    }
    printf(
        "\nExit status: 0 done, 2 bad input, 3 time is over, 4 no capacity or busy (try later),\n"
        "5 refused for good, 6 not permitted, 7 libvirt not reachable, 8 daemon not reachable,\n"
        "9 exists already, 10 not found, 1 anything else.\n");
}

/* ---- the command ---- */

static gboolean
is_noun(const char *word)
{
    for (const LvpCtlVerb *verb = LVP_CTL_VERBS; verb->noun; verb++)
        if (strcmp(verb->noun, word) == 0)
            return TRUE;
    return FALSE;
}

/* The verb of ARGUMENTS; *RET_USED says how many words name it. */
static const LvpCtlVerb *
find_verb(char **arguments, guint *ret_used, GError **error)
{
    const char *noun = arguments[0], *word = noun ? arguments[1] : NULL;
    g_autoptr(GString) known = g_string_new(NULL);
    for (const LvpCtlVerb *verb = LVP_CTL_VERBS; noun && verb->noun; verb++) {
        if (strcmp(verb->noun, noun) != 0)
            continue;
        if (!verb->verb || g_strcmp0(verb->verb, word) == 0) {
            *ret_used = verb->verb ? 2 : 1;
            return verb;
        }
        g_string_append_printf(known, "%s%s", known->len ? ", " : "", verb->verb);
    }
    if (!noun)
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "no command; see lpctl --help");
    else if (known->len > 0)
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "%s '%s': %s; there are: %s", noun,
                    word ? word : "", word ? "no such verb" : "the verb is missing", known->str);
    else
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "no command '%s'; see lpctl --help", noun);
    return NULL;
}

static gboolean
check_usage(const LvpCtlVerb *verb, char **arguments, const GArray *all_options, GError **error)
{
    int count = (int)g_strv_length(arguments);
    if (count < verb->min_arguments || count > verb->max_arguments) {
        g_autofree char *command = make_command(verb, TRUE);
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "usage: lpctl %s", command);
        return FALSE;
    }
    for (guint i = 0; i < all_options->len; i++) {
        const CtlOption *option = &g_array_index(all_options, CtlOption, i);
        if (option->set == 0 || (option->set & verb->option_sets) || !is_given(&option->entry))
            continue;
        g_autofree char *command = make_command(verb, FALSE);
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "--%s is no option of %s",
                    option->entry.long_name, command);
        return FALSE;
    }
    for (int i = 0; i < count; i++)
        if (!g_utf8_validate(arguments[i], -1, NULL)) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                        "argument %d is not UTF-8 text", i + 1);
            return FALSE;
        }
    return TRUE;
}

static gboolean
read_output(const LvpCtlOptions *options, LvpOutput *output, GError **error)
{
    static const char *const WHEN[] = {"auto", "always", "never", NULL};
    const char *color = options->color ? options->color : "auto";
    if (!g_strv_contains(WHEN, color)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "--color must be auto, always or never, but is '%s'", color);
        return FALSE;
    }
    if (options->wait_s < 0) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "--wait must not be negative");
        return FALSE;
    }
    output->format = LVP_FORMAT_TABLE;
    output->no_headers = options->no_headers;
    output->columns = options->columns;
    const char *no_color = getenv("NO_COLOR"); /* https://no-color.org: if not empty */
    output->color =
        strcmp(color, "always") == 0 ||
        (strcmp(color, "auto") == 0 && isatty(STDOUT_FILENO) == 1 && !(no_color && no_color[0]));
    return !options->format || lvp_format_parse(options->format, &output->format, error);
}

static gboolean
run_verb(const LvpCtlVerb *verb, const LvpCtlOptions *options, char **arguments, GError **error)
{
    LvpCtl ctl = {.options = options, .arguments = arguments};
    if (!read_output(options, &ctl.output, error))
        return FALSE;
    const char *socket = options->socket ? options->socket : getenv(SOCKET_VARIABLE);
    g_autoptr(LvpClient) client = NULL;
    if (!verb->offline) {
        client = lvp_client_new(socket && socket[0] ? socket : DEFAULT_SOCKET, error);
        if (!client)
            return FALSE;
    }
    ctl.client = client;
    if (!verb->run(&ctl, error))
        return FALSE;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "cannot write the output: %s", g_strerror(errno));
    return FALSE;
}

/* GOption takes "--force=no" for "--force". */
static gboolean
check_words(char **words, const GArray *all_options, GError **error)
{
    for (guint i = 1; words[i] && strcmp(words[i], "--") != 0; i++) {
        const char *value = strchr(words[i], '=');
        if (!value || !g_str_has_prefix(words[i], "--"))
            continue;
        g_autofree char *name = g_strndup(words[i] + 2, (gsize)(value - words[i]) - 2);
        for (guint k = 0; k < all_options->len; k++) {
            const GOptionEntry *entry = &g_array_index(all_options, CtlOption, k).entry;
            if (entry->arg != G_OPTION_ARG_NONE || strcmp(entry->long_name, name) != 0)
                continue;
            g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                        "--%s takes no value: give it, or leave it out", name);
            return FALSE;
        }
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

static gboolean
parse_and_run(char ***words, LvpCtlOptions *options, GError **error)
{
    gboolean help = FALSE, version = FALSE;
    g_autoptr(GArray) all_options = make_options(options, &help, &version);
    g_autoptr(GArray) entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));
    for (guint i = 0; i < all_options->len; i++)
        g_array_append_val(entries, g_array_index(all_options, CtlOption, i).entry);
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_add_main_entries(context, (GOptionEntry *)(gpointer)entries->data, NULL);
    g_autoptr(GError) problem = NULL;
    if (!check_words(*words, all_options, error))
        return FALSE;
    if (!g_option_context_parse_strv(context, words, &problem)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "%s; see lpctl --help",
                    problem->message);
        return FALSE;
    }
    drop_separator(*words);
    char **arguments = *words + 1;
    guint used = 0;
    if (version) {
        printf("lpctl %s\n", LVP_VERSION);
        return TRUE;
    }
    if (help) {
        const LvpCtlVerb *only = find_verb(arguments, &used, NULL);
        if (!only && arguments[0] && !is_noun(arguments[0]))
            return find_verb(arguments, &used, error) != NULL;
        print_help(all_options, only, arguments[0]);
        return TRUE;
    }
    const LvpCtlVerb *verb = find_verb(arguments, &used, error);
    return verb && check_usage(verb, arguments + used, all_options, error) &&
           run_verb(verb, options, arguments + used, error);
}

int
main(int argc, char **argv)
{
    (void)argc;
    lvp_standard_files_fill();
    setlocale(LC_ALL, "");
    LvpCtlOptions options = {0};
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) words = g_strdupv(argv);
    gboolean ok = parse_and_run(&words, &options, &error);
    if (!ok)
        fprintf(stderr, "lpctl: %s\n", error->message);
    g_free(options.socket);
    g_free(options.format);
    g_free(options.columns);
    g_free(options.color);
    g_free(options.class_name);
    g_free(options.template_file);
    g_free(options.uuid);
    g_free(options.host_root);
    g_free(options.source_dir);
    g_strfreev(options.labels);
    g_strfreev(options.annotations);
    return ok ? 0 : get_exit_code(error);
}
