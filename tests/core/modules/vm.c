/* SPDX-License-Identifier: Apache-2.0 */
/* Its option begins with its name, but is one of the daemon. */
#include "discover-nothing.h"

static const LvpOptionRow OPTIONS[] = {
    {"vm-limit", LVP_OPTION_INTEGER, "1", "of the daemon"},
    {NULL},
};

LVP_SOURCE_DEFINE(.name = "vm",
                  .version = "1",
                  .description = "for tests",
                  .options = OPTIONS,
                  .discover = discover_nothing, )
