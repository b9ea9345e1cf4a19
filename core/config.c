/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes: the core's own options say which sources to load and from where; only then the
 * options of those sources are known and everything is read strictly. */
#include "config.h"

#include "command-line.h"
#include "key-file.h"
#include "logging.h"

#include <string.h>
#include <sys/un.h>

#define CORE_GROUP "libvirt-provider"
#define DEFAULT_FILE LVP_CONFIG_DIR "/libvirt-provider.conf"
#define SOURCE_PREFIX "resource-manager-"
#define SOURCES_OPTION SOURCE_PREFIX "sources"
#define SOURCE_DIR_OPTION "source-dir"

/* The first two are of the command line only, all others can stand in a key file, too. */
#define FILE_ROWS (CORE_ROWS + 2)

static const LvpOptionRow CORE_ROWS[] = {
    {"check-config", LVP_OPTION_BOOLEAN, "false", "read everything, say all mistakes, and end"},
    {"config", LVP_OPTION_FILE, NULL, "key file (default: " DEFAULT_FILE ")"},
    {"resource-manager-sources", LVP_OPTION_STRING, "cpu,memory,pci",
     "sources to run, in this order"},
    {SOURCE_DIR_OPTION, LVP_OPTION_STRING, LVP_SOURCE_DIR,
     "folders with source modules, ':' between"},
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
    {"log-level", LVP_OPTION_STRING, "info", LVP_LOGGING_LEVELS},
    {NULL},
};

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

/* ---- help ---- */

/* The default of FLAG that is in effect, or NULL; g_free(). */
static char *
dup_default(const char *flag, const LvpOptionRow *row)
{
    return strcmp(flag, SOURCE_DIR_OPTION) == 0 ? lvp_source_loader_dup_default_folder()
                                                : g_strdup(row->default_value);
}

/* Appends the entries for ROWS; names that have to be made are kept in NAMES. */
static void
append_entries(GArray *entries, GPtrArray *names, const char *prefix, const LvpOptionRow *rows)
{
    for (const LvpOptionRow *row = rows; row && row->name; row++) {
        char *name = g_strconcat(prefix, row->name, NULL);
        g_autofree char *value = dup_default(name, row);
        char *help = value && row->type != LVP_OPTION_BOOLEAN
                         ? g_strdup_printf("%s (default: %s)", row->help, value)
                         : g_strdup(row->help);
        g_ptr_array_add(names, name);
        g_ptr_array_add(names, help);
        GOptionEntry entry = {
            .long_name = name,
            .arg = row->type == LVP_OPTION_BOOLEAN ? G_OPTION_ARG_NONE : G_OPTION_ARG_STRING,
            .description = help,
            .arg_description = row->type == LVP_OPTION_BOOLEAN ? NULL : "VALUE",
        };
        g_array_append_val(entries, entry);
    }
}

/* GOption lays out the help of the core and SOURCES (LvpConfiguredSource), but parses nothing; it
 * refers to NAMES. */
static GOptionContext *
make_help(const GPtrArray *sources, GPtrArray *names)
{
    GOptionContext *context = g_option_context_new("- host resource manager for libvirt");
    /* With it GOption would offer --help-all and --help-GROUP, which are no options of ours. */
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_set_description(
        context,
        "Any other flag can stand in the key file without its dashes: the core's in group\n"
        "[" CORE_GROUP "], a source's without --" SOURCE_PREFIX " in a group of its name.\n\n"
        "Try: libvirt-provider --check-config; lpctl --help; man libvirt-provider\n");
    GArray *entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));
    append_entries(entries, names, "", CORE_ROWS);
    const GOptionEntry last[] = {
        {"help", 'h', 0, G_OPTION_ARG_NONE, NULL, "show this help and end", NULL},
        {"version", 'V', 0, G_OPTION_ARG_NONE, NULL, "show the version and end", NULL},
    };
    g_array_append_vals(entries, last, G_N_ELEMENTS(last));
    GOptionGroup *main_group = g_option_group_new("main", "", "", NULL, NULL);
    g_option_group_add_entries(main_group, (GOptionEntry *)(gpointer)entries->data);
    g_option_context_set_main_group(context, main_group);
    g_array_unref(entries);
    for (guint i = 0; i < sources->len; i++) {
        const LvpConfiguredSource *source = g_ptr_array_index(sources, i);
        const char *name = source->module->table->name;
        g_autofree char *title = g_strdup_printf("Source %s:", name);
        g_autofree char *help = g_strdup_printf("Options of source %s", name);
        GOptionGroup *group = g_option_group_new(name, title, help, NULL, NULL);
        entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));
        append_entries(entries, names, SOURCE_PREFIX, source->module->table->options);
        g_option_group_add_entries(group, (GOptionEntry *)(gpointer)entries->data);
        g_array_unref(entries);
        g_option_context_add_group(context, group);
    }
    return context;
}

/* ---- flags ---- */

static const LvpOptionRow *
find_core_row(gconstpointer data, const char *name)
{
    (void)data;
    return lvp_options_find_row(CORE_ROWS, name);
}

/* Of the core or of a source that is loaded. */
static const LvpOptionRow *
find_row(gconstpointer data, const char *name)
{
    const LvpConfig *self = data;
    const LvpOptionRow *row = lvp_options_find_row(CORE_ROWS, name);
    for (guint i = 0; !row && i < self->sources->len && g_str_has_prefix(name, SOURCE_PREFIX);
         i++) {
        const LvpConfiguredSource *source = g_ptr_array_index(self->sources, i);
        row = lvp_options_find_row(source->module->table->options, name + strlen(SOURCE_PREFIX));
    }
    return row;
}

/* The source on disk that has the option NAME, or NULL; g_free(). */
static char *
find_owner(const LvpConfig *self, const char *name)
{
    const char *const *folders = (const char *const *)self->source_dirs;
    g_auto(GStrv) known = lvp_source_loader_list(folders);
    for (guint i = 0; known[i]; i++) {
        g_autoptr(LvpModule) module = lvp_source_loader_load(folders, known[i], NULL);
        if (module && lvp_options_find_row(module->table->options, name))
            return g_strdup(known[i]);
    }
    return NULL;
}

static void
report_unknown_flag(const char *flag, LvpDiagnostics *diagnostics)
{
    lvp_diagnostics_add(diagnostics, NULL, 0, 0, "unknown option --%s; see --help", flag);
}

static void
report_unknown(const LvpConfig *self, const char *flag, LvpDiagnostics *diagnostics)
{
    gboolean of_source = g_str_has_prefix(flag, SOURCE_PREFIX);
    g_autofree char *owner = of_source ? find_owner(self, flag + strlen(SOURCE_PREFIX)) : NULL;
    if (owner)
        lvp_diagnostics_add(diagnostics, NULL, 0, 0,
                            "--%s is an option of source %s, which is not loaded: add %s to "
                            "--resource-manager-sources",
                            flag, owner, owner);
    else if (!of_source || self->complete) /* else it may be one of the source that is missing */
        report_unknown_flag(flag, diagnostics);
}

void
lvp_config_check_words(const char *const *arguments, LvpDiagnostics *diagnostics)
{
    g_autoptr(LvpCommandLine) line =
        lvp_command_line_read(arguments, find_core_row, NULL, diagnostics);
    for (guint i = 0; i < line->unknown->len; i++) {
        const char *flag = g_ptr_array_index(line->unknown, i);
        if (!g_str_has_prefix(flag, SOURCE_PREFIX))
            report_unknown_flag(flag, diagnostics);
    }
}

/* Sets what of FLAGS belongs to OPTIONS (rows ROWS, flags with PREFIX). */
static void
apply_flags(LvpOptions *options,
            const LvpOptionRow *rows,
            const char *prefix,
            const GArray *flags,
            LvpDiagnostics *diagnostics)
{
    for (guint i = 0; i < flags->len; i++) {
        const LvpFlag *flag = &g_array_index(flags, LvpFlag, i);
        const char *name =
            g_str_has_prefix(flag->name, prefix) ? flag->name + strlen(prefix) : NULL;
        g_autofree char *shown = g_strconcat("--", flag->name, NULL);
        LvpOptionPlace place = {.name = shown};
        if (name && lvp_options_find_row(rows, name))
            lvp_options_set_from(options, name, flag->value, &place, diagnostics);
    }
}

/* ---- sources ---- */

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
load_source(LvpConfig *self, const char *name, GError **error)
{
    g_autoptr(LvpModule) module =
        lvp_source_loader_load((const char *const *)self->source_dirs, name, error);
    if (!module || !check_collisions(self, module->table, error))
        return FALSE;
    LvpConfiguredSource *source = g_new0(LvpConfiguredSource, 1);
    source->options = lvp_options_new(module->table->options);
    source->module = g_steal_pointer(&module);
    g_ptr_array_add(self->sources, source);
    return TRUE;
}

static void
load_sources(LvpConfig *self, LvpDiagnostics *diagnostics)
{
    const char *text = lvp_config_get_string(self, SOURCES_OPTION);
    g_auto(GStrv) names = lvp_config_dup_list(text, ",");
    self->complete = names[0] != NULL;
    if (!names[0])
        lvp_options_report(self->core, SOURCES_OPTION, diagnostics,
                           "names no source (example: cpu,memory,pci)");
    for (guint i = 0; names[i]; i++) {
        g_autoptr(GError) error = NULL;
        if (g_strv_contains((const char *const *)names + i + 1, names[i])) {
            lvp_options_report(self->core, SOURCES_OPTION, diagnostics, "names %s twice", names[i]);
        } else if (!load_source(self, names[i], &error)) {
            self->complete = FALSE;
            lvp_options_report(self->core, SOURCES_OPTION, diagnostics, "names %s: %s", names[i],
                               error->message);
        }
    }
}

/* ---- all ---- */

/* All key files, read once: LvpKeyFile. */
static GPtrArray *
read_key_files(const LvpOptions *core, LvpDiagnostics *diagnostics)
{
    g_autoptr(GPtrArray) names =
        lvp_key_file_list(lvp_options_get_string(core, "config"), DEFAULT_FILE, diagnostics);
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

/* The first pass: the core's options and, from them, the sources. Sets *RET_FILES. */
static LvpConfig *
read_core(const char *const *arguments, LvpDiagnostics *diagnostics, GPtrArray **ret_files)
{
    LvpConfig *self = g_new0(LvpConfig, 1);
    self->core = lvp_options_new(CORE_ROWS);
    g_autofree char *folder = lvp_source_loader_dup_default_folder();
    lvp_options_set(self->core, SOURCE_DIR_OPTION, folder, NULL);
    self->sources = g_ptr_array_new_with_free_func(free_configured_source);
    g_autoptr(LvpDiagnostics) later = lvp_diagnostics_new(); /* told by the second pass */
    g_autoptr(LvpCommandLine) line = lvp_command_line_read(arguments, find_core_row, NULL, later);
    apply_flags(self->core, CORE_ROWS, "", line->flags, later); /* --config, for what follows */
    *ret_files = read_key_files(self->core, diagnostics);
    apply_key_files(*ret_files, CORE_GROUP, FILE_ROWS, self->core, diagnostics);
    apply_flags(self->core, CORE_ROWS, "", line->flags, diagnostics);
    self->source_dirs = lvp_config_dup_list(lvp_config_get_string(self, SOURCE_DIR_OPTION), ":");
    if (self->source_dirs[0])
        load_sources(self, diagnostics);
    else
        lvp_options_report(self->core, SOURCE_DIR_OPTION, diagnostics, "names no folder");
    return self;
}

/* Only whether it is there: nothing is looked at in it. */
static void
validate_host_root(const LvpOptions *core, LvpDiagnostics *diagnostics)
{
    const char *root = lvp_options_get_string(core, "host-root");
    if (!g_path_is_absolute(root)) {
        lvp_options_report(core, "host-root", diagnostics, "must be an absolute path, but is '%s'",
                           root);
        return;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpHost) host = lvp_host_new(root, &error);
    if (!host)
        lvp_options_report(core, "host-root", diagnostics, "is no host: %s", error->message);
}

/* Which drivers there are is libvirt's to say. Without a scheme it would look for an alias, or, if
 * it is empty, choose a driver itself: then nobody knows whose domains are meant. */
static void
validate_libvirt_uri(const LvpOptions *core, LvpDiagnostics *diagnostics)
{
    const char *uri = lvp_options_get_string(core, "libvirt-uri");
    if (!g_uri_is_valid(uri, G_URI_FLAGS_NONE, NULL))
        lvp_options_report(core, "libvirt-uri", diagnostics,
                           "must be a URI such as qemu:///system, but is '%s'", uri);
}

/* What the type of an option does not say. */
static void
validate_core(const LvpOptions *core, LvpDiagnostics *diagnostics)
{
    const char *level = lvp_options_get_string(core, "log-level");
    gsize most = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    if (lvp_options_get_integer(core, "resource-manager-vm-limit") < 0)
        lvp_options_report(core, "resource-manager-vm-limit", diagnostics,
                           "must not be negative, but is %s",
                           lvp_options_get_string(core, "resource-manager-vm-limit"));
    if (!lvp_logging_has_level(level))
        lvp_options_report(core, "log-level", diagnostics,
                           "must be " LVP_LOGGING_LEVELS ", but is '%s'", level);
    validate_host_root(core, diagnostics);
    validate_libvirt_uri(core, diagnostics);
    if (strlen(lvp_options_get_string(core, "control-socket")) > most)
        lvp_options_report(core, "control-socket", diagnostics,
                           "is too long: the path of a socket has at most %zu bytes", most);
}

LvpConfig *
lvp_config_read(const char *const *arguments, LvpDiagnostics *diagnostics)
{
    g_autoptr(GPtrArray) files = NULL;
    LvpConfig *self = read_core(arguments, diagnostics, &files);
    g_autoptr(LvpCommandLine) line = lvp_command_line_read(arguments, find_row, self, diagnostics);
    for (guint i = 0; i < line->unknown->len; i++)
        report_unknown(self, g_ptr_array_index(line->unknown, i), diagnostics);
    for (guint i = 0; i < self->sources->len; i++) {
        LvpConfiguredSource *source = g_ptr_array_index(self->sources, i);
        const LvpSourceTable *table = source->module->table;
        apply_key_files(files, table->name, table->options, source->options, diagnostics);
        apply_flags(source->options, table->options, SOURCE_PREFIX, line->flags, diagnostics);
        if (table->validate)
            table->validate(source->options, diagnostics);
    }
    validate_core(self->core, diagnostics);
    return self;
}

char *
lvp_config_get_help(const char *const *arguments)
{
    g_autoptr(LvpDiagnostics) mistakes = lvp_diagnostics_new();
    g_autoptr(GPtrArray) files = NULL;
    g_autoptr(LvpConfig) config = read_core(arguments, mistakes, &files);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GOptionContext) context = make_help(config->sources, names);
    g_autofree char *help = g_option_context_get_help(context, FALSE, NULL);
    if (config->complete)
        return g_steal_pointer(&help);
    g_autofree char *why = lvp_diagnostics_to_text(mistakes);
    return g_strconcat(help, "\nThe options of some sources are missing here:\n", why, "\n", NULL);
}
