/* SPDX-License-Identifier: Apache-2.0 */
#include "event.h"

#include <libvirt-provider/text.h>

LvpEvent *
lvp_event_new(
    const char *kind, const char *subject, const char *from, const char *to, const char *reason)
{
    LvpEvent *self = g_new0(LvpEvent, 1);
    self->kind = g_strdup(kind);
    self->subject = g_strdup(subject);
    self->from = g_strdup(from);
    self->to = g_strdup(to);
    self->reason = lvp_text_make_printable(reason ? reason : ""); /* one event is one line */
    return self;
}

void
lvp_event_free(LvpEvent *self)
{
    if (!self)
        return;
    g_free(self->kind);
    g_free(self->subject);
    g_free(self->from);
    g_free(self->to);
    g_free(self->reason);
    g_free(self);
}

GVariant *
lvp_event_to_row(const LvpEvent *self)
{
    g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(self->time_us / G_USEC_PER_SEC);
    g_autoptr(GDateTime) moment = g_date_time_add(seconds, self->time_us % G_USEC_PER_SEC);
    g_autofree char *time = g_date_time_format(moment, "%Y-%m-%dT%H:%M:%S.%fZ");
    const struct {
        const char *key, *text;
    } texts[] = {{"time", time},       {"kind", self->kind}, {"subject", self->subject},
                 {"from", self->from}, {"to", self->to},     {"reason", self->reason}};
    GVariantBuilder row = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&row, "{sv}", "id", g_variant_new_int64(self->id));
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        if (texts[i].text[0] != '\0')
            g_variant_builder_add(&row, "{sv}", texts[i].key, g_variant_new_string(texts[i].text));
    return g_variant_builder_end(&row);
}
