/* SPDX-License-Identifier: Apache-2.0 */
/* Takes and never gives back. */
#include "discover-nothing.h"

static GVariant *
prepare(gpointer self, const LvpHolding *holding, GCancellable *cancellable, GError **error)
{
    (void)self;
    (void)holding;
    (void)cancellable;
    (void)error;
    return g_variant_new_string("");
}

static gboolean
commit(gpointer self, GVariant *record, GCancellable *cancellable, GError **error)
{
    (void)self;
    (void)record;
    (void)cancellable;
    (void)error;
    return TRUE;
}

LVP_SOURCE_DEFINE(.name = "half-effects",
                  .version = "1",
                  .description = "for tests",
                  .discover = discover_nothing,
                  .prepare = prepare,
                  .commit = commit, )
