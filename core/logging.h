/* SPDX-License-Identifier: Apache-2.0 */
/* Where log lines go: the journal if stderr is connected to it, else stderr. */
#pragma once

#include <glib.h>

#define LVP_LOGGING_LEVELS "error, warning, info or debug"

/* Whether LEVEL is one of them. */
gboolean lvp_logging_has_level(const char *level);
/* Once, at start. */
void lvp_logging_set_level(const char *level);
