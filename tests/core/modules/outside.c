/* SPDX-License-Identifier: Apache-2.0 */
/* Has an option whose name does not begin with its own, but with the same letters. */
#include "discover-nothing.h"

static const LvpOptionRow OPTIONS[] = {
    {"outside-level", LVP_OPTION_INTEGER, "1", "its own"},
    {"outsider-level", LVP_OPTION_INTEGER, "1", "of another source, if there is one"},
    {NULL},
};

LVP_SOURCE_DEFINE(.name = "outside",
                  .version = "1",
                  .description = "for tests",
                  .options = OPTIONS,
                  .discover = discover_nothing, )
