/* SPDX-License-Identifier: Apache-2.0 */
/* Has an option of another source. */
#include "discover-nothing.h"

static const LvpOptionRow OPTIONS[] = {
    {"collides-level", LVP_OPTION_INTEGER, "1", "its own"},
    {"good-level", LVP_OPTION_INTEGER, "1", "of source good"},
    {NULL},
};

LVP_SOURCE_DEFINE(.name = "collides",
                  .version = "1",
                  .description = "for tests",
                  .options = OPTIONS,
                  .discover = discover_nothing, )
