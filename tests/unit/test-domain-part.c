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

Test(domain_part, functions_of_a_slot_follow_its_begin)
{
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    lvp_domain_part_begin_slot(part);
    lvp_domain_part_append_function(part, 0, "<hostdev/>");
    lvp_domain_part_append_function(part, 7, "<other/>");
    cr_assert_eq(get_edit(part, 0)->kind, LVP_EDIT_BEGIN_SLOT);
    cr_assert_null(get_edit(part, 0)->path);
    cr_assert_eq(get_edit(part, 1)->kind, LVP_EDIT_APPEND_FUNCTION);
    cr_assert_eq(get_edit(part, 1)->function, 0);
    cr_assert_str_eq(get_edit(part, 1)->value, "<hostdev/>");
    cr_assert_eq(get_edit(part, 2)->function, 7);
    cr_assert_str_eq(get_edit(part, 2)->value, "<other/>");
}

Test(domain_part, free_accepts_null) { lvp_domain_part_free(NULL); }
