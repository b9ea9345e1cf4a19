/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's claim as text, for the metadata of its domain: with it, and nothing else, the journal
 * can be made again. */
#pragma once

#include "machine.h"

/* The same for the same claim; g_free(). */
char *lvp_machine_state_to_text(const LvpMachine *machine);
/* The machine as one that is created and at rest, without a template; NULL where TEXT is none of
 * ours. */
LvpMachine *lvp_machine_state_parse(const char *text,
                                    const char *uuid,
                                    const char *name,
                                    const char *class_name);
