/* SPDX-License-Identifier: Apache-2.0 */
#include "service-spec.h"

#include <libvirt-provider/error.h>
#include <string.h>

#define MAPS_MAX_BYTES (256u << 10) /* as Kubernetes has it for annotations */

const char *const LVP_STOP_OPTIONS[] = {"force", "b", "timeoutSeconds", "u", NULL};
const char *const LVP_DELETE_OPTIONS[] = {"keepNvram", "b", NULL};

void
lvp_creation_clear(LvpCreation *self)
{
    g_clear_pointer(&self->spec.labels, g_variant_unref);
    g_clear_pointer(&self->spec.annotations, g_variant_unref);
    g_clear_pointer(&self->values, g_variant_unref);
}

gboolean
lvp_spec_check_keys(GVariant *values, const char *const *known, GError **error)
{
    GVariantIter iter;
    const char *key;
    GVariant *value;
    gboolean ok = TRUE;
    g_variant_iter_init(&iter, values);
    while (ok && g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        const char *type = NULL;
        for (guint i = 0; known[i]; i += 2)
            if (strcmp(known[i], key) == 0)
                type = known[i + 1];
        ok = type && g_variant_is_of_type(value, G_VARIANT_TYPE(type));
        if (!ok)
            g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                        type ? "'%s' must be of D-Bus type %s" : "unknown key '%s'", key, type);
        g_variant_unref(value);
    }
    return ok;
}

static GVariant *
look_up_map(GVariant *values, const char *key)
{
    GVariant *map = g_variant_lookup_value(values, key, G_VARIANT_TYPE("a{ss}"));
    return map ? map : g_variant_ref_sink(g_variant_new("a{ss}", NULL));
}

gboolean
lvp_creation_read(GVariant *values, LvpCreation *creation, GError **error)
{
    static const char *const KNOWN[] = {
        "name",  "s",           "class", "s",     "uuid", "s",         "template", "s", "labels",
        "a{ss}", "annotations", "a{ss}", "start", "b",    "autostart", "b",        NULL};
    if (!lvp_spec_check_keys(values, KNOWN, error))
        return FALSE;
    creation->values = g_variant_ref(values);
    creation->spec.labels = look_up_map(values, "labels");
    creation->spec.annotations = look_up_map(values, "annotations");
    creation->spec.start = TRUE;
    g_variant_lookup(values, "name", "&s", &creation->spec.name);
    g_variant_lookup(values, "class", "&s", &creation->spec.class_name);
    g_variant_lookup(values, "uuid", "&s", &creation->spec.uuid);
    g_variant_lookup(values, "template", "&s", &creation->spec.template_xml);
    g_variant_lookup(values, "start", "b", &creation->spec.start);
    g_variant_lookup(values, "autostart", "b", &creation->spec.autostart);
    gsize size = g_variant_get_size(creation->spec.labels);
    size += g_variant_get_size(creation->spec.annotations);
    if (creation->spec.name && creation->spec.class_name && size <= MAPS_MAX_BYTES)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                size > MAPS_MAX_BYTES ? "labels and annotations are larger than 256 KiB"
                                      : "a machine needs name and class");
    return FALSE;
}
