/* SPDX-License-Identifier: Apache-2.0 */
/* Of a later, incompatible version. */
#include "discover-nothing.h"

extern const LvpSourceTable lvp_source_table;

G_MODULE_EXPORT const LvpSourceTable lvp_source_table = {
    .abi = LVP_SOURCE_ABI + 1,
    .struct_size = sizeof(LvpSourceTable),
    .name = "wrong-abi",
    .version = "1",
    .description = "for tests",
    .discover = discover_nothing,
};
