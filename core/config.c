/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes: the core's own options say which sources to load and from where; only then the
 * options of those sources are known and everything is read strictly. */
#include "config.h"

#include <string.h>

#define CORE_GROUP "libvirt-provider"
#define DEFAULT_FILE LVP_CONFIG_DIR "/libvirt-provider.conf"
#define SOURCE_PREFIX "resource-manager-"

static const LvpOptionRow CORE_ROWS[] = {
    {"config", LVP_OPTION_FILE, NULL, "key file with any of these (default: " DEFAULT_FILE ")"},
    {"resource-manager-sources", LVP_OPTION_STRING, "cpu,memory,pci",
     "sources to run, in this order"},
    {"source-dir", LVP_OPTION_STRING, LVP_SOURCE_DIR, "folders with source modules, ':' between"},
    {"resource-manager-vm-limit", LVP_OPTION_INTEGER, "0", "most machines at a time; 0: no limit"},
    {"supported-machine-classes", LVP_OPTION_FILE, NULL, "YAML or JSON file of machine classes"},
    {"libvirt-uri", LVP_OPTION_STRING, "qemu:///system", "libvirt connection"},
    {"libvirt-provider-dir", LVP_OPTION_FILE, "/var/lib/libvirt-provider", "folder for the state"},
    {"host-root", LVP_OPTION_FILE, "/", "root of the host's sys, proc and dev"},
    {"control-socket", LVP_OPTION_FILE, "/run/libvirt-provider/control.sock",
     "socket for lpctl; its group may define domains, which is as good as root"},
    {"system-bus", LVP_OPTION_BOOLEAN, "false", "serve on the D-Bus system bus, too"},
    {"log-level", LVP_OPTION_STRING, "info", "error, warning, info or debug"},
    {"check-config", LVP_OPTION_BOOLEAN, "false", "read everything, say all mistakes, and end"},
    {NULL},
};

/* One "--name value" of the command line. */
typedef struct {
    char *name;
    char *value;
} Flag;

typedef struct {
    GArray *flags; /* Flag */
} Collector;

static void
clear_flag(gpointer data)
{
    Flag *flag = data;
    g_free(flag->name);
    g_free(flag->value);
}

static void
free_configured_source(gpointer data)
{
    LvpConfiguredSource *source = data;
    lvp_module_unref(source->module);
    lvp_options_unref(source->options);
    g_free(source);
}

void
lvp_config_free(LvpConfig *self)
{
    if (!self)
        return;
    lvp_options_unref(self->core);
    g_ptr_array_unref(self->sources);
    g_strfreev(self->source_dirs);
    g_free(self);
}

const char *
lvp_config_get_string(const LvpConfig *self, const char *name)
{
    return lvp_options_get_string(self->core, name);
}

char **
lvp_config_dup_list(const char *text, const char *separator)
{
    g_auto(GStrv) parts = g_strsplit(text, separator, -1);
    g_autoptr(GPtrArray) kept = g_ptr_array_new();
    for (guint i = 0; parts[i]; i++)
        if (g_strstrip(parts[i])[0] != '\0')
            g_ptr_array_add(kept, g_strdup(parts[i]));
    g_ptr_array_add(kept, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&kept), FALSE);
}

/* ---- flags ---- */

static gboolean
collect_flag(const char *option, const char *value, gpointer data, GError **error)
{
    (void)error;
    Collector *collector = data;
    Flag flag = {g_strdup(option + strlen("--")), g_strdup(value ? value : "true")};
    g_array_append_val(collector->flags, flag);
    return TRUE;
}

/* Appends the entries for ROWS; names that have to be made are kept in NAMES. */
static void
append_entries(GArray *entries, GPtrArray *names, const char *prefix, const LvpOptionRow *rows)
{
    for (const LvpOptionRow *row = rows; row && row->name; row++) {
        char *name = g_strconcat(prefix, row->name, NULL);
        char *help = row->default_value && row->type != LVP_OPTION_BOOLEAN
                         ? g_strdup_printf("%s (default: %s)", row->help, row->default_value)
                         : g_strdup(row->help);
        g_ptr_array_add(names, name);
        g_ptr_array_add(names, help);
        GOptionArgFunc callback = collect_flag;
        gpointer callback_pointer = NULL;
        memcpy(&callback_pointer, &callback, sizeof callback_pointer);
        GOptionEntry entry = {
            .long_name = name,
            .flags = row->type == LVP_OPTION_BOOLEAN ? G_OPTION_FLAG_NO_ARG : 0,
            .arg = G_OPTION_ARG_CALLBACK,
            .arg_data = callback_pointer,
            .description = help,
            .arg_description = row->type == LVP_OPTION_BOOLEAN ? NULL : "VALUE",
        };
        g_array_append_val(entries, entry);
    }
}

/* A parser for the core and SOURCES (LvpConfiguredSource); it refers to NAMES and COLLECTOR. */
static GOptionContext *
make_parser(const GPtrArray *sources, GPtrArray *names, Collector *collector)
{
    GOptionContext *context = g_option_context_new("- host resource manager for libvirt");
    g_option_context_set_description(
        context,
        "Any flag can stand in the key file without its dashes: the core's in group\n"
        "[" CORE_GROUP "], a source's without --" SOURCE_PREFIX " in a group of its name.\n\n"
        "Try: libvirt-provider --check-config; lpctl --help; man libvirt-provider\n");
    GArray *entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));
    append_entries(entries, names, "", CORE_ROWS);
    GOptionGroup *main_group = g_option_group_new("main", "", "", collector, NULL);
    g_option_group_add_entries(main_group, (GOptionEntry *)(gpointer)entries->data);
    g_option_context_set_main_group(context, main_group);
    g_array_unref(entries);
    for (guint i = 0; sources && i < sources->len; i++) {
        const LvpConfiguredSource *source = g_ptr_array_index(sources, i);
        const char *name = source->module->table->name;
        g_autofree char *title = g_strdup_printf("Source %s:", name);
        g_autofree char *help = g_strdup_printf("Options of source %s", name);
        GOptionGroup *group = g_option_group_new(name, title, help, collector, NULL);
        entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));
        append_entries(entries, names, SOURCE_PREFIX, source->module->table->options);
        g_option_group_add_entries(group, (GOptionEntry *)(gpointer)entries->data);
        g_array_unref(entries);
        g_option_context_add_group(context, group);
    }
    return context;
}

/* Says what to do about an unknown option, if it is one of a source on disk. FALSE if it is not. */
static gboolean
explain_unknown(const LvpConfig *config, const GError *problem, GError **error)
{
    if (!g_error_matches(problem, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION))
        return FALSE;
    const char *flag = strstr(problem->message, "--" SOURCE_PREFIX);
    if (!flag)
        return FALSE;
    g_autofree char *name = g_strdup(flag + strlen("--" SOURCE_PREFIX));
    name[strcspn(name, "= ")] = '\0';
    const char *const *folders = (const char *const *)config->source_dirs;
    g_auto(GStrv) known = lvp_source_loader_list(folders);
    for (guint i = 0; known[i]; i++) {
        g_autoptr(LvpModule) module = lvp_source_loader_load(folders, known[i], NULL);
        if (!module || !lvp_options_find_row(module->table->options, name))
            continue;
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "--" SOURCE_PREFIX
                    "%s is an option of source %s, which is not loaded: add %s to "
                    "--resource-manager-sources",
                    name, known[i], known[i]);
        return TRUE;
    }
    return FALSE;
}

static gboolean
parse_flags(const LvpConfig *config,
            const char *const *arguments,
            gboolean strict,
            GArray *flags,
            GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    Collector collector = {flags};
    g_autoptr(GOptionContext) context =
        make_parser(strict ? config->sources : NULL, names, &collector);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_set_ignore_unknown_options(context, !strict);
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    for (guint i = 0; arguments[i]; i++)
        g_ptr_array_add(words, g_strdup(arguments[i]));
    g_ptr_array_add(words, NULL);
    g_auto(GStrv) copy = (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
    g_autoptr(GError) problem = NULL;
    if (!g_option_context_parse_strv(context, &copy, &problem)) {
        if (!explain_unknown(config, problem, error))
            g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "%s; see --help",
                        problem->message);
        return FALSE;
    }
    if (strict && copy[0] && copy[1]) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "unexpected argument '%s'; see --help", copy[1]);
        return FALSE;
    }
    return TRUE;
}

/* Sets what of FLAGS belongs to OPTIONS (rows ROWS, flags with PREFIX). */
static gboolean
apply_flags(LvpOptions *options,
            const LvpOptionRow *rows,
            const char *prefix,
            const GArray *flags,
            GError **error)
{
    for (guint i = 0; i < flags->len; i++) {
        const Flag *flag = &g_array_index(flags, Flag, i);
        const char *name =
            g_str_has_prefix(flag->name, prefix) ? flag->name + strlen(prefix) : NULL;
        if (!name || !lvp_options_find_row(rows, name))
            continue;
        if (!lvp_options_set(options, name, flag->value, error)) {
            g_prefix_error(error, "--%s: ", flag->name);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- key files ---- */

/* The line of KEY in GROUP (KEY NULL: of the group), or 0; GKeyFile does not tell. */
static guint
find_line(const char *text, const char *group, const char *key)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autofree char *header = g_strdup_printf("[%s]", group);
    gboolean inside = FALSE;
    for (guint i = 0; lines[i]; i++) {
        char *line = g_strstrip(lines[i]);
        if (line[0] == '[')
            inside = strcmp(line, header) == 0;
        else if (inside && key && g_str_has_prefix(line, key) &&
                 strchr("= \t", line[strlen(key)]) && line[strlen(key)])
            return i + 1;
        if (inside && !key)
            return i + 1;
    }
    return 0;
}

/* The first line that is neither empty, comment, group nor pair, or 1. */
static guint
find_bad_line(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    gboolean in_group = FALSE;
    for (guint i = 0; lines[i]; i++) {
        const char *line = g_strstrip(lines[i]);
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (line[0] == '[' && g_str_has_suffix(line, "]"))
            in_group = TRUE;
        else if (!in_group || !strchr(line, '='))
            return i + 1;
    }
    return 1;
}

/* Sets OPTIONS from one group of a file; unknown keys and wrong values are mistakes. */
static void
apply_group(LvpOptions *options,
            const LvpOptionRow *rows,
            GKeyFile *keys,
            const char *group,
            const char *file,
            const char *text,
            LvpDiagnostics *diagnostics)
{
    g_auto(GStrv) names = g_key_file_get_keys(keys, group, NULL, NULL);
    for (guint i = 0; names && names[i]; i++) {
        guint line = find_line(text, group, names[i]);
        g_autofree char *value = g_key_file_get_string(keys, group, names[i], NULL);
        g_autoptr(GError) error = NULL;
        if (!lvp_options_find_row(rows, names[i])) {
            g_autoptr(GString) known = g_string_new(NULL);
            for (const LvpOptionRow *row = rows; row && row->name; row++)
                g_string_append_printf(known, "%s%s", known->len ? ", " : "", row->name);
            lvp_diagnostics_add(diagnostics, file, line, 1,
                                "unknown key '%s' in [%s]; known there: %s", names[i], group,
                                known->len ? known->str : "none");
        } else if (!value) {
            lvp_diagnostics_add(diagnostics, file, line, 1, "%s has no valid text", names[i]);
        } else if (!lvp_options_set(options, names[i], value, &error)) {
            lvp_diagnostics_add(diagnostics, file, line, 1, "%s", error->message);
        }
    }
}

/* Reads one file into the core's options (SOURCES NULL) or into those of the sources. */
static void
apply_file(LvpOptions *core,
           const GPtrArray *sources,
           const char *file,
           LvpDiagnostics *diagnostics)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GKeyFile) keys = g_key_file_new();
    if (!g_file_get_contents(file, &text, NULL, &error)) {
        if (!sources)
            lvp_diagnostics_add(diagnostics, file, 0, 0, "%s", error->message);
        return;
    }
    if (!g_key_file_load_from_data(keys, text, (gsize)-1, G_KEY_FILE_NONE, &error)) {
        if (!sources)
            lvp_diagnostics_add(diagnostics, file, find_bad_line(text), 1, "%s", error->message);
        return;
    }
    if (!sources)
        apply_group(core, CORE_ROWS, keys, CORE_GROUP, file, text, diagnostics);
    for (guint i = 0; sources && i < sources->len; i++) {
        const LvpConfiguredSource *source = g_ptr_array_index(sources, i);
        const LvpSourceTable *table = source->module->table;
        apply_group(source->options, table->options, keys, table->name, file, text, diagnostics);
    }
}

static int
compare_files(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The key file, then conf.d/(all).conf beside it by name. A missing default file is none. */
static GPtrArray *
list_files(const LvpOptions *core)
{
    const char *named = lvp_options_get_string(core, "config");
    const char *file = named ? named : DEFAULT_FILE;
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *parent = g_path_get_dirname(file);
    g_autofree char *folder = g_build_filename(parent, "conf.d", NULL);
    g_autoptr(GDir) entries = g_dir_open(folder, 0, NULL);
    const char *name;
    while (entries && (name = g_dir_read_name(entries)) != NULL)
        if (g_str_has_suffix(name, ".conf") && name[0] != '.')
            g_ptr_array_add(files, g_build_filename(folder, name, NULL));
    g_ptr_array_sort(files, compare_files);
    if (named || g_file_test(file, G_FILE_TEST_EXISTS))
        g_ptr_array_insert(files, 0, g_strdup(file));
    return files;
}

/* ---- all ---- */

/* An option of two owners would set both. */
static gboolean
check_collisions(const LvpConfig *self, const LvpSourceTable *added, GError **error)
{
    for (const LvpOptionRow *row = added->options; row && row->name; row++) {
        const char *owner = NULL;
        g_autofree char *flag = g_strconcat(SOURCE_PREFIX, row->name, NULL);
        if (lvp_options_find_row(CORE_ROWS, flag))
            owner = "the daemon itself";
        for (guint i = 0; i < self->sources->len && !owner; i++) {
            const LvpConfiguredSource *other = g_ptr_array_index(self->sources, i);
            if (lvp_options_find_row(other->module->table->options, row->name))
                owner = other->module->table->name;
        }
        if (owner) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE,
                        "option --%s of source %s exists already: it is of %s", flag, added->name,
                        owner);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean
load_sources(LvpConfig *self, GError **error)
{
    g_auto(GStrv) names =
        lvp_config_dup_list(lvp_config_get_string(self, "resource-manager-sources"), ",");
    if (!names[0]) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "--resource-manager-sources names no source (example: cpu,memory,pci)");
        return FALSE;
    }
    for (guint i = 0; names[i]; i++) {
        if (g_strv_contains((const char *const *)names + i + 1, names[i])) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                        "--resource-manager-sources names %s twice", names[i]);
            return FALSE;
        }
        LvpModule *module =
            lvp_source_loader_load((const char *const *)self->source_dirs, names[i], error);
        if (!module)
            return FALSE;
        if (!check_collisions(self, module->table, error)) {
            lvp_module_unref(module);
            return FALSE;
        }
        LvpConfiguredSource *source = g_new0(LvpConfiguredSource, 1);
        source->module = module;
        source->options = lvp_options_new(module->table->options);
        g_ptr_array_add(self->sources, source);
    }
    return TRUE;
}

/* The first pass: the core's options and, from them, the sources. */
static LvpConfig *
read_core(const char *const *arguments, LvpDiagnostics *diagnostics, GError **error)
{
    g_autoptr(LvpConfig) self = g_new0(LvpConfig, 1);
    self->core = lvp_options_new(CORE_ROWS);
    self->sources = g_ptr_array_new_with_free_func(free_configured_source);
    g_autoptr(GArray) flags = g_array_new(FALSE, FALSE, sizeof(Flag));
    g_array_set_clear_func(flags, clear_flag);
    if (!parse_flags(self, arguments, FALSE, flags, error) ||
        !apply_flags(self->core, CORE_ROWS, "", flags, error))
        return NULL;
    g_autoptr(GPtrArray) files = list_files(self->core);
    for (guint i = 0; i < files->len; i++)
        apply_file(self->core, NULL, g_ptr_array_index(files, i), diagnostics);
    if (!apply_flags(self->core, CORE_ROWS, "", flags, error))
        return NULL;
    self->source_dirs = lvp_config_dup_list(lvp_config_get_string(self, "source-dir"), ":");
    if (!load_sources(self, error))
        return NULL;
    return g_steal_pointer(&self);
}

LvpConfig *
lvp_config_read(const char *const *arguments, LvpDiagnostics *diagnostics, GError **error)
{
    g_autoptr(LvpConfig) self = read_core(arguments, diagnostics, error);
    if (!self)
        return NULL;
    g_autoptr(GArray) flags = g_array_new(FALSE, FALSE, sizeof(Flag));
    g_array_set_clear_func(flags, clear_flag);
    if (!parse_flags(self, arguments, TRUE, flags, error))
        return NULL;
    g_autoptr(GPtrArray) files = list_files(self->core);
    for (guint i = 0; i < files->len; i++)
        apply_file(self->core, self->sources, g_ptr_array_index(files, i), diagnostics);
    for (guint i = 0; i < self->sources->len; i++) {
        LvpConfiguredSource *source = g_ptr_array_index(self->sources, i);
        const LvpSourceTable *table = source->module->table;
        if (!apply_flags(source->options, table->options, SOURCE_PREFIX, flags, error))
            return NULL;
        if (table->validate)
            table->validate(source->options, diagnostics);
    }
    if (lvp_options_get_integer(self->core, "resource-manager-vm-limit") < 0)
        lvp_diagnostics_add(diagnostics, NULL, 0, 0,
                            "--resource-manager-vm-limit must not be negative");
    return lvp_diagnostics_get_count(diagnostics) == 0 ? g_steal_pointer(&self) : NULL;
}

char *
lvp_config_get_help(const char *const *arguments)
{
    g_autoptr(LvpDiagnostics) ignored = lvp_diagnostics_new();
    g_autoptr(LvpConfig) config = read_core(arguments, ignored, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    Collector collector = {0};
    g_autoptr(GOptionContext) context =
        make_parser(config ? config->sources : NULL, names, &collector);
    g_autofree char *main_help = g_option_context_get_help(context, TRUE, NULL);
    g_autoptr(GString) help = g_string_new(main_help);
    if (config) {
        g_autofree char *all = g_option_context_get_help(context, FALSE, NULL);
        g_string_assign(help, all);
    }
    return g_string_free(g_steal_pointer(&help), FALSE);
}
