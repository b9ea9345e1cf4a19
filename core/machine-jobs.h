/* SPDX-License-Identifier: Apache-2.0 */
/* One machine operation from beginning to end. Each function runs in the calling thread, blocks,
 * and leaves the machine at rest or, where it could not be finished, in the journal with the
 * reason. */
#pragma once

#include "allocator.h"
#include "hypervisor.h"

typedef struct {
    LvpAllocator *allocator;
    LvpHypervisor *hypervisor;
    const char *boot_id;
    gint64 orphan_grace_us;     /* how long a machine without domain keeps what it holds */
    gint64 (*get_now_us)(void); /* a clock that never goes back */
    const char *default_template;
} LvpMachineJobs;

/* Says what is being done, for a person who waits. May be NULL. */
typedef struct {
    void (*say)(gpointer data, const char *text);
    gpointer data;
} LvpProgress;

/* All or nothing: on an error everything is given back. ASKED->template_xml NULL: the default one.
 * A reference of the machine. */
LvpMachine *lvp_machine_create(const LvpMachineJobs *jobs,
                               const LvpCreateSpec *asked,
                               const LvpProgress *progress,
                               GError **error);
gboolean lvp_machine_start(const LvpMachineJobs *jobs,
                           const char *name,
                           const LvpProgress *progress,
                           GError **error);
/* Asks the guest and waits; LVP_ERROR_TIMED_OUT where it goes on running. With FORCE: at once. */
gboolean lvp_machine_stop(const LvpMachineJobs *jobs,
                          const char *name,
                          gboolean force,
                          guint timeout_ms,
                          const LvpProgress *progress,
                          GError **error);
gboolean lvp_machine_delete(const LvpMachineJobs *jobs,
                            const char *name,
                            gboolean keep_nvram,
                            const LvpProgress *progress,
                            GError **error);

/* Takes the resources of a machine that is off from the host again, as after a reboot. Not while an
 * operation is under way: LVP_ERROR_BUSY. */
gboolean lvp_machine_bind_again(const LvpMachineJobs *jobs, const char *uuid, GError **error);

/* ---- for reconcile: MACHINE is busy with the operation that stands in the journal ---- */

/* Undoes a create that was not acknowledged, or goes on with a delete. */
gboolean lvp_machine_take_back(const LvpMachineJobs *jobs,
                               LvpMachine *machine,
                               const LvpProgress *progress,
                               GError **error);

/* Tries again to put a quarantined unit back where it came from. With FORCE it is free afterwards
 * even if that fails: somebody has looked. LVP_ERROR_BUSY, also with FORCE, while an effect on it
 * is in flight or somebody has it open: nobody can know how it will be. */
gboolean
lvp_device_release(const LvpMachineJobs *jobs, const char *unit_id, gboolean force, GError **error);
