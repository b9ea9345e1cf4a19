/* SPDX-License-Identifier: Apache-2.0 */
/* From a configuration to the world that the allocator works on: at start, on reload, on a rescan.
 * Blocks on the host, and for another call. */
#pragma once

#include "allocator.h"
#include "config.h"

/* Makes the sources, sets them up, discovers, reads the classes, and puts all of it in place. All
 * or nothing; mistakes in files go to DIAGNOSTICS (then FALSE without ERROR). HOST outlives the
 * sources. */
gboolean lvp_setup_install(const LvpConfig *config,
                           LvpHost *host,
                           const LvpSourceContextCalls *calls,
                           LvpAllocator *allocator,
                           LvpDiagnostics *diagnostics,
                           GError **error);

/* Looks at the host again with the sources that are in place. */
gboolean lvp_setup_rescan(LvpAllocator *allocator, GError **error);

/* The classes file of CONFIG, or none: LvpMachineClass; NULL after a diagnostic. */
GPtrArray *lvp_setup_read_classes(const LvpConfig *config, LvpDiagnostics *diagnostics);
