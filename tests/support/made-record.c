/* SPDX-License-Identifier: Apache-2.0 */
#include "made-record.h"

GVariant *
lvp_make_pci_record(const char *const *addresses)
{
    g_auto(GVariantBuilder) rows = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(ssssssb)"));
    for (guint i = 0; addresses[i]; i++) {
        gboolean passed = addresses[i][0] != '-';
        const char *address = addresses[i] + (passed ? 0 : 1);
        g_variant_builder_add(&rows, "(ssssssb)", address, "identity", "", "", "15", address,
                              passed);
    }
    return g_variant_ref_sink(g_variant_new("(u@a(ssssssb))", 1, g_variant_builder_end(&rows)));
}
