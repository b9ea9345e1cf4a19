/* SPDX-License-Identifier: Apache-2.0 */
#include "pci-devices-file.h"

#include <string.h>

#define MAX_VENDOR 0xffff
#define BRIDGE_BASE_CLASS 0x06 /* PCI Code and ID Assignment Specification, 1.7 */

/* An entry matches more specifically with each of these; they add up. */
enum { WEIGHT_CLASS = 1, WEIGHT_DEVICE = 2, WEIGHT_SUBSYSTEM = 4, WEIGHT_REVISION = 8 };

typedef struct {
    guint vendor;
    guint id; /* class or device */
    guint subsystem_vendor, subsystem_device, revision;
    guint weight;      /* says also which of the above count */
    LvpPciOffer offer; /* its resource is borrowed from the list; NULL after a mistake in a name */
    guint line, column;
} Entry;

struct LvpPciDevicesFile {
    GPtrArray *resources; /* char *, owned */
    GArray *entries;      /* Entry, by vendor, then the most specific first */
    GHashTable *vendors;  /* vendor -> index of its first entry + 1 */
};

typedef struct {
    LvpPciDevicesFile *file;
    LvpDiagnostics *diagnostics;
    GHashTable *vendor_ids; /* vendor -> LvpYamlNode, its id */
    guint n_unknown;        /* vendors without a valid id */
} Reader;

gboolean
lvp_pci_is_bridge(guint class_code)
{
    return class_code >> 16 == BRIDGE_BASE_CLASS;
}

/* ---- reading ---- */

/* "0x" and exactly WIDTH hex digits. Reports what is wrong. */
static gboolean
parse_hex(
    const Reader *reader, const LvpYamlNode *node, const char *key, gsize width, guint *ret_value)
{
    if (!lvp_yaml_node_expect(node, LVP_YAML_SCALAR, key, reader->diagnostics))
        return FALSE;
    const char *text = lvp_yaml_node_get_text(node);
    guint64 value = 0;
    if ((g_str_has_prefix(text, "0x") || g_str_has_prefix(text, "0X")) &&
        strlen(text) == width + 2 && g_ascii_isxdigit(text[2]) &&
        g_ascii_string_to_unsigned(text + 2, 16, 0, G_MAXUINT32, &value, NULL)) {
        *ret_value = (guint)value;
        return TRUE;
    }
    lvp_yaml_node_report(node, reader->diagnostics, "%s must be 0x and %zu hex digits, but is '%s'",
                         key, width, text);
    return FALSE;
}

/* An optional key; TRUE if it is there and well. */
static gboolean
parse_optional(const Reader *reader,
               const LvpYamlNode *mapping,
               const char *key,
               gsize width,
               guint *ret_value)
{
    const LvpYamlNode *node = lvp_yaml_node_find(mapping, key);
    return node && parse_hex(reader, node, key, width, ret_value);
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* What a name is made of. */
typedef struct {
    const char *allowed, *shown;
    gboolean may_be_integer; /* without quotes; it is taken as it is written */
} NameRule;

static const NameRule WORD = {LOWER DIGITS "_-", "a-z 0-9 _ -", FALSE};
/* Devices are often called by a number only. */
static const NameRule DEVICE_NAME = {LOWER UPPER DIGITS "._-", "A-Z a-z 0-9 . _ -", TRUE};

/* NULL after a report. */
static const char *
parse_name(const Reader *reader, const LvpYamlNode *mapping, const char *key, const NameRule *rule)
{
    const LvpYamlNode *node = lvp_yaml_node_find(mapping, key);
    if (!node) {
        lvp_yaml_node_report(mapping, reader->diagnostics, "%s is missing", key);
        return NULL;
    }
    gboolean is_integer = rule->may_be_integer && lvp_yaml_node_get_kind(node) == LVP_YAML_SCALAR &&
                          lvp_yaml_node_get_type(node) == LVP_YAML_INTEGER;
    if (!is_integer && !lvp_yaml_node_expect_text(node, key, reader->diagnostics))
        return NULL;
    const char *text = lvp_yaml_node_get_text(node);
    if (text[0] != '\0' && strlen(text) <= 63 && strspn(text, rule->allowed) == strlen(text))
        return text;
    lvp_yaml_node_report(node, reader->diagnostics, "%s must be 1 to 63 of %s, but is '%s'", key,
                         rule->shown, text);
    return NULL;
}

static const char *
intern_resource(LvpPciDevicesFile *file, char *name)
{
    guint index;
    if (g_ptr_array_find_with_equal_func(file->resources, name, g_str_equal, &index))
        g_free(name);
    else {
        index = file->resources->len;
        g_ptr_array_add(file->resources, name);
    }
    return g_ptr_array_index(file->resources, index);
}

static gboolean
parse_id(const Reader *reader, const LvpYamlNode *mapping, Entry *entry)
{
    const LvpYamlNode *node = lvp_yaml_node_find(mapping, "id");
    if (!node) {
        lvp_yaml_node_report(mapping, reader->diagnostics, "id is missing");
        return FALSE;
    }
    if (!lvp_yaml_node_expect(node, LVP_YAML_SCALAR, "id", reader->diagnostics))
        return FALSE;
    gsize length = strlen(lvp_yaml_node_get_text(node));
    if (length != strlen("0x030200") && length != strlen("0x20b7")) {
        lvp_yaml_node_report(
            node, reader->diagnostics,
            "id must be 0x and six hex digits (a class) or four (a device), but is "
            "'%s'",
            lvp_yaml_node_get_text(node));
        return FALSE;
    }
    gboolean is_class = length == strlen("0x030200");
    if (!parse_hex(reader, node, "id", is_class ? 6 : 4, &entry->id))
        return FALSE;
    entry->weight |= is_class ? WEIGHT_CLASS : WEIGHT_DEVICE;
    if (!is_class || !lvp_pci_is_bridge(entry->id))
        return TRUE;
    lvp_yaml_node_report(node, reader->diagnostics,
                         "class %s is a bridge's: bridges are never given away",
                         lvp_yaml_node_get_text(node));
    return FALSE;
}

/* FALSE where one of them is wrong: then nobody knows what the entry was to match. */
static gboolean
parse_refinements(const Reader *reader, const LvpYamlNode *mapping, Entry *entry)
{
    gboolean has_vendor = lvp_yaml_node_find(mapping, "subsystemVendor") != NULL;
    gboolean has_device = lvp_yaml_node_find(mapping, "subsystemDevice") != NULL;
    gboolean has_revision = lvp_yaml_node_find(mapping, "revision") != NULL;
    gboolean vendor_ok =
        parse_optional(reader, mapping, "subsystemVendor", 4, &entry->subsystem_vendor);
    gboolean device_ok =
        parse_optional(reader, mapping, "subsystemDevice", 4, &entry->subsystem_device);
    if (has_vendor != has_device)
        lvp_yaml_node_report(mapping, reader->diagnostics,
                             "subsystemVendor and subsystemDevice must stand together");
    if (vendor_ok && device_ok)
        entry->weight |= WEIGHT_SUBSYSTEM;
    gboolean revision_ok = parse_optional(reader, mapping, "revision", 2, &entry->revision);
    if (revision_ok)
        entry->weight |= WEIGHT_REVISION;
    return has_vendor == has_device && vendor_ok == has_vendor && device_ok == has_device &&
           revision_ok == has_revision;
}

/* An optional key that takes one of two words; FALSE (the first) where it is missing or wrong. */
static gboolean
parse_choice(const Reader *reader,
             const LvpYamlNode *mapping,
             const char *key,
             const char *first,
             const char *second)
{
    const LvpYamlNode *node = lvp_yaml_node_find(mapping, key);
    if (!node || !lvp_yaml_node_expect(node, LVP_YAML_SCALAR, key, reader->diagnostics))
        return FALSE;
    const char *text = lvp_yaml_node_get_text(node);
    if (strcmp(text, first) != 0 && strcmp(text, second) != 0)
        lvp_yaml_node_report(node, reader->diagnostics, "%s must be %s or %s, but is '%s'", key,
                             first, second, text);
    return strcmp(text, second) == 0;
}

static gboolean
is_same_match(const Entry *a, const Entry *b)
{
    return a->vendor == b->vendor && a->weight == b->weight && a->id == b->id &&
           a->subsystem_vendor == b->subsystem_vendor &&
           a->subsystem_device == b->subsystem_device && a->revision == b->revision;
}

/* Entries of one weight give the same fields; so two of them match one device only if they are
 * equal. */
static void
report_rival(const Reader *reader, const LvpYamlNode *mapping, const Entry *entry)
{
    const GArray *entries = reader->file->entries;
    for (guint i = 0; i < entries->len; i++) {
        const Entry *other = &g_array_index(entries, Entry, i);
        if (!is_same_match(entry, other))
            continue;
        lvp_yaml_node_report(
            mapping, reader->diagnostics,
            "matches the same devices as the entry in line %u, column %u, just as specifically: "
            "remove one, or add subsystem or revision",
            other->line, other->column);
        return;
    }
}

/* An entry whose names are wrong is kept, too: what else is wrong with it is to be said in the same
 * run. */
static void
read_device(const Reader *reader, const LvpYamlNode *node, guint vendor, const char *vendor_name)
{
    static const char *const KEYS[] = {
        "id",        "name",  "type", "subsystemVendor", "subsystemDevice", "revision",
        "functions", "group", NULL};
    if (!lvp_yaml_node_expect(node, LVP_YAML_MAPPING, "a device", reader->diagnostics))
        return;
    lvp_yaml_node_check_keys(node, KEYS, reader->diagnostics);
    Entry entry = {.vendor = vendor,
                   .line = lvp_yaml_node_get_line(node),
                   .column = lvp_yaml_node_get_column(node)};
    gboolean id_ok = parse_id(reader, node, &entry);
    const char *name = parse_name(reader, node, "name", &DEVICE_NAME);
    const char *type = parse_name(reader, node, "type", &WORD);
    gboolean refinements_ok = parse_refinements(reader, node, &entry);
    entry.offer.single_function = parse_choice(reader, node, "functions", "together", "single");
    entry.offer.wide_group = parse_choice(reader, node, "group", "refuse", "allow");
    if (!id_ok || !refinements_ok)
        return;
    report_rival(reader, node, &entry);
    if (name && type && vendor_name)
        entry.offer.resource =
            intern_resource(reader->file, g_strdup_printf("%s.%s/%s", type, vendor_name, name));
    g_array_append_val(reader->file->entries, entry);
}

static void
read_vendor(Reader *reader, const LvpYamlNode *node)
{
    static const char *const KEYS[] = {"id", "name", "devices", NULL};
    if (!lvp_yaml_node_expect(node, LVP_YAML_MAPPING, "a vendor", reader->diagnostics))
        return;
    lvp_yaml_node_check_keys(node, KEYS, reader->diagnostics);
    guint vendor = 0;
    const LvpYamlNode *id = lvp_yaml_node_find(node, "id");
    if (!id)
        lvp_yaml_node_report(node, reader->diagnostics, "id is missing");
    gboolean id_ok = id && parse_hex(reader, id, "id", 4, &vendor);
    if (id_ok) {
        const LvpYamlNode *first =
            g_hash_table_lookup(reader->vendor_ids, GUINT_TO_POINTER(vendor));
        if (first)
            lvp_yaml_node_report(
                id, reader->diagnostics,
                "vendor 0x%04x stands already in line %u, column %u: put its devices there", vendor,
                lvp_yaml_node_get_line(first), lvp_yaml_node_get_column(first));
        else
            g_hash_table_insert(reader->vendor_ids, GUINT_TO_POINTER(vendor), (gpointer)(gsize)id);
    }
    const char *name = parse_name(reader, node, "name", &WORD);
    if (!id_ok) /* its entries are still compared with each other */
        vendor = MAX_VENDOR + ++reader->n_unknown;
    const LvpYamlNode *devices = lvp_yaml_node_find(node, "devices");
    if (!devices) {
        lvp_yaml_node_report(node, reader->diagnostics, "devices is missing");
        return;
    }
    if (!lvp_yaml_node_expect(devices, LVP_YAML_SEQUENCE, "devices", reader->diagnostics))
        return;
    for (guint i = 0; i < lvp_yaml_node_get_length(devices); i++)
        read_device(reader, lvp_yaml_node_get_item(devices, i), vendor, name);
}

static void
read_root(Reader *reader, const LvpYamlNode *root)
{
    static const char *const KEYS[] = {"vendors", NULL};
    if (!lvp_yaml_node_expect(root, LVP_YAML_MAPPING, "the file", reader->diagnostics))
        return;
    lvp_yaml_node_check_keys(root, KEYS, reader->diagnostics);
    const LvpYamlNode *vendors = lvp_yaml_node_find(root, "vendors");
    if (!vendors) {
        lvp_yaml_node_report(root, reader->diagnostics, "vendors is missing");
        return;
    }
    if (!lvp_yaml_node_expect(vendors, LVP_YAML_SEQUENCE, "vendors", reader->diagnostics))
        return;
    for (guint i = 0; i < lvp_yaml_node_get_length(vendors); i++)
        read_vendor(reader, lvp_yaml_node_get_item(vendors, i));
}

static int
compare_entries(gconstpointer a, gconstpointer b)
{
    const Entry *left = a, *right = b;
    if (left->vendor != right->vendor)
        return left->vendor < right->vendor ? -1 : 1;
    return (int)right->weight - (int)left->weight;
}

static void
index_vendors(LvpPciDevicesFile *self)
{
    g_array_sort(self->entries, compare_entries);
    for (guint i = self->entries->len; i > 0; i--) {
        const Entry *entry = &g_array_index(self->entries, Entry, i - 1);
        g_hash_table_insert(self->vendors, GUINT_TO_POINTER(entry->vendor), GUINT_TO_POINTER(i));
    }
}

LvpPciDevicesFile *
lvp_pci_devices_file_read(const char *file, LvpDiagnostics *diagnostics)
{
    guint before = lvp_diagnostics_get_count(diagnostics);
    g_autoptr(LvpYaml) yaml = lvp_yaml_read_file(file, diagnostics);
    if (!yaml)
        return NULL;
    g_autoptr(LvpPciDevicesFile) self = g_new0(LvpPciDevicesFile, 1);
    self->resources = g_ptr_array_new_with_free_func(g_free);
    self->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    self->vendors = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) vendor_ids = g_hash_table_new(NULL, NULL);
    Reader reader = {self, diagnostics, vendor_ids, 0};
    read_root(&reader, lvp_yaml_get_root(yaml));
    index_vendors(self);
    return lvp_diagnostics_get_count(diagnostics) == before ? g_steal_pointer(&self) : NULL;
}

void
lvp_pci_devices_file_free(LvpPciDevicesFile *self)
{
    if (!self)
        return;
    g_ptr_array_unref(self->resources);
    g_array_unref(self->entries);
    g_hash_table_unref(self->vendors);
    g_free(self);
}

/* ---- matching ---- */

/* The vendor's entries are neighbours: the first, or NULL. */
static const Entry *
find_first(const LvpPciDevicesFile *self, guint vendor)
{
    guint index = GPOINTER_TO_UINT(g_hash_table_lookup(self->vendors, GUINT_TO_POINTER(vendor)));
    return index > 0 ? &g_array_index(self->entries, Entry, index - 1) : NULL;
}

static const Entry *
get_end(const LvpPciDevicesFile *self)
{
    return &g_array_index(self->entries, Entry, self->entries->len);
}

gboolean
lvp_pci_devices_file_has_vendor(const LvpPciDevicesFile *self, guint vendor)
{
    return find_first(self, vendor) != NULL;
}

static gboolean
matches_id(const Entry *entry, guint device, guint class_code)
{
    return entry->id == (entry->weight & WEIGHT_CLASS ? class_code : device);
}

gboolean
lvp_pci_devices_file_has_device(const LvpPciDevicesFile *self,
                                guint vendor,
                                guint device,
                                guint class_code)
{
    const Entry *entry = find_first(self, vendor);
    for (; entry && entry < get_end(self) && entry->vendor == vendor; entry++)
        if (matches_id(entry, device, class_code))
            return TRUE;
    return FALSE;
}

static gboolean
matches(const Entry *entry, const LvpPciIds *ids)
{
    if (!matches_id(entry, ids->device, ids->class_code))
        return FALSE;
    if ((entry->weight & WEIGHT_SUBSYSTEM) && (entry->subsystem_vendor != ids->subsystem_vendor ||
                                               entry->subsystem_device != ids->subsystem_device))
        return FALSE;
    return !(entry->weight & WEIGHT_REVISION) || entry->revision == ids->revision;
}

const LvpPciOffer *
lvp_pci_devices_file_match(const LvpPciDevicesFile *self, const LvpPciIds *ids)
{
    if (lvp_pci_is_bridge(ids->class_code))
        return NULL;
    const Entry *entry = find_first(self, ids->vendor);
    for (; entry && entry < get_end(self) && entry->vendor == ids->vendor; entry++)
        if (matches(entry, ids))
            return &entry->offer;
    return NULL;
}

const GPtrArray *
lvp_pci_devices_file_get_resources(const LvpPciDevicesFile *self)
{
    return self->resources;
}
