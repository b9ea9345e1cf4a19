/* SPDX-License-Identifier: Apache-2.0 */
/* What machine-jobs.c (forward) and machine-undo.c (back) are made of. */
#pragma once

#include "machine-jobs.h"

void lvp_step_say(const LvpProgress *progress, const char *text);
/* The source of a holding among SOURCES, borrowed; LVP_ERROR_SOURCE ("source-missing"). */
LvpSource *lvp_step_find_source(GPtrArray *sources,
                                const LvpMachine *machine,
                                const char *name,
                                GError **error);
/* Whether the sources of all holdings are loaded. */
gboolean lvp_step_check_sources(GPtrArray *sources, const LvpMachine *machine, GError **error);
/* The machine's domain, from its template and holdings; g_free(). */
char *lvp_step_build_domain(const LvpMachineJobs *jobs,
                            GPtrArray *sources,
                            const LvpMachine *machine,
                            GError **error);
gboolean lvp_step_define_domain(const LvpMachineJobs *jobs,
                                GPtrArray *sources,
                                const LvpMachine *machine,
                                GError **error);
/* Asks libvirt for the state of the machine's domain and notes it. */
void lvp_step_look_at_domain(const LvpMachineJobs *jobs, const LvpMachine *machine);
