/* SPDX-License-Identifier: Apache-2.0 */
/* Its table ends before the last mandatory member. */
#include "discover-nothing.h"

typedef struct {
    guint32 abi;
    gsize struct_size;
    const char *name;
    const char *version;
    const char *description;
    const LvpOptionRow *options;
    void (*validate)(const LvpOptions *options, LvpDiagnostics *diagnostics);
    gpointer (*create)(LvpSourceContext *context, GError **error);
    void (*destroy)(gpointer self);
    gboolean (*setup)(gpointer self, GCancellable *cancellable, GError **error);
} OldTable;

extern const OldTable lvp_source_table;

G_MODULE_EXPORT const OldTable lvp_source_table = {
    .abi = LVP_SOURCE_ABI,
    .struct_size = sizeof(OldTable),
    .name = "too-short",
    .version = "1",
    .description = "for tests",
};
