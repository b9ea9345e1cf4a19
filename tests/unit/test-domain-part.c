/* SPDX-License-Identifier: Apache-2.0 */
#include "domain-part.h"

#include <criterion/criterion.h>
#include <string.h>

static const LvpEdit *
get_edit(const LvpDomainPart *part, guint index)
{
    cr_assert_lt(index, part->edits->len);
    return &g_array_index(part->edits, LvpEdit, index);
}

Test(domain_part, edits_keep_their_order)
{
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    lvp_domain_part_set_text(part, "vcpu", "2");
    lvp_domain_part_append(part, "devices", "<hostdev/>");
    lvp_domain_part_set_attribute(part, "vcpu", "placement", "static");
    cr_assert_eq(get_edit(part, 0)->kind, LVP_EDIT_TEXT);
    cr_assert_eq(get_edit(part, 1)->kind, LVP_EDIT_APPEND);
    cr_assert_eq(get_edit(part, 2)->kind, LVP_EDIT_ATTRIBUTE);
}

Test(domain_part, texts_are_copied)
{
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    char path[] = "vcpu", text[] = "2";
    lvp_domain_part_set_text(part, path, text);
    path[0] = text[0] = 'x';
    cr_assert_str_eq(get_edit(part, 0)->path, "vcpu");
    cr_assert_str_eq(get_edit(part, 0)->value, "2");
}

Test(domain_part, attribute_without_value_is_one_to_remove)
{
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    lvp_domain_part_set_attribute(part, "vcpu", "cpuset", NULL);
    cr_assert_str_eq(get_edit(part, 0)->attribute, "cpuset");
    cr_assert_null(get_edit(part, 0)->value);
}

Test(domain_part, free_accepts_null) { lvp_domain_part_free(NULL); }
