/* SPDX-License-Identifier: Apache-2.0 */
#include "allocator.h"

#include <libvirt-provider/error.h>
#include <string.h>

struct LvpAllocator {
    LvpJournal *journal;
    GMutex mutex; /* guards the rest */
    GCond domain_changed;
    GPtrArray *sources; /* LvpSource */
    LvpInventory *inventory;
    GPtrArray *declared;       /* LvpMachineClass */
    GPtrArray *classes;        /* LvpClassEntry */
    GHashTable *class_index;   /* name -> LvpClassEntry */
    GPtrArray *machines;       /* LvpMachine, in the order of names */
    GHashTable *machine_index; /* name and uuid -> LvpMachine */
    GHashTable *marks;         /* source:id -> LvpUnitMark */
    LvpSelection *selection;   /* scratch */
    gint64 vm_limit;
};

static char *
make_mark_key(const char *source, const char *unit_id)
{
    return g_strdup_printf("%s:%s", source, unit_id);
}

static void
free_class_entry(gpointer data)
{
    LvpClassEntry *entry = data;
    lvp_request_free(entry->effective);
    g_array_unref(entry->demands);
    g_free(entry->problem);
    g_free(entry);
}

/* ---- machines and what they hold ---- */

static int
compare_machines(gconstpointer a, gconstpointer b)
{
    return strcmp((*(LvpMachine *const *)a)->name, (*(LvpMachine *const *)b)->name);
}

static void
add_machine(LvpAllocator *self, LvpMachine *machine)
{
    g_ptr_array_add(self->machines, lvp_machine_ref(machine));
    g_ptr_array_sort(self->machines, compare_machines);
    g_hash_table_insert(self->machine_index, machine->name, machine);
    g_hash_table_insert(self->machine_index, machine->uuid, machine);
}

static void
drop_machine(LvpAllocator *self, LvpMachine *machine)
{
    g_hash_table_remove(self->machine_index, machine->name);
    g_hash_table_remove(self->machine_index, machine->uuid);
    g_ptr_array_remove(self->machines, machine);
}

/* The resource of a holding as it exists now, or NULL: a claim outlives what the sources offer. */
static LvpResource *
find_held_resource(const LvpInventory *inventory, const LvpHolding *holding, const char *name)
{
    LvpResource *resource = lvp_inventory_find_resource(inventory, name);
    return resource && strcmp(lvp_resource_get_source(resource), holding->source) == 0 ? resource
                                                                                       : NULL;
}

static void
move_amounts(const LvpInventory *inventory,
             const LvpHolding *holding,
             void (*move)(LvpResource *, guint, gint64))
{
    for (guint i = 0; i < holding->amounts->len; i++) {
        const LvpHeldAmount *held = &g_array_index(holding->amounts, LvpHeldAmount, i);
        LvpResource *resource = find_held_resource(inventory, holding, held->resource);
        if (resource && !lvp_resource_is_unitary(resource))
            move(resource, lvp_inventory_find_node(inventory, held->node), held->amount);
    }
}

static void
take_holdings(const LvpInventory *inventory, const LvpMachine *machine)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        move_amounts(inventory, holding, lvp_resource_take_amount);
        for (guint k = 0; k < holding->units->len; k++) {
            const LvpHeldUnit *held = &g_array_index(holding->units, LvpHeldUnit, k);
            LvpInventoryUnit *unit = lvp_inventory_find_unit(inventory, holding->source, held->id);
            if (!unit)
                continue;
            lvp_unit_take(unit, machine);
            if (strcmp(unit->found->identity, held->identity) != 0)
                lvp_unit_add_core_condition(unit, LVP_CONDITION_LOST,
                                            "another device stands at its address now");
        }
    }
}

static void
give_holdings(const LvpInventory *inventory, const LvpMachine *machine)
{
    for (guint i = 0; i < machine->holdings->len; i++) {
        const LvpHolding *holding = g_ptr_array_index(machine->holdings, i);
        move_amounts(inventory, holding, lvp_resource_give_amount);
        for (guint k = 0; k < holding->units->len; k++) {
            const LvpHeldUnit *held = &g_array_index(holding->units, LvpHeldUnit, k);
            LvpInventoryUnit *unit = lvp_inventory_find_unit(inventory, holding->source, held->id);
            if (unit && unit->holder == machine)
                lvp_unit_give(unit);
        }
    }
}

static LvpHolding *
get_holding(LvpMachine *machine, const char *source)
{
    LvpHolding *holding = lvp_machine_find_holding(machine, source);
    if (!holding) {
        holding = lvp_holding_new(machine->uuid, source);
        g_ptr_array_add(machine->holdings, holding);
    }
    return holding;
}

static int
compare_units(gconstpointer a, gconstpointer b)
{
    const LvpInventoryUnit *left = *(LvpInventoryUnit *const *)a;
    const LvpInventoryUnit *right = *(LvpInventoryUnit *const *)b;
    return strcmp(left->found->id, right->found->id);
}

/* Writes the selection into the machine's holdings, in the order of the sources. */
static void
fill_holdings(LvpAllocator *self, LvpMachine *machine)
{
    LvpSelection *selection = self->selection;
    g_ptr_array_sort(selection->units, compare_units);
    for (guint s = 0; s < self->sources->len; s++) {
        const char *source = lvp_source_get_name(g_ptr_array_index(self->sources, s));
        for (guint i = 0; i < selection->amounts->len; i++) {
            const LvpPick *pick = &g_array_index(selection->amounts, LvpPick, i);
            if (strcmp(lvp_resource_get_source(pick->resource), source) == 0)
                lvp_holding_add_amount(
                    get_holding(machine, source), lvp_resource_get_name(pick->resource),
                    lvp_inventory_get_node(self->inventory, pick->node_index), pick->amount);
        }
        for (guint i = 0; i < selection->units->len; i++) {
            const LvpInventoryUnit *unit = g_ptr_array_index(selection->units, i);
            if (strcmp(lvp_resource_get_source(unit->resource), source) == 0)
                lvp_holding_add_unit(get_holding(machine, source),
                                     lvp_resource_get_name(unit->resource), unit->found->id,
                                     unit->found->identity, unit->found->node);
        }
    }
}

/* ---- life ---- */

LvpAllocator *
lvp_allocator_new(LvpJournal *journal, GError **error)
{
    g_autoptr(GPtrArray) machines = lvp_journal_load_machines(journal, error);
    g_autoptr(GPtrArray) marks = machines ? lvp_journal_load_marks(journal, error) : NULL;
    if (!marks)
        return NULL;
    LvpAllocator *self = g_new0(LvpAllocator, 1);
    g_mutex_init(&self->mutex);
    g_cond_init(&self->domain_changed);
    self->journal = journal;
    self->sources = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_source_unref);
    self->inventory = lvp_inventory_new();
    lvp_inventory_seal(self->inventory);
    self->declared = g_ptr_array_new();
    self->classes = g_ptr_array_new_with_free_func(free_class_entry);
    self->class_index = g_hash_table_new(g_str_hash, g_str_equal);
    self->machines = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_machine_unref);
    self->machine_index = g_hash_table_new(g_str_hash, g_str_equal);
    self->marks =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)lvp_unit_mark_free);
    self->selection = lvp_selection_new();
    for (guint i = 0; i < machines->len; i++)
        add_machine(self, g_ptr_array_index(machines, i));
    g_ptr_array_set_free_func(marks, NULL);
    for (guint i = 0; i < marks->len; i++) {
        LvpUnitMark *mark = g_ptr_array_index(marks, i);
        g_hash_table_insert(self->marks, make_mark_key(mark->source, mark->unit_id), mark);
    }
    return self;
}

void
lvp_allocator_free(LvpAllocator *self)
{
    if (!self)
        return;
    g_hash_table_unref(self->class_index);
    g_hash_table_unref(self->machine_index);
    g_ptr_array_unref(self->classes);
    g_ptr_array_unref(self->declared);
    g_ptr_array_unref(self->machines);
    g_hash_table_unref(self->marks);
    lvp_selection_free(self->selection);
    lvp_inventory_free(self->inventory);
    g_ptr_array_unref(self->sources);
    g_cond_clear(&self->domain_changed);
    g_mutex_clear(&self->mutex);
    g_free(self);
}

/* ---- installing a world ---- */

static void
apply_mark(const LvpInventory *inventory, const LvpUnitMark *mark)
{
    LvpInventoryUnit *unit = lvp_inventory_find_unit(inventory, mark->source, mark->unit_id);
    if (!unit)
        return;
    lvp_unit_set_cordoned(unit, mark->cordoned);
    lvp_unit_set_quarantine(unit, mark->quarantine);
}

/* What is held or quarantined stays visible, though no source sees it any more. */
static void
add_lost_units(LvpAllocator *self, LvpInventory *inventory)
{
    for (guint i = 0; i < self->machines->len; i++) {
        const LvpMachine *machine = g_ptr_array_index(self->machines, i);
        for (guint h = 0; h < machine->holdings->len; h++) {
            const LvpHolding *holding = g_ptr_array_index(machine->holdings, h);
            for (guint k = 0; k < holding->units->len; k++) {
                const LvpHeldUnit *unit = &g_array_index(holding->units, LvpHeldUnit, k);
                lvp_inventory_add_lost_unit(inventory, holding->source, unit->resource, unit->id,
                                            unit->identity, unit->node);
            }
        }
    }
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, self->marks);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const LvpUnitMark *mark = value;
        if (mark->quarantine && mark->resource)
            lvp_inventory_add_lost_unit(inventory, mark->source, mark->resource, mark->unit_id,
                                        mark->identity ? mark->identity : "", LVP_NODE_NONE);
    }
}

static LvpClassEntry *
resolve_class(const LvpMachineClass *class, const LvpInventory *inventory, GPtrArray *sources)
{
    LvpClassEntry *entry = g_new0(LvpClassEntry, 1);
    entry->declared = class;
    entry->effective = lvp_request_copy(class->capabilities);
    entry->demands = g_array_new(FALSE, FALSE, sizeof(LvpDemand));
    for (guint i = 0; i < sources->len; i++) {
        g_autoptr(GError) error = NULL;
        if (!lvp_source_normalize(g_ptr_array_index(sources, i), entry->effective, &error)) {
            entry->problem = g_strdup(error->message);
            return entry;
        }
    }
    const char *unknown = NULL;
    if (!lvp_planner_resolve(inventory, sources, entry->effective, entry->demands, &unknown)) {
        g_array_set_size(entry->demands, 0);
        entry->problem = g_strdup_printf("no source offers %s", unknown);
    }
    return entry;
}

/* Says each problem once, not at every rescan. */
static void
log_class_problem(const GHashTable *before, const LvpClassEntry *entry)
{
    const LvpClassEntry *old =
        g_hash_table_lookup((GHashTable *)(gsize)before, entry->declared->name);
    if (entry->problem && (!old || g_strcmp0(old->problem, entry->problem) != 0))
        g_warning("no machine of class %s can be made: %s", entry->declared->name, entry->problem);
}

/* Under the lock: everything that refers to INVENTORY changes with it. */
static LvpInventory *
exchange_inventory(LvpAllocator *self, LvpInventory *inventory)
{
    LvpInventory *old = self->inventory;
    add_lost_units(self, inventory);
    lvp_inventory_seal(inventory);
    for (guint i = 0; i < self->machines->len; i++)
        take_holdings(inventory, g_ptr_array_index(self->machines, i));
    GHashTableIter iter;
    gpointer mark;
    g_hash_table_iter_init(&iter, self->marks);
    while (g_hash_table_iter_next(&iter, NULL, &mark))
        apply_mark(inventory, mark);
    self->inventory = inventory;
    return old;
}

static void
exchange_classes(LvpAllocator *self, GPtrArray *declared)
{
    GPtrArray *classes = g_ptr_array_new_with_free_func(free_class_entry);
    GHashTable *index = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < declared->len; i++) {
        LvpClassEntry *entry =
            resolve_class(g_ptr_array_index(declared, i), self->inventory, self->sources);
        log_class_problem(self->class_index, entry);
        g_ptr_array_add(classes, entry);
        g_hash_table_insert(index, entry->declared->name, entry);
    }
    g_hash_table_unref(self->class_index);
    g_ptr_array_unref(self->classes);
    self->class_index = index;
    self->classes = classes;
    GPtrArray *old = self->declared;
    self->declared = g_ptr_array_ref(declared);
    g_ptr_array_unref(old);
}

gboolean
lvp_allocator_install(LvpAllocator *self,
                      GPtrArray *sources,
                      GPtrArray *snapshots,
                      GPtrArray *classes,
                      gint64 vm_limit,
                      GError **error)
{
    LvpInventory *inventory = lvp_inventory_new();
    gboolean ok = TRUE;
    for (guint i = 0; i < sources->len; i++) {
        const char *name = lvp_source_get_name(g_ptr_array_index(sources, i));
        LvpSnapshot *snapshot = g_ptr_array_index(snapshots, i);
        if (ok)
            ok = lvp_inventory_add_snapshot(inventory, name, snapshot, error);
        else
            lvp_snapshot_free(snapshot);
    }
    g_ptr_array_set_free_func(snapshots, NULL);
    if (!ok) {
        lvp_inventory_free(inventory);
        return FALSE;
    }
    g_mutex_lock(&self->mutex);
    GPtrArray *old_sources = self->sources;
    self->sources = g_ptr_array_ref(sources);
    LvpInventory *old_inventory = exchange_inventory(self, inventory);
    exchange_classes(self, classes ? classes : self->declared);
    if (classes)
        self->vm_limit = vm_limit;
    g_mutex_unlock(&self->mutex);
    g_ptr_array_unref(old_sources);
    lvp_inventory_free(old_inventory);
    return TRUE;
}

void
lvp_allocator_read(LvpAllocator *self,
                   void (*read)(const LvpWorld *world, gpointer data),
                   gpointer data)
{
    g_mutex_lock(&self->mutex);
    LvpWorld world = {self->sources, self->inventory, self->classes, self->machines,
                      self->vm_limit};
    read(&world, data);
    g_mutex_unlock(&self->mutex);
}

GPtrArray *
lvp_allocator_dup_sources(LvpAllocator *self)
{
    GPtrArray *copy = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_source_unref);
    g_mutex_lock(&self->mutex);
    for (guint i = 0; i < self->sources->len; i++)
        g_ptr_array_add(copy, lvp_source_ref(g_ptr_array_index(self->sources, i)));
    g_mutex_unlock(&self->mutex);
    return copy;
}

/* ---- reserve ---- */

static gboolean
is_same_create(const LvpMachine *machine, const LvpCreateSpec *spec)
{
    return strcmp(machine->name, spec->name) == 0 &&
           strcmp(machine->class_name, spec->class_name) == 0 &&
           strcmp(machine->template_xml, spec->template_xml) == 0 &&
           g_variant_equal(machine->labels, spec->labels) &&
           g_variant_equal(machine->annotations, spec->annotations);
}

/* The machine that an equal create made before, or NULL; error where the name or uuid is taken. */
static LvpMachine *
find_taken(LvpAllocator *self, const LvpCreateSpec *spec, GError **error)
{
    LvpMachine *same = spec->uuid ? g_hash_table_lookup(self->machine_index, spec->uuid) : NULL;
    if (same && is_same_create(same, spec))
        return same;
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

static LvpClassEntry *
find_class(LvpAllocator *self, const char *name, GError **error)
{
    LvpClassEntry *entry = g_hash_table_lookup(self->class_index, name);
    if (entry)
        return entry;
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < self->classes->len && i < 20; i++) {
        const LvpClassEntry *known = g_ptr_array_index(self->classes, i);
        g_string_append_printf(names, "%s%s", i ? ", " : "", known->declared->name);
    }
    g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND, "no machine class '%s'; there are: %s", name,
                names->len ? names->str : "none (see --supported-machine-classes)");
    return NULL;
}

/* Under the lock: chooses for the class into self->selection. */
static LvpClassEntry *
select_for_class(LvpAllocator *self, const char *class_name, GError **error)
{
    LvpClassEntry *entry = find_class(self, class_name, error);
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
    machine->step = LVP_STEP_RESERVED;
    machine->generation = 1;
    fill_holdings(self, machine);
    return machine;
}

/* Under the lock. */
static LvpMachine *
reserve_in_memory(LvpAllocator *self,
                  const LvpCreateSpec *spec,
                  gboolean *ret_existing,
                  GError **error)
{
    GError *taken = NULL;
    LvpMachine *same = find_taken(self, spec, &taken);
    if (taken) {
        g_propagate_error(error, taken);
        return NULL;
    }
    if (same && same->operation == LVP_OPERATION_CREATE) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_BUSY,
                    "machine %s is being created or undone: try again later", same->name);
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
    add_machine(self, machine);
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
    give_holdings(self->inventory, machine);
    drop_machine(self, machine);
    g_mutex_unlock(&self->mutex);
    lvp_machine_unref(machine);
    return NULL;
}

LvpMachine *
lvp_allocator_plan(LvpAllocator *self, const LvpCreateSpec *spec, GError **error)
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
    return machine;
}

/* ---- operations ---- */

/* Under the lock: the machine, if OPERATION may begin on it. */
static LvpMachine *
find_idle(LvpAllocator *self, const char *name_or_uuid, LvpOperation operation, GError **error)
{
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
    if (operation != LVP_OPERATION_DELETE && (!machine->created || machine->error)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_CONFLICT,
                    "machine %s cannot go on after a failed %s: delete it (why: lpctl machine "
                    "explain %s)",
                    machine->name, lvp_operation_get_name(machine->operation), machine->name);
        return NULL;
    }
    return machine;
}

LvpMachine *
lvp_allocator_begin(LvpAllocator *self,
                    const char *name_or_uuid,
                    LvpOperation operation,
                    LvpDesired desired,
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
    machine->desired = desired;
    machine->generation++;
    lvp_machine_ref(machine);
    g_mutex_unlock(&self->mutex);
    if (lvp_journal_save_machine(self->journal, machine, error))
        return machine;
    g_mutex_lock(&self->mutex);
    machine->operation = old_operation;
    machine->desired = old_desired;
    machine->busy = FALSE;
    g_mutex_unlock(&self->mutex);
    lvp_machine_unref(machine);
    return NULL;
}

LvpMachine *
lvp_allocator_resume(LvpAllocator *self, const char *uuid)
{
    g_mutex_lock(&self->mutex);
    LvpMachine *machine = g_hash_table_lookup(self->machine_index, uuid);
    if (machine && (machine->busy || machine->operation == LVP_OPERATION_NONE))
        machine = NULL;
    if (machine) {
        machine->busy = TRUE;
        lvp_machine_ref(machine);
    }
    g_mutex_unlock(&self->mutex);
    return machine;
}

gboolean
lvp_allocator_advance(
    LvpAllocator *self, LvpMachine *machine, LvpStep step, const char *boot_id, GError **error)
{
    g_mutex_lock(&self->mutex);
    machine->step = step;
    machine->generation++;
    g_free(machine->boot_id);
    machine->boot_id = g_strdup(boot_id);
    g_mutex_unlock(&self->mutex);
    if (step == LVP_STEP_PREPARED)
        return lvp_journal_save_records(self->journal, machine, error);
    return lvp_journal_save_machine(self->journal, machine, error);
}

gboolean
lvp_allocator_finish(LvpAllocator *self, LvpMachine *machine, GError **error)
{
    LvpOperation operation = machine->operation;
    gboolean created = machine->created;
    g_mutex_lock(&self->mutex);
    machine->created = TRUE;
    machine->operation = LVP_OPERATION_NONE;
    machine->step = LVP_STEP_COMMITTED;
    machine->generation++;
    g_clear_pointer(&machine->error, g_free);
    g_mutex_unlock(&self->mutex);
    gboolean ok = lvp_journal_save_machine(self->journal, machine, error);
    g_mutex_lock(&self->mutex);
    if (ok) {
        machine->busy = FALSE;
    } else {
        machine->operation = operation;
        machine->created = created;
    }
    g_mutex_unlock(&self->mutex);
    return ok;
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
    g_mutex_unlock(&self->mutex);
}

gboolean
lvp_allocator_remove(LvpAllocator *self,
                     LvpMachine *machine,
                     const GPtrArray *marks,
                     GError **error)
{
    if (!lvp_journal_remove(self->journal, machine, marks, error))
        return FALSE;
    g_mutex_lock(&self->mutex);
    for (guint i = 0; marks && i < marks->len; i++) {
        const LvpUnitMark *mark = g_ptr_array_index(marks, i);
        LvpUnitMark *copy = lvp_unit_mark_copy(mark);
        g_hash_table_replace(self->marks, make_mark_key(mark->source, mark->unit_id), copy);
        apply_mark(self->inventory, copy);
    }
    give_holdings(self->inventory, machine);
    machine->busy = FALSE;
    drop_machine(self, machine);
    g_cond_broadcast(&self->domain_changed);
    g_mutex_unlock(&self->mutex);
    return TRUE;
}

/* ---- what is seen ---- */

void
lvp_allocator_set_domain_state(LvpAllocator *self, const char *uuid, LvpDomainState state)
{
    g_mutex_lock(&self->mutex);
    LvpMachine *machine = g_hash_table_lookup(self->machine_index, uuid);
    if (machine && machine->domain != state) {
        machine->domain = state;
        g_cond_broadcast(&self->domain_changed);
    }
    g_mutex_unlock(&self->mutex);
}

void
lvp_allocator_forget_domain_states(LvpAllocator *self)
{
    g_mutex_lock(&self->mutex);
    for (guint i = 0; i < self->machines->len; i++)
        ((LvpMachine *)g_ptr_array_index(self->machines, i))->domain = LVP_DOMAIN_UNKNOWN;
    g_mutex_unlock(&self->mutex);
}

gboolean
lvp_allocator_wait_domain(LvpAllocator *self,
                          const LvpMachine *machine,
                          LvpDomainState state,
                          guint timeout_ms)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    g_mutex_lock(&self->mutex);
    while (machine->domain != state &&
           g_cond_wait_until(&self->domain_changed, &self->mutex, deadline))
        ;
    gboolean reached = machine->domain == state;
    g_mutex_unlock(&self->mutex);
    return reached;
}

/* ---- marks ---- */

/* Under the lock; a unit's id is unique but for two sources with the same kind of id. */
static LvpInventoryUnit *
find_unit(LvpAllocator *self, const char *unit_id, GError **error)
{
    for (guint i = 0; i < self->sources->len; i++) {
        const char *source = lvp_source_get_name(g_ptr_array_index(self->sources, i));
        LvpInventoryUnit *unit = lvp_inventory_find_unit(self->inventory, source, unit_id);
        if (unit)
            return unit;
    }
    g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND, "no device '%s'; see: lpctl device list",
                unit_id);
    return NULL;
}

/* Under the lock: a copy of the unit's mark, empty if it has none. */
static LvpUnitMark *
dup_mark(LvpAllocator *self, const LvpInventoryUnit *unit)
{
    const char *source = lvp_resource_get_source(unit->resource);
    g_autofree char *key = make_mark_key(source, unit->found->id);
    const LvpUnitMark *mark = g_hash_table_lookup(self->marks, key);
    return mark ? lvp_unit_mark_copy(mark) : lvp_unit_mark_new(source, unit->found->id);
}

/* Makes MARK durable and puts it in place. */
static gboolean
store_mark(LvpAllocator *self, const LvpUnitMark *mark, GError **error)
{
    if (!lvp_journal_set_mark(self->journal, mark, error))
        return FALSE;
    g_mutex_lock(&self->mutex);
    LvpUnitMark *copy = lvp_unit_mark_copy(mark);
    g_hash_table_replace(self->marks, make_mark_key(mark->source, mark->unit_id), copy);
    apply_mark(self->inventory, copy);
    g_mutex_unlock(&self->mutex);
    return TRUE;
}

gboolean
lvp_allocator_set_cordoned(LvpAllocator *self,
                           const char *unit_id,
                           gboolean cordoned,
                           GError **error)
{
    g_mutex_lock(&self->mutex);
    const LvpInventoryUnit *unit = find_unit(self, unit_id, error);
    g_autoptr(LvpUnitMark) mark = unit ? dup_mark(self, unit) : NULL;
    g_mutex_unlock(&self->mutex);
    if (!mark)
        return FALSE;
    mark->cordoned = cordoned;
    return store_mark(self, mark, error);
}

LvpUnitMark *
lvp_allocator_dup_quarantine(LvpAllocator *self, const char *unit_id, GError **error)
{
    g_mutex_lock(&self->mutex);
    const LvpInventoryUnit *unit = find_unit(self, unit_id, error);
    g_autoptr(LvpUnitMark) mark = unit ? dup_mark(self, unit) : NULL;
    g_mutex_unlock(&self->mutex);
    if (mark && !mark->quarantine) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "device %s is not quarantined: there is nothing to release (a held device is "
                    "given back by deleting its machine)",
                    unit_id);
        return NULL;
    }
    return g_steal_pointer(&mark);
}

gboolean
lvp_allocator_clear_quarantine(LvpAllocator *self, const char *unit_id, GError **error)
{
    g_autoptr(LvpUnitMark) mark = lvp_allocator_dup_quarantine(self, unit_id, error);
    if (!mark)
        return FALSE;
    g_clear_pointer(&mark->quarantine, g_free);
    g_clear_pointer(&mark->record, g_variant_unref);
    return store_mark(self, mark, error);
}
