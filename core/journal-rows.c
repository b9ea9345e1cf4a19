/* SPDX-License-Identifier: Apache-2.0 */
#include "journal-rows.h"

#include <libvirt-provider/error.h>

typedef struct {
    sqlite3 *handle;
    const char *path;
} Reader;

static void
set_read_error(const Reader *self, GError **error)
{
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "cannot read journal %s: %s", self->path,
                sqlite3_errmsg(self->handle));
}

/* NULL where the bytes are no record. */
static GVariant *
unwrap_record(gconstpointer bytes, gsize size)
{
    g_autoptr(GBytes) copy = g_bytes_new(bytes, size);
    g_autoptr(GVariant) wrapped =
        g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARIANT, copy, FALSE));
    if (!g_variant_is_normal_form(wrapped))
        return NULL;
    if (G_BYTE_ORDER == G_BIG_ENDIAN) {
        g_autoptr(GVariant) swapped = g_variant_byteswap(wrapped);
        return g_variant_get_variant(swapped);
    }
    return g_variant_get_variant(wrapped);
}

static sqlite3_stmt *
prepare_read(const Reader *self, const char *sql, GError **error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(self->handle, sql, -1, &statement, NULL) != SQLITE_OK)
        set_read_error(self, error);
    return statement;
}

static gboolean
set_damaged(const Reader *self, const char *what, const char *name, GError **error)
{
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "journal %s is damaged: %s of %s cannot be read",
                self->path, what, name);
    return FALSE;
}

/* Ends a reading whose last step gave RESULT: one that broke off has rows that were not seen. */
static gboolean
end_read(const Reader *self, sqlite3_stmt *row, gboolean ok, int result, GError **error)
{
    if (ok && result != SQLITE_DONE) {
        set_read_error(self, error);
        ok = FALSE;
    }
    sqlite3_finalize(row);
    return ok;
}

static const char *
column_text(sqlite3_stmt *row, int column)
{
    return (const char *)sqlite3_column_text(row, column);
}

/* A column of our own GVariant text; NULL where it is not of TYPE. */
static GVariant *
parse_column(sqlite3_stmt *row, int column, const char *type)
{
    const char *text = column_text(row, column);
    return text ? g_variant_parse(G_VARIANT_TYPE(type), text, NULL, NULL, NULL) : NULL;
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

static gboolean
read_machine_values(LvpMachine *machine, sqlite3_stmt *row)
{
    g_autoptr(GVariant) request = parse_column(row, 3, "a(sx)");
    g_autoptr(GVariant) labels = parse_column(row, 5, "a{ss}");
    g_autoptr(GVariant) annotations = parse_column(row, 6, "a{ss}");
    g_autoptr(GVariant) amounts = parse_column(row, 7, "a(ssix)");
    if (!request || !labels || !annotations || !amounts)
        return FALSE;
    const char *source, *resource;
    int node;
    gint64 amount;
    GVariantIter iter;
    g_variant_iter_init(&iter, request);
    while (g_variant_iter_next(&iter, "(&sx)", &resource, &amount)) {
        if (amount < 0)
            return FALSE;
        lvp_request_set_amount(machine->request, resource, amount);
    }
    g_variant_iter_init(&iter, amounts);
    while (g_variant_iter_next(&iter, "(&s&six)", &source, &resource, &node, &amount)) {
        LvpHolding *holding = get_holding(machine, source);
        if (amount < 0)
            return FALSE;
        if (resource[0] != '\0')
            lvp_holding_add_amount(holding, resource, node, amount);
    }
    g_variant_unref(machine->labels);
    machine->labels = g_steal_pointer(&labels);
    g_variant_unref(machine->annotations);
    machine->annotations = g_steal_pointer(&annotations);
    return TRUE;
}

static LvpMachine *
read_machine(sqlite3_stmt *row)
{
    g_autoptr(LvpMachine) machine =
        lvp_machine_new(column_text(row, 0), column_text(row, 1), column_text(row, 2));
    int desired = sqlite3_column_int(row, 8), operation = sqlite3_column_int(row, 10);
    int reached = sqlite3_column_int(row, 11);
    if (desired < 0 || desired > LVP_DESIRED_ABSENT || operation < 0 ||
        operation > LVP_OPERATION_DELETE || !column_text(row, 4) || reached < 0 ||
        reached > LVP_STEP_COMMITTED || !read_machine_values(machine, row))
        return NULL;
    g_free(machine->template_xml);
    machine->template_xml = g_strdup(column_text(row, 4));
    machine->desired = (LvpDesired)desired;
    machine->created = sqlite3_column_int(row, 9) != 0;
    machine->operation = (LvpOperation)operation;
    machine->step = (LvpStep)reached;
    g_free(machine->boot_id);
    machine->boot_id = g_strdup(column_text(row, 12));
    machine->generation = sqlite3_column_int64(row, 13);
    machine->error = g_strdup(column_text(row, 14));
    machine->keep_nvram = sqlite3_column_int(row, 15) != 0;
    machine->row_id = sqlite3_column_int64(row, 16);
    machine->autostart = sqlite3_column_int(row, 17) != 0;
    return g_steal_pointer(&machine);
}

static gboolean
load_units(const Reader *self, GHashTable *by_uuid, GError **error)
{
    sqlite3_stmt *row = prepare_read(
        self, "SELECT source, id, machine, resource, identity, node, found FROM held_unit", error);
    if (!row)
        return FALSE;
    gboolean ok = TRUE;
    int result = SQLITE_DONE;
    while (ok && (result = sqlite3_step(row)) == SQLITE_ROW) {
        LvpMachine *machine = g_hash_table_lookup(by_uuid, column_text(row, 2));
        if (!machine) {
            ok = set_damaged(self, "the machine", column_text(row, 1), error);
            break;
        }
        LvpHeldUnit *unit = lvp_holding_add_unit(get_holding(machine, column_text(row, 0)),
                                                 column_text(row, 3), column_text(row, 1),
                                                 column_text(row, 4), sqlite3_column_int(row, 5));
        unit->found = parse_column(row, 6, LVP_HELD_FOUND_TYPE);
        if (!unit->found && column_text(row, 6))
            ok = set_damaged(self, "the unit", column_text(row, 1), error);
    }
    return end_read(self, row, ok, result, error);
}

static gboolean
load_records(const Reader *self, GHashTable *by_uuid, GError **error)
{
    sqlite3_stmt *row = prepare_read(self, "SELECT machine, source, bytes FROM record", error);
    if (!row)
        return FALSE;
    gboolean ok = TRUE;
    int result = SQLITE_DONE;
    while (ok && (result = sqlite3_step(row)) == SQLITE_ROW) {
        LvpMachine *machine = g_hash_table_lookup(by_uuid, column_text(row, 0));
        g_autoptr(GVariant) record =
            unwrap_record(sqlite3_column_blob(row, 2), (gsize)sqlite3_column_bytes(row, 2));
        if (machine && record)
            get_holding(machine, column_text(row, 1))->record = g_steal_pointer(&record);
        else
            ok = set_damaged(self, "the record", column_text(row, 0), error);
    }
    return end_read(self, row, ok, result, error);
}

GPtrArray *
lvp_journal_rows_load_machines(sqlite3 *handle, const char *path, GError **error)
{
    const Reader reader = {handle, path}, *self = &reader;
    sqlite3_stmt *row = prepare_read(
        self,
        "SELECT uuid, name, class, request, template.text, labels, annotations, amounts,"
        " desired, created, op, step, boot_id, generation, error, keep_nvram,"
        " machine.id, autostart FROM machine LEFT JOIN template ON template.id = machine.template"
        " ORDER BY name",
        error);
    if (!row)
        return NULL;
    g_autoptr(GPtrArray) machines =
        g_ptr_array_new_with_free_func((GDestroyNotify)lvp_machine_unref);
    g_autoptr(GHashTable) by_uuid = g_hash_table_new(g_str_hash, g_str_equal);
    gboolean ok = TRUE;
    int result = SQLITE_DONE;
    while (ok && (result = sqlite3_step(row)) == SQLITE_ROW) {
        LvpMachine *machine = read_machine(row);
        if (!machine) {
            ok = set_damaged(self, "the row", column_text(row, 1), error);
            break;
        }
        g_ptr_array_add(machines, machine);
        if (!g_hash_table_insert(by_uuid, machine->uuid, machine)) {
            ok = set_damaged(self, "a second row with the uuid", machine->name, error);
            break;
        }
    }
    if (!end_read(self, row, ok, result, error) || !load_units(self, by_uuid, error) ||
        !load_records(self, by_uuid, error))
        return NULL;
    return g_steal_pointer(&machines);
}

GPtrArray *
lvp_journal_rows_load_marks(sqlite3 *handle, const char *path, GError **error)
{
    const Reader reader = {handle, path}, *self = &reader;
    sqlite3_stmt *row = prepare_read(
        self, "SELECT source, id, cordoned, quarantine, resource, identity, record FROM unit_mark",
        error);
    if (!row)
        return NULL;
    g_autoptr(GPtrArray) marks = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_unit_mark_free);
    gboolean ok = TRUE;
    int result = SQLITE_DONE;
    while (ok && (result = sqlite3_step(row)) == SQLITE_ROW) {
        LvpUnitMark *mark = lvp_unit_mark_new(column_text(row, 0), column_text(row, 1));
        g_ptr_array_add(marks, mark);
        mark->cordoned = sqlite3_column_int(row, 2) != 0;
        mark->quarantine = g_strdup(column_text(row, 3));
        mark->resource = g_strdup(column_text(row, 4));
        mark->identity = g_strdup(column_text(row, 5));
        if (sqlite3_column_bytes(row, 6) == 0)
            continue;
        mark->record =
            unwrap_record(sqlite3_column_blob(row, 6), (gsize)sqlite3_column_bytes(row, 6));
        if (!mark->record)
            ok = set_damaged(self, "the record", mark->unit_id, error);
    }
    return end_read(self, row, ok, result, error) ? g_steal_pointer(&marks) : NULL;
}
