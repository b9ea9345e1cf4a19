/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: refused, or a domain that parses, is ours by one name, uuid and claim, and has no DTD.
 */
#include "domain-xml.h"
#include "fuzz.h"

#include <libvirt-provider/error.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#define UUID "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
#define ADDRESS "0000:3b:00.1"

static const LvpDomainIdentity IDENTITY = {"vm1", UUID, "gpu", "kvm"};

/* What the three sources would add. */
static LvpDomainPart *
make_part(void)
{
    LvpDomainPart *part = lvp_domain_part_new();
    lvp_domain_part_set_text(part, "memory", "4194304");
    lvp_domain_part_set_attribute(part, "memory", "unit", "KiB");
    lvp_domain_part_set_text(part, "vcpu", "2");
    lvp_domain_part_set_attribute(part, "vcpu", "current", NULL);
    lvp_domain_part_set_text(part, "cputune/global_quota", "150000");
    lvp_domain_part_append(part, "devices",
                           "<hostdev mode='subsystem' type='pci' managed='no'><source><address "
                           "domain='0x0000' bus='0x3b' slot='0x00' function='0x1'/></source>"
                           "</hostdev>");
    return part;
}

static char *
build(const char *text, GError **error)
{
    g_autoptr(LvpDomainPart) part = make_part();
    g_autoptr(GPtrArray) parts = g_ptr_array_new();
    g_ptr_array_add(parts, part);
    return lvp_domain_xml_build(text, &IDENTITY, parts, error);
}

/* ---- what a reader of the domain sees ---- */

static xmlDoc *
read_document(const char *text)
{
    xmlDoc *document = xmlReadMemory(text, (int)strlen(text), "domain", NULL,
                                     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    must(document && xmlDocGetRootElement(document));
    must(!document->intSubset && !document->extSubset);
    return document;
}

static gboolean
is_element(const xmlNode *node, const char *name, const char *namespace)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0 &&
           g_strcmp0(node->ns ? (const char *)node->ns->href : NULL, namespace) == 0;
}

/* The first such child of PARENT, and how many there are. */
static xmlNode *
find_child(const xmlNode *parent, const char *name, const char *namespace, guint *ret_count)
{
    xmlNode *first = NULL;
    *ret_count = 0;
    for (xmlNode *child = parent->children; child; child = child->next) {
        if (!is_element(child, name, namespace))
            continue;
        first = first ? first : child;
        ++*ret_count;
    }
    return first;
}

static void
check_text(const xmlNode *root, const char *name, const char *expected, gboolean alone)
{
    guint count;
    xmlNode *node = find_child(root, name, NULL, &count);
    must(node && (count == 1 || !alone));
    xmlChar *text = xmlNodeGetContent(node);
    must(strcmp((const char *)text, expected) == 0);
    xmlFree(text);
}

static void
check_attribute(xmlNode *node, const char *name, const char *expected)
{
    xmlChar *text = xmlGetNoNsProp(node, (const xmlChar *)name);
    must(text && (!expected || strcmp((const char *)text, expected) == 0));
    xmlFree(text);
}

static void
check_no_entities(const xmlNode *node)
{
    for (; node; node = node->next) {
        must(node->type != XML_ENTITY_REF_NODE && node->type != XML_DTD_NODE);
        if (node->type == XML_ELEMENT_NODE)
            check_no_entities(node->children);
    }
}

static void
check_domain(const char *text)
{
    must_be_utf8(text);
    xmlDoc *document = read_document(text);
    xmlNode *root = xmlDocGetRootElement(document);
    must(is_element(root, "domain", NULL));
    check_no_entities(root);
    check_attribute(root, "type", NULL);
    check_text(root, "name", IDENTITY.name, TRUE);
    check_text(root, "uuid", IDENTITY.uuid, TRUE);
    check_text(root, "memory", "4194304", FALSE);
    check_text(root, "vcpu", "2", FALSE);
    guint n_metadata, n_ours;
    const xmlNode *metadata = find_child(root, "metadata", NULL, &n_metadata);
    must(n_metadata == 1);
    xmlNode *ours = find_child(metadata, "machine", LVP_METADATA_URI, &n_ours);
    must(n_ours == 1);
    check_attribute(ours, "claim", IDENTITY.uuid);
    check_attribute(ours, "class", IDENTITY.class_name);
    xmlFreeDoc(document);
    g_autofree char *claim = lvp_domain_xml_find_claim(text);
    must(claim && strcmp(claim, IDENTITY.uuid) == 0);
}

/* Ours is one of them. */
static guint
count_addresses(const char *text)
{
    g_auto(GStrv) addresses = lvp_domain_xml_list_host_addresses(text, NULL);
    must(addresses && g_strv_contains((const char *const *)addresses, ADDRESS));
    return g_strv_length(addresses);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autofree char *text = fuzz_copy_text(data, size);
    g_autoptr(GError) error = NULL, check_error = NULL, list_error = NULL;
    g_autofree char *domain = build(text, &error);
    must_agree(domain != NULL, error);
    must(domain || error->code == LVP_ERROR_INVALID_REQUEST);
    must(lvp_domain_xml_check_template(text, &check_error) == (domain != NULL));
    g_auto(GStrv) addresses = lvp_domain_xml_list_template_addresses(text, &list_error);
    must((addresses != NULL) == (domain != NULL));
    if (!domain)
        return 0;
    xmlFreeDoc(read_document(text));
    check_domain(domain);
    /* Fewer, where they stood in what is replaced. */
    must(count_addresses(domain) <= g_strv_length(addresses) + 1);
    /* A character takes at most six: &quot; */
    must(strlen(domain) < 6 * strlen(text) + 2048);
    g_autofree char *same = build(text, NULL);
    must(g_strcmp0(same, domain) == 0);
    g_autofree char *again = build(domain, NULL);
    check_domain(again);
    must(count_addresses(again) == count_addresses(domain) + 1);
    return 0;
}
