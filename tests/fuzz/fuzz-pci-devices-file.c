/* SPDX-License-Identifier: Apache-2.0 */
/* pci_devices.yaml: mistakes or a file whose matches are what it says, in clean texts. */
#include "fuzz.h"
#include "pci-devices-file.h"

#include <string.h>

#define MAX_IDS 8

/* The hexadecimal numbers of WIDTH digits that stand in the text, at most MAX_IDS. */
static guint
collect_ids(const char *text, gsize width, guint ids[MAX_IDS])
{
    guint count = 0;
    for (const char *c = strstr(text, "0x"); c && count < MAX_IDS; c = strstr(c + 2, "0x")) {
        char *end = NULL;
        guint64 value = g_ascii_strtoull(c + 2, &end, 16);
        if (end == c + 2 + width && g_ascii_isxdigit(c[2]))
            ids[count++] = (guint)value;
    }
    return count;
}

/* type.vendor/name, each part of the characters that the manual names. */
static void
check_resource(const char *resource)
{
    static const char *const SHAPE = "^[a-z0-9_-]{1,63}\\.[a-z0-9_-]{1,63}/[A-Za-z0-9._-]{1,63}$";
    must(g_regex_match_simple(SHAPE, resource, G_REGEX_DOLLAR_ENDONLY, 0));
}

static void
check_match(const LvpPciDevicesFile *file, const LvpPciIds *ids)
{
    const LvpPciOffer *offer = lvp_pci_devices_file_match(file, ids);
    if (!offer)
        return;
    must(!lvp_pci_is_bridge(ids->class_code));
    must(lvp_pci_devices_file_has_vendor(file, ids->vendor));
    must(lvp_pci_devices_file_has_device(file, ids->vendor, ids->device, ids->class_code));
    must(g_ptr_array_find((GPtrArray *)(gsize)lvp_pci_devices_file_get_resources(file),
                          offer->resource, NULL));
}

/* Functions made of the numbers in the text. */
static void
check_matches(const LvpPciDevicesFile *file, const char *text)
{
    guint ids[MAX_IDS], classes[MAX_IDS + 1], revisions[MAX_IDS + 1];
    guint n_ids = collect_ids(text, 4, ids), n_classes = collect_ids(text, 6, classes);
    guint n_revisions = collect_ids(text, 2, revisions);
    classes[n_classes++] = 0x020000;
    revisions[n_revisions++] = 0;
    for (guint v = 0; v < n_ids; v++)
        for (guint d = 0; d < n_ids; d++)
            for (guint c = 0; c < n_classes; c++)
                check_match(file, &(LvpPciIds){.vendor = ids[v],
                                               .device = ids[d],
                                               .class_code = classes[c],
                                               .subsystem_vendor = ids[(v + 1) % n_ids],
                                               .subsystem_device = ids[(d + 1) % n_ids],
                                               .revision = revisions[c % n_revisions]});
}

static void
check_mistakes(const LvpDiagnostics *diagnostics)
{
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    must_be_printable(text);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    guint count = lvp_diagnostics_get_count(diagnostics);
    must(g_strv_length(lines) == (count > 100 ? 101 : count));
    for (guint i = 0; lines[i] && i < 100; i++)
        must(g_str_has_prefix(lines[i], "/proc/self/fd/") && strstr(lines[i], " error: "));
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autofree char *text = fuzz_copy_text(data, size), *path = fuzz_make_file(data, size);
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpPciDevicesFile) file = lvp_pci_devices_file_read(path, diagnostics);
    must((file == NULL) == (lvp_diagnostics_get_count(diagnostics) > 0));
    if (!file) {
        check_mistakes(diagnostics);
        return 0;
    }
    const GPtrArray *resources = lvp_pci_devices_file_get_resources(file);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < resources->len; i++) {
        check_resource(g_ptr_array_index(resources, i));
        must(g_hash_table_add(seen, g_ptr_array_index(resources, i)));
    }
    check_matches(file, text);
    return 0;
}
