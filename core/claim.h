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
/* Before the inventory is sealed: units that the machine holds, or a mark names, and no snapshot
 * has stay visible, with the reason. SOURCES (LvpSource) are those that are loaded. */
void lvp_claim_add_missing_units(const LvpMachine *machine,
                                 const GPtrArray *sources,
                                 LvpInventory *inventory);
void lvp_claim_add_missing_unit(const char *source,
                                const LvpHeldUnit *held,
                                const GPtrArray *sources,
                                LvpInventory *inventory);
/* The name of a source that the machine holds something of and that is not among SOURCES; or NULL.
 */
const char *lvp_claim_find_missing_source(const LvpMachine *machine, const GPtrArray *sources);
void lvp_claim_take(const LvpMachine *machine, const LvpInventory *inventory);
void lvp_claim_give(const LvpMachine *machine, const LvpInventory *inventory);
