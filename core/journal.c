/* SPDX-License-Identifier: Apache-2.0 */
/* One caller writes at a time. Who finds nobody writing takes all that is queued into one
 * transaction; the others wait, and so share its sync. There is no thread of its own: for a single
 * caller its two switches would cost a tenth of the write. */
#include "journal-repair.h"

#include "lib/host-locks.h"

#include <errno.h>
#include <libvirt-provider/error.h>
#include <string.h>
#include <unistd.h>

#define MAX_BATCH 64

struct LvpJournal {
    LvpJournalDb *db; /* of whoever is writing */
    GMutex mutex;     /* guards the rest */
    GCond written;
    GQueue tasks; /* Task, borrowed from the waiting callers */
    gboolean writing;
    char *folder;
    int lock_fd;
};

typedef struct Task Task;
struct Task {
    gboolean (*run)(LvpJournalDb *db, const Task *task, GError **error);
    LvpMachine *machine_to_add;
    const LvpMachine *machine;
    const GPtrArray *marks;
    const LvpUnitMark *mark;
    const GPtrArray *events;
    GError *error;
    gboolean ok;
    gboolean done;
};

/* ---- marks ---- */

LvpUnitMark *
lvp_unit_mark_new(const char *source, const char *unit_id)
{
    LvpUnitMark *self = g_new0(LvpUnitMark, 1);
    self->source = g_strdup(source);
    self->unit_id = g_strdup(unit_id);
    return self;
}

LvpUnitMark *
lvp_unit_mark_copy(const LvpUnitMark *self)
{
    LvpUnitMark *copy = lvp_unit_mark_new(self->source, self->unit_id);
    copy->cordoned = self->cordoned;
    copy->quarantine = g_strdup(self->quarantine);
    copy->resource = g_strdup(self->resource);
    copy->identity = g_strdup(self->identity);
    copy->record = self->record ? g_variant_ref(self->record) : NULL;
    copy->found = self->found ? g_variant_ref(self->found) : NULL;
    return copy;
}

void
lvp_unit_mark_free(LvpUnitMark *self)
{
    if (!self)
        return;
    g_free(self->source);
    g_free(self->unit_id);
    g_free(self->quarantine);
    g_free(self->resource);
    g_free(self->identity);
    g_clear_pointer(&self->record, g_variant_unref);
    g_clear_pointer(&self->found, g_variant_unref);
    g_free(self);
}

/* ---- writing ---- */

/* One of several in a transaction: what fails is undone alone. */
static gboolean
run_part(LvpJournalDb *db, Task *task)
{
    /* Without its transaction a part would be durable on its own, and still be told as failed. */
    if (!lvp_journal_db_is_in_transaction(db) || !lvp_journal_db_begin_part(db, &task->error))
        return FALSE;
    gboolean ok = task->run(db, task, &task->error);
    return lvp_journal_db_end_part(db, ok, ok ? &task->error : NULL) && ok;
}

static void
run_alone(LvpJournalDb *db, Task *task)
{
    if (!lvp_journal_db_begin(db, &task->error))
        return;
    if (task->run(db, task, &task->error))
        task->ok = lvp_journal_db_commit(db, &task->error);
    else
        lvp_journal_db_roll_back(db);
}

static void
run_batch(LvpJournalDb *db, GPtrArray *batch)
{
    g_autoptr(GError) error = NULL;
    gboolean begun = lvp_journal_db_begin(db, &error);
    for (guint i = 0; begun && i < batch->len; i++) {
        Task *task = g_ptr_array_index(batch, i);
        task->ok = run_part(db, task);
    }
    gboolean durable = begun && lvp_journal_db_commit(db, &error);
    for (guint i = 0; !durable && i < batch->len; i++) {
        Task *task = g_ptr_array_index(batch, i);
        task->ok = FALSE;
        if (!task->error)
            task->error = g_error_copy(error);
    }
}

/* With the mutex held, which is let go meanwhile: writes what is queued, as far as it goes into one
 * batch. */
static void
write_queued(LvpJournal *self)
{
    g_autoptr(GPtrArray) batch = g_ptr_array_new();
    while (batch->len < MAX_BATCH && !g_queue_is_empty(&self->tasks))
        g_ptr_array_add(batch, g_queue_pop_head(&self->tasks));
    self->writing = TRUE;
    g_mutex_unlock(&self->mutex);
    if (batch->len == 1)
        run_alone(self->db, g_ptr_array_index(batch, 0));
    else
        run_batch(self->db, batch);
    g_mutex_lock(&self->mutex);
    self->writing = FALSE;
    for (guint i = 0; i < batch->len; i++)
        ((Task *)g_ptr_array_index(batch, i))->done = TRUE;
    g_cond_broadcast(&self->written);
}

static gboolean
submit(LvpJournal *self, Task *task, GError **error)
{
    g_mutex_lock(&self->mutex);
    g_queue_push_tail(&self->tasks, task);
    while (!task->done) {
        if (self->writing)
            g_cond_wait(&self->written, &self->mutex);
        else
            write_queued(self);
    }
    g_mutex_unlock(&self->mutex);
    if (!task->ok)
        g_propagate_error(error, task->error);
    return task->ok;
}

static gboolean
run_reserve(LvpJournalDb *db, const Task *task, GError **error)
{
    return lvp_journal_db_reserve(db, task->machine_to_add, error);
}

gboolean
lvp_journal_reserve(LvpJournal *self, LvpMachine *machine, GError **error)
{
    Task task = {.run = run_reserve, .machine_to_add = machine};
    return submit(self, &task, error);
}

static gboolean
run_save_machine(LvpJournalDb *db, const Task *task, GError **error)
{
    return lvp_journal_db_save_machine(db, task->machine, error);
}

gboolean
lvp_journal_save_machine(LvpJournal *self, const LvpMachine *machine, GError **error)
{
    Task task = {.run = run_save_machine, .machine = machine};
    return submit(self, &task, error);
}

static gboolean
run_save_records(LvpJournalDb *db, const Task *task, GError **error)
{
    return lvp_journal_db_save_records(db, task->machine, error);
}

gboolean
lvp_journal_save_records(LvpJournal *self, const LvpMachine *machine, GError **error)
{
    Task task = {.run = run_save_records, .machine = machine};
    return submit(self, &task, error);
}

static gboolean
run_remove(LvpJournalDb *db, const Task *task, GError **error)
{
    return lvp_journal_db_remove(db, task->machine, task->marks, error);
}

gboolean
lvp_journal_remove(LvpJournal *self,
                   const LvpMachine *machine,
                   const GPtrArray *marks,
                   GError **error)
{
    Task task = {.run = run_remove, .machine = machine, .marks = marks};
    return submit(self, &task, error);
}

static gboolean
run_set_mark(LvpJournalDb *db, const Task *task, GError **error)
{
    return lvp_journal_db_set_mark(db, task->mark, error);
}

gboolean
lvp_journal_set_mark(LvpJournal *self, const LvpUnitMark *mark, GError **error)
{
    Task task = {.run = run_set_mark, .mark = mark};
    return submit(self, &task, error);
}

static gboolean
run_end_rebuild(LvpJournalDb *db, const Task *task, GError **error)
{
    for (guint i = 0; i < task->marks->len; i++)
        if (!lvp_journal_db_set_mark(db, g_ptr_array_index(task->marks, i), error))
            return FALSE;
    return lvp_journal_db_set_rebuild(db, NULL, error);
}

gboolean
lvp_journal_end_rebuild(LvpJournal *self, const GPtrArray *marks, GError **error)
{
    Task task = {.run = run_end_rebuild, .marks = marks};
    return submit(self, &task, error);
}

static gboolean
run_adopt(LvpJournalDb *db, const Task *task, GError **error)
{
    return lvp_journal_db_reserve(db, task->machine_to_add, error) &&
           lvp_journal_db_save_records(db, task->machine_to_add, error);
}

gboolean
lvp_journal_adopt(LvpJournal *self, LvpMachine *machine, GError **error)
{
    Task task = {.run = run_adopt, .machine_to_add = machine};
    return submit(self, &task, error);
}

static gboolean
run_add_events(LvpJournalDb *db, const Task *task, GError **error)
{
    return lvp_journal_db_add_events(db, task->events, error);
}

gboolean
lvp_journal_add_events(LvpJournal *self, const GPtrArray *events, GError **error)
{
    Task task = {.run = run_add_events, .events = events};
    return submit(self, &task, error);
}

/* Reads in between two batches of writes. */
GPtrArray *
lvp_journal_load_events(LvpJournal *self, gint64 after, guint max, GError **error)
{
    g_mutex_lock(&self->mutex);
    while (self->writing)
        g_cond_wait(&self->written, &self->mutex);
    GPtrArray *events = lvp_journal_db_load_events(self->db, after, max, error);
    g_mutex_unlock(&self->mutex);
    return events;
}

gint64
lvp_journal_read_last_event(LvpJournal *self, GError **error)
{
    gint64 id = 0;
    return lvp_journal_db_read_last_event(self->db, &id, error) ? MAX(id, 0) : -1;
}

/* ---- open, load, close ---- */

/* One provider per state folder, whatever its host root. */
static int
lock_folder(const char *folder, GError **error)
{
    int fd = lvp_host_locks_take(folder, "state.lock");
    if (fd == -EWOULDBLOCK)
        g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY,
                    "another libvirt-provider uses state folder %s (it holds %s/state.lock): stop "
                    "it first, or give this one a folder of its own with --libvirt-provider-dir",
                    folder, folder);
    else if (fd < 0)
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                    "cannot lock %s/state.lock: %s: the daemon must be able to write in the state "
                    "folder, see --libvirt-provider-dir",
                    folder, g_strerror(-fd));
    return fd;
}

LvpJournal *
lvp_journal_open(const char *folder, GError **error)
{
    if (g_mkdir_with_parents(folder, 0700) < 0) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                    "cannot make state folder %s: %s (see --libvirt-provider-dir)", folder,
                    g_strerror(errno));
        return NULL;
    }
    g_autofree char *path = g_build_filename(folder, "state.db", NULL);
    int lock_fd = lock_folder(folder, error);
    LvpJournalDb *db = lock_fd >= 0 ? lvp_journal_repair_open(path, error) : NULL;
    if (!db) {
        if (lock_fd >= 0)
            close(lock_fd);
        return NULL;
    }
    LvpJournal *self = g_new0(LvpJournal, 1);
    g_mutex_init(&self->mutex);
    g_cond_init(&self->written);
    self->db = db;
    self->folder = g_strdup(folder);
    self->lock_fd = lock_fd;
    return self;
}

gboolean
lvp_journal_claim_host(LvpJournal *self, const char *host_root, GError **error)
{
    g_autofree char *own = g_canonicalize_filename(host_root, "/");
    g_autofree char *known = NULL;
    if (!lvp_journal_db_read_host_root(self->db, &known, error))
        return FALSE;
    if (!known)
        return lvp_journal_db_set_host_root(self->db, own, error);
    if (strcmp(known, own) == 0)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_CONFLICT,
                "state folder %s is of host root %s, but --host-root is %s: give each its own "
                "--libvirt-provider-dir",
                self->folder, known, own);
    return FALSE;
}

GPtrArray *
lvp_journal_load_machines(LvpJournal *self, GError **error)
{
    return lvp_journal_db_load_machines(self->db, error);
}

GPtrArray *
lvp_journal_load_marks(LvpJournal *self, GError **error)
{
    return lvp_journal_db_load_marks(self->db, error);
}

gboolean
lvp_journal_read_rebuild(LvpJournal *self, char **ret_reason, GError **error)
{
    return lvp_journal_db_read_rebuild(self->db, ret_reason, error);
}

void
lvp_journal_close(LvpJournal *self)
{
    if (!self)
        return;
    lvp_journal_db_close(self->db);
    g_cond_clear(&self->written);
    g_mutex_clear(&self->mutex);
    g_free(self->folder);
    close(self->lock_fd);
    g_free(self);
}
