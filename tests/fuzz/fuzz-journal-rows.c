/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the journal with any values in any column: an error, or valid machines and marks that are
 * written and read again the same. */
#include "fuzz.h"
#include "journal-db.h"
#include "journal-rows.h"
#include "scratch.h"

#include <libvirt-provider/error.h>
#include <libvirt-provider/inventory.h>
#include <stdlib.h>
#include <string.h>

/* Rows end with a byte, and so do values in them. A row begins with the letter of its table; a
 * value with the letter of its column (a: the first) and the one of its type. What is not said is
 * as in TABLES. */
#define ROW_END '\x1e'
#define VALUE_END '\x1f'
#define MAX_ROWS 16
#define MAX_COLUMNS 17

#define UUID "00000000-0000-4000-8000-00000000000"
/* A record as the pci source makes it, without functions: (uint32 1, []) in a variant. */
#define RECORD "\x01\x00\x00\x00\x00(ua(sssss))"

/* What a unit was when it was taken, LVP_HELD_FOUND_TYPE: (['iommu:15'], {'driver': 'nouveau'}). */
#define FOUND                                                                                      \
    "iommu:15\0\x09"                                                                               \
    "driver\0nouveau\0\x07\x10\x0a"

typedef struct {
    char letter;
    const char *name;
    guint n_columns;
    const char *columns[MAX_COLUMNS];
    /* A type, then the text: s text, i number, b RECORD, v FOUND, n null. '#': the number of the
     * row. */
    const char *values[MAX_COLUMNS];
} Table;

static const Table TABLES[] = {
    {'t', "template", 3, {"id", "hash", "text"}, {"i#", "s#", "s<domain/>"}},
    {'m',
     "machine",
     17,
     {"uuid", "name", "class", "request", "template", "labels", "annotations", "amounts", "desired",
      "created", "keep_nvram", "op", "step", "boot_id", "generation", "error", "autostart"},
     {"s" UUID "#", "svm#", "ssmall", "s[('cpu', 1000)]", "i0", "s{'a': 'b'}", "s{}",
      "s[('cpu', 'cpu', 0, 1000)]", "i0", "i1", "i0", "i0", "i3", "sboot", "i7", "n", "i0"}},
    {'u',
     "held_unit",
     7,
     {"source", "id", "machine", "resource", "identity", "node", "found"},
     {"spci", "s0000:3b:00.#", "s" UUID "1", "sgpu.nvidia/a30", "sidentity", "i0", "v" FOUND}},
    {'r', "record", 3, {"machine", "source", "bytes"}, {"s" UUID "1", "spci", "b" RECORD}},
    {'k',
     "unit_mark",
     8,
     {"source", "id", "cordoned", "quarantine", "resource", "identity", "record", "found"},
     {"spci", "s0000:3c:00.#", "i1", "sstuck", "sgpu.nvidia/a30", "sidentity", "b" RECORD,
      "v" FOUND}},
};

static sqlite3 *journal;
static sqlite3_stmt *inserts[G_N_ELEMENTS(TABLES)];
static LvpJournalDb *copy; /* what was read is written here, and read again */

/* ---- the journal ---- */

static void
execute(const char *sql)
{
    must(sqlite3_exec(journal, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static void
prepare_insert(guint index)
{
    const Table *table = &TABLES[index];
    g_autoptr(GString) columns = g_string_new(NULL), marks = g_string_new(NULL);
    for (guint i = 0; i < table->n_columns; i++) {
        g_string_append_printf(columns, "%s%s", i > 0 ? "," : "", table->columns[i]);
        g_string_append(marks, i > 0 ? ",?" : "?");
    }
    g_autofree char *sql = g_strdup_printf("INSERT OR IGNORE INTO %s(%s) VALUES(%s)", table->name,
                                           columns->str, marks->str);
    must(sqlite3_prepare_v2(journal, sql, -1, &inserts[index], NULL) == SQLITE_OK);
}

/* A file as the core makes it, which only this process changes, and never for good. */
static void
open_journal(void)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    g_autofree char *folder = lvp_scratch_get_path(scratch, "state");
    g_autofree char *file = lvp_scratch_get_path(scratch, "state/state.db");
    lvp_journal_close(lvp_journal_open(folder, NULL));
    must(sqlite3_open(file, &journal) == SQLITE_OK);
    execute("PRAGMA journal_mode=MEMORY");
    for (guint i = 0; i < G_N_ELEMENTS(TABLES); i++)
        prepare_insert(i);
    copy = lvp_journal_db_open(":memory:", TRUE, NULL);
    must(copy != NULL);
}

/* ---- the input as rows ---- */

/* LENGTH: of a text in the input; -1: one of ours. */
static void
bind_value(sqlite3_stmt *insert, int index, const char *value, int length, guint number)
{
    g_autofree char *text =
        g_strndup(value + 1, length < 0 ? strlen(value + 1) : (gsize)length - 1);
    gboolean is_bytes = value[0] == 'b' || value[0] == 'v';
    gsize own_size = value[0] == 'b'   ? sizeof RECORD - 1
                     : value[0] == 'v' ? sizeof FOUND - 1
                                       : strlen(text);
    gsize size = length < 0 ? own_size : (gsize)length - 1;
    char *mark = length < 0 && !is_bytes ? strchr(text, '#') : NULL;
    if (mark)
        *mark = (char)('0' + number);
    if (value[0] == 'i')
        sqlite3_bind_int64(insert, index, g_ascii_strtoll(text, NULL, 10));
    else if (value[0] == 'f')
        sqlite3_bind_double(insert, index, g_ascii_strtod(text, NULL));
    else if (is_bytes)
        sqlite3_bind_blob(insert, index, value + 1, (int)size, SQLITE_TRANSIENT);
    else if (value[0] == 's')
        sqlite3_bind_text(insert, index, mark ? text : value + 1, (int)size, SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(insert, index);
}

static void
insert_row(const char *row, gsize size, guint number)
{
    guint index = 0;
    while (index < G_N_ELEMENTS(TABLES) && TABLES[index].letter != row[0])
        index++;
    if (index == G_N_ELEMENTS(TABLES))
        return;
    const Table *table = &TABLES[index];
    sqlite3_stmt *insert = inserts[index];
    for (guint i = 0; i < table->n_columns; i++)
        bind_value(insert, (int)i + 1, table->values[i], -1, number);
    for (const char *value = row + 1, *end = row + size; value + 1 < end;) {
        const char *stop = memchr(value, VALUE_END, (gsize)(end - value));
        stop = stop ? stop : end;
        guint column = (guint)(guchar)*value - 'a';
        if (stop - value >= 2 && column < table->n_columns)
            bind_value(insert, (int)column + 1, value + 1, (int)(stop - value - 1), number);
        value = stop + 1;
    }
    sqlite3_step(insert); /* one that is refused was no row */
    sqlite3_reset(insert);
}

static void
insert_rows(const char *data, gsize size)
{
    insert_row("t", 1, 0);
    for (guint number = 1; size > 0 && number < MAX_ROWS; number++) {
        const char *stop = memchr(data, ROW_END, size);
        gsize length = stop ? (gsize)(stop - data) : size;
        if (length > 0)
            insert_row(data, length, number % 10);
        length += stop != NULL;
        data += length;
        size -= length;
    }
}

/* ---- what was read ---- */

static void
check_record(GVariant *record)
{
    must(!record || g_variant_is_normal_form(record));
}

static void
check_holding(const LvpMachine *machine, const LvpHolding *holding)
{
    must_be_utf8(holding->source);
    must(strcmp(holding->machine, machine->uuid) == 0);
    must(lvp_machine_find_holding(machine, holding->source) == holding);
    check_record(holding->record);
    for (guint i = 0; i < holding->amounts->len; i++) {
        const LvpHeldAmount *held = &g_array_index(holding->amounts, LvpHeldAmount, i);
        must_be_utf8(held->resource);
        must(held->amount >= 0 && held->node >= LVP_NODE_NONE && held->resource[0] != '\0');
        must(lvp_holding_get_amount(holding, held->resource) >= held->amount);
    }
    for (guint i = 0; i < holding->units->len; i++) {
        const LvpHeldUnit *unit = &g_array_index(holding->units, LvpHeldUnit, i);
        must_be_utf8(unit->id);
        must_be_utf8(unit->resource);
        must_be_utf8(unit->identity);
        must(unit->node >= LVP_NODE_NONE);
        must(i == 0 || strcmp(unit[-1].id, unit->id) < 0);
    }
}

static void
check_machine(const LvpMachine *machine)
{
    must(lvp_machine_check_uuid(machine->uuid, NULL));
    must(lvp_machine_check_name(machine->name, NULL));
    must_be_utf8(machine->class_name);
    must_be_utf8(machine->template_xml);
    must_be_utf8(machine->boot_id);
    must_be_utf8(machine->error);
    must(machine->template_xml && machine->boot_id && machine->row_id != 0);
    must(g_variant_is_of_type(machine->labels, G_VARIANT_TYPE("a{ss}")));
    must(g_variant_is_of_type(machine->annotations, G_VARIANT_TYPE("a{ss}")));
    g_autofree char *request = lvp_request_to_text(machine->request);
    g_autofree char *reason = lvp_machine_dup_reason(machine);
    must_be_utf8(request);
    must_be_utf8(reason);
    must(lvp_machine_get_state(machine) && lvp_machine_get_unit_state(machine));
    must(lvp_operation_get_name(machine->operation) && lvp_step_get_name(machine->step) &&
         lvp_desired_get_name(machine->desired));
    for (guint i = 0; i < machine->holdings->len; i++)
        check_holding(machine, g_ptr_array_index(machine->holdings, i));
}

/* Names and uuids, and what is held: each once. */
static void
check_machines(const GPtrArray *machines)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint m = 0; m < machines->len; m++) {
        const LvpMachine *machine = g_ptr_array_index(machines, m);
        check_machine(machine);
        must(g_hash_table_add(seen, g_strconcat("name:", machine->name, NULL)));
        must(g_hash_table_add(seen, g_strconcat("uuid:", machine->uuid, NULL)));
        for (guint h = 0; h < machine->holdings->len; h++) {
            const LvpHolding *holding = g_ptr_array_index(machine->holdings, h);
            for (guint i = 0; i < holding->units->len; i++)
                must(g_hash_table_add(
                    seen, g_strdup_printf("unit:%s\x1f%s", holding->source,
                                          g_array_index(holding->units, LvpHeldUnit, i).id)));
        }
    }
}

static void
check_marks(const GPtrArray *marks)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < marks->len; i++) {
        const LvpUnitMark *mark = g_ptr_array_index(marks, i);
        must_be_utf8(mark->source);
        must_be_utf8(mark->unit_id);
        must_be_utf8(mark->quarantine);
        must_be_utf8(mark->resource);
        must_be_utf8(mark->identity);
        check_record(mark->record);
        must(g_hash_table_add(seen, g_strdup_printf("%s\x1f%s", mark->source, mark->unit_id)));
    }
}

/* ---- written again ---- */

static void
append_holding(GString *text, const LvpHolding *holding)
{
    g_autofree char *record = holding->record ? g_variant_print(holding->record, TRUE) : NULL;
    g_string_append_printf(text, "\n%s %s", holding->source, record);
    for (guint i = 0; i < holding->amounts->len; i++) {
        const LvpHeldAmount *held = &g_array_index(holding->amounts, LvpHeldAmount, i);
        g_string_append_printf(text, "\n%s %d %" G_GINT64_FORMAT, held->resource, held->node,
                               held->amount);
    }
    for (guint i = 0; i < holding->units->len; i++) {
        const LvpHeldUnit *unit = &g_array_index(holding->units, LvpHeldUnit, i);
        g_autofree char *found = unit->found ? g_variant_print(unit->found, TRUE) : NULL;
        g_string_append_printf(text, "\n%s %s %s %d %s", unit->id, unit->resource, unit->identity,
                               unit->node, found);
    }
}

/* All that the journal keeps of a machine; g_free(). */
static char *
describe(const LvpMachine *machine)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *request = lvp_request_to_text(machine->request);
    g_autofree char *labels = g_variant_print(machine->labels, FALSE);
    g_autofree char *annotations = g_variant_print(machine->annotations, FALSE);
    g_string_append_printf(
        text, "%s %s %s\n%s\n%s\n%s\n%s\n%d %d %d %d %d %d %s %" G_GINT64_FORMAT "\n%s",
        machine->uuid, machine->name, machine->class_name, request, machine->template_xml, labels,
        annotations, machine->desired, machine->created, machine->keep_nvram, machine->autostart,
        machine->operation, machine->step, machine->boot_id, machine->generation, machine->error);
    for (guint i = 0; i < machine->holdings->len; i++)
        append_holding(text, g_ptr_array_index(machine->holdings, i));
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
check_written_again(const GPtrArray *machines)
{
    must(lvp_journal_db_begin(copy, NULL));
    g_autoptr(GPtrArray) before = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < machines->len; i++) {
        LvpMachine *machine = g_ptr_array_index(machines, i);
        g_ptr_array_add(before, describe(machine));
        must(lvp_journal_db_reserve(copy, machine, NULL));
        must(lvp_journal_db_save_records(copy, machine, NULL));
    }
    g_autoptr(GPtrArray) again = lvp_journal_db_load_machines(copy, NULL);
    must(again && again->len == machines->len);
    for (guint i = 0; i < again->len; i++) {
        g_autofree char *after = describe(g_ptr_array_index(again, i));
        must(strcmp(after, g_ptr_array_index(before, i)) == 0);
    }
    lvp_journal_db_roll_back(copy);
}

/* What journal-rows.h promises. */
static gboolean
is_documented(const GError *error)
{
    return error->code == LVP_ERROR_HOST || error->code == LVP_ERROR_DAMAGED;
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    if (!journal)
        open_journal();
    execute("BEGIN");
    insert_rows((const char *)data, size);
    g_autoptr(GError) error = NULL, mark_error = NULL;
    g_autoptr(GPtrArray) machines = lvp_journal_rows_load_machines(journal, "state.db", &error);
    g_autoptr(GPtrArray) marks = lvp_journal_rows_load_marks(journal, "state.db", &mark_error);
    execute("ROLLBACK");
    must_agree(machines != NULL, error);
    must_agree(marks != NULL, mark_error);
    must(machines || is_documented(error));
    must(marks || is_documented(mark_error));
    if (marks)
        check_marks(marks);
    if (machines) {
        check_machines(machines);
        check_written_again(machines);
    }
    return 0;
}
