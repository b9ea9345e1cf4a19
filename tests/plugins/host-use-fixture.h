/* SPDX-License-Identifier: Apache-2.0 */
/* What the host uses a function for, asked as the source asks it. */
#pragma once

#include <libvirt-provider/host.h>

/* Long enough that no answer of the fake host comes late. */
#define USE_TIMEOUT_MS 1000

/* NULL where it does not; g_free(). */
char *use_find(LvpHost *host, const char *address);

/* That it uses it so; EXPECTED NULL: not at all. */
void use_assert(LvpHost *host, const char *address, const char *expected);

/* That it cannot be found out. */
void use_assert_unreadable(LvpHost *host);
