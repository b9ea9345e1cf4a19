/* SPDX-License-Identifier: Apache-2.0 */
#include "domain-xml.h"

#include <libvirt-provider/error.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>
#include <string.h>

#define MAX_BYTES (1u << 20)
/* libvirt validates with libxml2, which takes memory as the square of an element's attributes:
 * 50,000 of them cost libvirtd 18 GB. No element of libvirt's has 50. */
#define MAX_ATTRIBUTES 256
#define MAX_ELEMENTS 20000
#define METADATA_PREFIX "lp"
#define MAX_BUS 0xff

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlParserCtxt, xmlFreeParserCtxt)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathContext, xmlXPathFreeContext)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathObject, xmlXPathFreeObject)

static const xmlChar *
to_xml(const char *text)
{
    return (const xmlChar *)text;
}

static gboolean
set_invalid(GError **error, int line, const char *what)
{
    /* libxml2 quotes names as they stand there, in whatever encoding. */
    g_autofree char *valid = g_utf8_make_valid(what, -1);
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "domain template, line %d: %s", line,
                valid);
    return FALSE;
}

void
lvp_domain_xml_init(void)
{
    xmlInitParser();
}

/* ---- parsing ---- */

static void
ignore_error(void *context, xmlErrorPtr error)
{
    (void)context;
    (void)error;
}

/* What is refused, is refused where it begins, before libxml2 has built anything of it. */
typedef struct {
    gboolean none;       /* libvirt's own text: larger than the template that it was made from */
    const char *refusal; /* NULL: nothing yet */
    guint n_elements;
} Limits;

static void
refuse(xmlParserCtxtPtr parser, const char *why)
{
    Limits *limits = parser->_private;
    limits->refusal = why;
    xmlStopParser(parser);
}

static void
refuse_dtd(void *context, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    (void)name;
    (void)external;
    (void)system;
    refuse(context, "a document type (DTD, entities) is not allowed");
}

static void
start_element(void *context,
              const xmlChar *name,
              const xmlChar *prefix,
              const xmlChar *uri,
              int n_namespaces,
              const xmlChar **namespaces,
              int n_attributes,
              int n_defaulted,
              const xmlChar **attributes)
{
    xmlParserCtxtPtr parser = context;
    Limits *limits = parser->_private;
    gboolean many_attributes = n_attributes > MAX_ATTRIBUTES || n_namespaces > MAX_ATTRIBUTES;
    if (many_attributes && !limits->none)
        refuse(parser, "an element has more than 256 attributes");
    else if (++limits->n_elements > MAX_ELEMENTS && !limits->none)
        refuse(parser, "there are more than 20,000 elements");
    else
        xmlSAX2StartElementNs(parser, name, prefix, uri, n_namespaces, namespaces, n_attributes,
                              n_defaulted, attributes);
}

static xmlDoc *
parse(const char *text, Limits limits, GError **error)
{
    gsize length = strlen(text);
    if (length > (limits.none ? G_MAXINT : MAX_BYTES)) {
        set_invalid(error, 0, "larger than 1 MiB");
        return NULL;
    }
    g_autoptr(xmlParserCtxt) parser = xmlNewParserCtxt();
    parser->_private = &limits;
    parser->sax->internalSubset = refuse_dtd;
    parser->sax->startElementNs = start_element;
    parser->sax->serror = ignore_error;
    g_autoptr(xmlDoc) document =
        xmlCtxtReadMemory(parser, text, (int)length, "template", NULL, XML_PARSE_NONET);
    if (limits.refusal) {
        set_invalid(error, parser->input ? parser->input->line : 1, limits.refusal);
        return NULL;
    }
    if (!document) {
        g_autofree char *why = g_strdup_printf(
            "no XML: %s", parser->lastError.message ? parser->lastError.message : "unreadable");
        set_invalid(error, parser->lastError.line, g_strchomp(why));
        return NULL;
    }
    const xmlNode *root = xmlDocGetRootElement(document);
    if (!root || strcmp((const char *)root->name, "domain") != 0 || root->ns) {
        g_autofree char *why = g_strdup_printf("the root element must be <domain>, but is <%s>",
                                               root ? (const char *)root->name : "");
        set_invalid(error, root ? (int)xmlGetLineNo(root) : 1, why);
        return NULL;
    }
    return g_steal_pointer(&document);
}

/* Memory that <memory> does not count, or that libvirt takes instead of it. */
static gboolean
check_memory(xmlDoc *document, GError **error)
{
    static const struct {
        const char *path, *name;
    } PLACES[] = {{"/domain/cpu/numa/cell[@memory]", "a guest NUMA cell with memory"},
                  {"/domain/maxMemory", "<maxMemory>"},
                  {"/domain/devices/memory", "a memory device"}};
    g_autoptr(xmlXPathContext) context = xmlXPathNewContext(document);
    for (guint i = 0; i < G_N_ELEMENTS(PLACES); i++) {
        g_autoptr(xmlXPathObject) found = xmlXPathEvalExpression(to_xml(PLACES[i].path), context);
        if (!found || xmlXPathNodeSetIsEmpty(found->nodesetval))
            continue;
        g_autofree char *why = g_strdup_printf(
            "%s is not allowed: the class says how much memory the machine gets", PLACES[i].name);
        return set_invalid(error, (int)xmlGetLineNo(found->nodesetval->nodeTab[0]), why);
    }
    return TRUE;
}

/* Of what we set ourselves there may be one only: else a reader could take the other. */
static gboolean
check_identity(const xmlNode *root, GError **error)
{
    static const char *const ONCE[] = {"name", "uuid", "metadata"};
    gboolean seen[G_N_ELEMENTS(ONCE)] = {FALSE};
    for (const xmlNode *child = root->children; child; child = child->next) {
        for (guint i = 0; i < G_N_ELEMENTS(ONCE); i++) {
            if (child->type != XML_ELEMENT_NODE || child->ns ||
                strcmp((const char *)child->name, ONCE[i]) != 0)
                continue;
            g_autofree char *why = g_strdup_printf("<%s> stands here a second time", ONCE[i]);
            if (seen[i])
                return set_invalid(error, (int)xmlGetLineNo(child), why);
            seen[i] = TRUE;
        }
    }
    return TRUE;
}

static xmlDoc *
parse_template(const char *text, GError **error)
{
    g_autoptr(xmlDoc) document = parse(text, (Limits){0}, error);
    if (!document || !check_memory(document, error) ||
        !check_identity(xmlDocGetRootElement(document), error))
        return NULL;
    return g_steal_pointer(&document);
}

gboolean
lvp_domain_xml_check_template(const char *text, GError **error)
{
    g_autoptr(xmlDoc) document = parse_template(text, error);
    return document != NULL;
}

/* ---- reading ---- */

/* An attribute as libvirt reads it: "0x3b", "59" or octal "073"; 0 where it is missing. What is no
 * number libvirt refuses. */
static guint
read_number(xmlNode *node, const char *attribute)
{
    xmlChar *text = xmlGetNoNsProp(node, to_xml(attribute));
    guint64 value = text ? g_ascii_strtoull((const char *)text, NULL, 0) : 0;
    xmlFree(text);
    return (guint)value;
}

static char **
list_addresses(xmlDoc *document)
{
    g_autoptr(xmlXPathContext) context = xmlXPathNewContext(document);
    /* Not those of usb (device), scsi (target) and mdev (uuid). */
    g_autoptr(xmlXPathObject) found = xmlXPathEvalExpression(
        to_xml("//source/address[not(@device or @target or @uuid)]"), context);
    g_autoptr(GPtrArray) addresses = g_ptr_array_new();
    int count = found && found->nodesetval ? found->nodesetval->nodeNr : 0;
    for (int i = 0; i < count; i++) {
        xmlNode *node = found->nodesetval->nodeTab[i];
        g_ptr_array_add(addresses,
                        g_strdup_printf("%04x:%02x:%02x.%x", read_number(node, "domain"),
                                        read_number(node, "bus"), read_number(node, "slot"),
                                        read_number(node, "function")));
    }
    g_ptr_array_add(addresses, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&addresses), FALSE);
}

char **
lvp_domain_xml_list_template_addresses(const char *text, GError **error)
{
    g_autoptr(xmlDoc) document = parse_template(text, error);
    return document ? list_addresses(document) : NULL;
}

char **
lvp_domain_xml_list_host_addresses(const char *domain_text, GError **error)
{
    g_autoptr(xmlDoc) document = parse(domain_text, (Limits){.none = TRUE}, error);
    return document ? list_addresses(document) : NULL;
}

static xmlNode *
find_child(xmlNode *parent, const char *name)
{
    for (xmlNode *child = parent->children; child; child = child->next)
        if (child->type == XML_ELEMENT_NODE && !child->ns &&
            strcmp((const char *)child->name, name) == 0)
            return child;
    return NULL;
}

/* Our element in <metadata>, or NULL. */
static xmlNode *
find_metadata(xmlNode *root)
{
    xmlNode *metadata = find_child(root, "metadata");
    for (xmlNode *child = metadata ? metadata->children : NULL; child; child = child->next)
        if (child->type == XML_ELEMENT_NODE && child->ns &&
            strcmp((const char *)child->ns->href, LVP_METADATA_URI) == 0)
            return child;
    return NULL;
}

static char *
find_attribute(const char *domain_text, const char *name)
{
    g_autoptr(xmlDoc) document = parse(domain_text, (Limits){.none = TRUE}, NULL);
    xmlNode *ours = document ? find_metadata(xmlDocGetRootElement(document)) : NULL;
    xmlChar *value = ours ? xmlGetNoNsProp(ours, to_xml(name)) : NULL;
    char *copy = value ? g_strdup((const char *)value) : NULL;
    xmlFree(value);
    return copy;
}

char *
lvp_domain_xml_find_claim(const char *domain_text)
{
    return find_attribute(domain_text, "claim");
}

char *
lvp_domain_xml_find_class(const char *domain_text)
{
    return find_attribute(domain_text, "class");
}

char *
lvp_domain_xml_find_state(const char *domain_text)
{
    return find_attribute(domain_text, "state");
}

/* ---- building ---- */

/* The element at PATH below ROOT; made where it is missing. A new one goes on a line of its own. */
static xmlNode *
get_element(xmlNode *root, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    xmlNode *node = root;
    for (guint i = 0; names[i]; i++) {
        xmlNode *child = find_child(node, names[i]);
        if (!child) {
            child = xmlNewChild(node, NULL, to_xml(names[i]), NULL);
            xmlNodeAddContent(node, to_xml("\n"));
        }
        node = child;
    }
    return node;
}

static void
set_text(xmlNode *node, const char *text)
{
    xmlNodeSetContent(node, NULL);
    xmlNodeAddContent(node, to_xml(text));
}

/* The first element that was appended. */
static xmlNode *
append_fragment(xmlNode *parent, const char *xml, GError **error)
{
    xmlNode *fragment = NULL;
    int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
    if (xmlParseInNodeContext(parent, xml, (int)strlen(xml), options, &fragment) != XML_ERR_OK ||
        !fragment) {
        xmlFreeNodeList(fragment);
        g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE, "a source's part is no XML element: %s",
                    xml);
        return NULL;
    }
    xmlAddChildList(parent, fragment);
    xmlNodeAddContent(parent, to_xml("\n"));
    return fragment;
}

/* ---- slots of the guest ---- */

static void
set_number(xmlNode *node, const char *attribute, guint number)
{
    char text[16];
    g_snprintf(text, sizeof text, "%u", number);
    xmlSetProp(node, to_xml(attribute), to_xml(text));
}

/* One more than the highest bus that a device or a controller of the domain names; 0 is the root.
 */
static guint
find_free_bus(xmlDoc *document)
{
    static const struct {
        const char *path, *attribute;
    } PLACES[] = {{"/domain/devices/*/address[@type='pci']", "bus"},
                  {"/domain/devices/controller[@type='pci']", "index"}};
    guint highest = 0;
    g_autoptr(xmlXPathContext) context = xmlXPathNewContext(document);
    for (guint p = 0; p < G_N_ELEMENTS(PLACES); p++) {
        g_autoptr(xmlXPathObject) found = xmlXPathEvalExpression(to_xml(PLACES[p].path), context);
        int count = found && found->nodesetval ? found->nodesetval->nodeNr : 0;
        for (int i = 0; i < count; i++)
            highest = MAX(highest, read_number(found->nodesetval->nodeTab[i], PLACES[p].attribute));
    }
    return highest + 1;
}

/* Whether the machine has PCI Express: else it has bridges. A domain without a machine type gets
 * the i440fx from libvirt, on architectures that have one. */
static gboolean
has_express(xmlNode *root)
{
    xmlNode *type = get_element(root, "os/type");
    xmlChar *machine = xmlGetNoNsProp(type, to_xml("machine"));
    gboolean express = machine && (strstr((const char *)machine, "q35") ||
                                   g_str_has_prefix((const char *)machine, "virt"));
    xmlFree(machine);
    return express;
}

/* Where the functions of a slot go. */
typedef struct {
    guint bus, slot;
} GuestSlot;

static gboolean
add_slot(xmlNode *root, GuestSlot *ret_slot, GError **error)
{
    gboolean express = has_express(root);
    GuestSlot slot = {find_free_bus(root->doc), express ? 0 : 1};
    if (slot.bus == 0 || slot.bus > MAX_BUS) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "the template uses PCI buses up to the last: no slot is left for a device of "
                    "several functions");
        return FALSE;
    }
    xmlNode *devices = get_element(root, "devices");
    xmlNode *port = xmlNewChild(devices, NULL, to_xml("controller"), NULL);
    xmlSetProp(port, to_xml("type"), to_xml("pci"));
    set_number(port, "index", slot.bus);
    xmlSetProp(port, to_xml("model"), to_xml(express ? "pcie-root-port" : "pci-bridge"));
    xmlNodeAddContent(devices, to_xml("\n"));
    *ret_slot = slot;
    return TRUE;
}

static gboolean
append_function(xmlNode *root, const LvpEdit *edit, const GuestSlot *slot, GError **error)
{
    xmlNode *device = append_fragment(get_element(root, "devices"), edit->value, error);
    if (!device)
        return FALSE;
    xmlNode *address = xmlNewChild(device, NULL, to_xml("address"), NULL);
    xmlSetProp(address, to_xml("type"), to_xml("pci"));
    set_number(address, "domain", 0);
    set_number(address, "bus", slot->bus);
    set_number(address, "slot", slot->slot);
    set_number(address, "function", edit->function);
    if (edit->function == 0)
        xmlSetProp(address, to_xml("multifunction"), to_xml("on"));
    return TRUE;
}

/* ---- parts ---- */

/* All elements at PATH; nothing is made on the way. */
static void
remove_elements(xmlNode *root, const char *path)
{
    const char *slash = strchr(path, '/');
    g_autofree char *name = slash ? g_strndup(path, (gsize)(slash - path)) : g_strdup(path);
    xmlNode *child;
    if (slash && (child = find_child(root, name)))
        remove_elements(child, slash + 1);
    while (!slash && (child = find_child(root, name))) {
        xmlUnlinkNode(child);
        xmlFreeNode(child);
    }
}

static gboolean
apply_part(xmlNode *root, const LvpDomainPart *part, GError **error)
{
    GuestSlot slot = {0};
    for (guint i = 0; i < part->edits->len; i++) {
        const LvpEdit *edit = &g_array_index(part->edits, LvpEdit, i);
        gboolean to_make = edit->path && edit->kind != LVP_EDIT_REMOVE;
        xmlNode *node = to_make ? get_element(root, edit->path) : root;
        switch (edit->kind) {
        case LVP_EDIT_TEXT:
            set_text(node, edit->value);
            break;
        case LVP_EDIT_ATTRIBUTE:
            if (edit->value)
                xmlSetProp(node, to_xml(edit->attribute), to_xml(edit->value));
            else
                xmlUnsetProp(node, to_xml(edit->attribute));
            break;
        case LVP_EDIT_REMOVE:
            if (edit->path)
                remove_elements(root, edit->path);
            break;
        case LVP_EDIT_APPEND:
            if (!append_fragment(node, edit->value, error))
                return FALSE;
            break;
        case LVP_EDIT_BEGIN_SLOT:
            if (!add_slot(root, &slot, error))
                return FALSE;
            break;
        case LVP_EDIT_APPEND_FUNCTION:
            if (!append_function(root, edit, &slot, error))
                return FALSE;
            break;
        }
    }
    return TRUE;
}

static void
set_identity(xmlNode *root, const LvpDomainIdentity *identity)
{
    set_text(get_element(root, "name"), identity->name);
    set_text(get_element(root, "uuid"), identity->uuid);
    if (!xmlHasNsProp(root, to_xml("type"), NULL))
        xmlSetProp(root, to_xml("type"), to_xml(identity->type));
    xmlNode *old;
    while ((old = find_metadata(root)) != NULL) {
        xmlUnlinkNode(old);
        xmlFreeNode(old);
    }
    xmlNode *ours = xmlNewChild(get_element(root, "metadata"), NULL, to_xml("machine"), NULL);
    xmlSetNs(ours, xmlNewNs(ours, to_xml(LVP_METADATA_URI), to_xml(METADATA_PREFIX)));
    xmlSetProp(ours, to_xml("claim"), to_xml(identity->uuid));
    xmlSetProp(ours, to_xml("class"), to_xml(identity->class_name));
    if (identity->state)
        xmlSetProp(ours, to_xml("state"), to_xml(identity->state));
}

char *
lvp_domain_xml_build(const char *template_text,
                     const LvpDomainIdentity *identity,
                     const GPtrArray *parts,
                     GError **error)
{
    g_autoptr(xmlDoc) document = parse_template(template_text, error);
    if (!document)
        return NULL;
    xmlNode *root = xmlDocGetRootElement(document);
    set_identity(root, identity);
    for (guint i = 0; i < parts->len; i++)
        if (!apply_part(root, g_ptr_array_index(parts, i), error))
            return NULL;
    xmlChar *text = NULL;
    int size = 0;
    xmlDocDumpMemoryEnc(document, &text, &size, "UTF-8");
    char *copy = g_strndup((const char *)text, (gsize)size);
    xmlFree(text);
    return copy;
}
