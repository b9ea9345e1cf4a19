/* SPDX-License-Identifier: Apache-2.0 */
/* lpctl: reads the command line, runs one verb, turns errors into exit codes. */
#include "help.h"
#include "standard-files.h"

#include <libvirt-provider/error.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/libvirt-provider/control.sock"
/* As a shell has it for SIGPIPE, which GIO ignores. */
#define EXIT_NO_READER (128 + SIGPIPE)

static gboolean
has_no_reader(const GError *error)
{
    return g_error_matches(error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
}

static int
get_exit_code(const GError *error)
{
    if (has_no_reader(error))
        return EXIT_NO_READER;
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
    case LVP_ERROR_DAMAGED:
    case LVP_ERROR_HOST:
    case LVP_ERROR_SOURCE:
    case LVP_ERROR_HYPERVISOR:
        return 1;
    }
    return 1;
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
        gboolean too_many = count > verb->max_arguments;
        g_autofree char *usage = lvp_ctl_make_command(verb, TRUE);
        g_autofree char *name = g_strndup(verb->arguments, strcspn(verb->arguments, " ."));
        g_autofree char *shown =
            too_many ? g_utf8_make_valid(arguments[verb->max_arguments], -1) : NULL;
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    too_many ? "unexpected argument '%s'; usage: lpctl %s"
                             : "%s is missing; usage: lpctl %s",
                    too_many ? shown : name, usage);
        return FALSE;
    }
    g_autofree char *command = lvp_ctl_make_command(verb, FALSE);
    if (!lvp_ctl_options_check(all_options, verb->option_sets, command, error))
        return FALSE;
    for (int i = 0; i < count; i++)
        if (!g_utf8_validate(arguments[i], -1, NULL)) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                        "argument %d is not UTF-8 text", i + 1);
            return FALSE;
        }
    return TRUE;
}

static gboolean
read_output(const LvpCtlOptions *options, guint formats, LvpOutput *output, GError **error)
{
    static const char *const WHEN[] = {"auto", "always", "never", NULL};
    const char *color = options->color ? options->color : "auto";
    if (!g_strv_contains(WHEN, color)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "--color must be auto, always or never, but is '%s'", color);
        return FALSE;
    }
    output->format = LVP_FORMAT_TABLE;
    output->no_headers = options->no_headers;
    output->columns = options->columns;
    const char *no_color = getenv("NO_COLOR"); /* https://no-color.org: if not empty */
    output->color =
        strcmp(color, "always") == 0 ||
        (strcmp(color, "auto") == 0 && isatty(STDOUT_FILENO) == 1 && !(no_color && no_color[0]));
    if (options->format && !lvp_format_parse(options->format, formats, &output->format, error))
        return FALSE;
    if (!options->columns || output->format == LVP_FORMAT_TABLE || output->format == LVP_FORMAT_CSV)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "--columns is of the formats table and csv only");
    return FALSE;
}

static gboolean
run_verb(const LvpCtlVerb *verb, const LvpCtlOptions *options, char **arguments, GError **error)
{
    LvpCtl ctl = {.options = options, .arguments = arguments};
    guint formats = lvp_ctl_options_get_formats(verb->option_sets);
    if (!read_output(options, formats, &ctl.output, error) ||
        !lvp_ctl_options_read_wait(options, &ctl.wait_s, error))
        return FALSE;
    const char *socket = options->socket ? options->socket : getenv(LVP_CTL_SOCKET_VARIABLE);
    g_autoptr(LvpClient) client = NULL;
    if (verb->option_sets & LVP_CTL_DAEMON) {
        client = lvp_client_new(socket && socket[0] ? socket : DEFAULT_SOCKET, error);
        if (!client)
            return FALSE;
    }
    ctl.client = client;
    return verb->run(&ctl, error);
}

/* Help of a verb, of a noun, or of all. */
static gboolean
print_help(const GArray *all_options, char **arguments, GError **error)
{
    const char *noun = arguments[0];
    gboolean has_verb = noun && (arguments[1] || !is_noun(noun));
    guint used = 0;
    const LvpCtlVerb *only = find_verb(arguments, &used, has_verb ? error : NULL);
    if (has_verb && !only)
        return FALSE;
    lvp_ctl_print_help(all_options, only, noun);
    return TRUE;
}

static gboolean
parse_and_run(char ***words, LvpCtlOptions *options, GError **error)
{
    g_autoptr(GArray) all_options = lvp_ctl_options_list(options);
    if (!lvp_ctl_options_parse(all_options, words, error))
        return FALSE;
    char **arguments = *words + 1;
    guint used = 0;
    if (options->help)
        return print_help(all_options, arguments, error);
    if (options->version && !arguments[0]) {
        printf("lpctl %s\n", LVP_VERSION);
        return TRUE;
    }
    if (options->version) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "--version stands alone");
        return FALSE;
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
    gboolean ok = parse_and_run(&words, &options, &error) && lvp_output_flush(&error);
    if (!ok && !has_no_reader(error))
        fprintf(stderr, "lpctl: %s\n", error->message);
    lvp_ctl_options_clear(&options);
    return ok ? 0 : get_exit_code(error);
}
