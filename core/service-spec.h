/* SPDX-License-Identifier: Apache-2.0 */
/* What comes in by D-Bus as a{sv}, checked. Any thread. */
#pragma once

#include "allocator.h"

/* A create as it came in; SPEC borrows from VALUES. */
typedef struct {
    GVariant *values; /* a{sv} */
    LvpCreateSpec spec;
} LvpCreation;

/* *CREATION is empty before. LVP_ERROR_INVALID_REQUEST. */
gboolean lvp_creation_read(GVariant *values, LvpCreation *creation, GError **error);
void lvp_creation_clear(LvpCreation *self);

/* The options of a stop and a delete: key, type, key, ... NULL. */
extern const char *const LVP_STOP_OPTIONS[];
extern const char *const LVP_DELETE_OPTIONS[];
/* Reports keys that are unknown or of another type, so that no wish is silently lost.
 * LVP_ERROR_INVALID_REQUEST. */
gboolean lvp_spec_check_keys(GVariant *values, const char *const *known, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LvpCreation, lvp_creation_clear)
