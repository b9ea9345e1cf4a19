/* SPDX-License-Identifier: Apache-2.0 */
/* Where log lines go: the journal if stderr is connected to it, else stderr. */
#pragma once

#include <glib.h>

/* LEVEL: error, warning, info or debug. Once, at start. LVP_ERROR_INVALID_REQUEST. */
gboolean lvp_logging_set_level(const char *level, GError **error);
