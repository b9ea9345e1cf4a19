/* SPDX-License-Identifier: Apache-2.0 */
#include "journal-file.h"

#include <criterion/criterion.h>
#include <sqlite3.h>

#define BUSY_TIMEOUT_MS 10000

static void
append_record(GString *text, GVariant *record)
{
    g_autofree char *printed = record ? g_variant_print(record, TRUE) : NULL;
    g_string_append_printf(text, " record=%s", printed ? printed : "none");
}

static void
append_holding(GString *text, const LvpHolding *holding)
{
    g_string_append_printf(text, "\nholding %s of %s", holding->source, holding->machine);
    for (guint i = 0; i < holding->amounts->len; i++) {
        const LvpHeldAmount *row = &g_array_index(holding->amounts, LvpHeldAmount, i);
        g_string_append_printf(text, " %s@%d=%" G_GINT64_FORMAT, row->resource, row->node,
                               row->amount);
    }
    for (guint i = 0; i < holding->units->len; i++) {
        const LvpHeldUnit *row = &g_array_index(holding->units, LvpHeldUnit, i);
        g_string_append_printf(text, " %s@%d:%s(%s)", row->resource, row->node, row->id,
                               row->identity);
    }
    append_record(text, holding->record);
}

char *
journal_file_describe(const LvpMachine *machine)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *request = lvp_request_to_text(machine->request);
    g_autofree char *labels = g_variant_print(machine->labels, TRUE);
    g_autofree char *annotations = g_variant_print(machine->annotations, TRUE);
    g_string_append_printf(
        text,
        "%s %s %s [%s] %s %s %s created=%d nvram=%d %s %s boot=%s generation=%" G_GINT64_FORMAT
        " error=%s",
        machine->uuid, machine->name, machine->class_name, request, labels, annotations,
        lvp_desired_get_name(machine->desired), machine->created, machine->keep_nvram,
        lvp_operation_get_name(machine->operation), lvp_step_get_name(machine->step),
        machine->boot_id, machine->generation, machine->error ? machine->error : "(none)");
    g_string_append_printf(text, "\ntemplate %s", machine->template_xml);
    for (guint i = 0; i < machine->holdings->len; i++)
        append_holding(text, g_ptr_array_index(machine->holdings, i));
    return g_string_free(g_steal_pointer(&text), FALSE);
}

char *
journal_file_describe_mark(const LvpUnitMark *mark)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(
        text, "%s:%s cordoned=%d quarantine=%s resource=%s identity=%s", mark->source,
        mark->unit_id, mark->cordoned, mark->quarantine ? mark->quarantine : "none",
        mark->resource ? mark->resource : "none", mark->identity ? mark->identity : "none");
    append_record(text, mark->record);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static int
append_row(void *data, int count, char **values, char **names)
{
    (void)names;
    GString *text = data;
    if (text->len > 0)
        g_string_append_c(text, ' ');
    for (int i = 0; i < count; i++)
        g_string_append_printf(text, "%s%s", i > 0 ? "|" : "", values[i] ? values[i] : "NULL");
    return 0;
}

char *
journal_file_query(const char *folder, const char *sql)
{
    g_autofree char *file = g_build_filename(folder, "state.db", NULL);
    g_autoptr(GString) text = g_string_new(NULL);
    sqlite3 *handle = NULL;
    char *problem = NULL;
    sqlite3_open_v2(file, &handle, SQLITE_OPEN_READWRITE, NULL);
    sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS);
    sqlite3_exec(handle, sql, append_row, text, &problem);
    cr_assert_null(problem, "%s: %s", sql, problem);
    sqlite3_close(handle);
    return g_string_free(g_steal_pointer(&text), FALSE);
}
