/* SPDX-License-Identifier: Apache-2.0 */
/* A pci_devices.yaml given as text. */
#pragma once

#include "pci-devices-file.h"

/* Reads TEXT; the test fails where it has mistakes. */
LvpPciDevicesFile *devices_text_read(const char *text);
/* The mistakes of TEXT as they are printed, with FILE for the name of the file; "" if there is
 * none; g_free(). The test fails where the answer is not a file without mistakes or mistakes
 * without a file. */
char *devices_text_find_mistakes(const char *text);

/* One vendor (0x10de, nvidia) with the device entries DEVICES, each of which begins with "      - "
 * in line 5 or later. */
#define NVIDIA(devices) "vendors:\n  - id: \"0x10de\"\n    name: nvidia\n    devices:\n" devices
/* ID and what else stands between the braces of an entry. */
#define ENTRY(id, rest) "      - {id: \"" id "\", " rest "}\n"
