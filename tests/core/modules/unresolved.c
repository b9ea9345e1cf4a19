/* SPDX-License-Identifier: Apache-2.0 */
/* Calls what nobody has. */
#include "discover-nothing.h"

int lvp_not_in_this_version(void);

static gboolean
setup(gpointer self, GCancellable *cancellable, GError **error)
{
    (void)self;
    (void)cancellable;
    (void)error;
    return lvp_not_in_this_version() == 0;
}

LVP_SOURCE_DEFINE(.name = "unresolved",
                  .version = "1",
                  .description = "for tests",
                  .setup = setup,
                  .discover = discover_nothing, )
