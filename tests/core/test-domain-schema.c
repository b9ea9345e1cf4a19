/* SPDX-License-Identifier: Apache-2.0 */
/* Domains against libvirt's schema: which element or attribute is wrong is said. */
#include "assert-error.h"
#include "domain-schema.h"

#define HEAD "<domain type='kvm'><name>vm1</name><memory>1024</memory>"
#define OS "<os><type>hvm</type></os>"

static void
assert_fault(const char *xml, const char *part)
{
    g_autoptr(GError) error = NULL;
    gboolean checked = FALSE;
    cr_assert_not(lvp_domain_schema_check(lvp_domain_schema_get_file(), xml, &checked, &error));
    cr_assert(checked);
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    assert_contains(error->message, "is not valid by libvirt's schema: ");
    assert_contains(error->message, part);
}

Test(domain_schema, valid_domain_passes)
{
    g_autoptr(GError) error = NULL;
    gboolean checked = FALSE;
    lvp_domain_schema_check(lvp_domain_schema_get_file(),
                            HEAD OS "<metadata><x:y xmlns:x='urn:x'/></metadata></domain>",
                            &checked, &error);
    assert_no_error(error);
    cr_assert(checked);
}

Test(domain_schema, unknown_element_is_named)
{
    assert_fault(HEAD OS "<nosuch/></domain>", ": /domain/nosuch does not");
    assert_fault(HEAD OS "<devices><emulator>/x</emulator><disk type='file'><target dev='vda'/>"
                         "<nosuch/></disk></devices></domain>",
                 ": /domain/devices/disk/nosuch does not");
    assert_fault(HEAD OS "<devices><controller type='usb'/><controller type='x'/></devices>"
                         "</domain>",
                 ": /domain/devices/controller[2] does not");
}

Test(domain_schema, unknown_attribute_is_named)
{
    assert_fault("<domain type='kvm' nosuch='1'><name>vm1</name><memory>1024</memory>" OS
                 "</domain>",
                 ": /domain/@nosuch does not");
}

Test(domain_schema, wrong_value_is_named)
{
    assert_fault(HEAD OS "<on_poweroff>explode</on_poweroff></domain>", ": /domain/on_poweroff ");
}

Test(domain_schema, several_mistakes_and_missing_elements_are_said)
{
    assert_fault(HEAD OS "<nosuch1/><nosuch2/></domain>", "several mistakes");
    assert_fault("<domain type='kvm'><memory>1024</memory>" OS "</domain>", "something is missing");
}

Test(domain_schema, without_a_schema_nothing_is_checked)
{
    g_autoptr(GError) error = NULL;
    gboolean checked = TRUE;
    cr_assert(lvp_domain_schema_check("/nonexistent/domain.rng", "<domain/>", &checked, &error));
    assert_no_error(error);
    cr_assert_not(checked);
}
