/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <libvirt-provider/error.h>
#include <string.h>

#define NIL_UUID "00000000-0000-0000-0000-000000000000"

LvpMachine *
lvp_machine_new(const char *uuid, const char *name, const char *class_name)
{
    LvpMachine *self = g_new0(LvpMachine, 1);
    g_atomic_ref_count_init(&self->references);
    self->uuid = g_strdup(uuid);
    self->name = g_strdup(name);
    self->class_name = g_strdup(class_name);
    self->request = lvp_request_new();
    self->template_xml = g_strdup("");
    self->labels = g_variant_ref_sink(g_variant_new("a{ss}", NULL));
    self->annotations = g_variant_ref_sink(g_variant_new("a{ss}", NULL));
    self->desired = LVP_DESIRED_RUNNING;
    self->operation = LVP_OPERATION_CREATE;
    self->boot_id = g_strdup("");
    self->notes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    self->holdings = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_holding_free);
    return self;
}

LvpMachine *
lvp_machine_ref(LvpMachine *self)
{
    g_atomic_ref_count_inc(&self->references);
    return self;
}

void
lvp_machine_unref(LvpMachine *self)
{
    if (!self || !g_atomic_ref_count_dec(&self->references))
        return;
    g_free(self->uuid);
    g_free(self->name);
    g_free(self->class_name);
    lvp_request_free(self->request);
    g_free(self->template_xml);
    g_variant_unref(self->labels);
    g_variant_unref(self->annotations);
    g_free(self->boot_id);
    g_free(self->error);
    g_ptr_array_unref(self->holdings);
    g_hash_table_unref(self->notes);
    g_free(self->failure);
    g_free(self);
}

gboolean
lvp_machine_check_name(const char *text, GError **error)
{
    gsize length = strlen(text);
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    if (length >= 1 && length <= 64 && text[0] != '.' && strspn(text, allowed) == length)
        return TRUE;
    g_autofree char *shown = g_utf8_make_valid(text, (gssize)MIN(length, 80));
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "'%s' is no name for a machine: 1 to 64 of A-Z a-z 0-9 _ . - and no dot first",
                shown);
    return FALSE;
}

gboolean
lvp_machine_check_uuid(const char *text, GError **error)
{
    g_autofree char *lower = g_ascii_strdown(text, -1);
    if (g_uuid_string_is_valid(text) && strcmp(lower, text) == 0 && strcmp(text, NIL_UUID) != 0)
        return TRUE;
    g_autofree char *shown = g_utf8_make_valid(text, (gssize)strnlen(text, 80));
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "'%s' is no uuid%s: use one in lower case, such as uuidgen prints", shown,
                strcmp(text, NIL_UUID) == 0 ? " of a machine" : "");
    return FALSE;
}

const char *
lvp_machine_get_state(const LvpMachine *self)
{
    if (self->error && !self->busy)
        return "failed";
    switch (self->operation) {
    case LVP_OPERATION_CREATE:
        return "creating";
    case LVP_OPERATION_DELETE:
        return "deleting";
    case LVP_OPERATION_STOP:
        return "stopping";
    case LVP_OPERATION_START:
    case LVP_OPERATION_NONE:
        break;
    }
    switch (self->domain) {
    case LVP_DOMAIN_RUNNING:
        return "running";
    case LVP_DOMAIN_PAUSED:
        return "paused";
    case LVP_DOMAIN_ABSENT:
        return "orphaned";
    case LVP_DOMAIN_OFF:
        return "stopped";
    case LVP_DOMAIN_UNKNOWN:
        break;
    }
    return self->desired == LVP_DESIRED_RUNNING ? "running" : "stopped";
}

const char *
lvp_machine_get_unit_state(const LvpMachine *self)
{
    if (self->operation == LVP_OPERATION_DELETE)
        return "returning";
    if (self->operation == LVP_OPERATION_CREATE && self->step <= LVP_STEP_RESERVED)
        return "reserved";
    if (self->operation == LVP_OPERATION_CREATE && self->step == LVP_STEP_PREPARED)
        return "binding";
    gboolean runs = self->domain == LVP_DOMAIN_RUNNING || self->domain == LVP_DOMAIN_PAUSED ||
                    (self->domain == LVP_DOMAIN_UNKNOWN && self->created &&
                     self->desired == LVP_DESIRED_RUNNING);
    return runs ? "in-use" : "bound";
}

char *
lvp_machine_dup_reason(const LvpMachine *self)
{
    if (self->error && !self->busy)
        return g_strdup_printf("%s: %s", lvp_operation_get_name(self->operation), self->error);
    if (self->operation != LVP_OPERATION_NONE)
        return NULL;
    if (self->domain == LVP_DOMAIN_UNKNOWN)
        return g_strdup("as last known: libvirt does not answer");
    if (self->domain == LVP_DOMAIN_ABSENT)
        return g_strdup("its domain was undefined by somebody else; what it holds is given back "
                        "after orphan-grace: start it, or create it again with the same uuid, to "
                        "keep it");
    if (self->failure)
        return g_strdup(self->failure);
    GHashTableIter iter;
    gpointer unit, note;
    g_hash_table_iter_init(&iter, self->notes);
    if (g_hash_table_iter_next(&iter, &unit, &note))
        return g_strdup_printf("%s: %s", (const char *)unit, (const char *)note);
    return NULL;
}

const char *
lvp_operation_get_name(LvpOperation operation)
{
    static const char *const NAMES[] = {"", "create", "start", "stop", "delete"};
    return NAMES[operation];
}

const char *
lvp_step_get_name(LvpStep step)
{
    static const char *const NAMES[] = {"", "reserved", "prepared", "committed"};
    return NAMES[step];
}

const char *
lvp_desired_get_name(LvpDesired desired)
{
    static const char *const NAMES[] = {"running", "off", "absent"};
    return NAMES[desired];
}

LvpHolding *
lvp_machine_find_holding(const LvpMachine *self, const char *source)
{
    for (guint i = 0; i < self->holdings->len; i++) {
        LvpHolding *holding = g_ptr_array_index(self->holdings, i);
        if (strcmp(holding->source, source) == 0)
            return holding;
    }
    return NULL;
}
