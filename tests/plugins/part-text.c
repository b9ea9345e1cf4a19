/* SPDX-License-Identifier: Apache-2.0 */
#include "part-text.h"

char *
part_to_text(const LvpDomainPart *part)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < part->edits->len; i++) {
        const LvpEdit *edit = &g_array_index(part->edits, LvpEdit, i);
        switch (edit->kind) {
        case LVP_EDIT_TEXT:
            g_string_append_printf(text, "%s = %s\n", edit->path, edit->value);
            break;
        case LVP_EDIT_ATTRIBUTE:
            g_string_append_printf(text, "%s@%s = %s\n", edit->path, edit->attribute,
                                   edit->value ? edit->value : "removed");
            break;
        case LVP_EDIT_REMOVE:
            g_string_append_printf(text, "%s removed\n", edit->path);
            break;
        case LVP_EDIT_APPEND:
            g_string_append_printf(text, "%s += %s\n", edit->path, edit->value);
            break;
        case LVP_EDIT_BEGIN_SLOT:
            g_string_append(text, "a slot:\n");
            break;
        case LVP_EDIT_APPEND_FUNCTION:
            g_string_append_printf(text, "function %u = %s\n", edit->function, edit->value);
            break;
        }
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}
