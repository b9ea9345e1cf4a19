/* SPDX-License-Identifier: Apache-2.0 */
/* A record of the pci source, for tests of what is done with one. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Of a machine with the functions at ADDRESSES (NULL-ended), as if each were a unit; one behind a
 * "-" is bound along only. g_variant_unref(). */
GVariant *lvp_make_pci_record(const char *const *addresses);

G_END_DECLS
