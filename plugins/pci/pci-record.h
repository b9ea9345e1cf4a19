/* SPDX-License-Identifier: Apache-2.0 */
/* The pci source's record: what each function was before it was taken, and what for. A record of
 * version 1 is (ua(ssssssb)): the version; then per function address, identity, driver, override,
 * group, the unit that it goes with, and whether it goes to the guest. Records of every released
 * version stay readable. */
#pragma once

#include "pci-binding.h"
#include "pci-devices-file.h"

/* One function of a record; texts are borrowed from it. */
typedef struct {
    LvpPciBinding binding;
    const char *unit; /* the held unit for which it was taken; its own address if it is one */
    gboolean passed;  /* it goes to the guest */
} LvpPciRecordRow;

/* Reads the state of the units and of all that shares their IOMMU groups. FILE says what goes
 * along; NULL: nothing is said. Floating. */
GVariant *lvp_pci_record_make(const LvpPciBinder *binder,
                              const LvpPciDevicesFile *file,
                              const LvpHolding *holding,
                              GError **error);
/* LvpPciRecordRow in the order of units and addresses, valid as long as RECORD;
 * LVP_ERROR_NOT_SUPPORTED where it is none of ours, LVP_ERROR_SOURCE where it is damaged. */
GArray *lvp_pci_record_open(GVariant *record, GError **error);
