/* SPDX-License-Identifier: Apache-2.0 */
/* A library that is no source. */
#include <libvirt-provider/source.h>

G_MODULE_EXPORT int not_the_table(void);

int
not_the_table(void)
{
    return 1;
}
