/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as a table for a person, or as CSV; of output.c. */
#pragma once

#include "output.h"

#include <json-glib/json-glib.h>

/* Whether KIND has the columns that are asked for. LVP_ERROR_INVALID_REQUEST. */
gboolean lvp_table_check(const LvpOutput *self, const LvpRowKind *kind, GError **error);
/* Prints the objects in ROWS. */
gboolean
lvp_table_print(const LvpOutput *self, const LvpRowKind *kind, JsonArray *rows, GError **error);
/* Prints one OBJECT, a line "key: value" each. */
void lvp_table_print_lines(JsonObject *object);
