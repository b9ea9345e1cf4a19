/* SPDX-License-Identifier: Apache-2.0 */
/* The only user of libpci, and only of its names. */
#include "pci-generate.h"

#include "pci-discovery.h"

#include <pci/pci.h>
#include <string.h>

typedef struct {
    struct pci_access *names;
    GString *text;
    char *vendor_name;
    GHashTable *resources; /* names of those that stand there already, a set */
    guint n_live;          /* entries of the vendor that are not commented out */
} Writer;

/* libpci's own handler ends the process without a word to us; for names there is nothing it could
 * call it for but a lack of memory. */
static G_GNUC_NORETURN void
stop_on_error(char *format, ...)
{
    g_error("libpci cannot go on: %s", format);
}

static void
stay_silent(char *format, ...)
{
    (void)format;
}

static guint
get_number(const LvpUnit *unit, const char *key)
{
    return (guint)g_ascii_strtoull(lvp_unit_get_attribute(unit, key), NULL, 16);
}

static const char *
get_type(guint class_code)
{
    static const struct {
        guint code, shift;
        const char *type;
    } TYPES[] = {
        {0x0108, 8, "nvme"},   {0x0c03, 8, "usb"},        {0x0403, 8, "audio"},
        {0x01, 16, "storage"}, {0x02, 16, "nic"},         {0x03, 16, "gpu"},
        {0x04, 16, "media"},   {0x0b, 16, "accelerator"}, {0x12, 16, "accelerator"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(TYPES); i++)
        if (class_code >> TYPES[i].shift == TYPES[i].code)
            return TYPES[i].type;
    return "pci";
}

/* A name from pci.ids in the characters that the file allows: "NVIDIA Corporation" -> "nvidia". */
static char *
make_name(const char *known, gboolean first_word_only, const char *fallback)
{
    g_autoptr(GString) name = g_string_new(NULL);
    for (const char *c = known ? known : ""; *c && name->len < 40; c++) {
        if (g_ascii_isalnum(*c))
            g_string_append_c(name, g_ascii_tolower(*c));
        else if (first_word_only && name->len > 0)
            break;
        else if (name->len > 0 && name->str[name->len - 1] != '-')
            g_string_append_c(name, '-');
    }
    while (name->len > 0 && name->str[name->len - 1] == '-')
        g_string_truncate(name, name->len - 1);
    return name->len > 0 ? g_string_free(g_steal_pointer(&name), FALSE) : g_strdup(fallback);
}

/* Marketing names stand in brackets: "GA100GL [A30 PCIe]". */
static const char *
skip_to_bracket(const char *known)
{
    const char *bracket = known ? strchr(known, '[') : NULL;
    return bracket ? bracket + 1 : known;
}

/* TEXT up to its end as part of a comment. A line end, and YAML knows several, would end the
 * comment and make the rest part of the file; other control characters make it unreadable. */
static void
append_to_comment(const Writer *writer, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    for (char *c = valid; *c; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);
        gboolean plain = character == ' ' || (g_unichar_isgraph(character) && character != 0x2028 &&
                                              character != 0x2029);
        g_string_append_unichar(writer->text, plain ? character : '?');
    }
}

static void
write_vendor(Writer *writer, const LvpUnit *unit)
{
    char buffer[256];
    guint vendor = get_number(unit, "vendor");
    const char *known = pci_lookup_name(writer->names, buffer, sizeof buffer,
                                        PCI_LOOKUP_VENDOR | PCI_LOOKUP_NO_NUMBERS, vendor);
    g_autofree char *fallback = g_strdup_printf("v%04x", vendor);
    g_free(writer->vendor_name);
    writer->vendor_name = make_name(known, TRUE, fallback);
    g_string_append(writer->text, "  # ");
    append_to_comment(writer, known ? known : "not in pci.ids");
    g_string_append_printf(writer->text, "\n  - id: \"%s\"\n    name: \"%s\"\n",
                           lvp_unit_get_attribute(unit, "vendor"), writer->vendor_name);
}

/* Two models of one name would silently become one pool: the second gets its id into the name. */
static char *
make_device_name(const Writer *writer, const char *known, guint device, const char *type)
{
    g_autofree char *fallback = g_strdup_printf("d%04x", device);
    char *name = make_name(skip_to_bracket(known), FALSE, fallback);
    for (;;) {
        char *resource = g_strdup_printf("%s.%s/%s", type, writer->vendor_name, name);
        if (g_hash_table_add(writer->resources, resource))
            return name;
        char *longer = g_strdup_printf("%s-%04x", name, device);
        g_free(name);
        name = longer;
    }
}

static gboolean
is_equal(const LvpUnit *a, const LvpUnit *b, const char *const *keys)
{
    for (guint i = 0; keys[i]; i++)
        if (strcmp(lvp_unit_get_attribute(a, keys[i]), lvp_unit_get_attribute(b, keys[i])) != 0)
            return FALSE;
    return TRUE;
}

static const char *
get_type_of(const LvpUnit *unit)
{
    return get_type(get_number(unit, "class"));
}

static gboolean
is_used(const GPtrArray *units)
{
    for (guint i = 0; i < units->len; i++)
        if (!lvp_unit_has_condition(g_ptr_array_index(units, i), LVP_CONDITION_HOST))
            return FALSE;
    return TRUE;
}

/* One entry, called NAME, for UNITS; by device id, or by all else that an entry can name
 * (BY_CLASS). PROBLEM: why it is commented out although not all is in use, or NULL. */
static void
write_entry(Writer *writer,
            const GPtrArray *units,
            const char *name,
            gboolean by_class,
            const char *problem)
{
    static const char *const REFINEMENTS[] = {"subsystemVendor", "subsystemDevice", "revision"};
    const LvpUnit *unit = g_ptr_array_index(units, 0);
    gboolean live = !problem && !is_used(units);
    const char *mark = live ? "      " : "      # ";
    for (guint i = 0; i < units->len; i++) {
        const LvpUnit *each = g_ptr_array_index(units, i);
        const char *reason = lvp_unit_get_reason(each);
        g_string_append_printf(writer->text, "      # %s: ", lvp_unit_get_id(each));
        append_to_comment(writer, reason ? reason : "free");
        g_string_append_c(writer->text, '\n');
    }
    if (problem)
        g_string_append_printf(writer->text, "      # %s\n", problem);
    g_string_append_printf(writer->text, "%s- id: \"%s\"\n", mark,
                           lvp_unit_get_attribute(unit, by_class ? "class" : "device"));
    for (guint i = 0; by_class && i < G_N_ELEMENTS(REFINEMENTS); i++)
        g_string_append_printf(writer->text, "%s  %s: \"%s\"\n", mark, REFINEMENTS[i],
                               lvp_unit_get_attribute(unit, REFINEMENTS[i]));
    g_string_append_printf(writer->text, "%s  name: \"%s\"\n%s  type: %s\n", mark, name, mark,
                           get_type_of(unit));
    writer->n_live += live ? 1 : 0;
}

/* What an entry by class can name of a function, all but its device id. */
static const char *const BY_CLASS[] = {"vendor",          "class",    "subsystemVendor",
                                       "subsystemDevice", "revision", NULL};

/* Why UNIT cannot have an entry by class, or NULL; g_free(). */
static char *
find_rival(const GPtrArray *all, const LvpUnit *unit)
{
    static const char *const DEVICE[] = {"device", NULL};
    for (guint i = 0; i < all->len; i++) {
        const LvpUnit *other = g_ptr_array_index(all, i);
        if (is_equal(unit, other, BY_CLASS) && !is_equal(unit, other, DEVICE))
            return g_strdup_printf("an entry for it would match %s, too: write one by hand",
                                   lvp_unit_get_id(other));
    }
    return NULL;
}

/* The functions of one device id, UNITS from FIRST on, are of several types: an entry by device id
 * would make one resource of them. */
static void
write_by_class(Writer *writer, const GPtrArray *units, guint first, guint count, const char *known)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    for (guint i = first; i < first + count; i++) {
        const LvpUnit *unit = g_ptr_array_index(units, i);
        const char *type = get_type_of(unit);
        g_autoptr(GPtrArray) same = g_ptr_array_new();
        for (guint k = first; k < first + count; k++)
            if (is_equal(unit, g_ptr_array_index(units, k), BY_CLASS))
                g_ptr_array_add(same, g_ptr_array_index(units, k));
        if (g_ptr_array_index(same, 0) != unit)
            continue; /* stands there already */
        if (!g_hash_table_contains(names, type))
            g_hash_table_insert(names, (gpointer)(gsize)type,
                                make_device_name(writer, known, get_number(unit, "device"), type));
        g_autofree char *problem = find_rival(units, unit);
        write_entry(writer, same, g_hash_table_lookup(names, type), TRUE, problem);
    }
}

/* All functions of a device id: UNITS from FIRST on. */
static void
write_device(Writer *writer, const GPtrArray *units, guint first, guint count)
{
    const LvpUnit *unit = g_ptr_array_index(units, first);
    char buffer[256];
    guint vendor = get_number(unit, "vendor"), device = get_number(unit, "device");
    const char *known = pci_lookup_name(writer->names, buffer, sizeof buffer,
                                        PCI_LOOKUP_DEVICE | PCI_LOOKUP_NO_NUMBERS, vendor, device);
    const char *type = get_type_of(unit);
    gboolean one_type = TRUE;
    g_autoptr(GPtrArray) same = g_ptr_array_new();
    for (guint i = first; i < first + count; i++) {
        one_type = one_type && strcmp(get_type_of(g_ptr_array_index(units, i)), type) == 0;
        g_ptr_array_add(same, g_ptr_array_index(units, i));
    }
    g_string_append(writer->text, "      # ");
    append_to_comment(writer, known ? known : "not in pci.ids");
    g_string_append_c(writer->text, '\n');
    if (!one_type) {
        write_by_class(writer, units, first, count, known);
        return;
    }
    g_autofree char *name = make_device_name(writer, known, device, type);
    write_entry(writer, same, name, FALSE, NULL);
}

static int
compare_units(gconstpointer a, gconstpointer b)
{
    const LvpUnit *left = *(const LvpUnit *const *)a, *right = *(const LvpUnit *const *)b;
    int vendors =
        strcmp(lvp_unit_get_attribute(left, "vendor"), lvp_unit_get_attribute(right, "vendor"));
    int devices =
        strcmp(lvp_unit_get_attribute(left, "device"), lvp_unit_get_attribute(right, "device"));
    return vendors   ? vendors
           : devices ? devices
                     : strcmp(lvp_unit_get_id(left), lvp_unit_get_id(right));
}

/* Units from FIRST on that share the attributes up to KEY. */
static guint
count_same(const GPtrArray *units, guint first, const char *key)
{
    guint count = 1;
    const LvpUnit *unit = g_ptr_array_index(units, first);
    while (first + count < units->len) {
        const LvpUnit *next = g_ptr_array_index(units, first + count);
        if (strcmp(lvp_unit_get_attribute(unit, "vendor"),
                   lvp_unit_get_attribute(next, "vendor")) != 0 ||
            strcmp(lvp_unit_get_attribute(unit, key), lvp_unit_get_attribute(next, key)) != 0)
            break;
        count++;
    }
    return count;
}

/* "devices:" of a vendor of whom all is commented out needs a value: an empty list. */
static void
write_vendor_devices(Writer *writer, const GPtrArray *units, guint first, guint count)
{
    gssize begin = (gssize)(writer->text->len + strlen("    devices:"));
    g_string_append(writer->text, "    devices:\n");
    writer->n_live = 0;
    for (guint i = first; i < first + count;) {
        guint same = count_same(units, i, "device");
        write_device(writer, units, i, same);
        i += same;
    }
    if (writer->n_live == 0)
        g_string_insert(writer->text, begin, " []");
}

static const char HEADER[] =
    "# The PCI devices of this host that libvirt-provider may give to machines.\n"
    "# Written by `lpctl pci-devices generate`: look through it and remove what must stay with\n"
    "# the host. What the host uses now is commented out; the provider never offers it anyway.\n"
    "# An entry is offered to machine classes as type.vendor/name, such as gpu.nvidia/a30.\n"
    "# Check the file with: lpctl pci-devices check FILE\n";

char *
lvp_pci_generate(LvpHost *host, guint timeout_ms, GError **error)
{
    g_autoptr(LvpSnapshot) snapshot = lvp_snapshot_new();
    LvpPciDiscovery discovery = {.host = host, .all = TRUE, .timeout_ms = timeout_ms};
    if (!lvp_pci_discover(&discovery, snapshot, error))
        return NULL;
    g_autoptr(GPtrArray) units = g_ptr_array_new();
    for (guint i = 0; i < lvp_snapshot_get_n_units(snapshot); i++)
        g_ptr_array_add(units, (gpointer)(gsize)lvp_snapshot_get_unit(snapshot, i));
    g_ptr_array_sort(units, compare_units);
    g_autoptr(GHashTable) resources = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Writer writer = {pci_alloc(), g_string_new(HEADER), NULL, resources, 0};
    writer.names->error = stop_on_error;
    writer.names->warning = stay_silent;
    writer.names->debug = stay_silent;
    g_string_append(writer.text, units->len > 0 ? "vendors:\n" : "vendors: []\n");
    for (guint i = 0; i < units->len;) {
        guint same = count_same(units, i, "vendor");
        write_vendor(&writer, g_ptr_array_index(units, i));
        write_vendor_devices(&writer, units, i, same);
        i += same;
    }
    pci_cleanup(writer.names);
    g_free(writer.vendor_name);
    return g_string_free(writer.text, FALSE);
}
