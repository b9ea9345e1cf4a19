/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of bench-discovery: opens, reads and lists exactly what the pci source does on a made
 * tree, by the shortest C, and keeps nothing. `strace -f -c` shows as many openat, readlinkat,
 * faccessat and getdents64 of both, see bench-discovery.c; the source has besides the child of each
 * disk. */
#pragma once

#include <glib.h>

/* Returns the number of files read. */
guint lvp_plain_discovery(const char *root);
