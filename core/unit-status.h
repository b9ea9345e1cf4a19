/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the API for what a unit is. Under the allocator's lock. */
#pragma once

#include "inventory.h"

/* free, reserved, binding, bound, in-use, returning, quarantined or unusable. */
const char *lvp_unit_get_state(const LvpInventoryUnit *self);
/* LvpCondition: the source's and the core's. */
guint lvp_unit_get_conditions(const LvpInventoryUnit *self);
/* "in-use,lost"; g_free(). */
char *lvp_unit_status_to_text(const char *state, guint conditions);
/* Why it is not as it should be, also as a part of its machine; NULL if all is well. g_free(). */
char *lvp_unit_dup_reason(const LvpInventoryUnit *self);

/* The name of the INDEX-th condition of CONDITIONS, or NULL past the last. */
const char *lvp_condition_get_name(guint conditions, guint index);
