/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include <stdio.h>
#include <string.h>

char *
lvp_ctl_make_command(const LvpCtlVerb *verb, gboolean arguments)
{
    g_autoptr(GString) text = g_string_new(verb->noun);
    if (verb->verb)
        g_string_append_printf(text, " %s", verb->verb);
    if (arguments && verb->arguments[0])
        g_string_append_printf(text, " %s", verb->arguments);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* The widest command, so that all texts begin in one column. */
#define COMMAND_WIDTH 34

static void
print_line(const char *name, const char *help)
{
    printf("  %-*s %s\n", COMMAND_WIDTH, name, help);
}

static void
print_option(const LvpCtlOption *option, guint sets)
{
    const GOptionEntry *entry = &option->entry;
    g_autofree char *letter =
        entry->short_name ? g_strdup_printf("-%c, ", entry->short_name) : g_strdup("    ");
    g_autofree char *name =
        g_strdup_printf("%s--%s%s%s", letter, entry->long_name, entry->arg_description ? "=" : "",
                        entry->arg_description ? entry->arg_description : "");
    g_autofree char *formats = lvp_formats_to_text(lvp_ctl_options_get_formats(sets));
    print_line(name, option->set == LVP_CTL_OUTPUT ? formats : entry->description);
}

void
lvp_ctl_print_help(const GArray *all_options, const LvpCtlVerb *only, const char *noun)
{
    guint sets = 0;
    if (only) {
        g_autofree char *command = lvp_ctl_make_command(only, TRUE);
        printf("Usage: lpctl %s [OPTION...]\n\n%s.\n", command, only->help);
        sets = only->option_sets;
    } else {
        printf("Usage: lpctl [OPTION...] NOUN VERB [ARGUMENT...]\n\n"
               "Asks libvirt-provider, the host resource manager for libvirt.\n\nCommands:\n");
        for (const LvpCtlVerb *verb = LVP_CTL_VERBS; verb->noun; verb++) {
            if (noun && strcmp(noun, verb->noun) != 0)
                continue;
            g_autofree char *command = lvp_ctl_make_command(verb, TRUE);
            print_line(command, verb->help);
            sets |= verb->option_sets;
        }
    }
    printf("\nOptions%s:\n", only ? "" : ", each of some of these commands");
    for (guint i = 0; i < all_options->len; i++) {
        const LvpCtlOption *option = &g_array_index(all_options, LvpCtlOption, i);
        if (option->set == 0 || (option->set & sets))
            print_option(option, sets);
    }
    printf(
        "\nExit status: 0 done, 2 bad input, 3 time is over, 4 no capacity or busy (try later),\n"
        "5 refused for good, 6 not permitted, 7 libvirt not reachable, 8 daemon not reachable,\n"
        "9 exists already, 10 not found, 1 anything else.\n");
}
