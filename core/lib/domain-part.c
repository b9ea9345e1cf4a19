/* SPDX-License-Identifier: Apache-2.0 */
#include "domain-part.h"

static void
clear_edit(gpointer data)
{
    LvpEdit *edit = data;
    g_free(edit->path);
    g_free(edit->attribute);
    g_free(edit->value);
}

LvpDomainPart *
lvp_domain_part_new(void)
{
    LvpDomainPart *self = g_new0(LvpDomainPart, 1);
    self->edits = g_array_new(FALSE, FALSE, sizeof(LvpEdit));
    g_array_set_clear_func(self->edits, clear_edit);
    return self;
}

void
lvp_domain_part_free(LvpDomainPart *self)
{
    if (!self)
        return;
    g_array_unref(self->edits);
    g_free(self);
}

static void
add_edit(LvpDomainPart *self,
         LvpEditKind kind,
         const char *path,
         const char *attribute,
         const char *value)
{
    LvpEdit edit = {kind, g_strdup(path), g_strdup(attribute), g_strdup(value), 0};
    g_array_append_val(self->edits, edit);
}

void
lvp_domain_part_set_text(LvpDomainPart *self, const char *path, const char *text)
{
    add_edit(self, LVP_EDIT_TEXT, path, NULL, text);
}

void
lvp_domain_part_set_attribute(LvpDomainPart *self,
                              const char *path,
                              const char *attribute,
                              const char *value)
{
    add_edit(self, LVP_EDIT_ATTRIBUTE, path, attribute, value);
}

void
lvp_domain_part_remove(LvpDomainPart *self, const char *path)
{
    add_edit(self, LVP_EDIT_REMOVE, path, NULL, NULL);
}

void
lvp_domain_part_append(LvpDomainPart *self, const char *path, const char *xml)
{
    add_edit(self, LVP_EDIT_APPEND, path, NULL, xml);
}

void
lvp_domain_part_begin_slot(LvpDomainPart *self)
{
    add_edit(self, LVP_EDIT_BEGIN_SLOT, NULL, NULL, NULL);
}

void
lvp_domain_part_append_function(LvpDomainPart *self, guint function, const char *xml)
{
    add_edit(self, LVP_EDIT_APPEND_FUNCTION, NULL, NULL, xml);
    g_array_index(self->edits, LvpEdit, self->edits->len - 1).function = function;
}
