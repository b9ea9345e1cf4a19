/* SPDX-License-Identifier: Apache-2.0 */
#include "allocator-private.h"

#include "claim.h"

#include <libvirt-provider/error.h>
#include <string.h>

/* ---- machines and what they hold ---- */

static int
compare_machines(gconstpointer a, gconstpointer b)
{
    return strcmp((*(LvpMachine *const *)a)->name, (*(LvpMachine *const *)b)->name);
}

void
lvp_allocator_add_machine(LvpAllocator *self, LvpMachine *machine)
{
    g_ptr_array_add(self->machines, lvp_machine_ref(machine));
    g_ptr_array_sort(self->machines, compare_machines);
    g_hash_table_insert(self->machine_index, machine->name, machine);
    g_hash_table_insert(self->machine_index, machine->uuid, machine);
}

void
lvp_allocator_drop_machine(LvpAllocator *self, LvpMachine *machine)
{
    g_hash_table_remove(self->machine_index, machine->name);
    g_hash_table_remove(self->machine_index, machine->uuid);
    g_ptr_array_remove(self->machines, machine);
}

/* ---- life ---- */

LvpAllocator *
lvp_allocator_new(LvpJournal *journal, GError **error)
{
    g_autoptr(GPtrArray) machines = lvp_journal_load_machines(journal, error);
    g_autoptr(GPtrArray) marks = machines ? lvp_journal_load_marks(journal, error) : NULL;
    g_autofree char *rebuild = NULL;
    if (!marks || !lvp_journal_read_rebuild(journal, &rebuild, error))
        return NULL;
    LvpAllocator *self = g_new0(LvpAllocator, 1);
    g_mutex_init(&self->setup_mutex);
    g_mutex_init(&self->mark_mutex);
    g_mutex_init(&self->mutex);
    g_cond_init(&self->domain_changed);
    self->journal = journal;
    self->rebuild = g_steal_pointer(&rebuild);
    self->sources = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_source_unref);
    self->inventory = lvp_inventory_new();
    lvp_inventory_seal(self->inventory);
    g_autoptr(GPtrArray) no_classes = g_ptr_array_new();
    self->classes = lvp_class_table_new(no_classes, self->inventory, self->sources, NULL);
    self->machines = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_machine_unref);
    self->machine_index = g_hash_table_new(g_str_hash, g_str_equal);
    self->marks =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)lvp_unit_mark_free);
    self->selection = lvp_selection_new();
    self->uses = g_ptr_array_new();
    self->ended = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < machines->len; i++) {
        LvpMachine *machine = g_ptr_array_index(machines, i);
        machine->told_state = lvp_machine_get_state(machine); /* an earlier run has told of it */
        lvp_allocator_add_machine(self, machine);
    }
    g_ptr_array_set_free_func(marks, NULL);
    for (guint i = 0; i < marks->len; i++) {
        LvpUnitMark *mark = g_ptr_array_index(marks, i);
        g_hash_table_insert(self->marks, lvp_allocator_make_mark_key(mark->source, mark->unit_id),
                            mark);
    }
    return self;
}

void
lvp_allocator_free(LvpAllocator *self)
{
    if (!self)
        return;
    g_hash_table_unref(self->machine_index);
    lvp_class_table_free(self->classes);
    g_ptr_array_unref(self->machines);
    g_hash_table_unref(self->marks);
    lvp_selection_free(self->selection);
    g_ptr_array_unref(self->uses);
    g_hash_table_unref(self->ended);
    g_free(self->rebuild);
    lvp_inventory_free(self->inventory);
    g_ptr_array_unref(self->sources);
    g_cond_clear(&self->domain_changed);
    g_mutex_clear(&self->mutex);
    g_mutex_clear(&self->mark_mutex);
    g_mutex_clear(&self->setup_mutex);
    g_free(self);
}

/* ---- reserve ---- */

/* Under the lock. */
static gboolean
check_complete(const LvpAllocator *self, GError **error)
{
    if (!self->rebuild)
        return TRUE;
    g_set_error(
        error, LVP_ERROR, LVP_ERROR_BUSY,
        "the journal was damaged, and machines are still to be taken up from their domains: "
        "try again when libvirt is reachable (%s)",
        self->rebuild);
    return FALSE;
}

static gboolean
is_same_create(const LvpMachine *machine, const LvpCreateSpec *spec)
{
    return strcmp(machine->name, spec->name) == 0 &&
           strcmp(machine->class_name, spec->class_name) == 0 &&
           strcmp(machine->template_xml, spec->template_xml) == 0 &&
           !machine->autostart == !spec->autostart &&
           g_variant_equal(machine->labels, spec->labels) &&
           g_variant_equal(machine->annotations, spec->annotations);
}

/* The machine that an equal create made before, or NULL; error where the name or uuid is taken. */
static LvpMachine *
find_taken(LvpAllocator *self, const LvpCreateSpec *spec, GError **error)
{
    LvpMachine *same = spec->uuid ? g_hash_table_lookup(self->machine_index, spec->uuid) : NULL;
    if (same && is_same_create(same, spec)) {
        if (same->created && same->operation != LVP_OPERATION_DELETE)
            return same;
        g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY,
                    "machine %s is being created or taken back: try again later", same->name);
        return NULL;
    }
    if (same)
        g_set_error(error, LVP_ERROR, LVP_ERROR_EXISTS,
                    "machine %s has uuid %s already, and was created with other arguments",
                    same->name, spec->uuid);
    else if (g_hash_table_contains(self->machine_index, spec->name))
        g_set_error(error, LVP_ERROR, LVP_ERROR_EXISTS,
                    "a machine named %s exists already: choose another name, or delete it first",
                    spec->name);
    return NULL;
}

/* Under the lock: chooses for the class into self->selection. */
static const LvpClassEntry *
select_for_class(LvpAllocator *self, const char *class_name, GError **error)
{
    const LvpClassEntry *entry = lvp_class_table_find(self->classes, class_name, error);
    if (!entry)
        return NULL;
    g_autofree char *why = g_strdup(entry->problem);
    if (!why && self->vm_limit > 0 && self->machines->len >= self->vm_limit)
        why = g_strdup_printf("vm-limit: %u of at most %" G_GINT64_FORMAT " machines exist",
                              self->machines->len, self->vm_limit);
    if (!why &&
        !lvp_planner_select(self->inventory, entry->effective, entry->demands, self->selection))
        why = lvp_planner_explain(self->inventory, entry->demands);
    if (!why)
        return entry;
    g_set_error(error, LVP_ERROR, LVP_ERROR_NO_CAPACITY, "no capacity for class %s: %s", class_name,
                why);
    return NULL;
}

static LvpMachine *
make_machine(LvpAllocator *self, const LvpCreateSpec *spec, const LvpClassEntry *entry)
{
    g_autofree char *uuid = spec->uuid ? g_strdup(spec->uuid) : g_uuid_string_random();
    LvpMachine *machine = lvp_machine_new(uuid, spec->name, spec->class_name);
    lvp_request_free(machine->request);
    machine->request = lvp_request_copy(entry->effective);
    g_free(machine->template_xml);
    machine->template_xml = g_strdup(spec->template_xml);
    g_variant_unref(machine->labels);
    machine->labels = g_variant_ref_sink(spec->labels);
    g_variant_unref(machine->annotations);
    machine->annotations = g_variant_ref_sink(spec->annotations);
    machine->desired = spec->start ? LVP_DESIRED_RUNNING : LVP_DESIRED_OFF;
    machine->autostart = spec->autostart;
    machine->step = LVP_STEP_RESERVED;
    machine->generation = 1;
    lvp_claim_fill(machine, self->sources, self->inventory, self->selection);
    return machine;
}

/* Under the lock. */
static LvpMachine *
reserve_in_memory(LvpAllocator *self,
                  const LvpCreateSpec *spec,
                  gboolean *ret_existing,
                  GError **error)
{
    if (!check_complete(self, error))
        return NULL;
    GError *taken = NULL;
    LvpMachine *same = find_taken(self, spec, &taken);
    if (taken) {
        g_propagate_error(error, taken);
        return NULL;
    }
    if (same) {
        *ret_existing = TRUE;
        return lvp_machine_ref(same);
    }
    const LvpClassEntry *entry = select_for_class(self, spec->class_name, error);
    if (!entry)
        return NULL;
    LvpMachine *machine = make_machine(self, spec, entry);
    lvp_selection_take(self->selection, machine);
    machine->busy = TRUE;
    lvp_allocator_add_machine(self, machine);
    lvp_allocator_tell_machine(self, machine);
    return machine;
}

LvpMachine *
lvp_allocator_reserve(LvpAllocator *self,
                      const LvpCreateSpec *spec,
                      gboolean *ret_existing,
                      GError **error)
{
    *ret_existing = FALSE;
    g_mutex_lock(&self->mutex);
    LvpMachine *machine = reserve_in_memory(self, spec, ret_existing, error);
    g_mutex_unlock(&self->mutex);
    if (!machine || *ret_existing || lvp_journal_reserve(self->journal, machine, error))
        return machine;
    g_mutex_lock(&self->mutex);
    lvp_claim_give(machine, self->inventory);
    lvp_allocator_drop_machine(self, machine);
    lvp_allocator_tell_machine(self, machine);
    g_mutex_unlock(&self->mutex);
    lvp_machine_unref(machine);
    return NULL;
}

LvpMachine *
lvp_allocator_plan(LvpAllocator *self,
                   const LvpCreateSpec *spec,
                   gboolean *ret_existing,
                   GError **error)
{
    LvpMachine *machine = NULL;
    g_mutex_lock(&self->mutex);
    GError *taken = NULL;
    LvpMachine *same = find_taken(self, spec, &taken);
    const LvpClassEntry *entry = NULL;
    if (taken)
        g_propagate_error(error, taken);
    else if (same)
        machine = lvp_machine_ref(same);
    else if ((entry = select_for_class(self, spec->class_name, error)) != NULL)
        machine = make_machine(self, spec, entry);
    g_mutex_unlock(&self->mutex);
    *ret_existing = same != NULL;
    return machine;
}

/* ---- operations ---- */

/* Under the lock: the machine, if OPERATION may begin on it. */
static LvpMachine *
find_idle(LvpAllocator *self, const char *name_or_uuid, LvpOperation operation, GError **error)
{
    if (!check_complete(self, error))
        return NULL;
    LvpMachine *machine = g_hash_table_lookup(self->machine_index, name_or_uuid);
    if (!machine) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND, "no machine '%s'", name_or_uuid);
        return NULL;
    }
    if (machine->busy) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY, "machine %s is busy with %s: try again later",
                    machine->name, lvp_operation_get_name(machine->operation));
        return NULL;
    }
    const char *missing = lvp_claim_find_missing_source(machine, self->sources);
    if (missing && operation != LVP_OPERATION_STOP) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_CONFLICT,
                    "source-missing: machine %s holds resources of source %s, which is not loaded: "
                    "add it to --resource-manager-sources and restart",
                    machine->name, missing);
        return NULL;
    }
    if (operation != LVP_OPERATION_DELETE && (!machine->created || machine->error)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_CONFLICT,
                    "machine %s cannot go on after a failed %s: delete it (why: lpctl machine "
                    "explain %s)",
                    machine->name, lvp_operation_get_name(machine->operation), machine->name);
        return NULL;
    }
    return machine;
}

/* What the machine shall be once the operation is over. */
static LvpDesired
get_desired(LvpOperation operation)
{
    if (operation == LVP_OPERATION_DELETE)
        return LVP_DESIRED_ABSENT;
    return operation == LVP_OPERATION_STOP ? LVP_DESIRED_OFF : LVP_DESIRED_RUNNING;
}

LvpMachine *
lvp_allocator_begin(LvpAllocator *self,
                    const char *name_or_uuid,
                    LvpOperation operation,
                    gboolean keep_nvram,
                    GError **error)
{
    g_mutex_lock(&self->mutex);
    LvpMachine *machine = find_idle(self, name_or_uuid, operation, error);
    if (!machine) {
        g_mutex_unlock(&self->mutex);
        return NULL;
    }
    LvpOperation old_operation = machine->operation;
    LvpDesired old_desired = machine->desired;
    machine->busy = TRUE;
    machine->operation = operation;
    machine->desired = get_desired(operation);
    machine->keep_nvram = keep_nvram;
    machine->generation++;
    lvp_machine_ref(machine);
    lvp_allocator_tell_machine(self, machine);
    g_mutex_unlock(&self->mutex);
    if (lvp_journal_save_machine(self->journal, machine, error))
        return machine;
    g_mutex_lock(&self->mutex);
    machine->operation = old_operation;
    machine->desired = old_desired;
    machine->busy = FALSE;
    lvp_allocator_tell_machine(self, machine);
    g_mutex_unlock(&self->mutex);
    lvp_machine_unref(machine);
    return NULL;
}

LvpMachine *
lvp_allocator_find_idle(LvpAllocator *self,
                        const char *name_or_uuid,
                        LvpOperation operation,
                        GError **error)
{
    g_mutex_lock(&self->mutex);
    LvpMachine *machine = find_idle(self, name_or_uuid, operation, error);
    if (machine)
        lvp_machine_ref(machine);
    g_mutex_unlock(&self->mutex);
    return machine;
}

LvpMachine *
lvp_allocator_resume(LvpAllocator *self, const char *uuid, LvpOperation operation)
{
    g_mutex_lock(&self->mutex);
    LvpMachine *machine = g_hash_table_lookup(self->machine_index, uuid);
    if (machine && (machine->busy || machine->operation != operation))
        machine = NULL;
    if (machine) {
        machine->busy = TRUE;
        lvp_machine_ref(machine);
    }
    g_mutex_unlock(&self->mutex);
    return machine;
}

void
lvp_allocator_rest(LvpAllocator *self, LvpMachine *machine)
{
    g_mutex_lock(&self->mutex);
    machine->busy = FALSE;
    g_mutex_unlock(&self->mutex);
}

/* Nobody has acted on them. What is done to the host until the machine goes is not ours to undo. */
static void
drop_records(LvpMachine *machine)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        g_clear_pointer(&holding->record, g_variant_unref);
    }
}

gboolean
lvp_allocator_advance(
    LvpAllocator *self, LvpMachine *machine, LvpStep step, const char *boot_id, GError **error)
{
    g_mutex_lock(&self->mutex);
    LvpStep old_step = machine->step;
    g_autofree char *old_boot_id = machine->boot_id;
    machine->step = step;
    machine->generation++;
    machine->boot_id = g_strdup(boot_id);
    lvp_allocator_tell_machine(self, machine);
    g_mutex_unlock(&self->mutex);
    if (step == LVP_STEP_PREPARED ? lvp_journal_save_records(self->journal, machine, error)
                                  : lvp_journal_save_machine(self->journal, machine, error))
        return TRUE;
    g_mutex_lock(&self->mutex);
    machine->step = old_step;
    machine->generation--;
    g_free(machine->boot_id);
    machine->boot_id = g_steal_pointer(&old_boot_id);
    if (step == LVP_STEP_PREPARED)
        drop_records(machine);
    g_mutex_unlock(&self->mutex);
    return FALSE;
}

gboolean
lvp_allocator_finish(LvpAllocator *self, LvpMachine *machine, GError **error)
{
    /* Nobody may see as done what is not durable yet: an equal create would be answered with it. */
    g_mutex_lock(&self->mutex);
    LvpMachine done = *machine;
    g_mutex_unlock(&self->mutex);
    done.created = TRUE;
    done.operation = LVP_OPERATION_NONE;
    done.step = LVP_STEP_COMMITTED;
    done.generation++;
    done.error = NULL;
    if (!lvp_journal_save_machine(self->journal, &done, error))
        return FALSE;
    g_mutex_lock(&self->mutex);
    machine->created = TRUE;
    machine->operation = LVP_OPERATION_NONE;
    machine->step = LVP_STEP_COMMITTED;
    machine->generation = done.generation;
    machine->busy = FALSE;
    g_clear_pointer(&machine->error, g_free);
    g_clear_pointer(&machine->failure, g_free);
    lvp_allocator_tell_machine(self, machine);
    g_mutex_unlock(&self->mutex);
    return TRUE;
}

void
lvp_allocator_fail(LvpAllocator *self, LvpMachine *machine, const GError *why, gboolean keep)
{
    g_mutex_lock(&self->mutex);
    if (!keep)
        machine->operation = LVP_OPERATION_NONE;
    g_free(machine->error);
    machine->error = keep ? g_strdup(why->message) : NULL;
    machine->generation++;
    g_mutex_unlock(&self->mutex);
    g_autoptr(GError) error = NULL;
    if (!lvp_journal_save_machine(self->journal, machine, &error))
        g_warning("machine %s: %s", machine->name, error->message);
    g_mutex_lock(&self->mutex);
    machine->busy = FALSE;
    lvp_allocator_tell_machine(self, machine);
    g_mutex_unlock(&self->mutex);
}

/* A new mark replaces the unit's old one, but who cordoned it still wants it so. */
static void
keep_cordons(LvpAllocator *self, const GPtrArray *marks)
{
    g_mutex_lock(&self->mutex);
    for (guint i = 0; marks && i < marks->len; i++) {
        LvpUnitMark *mark = g_ptr_array_index(marks, i);
        g_autofree char *key = lvp_allocator_make_mark_key(mark->source, mark->unit_id);
        const LvpUnitMark *old = g_hash_table_lookup(self->marks, key);
        mark->cordoned = old && old->cordoned;
    }
    g_mutex_unlock(&self->mutex);
}

gboolean
lvp_allocator_remove(LvpAllocator *self,
                     LvpMachine *machine,
                     const GPtrArray *marks,
                     GError **error)
{
    g_autoptr(GMutexLocker) locker =
        marks && marks->len > 0 ? g_mutex_locker_new(&self->mark_mutex) : NULL;
    keep_cordons(self, marks);
    if (!lvp_journal_remove(self->journal, machine, marks, error))
        return FALSE;
    g_mutex_lock(&self->mutex);
    for (guint i = 0; marks && i < marks->len; i++)
        lvp_allocator_put_mark(self, g_ptr_array_index(marks, i));
    lvp_claim_give(machine, self->inventory);
    lvp_allocator_drop_use(self, machine->uuid);
    machine->busy = FALSE;
    lvp_allocator_drop_machine(self, machine);
    lvp_allocator_tell_machine(self, machine);
    g_cond_broadcast(&self->domain_changed);
    g_mutex_unlock(&self->mutex);
    return TRUE;
}
