/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of the core and the pci source that the linker leads through here (--wrap): where a
 * thread of a real provider may be overtaken with no lock held, a task pauses. Within the journal's
 * writer, and where the lock of the marks is held, it does not: who waits for them waits for the
 * whole thread. */
#include "sim-mutants.h"
#include "sim-node.h"
#include "sim-watch.h"

#include "allocator-private.h"
#include "journal.h"
#include "pci-host-use.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <libvirt-provider/host.h>
#include <string.h>
#include <unistd.h>

#define SEAM(function) __typeof__(function) __wrap_##function, __real_##function

SEAM(lvp_host_write);
SEAM(lvp_host_read_guarded);
SEAM(lvp_journal_reserve);
SEAM(lvp_journal_save_machine);
SEAM(lvp_journal_save_records);
SEAM(lvp_journal_remove);
SEAM(lvp_journal_adopt);
SEAM(fsync);
SEAM(g_file_test);
SEAM(g_unlink);
SEAM(rename);
SEAM(lvp_allocator_lock_setup);
SEAM(lvp_allocator_needs_rebuild);
SEAM(lvp_pci_host_use_find);
SEAM(lvp_pci_find_sriov_problem);

static SimWorld *world; /* one at a time */

void
sim_seams_set_world(SimWorld *self)
{
    world = self;
}

/* ---- effects on one device wait for each other ---- */

static const char *working[SIM_TASKS_MAX + 1]; /* of each task: the lock of its effect */

static gboolean
is_working(const char *lock)
{
    for (guint i = 0; i < G_N_ELEMENTS(working); i++)
        if (g_strcmp0(working[i], lock) == 0)
            return TRUE;
    return FALSE;
}

const char *
sim_seams_find_working(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(working); i++)
        if (working[i])
            return working[i];
    return NULL;
}

/* What lvp_host_write() would do by a condition variable, which a single thread cannot wait for. */
static void
begin_work(const char *lock)
{
    while (is_working(lock))
        sim_pause();
    working[sim_tasks_get_current()] = lock;
}

static void
end_work(void)
{
    working[sim_tasks_get_current()] = NULL;
}

gboolean
__wrap_lvp_host_write(LvpHost *self,
                      const char *path,
                      const char *text,
                      const char *lock,
                      guint timeout_ms,
                      GError **error)
{
    begin_work(lock);
    gboolean ok = __real_lvp_host_write(self, path, text, lock, timeout_ms, error);
    end_work();
    return ok;
}

char *
__wrap_lvp_host_read_guarded(
    LvpHost *self, const char *path, const char *lock, guint timeout_ms, GError **error)
{
    begin_work(lock);
    char *text = __real_lvp_host_read_guarded(self, path, lock, timeout_ms, error);
    end_work();
    return text;
}

/* ---- looks at the host, too ---- */

GMutexLocker *
__wrap_lvp_allocator_lock_setup(LvpAllocator *self)
{
    while (!g_mutex_trylock(&self->setup_mutex))
        sim_pause();
    g_mutex_unlock(&self->setup_mutex);
    return __real_lvp_allocator_lock_setup(self);
}

/* ---- the journal ---- */

gboolean
__wrap_lvp_journal_reserve(LvpJournal *self, LvpMachine *machine, GError **error)
{
    sim_pause();
    gboolean ok = __real_lvp_journal_reserve(self, machine, error);
    sim_pause();
    return ok;
}

gboolean
__wrap_lvp_journal_save_machine(LvpJournal *self, const LvpMachine *machine, GError **error)
{
    sim_pause();
    gboolean ok = __real_lvp_journal_save_machine(self, machine, error);
    sim_pause();
    return ok;
}

gboolean
__wrap_lvp_journal_save_records(LvpJournal *self, const LvpMachine *machine, GError **error)
{
    sim_pause();
    gboolean ok = __real_lvp_journal_save_records(self, machine, error);
    sim_pause();
    return ok;
}

gboolean
__wrap_lvp_journal_remove(LvpJournal *self,
                          const LvpMachine *machine,
                          const GPtrArray *marks,
                          GError **error)
{
    gboolean locked = marks && marks->len > 0;
    if (!locked)
        sim_pause();
    gboolean ok = __real_lvp_journal_remove(self, machine, marks, error);
    if (!locked)
        sim_pause();
    return ok;
}

gboolean
__wrap_lvp_journal_adopt(LvpJournal *self, LvpMachine *machine, GError **error)
{
    sim_pause();
    gboolean ok = __real_lvp_journal_adopt(self, machine, error);
    sim_pause();
    return ok;
}

/* ---- the journal's file, where it is not SQLite that moves it ---- */

static gboolean
is_on_disk(const char *path)
{
    return strstr(path, "/state/state.db") != NULL;
}

static int
tell(int code)
{
    errno = code;
    return code == 0 ? 0 : -1;
}

int
__wrap_rename(const char *from, const char *to)
{
    return is_on_disk(from) ? tell(sim_disk_rename(sim_disk, from, to)) : __real_rename(from, to);
}

int
__wrap_g_unlink(const char *path)
{
    return is_on_disk(path) ? tell(sim_disk_unlink(sim_disk, path)) : __real_g_unlink(path);
}

gboolean
__wrap_g_file_test(const char *path, GFileTest test)
{
    return is_on_disk(path) ? sim_disk_exists(sim_disk, path) : __real_g_file_test(path, test);
}

/* Nothing but the journal's folder is synced so. */
int
__wrap_fsync(int fd)
{
    (void)fd;
    return tell(sim_disk_sync_folder(sim_disk));
}

gboolean
__wrap_lvp_allocator_needs_rebuild(LvpAllocator *self)
{
    return g_strcmp0(world->mutant, SIM_MUTANT_NO_REBUILD) != 0 &&
           __real_lvp_allocator_needs_rebuild(self);
}

/* ---- what the pci source looks for ---- */

char *
__wrap_lvp_pci_host_use_find(LvpPciHostUse *self,
                             const char *address,
                             guint class_code,
                             const char *driver)
{
    char *use = __real_lvp_pci_host_use_find(self, address, class_code, driver);
    sim_watch_look(world, SIM_USE_HOST, address);
    return sim_mutate_finding(world->mutant, SIM_MUTANT_NO_HOST_USE_CHECK, use);
}

char *
__wrap_lvp_pci_find_sriov_problem(LvpHost *host, const char *address)
{
    sim_watch_look(world, SIM_USE_VFS, address);
    return sim_mutate_finding(world->mutant, SIM_MUTANT_NO_SRIOV_CHECK,
                              __real_lvp_pci_find_sriov_problem(host, address));
}
