/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "assert-error.h"
#include "default-template.h"
#include "journal-file.h"
#include "wait-until.h"

#include <string.h>

#define STATE "state"
#define BOOT_ID "6d0a1c64-0b0a-4d2b-8c0e-5f0f3a0c9d11"
#define NEXT_BOOT_ID "0f6b4b2e-5c1f-4d55-9a36-0f6e9f1d2c3b"

static const char CLASSES[] = "- {name: plain, capabilities: {cpu: 1, memory: 1Gi}}\n"
                              "- {name: gpu, capabilities: {cpu: 1, memory: 1Gi, " GPU ": 1}}\n"
                              "- {name: both, capabilities: {cpu: 1, memory: 1Gi, " GPU ": 2}}\n";

gint64 world_clock_us = 1;

static gint64
get_now_us(void)
{
    return world_clock_us;
}

/* ---- life ---- */

static void
open_state(World *self)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = lvp_scratch_get_path(self->scratch, STATE);
    self->journal = lvp_journal_open(folder, &error);
    assert_no_error(error);
    self->events = lvp_events_new(self->journal, &error);
    assert_no_error(error);
    self->allocator = lvp_allocator_new(self->journal, &error);
    assert_no_error(error);
    lvp_allocator_set_events(self->allocator, self->events);
    self->jobs = (LvpMachineJobs){
        .allocator = self->allocator,
        .hypervisor = self->hypervisor,
        .boot_id = self->boot_id,
        .orphan_grace_us = WORLD_GRACE_US,
        .get_now_us = get_now_us,
        .default_template = DEFAULT_TEMPLATE,
    };
}

static void
close_state(World *self)
{
    g_clear_pointer(&self->events, lvp_events_free);
    g_clear_pointer(&self->allocator, lvp_allocator_free);
    g_clear_pointer(&self->journal, lvp_journal_close);
}

World *
world_new(void)
{
    World *self = g_new0(World, 1);
    self->boot_id = BOOT_ID;
    self->scratch = lvp_scratch_new();
    self->calls = g_string_new(NULL);
    self->no_labels = g_variant_ref_sink(g_variant_new("a{ss}", NULL));
    self->cores = scripted_source_new("cores", FALSE, self->calls);
    self->cards = scripted_source_new("cards", TRUE, self->calls);
    scripted_source_set_amount(self->cores, "cpu", 0, 4000);
    scripted_source_set_amount(self->cores, "memory", 0, G_GINT64_CONSTANT(8) << 30);
    scripted_source_add_unit(self->cards, GPU, CARD_1, "first", 0);
    scripted_source_add_unit(self->cards, GPU, CARD_2, "second", 0);
    self->sources = g_ptr_array_new();
    g_ptr_array_add(self->sources, self->cores->source);
    g_ptr_array_add(self->sources, self->cards->source);
    world_set_classes(self, CLASSES);
    open_state(self);
    world_install(self);
    return self;
}

void
world_free(World *self)
{
    close_state(self);
    lvp_hypervisor_free(self->hypervisor);
    scripted_source_free(self->cores);
    scripted_source_free(self->cards);
    g_ptr_array_unref(self->sources);
    g_ptr_array_unref(self->classes);
    g_variant_unref(self->no_labels);
    g_string_free(self->calls, TRUE);
    lvp_scratch_free(self->scratch);
    g_free(self);
}

void
world_set_classes(World *self, const char *yaml)
{
    lvp_scratch_write(self->scratch, "classes.yaml", yaml);
    g_autofree char *file = lvp_scratch_get_path(self->scratch, "classes.yaml");
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_clear_pointer(&self->classes, g_ptr_array_unref);
    self->classes = lvp_machine_classes_read(file, diagnostics);
    g_autofree char *mistakes = lvp_diagnostics_to_text(diagnostics);
    cr_assert_not_null(self->classes, "%s", mistakes);
}

void
world_install(World *self)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) snapshots = g_ptr_array_new();
    g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_source_unref);
    for (guint i = 0; i < self->sources->len; i++) {
        LvpSource *source = g_ptr_array_index(self->sources, i);
        g_ptr_array_add(sources, lvp_source_ref(source));
        g_ptr_array_add(snapshots, lvp_source_discover(source, LVP_DISCOVER_OFFERED, &error));
        assert_no_error(error);
    }
    lvp_allocator_install(self->allocator, sources, snapshots, self->classes, self->vm_limit,
                          &error);
    assert_no_error(error);
}

void
world_restart(World *self)
{
    close_state(self);
    open_state(self);
    world_install(self);
}

void
world_reboot(World *self)
{
    self->boot_id = NEXT_BOOT_ID;
    g_hash_table_remove_all(self->cards->taken);
    self->cards->found_again = LVP_VERDICT_NEEDS_COMMIT;
    lvp_hypervisor_destroy(self->hypervisor, WORLD_UUID, NULL);
    world_restart(self);
}

static gboolean
is_connected(gpointer data)
{
    g_autofree char *problem = lvp_hypervisor_dup_problem(data);
    return problem == NULL;
}

void
world_connect(World *self)
{
    static const char ITS_DOMAIN[] = "6695eb01-f6a4-8304-79aa-97f2502e193f";
    g_autoptr(GError) error = NULL;
    LvpHypervisorCalls calls = {0};
    self->hypervisor = lvp_hypervisor_new("test:///default", &calls);
    self->jobs.hypervisor = self->hypervisor;
    lvp_hypervisor_connect(self->hypervisor);
    cr_assert(lvp_wait_until(is_connected, self->hypervisor));
    lvp_hypervisor_destroy(self->hypervisor, ITS_DOMAIN, &error);
    assert_no_error(error);
    lvp_hypervisor_undefine(self->hypervisor, ITS_DOMAIN, FALSE, &error);
    assert_no_error(error);
}

/* ---- machines ---- */

LvpCreateSpec
world_make_spec(const World *self, const char *name, const char *class_name)
{
    return (LvpCreateSpec){.name = name,
                           .class_name = class_name,
                           .template_xml = DEFAULT_TEMPLATE,
                           .labels = self->no_labels,
                           .annotations = self->no_labels,
                           .start = TRUE};
}

LvpMachine *
world_reserve(World *self, const char *name, const char *class_name)
{
    g_autoptr(GError) error = NULL;
    gboolean existing = FALSE;
    LvpCreateSpec spec = world_make_spec(self, name, class_name);
    LvpMachine *machine = lvp_allocator_reserve(self->allocator, &spec, &existing, &error);
    assert_no_error(error);
    cr_assert_not(existing);
    return machine;
}

LvpMachine *
world_add(World *self, const char *name, const char *class_name)
{
    g_autoptr(GError) error = NULL;
    LvpMachine *machine = world_reserve(self, name, class_name);
    lvp_allocator_finish(self->allocator, machine, &error);
    assert_no_error(error);
    return machine;
}

void
world_hold(World *self, const char *name, const char *class_name)
{
    lvp_machine_unref(world_add(self, name, class_name));
}

int
world_refuse(World *self, const LvpCreateSpec *spec, char **ret_message)
{
    g_autoptr(GError) error = NULL;
    gboolean existing = FALSE;
    const LvpMachine *machine = lvp_allocator_reserve(self->allocator, spec, &existing, &error);
    cr_assert_null(machine);
    cr_assert_not_null(error);
    cr_assert_eq(error->domain, LVP_ERROR);
    if (ret_message)
        *ret_message = g_strdup(error->message);
    return error->code;
}

typedef struct {
    const char *name;
    LvpMachine *machine;
    gint64 amount;
    char *text;
} Look;

static void
look_for_machine(const LvpWorld *world, gpointer data)
{
    Look *look = data;
    for (guint i = 0; i < world->machines->len; i++) {
        LvpMachine *machine = g_ptr_array_index(world->machines, i);
        if (strcmp(machine->name, look->name) == 0)
            look->machine = machine;
    }
}

LvpMachine *
world_find(World *self, const char *name)
{
    Look look = {.name = name};
    lvp_allocator_read(self->allocator, look_for_machine, &look);
    return look.machine;
}

static void
look_for_free(const LvpWorld *world, gpointer data)
{
    Look *look = data;
    const LvpResource *resource = lvp_inventory_find_resource(world->inventory, look->name);
    look->amount = resource ? lvp_resource_get_free(resource) : -1;
}

gint64
world_count_free(World *self, const char *resource)
{
    Look look = {.name = resource};
    lvp_allocator_read(self->allocator, look_for_free, &look);
    return look.amount;
}

static void
look_for_unit(const LvpWorld *world, gpointer data)
{
    Look *look = data;
    const LvpInventoryUnit *unit = lvp_inventory_find_unit(world->inventory, "cards", look->name);
    if (unit && lvp_unit_is_free(unit))
        look->text = g_strdup("");
    else if (unit)
        look->text = lvp_planner_explain_unit(unit);
}

char *
world_explain(World *self, const char *unit_id)
{
    Look look = {.name = unit_id};
    lvp_allocator_read(self->allocator, look_for_unit, &look);
    return look.text;
}

/* ---- with libvirt ---- */

LvpMachine *
world_create(World *self, const char *class_name)
{
    g_autoptr(GError) error = NULL;
    LvpCreateSpec spec = world_make_spec(self, "vm1", class_name);
    spec.uuid = WORLD_UUID;
    LvpMachine *machine = lvp_machine_create(&self->jobs, &spec, NULL, &error);
    assert_no_error(error);
    cr_assert_not_null(machine);
    return machine;
}

void
world_make(World *self, const char *class_name)
{
    lvp_machine_unref(world_create(self, class_name));
}

LvpDomainState
world_get_domain(World *self)
{
    g_autoptr(GError) error = NULL;
    LvpDomainState state = LVP_DOMAIN_UNKNOWN;
    lvp_hypervisor_get_state(self->hypervisor, WORLD_UUID, &state, &error);
    assert_no_error(error);
    return state;
}

void
world_define_foreign(World *self, const char *name, const char *uuid)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *xml =
        g_strdup_printf("<domain type='test'><name>%s</name><uuid>%s</uuid><memory>65536</memory>"
                        "<vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os></domain>",
                        name, uuid);
    lvp_hypervisor_define(self->hypervisor, xml, &error);
    assert_no_error(error);
}

void
world_assert_nothing_left(World *self)
{
    g_autofree char *rows = world_query(
        self, "SELECT (SELECT count(*) FROM machine), (SELECT count(*) FROM held_unit), "
              "(SELECT count(*) FROM record), (SELECT count(*) FROM unit_mark)");
    cr_assert_str_eq(rows, "0|0|0|0");
    cr_assert_null(world_find(self, "vm1"));
    cr_assert_eq(world_count_free(self, GPU), 2);
    cr_assert_eq(world_count_free(self, "cpu"), 4000);
    cr_assert_eq(g_hash_table_size(self->cards->taken), 0);
    cr_assert_eq(world_get_domain(self), LVP_DOMAIN_ABSENT);
}

/* ---- the journal's file ---- */

char *
world_query(World *self, const char *sql)
{
    g_autofree char *folder = lvp_scratch_get_path(self->scratch, STATE);
    return journal_file_query(folder, sql);
}

void
world_execute(World *self, const char *sql)
{
    g_free(world_query(self, sql));
}

void
world_fail_write(World *self, const char *when)
{
    g_autofree char *sql = g_strdup_printf(
        "CREATE TRIGGER made_to_fail BEFORE %s BEGIN SELECT RAISE(ABORT, 'made to fail'); END",
        when);
    world_execute(self, sql);
}

void
world_heal_writes(World *self)
{
    world_execute(self, "DROP TRIGGER made_to_fail");
}

char *
world_list_events(World *self)
{
    g_autoptr(GError) error = NULL;
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_autoptr(GPtrArray) events = lvp_events_list(self->events, 0, 1000, &error);
    assert_no_error(error);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < events->len; i++) {
        const LvpEvent *event = g_ptr_array_index(events, i);
        g_string_append_printf(text, "%s %s %s>%s\n", event->kind, event->subject, event->from,
                               event->to);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}
