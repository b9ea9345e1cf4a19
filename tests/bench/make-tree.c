/* SPDX-License-Identifier: Apache-2.0 */
/* make-tree DEVICES [DISKS]: makes a host tree, prints its root, and removes it when standard input
 * ends. */
#include "made-tree.h"

#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
    guint64 n_devices, n_disks = 0;
    if (argc < 2 || !g_ascii_string_to_unsigned(argv[1], 10, 0, 65536, &n_devices, NULL) ||
        (argc > 2 && !g_ascii_string_to_unsigned(argv[2], 10, 0, n_devices / 10, &n_disks, NULL))) {
        fprintf(stderr, "usage: make-tree DEVICES [DISKS]\n");
        return 2;
    }
    g_autoptr(LvpScratch) tree = lvp_made_tree_new((guint)n_devices, (guint)n_disks);
    printf("%s\n", lvp_scratch_get_root(tree));
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return EXIT_SUCCESS;
}
