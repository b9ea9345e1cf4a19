/* SPDX-License-Identifier: Apache-2.0 */
/* A card of two functions in one slot and IOMMU group, both on host drivers, and the pci source
 * that gives it away. */
#pragma once

#include "fake-host.h"
#include "request.h"
#include "scratch.h"
#include "source-fixture.h"

#define SLOT_GPU "0000:3b:00.0"
#define SLOT_AUDIO "0000:3b:00.1"
#define SLOT_OTHER "0000:3b:01.0" /* not there before slot_add_other() */
#define SLOT_GROUP "15"
#define SLOT_OPENER "vfio/" SLOT_GROUP

#define SLOT_GPU_DRIVER "nvidia"
#define SLOT_AUDIO_DRIVER "snd_hda_intel"
#define SLOT_OTHER_DRIVER "dfl-pci"

typedef struct {
    LvpFakeHost *fake;
    LvpScratch *scratch;
    char *file;
    LvpHost *host; /* of the source */
    SourceFixture *source;
} Slot;

/* Entries for the three; MORE: further keys of the first, such as ", functions: single". */
#define SLOT_ENTRIES(more)                                                                         \
    "vendors:\n  - id: \"0x10de\"\n    name: nvidia\n    devices:\n"                               \
    "      - {id: \"0x20b7\", name: a30, type: gpu" more "}\n"                                     \
    "      - {id: \"0x1aef\", name: hda, type: audio}\n"                                           \
    "      - {id: \"0x1572\", name: fpga, type: accelerator" more "}\n"

/* ENTRIES: the devices file; NULL: none. vfio-pci is loaded. A source waits a second
 * for one who holds the group. */
Slot *slot_new(const char *entries);
void slot_free(Slot *self);
/* A third function of the group, in the next slot. */
void slot_add_other(Slot *self);
/* The provider is another process: source and host are new, and know what is on disk. */
void slot_start_again(Slot *self);

/* The record of a machine that holds UNITS (NULL-ended), as it comes out of the journal; NULL with
 * ERROR. g_variant_unref(). */
GVariant *slot_try_prepare(Slot *self, const char *const *units, GError **error);
/* The same; the test fails where it does not work. */
GVariant *slot_prepare(Slot *self, const char *const *units);
void slot_commit(Slot *self, GVariant *record);
/* Of all units, or of ONLY_UNIT; lvp_outcome_free(). */
LvpOutcome *slot_roll_back(Slot *self, GVariant *record, const char *only_unit);

/* DRIVER and OVERRIDE: "" for none. */
void
slot_assert_function(Slot *self, const char *address, const char *driver, const char *override);
/* Each of the two functions as it was plugged in. */
void slot_assert_original(Slot *self);
/* What the outcome says of one unit; part of the reason NULL: no reason. */
void slot_assert_verdict(const LvpOutcome *outcome,
                         const char *unit,
                         LvpVerdict expected,
                         const char *part);
/* EXPECTED: the writes after the first COUNT, joined by a line end, without "bus/pci/". */
void slot_assert_writes(Slot *self, guint count, const char *expected);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Slot, slot_free)
