/* SPDX-License-Identifier: Apache-2.0 */
/* One card on a fake host, in each state that it can be in before the provider takes it. */
#pragma once

#include "fake-host.h"
#include "pci-binding.h"

#define CARD "0000:3b:00.0"
#define CARD_DEVICES "bus/pci/devices/" CARD
#define CARD_IDENTITY "10de:20b7:10de:1532:a1:030200"
#define CARD_GROUP "15"
#define CARD_OPENER "vfio/" CARD_GROUP

/* Long enough that no answer of the fake host comes late, and soon over where a test waits. */
#define CARD_TIMEOUT_MS 50

typedef struct {
    const char *driver;   /* "" for none */
    const char *override; /* "" for none */
} Original;

extern const Original ORIGINALS[];
extern const guint N_ORIGINALS;

/* Plugs the card in as it was. Its host driver is nvidia, unless it had no driver. */
void card_add(LvpFakeHost *fake, const Original *original);
/* The same model of another vendor, at the same address. */
void card_replace(LvpFakeHost *fake);

/* What `prepare` would have recorded. */
LvpPciBinding card_get_binding(const Original *original);

/* That it is on DRIVER and has OVERRIDE, "" for none. */
void card_assert_state(LvpFakeHost *fake, const char *driver, const char *override);

/* Puts it back from another process, as after a restart of the provider: by another host object and
 * the binding alone. The test fails where the verdict is not EXPECTED, or comes with a reason for
 * DONE, or without one for anything else. */
void card_put_back(LvpFakeHost *fake, const Original *original, LvpVerdict expected);
