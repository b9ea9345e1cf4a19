/* SPDX-License-Identifier: Apache-2.0 */
/* Brings journal, host and libvirt together: at start, when libvirt comes back, when a domain
 * changes, and again on a slow timer. There is one reconcile, not four. Blocks; any thread. */
#pragma once

#include "machine-jobs.h"

/* Looks at every machine that no job runs on. A create that was never acknowledged is undone, a
 * delete is finished, a start or stop leaves the machine and its claim as the domain shows them.
 * Nothing is given or taken back while libvirt does not answer. */
void lvp_reconcile_all(const LvpMachineJobs *jobs);

/* Looks at the domain of one machine; a uuid that is not ours is passed over. */
void lvp_reconcile_domain(const LvpMachineJobs *jobs, const char *uuid);
