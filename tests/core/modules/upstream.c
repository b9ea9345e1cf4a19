/* SPDX-License-Identifier: Apache-2.0 */
/* Has an option that only source cpu may call so. */
#include "discover-nothing.h"

static const LvpOptionRow OPTIONS[] = {
    {"overcommit-vcpu", LVP_OPTION_DOUBLE, "1", "of source cpu"},
    {NULL},
};

LVP_SOURCE_DEFINE(.name = "upstream",
                  .version = "1",
                  .description = "for tests",
                  .options = OPTIONS,
                  .discover = discover_nothing, )
