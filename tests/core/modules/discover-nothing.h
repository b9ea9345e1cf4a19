/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <libvirt-provider/source.h>

static inline gboolean
discover_nothing(gpointer self,
                 LvpDiscoverFlags flags,
                 LvpSnapshot *snapshot,
                 GCancellable *cancellable,
                 GError **error)
{
    (void)self;
    (void)flags;
    (void)snapshot;
    (void)cancellable;
    (void)error;
    return TRUE;
}
