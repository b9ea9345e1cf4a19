/* SPDX-License-Identifier: Apache-2.0 */
#include "discover-nothing.h"

LVP_SOURCE_DEFINE(.name = "undescribed", .version = "1", .discover = discover_nothing, )
