/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that only read: lists, one row, sentences, status. */
#include "commands.h"

#include <libvirt-provider/error.h>
#include <stdio.h>
#include <string.h>

/* The rows (aa{sv}) that METHOD answers with. */
static GVariant *
get_rows(LvpCtl *ctl, const char *method, GVariant *parameters, GError **error)
{
    g_autoptr(GVariant) answer = lvp_client_call(ctl->client, method, parameters, error);
    return answer ? g_variant_get_child_value(answer, 0) : NULL;
}

static gboolean
print_rows(
    LvpCtl *ctl, const LvpRowKind *kind, const char *method, GVariant *parameters, GError **error)
{
    g_autoptr(GVariant) rows = get_rows(ctl, method, parameters, error);
    return rows && lvp_output_rows(&ctl->output, kind, rows, error);
}

/* The row whose KEY (or uuid) is NAME; LVP_ERROR_NOT_FOUND. */
static GVariant *
find_row(GVariant *rows, const char *key, const char *name, const char *what, GError **error)
{
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
        const char *text = "", *uuid = "";
        g_variant_lookup(row, key, "&s", &text);
        g_variant_lookup(row, "uuid", "&s", &uuid);
        if (strcmp(text, name) == 0 || strcmp(uuid, name) == 0)
            return g_steal_pointer(&row);
    }
    g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND, "no %s '%s'", what, name);
    return NULL;
}

static gboolean
print_row(LvpCtl *ctl,
          const LvpRowKind *kind,
          const char *method,
          GVariant *parameters,
          const char *what,
          GError **error)
{
    g_autoptr(GVariant) rows = get_rows(ctl, method, parameters, error);
    g_autoptr(GVariant) row =
        rows ? find_row(rows, kind->name_key, ctl->arguments[0], what, error) : NULL;
    return row && lvp_output_row(&ctl->output, kind, row, error);
}

static gboolean
explain(LvpCtl *ctl, const char *kind, GError **error)
{
    g_autoptr(GVariant) answer = lvp_client_call(
        ctl->client, "Explain", g_variant_new("(ss)", kind, ctl->arguments[0]), error);
    if (!answer)
        return FALSE;
    const char *text;
    g_variant_get(answer, "(&s)", &text);
    fputs(text, stdout);
    return TRUE;
}

gboolean
lvp_ctl_list_sources(LvpCtl *ctl, GError **error)
{
    return print_rows(ctl, &LVP_SOURCE_ROWS, "ListSources", NULL, error);
}

gboolean
lvp_ctl_list_devices(LvpCtl *ctl, GError **error)
{
    GVariant *parameters = g_variant_new("(b)", ctl->options->all);
    return print_rows(ctl, &LVP_DEVICE_ROWS, "ListDevices", parameters, error);
}

gboolean
lvp_ctl_show_device(LvpCtl *ctl, GError **error)
{
    GVariant *parameters = g_variant_new("(b)", TRUE);
    return print_row(ctl, &LVP_DEVICE_ROWS, "ListDevices", parameters, "device", error);
}

gboolean
lvp_ctl_explain_device(LvpCtl *ctl, GError **error)
{
    return explain(ctl, "device", error);
}

gboolean
lvp_ctl_list_classes(LvpCtl *ctl, GError **error)
{
    return print_rows(ctl, &LVP_CLASS_ROWS, "ListClasses", NULL, error);
}

gboolean
lvp_ctl_show_class(LvpCtl *ctl, GError **error)
{
    return print_row(ctl, &LVP_CLASS_ROWS, "ListClasses", NULL, "machine class", error);
}

gboolean
lvp_ctl_explain_class(LvpCtl *ctl, GError **error)
{
    return explain(ctl, "class", error);
}

gboolean
lvp_ctl_list_machines(LvpCtl *ctl, GError **error)
{
    return print_rows(ctl, &LVP_MACHINE_ROWS, "ListMachines", NULL, error);
}

gboolean
lvp_ctl_show_machine(LvpCtl *ctl, GError **error)
{
    return print_row(ctl, &LVP_MACHINE_ROWS, "ListMachines", NULL, "machine", error);
}

gboolean
lvp_ctl_explain_machine(LvpCtl *ctl, GError **error)
{
    return explain(ctl, "machine", error);
}

gboolean
lvp_ctl_show_status(LvpCtl *ctl, GError **error)
{
    g_autoptr(GVariant) status = get_rows(ctl, "GetStatus", NULL, error);
    if (status)
        lvp_output_values(&ctl->output, status);
    return status != NULL;
}
