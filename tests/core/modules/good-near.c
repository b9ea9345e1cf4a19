/* SPDX-License-Identifier: Apache-2.0 */
/* Its name begins like that of source good, and so do its options: one of them good has, too. */
#include "discover-nothing.h"

static const LvpOptionRow OPTIONS[] = {
    {"good-near-level", LVP_OPTION_INTEGER, "1", "of source good, too"},
    {NULL},
};

LVP_SOURCE_DEFINE(.name = "good-near",
                  .version = "1",
                  .description = "for tests",
                  .options = OPTIONS,
                  .discover = discover_nothing, )
