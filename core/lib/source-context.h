/* SPDX-License-Identifier: Apache-2.0 */
/* Options and context of a source, as the core makes them. Internal. */
#pragma once

#include <libvirt-provider/source.h>

/* ---- options ---- */

/* Values by name; rows are borrowed from the table and outlive it. */
LvpOptions *lvp_options_new(const LvpOptionRow *rows);
LvpOptions *lvp_options_ref(LvpOptions *self);
void lvp_options_unref(LvpOptions *self);
/* NULL if NAME is not one of the rows. */
const LvpOptionRow *lvp_options_find_row(const LvpOptionRow *rows, const char *name);
/* Sets the text of an option that exists. LVP_ERROR_INVALID_REQUEST where it is not of its type. */
gboolean lvp_options_set(LvpOptions *self, const char *name, const char *text, GError **error);

/* Where a text was given. */
typedef struct {
    const char *name; /* as it is written there: "--resource-manager-x", or a key */
    const char *file; /* NULL: on the command line */
    guint line;       /* 0: not known */
} LvpOptionPlace;

/* The same; a mistake goes to DIAGNOSTICS with PLACE, which is copied. */
void lvp_options_set_from(LvpOptions *self,
                          const char *name,
                          const char *text,
                          const LvpOptionPlace *place,
                          LvpDiagnostics *diagnostics);

/* ---- context ---- */

typedef struct {
    void (*request_rescan)(gpointer data);
    void (*watch_subsystem)(gpointer data, const char *subsystem);
    gpointer data;
} LvpSourceContextCalls;

/* HOST is borrowed; CALLS are copied and may be empty. */
LvpSourceContext *lvp_source_context_new(LvpHost *host,
                                         LvpOptions *options,
                                         const char *libvirt_uri,
                                         const LvpSourceContextCalls *calls);
void lvp_source_context_free(LvpSourceContext *self);
/* What set_health said last; NULL if well; g_free(). */
char *lvp_source_context_dup_health(LvpSourceContext *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpOptions, lvp_options_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpSourceContext, lvp_source_context_free)
