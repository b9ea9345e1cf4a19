/* SPDX-License-Identifier: Apache-2.0 */
/* Has an option of the daemon. */
#include "discover-nothing.h"

static const LvpOptionRow OPTIONS[] = {
    {"vm-limit", LVP_OPTION_INTEGER, "1", "of the daemon"},
    {NULL},
};

LVP_SOURCE_DEFINE(.name = "greedy",
                  .version = "1",
                  .description = "for tests",
                  .options = OPTIONS,
                  .discover = discover_nothing, )
