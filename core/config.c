/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes: the core's own options say which sources to load and from where; only then the
 * options of those sources are known and everything is read strictly. */
#include "config.h"

#include "key-file.h"

#include <string.h>

#define CORE_GROUP "libvirt-provider"
#define DEFAULT_FILE LVP_CONFIG_DIR "/libvirt-provider.conf"
#define SOURCE_PREFIX "resource-manager-"

/* The first two are of the command line only, all others can stand in a key file, too. */
#define FILE_ROWS (CORE_ROWS + 2)

static const LvpOptionRow CORE_ROWS[] = {
    {"check-config", LVP_OPTION_BOOLEAN, "false", "read everything, say all mistakes, and end"},
    {"config", LVP_OPTION_FILE, NULL, "key file (default: " DEFAULT_FILE ")"},
    {"resource-manager-sources", LVP_OPTION_STRING, "cpu,memory,pci",
     "sources to run, in this order"},
    {"source-dir", LVP_OPTION_STRING, LVP_SOURCE_DIR, "folders with source modules, ':' between"},
    {"resource-manager-vm-limit", LVP_OPTION_INTEGER, "0", "most machines at a time; 0: no limit"},
    {"orphan-grace", LVP_OPTION_SECONDS, "10m",
     "how long a machine whose domain somebody undefined keeps what it holds"},
    {"supported-machine-classes", LVP_OPTION_FILE, NULL, "YAML or JSON file of machine classes"},
    {"libvirt-uri", LVP_OPTION_STRING, "qemu:///system", "libvirt connection"},
    {"libvirt-provider-dir", LVP_OPTION_FILE, "/var/lib/libvirt-provider", "folder for the state"},
    {"host-root", LVP_OPTION_FILE, "/", "root of the host's sys, proc and dev"},
    {"control-socket", LVP_OPTION_FILE, "/run/libvirt-provider/control.sock",
     "socket for lpctl; its group may define domains, which is as good as root"},
    {"system-bus", LVP_OPTION_BOOLEAN, "false", "serve on the D-Bus system bus, too"},
    {"log-level", LVP_OPTION_STRING, "info", "error, warning, info or debug"},
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
    Flag flag = {g_strdup(option + strspn(option, "-")), g_strdup(value ? value : "true")};
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
        "Any other flag can stand in the key file without its dashes: the core's in group\n"
        "[" CORE_GROUP "], a source's without --" SOURCE_PREFIX " in a group of its name.\n\n"
        "Try: libvirt-provider --check-config; lpctl --help; man libvirt-provider\n");
    GArray *entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));
    append_entries(entries, names, "", CORE_ROWS);
    const GOptionEntry version = {
        .long_name = "version",
        .short_name = 'V',
        .flags = G_OPTION_FLAG_NO_ARG,
        .arg = G_OPTION_ARG_CALLBACK,
        .arg_data = g_array_index(entries, GOptionEntry, 0).arg_data,
        .description = "show the version and end",
    };
    g_array_append_val(entries, version);
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
is_boolean(const LvpOptionRow *rows, const char *name)
{
    const LvpOptionRow *row = lvp_options_find_row(rows, name);
    return row && row->type == LVP_OPTION_BOOLEAN;
}

/* GOption takes "--system-bus=false" for "--system-bus". */
static gboolean
check_words(const LvpConfig *config, const char *const *words, GError **error)
{
    for (guint i = 1; words[i] && strcmp(words[i], "--") != 0; i++) {
        const char *value = strchr(words[i], '=');
        if (!value || !g_str_has_prefix(words[i], "--"))
            continue;
        g_autofree char *name = g_strndup(words[i] + 2, (gsize)(value - words[i]) - 2);
        gboolean found = is_boolean(CORE_ROWS, name);
        for (guint k = 0; k < config->sources->len && g_str_has_prefix(name, SOURCE_PREFIX); k++) {
            const LvpConfiguredSource *source = g_ptr_array_index(config->sources, k);
            found |= is_boolean(source->module->table->options, name + strlen(SOURCE_PREFIX));
        }
        if (found) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                        "--%s takes no value: give it, or leave it out", name);
            return FALSE;
        }
    }
    return TRUE;
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
    if (!check_words(config, arguments, error))
        return FALSE;
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

/* All key files, read once: LvpKeyFile. */
static GPtrArray *
read_key_files(const LvpOptions *core, LvpDiagnostics *diagnostics)
{
    g_autoptr(GPtrArray) names =
        lvp_key_file_list(lvp_options_get_string(core, "config"), DEFAULT_FILE);
    GPtrArray *files = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_key_file_free);
    for (guint i = 0; i < names->len; i++) {
        LvpKeyFile *file = lvp_key_file_read(g_ptr_array_index(names, i), diagnostics);
        if (file)
            g_ptr_array_add(files, file);
    }
    return files;
}

static void
apply_key_files(const GPtrArray *files,
                const char *group,
                const LvpOptionRow *rows,
                LvpOptions *options,
                LvpDiagnostics *diagnostics)
{
    for (guint i = 0; i < files->len; i++)
        lvp_key_file_apply(g_ptr_array_index(files, i), group, rows, options, diagnostics);
}

/* The first pass: the core's options and, from them, the sources. Sets *RET_FILES in any case. */
static LvpConfig *
read_core(const char *const *arguments,
          LvpDiagnostics *diagnostics,
          GPtrArray **ret_files,
          GError **error)
{
    g_autoptr(LvpConfig) self = g_new0(LvpConfig, 1);
    self->core = lvp_options_new(CORE_ROWS);
    self->sources = g_ptr_array_new_with_free_func(free_configured_source);
    *ret_files = NULL;
    g_autoptr(GArray) flags = g_array_new(FALSE, FALSE, sizeof(Flag));
    g_array_set_clear_func(flags, clear_flag);
    if (!parse_flags(self, arguments, FALSE, flags, error) ||
        !apply_flags(self->core, CORE_ROWS, "", flags, error)) /* --config, for what follows */
        return NULL;
    *ret_files = read_key_files(self->core, diagnostics);
    apply_key_files(*ret_files, CORE_GROUP, FILE_ROWS, self->core, diagnostics);
    if (!apply_flags(self->core, CORE_ROWS, "", flags, error))
        return NULL;
    self->source_dirs = lvp_config_dup_list(lvp_config_get_string(self, "source-dir"), ":");
    return load_sources(self, error) ? g_steal_pointer(&self) : NULL;
}

LvpConfig *
lvp_config_read(const char *const *arguments, LvpDiagnostics *diagnostics, GError **error)
{
    g_autoptr(GPtrArray) files = NULL;
    g_autoptr(LvpConfig) self = read_core(arguments, diagnostics, &files, error);
    if (!self)
        return NULL;
    g_autoptr(GArray) flags = g_array_new(FALSE, FALSE, sizeof(Flag));
    g_array_set_clear_func(flags, clear_flag);
    if (!parse_flags(self, arguments, TRUE, flags, error))
        return NULL;
    for (guint i = 0; i < self->sources->len; i++) {
        LvpConfiguredSource *source = g_ptr_array_index(self->sources, i);
        const LvpSourceTable *table = source->module->table;
        apply_key_files(files, table->name, table->options, source->options, diagnostics);
        if (!apply_flags(source->options, table->options, SOURCE_PREFIX, flags, error))
            return NULL;
        if (table->validate)
            table->validate(source->options, diagnostics);
    }
    if (lvp_options_get_integer(self->core, "resource-manager-vm-limit") < 0)
        lvp_diagnostics_add(diagnostics, NULL, 0, 0,
                            "--resource-manager-vm-limit must not be negative");
    return g_steal_pointer(&self);
}

char *
lvp_config_get_help(const char *const *arguments)
{
    g_autoptr(LvpDiagnostics) ignored = lvp_diagnostics_new();
    g_autoptr(GPtrArray) files = NULL;
    g_autoptr(LvpConfig) config = read_core(arguments, ignored, &files, NULL);
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
