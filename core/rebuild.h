/* SPDX-License-Identifier: Apache-2.0 */
/* After a damaged journal was set aside: machines come back from the metadata of their domains;
 * devices that look taken and that none of them explains are quarantined. */
#pragma once

#include "machine-jobs.h"

/* DOMAINS (LvpDomainSeen) are all that libvirt has. Can be repeated; nothing else is to be given or
 * taken before it has succeeded. */
gboolean lvp_rebuild(const LvpMachineJobs *jobs, const GPtrArray *domains, GError **error);
