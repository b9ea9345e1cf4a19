/* SPDX-License-Identifier: Apache-2.0 */
/* Of a later, compatible version: the table has members that this version does not know. */
#include "discover-nothing.h"

typedef struct {
    LvpSourceTable table;
    gpointer later[4];
} NewTable;

extern const NewTable lvp_source_table;

G_MODULE_EXPORT const NewTable lvp_source_table = {
    .table =
        {
            .abi = LVP_SOURCE_ABI,
            .struct_size = sizeof(NewTable),
            .name = "long-table",
            .version = "1",
            .description = "for tests",
            .discover = discover_nothing,
        },
};
