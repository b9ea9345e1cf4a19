/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds what: sources, inventory, classes and machines under the one lock.
 *
 * Only here is decided, and only what the journal has taken counts. The lock is never held over
 * I/O: what a call decides under the lock is written to the journal after it, and taken back if
 * that fails. A machine that is busy belongs to the job that made it so. */
#pragma once

#include "class-table.h"
#include "events.h"
#include "inventory.h"
#include "journal.h"
#include "planner.h"
#include "source.h"
#include "verdict.h"

typedef struct LvpAllocator LvpAllocator;

/* What lies under the lock; read only, and only inside lvp_allocator_read(). */
typedef struct {
    const GPtrArray *sources; /* LvpSource */
    const LvpInventory *inventory;
    const GPtrArray *classes;  /* LvpClassEntry, in the order of the file */
    const GPtrArray *machines; /* LvpMachine, in the order of names */
    gint64 vm_limit;           /* 0: none */
} LvpWorld;

typedef struct {
    const char *name;
    const char *uuid; /* NULL: a new one */
    const char *class_name;
    const char *template_xml;
    GVariant *labels;      /* a{ss} */
    GVariant *annotations; /* a{ss} */
    gboolean start;
    gboolean autostart; /* start it after a reboot, too */
} LvpCreateSpec;

/* What an active domain uses of the host, ours or not. */
typedef struct {
    char *uuid;
    char *name;
    char **addresses; /* ids of units, among others; NULL-ended */
} LvpDomainUse;

void lvp_domain_use_free(LvpDomainUse *self);

/* Takes over the machines and marks of JOURNAL, which outlives the allocator. */
LvpAllocator *lvp_allocator_new(LvpJournal *journal, GError **error);
void lvp_allocator_free(LvpAllocator *self);
/* Where changes are told; EVENTS outlives the allocator. Before the first install. */
void lvp_allocator_set_events(LvpAllocator *self, LvpEvents *events);

/* Puts another world in place: sources (LvpSource), the LvpSnapshot of each in the same order
 * (taken over), and classes (LvpMachineClass; NULL: those that are in place, and VM_LIMIT as it
 * is). All or nothing: LVP_ERROR_CONFLICT and LVP_ERROR_SOURCE as lvp_inventory_add_snapshot().
 * Claims stay as they are. */
gboolean lvp_allocator_install(LvpAllocator *self,
                               GPtrArray *sources,
                               GPtrArray *snapshots,
                               GPtrArray *classes,
                               gint64 vm_limit,
                               GError **error);
/* For whoever looks at the host in order to install what is seen: one at a time, so that an older
 * look never replaces a newer one. g_mutex_locker_free(). */
GMutexLocker *lvp_allocator_lock_setup(LvpAllocator *self);

/* Calls READ under the lock. It must not block, nor call the allocator. */
void lvp_allocator_read(LvpAllocator *self,
                        void (*read)(const LvpWorld *world, gpointer data),
                        gpointer data);

/* The sources as they are now: LvpSource with a reference each; g_ptr_array_unref(). */
GPtrArray *lvp_allocator_dup_sources(LvpAllocator *self);

/* ---- for jobs: each returned machine is a reference of the caller, busy until end or remove ----
 */

/* Plans and reserves a machine of a class, durably. *RET_EXISTING is set, and the machine not busy,
 * where the same create was done before. LVP_ERROR_NO_CAPACITY, _EXISTS, _NOT_FOUND (the class). */
LvpMachine *lvp_allocator_reserve(LvpAllocator *self,
                                  const LvpCreateSpec *spec,
                                  gboolean *ret_existing,
                                  GError **error);
/* The same without effect: a machine of which nothing is held, not in any list; or the existing
 * one.
 */
LvpMachine *lvp_allocator_plan(LvpAllocator *self,
                               const LvpCreateSpec *spec,
                               gboolean *ret_existing,
                               GError **error);
/* Begins a start, stop or delete of a machine that exists, by name or uuid. KEEP_NVRAM is of a
 * delete. LVP_ERROR_NOT_FOUND, _BUSY, _CONFLICT after an operation that failed. */
LvpMachine *lvp_allocator_begin(LvpAllocator *self,
                                const char *name_or_uuid,
                                LvpOperation operation,
                                gboolean keep_nvram,
                                GError **error);
/* The machine on which OPERATION could begin now, but not busy; errors as of a begin. */
LvpMachine *lvp_allocator_find_idle(LvpAllocator *self,
                                    const char *name_or_uuid,
                                    LvpOperation operation,
                                    GError **error);
/* Makes a machine busy for what recovery has to do, if OPERATION stands in the journal for it; NULL
 * if another does, or if the machine is busy already or gone. */
LvpMachine *lvp_allocator_resume(LvpAllocator *self, const char *uuid, LvpOperation operation);
/* It is no longer busy, and nothing else has changed. */
void lvp_allocator_rest(LvpAllocator *self, LvpMachine *machine);
/* A create has come to STEP; with PREPARED the records are written, too, or dropped where that
 * fails. */
gboolean lvp_allocator_advance(
    LvpAllocator *self, LvpMachine *machine, LvpStep step, const char *boot_id, GError **error);
/* The operation is over and worked: the machine exists and rests. */
gboolean lvp_allocator_finish(LvpAllocator *self, LvpMachine *machine, GError **error);
/* The operation ended with WHY. If KEEP, it stays in the journal to be gone on with; else the
 * machine rests as it is, and WHY may be NULL. */
void lvp_allocator_fail(LvpAllocator *self, LvpMachine *machine, const GError *why, gboolean keep);
/* Gives back all that the machine holds and forgets it; MARKS (LvpUnitMark) say which units are
 * quarantined instead of free. */
gboolean lvp_allocator_remove(LvpAllocator *self,
                              LvpMachine *machine,
                              const GPtrArray *marks,
                              GError **error);

/* ---- what is seen ---- */

/* Before domains are listed: what ends from now on is no longer used, though the list may have it.
 */
void lvp_allocator_begin_look(LvpAllocator *self);
/* What active domains use; USES (LvpDomainUse) is taken over. A unit that a domain uses which is
 * not its holder's has the condition foreign until the next call. */
void lvp_allocator_set_domain_uses(LvpAllocator *self, GPtrArray *uses);
/* What the sources say of the machine's units: NOTES (id -> reason) is taken over. Fills in SIGHT
 * what the machine itself says: all but the worst verdict and the grace. NOW_US is of the clock by
 * which domains are missed, BOOT_ID this boot. */
void lvp_allocator_note_sight(LvpAllocator *self,
                              LvpMachine *machine,
                              GHashTable *notes,
                              const char *boot_id,
                              gint64 now_us,
                              LvpSight *sight);
/* What the machine should get by itself, and why that failed: logged when it is new. NULL: it has
 * got it, or needs nothing. */
void lvp_allocator_note_failure(LvpAllocator *self, LvpMachine *machine, const char *failure);
/* What was noted of the machine's units is over: they have been put in order. */
void lvp_allocator_drop_notes(LvpAllocator *self, LvpMachine *machine);
/* Machines that no job runs on: LvpMachine, with a reference each. */
GPtrArray *lvp_allocator_list_idle(LvpAllocator *self);
/* Whether the unit UNIT_ID is blocked; NULL: whether any is, and to be looked at again soon. */
gboolean lvp_allocator_has_blocked_units(LvpAllocator *self, const char *unit_id);

void lvp_allocator_set_domain_state(LvpAllocator *self, const char *uuid, LvpDomainState state);
/* All domains are unknown: libvirt went away. */
void lvp_allocator_forget_domain_states(LvpAllocator *self);
/* Waits until the machine's domain is in STATE; FALSE after TIMEOUT_MS. */
gboolean lvp_allocator_wait_domain(LvpAllocator *self,
                                   const LvpMachine *machine,
                                   LvpDomainState state,
                                   guint timeout_ms);

/* ---- after a damaged journal ---- */

/* Whether machines are still to be taken up from their domains: until then nothing is given or
 * taken, and all operations say LVP_ERROR_BUSY. */
gboolean lvp_allocator_needs_rebuild(LvpAllocator *self);
/* Takes up a machine that exists, durably. LVP_ERROR_CONFLICT, _EXISTS where it is here already or
 * something that it holds is another's. */
gboolean lvp_allocator_adopt(LvpAllocator *self, LvpMachine *machine, GError **error);
/* All are taken up; MARKS (LvpUnitMark) say which units are quarantined. */
gboolean lvp_allocator_end_rebuild(LvpAllocator *self, const GPtrArray *marks, GError **error);

/* ---- marks ---- */

/* LVP_ERROR_NOT_FOUND where no source has such a unit. */
gboolean lvp_allocator_set_cordoned(LvpAllocator *self,
                                    const char *unit_id,
                                    gboolean cordoned,
                                    GError **error);
/* The mark of a quarantined unit, a copy; LVP_ERROR_NOT_FOUND, _INVALID_REQUEST if it is not. */
LvpUnitMark *lvp_allocator_dup_quarantine(LvpAllocator *self, const char *unit_id, GError **error);
gboolean lvp_allocator_clear_quarantine(LvpAllocator *self, const char *unit_id, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpAllocator, lvp_allocator_free)
