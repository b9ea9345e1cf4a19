/* SPDX-License-Identifier: Apache-2.0 */
#include "journal-rows.h"

#include "resource.h"

#include <libvirt-provider/error.h>
#include <libvirt-provider/inventory.h>
#include <string.h>

typedef struct {
    sqlite3 *handle;
    const char *path;
} Reader;

/* One row under the cursor; what is asked of it and not there makes it damaged. */
typedef struct {
    sqlite3_stmt *statement;
    gboolean damaged;
} Row;

static void
set_read_error(const Reader *self, GError **error)
{
    int code = sqlite3_errcode(self->handle);
    g_set_error(error, LVP_ERROR,
                code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? LVP_ERROR_DAMAGED
                                                                : LVP_ERROR_HOST,
                "cannot read journal %s: %s", self->path, sqlite3_errmsg(self->handle));
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
set_damaged(const Reader *self, const char *what, const char *of, GError **error)
{
    g_autofree char *name = g_utf8_make_valid(of ? of : "?", -1);
    g_set_error(error, LVP_ERROR, LVP_ERROR_DAMAGED,
                "journal %s is damaged: %s of %s cannot be read", self->path, what, name);
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

/* What stands there as a text, in UTF-8 or not. */
static const char *
column_text(sqlite3_stmt *row, int column)
{
    return (const char *)sqlite3_column_text(row, column);
}

/* A text in UTF-8, borrowed until the next step; "" where it is none. SQLite keeps any value in any
 * column. */
static const char *
get_text(Row *row, int column)
{
    if (sqlite3_column_type(row->statement, column) == SQLITE_TEXT) {
        const char *text = column_text(row->statement, column);
        gssize length = sqlite3_column_bytes(row->statement, column);
        if (text && g_utf8_validate(text, length, NULL))
            return text;
    }
    row->damaged = TRUE;
    return "";
}

/* The same, or NULL where nothing stands there. */
static const char *
get_optional_text(Row *row, int column)
{
    return sqlite3_column_type(row->statement, column) == SQLITE_NULL ? NULL
                                                                      : get_text(row, column);
}

/* For people, so anything will do; NULL where nothing stands there. g_free(). */
static char *
dup_reason(const Row *row, int column)
{
    const char *text = column_text(row->statement, column);
    return text ? g_utf8_make_valid(text, -1) : NULL;
}

/* LEAST where it is no number from LEAST to MOST. */
static gint64
get_number(Row *row, int column, gint64 least, gint64 most)
{
    gint64 number = sqlite3_column_int64(row->statement, column);
    if (sqlite3_column_type(row->statement, column) == SQLITE_INTEGER && number >= least &&
        number <= most)
        return number;
    row->damaged = TRUE;
    return least;
}

/* A text of a GVariant of ours; NULL where it is not of TYPE. */
static GVariant *
parse_column(Row *row, int column, const char *type)
{
    GVariant *value =
        g_variant_parse(G_VARIANT_TYPE(type), get_text(row, column), NULL, NULL, NULL);
    row->damaged = row->damaged || !value;
    return value;
}

/* Bytes of a GVariant; NULL where they are none of TYPE. */
static GVariant *
read_variant(Row *row, int column, const char *type)
{
    gsize size = (gsize)sqlite3_column_bytes(row->statement, column);
    g_autoptr(GBytes) copy = g_bytes_new(sqlite3_column_blob(row->statement, column), size);
    g_autoptr(GVariant) value =
        g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(type), copy, FALSE));
    if (sqlite3_column_type(row->statement, column) == SQLITE_BLOB && size > 0 &&
        g_variant_is_normal_form(value))
        return g_steal_pointer(&value);
    row->damaged = TRUE;
    return NULL;
}

/* What a unit was when it was taken; NULL also where nothing stands there. */
static GVariant *
read_found(Row *row, int column)
{
    return sqlite3_column_type(row->statement, column) == SQLITE_NULL
               ? NULL
               : read_variant(row, column, LVP_HELD_FOUND_TYPE);
}

/* NULL where the bytes are no record. */
static GVariant *
unwrap_record(Row *row, int column)
{
    g_autoptr(GVariant) wrapped = read_variant(row, column, "v");
    if (wrapped && G_BYTE_ORDER == G_BIG_ENDIAN) {
        g_autoptr(GVariant) swapped = g_variant_byteswap(wrapped);
        return g_variant_get_variant(swapped);
    }
    return wrapped ? g_variant_get_variant(wrapped) : NULL;
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

/* FALSE where an amount is none, or more than there can be together. */
static gboolean
read_request(LvpMachine *machine, GVariant *request)
{
    const char *resource;
    gint64 amount;
    GVariantIter iter;
    g_variant_iter_init(&iter, request);
    while (g_variant_iter_next(&iter, "(&sx)", &resource, &amount)) {
        if (amount < 0 || !lvp_resource_is_name(resource))
            return FALSE;
        lvp_request_set_amount(machine->request, resource, amount);
    }
    return TRUE;
}

static gboolean
read_amounts(LvpMachine *machine, GVariant *amounts)
{
    const char *source, *resource;
    int node;
    gint64 amount;
    GVariantIter iter;
    g_variant_iter_init(&iter, amounts);
    while (g_variant_iter_next(&iter, "(&s&six)", &source, &resource, &node, &amount)) {
        if (!lvp_resource_is_name(source) ||
            (resource[0] != '\0' && !lvp_resource_is_name(resource)))
            return FALSE;
        LvpHolding *holding = get_holding(machine, source);
        if (amount < 0 || node < LVP_NODE_NONE ||
            amount > G_MAXINT64 - lvp_holding_get_amount(holding, resource))
            return FALSE;
        if (resource[0] != '\0')
            lvp_holding_add_amount(holding, resource, node, amount);
    }
    return TRUE;
}

static void
read_machine_values(LvpMachine *machine, Row *row)
{
    g_autoptr(GVariant) request = parse_column(row, 3, "a(sx)");
    g_autoptr(GVariant) labels = parse_column(row, 5, "a{ss}");
    g_autoptr(GVariant) annotations = parse_column(row, 6, "a{ss}");
    g_autoptr(GVariant) amounts = parse_column(row, 7, "a(ssix)");
    if (row->damaged || !read_request(machine, request) || !read_amounts(machine, amounts)) {
        row->damaged = TRUE;
        return;
    }
    g_variant_unref(machine->labels);
    machine->labels = g_steal_pointer(&labels);
    g_variant_unref(machine->annotations);
    machine->annotations = g_steal_pointer(&annotations);
}

/* NULL where the row is damaged. */
static LvpMachine *
read_machine(sqlite3_stmt *statement)
{
    Row row = {statement, FALSE};
    g_autoptr(LvpMachine) machine =
        lvp_machine_new(get_text(&row, 0), get_text(&row, 1), get_text(&row, 2));
    read_machine_values(machine, &row);
    g_free(machine->template_xml);
    machine->template_xml = g_strdup(get_text(&row, 4));
    machine->desired = (LvpDesired)get_number(&row, 8, LVP_DESIRED_RUNNING, LVP_DESIRED_ABSENT);
    machine->created = get_number(&row, 9, FALSE, TRUE) != FALSE;
    machine->operation =
        (LvpOperation)get_number(&row, 10, LVP_OPERATION_NONE, LVP_OPERATION_DELETE);
    machine->step = (LvpStep)get_number(&row, 11, LVP_STEP_NONE, LVP_STEP_COMMITTED);
    g_free(machine->boot_id);
    machine->boot_id = g_strdup(get_text(&row, 12));
    machine->generation = get_number(&row, 13, 0, G_MAXINT64);
    machine->error = dup_reason(&row, 14);
    machine->keep_nvram = get_number(&row, 15, FALSE, TRUE) != FALSE;
    machine->row_id = sqlite3_column_int64(statement, 16);
    machine->autostart = get_number(&row, 17, FALSE, TRUE) != FALSE;
    if (row.damaged || !lvp_machine_check_uuid(machine->uuid, NULL) ||
        !lvp_machine_check_name(machine->name, NULL))
        return NULL;
    return g_steal_pointer(&machine);
}

/* Two devices at one id, one of them lost, may be held, but not by one machine. Units are in the
 * order of their ids. */
static gboolean
has_unit(const LvpHolding *holding, const char *id)
{
    guint n = holding->units->len;
    return n > 0 && strcmp(g_array_index(holding->units, LvpHeldUnit, n - 1).id, id) == 0;
}

static gboolean
read_unit(sqlite3_stmt *statement, GHashTable *by_uuid)
{
    Row row = {statement, FALSE};
    LvpMachine *machine = g_hash_table_lookup(by_uuid, get_text(&row, 2));
    const char *source = get_text(&row, 0), *id = get_text(&row, 1);
    const char *resource = get_text(&row, 3), *identity = get_text(&row, 4);
    int node = (int)get_number(&row, 5, LVP_NODE_NONE, G_MAXINT);
    g_autoptr(GVariant) found = read_found(&row, 6);
    if (!machine || row.damaged || !lvp_resource_is_name(source) || !lvp_resource_is_name(resource))
        return FALSE;
    LvpHolding *holding = get_holding(machine, source);
    if (has_unit(holding, id))
        return FALSE;
    lvp_holding_add_unit(holding, resource, id, identity, node)->found = g_steal_pointer(&found);
    return TRUE;
}

static gboolean
load_units(const Reader *self, GHashTable *by_uuid, GError **error)
{
    sqlite3_stmt *row = prepare_read(self,
                                     "SELECT source, id, machine, resource, identity, node, found"
                                     " FROM held_unit ORDER BY source, id, identity",
                                     error);
    if (!row)
        return FALSE;
    gboolean ok = TRUE;
    int result = SQLITE_DONE;
    while (ok && (result = sqlite3_step(row)) == SQLITE_ROW)
        ok = read_unit(row, by_uuid) ||
             set_damaged(self, "the machine or a value", column_text(row, 1), error);
    return end_read(self, row, ok, result, error);
}

static gboolean
read_record(sqlite3_stmt *statement, GHashTable *by_uuid)
{
    Row row = {statement, FALSE};
    LvpMachine *machine = g_hash_table_lookup(by_uuid, get_text(&row, 0));
    const char *source = get_text(&row, 1);
    g_autoptr(GVariant) record = unwrap_record(&row, 2);
    if (!machine || row.damaged || !lvp_resource_is_name(source))
        return FALSE;
    get_holding(machine, source)->record = g_steal_pointer(&record);
    return TRUE;
}

static gboolean
load_records(const Reader *self, GHashTable *by_uuid, GError **error)
{
    sqlite3_stmt *row = prepare_read(self, "SELECT machine, source, bytes FROM record", error);
    if (!row)
        return FALSE;
    gboolean ok = TRUE;
    int result = SQLITE_DONE;
    while (ok && (result = sqlite3_step(row)) == SQLITE_ROW)
        ok = read_record(row, by_uuid) ||
             set_damaged(self, "the record", column_text(row, 0), error);
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
        const LvpMachine *last =
            machines->len > 0 ? g_ptr_array_index(machines, machines->len - 1) : NULL;
        g_ptr_array_add(machines, machine);
        if (last && strcmp(last->name, machine->name) == 0)
            ok = set_damaged(self, "a second row with the name", machine->name, error);
        else if (!g_hash_table_insert(by_uuid, machine->uuid, machine))
            ok = set_damaged(self, "a second row with the uuid", machine->name, error);
    }
    if (!end_read(self, row, ok, result, error) || !load_units(self, by_uuid, error) ||
        !load_records(self, by_uuid, error))
        return NULL;
    return g_steal_pointer(&machines);
}

/* NULL where the row is damaged. */
static LvpUnitMark *
read_mark(sqlite3_stmt *statement)
{
    Row row = {statement, FALSE};
    g_autoptr(LvpUnitMark) mark = lvp_unit_mark_new(get_text(&row, 0), get_text(&row, 1));
    mark->cordoned = get_number(&row, 2, FALSE, TRUE) != FALSE;
    mark->quarantine = dup_reason(&row, 3);
    mark->resource = g_strdup(get_optional_text(&row, 4));
    mark->identity = g_strdup(get_optional_text(&row, 5));
    if (sqlite3_column_type(statement, 6) != SQLITE_NULL)
        mark->record = unwrap_record(&row, 6);
    mark->found = read_found(&row, 7);
    return row.damaged ? NULL : g_steal_pointer(&mark);
}

GPtrArray *
lvp_journal_rows_load_marks(sqlite3 *handle, const char *path, GError **error)
{
    const Reader reader = {handle, path}, *self = &reader;
    sqlite3_stmt *row = prepare_read(
        self,
        "SELECT source, id, cordoned, quarantine, resource, identity, record, found FROM unit_mark",
        error);
    if (!row)
        return NULL;
    g_autoptr(GPtrArray) marks = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_unit_mark_free);
    gboolean ok = TRUE;
    int result = SQLITE_DONE;
    while (ok && (result = sqlite3_step(row)) == SQLITE_ROW) {
        LvpUnitMark *mark = read_mark(row);
        if (mark)
            g_ptr_array_add(marks, mark);
        else
            ok = set_damaged(self, "the mark", column_text(row, 1), error);
    }
    return end_read(self, row, ok, result, error) ? g_steal_pointer(&marks) : NULL;
}

static LvpEvent *
read_event(sqlite3_stmt *statement)
{
    Row row = {statement, FALSE};
    g_autoptr(LvpEvent) event =
        lvp_event_new(get_text(&row, 2), get_text(&row, 3), get_text(&row, 4), get_text(&row, 5),
                      get_text(&row, 6));
    event->id = get_number(&row, 0, 1, G_MAXINT64);
    event->time_us = get_number(&row, 1, 0, G_MAXINT64);
    return row.damaged ? NULL : g_steal_pointer(&event);
}

GPtrArray *
lvp_journal_rows_load_events(
    sqlite3 *handle, const char *path, gint64 after, guint max, GError **error)
{
    const Reader reader = {handle, path}, *self = &reader;
    sqlite3_stmt *row = prepare_read(
        self,
        "SELECT * FROM (SELECT id, time_us, kind, subject, from_state, to_state, reason FROM event"
        " WHERE id>?1 ORDER BY id DESC LIMIT ?2) ORDER BY id",
        error);
    if (!row)
        return NULL;
    sqlite3_bind_int64(row, 1, after);
    sqlite3_bind_int64(row, 2, max);
    g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_event_free);
    int result;
    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        LvpEvent *event = read_event(row);
        if (event) /* else that much of the history is lost, which nothing depends on */
            g_ptr_array_add(events, event);
    }
    return end_read(self, row, TRUE, result, error) ? g_steal_pointer(&events) : NULL;
}
