/* SPDX-License-Identifier: Apache-2.0 */
/* Flags and key files -> typed values. A flag wins over conf.d, which wins over the file.
 *
 * The core's options are rows of the same kind as a source's; so flags, keys, types and help have
 * one mechanism. */
#pragma once

#include "lib/source-context.h"
#include "source-loader.h"

typedef struct {
    LvpModule *module;
    LvpOptions *options;
} LvpConfiguredSource;

typedef struct {
    LvpOptions *core;   /* rows of lvp_config_rows */
    GPtrArray *sources; /* LvpConfiguredSource, in the order of --resource-manager-sources */
    char **source_dirs;
    gboolean complete; /* all sources that were asked for are there */
} LvpConfig;

/* Reads ARGUMENTS (argv[0] first, NULL-ended, not changed) and the files that they name. All
 * mistakes go to DIAGNOSTICS, with the places of those in files; with any the result is not to be
 * used but to look for more of them. Never NULL. */
LvpConfig *lvp_config_read(const char *const *arguments, LvpDiagnostics *diagnostics);
void lvp_config_free(LvpConfig *self);

/* What is wrong with ARGUMENTS beside --help or --version, without a look at a file; flags of
 * sources are not known then. */
void lvp_config_check_words(const char *const *arguments, LvpDiagnostics *diagnostics);
/* The text of --help, of the core and the sources that could be loaded; why others could not stands
 * at its end. g_free(). */
char *lvp_config_get_help(const char *const *arguments);

const char *lvp_config_get_string(const LvpConfig *self, const char *name);
/* The elements of a list "a,b"; g_strfreev(). */
char **lvp_config_dup_list(const char *text, const char *separator);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpConfig, lvp_config_free)
