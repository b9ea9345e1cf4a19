/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of the modules in modules/ in a folder whose owner and modes are known, whatever those of
 * the build tree are. */
#pragma once

#include "scratch.h"

#include <criterion/criterion.h>

/* Copies NAME.so to FOLDER of SCRATCH, both not writable for others. */
static inline void
copy_module(LvpScratch *scratch, const char *folder, const char *name)
{
    g_autofree char *from = g_strdup_printf(TEST_MODULES_DIR "/%s.so", name);
    g_autofree char *to = g_strdup_printf("%s/%s.so", folder, name);
    g_autofree char *bytes = NULL;
    gsize length = 0;
    cr_assert(g_file_get_contents(from, &bytes, &length, NULL), "no module %s", from);
    lvp_scratch_write_bytes(scratch, to, bytes, length);
}
