/* SPDX-License-Identifier: Apache-2.0 */
/* pci-devices: the verbs that need no daemon. */
#include "commands.h"

#include "config.h"
#include "source-loader.h"

#include <libvirt-provider/error.h>
#include <stdio.h>

#define PCI_FILE_OPTION "pci-devices-file"

static LvpModule *
load_pci(const LvpCtl *ctl, GError **error)
{
    g_autofree char *folder = lvp_source_loader_dup_default_folder();
    const char *folders = ctl->options->source_dir ? ctl->options->source_dir : folder;
    g_auto(GStrv) list = lvp_config_dup_list(folders, ":");
    g_auto(GStrv) found = lvp_source_loader_list((const char *const *)list);
    if (!g_strv_contains((const char *const *)found, "pci")) {
        g_set_error(
            error, LVP_ERROR, LVP_ERROR_SOURCE,
            "source pci is not in %s: is libvirt-provider installed as a whole? --source-dir "
            "says where its sources stand",
            folders);
        return NULL;
    }
    return lvp_source_loader_load((const char *const *)list, "pci", error);
}

gboolean
lvp_ctl_check_pci_devices(LvpCtl *ctl, GError **error)
{
    g_autoptr(LvpModule) pci = load_pci(ctl, error);
    if (!pci)
        return FALSE;
    g_autoptr(LvpOptions) options = lvp_options_new(pci->table->options);
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    if (!lvp_options_set(options, PCI_FILE_OPTION, ctl->arguments[0], NULL)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "FILE must be the path of a file, but is '%s'", ctl->arguments[0]);
        return FALSE;
    }
    pci->table->validate(options, diagnostics);
    if (lvp_diagnostics_get_count(diagnostics) > 0) {
        g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
        fprintf(stderr, "%s\n", text);
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "%s: %u mistake%s",
                    ctl->arguments[0], lvp_diagnostics_get_count(diagnostics),
                    lvp_diagnostics_get_count(diagnostics) == 1 ? "" : "s");
        return FALSE;
    }
    return TRUE;
}

gboolean
lvp_ctl_generate_pci_devices(LvpCtl *ctl, GError **error)
{
    g_autoptr(LvpModule) pci = load_pci(ctl, error);
    const char *root = ctl->options->host_root ? ctl->options->host_root : "/";
    g_autoptr(LvpHost) host = pci ? lvp_host_new(root, error) : NULL;
    g_autofree char *text = host ? pci->table->generate(host, NULL, error) : NULL;
    if (text)
        fputs(text, stdout);
    return text != NULL;
}
