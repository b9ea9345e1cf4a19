/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of bench-discovery: opens, reads and lists exactly what the pci source does on a made
 * tree, by the shortest C, and keeps nothing. `strace -c` shows the same calls of both. */
#pragma once

#include <glib.h>

/* Returns the number of files read. */
guint lvp_plain_discovery(const char *root);
