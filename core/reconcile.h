/* SPDX-License-Identifier: Apache-2.0 */
/* Brings journal, host and libvirt together: at start, when libvirt comes back, when a domain or a
 * device changes, after a reload, and again on a slow timer. There is one reconcile, not four.
 * Blocks; any thread, one at a time. */
#pragma once

#include "machine-jobs.h"

/* Looks at all domains and at every machine that no job runs on, and does what lvp_verdict_decide()
 * says. Nothing is given or taken back while libvirt does not answer. TRUE where something waits
 * for what may be over soon, such as a write that the kernel has not finished. */
gboolean lvp_reconcile_all(const LvpMachineJobs *jobs);

/* Notes at once what the domain of a machine is doing; for those who wait for it. The rest of the
 * verdict is left to the next lvp_reconcile_all(). */
void lvp_reconcile_domain(const LvpMachineJobs *jobs, const char *uuid);
