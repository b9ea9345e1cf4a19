/* SPDX-License-Identifier: Apache-2.0 */
#include "source-context.h"

#include <errno.h>
#include <libvirt-provider/text.h>
#include <math.h>
#include <string.h>

/* ---- options ---- */

typedef struct {
    char *text; /* NULL: not given and no default */
    gint64 integer;
    double number;
    char *given_as, *file; /* where; NULL: nowhere */
    guint line;
} Value;

struct LvpOptions {
    gatomicrefcount references;
    const LvpOptionRow *rows;
    GArray *values; /* Value, one per row */
};

static gboolean
parse_boolean(const char *text, gint64 *ret_value)
{
    static const char *const YES[] = {"true", "yes", "1", NULL}, *const NO[] = {"false", "no", "0",
                                                                                NULL};
    if (!g_strv_contains(YES, text) && !g_strv_contains(NO, text))
        return FALSE;
    *ret_value = g_strv_contains(YES, text);
    return TRUE;
}

static gboolean
parse_seconds(const char *text, gint64 *ret_value)
{
    char *end = NULL;
    errno = 0;
    gint64 count = g_ascii_strtoll(text, &end, 10);
    gint64 factor = strcmp(end, "") == 0 || strcmp(end, "s") == 0 ? 1
                    : strcmp(end, "m") == 0                       ? 60
                    : strcmp(end, "h") == 0                       ? 3600
                                                                  : 0;
    if (!g_ascii_isdigit(text[0]) || errno != 0 || factor == 0 || count > G_MAXINT / factor)
        return FALSE;
    *ret_value = count * factor;
    return TRUE;
}

/* What was expected, or NULL if TEXT is of the type. */
static const char *
parse_value(LvpOptionType type, const char *text, Value *value)
{
    char *end = NULL;
    switch (type) {
    case LVP_OPTION_STRING:
        return NULL;
    case LVP_OPTION_FILE:
        return text[0] == '\0' ? "the path of a file" : NULL;
    case LVP_OPTION_BOOLEAN:
        return parse_boolean(text, &value->integer) ? NULL : "true or false";
    case LVP_OPTION_INTEGER:
        return g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, &value->integer, NULL)
                   ? NULL
                   : "a whole number";
    case LVP_OPTION_DOUBLE:
        value->number = g_ascii_strtod(text, &end);
        return end != text && *end == '\0' && isfinite(value->number) &&
                       strspn(text, "+-.0123456789eE") == strlen(text)
                   ? NULL
                   : "a decimal number";
    case LVP_OPTION_QUANTITY:
        return lvp_quantity_parse("memory", text, &value->integer, NULL) ? NULL
                                                                         : "a quantity such as 4Gi";
    case LVP_OPTION_SECONDS:
        return parse_seconds(text, &value->integer) ? NULL : "a time such as 30s, 5m or 1h";
    }
    return "of a known type";
}

static void
clear_value(gpointer data)
{
    Value *value = data;
    g_free(value->text);
    g_free(value->given_as);
    g_free(value->file);
}

LvpOptions *
lvp_options_new(const LvpOptionRow *rows)
{
    LvpOptions *self = g_new0(LvpOptions, 1);
    g_atomic_ref_count_init(&self->references);
    self->rows = rows;
    self->values = g_array_new(FALSE, TRUE, sizeof(Value));
    g_array_set_clear_func(self->values, clear_value);
    for (const LvpOptionRow *row = rows; row && row->name; row++) {
        Value value = {.text = g_strdup(row->default_value)};
        if (value.text && parse_value(row->type, value.text, &value))
            g_critical("default '%s' of option %s is not of its type", value.text, row->name);
        g_array_append_val(self->values, value);
    }
    return self;
}

LvpOptions *
lvp_options_ref(LvpOptions *self)
{
    g_atomic_ref_count_inc(&self->references);
    return self;
}

void
lvp_options_unref(LvpOptions *self)
{
    if (!self || !g_atomic_ref_count_dec(&self->references))
        return;
    g_array_unref(self->values);
    g_free(self);
}

const LvpOptionRow *
lvp_options_find_row(const LvpOptionRow *rows, const char *name)
{
    for (const LvpOptionRow *row = rows; row && row->name; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

static Value *
find_value(const LvpOptions *self, const char *name)
{
    const LvpOptionRow *row = lvp_options_find_row(self->rows, name);
    return row ? &g_array_index(self->values, Value, (guint)(row - self->rows)) : NULL;
}

/* What was expected, or NULL where TEXT is of its type and set. */
static const char *
set_value(LvpOptions *self, const char *name, const char *text, const LvpOptionPlace *place)
{
    Value parsed = {0};
    const char *expected = parse_value(lvp_options_find_row(self->rows, name)->type, text, &parsed);
    if (expected)
        return expected;
    Value *value = find_value(self, name);
    clear_value(value);
    *value = parsed;
    value->text = g_strdup(text);
    value->given_as = g_strdup(place ? place->name : NULL);
    value->file = g_strdup(place ? place->file : NULL);
    value->line = place ? place->line : 0;
    return NULL;
}

gboolean
lvp_options_set(LvpOptions *self, const char *name, const char *text, GError **error)
{
    g_return_val_if_fail(lvp_options_find_row(self->rows, name) != NULL, FALSE);
    const char *expected = set_value(self, name, text, NULL);
    if (expected)
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "%s must be %s, but is '%s'", name,
                    expected, text);
    return !expected;
}

void
lvp_options_set_from(LvpOptions *self,
                     const char *name,
                     const char *text,
                     const LvpOptionPlace *place,
                     LvpDiagnostics *diagnostics)
{
    g_return_if_fail(lvp_options_find_row(self->rows, name) != NULL);
    const char *expected = set_value(self, name, text, place);
    if (expected)
        lvp_diagnostics_add(diagnostics, place->file, place->line, 1, "%s must be %s, but is '%s'",
                            place->name, expected, text);
}

void
lvp_options_report(
    const LvpOptions *self, const char *name, LvpDiagnostics *diagnostics, const char *format, ...)
{
    const Value *value = find_value(self, name);
    g_return_if_fail(value != NULL);
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    lvp_diagnostics_add(diagnostics, value->file, value->line, 1, "%s %s",
                        value->given_as ? value->given_as : name, text);
}

const char *
lvp_options_get_string(const LvpOptions *self, const char *name)
{
    const Value *value = find_value(self, name);
    g_return_val_if_fail(value != NULL, NULL);
    return value->text;
}

gboolean
lvp_options_get_boolean(const LvpOptions *self, const char *name)
{
    return lvp_options_get_integer(self, name) != 0;
}

gint64
lvp_options_get_integer(const LvpOptions *self, const char *name)
{
    const Value *value = find_value(self, name);
    g_return_val_if_fail(value != NULL, 0);
    return value->integer;
}

double
lvp_options_get_double(const LvpOptions *self, const char *name)
{
    const Value *value = find_value(self, name);
    g_return_val_if_fail(value != NULL, 0.0);
    return value->number;
}

/* ---- context ---- */

struct LvpSourceContext {
    LvpHost *host;
    LvpOptions *options;
    char *libvirt_uri;
    LvpSourceContextCalls calls;
    GMutex mutex; /* guards health */
    char *health;
};

LvpSourceContext *
lvp_source_context_new(LvpHost *host,
                       LvpOptions *options,
                       const char *libvirt_uri,
                       const LvpSourceContextCalls *calls)
{
    LvpSourceContext *self = g_new0(LvpSourceContext, 1);
    self->host = host;
    self->options = lvp_options_ref(options);
    self->libvirt_uri = g_strdup(libvirt_uri);
    self->calls = *calls;
    g_mutex_init(&self->mutex);
    return self;
}

void
lvp_source_context_free(LvpSourceContext *self)
{
    if (!self)
        return;
    lvp_options_unref(self->options);
    g_free(self->libvirt_uri);
    g_free(self->health);
    g_mutex_clear(&self->mutex);
    g_free(self);
}

char *
lvp_source_context_dup_health(LvpSourceContext *self)
{
    g_mutex_lock(&self->mutex);
    char *health = g_strdup(self->health);
    g_mutex_unlock(&self->mutex);
    return health;
}

LvpHost *
lvp_source_context_get_host(const LvpSourceContext *self)
{
    return self->host;
}

const LvpOptions *
lvp_source_context_get_options(const LvpSourceContext *self)
{
    return self->options;
}

const char *
lvp_source_context_get_libvirt_uri(const LvpSourceContext *self)
{
    return self->libvirt_uri;
}

void
lvp_source_context_request_rescan(LvpSourceContext *self)
{
    if (self->calls.request_rescan)
        self->calls.request_rescan(self->calls.data);
}

void
lvp_source_context_set_health(LvpSourceContext *self, const char *text)
{
    g_mutex_lock(&self->mutex);
    g_free(self->health);
    self->health = lvp_text_make_printable(text);
    g_mutex_unlock(&self->mutex);
}

void
lvp_source_context_watch_subsystem(LvpSourceContext *self, const char *subsystem)
{
    if (self->calls.watch_subsystem)
        self->calls.watch_subsystem(self->calls.data, subsystem);
}
