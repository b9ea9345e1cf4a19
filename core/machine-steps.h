/* SPDX-License-Identifier: Apache-2.0 */
/* What machine-jobs.c (forward), machine-undo.c (back) and machine-dry-run.c (neither) are made of.
 */
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
/* Name, uuid and template of a create. */
gboolean lvp_step_check_spec(const LvpMachineJobs *jobs, const LvpCreateSpec *spec, GError **error);
/* Lets the sources of all holdings read the host, into their records. */
gboolean lvp_step_prepare(GPtrArray *sources, LvpMachine *machine, GError **error);
/* Compares the host with a holding's record, without effect. LVP_ERROR_BUSY or _CONFLICT where the
 * machine cannot start with what is there. */
gboolean lvp_step_compare(LvpSource *source,
                          const LvpMachine *machine,
                          const LvpHolding *holding,
                          gboolean *ret_needs_commit,
                          GError **error);
/* The state of the domain; LVP_ERROR_CONFLICT where there is none. */
gboolean lvp_step_find_domain(const LvpMachineJobs *jobs,
                              const LvpMachine *machine,
                              LvpDomainState *ret_state,
                              GError **error);
/* The machine's domain, from its template and holdings; g_free(). */
char *lvp_step_build_domain(const LvpMachineJobs *jobs,
                            GPtrArray *sources,
                            const LvpMachine *machine,
                            GError **error);
gboolean lvp_step_define_domain(const LvpMachineJobs *jobs,
                                GPtrArray *sources,
                                const LvpMachine *machine,
                                GError **error);
/* Asks libvirt for the state of the machine's domain, notes it and returns it: what is noted may be
 * another soon. */
LvpDomainState lvp_step_look_at_domain(const LvpMachineJobs *jobs, const LvpMachine *machine);
