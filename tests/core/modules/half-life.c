/* SPDX-License-Identifier: Apache-2.0 */
/* Is made and never destroyed. */
#include "discover-nothing.h"

static gpointer
create(LvpSourceContext *context, GError **error)
{
    (void)error;
    return context;
}

LVP_SOURCE_DEFINE(.name = "half-life",
                  .version = "1",
                  .description = "for tests",
                  .create = create,
                  .discover = discover_nothing, )
