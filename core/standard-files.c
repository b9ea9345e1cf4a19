/* SPDX-License-Identifier: Apache-2.0 */
#include "standard-files.h"

#include <fcntl.h>
#include <unistd.h>

void
lvp_standard_files_fill(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/", O_PATH); /* takes the lowest number that is free: this one */
}
