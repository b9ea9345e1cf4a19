/* SPDX-License-Identifier: Apache-2.0 */
/* Key files: which there are, and their values into options, each mistake with its line. */
#pragma once

#include "lib/source-context.h"

typedef struct LvpKeyFile LvpKeyFile;

/* The key file NAMED, or DEFAULT_FILE if there is one and NAMED is NULL; then conf.d/(all).conf
 * beside it, by name; a conf.d that cannot be looked into is a mistake. Paths (char *);
 * g_ptr_array_unref(). */
GPtrArray *
lvp_key_file_list(const char *named, const char *default_file, LvpDiagnostics *diagnostics);

/* NULL after a diagnostic. */
LvpKeyFile *lvp_key_file_read(const char *name, LvpDiagnostics *diagnostics);
void lvp_key_file_free(LvpKeyFile *self);

/* Sets OPTIONS (of ROWS) from one group; unknown keys and wrong values are mistakes. */
void lvp_key_file_apply(const LvpKeyFile *self,
                        const char *group,
                        const LvpOptionRow *rows,
                        LvpOptions *options,
                        LvpDiagnostics *diagnostics);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpKeyFile, lvp_key_file_free)
