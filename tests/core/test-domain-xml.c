/* SPDX-License-Identifier: Apache-2.0 */
/* Building; what is refused and what is read is in test-domain-xml-hostile.c. */
#include "assert-error.h"
#include "domain-xml.h"

#include <string.h>

#define UUID "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define METADATA "<lp:machine xmlns:lp=\"" LVP_METADATA_URI "\" claim=\"" UUID "\" class=\"gpu\"/>"

static const LvpDomainIdentity IDENTITY = {"vm1", UUID, "gpu", "kvm"};

/* The domain from a template and one part (may be NULL); g_free(). */
static char *
build(const char *text, LvpDomainPart *part)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) parts = g_ptr_array_new();
    if (part)
        g_ptr_array_add(parts, part);
    char *xml = lvp_domain_xml_build(text, &IDENTITY, parts, &error);
    assert_no_error(error);
    return xml;
}

static void
assert_built(const char *text, LvpDomainPart *part, const char *expected)
{
    g_autofree char *xml = build(text, part);
    g_autofree char *whole = g_strconcat(DECLARATION, expected, "\n", NULL);
    cr_assert_str_eq(xml, whole);
}

/* A template that has all that the core sets, so that nothing is to be made: "<domain ...>" with
 * MIDDLE between metadata and devices, as it is to come out. */
#define FRAME(name, uuid, metadata, middle)                                                        \
    "<domain type=\"kvm\"><name>" name "</name><uuid>" uuid "</uuid><metadata>" metadata           \
    "</metadata>" middle "<devices/></domain>"

static void
assert_untouched(const char *middle)
{
    g_autofree char *template = g_strdup_printf(FRAME("old", "older", "", "%s"), middle);
    g_autofree char *expected = g_strdup_printf(FRAME("vm1", UUID, METADATA, "%s"), middle);
    assert_built(template, NULL, expected);
}

/* ---- identity ---- */

Test(domain_xml, identity_is_made_where_the_template_has_none)
{
    g_autofree char *xml = build("<domain/>", NULL);
    assert_contains(xml, "<domain type=\"kvm\">");
    assert_contains(xml, "<name>vm1</name>");
    assert_contains(xml, "<uuid>" UUID "</uuid>");
    assert_contains(xml, METADATA);
}

Test(domain_xml, identity_replaces_that_of_the_template) { assert_untouched(""); }

Test(domain_xml, type_of_the_template_stays)
{
    g_autofree char *xml = build("<domain type='qemu'/>", NULL);
    assert_contains(xml, "<domain type=\"qemu\">");
}

Test(domain_xml, type_in_another_namespace_is_none)
{
    g_autofree char *xml = build("<domain xmlns:o='urn:o' o:type='qemu'/>", NULL);
    assert_contains(xml, " type=\"kvm\"");
}

Test(domain_xml, other_metadata_stays_and_our_own_of_before_goes)
{
    assert_built(
        FRAME("a", "b",
              "<app:x xmlns:app=\"http://example.org/app\">1</app:x>"
              "<lp:machine xmlns:lp=\"" LVP_METADATA_URI "\" claim=\"other\"/>",
              ""),
        NULL,
        FRAME("vm1", UUID, "<app:x xmlns:app=\"http://example.org/app\">1</app:x>" METADATA, ""));
}

Test(domain_xml, all_of_our_metadata_of_before_goes)
{
    g_autofree char *xml = build(FRAME("a", "b",
                                       "<lp:machine xmlns:lp=\"" LVP_METADATA_URI "\" claim=\"1\"/>"
                                       "<q:machine xmlns:q=\"" LVP_METADATA_URI "\" claim=\"2\"/>",
                                       ""),
                                 NULL);
    g_autofree char *claim = lvp_domain_xml_find_claim(xml);
    cr_assert_str_eq(claim, UUID);
    cr_assert_null(strstr(xml, "claim=\"2\""), "%s", xml);
}

Test(domain_xml, class_name_is_escaped)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) parts = g_ptr_array_new();
    const LvpDomainIdentity odd = {"a&b", UUID, "\"<c>\"", "kvm"};
    g_autofree char *xml = lvp_domain_xml_build("<domain/>", &odd, parts, &error);
    assert_no_error(error);
    assert_contains(xml, "<name>a&amp;b</name>");
    assert_contains(xml, "class=\"&quot;&lt;c&gt;&quot;\"");
}

/* ---- what is not ours ---- */

Test(domain_xml, unknown_elements_and_attributes_come_through)
{
    assert_untouched("<future a=\"1\" b=\"&lt;&amp;&quot;\"><deep><deeper/></deep></future>");
}

Test(domain_xml, unknown_namespaces_come_through)
{
    assert_untouched("<q:commandline xmlns:q=\"http://libvirt.org/schemas/domain/qemu/1.0\">"
                     "<q:arg value=\"-x\"/><r:y xmlns:r=\"urn:r\" r:z=\"1\"/></q:commandline>");
}

Test(domain_xml, element_of_another_namespace_is_not_taken_for_ours)
{
    assert_untouched("<o:name xmlns:o=\"urn:o\">theirs</o:name>"
                     "<o:devices xmlns:o=\"urn:o\"/>");
}

Test(domain_xml, comments_and_processing_instructions_come_through)
{
    assert_untouched("<!-- keep <this> --><?tool keep this too?>");
}

Test(domain_xml, comments_outside_the_domain_come_through)
{
    assert_built("<!-- before -->\n" FRAME("a", "b", "", "") "<!-- after -->", NULL,
                 "<!-- before -->\n" FRAME("vm1", UUID, METADATA, "") "\n<!-- after -->");
}

Test(domain_xml, cdata_comes_through)
{
    assert_untouched("<description><![CDATA[a < b && c]]></description>");
}

Test(domain_xml, white_space_and_characters_come_through)
{
    assert_untouched("\n  <title>\tA \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 &amp; B </title>\n");
}

Test(domain_xml, same_arguments_give_the_same_bytes)
{
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    lvp_domain_part_set_text(part, "vcpu", "2");
    lvp_domain_part_append(part, "devices", "<hostdev/>");
    g_autofree char *first = build("<domain><a/></domain>", part);
    g_autofree char *second = build("<domain><a/></domain>", part);
    cr_assert_str_eq(first, second);
}

/* ---- parts ---- */

Test(domain_xml, text_is_set_and_the_attributes_stay)
{
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    lvp_domain_part_set_text(part, "vcpu", "2 & <3>");
    assert_built(
        FRAME("a", "b", "", "<vcpu placement=\"static\">8<x/></vcpu>"), part,
        FRAME("vm1", UUID, METADATA, "<vcpu placement=\"static\">2 &amp; &lt;3&gt;</vcpu>"));
}

Test(domain_xml, path_is_made_where_it_is_missing)
{
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    lvp_domain_part_set_text(part, "cputune/global_quota", "5000");
    g_autofree char *xml = build("<domain/>", part);
    assert_contains(xml, "<cputune><global_quota>5000</global_quota>\n</cputune>\n</domain>");
}

Test(domain_xml, attribute_is_set_and_removed)
{
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    lvp_domain_part_set_attribute(part, "memory", "unit", "KiB");
    lvp_domain_part_set_attribute(part, "vcpu", "current", NULL);
    lvp_domain_part_set_attribute(part, "vcpu", "never", NULL);
    assert_built(FRAME("a", "b", "", "<memory unit=\"GiB\">1</memory><vcpu current=\"1\">2</vcpu>"),
                 part,
                 FRAME("vm1", UUID, METADATA, "<memory unit=\"KiB\">1</memory><vcpu>2</vcpu>"));
}

Test(domain_xml, elements_are_removed_and_nothing_is_made_on_the_way)
{
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    lvp_domain_part_remove(part, "vcpus");
    lvp_domain_part_remove(part, "cputune/shares");
    lvp_domain_part_remove(part, "never/there");
    assert_built(FRAME("a", "b", "",
                       "<vcpus><vcpu id=\"0\"/></vcpus><vcpu>2</vcpu><vcpus/>"
                       "<cputune><shares>1</shares><emulatorpin/></cputune>"),
                 part,
                 FRAME("vm1", UUID, METADATA, "<vcpu>2</vcpu><cputune><emulatorpin/></cputune>"));
}

Test(domain_xml, elements_are_appended_in_their_order)
{
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    lvp_domain_part_append(part, "devices", "<one/>");
    lvp_domain_part_append(part, "devices", "<two><three/></two>");
    g_autofree char *xml = build("<domain><devices><zero/></devices></domain>", part);
    assert_contains(xml, "<devices><zero/><one/>\n<two><three/></two>\n</devices>");
}

static void
assert_part_refused(const char *xml)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    g_autoptr(GPtrArray) parts = g_ptr_array_new();
    g_ptr_array_add(parts, part);
    lvp_domain_part_append(part, "devices", xml);
    cr_assert_null(lvp_domain_xml_build("<domain/>", &IDENTITY, parts, &error), "%s", xml);
    assert_error(error, LVP_ERROR_SOURCE);
}

Test(domain_xml, part_that_is_no_element_is_refused)
{
    assert_part_refused("<hostdev>");
    assert_part_refused("<a/><b>");
    assert_part_refused("&none;");
    assert_part_refused("");
}

Test(domain_xml, parts_are_applied_in_their_order)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpDomainPart) first = lvp_domain_part_new();
    g_autoptr(LvpDomainPart) second = lvp_domain_part_new();
    g_autoptr(GPtrArray) parts = g_ptr_array_new();
    lvp_domain_part_set_text(first, "vcpu", "1");
    lvp_domain_part_set_text(second, "vcpu", "2");
    g_ptr_array_add(parts, first);
    g_ptr_array_add(parts, second);
    g_autofree char *xml = lvp_domain_xml_build("<domain/>", &IDENTITY, parts, &error);
    assert_no_error(error);
    assert_contains(xml, "<vcpu>2</vcpu>");
}

/* ---- slots of the guest ---- */

/* Two functions of one slot, then one of a slot with a gap. */
static LvpDomainPart *
make_slots(void)
{
    LvpDomainPart *part = lvp_domain_part_new();
    lvp_domain_part_begin_slot(part);
    lvp_domain_part_append_function(part, 0, "<hostdev id='a'/>");
    lvp_domain_part_append_function(part, 1, "<hostdev id='b'/>");
    lvp_domain_part_append(part, "devices", "<hostdev id='c'/>");
    lvp_domain_part_begin_slot(part);
    lvp_domain_part_append_function(part, 0, "<hostdev id='d'/>");
    lvp_domain_part_append_function(part, 7, "<hostdev id='e'/>");
    return part;
}

#define PORT(index, model) "<controller type=\"pci\" index=\"" index "\" model=\"" model "\"/>\n"
#define FUNCTION(id, bus, slot, function)                                                          \
    "<hostdev id=\"" id "\"><address type=\"pci\" domain=\"0\" bus=\"" bus "\" slot=\"" slot       \
    "\" function=\"" function "\""
#define FIRST(id, bus, slot) FUNCTION(id, bus, slot, "0") " multifunction=\"on\"/></hostdev>\n"
#define OTHER(id, bus, slot, function) FUNCTION(id, bus, slot, function) "/></hostdev>\n"

/* The devices of a domain for MACHINE (may be NULL) with DEVICES before them. */
static void
assert_slots(const char *machine, const char *devices, const char *expected)
{
    g_autoptr(LvpDomainPart) part = make_slots();
    g_autofree char *attribute = machine ? g_strdup_printf(" machine='%s'", machine) : g_strdup("");
    g_autofree char *template = g_strdup_printf(
        "<domain type='kvm'><os><type%s>hvm</type></os><devices>%s</devices></domain>", attribute,
        devices);
    g_autofree char *xml = build(template, part);
    const char *from = strstr(xml, "<devices>"), *to = strstr(xml, "</devices>");
    g_autofree char *built = g_strndup(from, (gsize)(to - from));
    assert_contains(built, expected);
}

Test(domain_xml, functions_stand_in_one_slot_behind_a_root_port_of_their_own)
{
    static const char *const MACHINES[] = {"q35", "pc-q35-7.2", "virt", "virt-7.2"};
    for (guint i = 0; i < G_N_ELEMENTS(MACHINES); i++)
        assert_slots(MACHINES[i], "",
                     "<devices>" PORT("1", "pcie-root-port") FIRST("a", "1", "0") OTHER(
                         "b", "1", "0", "1") "<hostdev id=\"c\"/>\n" PORT("2", "pcie-root-port")
                         FIRST("d", "2", "0") OTHER("e", "2", "0", "7"));
}

Test(domain_xml, without_pci_express_they_stand_behind_a_bridge)
{
    static const char *const MACHINES[] = {"pc", "pc-i440fx-7.2", NULL};
    for (guint i = 0; i < G_N_ELEMENTS(MACHINES); i++)
        assert_slots(MACHINES[i], "",
                     "<devices>" PORT("1", "pci-bridge") FIRST("a", "1", "1")
                         OTHER("b", "1", "1", "1") "<hostdev id=\"c\"/>\n" PORT("2", "pci-bridge")
                             FIRST("d", "2", "1") OTHER("e", "2", "1", "7"));
}

Test(domain_xml, port_takes_a_bus_that_the_template_does_not_use)
{
    static const char *const USED[] = {
        "<controller type='pci' index='4' model='pcie-root-port'/>",
        "<controller type='pci' index='0x4' model='pcie-root-port'/><controller type='usb' "
        "index='9'/>",
        "<disk type='file'><address type='pci' bus='0x04' slot='0'/></disk>",
        "<disk type='file'><address type='drive' bus='9'/></disk><interface type='user'><address "
        "type='pci' bus='4'/></interface><controller type='pci' index='2'/>",
        "<controller type='pci' index='4'/><hostdev type='pci'><source><address bus='0xaf'/>"
        "</source></hostdev>",
    };
    for (guint i = 0; i < G_N_ELEMENTS(USED); i++)
        assert_slots("q35", USED[i], PORT("5", "pcie-root-port") FIRST("a", "5", "0"));
}

Test(domain_xml, slot_without_a_free_bus_is_refused)
{
    static const char *const USED[] = {"0xff", "255", "256", "0xffffffff", "99999999999999"};
    for (guint i = 0; i < G_N_ELEMENTS(USED); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) parts = g_ptr_array_new();
        g_autoptr(LvpDomainPart) part = make_slots();
        g_autofree char *template = g_strdup_printf(
            "<domain><devices><controller type='pci' index='%s'/></devices></domain>", USED[i]);
        g_ptr_array_add(parts, part);
        cr_assert_null(lvp_domain_xml_build(template, &IDENTITY, parts, &error), "%s", USED[i]);
        assert_error(error, LVP_ERROR_INVALID_REQUEST);
        assert_contains(error->message, "the template uses PCI buses up to the last");
    }
}

Test(domain_xml, function_that_is_no_xml_is_refused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) parts = g_ptr_array_new();
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    lvp_domain_part_begin_slot(part);
    lvp_domain_part_append_function(part, 0, "<hostdev");
    g_ptr_array_add(parts, part);
    cr_assert_null(lvp_domain_xml_build("<domain/>", &IDENTITY, parts, &error));
    assert_error(error, LVP_ERROR_SOURCE);
}
