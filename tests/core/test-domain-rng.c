/* SPDX-License-Identifier: Apache-2.0 */
/* Every domain that the three sources of the project can make of the shipped template, against
 * libvirt's own schema. */
#include "assert-error.h"
#include "default-template.h"
#include "domain-xml.h"
#include "made-record.h"
#include "request.h"

#include <gmodule.h>
#include <libvirt-provider/source.h>
#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <string.h>

#define SCHEMA "/usr/share/libvirt/schemas/domain.rng"
#define UUID "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
#define GIB (G_GINT64_CONSTANT(1) << 30)

/* ---- the schema ---- */

static xmlRelaxNGPtr schema;
static GString *complaints;

static void
note_complaint(void *data, xmlErrorPtr error)
{
    (void)data;
    g_string_append(complaints, error->message);
}

static void
read_schema(void)
{
    xmlRelaxNGParserCtxtPtr parser = xmlRelaxNGNewParserCtxt(SCHEMA);
    schema = xmlRelaxNGParse(parser);
    xmlRelaxNGFreeParserCtxt(parser);
    complaints = g_string_new(NULL);
}

static void
free_schema(void)
{
    xmlRelaxNGFree(schema);
    g_string_free(complaints, TRUE);
    xmlCleanupParser();
}

static gboolean
is_valid(const char *xml)
{
    xmlDoc *document = xmlReadMemory(xml, (int)strlen(xml), "domain", NULL, XML_PARSE_NONET);
    cr_assert_not_null(document);
    xmlRelaxNGValidCtxtPtr validation = xmlRelaxNGNewValidCtxt(schema);
    xmlRelaxNGSetValidStructuredErrors(validation, note_complaint, NULL);
    g_string_truncate(complaints, 0);
    int result = xmlRelaxNGValidateDoc(validation, document);
    xmlRelaxNGFreeValidCtxt(validation);
    xmlFreeDoc(document);
    return result == 0;
}

/* ---- the sources ---- */

/* Of the module NAME.so of this build. */
static const LvpSourceTable *
get_table(const char *name)
{
    g_autofree char *path = g_strdup_printf(MODULES_DIR "/%s.so", name);
    gpointer table = NULL;
    GModule *module = g_module_open(path, G_MODULE_BIND_LOCAL);
    cr_assert_not_null(module, "%s", g_module_error());
    cr_assert(g_module_symbol(module, LVP_SOURCE_SYMBOL, &table));
    return table;
}

static void
add_part(GPtrArray *parts, const char *source, const LvpHolding *holding, GVariant *record)
{
    g_autoptr(GError) error = NULL;
    LvpDomainPart *part = lvp_domain_part_new();
    g_ptr_array_add(parts, part);
    get_table(source)->contribute_xml(NULL, holding, record, part, &error);
    assert_no_error(error);
}

typedef struct {
    gint64 millicores, bytes;
    const char *units[8]; /* NULL-ended */
} Needs;

static GPtrArray *
make_parts(const Needs *needs)
{
    GPtrArray *parts = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_domain_part_free);
    g_autoptr(LvpHolding) cpu = lvp_holding_new(UUID, "cpu");
    g_autoptr(LvpHolding) memory = lvp_holding_new(UUID, "memory");
    g_autoptr(LvpHolding) pci = lvp_holding_new(UUID, "pci");
    lvp_holding_add_amount(cpu, "cpu", 0, needs->millicores);
    lvp_holding_add_amount(memory, "memory", 0, needs->bytes);
    g_autoptr(GVariant) record = lvp_make_pci_record(needs->units);
    add_part(parts, "cpu", cpu, NULL);
    add_part(parts, "memory", memory, NULL);
    add_part(parts, "pci", pci, record);
    return parts;
}

static void
assert_valid(const char *template, const char *type, const Needs *needs)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) parts = make_parts(needs);
    const LvpDomainIdentity identity = {"vm1", UUID, "gpu-small", type};
    g_autofree char *xml = lvp_domain_xml_build(template, &identity, parts, &error);
    assert_no_error(error);
    cr_assert(is_valid(xml), "%s\n%s", complaints->str, xml);
}

static void
assert_valid_for_both_types(const Needs *needs)
{
    assert_valid(DEFAULT_TEMPLATE, "kvm", needs);
    assert_valid(DEFAULT_TEMPLATE, "qemu", needs);
}

TestSuite(domain_rng, .init = read_schema, .fini = free_schema);

/* ---- */

Test(domain_rng, schema_refuses_what_is_wrong)
{
    cr_assert_not(is_valid("<domain type='kvm'><name>a</name><wrong/></domain>"));
}

Test(domain_rng, whole_cpus_and_memory_are_valid)
{
    assert_valid_for_both_types(&(Needs){2000, 4 * GIB, {NULL}});
}

Test(domain_rng, fractional_cpus_are_valid)
{
    assert_valid_for_both_types(&(Needs){1, GIB, {NULL}});
    assert_valid_for_both_types(&(Needs){500, GIB, {NULL}});
    assert_valid_for_both_types(&(Needs){2500, GIB, {NULL}});
}

Test(domain_rng, memory_that_is_no_multiple_of_a_kibibyte_is_valid)
{
    assert_valid_for_both_types(&(Needs){1000, 1, {NULL}});
    assert_valid_for_both_types(&(Needs){1000, 16106127361, {NULL}});
}

Test(domain_rng, one_device_is_valid)
{
    assert_valid_for_both_types(&(Needs){2000, GIB, {"0000:3b:00.0", NULL}});
}

Test(domain_rng, devices_at_the_ends_of_the_range_are_valid)
{
    assert_valid_for_both_types(
        &(Needs){2000, GIB, {"0000:00:00.0", "ffff:ff:1f.7", "0000:07:10.2", NULL}});
}

Test(domain_rng, devices_in_pci_domains_of_more_than_four_digits_are_valid)
{
    assert_valid_for_both_types(
        &(Needs){2000, GIB, {"10000:e1:00.0", "1234567:00:00.0", "ffffffff:00:00.0", NULL}});
}

Test(domain_rng, all_at_once_is_valid)
{
    assert_valid_for_both_types(
        &(Needs){1500, 3 * GIB, {"0000:3b:00.0", "0000:3c:00.0", "10000:e1:00.0", NULL}});
}

Test(domain_rng, template_with_parts_of_its_own_stays_valid)
{
    static const char TEMPLATE[] =
        "<domain type='kvm'><title>t</title><metadata><a:b xmlns:a='urn:a'/></metadata>"
        "<memory unit='GiB'>1</memory><currentMemory unit='MiB'>512</currentMemory>"
        "<vcpu placement='static' current='1'>8</vcpu>"
        "<cputune><vcpupin vcpu='0' cpuset='1'/><shares>5</shares></cputune>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os>"
        "<devices><hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/>"
        "<product id='0x2'/></source></hostdev></devices></domain>";
    assert_valid(TEMPLATE, "kvm", &(Needs){1500, GIB, {"0000:3b:00.0", NULL}});
}

/* ---- functions of one slot ---- */

static const Needs SLOT_NEEDS = {1000,
                                 GIB,
                                 {"0000:3b:00.0", "0000:3b:00.1", "0000:3b:00.7", "0000:af:00.1",
                                  "0000:5e:02.0", "0000:5e:02.3", NULL}};

static void
assert_slots_valid(const char *os, const char *devices)
{
    g_autofree char *template = g_strdup_printf(
        "<domain type='kvm'><os>%s</os><devices>%s</devices></domain>", os, devices);
    assert_valid(template, "kvm", &SLOT_NEEDS);
    assert_valid(template, "qemu", &SLOT_NEEDS);
}

#define Q35 "<type arch='x86_64' machine='q35'>hvm</type>"
#define I440FX "<type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>"
#define VIRT "<type arch='aarch64' machine='virt'>hvm</type>"

Test(domain_rng, slots_in_the_shipped_template_are_valid)
{
    assert_valid_for_both_types(&SLOT_NEEDS);
}

Test(domain_rng, slots_are_valid_on_each_machine)
{
    assert_slots_valid(Q35, "");
    assert_slots_valid(I440FX, "");
    assert_slots_valid(VIRT, "");
    assert_slots_valid("<type>hvm</type>", "");
}

Test(domain_rng, slots_behind_buses_of_the_template_are_valid)
{
    assert_slots_valid(Q35,
                       "<controller type='pci' index='0' model='pcie-root'/>"
                       "<controller type='pci' index='1' model='pcie-root-port'>"
                       "<target chassis='1' port='0x8'/><address type='pci' domain='0x0000' "
                       "bus='0x00' slot='0x01' function='0x0' multifunction='on'/></controller>"
                       "<controller type='pci' index='17' model='pcie-root-port'/>"
                       "<interface type='user'><model type='virtio'/><address type='pci' "
                       "domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></interface>");
    assert_slots_valid(I440FX, "<controller type='pci' index='0' model='pci-root'/>"
                               "<controller type='pci' index='1' model='pci-bridge'/>"
                               "<interface type='user'><address type='pci' bus='1' slot='3'/>"
                               "</interface>");
    assert_slots_valid(VIRT, "<controller type='pci' index='250' model='pcie-root-port'/>");
}

Test(domain_rng, address_of_a_slot_is_checked_by_the_schema)
{
    cr_assert_not(is_valid("<domain type='kvm'><name>a</name><memory>1</memory><os><type>hvm</type>"
                           "</os><devices><interface type='user'><address type='pci' bus='256' "
                           "slot='0' function='8'/></interface></devices></domain>"));
}
