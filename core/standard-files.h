/* SPDX-License-Identifier: Apache-2.0 */
/* Standard input, output and error that the caller has closed. */
#pragma once

/* Puts something that can neither be read nor written in the place of each that is closed, so that
 * no socket or journal gets its number, and with it what is printed. Call first in main(). */
void lvp_standard_files_fill(void);
