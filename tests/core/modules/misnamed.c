/* SPDX-License-Identifier: Apache-2.0 */
/* Its file has another name. */
#include "discover-nothing.h"

LVP_SOURCE_DEFINE(.name = "another",
                  .version = "1",
                  .description = "for tests",
                  .discover = discover_nothing, )
