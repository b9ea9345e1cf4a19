/* SPDX-License-Identifier: Apache-2.0 */
/* What a test needs that runs the core with the real sources, linked into it, on a fake host and
 * with a libvirt of its own. */
#pragma once

#include "allocator.h"
#include "config.h"
#include "hypervisor.h"

/* Sources cpu, memory and pci, with classes.yaml and pci_devices.yaml below ROOT;
 * lvp_config_free(). */
LvpConfig *linked_config_new(const char *root);
/* Its source pci; borrowed. */
const LvpConfiguredSource *linked_config_get_pci(const LvpConfig *self);

/* What all machines hold of a counted resource. */
gint64 linked_sum_held(const LvpWorld *world, const char *resource);

/* Of an LvpDomainSeen. */
void linked_free_seen(gpointer data);
