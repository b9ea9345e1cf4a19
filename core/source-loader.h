/* SPDX-License-Identifier: Apache-2.0 */
/* Finds source modules by name, checks and loads them. Modules stay in the process for ever. */
#pragma once

#include <libvirt-provider/source.h>

typedef struct {
    gatomicrefcount references;
    LvpSourceTable *table; /* the core's own copy: zero where the module's is shorter */
    char *path;
} LvpModule;

LvpModule *lvp_module_ref(LvpModule *self);
void lvp_module_unref(LvpModule *self);

/* Loads NAME.so from the first of FOLDERS that has it. LVP_ERROR_SOURCE: not found (the text lists
 * what there is, and where was searched), not trusted, no source, or of another ABI. */
LvpModule *lvp_source_loader_load(const char *const *folders, const char *name, GError **error);

/* The folder to look into where none is given: that of the installed modules; for an executable in
 * "core" of a build folder (one that has build.ninja) "plugins" beside it. g_free(). */
char *lvp_source_loader_dup_default_folder(void);

/* Names of all modules in FOLDERS, sorted; g_strfreev(). */
char **lvp_source_loader_list(const char *const *folders);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpModule, lvp_module_unref)
