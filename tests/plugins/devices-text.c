/* SPDX-License-Identifier: Apache-2.0 */
#include "devices-text.h"

#include "assert-error.h"
#include "scratch.h"

#include <string.h>

static LvpPciDevicesFile *
read_text(const char *text, char **ret_mistakes)
{
    g_autoptr(LvpScratch) scratch = lvp_scratch_new();
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autofree char *path = lvp_scratch_get_path(scratch, "pci_devices.yaml");
    lvp_scratch_write(scratch, "pci_devices.yaml", text);
    LvpPciDevicesFile *file = lvp_pci_devices_file_read(path, diagnostics);
    g_autoptr(GString) mistakes = g_string_new(NULL);
    g_autofree char *raw = lvp_diagnostics_to_text(diagnostics);
    g_string_append(mistakes, raw);
    g_string_replace(mistakes, path, "FILE", 0);
    *ret_mistakes = g_string_free(g_steal_pointer(&mistakes), FALSE);
    return file;
}

LvpPciDevicesFile *
devices_text_read(const char *text)
{
    g_autofree char *mistakes = NULL;
    LvpPciDevicesFile *file = read_text(text, &mistakes);
    cr_assert_str_empty(mistakes);
    cr_assert_not_null(file);
    return file;
}

char *
devices_text_find_mistakes(const char *text)
{
    char *mistakes = NULL;
    g_autoptr(LvpPciDevicesFile) file = read_text(text, &mistakes);
    cr_assert_neq(file == NULL, mistakes[0] == '\0', "%s", mistakes);
    return mistakes;
}
