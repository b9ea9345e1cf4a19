/* SPDX-License-Identifier: Apache-2.0 */
/* Contradictions, damage, full disks. */
#include "assert-error.h"
#include "journal-file.h"
#include "scratch.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534
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
    folder = lvp_scratch_get_path(scratch, "state");
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

/* Holds UNIT (may be NULL) and has a record. */
static LvpMachine *
make_machine(const char *uuid, const char *name, const char *unit)
{
    LvpMachine *machine = lvp_machine_new(uuid, name, "gpu");
    LvpHolding *pci = lvp_holding_new(uuid, "pci");
    lvp_holding_add_amount(pci, "memory", 0, 5);
    if (unit)
        lvp_holding_add_unit(pci, "gpu.nvidia/a30", unit, "i", 0);
    pci->record = g_variant_ref_sink(g_variant_new_string("prior state"));
    g_ptr_array_add(machine->holdings, pci);
    return machine;
}

static void
reserve(LvpMachine *machine)
{
    g_autoptr(GError) error = NULL;
    lvp_journal_reserve(journal, machine, &error);
    assert_no_error(error);
    lvp_journal_save_records(journal, machine, &error);
    assert_no_error(error);
}

/* The names in the journal's file. */
static void
assert_machines(const char *expected)
{
    g_autofree char *names = journal_file_query(folder, "SELECT name FROM machine ORDER BY name");
    cr_assert_str_eq(names, expected);
}

static void
execute(const char *sql)
{
    g_free(journal_file_query(folder, sql));
}

/* ---- no right to write ---- */

/* From here on this process is nobody's, who owns the state folder; until become_root(). */
static void
become_nobody(void)
{
    if (geteuid() != 0)
        return;
    cr_assert_eq(chmod(lvp_scratch_get_root(scratch), 0755), 0);
    cr_assert_eq(chown(folder, NOBODY, NOBODY), 0);
    cr_assert_eq(seteuid(NOBODY), 0);
}

static void
become_root(void)
{
    if (getuid() == 0)
        cr_assert_eq(seteuid(0), 0);
}

/* Opening fails, and the text says why and where to look. */
static void
assert_no_right(void)
{
    g_autoptr(GError) error = NULL;
    become_nobody();
    LvpJournal *opened = lvp_journal_open(folder, &error);
    become_root();
    cr_assert_null(opened);
    assert_error(error, LVP_ERROR_HOST);
    assert_contains(error->message, "Permission denied");
    assert_contains(error->message, "the daemon must be able to write in the state folder, see "
                                    "--libvirt-provider-dir");
}

Test(journal, file_that_can_only_be_read_is_told_with_the_reason)
{
    g_autofree char *file = lvp_scratch_get_path(scratch, "state/state.db");
    g_autofree char *lock = lvp_scratch_get_path(scratch, "state/state.lock");
    lvp_journal_close(g_steal_pointer(&journal));
    cr_assert_eq(chmod(file, 0444), 0);
    cr_assert_eq(chmod(lock, 0666), 0);
    assert_no_right();
}

Test(journal, folder_that_can_only_be_read_is_told_with_the_reason)
{
    g_autofree char *file = lvp_scratch_get_path(scratch, "state/state.db");
    g_autofree char *lock = lvp_scratch_get_path(scratch, "state/state.lock");
    lvp_journal_close(g_steal_pointer(&journal));
    cr_assert_eq(unlink(file), 0);
    cr_assert_eq(chmod(lock, 0666), 0);
    cr_assert_eq(chmod(folder, 0555), 0);
    assert_no_right();
}

/* ---- contradictions ---- */

Test(journal, unit_held_twice_is_a_conflict_and_changes_nothing)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) first = make_machine(UUID_1, "vm1", "0000:3b:00.0");
    g_autoptr(LvpMachine) second = make_machine(UUID_2, "vm2", "0000:3a:00.0");
    lvp_holding_add_unit(g_ptr_array_index(second->holdings, 0), "gpu.nvidia/a30", "0000:3b:00.0",
                         "i", 0);
    reserve(first);
    cr_assert_not(lvp_journal_reserve(journal, second, &error));
    assert_error(error, LVP_ERROR_CONFLICT);
    assert_machines("vm1");
    g_autofree char *units = journal_file_query(folder, "SELECT id, machine FROM held_unit");
    cr_assert_str_eq(units, "0000:3b:00.0|" UUID_1);
}

Test(journal, template_of_a_write_that_was_undone_is_written_again)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) first = make_machine(UUID_1, "vm1", "0000:3b:00.0");
    g_autoptr(LvpMachine) second = make_machine(UUID_2, "vm2", "0000:3c:00.0");
    execute("CREATE TRIGGER t BEFORE INSERT ON held_unit WHEN NEW.id = '0000:3b:00.0' "
            "BEGIN SELECT RAISE(ABORT, 'made to fail'); END");
    cr_assert_not(lvp_journal_reserve(journal, first, &error));
    reserve(second);
    g_autofree char *templates = journal_file_query(
        folder, "SELECT name FROM machine JOIN template ON template.id = machine.template");
    cr_assert_str_eq(templates, "vm2");
}

Test(journal, progress_of_a_machine_that_is_not_there_is_refused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1", NULL);
    cr_assert_not(lvp_journal_save_machine(journal, machine, &error));
    assert_error(error, LVP_ERROR_INTERNAL);
}

Test(journal, records_of_a_machine_that_is_not_there_are_not_kept)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1", NULL);
    cr_assert_not(lvp_journal_save_records(journal, machine, &error));
    assert_error(error, LVP_ERROR_INTERNAL);
    g_autofree char *count = journal_file_query(folder, "SELECT count(*) FROM record");
    cr_assert_str_eq(count, "0");
}

Test(journal, write_that_fails_is_undone_alone)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) first = make_machine(UUID_1, "vm1", "0000:3b:00.0");
    g_autoptr(LvpMachine) second = make_machine(UUID_2, "vm2", "0000:3c:00.0");
    execute("CREATE TRIGGER t BEFORE INSERT ON held_unit WHEN NEW.id = '0000:3b:00.0' "
            "BEGIN SELECT RAISE(ABORT, 'made to fail'); END");
    cr_assert_not(lvp_journal_reserve(journal, first, &error));
    assert_contains(error->message, "made to fail");
    reserve(second);
    assert_machines("vm2");
}

/* ---- files that are none of ours ---- */

/* Opens the journal again, which must fail. */
static GError *
fail_to_open(void)
{
    GError *error = NULL;
    g_clear_pointer(&journal, lvp_journal_close);
    journal = lvp_journal_open(folder, &error);
    cr_assert_null(journal);
    cr_assert_not_null(error);
    return error;
}

Test(journal, later_schema_is_refused_and_left_alone)
{
    execute("PRAGMA user_version=2");
    g_autoptr(GError) error = fail_to_open();
    assert_error(error, LVP_ERROR_NOT_SUPPORTED);
    assert_contains(error->message, "schema 2");
    assert_contains(error->message, "install the version that wrote it");
    g_autofree char *version = journal_file_query(folder, "PRAGMA user_version");
    cr_assert_str_eq(version, "2");
}

Test(journal, database_of_another_application_is_refused)
{
    execute("PRAGMA application_id=1");
    g_autoptr(GError) error = fail_to_open();
    assert_error(error, LVP_ERROR_NOT_SUPPORTED);
}

Test(journal, database_of_another_application_is_left_as_it_is)
{
    g_autofree char *path = g_build_filename(folder, "state.db", NULL);
    g_autofree char *before = NULL, *after = NULL;
    gsize size_before, size_after;
    g_clear_pointer(&journal, lvp_journal_close);
    execute("PRAGMA journal_mode=DELETE; PRAGMA application_id=1");
    cr_assert(g_file_get_contents(path, &before, &size_before, NULL));
    g_autoptr(GError) error = fail_to_open();
    assert_error(error, LVP_ERROR_NOT_SUPPORTED);
    cr_assert(g_file_get_contents(path, &after, &size_after, NULL));
    cr_assert_eq(size_after, size_before);
    cr_assert_eq(memcmp(after, before, size_before), 0);
}

/* ---- files that are damaged ---- */

/* The content of the one file that was set aside; g_free(). */
static char *
read_aside(void)
{
    g_autoptr(GDir) entries = g_dir_open(folder, 0, NULL);
    char *text = NULL;
    const char *name;
    while ((name = g_dir_read_name(entries)) != NULL) {
        if (!g_str_has_prefix(name, "state.db.damaged-") || g_str_has_suffix(name, "-wal"))
            continue;
        g_autofree char *path = g_build_filename(folder, name, NULL);
        cr_assert_null(text, "a second file aside");
        cr_assert(g_file_get_contents(path, &text, NULL, NULL));
    }
    return text;
}

static char *
read_rebuild(void)
{
    g_autoptr(GError) error = NULL;
    char *reason = NULL;
    lvp_journal_read_rebuild(journal, &reason, &error);
    assert_no_error(error);
    return reason;
}

/* The journal can be opened, is empty, and says that it is to be made again. */
static void
assert_set_aside(const char *why)
{
    g_clear_pointer(&journal, lvp_journal_close);
    open_journal();
    g_autofree char *reason = read_rebuild();
    g_autoptr(GPtrArray) machines = lvp_journal_load_machines(journal, NULL);
    assert_contains(reason, why);
    assert_contains(reason, "state.db.damaged-");
    cr_assert_eq(machines->len, 0);
    g_clear_pointer(&journal, lvp_journal_close);
    open_journal();
    g_autofree char *again = read_rebuild();
    cr_assert_str_eq(again, reason, "it is said until it is done");
}

Test(journal, file_that_is_no_database_is_set_aside_as_it_is)
{
    g_clear_pointer(&journal, lvp_journal_close);
    g_autofree char *text = g_strnfill(8192, 'x');
    lvp_scratch_write(scratch, "state/state.db", text);
    assert_set_aside("not a database");
    g_autofree char *after = read_aside();
    cr_assert_str_eq(after, text);
}

Test(journal, file_that_was_cut_to_nothing_is_set_aside)
{
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1", "0000:3b:00.0");
    reserve(machine);
    g_clear_pointer(&journal, lvp_journal_close);
    lvp_scratch_write(scratch, "state/state.db", "");
    assert_set_aside("it is empty");
}

/* Writes VALUE into the header of the file, which is not open. */
static void
set_header(off_t offset, guint32 value)
{
    guint32 bytes = GUINT32_TO_BE(value);
    g_autofree char *path = g_build_filename(folder, "state.db", NULL);
    g_clear_pointer(&journal, lvp_journal_close);
    int fd = g_open(path, O_WRONLY, 0);
    cr_assert_eq(pwrite(fd, &bytes, sizeof bytes, offset), (ssize_t)sizeof bytes);
    close(fd);
}

Test(journal, file_of_a_format_that_sqlite_does_not_know_is_set_aside)
{
    set_header(44, 0x77); /* the schema format, see "The Database Header" of SQLite */
    assert_set_aside("unsupported file format");
}

Test(journal, later_schema_in_a_damaged_file_is_damage)
{
    set_header(60, 0x80000077); /* the user version */
    set_header(52, 0x77);       /* and what makes it damaged: a root page that is none */
    assert_set_aside("damaged");
}

Test(journal, log_of_a_damaged_file_goes_with_it)
{
    g_clear_pointer(&journal, lvp_journal_close);
    g_autofree char *text = g_strnfill(8192, 'x');
    lvp_scratch_write(scratch, "state/state.db", text);
    lvp_scratch_write(scratch, "state/state.db-wal", "of the damaged one");
    assert_set_aside("not a database");
    g_autofree char *log = journal_file_query(folder, "SELECT count(*) FROM rebuild");
    cr_assert_str_eq(log, "1", "nothing of the old log was played into the new file");
}

Test(journal, exchange_that_broke_off_is_finished)
{
    g_autoptr(GError) error = NULL;
    g_clear_pointer(&journal, lvp_journal_close);
    g_autofree char *text = g_strnfill(8192, 'x');
    lvp_scratch_write(scratch, "state/state.db", text);
    assert_set_aside("not a database");
    g_clear_pointer(&journal, lvp_journal_close);
    g_autofree char *path = g_build_filename(folder, "state.db", NULL);
    g_autofree char *fresh = g_build_filename(folder, "state.db.new", NULL);
    cr_assert_eq(g_rename(path, fresh), 0);
    lvp_scratch_write(scratch, "state/state.db-wal", "of the damaged one");
    open_journal();
    g_autofree char *reason = read_rebuild();
    assert_contains(reason, "not a database");
    cr_assert_not(g_file_test(fresh, G_FILE_TEST_EXISTS));
}

Test(journal, rebuild_is_over_when_it_is_said)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) no_marks = g_ptr_array_new();
    g_clear_pointer(&journal, lvp_journal_close);
    lvp_scratch_write(scratch, "state/state.db", "no database, and not a short one either, is it");
    assert_set_aside("not a database");
    lvp_journal_end_rebuild(journal, no_marks, &error);
    assert_no_error(error);
    g_clear_pointer(&journal, lvp_journal_close);
    open_journal();
    cr_assert_null(read_rebuild());
}

Test(journal, folder_in_place_of_the_file_is_refused)
{
    g_clear_pointer(&journal, lvp_journal_close);
    lvp_scratch_remove(scratch, "state");
    lvp_scratch_make_folder(scratch, "state/state.db");
    g_autoptr(GError) error = fail_to_open();
    assert_error(error, LVP_ERROR_HOST);
    assert_contains(error->message, "state/state.db");
}

Test(journal, file_in_place_of_the_folder_is_refused_with_the_flag)
{
    g_clear_pointer(&journal, lvp_journal_close);
    lvp_scratch_remove(scratch, "state");
    lvp_scratch_write(scratch, "state", "");
    g_autoptr(GError) error = fail_to_open();
    assert_error(error, LVP_ERROR_HOST);
    assert_contains(error->message, "--libvirt-provider-dir");
}

/* ---- damage ---- */

static void
assert_unreadable(const char *part)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) machines = lvp_journal_load_machines(journal, &error);
    cr_assert_null(machines);
    assert_error(error, LVP_ERROR_DAMAGED);
    assert_contains(error->message, "state/state.db");
    assert_contains(error->message, part);
}

/* A journal with vm1, changed by SQL, cannot be read. */
static void
assert_unreadable_after(const char *sql)
{
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1", "0000:3b:00.0");
    reserve(machine);
    execute(sql);
    assert_unreadable("is damaged");
}

Test(journal, operation_out_of_range_is_damage)
{
    assert_unreadable_after("UPDATE machine SET op=99");
}

Test(journal, template_that_is_missing_is_damage)
{
    assert_unreadable_after("DELETE FROM template");
}

Test(journal, uuid_of_two_rows_is_damage)
{
    assert_unreadable_after(
        "INSERT INTO machine SELECT 99, uuid, 'vm9', class, request, template,"
        " labels, annotations, amounts, desired, created, keep_nvram, autostart, op, step,"
        " boot_id, generation, error FROM machine LIMIT 1");
}

Test(journal, negative_step_is_damage) { assert_unreadable_after("UPDATE machine SET step=-1"); }

Test(journal, request_that_is_none_is_damage)
{
    assert_unreadable_after("UPDATE machine SET request='[(1'");
}

Test(journal, negative_amount_is_damage)
{
    assert_unreadable_after("UPDATE machine SET amounts='[(\"pci\", \"memory\", 0, int64 -1)]'");
}

/* SQLite keeps any value in any column, and reads any value as anything. */
Test(journal, values_that_are_not_of_their_column_are_damage)
{
    static const char *const WRONG[] = {
        "machine SET uuid='00000000-0000-4000-8000-00000000000G'",
        "machine SET name='../vm1'",
        "machine SET name=x'766d31'",
        "machine SET class=CAST(x'ff' AS TEXT)",
        "machine SET op='create'",
        "machine SET op=4294967296",
        "machine SET desired=0.5",
        "machine SET generation=-1",
        "machine SET labels='{''a'': 1}'",
        "machine SET amounts='[(''pci'', ''memory'', -2, 5)]'",
        "machine SET request='[('''', 5)]'",
        "template SET text=CAST('<domain/>' || x'00' AS TEXT)",
        "held_unit SET id=x'30'",
        "held_unit SET node=-2",
        "held_unit SET identity=CAST(x'ff' AS TEXT)",
        "record SET bytes=''",
    };
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1", "0000:3b:00.0");
    reserve(machine);
    for (guint i = 0; i < G_N_ELEMENTS(WRONG); i++) {
        g_autofree char *sql = g_strconcat("BEGIN; UPDATE ", WRONG[i], "; COMMIT", NULL);
        g_autofree char *path = g_build_filename(folder, "state.db", NULL);
        g_autofree char *text = NULL;
        gsize length;
        g_clear_pointer(&journal, lvp_journal_close); /* all is in the one file then */
        cr_assert(g_file_get_contents(path, &text, &length, NULL));
        open_journal();
        execute(sql);
        assert_unreadable("is damaged");
        g_clear_pointer(&journal, lvp_journal_close);
        cr_assert(g_file_set_contents(path, text, (gssize)length, NULL));
        open_journal();
        g_autoptr(GPtrArray) machines = lvp_journal_load_machines(journal, NULL);
        cr_assert(machines && machines->len == 1, "after %s", WRONG[i]);
    }
}

Test(journal, amounts_that_are_more_than_there_can_be_are_damage)
{
    assert_unreadable_after("UPDATE machine SET amounts='[(''pci'', ''memory'', 0, "
                            "9223372036854775807), (''pci'', ''memory'', 1, 1)]'");
}

Test(journal, name_of_two_rows_is_damage)
{
    assert_unreadable_after(
        "INSERT INTO machine SELECT 99, '" UUID_2 "', name, class, request,"
        " template, labels, annotations, amounts, desired, created, keep_nvram, autostart,"
        " op, step, boot_id, generation, error FROM machine LIMIT 1");
}

Test(journal, reason_that_is_no_text_is_made_one)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1", "0000:3b:00.0");
    reserve(machine);
    execute("UPDATE machine SET error=CAST('a' || x'ff' AS TEXT)");
    g_autoptr(GPtrArray) machines = lvp_journal_load_machines(journal, &error);
    assert_no_error(error);
    const LvpMachine *read = g_ptr_array_index(machines, 0);
    cr_assert_str_eq(read->error, "a\xef\xbf\xbd");
}

Test(journal, unit_of_an_unknown_machine_is_damage)
{
    assert_unreadable_after("UPDATE held_unit SET machine='x'");
}

Test(journal, two_units_of_a_machine_at_one_id_are_damage)
{
    assert_unreadable_after("INSERT INTO held_unit SELECT source, id, identity || 'x', machine,"
                            " resource, node, found FROM held_unit");
}

Test(journal, record_of_an_unknown_machine_is_damage)
{
    assert_unreadable_after("UPDATE record SET machine='x'");
}

Test(journal, record_that_is_none_is_damage)
{
    assert_unreadable_after("UPDATE record SET bytes=x'ffffffff'");
}

/* Fills the page of TABLE with garbage, in a file that is not open. */
static void
destroy_page(const char *table)
{
    g_autofree char *sql =
        g_strdup_printf("SELECT rootpage FROM sqlite_schema WHERE name='%s'", table);
    g_autofree char *page = journal_file_query(folder, sql);
    g_autofree char *size = journal_file_query(folder, "PRAGMA page_size");
    g_autofree char *path = g_build_filename(folder, "state.db", NULL);
    gint64 length = g_ascii_strtoll(size, NULL, 10);
    g_autofree char *garbage = g_strnfill((gsize)length, '\x5a');
    int fd = g_open(path, O_WRONLY, 0);
    cr_assert_eq(
        pwrite(fd, garbage, (size_t)length, (g_ascii_strtoll(page, NULL, 10) - 1) * length),
        length);
    close(fd);
}

static void
assert_page_matters(const char *table)
{
    g_autoptr(LvpMachine) machine = make_machine(UUID_1, "vm1", "0000:3b:00.0");
    reserve(machine);
    g_clear_pointer(&journal, lvp_journal_close);
    destroy_page(table);
    assert_set_aside("damaged");
}

Test(journal, damaged_page_of_machines_is_an_error) { assert_page_matters("machine"); }

Test(journal, damaged_page_of_units_is_an_error) { assert_page_matters("held_unit"); }

Test(journal, damaged_page_of_records_is_an_error) { assert_page_matters("record"); }

Test(journal, damaged_page_of_marks_is_an_error)
{
    g_clear_pointer(&journal, lvp_journal_close);
    destroy_page("unit_mark");
    assert_set_aside("damaged");
}

Test(journal, damaged_record_of_a_mark_is_an_error)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpUnitMark) mark = lvp_unit_mark_new("pci", "0000:3b:00.0");
    mark->quarantine = g_strdup("stuck");
    mark->record = g_variant_ref_sink(g_variant_new_string("x"));
    lvp_journal_set_mark(journal, mark, &error);
    assert_no_error(error);
    execute("UPDATE unit_mark SET record=x'ffffffff'");
    cr_assert_null(lvp_journal_load_marks(journal, &error));
    assert_error(error, LVP_ERROR_DAMAGED);
}

/* ---- a full disk ---- */

static void
limit_file_size(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(journal, write_that_finds_no_room_fails_and_the_next_works_when_there_is_some)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpMachine) first = make_machine(UUID_1, "vm1", "0000:3b:00.0");
    g_autoptr(LvpMachine) second = make_machine(UUID_2, "vm2", "0000:3c:00.0");
    reserve(first);
    limit_file_size(1024);
    cr_assert_not(lvp_journal_reserve(journal, second, &error));
    assert_error(error, LVP_ERROR_HOST);
    limit_file_size(RLIM_INFINITY);
    assert_machines("vm1");
    reserve(second);
    assert_machines("vm1 vm2");
}
