/* SPDX-License-Identifier: Apache-2.0 */
/* bare URI: the floor of bench-daemon.py. Linked with the daemon's libraries, it opens the libvirt
 * connection, says so on standard output, and runs libvirt's event loop. */
#include <libvirt-provider/error.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: bare URI\n");
        return 2;
    }
    lvp_error_quark(); /* so that our own library is among them */
    virConnectPtr connection = NULL;
    if (virInitialize() == 0 && virEventRegisterDefaultImpl() == 0)
        connection = virConnectOpen(argv[1]);
    if (!connection) {
        fprintf(stderr, "bare: %s\n", virGetLastErrorMessage());
        return EXIT_FAILURE;
    }
    puts("ready");
    fflush(stdout);
    while (virEventRunDefaultImpl() == 0)
        ;
    return EXIT_FAILURE;
}
