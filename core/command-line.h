/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a command line as flags with values. Not GOption: that ends at the first mistake. */
#pragma once

#include <libvirt-provider/source.h>

typedef struct {
    char *name;  /* without its dashes */
    char *value; /* "true" for a flag that takes none */
} LvpFlag;

typedef struct {
    GArray *flags;      /* LvpFlag, in their order */
    GPtrArray *unknown; /* char *: names, without what follows '=' */
} LvpCommandLine;

/* The row of the flag NAME, or NULL if there is no such flag. */
typedef const LvpOptionRow *(*LvpFindRow)(gconstpointer data, const char *name);

/* Reads WORDS (the program's name first, NULL-ended). DIAGNOSTICS gets what is wrong whatever flags
 * there are; what is unknown, the caller explains. --help and --version are passed over. */
LvpCommandLine *lvp_command_line_read(const char *const *words,
                                      LvpFindRow find_row,
                                      gconstpointer data,
                                      LvpDiagnostics *diagnostics);
void lvp_command_line_free(LvpCommandLine *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpCommandLine, lvp_command_line_free)
