/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's claim against an inventory: what its holdings name, taken and given back there. A
 * claim outlives what the sources offer: what an inventory does not have is passed over. Under the
 * allocator's lock. */
#pragma once

#include "machine.h"
#include "planner.h"

/* Writes SELECTION into the machine's holdings, in the order of SOURCES (LvpSource). Sorts the
 * selection's units. */
void lvp_claim_fill(LvpMachine *machine,
                    const GPtrArray *sources,
                    const LvpInventory *inventory,
                    const LvpSelection *selection);
/* Before the inventory is sealed: units that the machine holds and no source sees stay visible. */
void lvp_claim_add_lost_units(const LvpMachine *machine, LvpInventory *inventory);
void lvp_claim_take(const LvpMachine *machine, const LvpInventory *inventory);
void lvp_claim_give(const LvpMachine *machine, const LvpInventory *inventory);
