/* SPDX-License-Identifier: Apache-2.0 */
/* What is written comes back; what goes wrong is in test-journal-damage.c. */
#include "assert-error.h"
#include "journal-file.h"
#include "scratch.h"

#include <glib/gstdio.h>
#include <libvirt-provider/inventory.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UUID_1 "00000000-0000-4000-8000-000000000001"
#define UUID_2 "00000000-0000-4000-8000-000000000002"

static LvpScratch *scratch;
static char *folder;
static LvpJournal *journal;

static void
open_journal(void)
{
    g_autoptr(GError) error = NULL;
    journal = lvp_journal_open(folder, &error);
    assert_no_error(error);
}

static void
set_up(void)
{
    scratch = lvp_scratch_new();
    folder = lvp_scratch_get_path(scratch, "a/state");
    open_journal();
}

static void
tear_down(void)
{
    lvp_journal_close(journal);
    lvp_scratch_free(scratch);
    g_free(folder);
}

TestSuite(journal, .init = set_up, .fini = tear_down);

static LvpMachine *
make_machine(const char *uuid, const char *name)
{
    LvpMachine *machine = lvp_machine_new(uuid, name, "gpu");
    LvpHolding *cpu = lvp_holding_new(uuid, "cpu"), *pci = lvp_holding_new(uuid, "pci");
    lvp_request_set_amount(machine->request, "memory", G_MAXINT64);
    lvp_request_set_amount(machine->request, "cpu", 1500);
    lvp_holding_add_amount(cpu, "cpu", 0, 1000);
    lvp_holding_add_amount(cpu, "cpu", LVP_NODE_NONE, 500);
    g_autofree char *id = g_strdup_printf("0000:3b:00.%c", name[strlen(name) - 1]);
    lvp_holding_add_unit(pci, "gpu.nvidia/a30", id, "10de:20b7", 1);
    lvp_holding_add_unit(pci, "nic.intel/x", "10000:e1:00.0", "", LVP_NODE_NONE);
    if (strcmp(uuid, UUID_1) != 0)
        g_array_remove_index(pci->units, 1);
    g_ptr_array_add(machine->holdings, cpu);
    g_ptr_array_add(machine->holdings, pci);
    machine->step = LVP_STEP_RESERVED;
    machine->generation = 1;
    return machine;
}

static LvpHolding *
get_pci(const LvpMachine *machine)
{
    return lvp_machine_find_holding(machine, "pci");
}

static void
reserve(LvpMachine *machine)
{
    g_autoptr(GError) error = NULL;
    lvp_journal_reserve(journal, machine, &error);
    assert_no_error(error);
}

/* All machines of the journal, opened again, as text. */
static char *
reopen(void)
{
    g_autoptr(GError) error = NULL;
    lvp_journal_close(journal);
    open_journal();
    g_autoptr(GPtrArray) machines = lvp_journal_load_machines(journal, &error);
    assert_no_error(error);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < machines->len; i++) {
        g_autofree char *one = journal_file_describe(g_ptr_array_index(machines, i));
        g_string_append_printf(text, "%s%s", i > 0 ? "\n" : "", one);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
assert_comes_back(const LvpMachine *machine)
{
    g_autofree char *expected = journal_file_describe(machine);
    g_autofree char *text = reopen();
    cr_assert_str_eq(text, expected);
}

/* The marks of the journal, opened again, as text. */
static char *
reopen_marks(void)
{
    g_autoptr(GError) error = NULL;
    lvp_journal_close(journal);
    open_journal();
    g_autoptr(GPtrArray) marks = lvp_journal_load_marks(journal, &error);
    assert_no_error(error);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < marks->len; i++) {
        g_autofree char *one = journal_file_describe_mark(g_ptr_array_index(marks, i));
        g_string_append_printf(text, "%s%s", i > 0 ? "\n" : "", one);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* ---- machines ---- */

Test(journal, folder_is_made_for_its_owner_only)
{
    struct stat status;
    cr_assert_eq(g_stat(folder, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0700);
    cr_assert(lvp_scratch_exists(scratch, "a/state/state.db"));
}

Test(journal, new_journal_is_empty)
{
    g_autofree char *machines = reopen();
    g_autofree char *marks = reopen_marks();
    cr_assert_str_eq(machines, "");
    cr_assert_str_eq(marks, "");
}

/* The number of templates in the file. */
static char *
count_templates(void)
{
    return journal_file_query(folder, "SELECT count(*) FROM template");
}

Test(journal, machines_with_the_same_template_share_its_row)
{
    g_autoptr(LvpMachine) first = make_machine(UUID_1, "vm1");
    g_autoptr(LvpMachine) second = make_machine(UUID_2, "vm2");
    reserve(first);
    reserve(second);
    g_autofree char *count = count_templates();
    cr_assert_str_eq(count, "1");
}

Test(journal, template_that_no_machine_has_any_more_goes)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1");
    reserve(machine);
    lvp_journal_remove(journal, machine, NULL, &error);
    assert_no_error(error);
    g_autofree char *count = count_templates();
    cr_assert_str_eq(count, "0");
}

Test(journal, templates_do_not_pile_up_while_machines_come_and_go)
{
    g_autoptr(GError) error = NULL;
    for (guint i = 0; i < 200; i++) {
        g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1");
        g_free(machine->template_xml);
        machine->template_xml = g_strdup_printf("<domain>%u</domain>", i);
        reserve(machine);
        lvp_journal_remove(journal, machine, NULL, &error);
        assert_no_error(error);
    }
    g_autofree char *count = count_templates();
    cr_assert_lt(atoi(count), 100);
}

Test(journal, close_accepts_null) { lvp_journal_close(NULL); }

Test(journal, reserved_machine_comes_back)
{
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1");
    reserve(machine);
    assert_comes_back(machine);
}

Test(journal, texts_come_back_whatever_is_in_them)
{
    static const char ODD[] = "'\"\\;--\n\t%s \xc3\xa9 \xf0\x9f\x98\x80 {'a': <1>}";
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1");
    GVariantBuilder labels = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{ss}"));
    g_variant_builder_add(&labels, "{ss}", ODD, ODD);
    g_variant_builder_add(&labels, "{ss}", "", "");
    g_variant_unref(machine->labels);
    machine->labels = g_variant_ref_sink(g_variant_builder_end(&labels));
    g_free(machine->template_xml);
    machine->template_xml = g_strdup(ODD);
    g_free(machine->class_name);
    machine->class_name = g_strdup(ODD);
    reserve(machine);
    assert_comes_back(machine);
}

Test(journal, machine_without_holdings_comes_back)
{
    g_autoptr(LvpMachine) machine = lvp_machine_new(UUID_1, "vm1", "none");
    reserve(machine);
    assert_comes_back(machine);
}

Test(journal, holdings_come_back_in_the_order_of_the_sources)
{
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1");
    g_ptr_array_insert(machine->holdings, 0, g_ptr_array_steal_index(machine->holdings, 1));
    cr_assert_str_eq(((LvpHolding *)g_ptr_array_index(machine->holdings, 0))->source, "pci");
    reserve(machine);
    assert_comes_back(machine);
}

Test(journal, machines_come_back_in_the_order_of_names)
{
    g_autoptr(LvpMachine) second = make_machine(UUID_1, "b2");
    g_autoptr(LvpMachine) first = make_machine(UUID_2, "a1");
    reserve(second);
    reserve(first);
    g_autofree char *one = journal_file_describe(first), *two = journal_file_describe(second);
    g_autofree char *expected = g_strconcat(one, "\n", two, NULL);
    g_autofree char *text = reopen();
    cr_assert_str_eq(text, expected);
}

Test(journal, progress_comes_back)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1");
    reserve(machine);
    machine->desired = LVP_DESIRED_ABSENT;
    machine->created = TRUE;
    machine->keep_nvram = TRUE;
    machine->operation = LVP_OPERATION_DELETE;
    machine->step = LVP_STEP_COMMITTED;
    machine->generation = G_MAXINT64;
    machine->error = g_strdup("it is 'blocked'");
    g_free(machine->boot_id);
    machine->boot_id = g_strdup("boot");
    lvp_journal_save_machine(journal, machine, &error);
    assert_no_error(error);
    assert_comes_back(machine);
    g_clear_pointer(&machine->error, g_free);
    lvp_journal_save_machine(journal, machine, &error);
    assert_no_error(error);
    assert_comes_back(machine);
}

static void
assert_record_comes_back(const char *type, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1");
    get_pci(machine)->record = g_variant_parse(G_VARIANT_TYPE(type), text, NULL, NULL, &error);
    assert_no_error(error);
    reserve(machine);
    lvp_journal_save_records(journal, machine, &error);
    assert_no_error(error);
    assert_comes_back(machine);
    lvp_journal_remove(journal, machine, NULL, &error);
    assert_no_error(error);
}

Test(journal, records_of_any_type_come_back)
{
    assert_record_comes_back("as", "['0000:3b:00.0', '']");
    assert_record_comes_back("as", "[]");
    assert_record_comes_back("(ua(sssb)a{sv})",
                             "(1, [('a', 'b', '', true)], {'k': <(1, [byte 2])>})");
    assert_record_comes_back("v", "<<int64 -9223372036854775808>>");
    assert_record_comes_back("ms", "nothing");
    assert_record_comes_back("()", "()");
    assert_record_comes_back("(ynqiuxtdb)", "(1, -2, 3, -4, 5, -6, 7, 8.5, true)");
}

Test(journal, record_of_a_mebibyte_comes_back)
{
    g_autofree char *filled = g_strnfill(1u << 20, 'x');
    g_autofree char *text = g_strdup_printf("'%s'", filled);
    assert_record_comes_back("s", text);
}

Test(journal, record_is_replaced_by_the_next)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1");
    get_pci(machine)->record = g_variant_ref_sink(g_variant_new_string("first"));
    reserve(machine);
    lvp_journal_save_records(journal, machine, &error);
    g_variant_unref(get_pci(machine)->record);
    get_pci(machine)->record = g_variant_ref_sink(g_variant_new_uint32(2));
    lvp_journal_save_records(journal, machine, &error);
    assert_no_error(error);
    assert_comes_back(machine);
}

Test(journal, removed_machine_leaves_no_row)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1");
    get_pci(machine)->record = g_variant_ref_sink(g_variant_new_string("x"));
    reserve(machine);
    lvp_journal_save_records(journal, machine, &error);
    lvp_journal_remove(journal, machine, NULL, &error);
    assert_no_error(error);
    g_autofree char *rows = journal_file_query(
        folder, "SELECT (SELECT count(*) FROM machine), (SELECT count(*) FROM held_unit), "
                "(SELECT count(*) FROM record), (SELECT count(*) FROM unit_mark)");
    cr_assert_str_eq(rows, "0|0|0|0");
}

Test(journal, name_and_units_of_a_removed_machine_can_be_taken_again)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1");
    reserve(machine);
    lvp_journal_remove(journal, machine, NULL, &error);
    assert_no_error(error);
    reserve(machine);
    assert_comes_back(machine);
}

/* ---- marks ---- */

Test(journal, marks_come_back)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpUnitMark) cordoned = lvp_unit_mark_new("pci", "0000:3b:00.0");
    g_autoptr(LvpUnitMark) quarantined = lvp_unit_mark_new("pci", "0000:3c:00.0");
    cordoned->cordoned = TRUE;
    quarantined->quarantine = g_strdup("unbind failed");
    quarantined->resource = g_strdup("gpu.nvidia/a30");
    quarantined->identity = g_strdup("10de:20b7");
    quarantined->record = g_variant_ref_sink(g_variant_new("(us)", 1, "nvidia"));
    lvp_journal_set_mark(journal, cordoned, &error);
    lvp_journal_set_mark(journal, quarantined, &error);
    assert_no_error(error);
    g_autofree char *one = journal_file_describe_mark(cordoned);
    g_autofree char *two = journal_file_describe_mark(quarantined);
    g_autofree char *expected = g_strconcat(one, "\n", two, NULL);
    g_autofree char *text = reopen_marks();
    cr_assert_str_eq(text, expected);
}

Test(journal, mark_that_says_nothing_removes_it)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpUnitMark) mark = lvp_unit_mark_new("pci", "0000:3b:00.0");
    mark->cordoned = TRUE;
    lvp_journal_set_mark(journal, mark, &error);
    mark->cordoned = FALSE;
    lvp_journal_set_mark(journal, mark, &error);
    assert_no_error(error);
    g_autofree char *text = reopen_marks();
    cr_assert_str_eq(text, "");
}

Test(journal, machine_is_removed_and_its_units_marked_in_one_write)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1");
    g_autoptr(GPtrArray) marks = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_unit_mark_free);
    LvpUnitMark *mark = lvp_unit_mark_new("pci", "0000:3b:00.1");
    mark->quarantine = g_strdup("stuck");
    g_ptr_array_add(marks, mark);
    reserve(machine);
    lvp_journal_remove(journal, machine, marks, &error);
    assert_no_error(error);
    g_autofree char *machines = reopen(), *text = reopen_marks();
    cr_assert_str_eq(machines, "");
    assert_contains(text, "0000:3b:00.1 cordoned=0 quarantine=stuck");
}

static gsize
measure_log(void)
{
    g_autofree char *path = g_build_filename(folder, "state.db-wal", NULL);
    GStatBuf status = {0};
    g_stat(path, &status);
    return (gsize)status.st_size;
}

Test(journal, log_of_a_process_that_died_is_written_back_at_the_next_start)
{
    lvp_journal_close(g_steal_pointer(&journal));
    pid_t child = fork();
    if (child == 0) {
        open_journal();
        lvp_journal_reserve(journal, make_machine(UUID_1, "vm1"), NULL);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    cr_assert_gt(measure_log(), 0);
    open_journal();
    cr_assert_eq(measure_log(), 0);
    g_autofree char *text = reopen();
    assert_contains(text, "vm1");
}
