/* SPDX-License-Identifier: Apache-2.0 */
/* Templates that are refused, and what is read of those that are not. */
#include "assert-error.h"
#include "domain-xml.h"

#include <string.h>

static void
assert_refused(const char *text, const char *reason)
{
    g_autoptr(GError) error = NULL;
    cr_assert_not(lvp_domain_xml_check_template(text, &error), "it is taken: %.200s", text);
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    assert_contains(error->message, reason);
}

static void
assert_taken(const char *text)
{
    g_autoptr(GError) error = NULL;
    gboolean ok = lvp_domain_xml_check_template(text, &error);
    assert_no_error(error);
    cr_assert(ok);
}

/* ---- refused ---- */

Test(domain_xml, what_is_no_xml_is_refused_with_its_line)
{
    assert_refused("", "no XML");
    assert_refused("vm1", "no XML");
    assert_refused("<domain>\n<name>\n</domain>", "line 3: no XML: ");
    assert_refused("<domain/><domain/>", "no XML");
    assert_refused("<domain>\xff</domain>", "no XML");
    assert_refused("<domain a='1' a='2'/>", "no XML");
    assert_refused("<domain><x:y/>", "no XML");
}

Test(domain_xml, other_root_element_is_refused)
{
    assert_refused("<network/>", "line 1: the root element must be <domain>, but is <network>");
    assert_refused("\n\n<domainsnapshot><domain/></domainsnapshot>", "line 3: ");
    assert_refused("<domain xmlns='urn:other'/>", "the root element must be <domain>");
}

Test(domain_xml, identity_that_stands_twice_is_refused)
{
    assert_refused("<domain><name/>\n<name>b</name></domain>",
                   "line 2: <name> stands here a second time");
    assert_refused("<domain><uuid/><uuid/></domain>", "<uuid> stands here a second time");
    assert_refused("<domain><metadata/><a/><metadata/></domain>",
                   "<metadata> stands here a second time");
    assert_taken("<domain><name/><o:name xmlns:o='urn:o'/><a><name/></a></domain>");
}

Test(domain_xml, what_libxml2_quotes_in_another_encoding_is_valid_text)
{
    g_autoptr(GError) error = NULL;
    cr_assert_not(lvp_domain_xml_check_template("<\353address >", &error));
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    cr_assert(g_utf8_validate(error->message, -1, NULL), "%s", error->message);
}

Test(domain_xml, document_types_are_refused)
{
    static const char REASON[] = "a document type (DTD, entities) is not allowed";
    assert_refused("<!DOCTYPE domain><domain/>", REASON);
    assert_refused("<!DOCTYPE domain SYSTEM 'file:///etc/passwd'><domain/>", REASON);
    assert_refused("<!DOCTYPE domain [<!ELEMENT domain ANY>]><domain/>", REASON);
    assert_refused("<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><domain>&e;</domain>",
                   REASON);
    assert_refused("<!DOCTYPE d [<!ENTITY % p SYSTEM 'http://127.0.0.1:1/'> %p;]><domain/>",
                   REASON);
}

Test(domain_xml, billion_laughs_are_refused_before_they_are_expanded, .timeout = 5)
{
    g_autoptr(GString) text = g_string_new("<!DOCTYPE domain [<!ENTITY l0 'ha'>");
    for (guint i = 1; i < 30; i++)
        g_string_append_printf(text, "<!ENTITY l%u '&l%u;&l%u;&l%u;&l%u;'>", i, i - 1, i - 1, i - 1,
                               i - 1);
    g_string_append(text, "]><domain><name>&l29;</name></domain>");
    assert_refused(text->str, "a document type");
}

Test(domain_xml, entity_that_is_not_declared_is_refused)
{
    assert_refused("<domain><name>&evil;</name></domain>", "no XML");
}

Test(domain_xml, text_over_one_mebibyte_is_refused)
{
    g_autofree char *filled = g_strnfill((1u << 20) - strlen("<domain></domain>"), 'x');
    g_autofree char *largest = g_strconcat("<domain>", filled, "</domain>", NULL);
    g_autofree char *larger = g_strconcat(largest, " ", NULL);
    assert_taken(largest);
    assert_refused(larger, "larger than 1 MiB");
}

/* <domain><a .../></domain> with N attributes; g_free(). */
static char *
make_attributes(guint n)
{
    g_autoptr(GString) text = g_string_new("<domain><a");
    for (guint i = 0; i < n; i++)
        g_string_append_printf(text, " a%u=''", i);
    g_string_append(text, "/></domain>");
    return g_string_free(g_steal_pointer(&text), FALSE);
}

Test(domain_xml, element_with_attributes_without_end_is_refused)
{
    g_autofree char *most = make_attributes(256), *more = make_attributes(257);
    assert_taken(most);
    assert_refused(more, "an element has more than 256 attributes");
}

/* <domain/> with N elements, itself one; g_free(). */
static char *
make_elements(guint n)
{
    g_autoptr(GString) text = g_string_new("<domain>");
    for (guint i = 1; i < n; i++)
        g_string_append(text, "<a/>");
    g_string_append(text, "</domain>");
    return g_string_free(g_steal_pointer(&text), FALSE);
}

Test(domain_xml, elements_without_end_are_refused)
{
    g_autofree char *most = make_elements(20000), *more = make_elements(20001);
    assert_taken(most);
    assert_refused(more, "there are more than 20,000 elements");
}

Test(domain_xml, nesting_without_end_is_refused)
{
    g_autoptr(GString) text = g_string_new("<domain>");
    for (guint i = 0; i < 100000; i++)
        g_string_append(text, "<a>");
    assert_refused(text->str, "no XML");
}

Test(domain_xml, build_and_list_refuse_what_the_check_refuses)
{
    static const char BAD[] = "<!DOCTYPE domain><domain/>";
    const LvpDomainIdentity identity = {"vm1", "u", "c", "kvm"};
    g_autoptr(GPtrArray) parts = g_ptr_array_new();
    g_autoptr(GError) build_error = NULL, list_error = NULL;
    cr_assert_null(lvp_domain_xml_build(BAD, &identity, parts, &build_error));
    assert_error(build_error, LVP_ERROR_INVALID_REQUEST);
    cr_assert_null(lvp_domain_xml_list_host_addresses(BAD, &list_error));
    assert_error(list_error, LVP_ERROR_INVALID_REQUEST);
    cr_assert_null(lvp_domain_xml_list_template_addresses(BAD, NULL));
    cr_assert_null(lvp_domain_xml_find_claim(BAD));
}

Test(domain_xml, template_with_declaration_and_predefined_entities_is_taken)
{
    assert_taken("<?xml version='1.0' encoding='UTF-8'?>\n<domain>&lt;&#65;&amp;</domain>\n");
}

/* ---- devices of the host ---- */

static void
assert_addresses(const char *devices, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf("<domain><devices>%s</devices></domain>", devices);
    g_auto(GStrv) addresses = lvp_domain_xml_list_template_addresses(text, &error);
    assert_no_error(error);
    g_autofree char *joined = g_strjoinv(" ", addresses);
    cr_assert(strcmp(joined, expected) == 0, "expected '%s', got '%s' of %s", expected, joined,
              devices);
    g_auto(GStrv) of_domain = lvp_domain_xml_list_host_addresses(text, &error);
    assert_no_error(error);
    g_autofree char *same = g_strjoinv(" ", of_domain);
    cr_assert_str_eq(same, expected);
}

Test(domain_xml, address_of_a_hostdev_is_found)
{
    assert_addresses("<hostdev mode='subsystem' type='pci'><source><address domain='0x0000' "
                     "bus='0x3b' slot='0x00' function='0x1'/></source></hostdev>",
                     "0000:3b:00.1");
}

Test(domain_xml, addresses_of_an_interface_and_an_nvme_disk_are_found)
{
    assert_addresses("<interface type='hostdev'><source><address type='pci' domain='0x0000' "
                     "bus='0x07' slot='0x10' function='0x2'/></source></interface>"
                     "<disk type='nvme' device='disk'><source type='pci' managed='yes' "
                     "namespace='1'><address domain='0x0001' bus='0x01' slot='0x00' "
                     "function='0x0'/></source></disk>",
                     "0000:07:10.2 0001:01:00.0");
}

Test(domain_xml, long_pci_domain_is_found)
{
    assert_addresses("<hostdev type='pci'><source><address domain='0x10000' bus='0xe1' "
                     "slot='0x00' function='0x0'/></source></hostdev>",
                     "10000:e1:00.0");
}

/* Each of these is a way in which libvirt lets 0000:3b:00.0 be written. */
Test(domain_xml, numbers_are_read_as_libvirt_reads_them)
{
    static const char *const WAYS[] = {
        "domain='0' bus='59' slot='0' function='0'",
        "domain='0x0000' bus='073' slot='00' function='0'",
        "bus='0x3B' slot='0' function='0'",
        "bus='+59' slot='0'",
        "bus='0x3b'",
    };
    for (guint i = 0; i < G_N_ELEMENTS(WAYS); i++) {
        g_autofree char *hostdev = g_strdup_printf(
            "<hostdev type='pci'><source><address %s/></source></hostdev>", WAYS[i]);
        assert_addresses(hostdev, "0000:3b:00.0");
    }
}

Test(domain_xml, address_without_a_bus_is_on_bus_zero)
{
    assert_addresses(
        "<hostdev type='pci'><source><address domain='0' slot='3'/></source></hostdev>",
        "0000:00:03.0");
}

Test(domain_xml, addresses_in_the_guest_and_of_other_kinds_are_passed_over)
{
    assert_addresses("<hostdev type='usb'><source><address bus='1' device='3'/></source></hostdev>"
                     "<hostdev type='mdev'><source><address uuid='u'/></source></hostdev>"
                     "<hostdev type='scsi'><source><adapter name='scsi_host0'/><address bus='0' "
                     "target='0' unit='0'/></source></hostdev>"
                     "<controller><address type='pci' domain='0' bus='1' slot='1'/></controller>",
                     "");
}

/* A domain of somebody else may be what no template may, and uses its devices all the same. */
Test(domain_xml, addresses_are_found_in_a_domain_that_could_be_no_template)
{
    g_autofree char *filled = g_strnfill(1u << 20, 'x'), *elements = make_elements(20001);
    const char *const inner[] = {
        "<maxMemory slots='16'>64</maxMemory>",
        "<cpu><numa><cell id='0' memory='8'/></numa></cpu>",
        "<devices><memory model='dimm'/></devices>",
        filled,
        elements,
    };
    for (guint i = 0; i < G_N_ELEMENTS(inner); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *domain =
            g_strdup_printf("<domain>%s<devices><hostdev><source><address bus='0x3b' slot='0'/>"
                            "</source></hostdev></devices></domain>",
                            inner[i]);
        g_auto(GStrv) found = lvp_domain_xml_list_host_addresses(domain, &error);
        assert_no_error(error);
        cr_assert_str_eq(found[0], "0000:3b:00.0", "%u", i);
        cr_assert_null(lvp_domain_xml_list_template_addresses(domain, NULL), "%u", i);
    }
}

/* ---- memory beside <memory> ---- */

Test(domain_xml, template_with_memory_that_the_class_does_not_count_is_refused)
{
    static const struct {
        const char *template, *part;
    } CASES[] = {
        {"<domain>\n<cpu><numa><cell id='0' cpus='0'/>\n<cell id='1' memory='8' unit='GiB'/></numa>"
         "</cpu></domain>",
         "line 3: a guest NUMA cell with memory is not allowed: the class says how much memory"},
        {"<domain>\n<maxMemory slots='16' unit='GiB'>64</maxMemory></domain>",
         "line 2: <maxMemory> is not allowed: "},
        {"<domain><devices>\n\n<memory model='dimm'><target><size>1</size></target></memory>"
         "</devices></domain>",
         "line 3: a memory device is not allowed: "},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autoptr(GError) error = NULL;
        cr_assert_null(lvp_domain_xml_list_template_addresses(CASES[i].template, &error));
        assert_contains(error->message, CASES[i].part);
        assert_refused(CASES[i].template, CASES[i].part);
    }
}

Test(domain_xml, template_with_other_words_of_memory_is_taken)
{
    g_autoptr(GError) error = NULL;
    cr_assert(lvp_domain_xml_check_template(
        "<domain><memory unit='GiB'>8</memory><currentMemory>1</currentMemory><memoryBacking/>"
        "<o:maxMemory xmlns:o='urn:o'/><cpu><numa><cell id='0' cpus='0'/></numa></cpu>"
        "<devices><memballoon/></devices></domain>",
        &error));
    assert_no_error(error);
}

/* ---- the claim ---- */

Test(domain_xml, claim_of_our_metadata_is_found)
{
    g_autofree char *claim = lvp_domain_xml_find_claim(
        "<domain><metadata><o:x xmlns:o='urn:o' claim='no'/><any:machine xmlns:any='" //
        LVP_METADATA_URI "' claim='yes'/></metadata></domain>");
    cr_assert_str_eq(claim, "yes");
}

/* What libvirt makes of a template is larger than the template. */
Test(domain_xml, claim_is_found_in_a_domain_that_is_larger_than_a_template_may_be)
{
    static const char DOMAIN[] = "<domain><metadata><lp:machine xmlns:lp='" LVP_METADATA_URI
                                 "' claim='yes'/></metadata><a>%s</a></domain>";
    g_autofree char *filled = g_strnfill(1u << 20, 'x'), *elements = make_elements(20001);
    g_autofree char *attributes = make_attributes(257);
    const char *const inner[] = {filled, elements, attributes};
    for (guint i = 0; i < G_N_ELEMENTS(inner); i++) {
        g_autofree char *domain = g_strdup_printf(DOMAIN, inner[i]);
        g_autofree char *claim = lvp_domain_xml_find_claim(domain);
        cr_assert(g_strcmp0(claim, "yes") == 0, "%u", i);
    }
}

Test(domain_xml, foreign_domain_has_no_claim)
{
    cr_assert_null(lvp_domain_xml_find_claim("<domain/>"));
    cr_assert_null(lvp_domain_xml_find_claim("<domain><metadata/></domain>"));
    cr_assert_null(lvp_domain_xml_find_claim(
        "<domain><metadata><lp:machine xmlns:lp='urn:other' claim='x'/></metadata></domain>"));
    cr_assert_null(lvp_domain_xml_find_claim(
        "<domain><devices><lp:machine xmlns:lp='" LVP_METADATA_URI "' claim='x'/></devices>"
        "</domain>"));
    cr_assert_null(lvp_domain_xml_find_claim("no xml"));
}
