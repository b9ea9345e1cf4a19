/* SPDX-License-Identifier: Apache-2.0 */
#include "source-loader.h"

#include <errno.h>
#include <gmodule.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

/* The table up to its last mandatory member; a module built against any 1.x has at least this. */
#define MANDATORY_SIZE (G_STRUCT_OFFSET(LvpSourceTable, discover) + sizeof(gpointer))

LvpModule *
lvp_module_ref(LvpModule *self)
{
    g_atomic_ref_count_inc(&self->references);
    return self;
}

void
lvp_module_unref(LvpModule *self)
{
    if (!self || !g_atomic_ref_count_dec(&self->references))
        return;
    g_free(self->table);
    g_free(self->path);
    g_free(self);
}

char *
lvp_source_loader_dup_default_folder(void)
{
    /* What the kernel was told to execute; the modules themselves are checked when loaded. */
    const char *executed =
        (const char *)getauxval(AT_EXECFN); /* NOLINT(performance-no-int-to-ptr) */
    g_autofree char *executable = executed ? g_canonicalize_filename(executed, NULL) : g_strdup("");
    char *real = realpath(executable, NULL);
    g_autofree char *folder = g_path_get_dirname(real ? real : "/");
    g_autofree char *name = g_path_get_basename(folder);
    g_autofree char *build = g_path_get_dirname(folder);
    g_autofree char *mark = g_build_filename(build, "build.ninja", NULL);
    g_autofree char *plugins = g_build_filename(build, "plugins", NULL);
    free(real);
    if (strcmp(name, "core") == 0 && g_file_test(mark, G_FILE_TEST_IS_REGULAR) &&
        g_file_test(plugins, G_FILE_TEST_IS_DIR))
        return g_steal_pointer(&plugins);
    return g_strdup(LVP_SOURCE_DIR);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **
lvp_source_loader_list(const char *const *folders)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 0; folders[i]; i++) {
        g_autoptr(GDir) folder = g_dir_open(folders[i], 0, NULL);
        const char *file;
        while (folder && (file = g_dir_read_name(folder)) != NULL) {
            g_autofree char *name = g_str_has_suffix(file, ".so")
                                        ? g_strndup(file, strlen(file) - strlen(".so"))
                                        : NULL;
            if (name && !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
                g_ptr_array_add(names, g_steal_pointer(&name));
        }
    }
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

/* The file and each folder above it belong to root or to us, and nobody else may write there. A
 * folder that others may write is safe if it is sticky and what is in it is not theirs. */
static gboolean
check_trust(const char *path, GError **error)
{
    g_autofree char *each = g_strdup(path);
    for (gboolean is_file = TRUE;; is_file = FALSE) {
        struct stat status;
        if (stat(each, &status) < 0) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE, "cannot look at %s: %s", each,
                        g_strerror(errno));
            return FALSE;
        }
        gboolean sticky = !is_file && (status.st_mode & S_ISVTX);
        if ((status.st_uid != 0 && status.st_uid != geteuid()) ||
            ((status.st_mode & (S_IWGRP | S_IWOTH)) && !sticky)) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE,
                        "%s is not loaded: %s must belong to root or the daemon's user and be "
                        "writable by nobody else (owner %u, mode %04o)",
                        path, each, status.st_uid, status.st_mode & 07777);
            return FALSE;
        }
        if (strcmp(each, "/") == 0)
            return TRUE;
        char *parent = g_path_get_dirname(each);
        g_free(each);
        each = parent;
    }
}

static char *
find_file(const char *const *folders, const char *name, GError **error)
{
    g_autofree char *file = g_strconcat(name, ".so", NULL);
    for (guint i = 0; folders[i]; i++) {
        g_autofree char *path = g_build_filename(folders[i], file, NULL);
        char *real = realpath(path, NULL);
        if (real) {
            g_autofree char *resolved = g_strdup(real);
            free(real);
            return g_steal_pointer(&resolved);
        }
        if (errno != ENOENT && errno != ENOTDIR) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE,
                        "cannot look at %s: %s (see --source-dir)", path, g_strerror(errno));
            return NULL;
        }
    }
    g_auto(GStrv) found = lvp_source_loader_list(folders);
    g_autofree char *names = g_strjoinv(", ", found);
    g_autoptr(GString) searched = g_string_new(NULL);
    for (guint i = 0; folders[i]; i++)
        g_string_append_printf(searched, "%s%s", i > 0 ? ", " : "", folders[i]);
    g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE,
                "no source '%s' in %s; found there: %s (see --resource-manager-sources and "
                "--source-dir)",
                name, searched->str, names[0] ? names : "none");
    return NULL;
}

/* What is wrong with the table, or NULL. */
static const char *
find_fault(const LvpSourceTable *table, const char *name)
{
    if (!table->name || strcmp(table->name, name) != 0)
        return "its table's name is not the name of the file";
    if (!table->version || !table->description || !table->discover)
        return "its table has no version, description or discover";
    if (!table->create != !table->destroy)
        return "its table has only one of create and destroy";
    if (table->prepare && (!table->commit || !table->rollback || !table->restore))
        return "its table has prepare, but not all of commit, rollback and restore";
    return NULL;
}

/* The first option that does not begin with NAME and '-', as all of a source must, so that no two
 * sources that do not know of each other have the same; or NULL. */
static const char *
find_foreign_option(const LvpSourceTable *table, const char *name)
{
    /* Called so by operators before there was that rule. */
    static const char *const OLDER[] = {"cpu-overcommit-vcpu", "hugepages-blocked-hugepages",
                                        "memory-reserved-memory-size", NULL};
    g_autofree char *prefix = g_strconcat(name, "-", NULL);
    for (const LvpOptionRow *row = table->options; row && row->name; row++) {
        g_autofree char *full = g_strconcat(prefix, row->name, NULL);
        if (!g_str_has_prefix(row->name, prefix) && !g_strv_contains(OLDER, full))
            return row->name;
    }
    return NULL;
}

static LvpModule *
check_table(const LvpSourceTable *theirs, const char *path, const char *name, GError **error)
{
    if (theirs->abi != LVP_SOURCE_ABI || theirs->struct_size < MANDATORY_SIZE) {
        g_set_error(
            error, LVP_ERROR, LVP_ERROR_SOURCE,
            "source %s is of ABI %u (table of %zu bytes), this daemon needs ABI %u (at least "
            "%zu bytes): build it against the headers of this version",
            path, theirs->abi, theirs->struct_size, LVP_SOURCE_ABI, MANDATORY_SIZE);
        return NULL;
    }
    g_autofree LvpSourceTable *table = g_new0(LvpSourceTable, 1);
    memcpy(table, theirs, MIN(theirs->struct_size, sizeof *table));
    const char *fault = find_fault(table, name);
    if (fault) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE, "source %s is broken: %s", path, fault);
        return NULL;
    }
    const char *option = find_foreign_option(table, name);
    if (option) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE,
                    "source %s is broken: its option '%s' must begin with '%s-'", path, option,
                    name);
        return NULL;
    }
    LvpModule *module = g_new0(LvpModule, 1);
    g_atomic_ref_count_init(&module->references);
    module->table = g_steal_pointer(&table);
    module->path = g_strdup(path);
    return module;
}

LvpModule *
lvp_source_loader_load(const char *const *folders, const char *name, GError **error)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    if (name[0] == '\0' || strspn(name, allowed) != strlen(name)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "'%s' is no name for a source: a-z, 0-9 and - only", name);
        return NULL;
    }
    g_autofree char *path = find_file(folders, name, error);
    if (!path || !check_trust(path, error))
        return NULL;
    GModule *module = g_module_open(path, G_MODULE_BIND_LOCAL);
    if (!module) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE, "cannot load source %s: %s", path,
                    g_module_error());
        return NULL;
    }
    gpointer symbol = NULL;
    if (!g_module_symbol(module, LVP_SOURCE_SYMBOL, &symbol) || !symbol) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE,
                    "%s is no source: it exports no " LVP_SOURCE_SYMBOL, path);
        g_module_close(module);
        return NULL;
    }
    g_module_make_resident(module);
    return check_table(symbol, path, name, error);
}
