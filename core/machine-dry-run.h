/* SPDX-License-Identifier: Apache-2.0 */
/* What an operation would do, found out without any effect: refused with the error that the
 * operation would have, as far as that can be foreseen. */
#pragma once

#include "machine-jobs.h"

/* The domain that create would define; g_free(). Not whether it could be. */
char *lvp_machine_render(const LvpMachineJobs *jobs, const LvpCreateSpec *asked, GError **error);

/* A sentence on what would be done; g_free(). */
char *
lvp_machine_try_create(const LvpMachineJobs *jobs, const LvpCreateSpec *asked, GError **error);
char *lvp_machine_try_start(const LvpMachineJobs *jobs, const char *name, GError **error);
char *
lvp_machine_try_stop(const LvpMachineJobs *jobs, const char *name, gboolean force, GError **error);
char *lvp_machine_try_delete(const LvpMachineJobs *jobs, const char *name, GError **error);
