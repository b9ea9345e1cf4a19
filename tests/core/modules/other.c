/* SPDX-License-Identifier: Apache-2.0 */
/* A second source as it should be. */
#include "discover-nothing.h"

static const LvpOptionRow OPTIONS[] = {
    {"other-level", LVP_OPTION_INTEGER, "1", "its own"},
    {NULL},
};

LVP_SOURCE_DEFINE(.name = "other",
                  .version = "1",
                  .description = "for tests",
                  .options = OPTIONS,
                  .discover = discover_nothing, )
