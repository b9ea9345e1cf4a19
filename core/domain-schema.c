/* SPDX-License-Identifier: Apache-2.0 */
/* What libxml2 says of a RELAX NG schema like libvirt's, in which all is optional and in any order,
 * is of no help: "invalid sequence in interleave". What is wrong is found by trying: the element or
 * attribute without which the document is valid. */
#include "domain-schema.h"

#include <libvirt-provider/error.h>
#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <libxml/tree.h>
#include <string.h>

/* Each try validates the whole domain, which takes less than a millisecond. */
#define MAX_TRIES 1000
/* Names in a template may have any length. */
#define MAX_PATH 200

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNG, xmlRelaxNGFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNGParserCtxt, xmlRelaxNGFreeParserCtxt)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNGValidCtxt, xmlRelaxNGFreeValidCtxt)

static void
ignore_error(void *context, xmlErrorPtr error)
{
    (void)context;
    (void)error;
}

static xmlRelaxNG *
read_schema(const char *file)
{
    /* libxml2 complains of a missing file on standard error. */
    if (!g_file_test(file, G_FILE_TEST_IS_REGULAR))
        return NULL;
    g_autoptr(xmlRelaxNGParserCtxt) parser = xmlRelaxNGNewParserCtxt(file);
    if (!parser)
        return NULL;
    xmlRelaxNGSetParserStructuredErrors(parser, ignore_error, NULL);
    return xmlRelaxNGParse(parser);
}

static gboolean
is_valid(xmlRelaxNG *schema, xmlDoc *document)
{
    g_autoptr(xmlRelaxNGValidCtxt) validation = xmlRelaxNGNewValidCtxt(schema);
    xmlRelaxNGSetValidStructuredErrors(validation, ignore_error, NULL);
    return xmlRelaxNGValidateDoc(validation, document) == 0;
}

/* ---- what is wrong ---- */

/* NODE, its attributes, and all below it, in the order of the document. */
static void
collect_nodes(xmlNode *node, GPtrArray *nodes)
{
    g_ptr_array_add(nodes, node);
    for (xmlAttr *attribute = node->properties; attribute; attribute = attribute->next)
        g_ptr_array_add(nodes, attribute);
    for (xmlNode *child = node->children; child; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            collect_nodes(child, nodes);
}

static gboolean
is_valid_without(xmlRelaxNG *schema, xmlNode *node)
{
    xmlDoc *document = node->doc;
    xmlNode *parent = node->parent;
    xmlNode *next = node->type == XML_ELEMENT_NODE ? node->next : NULL;
    xmlUnlinkNode(node);
    gboolean valid = is_valid(schema, document);
    if (next)
        xmlAddPrevSibling(next, node);
    else
        xmlAddChild(parent, node);
    return valid;
}

static gboolean
is_below(const xmlNode *node, const xmlNode *ancestor)
{
    while (node && node != ancestor)
        node = node->parent;
    return node != NULL;
}

/* The path of the smallest part of the document without which it is valid, as an XPath; NULL if
 * there is none; g_free(). */
static char *
find_fault(xmlRelaxNG *schema, xmlDoc *document)
{
    g_autoptr(GPtrArray) nodes = g_ptr_array_new();
    xmlNode *found = NULL;
    collect_nodes(xmlDocGetRootElement(document), nodes);
    for (guint i = 1; i < MIN(nodes->len, MAX_TRIES); i++) {
        xmlNode *node = g_ptr_array_index(nodes, i);
        if (found && !is_below(node, found))
            break;
        if (is_valid_without(schema, node))
            found = node;
    }
    xmlChar *path = found ? xmlGetNodePath(found) : NULL;
    const char *text = (const char *)path;
    char *copy = text ? g_utf8_substring(text, 0, MIN(g_utf8_strlen(text, -1), MAX_PATH)) : NULL;
    xmlFree(path);
    return copy;
}

/* ---- the check ---- */

gboolean
lvp_domain_schema_check(const char *file, const char *xml, gboolean *ret_checked, GError **error)
{
    /* libxml2 makes its table of types at the first use, without a lock. */
    static GMutex mutex;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&mutex);
    g_autoptr(xmlRelaxNG) schema = read_schema(file);
    *ret_checked = schema != NULL;
    if (!schema)
        return TRUE;
    int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
    g_autoptr(xmlDoc) document = xmlReadMemory(xml, (int)strlen(xml), "domain", NULL, options);
    if (document && is_valid(schema, document))
        return TRUE;
    g_autofree char *path = document ? find_fault(schema, document) : NULL;
    g_autofree char *what =
        path ? g_strdup_printf("%s does not belong there, or has no such value", path)
             : g_strdup("it has several mistakes, or something is missing");
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "the domain is not valid by libvirt's schema: %s; look at the template "
                "(--dry-run -o xml shows the domain, virt-xml-validate checks one)",
                what);
    return FALSE;
}

const char *
lvp_domain_schema_get_file(void)
{
    return LVP_LIBVIRT_SCHEMA;
}
