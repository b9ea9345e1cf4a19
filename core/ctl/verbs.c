/* SPDX-License-Identifier: Apache-2.0 */
/* All that lpctl can do: command line and help are made from this table. */
#include "commands.h"

#define MAX_ARGUMENTS 1024

#define ONE 1, 1
#define SOME 1, MAX_ARGUMENTS
#define NONE 0, 0

const LvpCtlVerb LVP_CTL_VERBS[] = {
    {"source", "list", "", NONE, 0, FALSE, "sources, and what they offer", lvp_ctl_list_sources},
    {"device", "list", "", NONE, LVP_CTL_ALL, FALSE, "devices that may be given away",
     lvp_ctl_list_devices},
    {"device", "show", "ID", ONE, 0, FALSE, "all about one device", lvp_ctl_show_device},
    {"device", "explain", "ID", ONE, 0, FALSE, "why it is in its state", lvp_ctl_explain_device},
    {"device", "cordon", "ID...", SOME, 0, FALSE, "offer it no more", lvp_ctl_cordon_devices},
    {"device", "uncordon", "ID...", SOME, 0, FALSE, "offer it again", lvp_ctl_uncordon_devices},
    {"device", "release", "ID...", SOME, LVP_CTL_FORCE | LVP_CTL_WAIT, FALSE,
     "put a quarantined device back where it came from; with --force it is free "
     "afterwards even if that fails",
     lvp_ctl_release_devices},
    {"class", "list", "", NONE, 0, FALSE, "machine classes, and how many more fit",
     lvp_ctl_list_classes},
    {"class", "show", "NAME", ONE, 0, FALSE, "all about one class", lvp_ctl_show_class},
    {"class", "explain", "NAME", ONE, 0, FALSE, "what limits it", lvp_ctl_explain_class},
    {"machine", "create", "NAME", ONE, LVP_CTL_CREATE | LVP_CTL_WAIT | LVP_CTL_DRY_RUN, FALSE,
     "create a machine of a class, and start it", lvp_ctl_create_machine},
    {"machine", "list", "", NONE, 0, FALSE, "machines, and what they hold", lvp_ctl_list_machines},
    {"machine", "show", "NAME", ONE, 0, FALSE, "all about one machine", lvp_ctl_show_machine},
    {"machine", "explain", "NAME", ONE, 0, FALSE, "why it is in its state",
     lvp_ctl_explain_machine},
    {"machine", "start", "NAME...", SOME, LVP_CTL_WAIT | LVP_CTL_DRY_RUN, FALSE,
     "start a stopped machine", lvp_ctl_start_machines},
    {"machine", "stop", "NAME...", SOME, LVP_CTL_FORCE | LVP_CTL_WAIT | LVP_CTL_DRY_RUN, FALSE,
     "ask the guest to shut down (ACPI) and wait, 60 s by default; with --force end it at "
     "once. It keeps what it holds",
     lvp_ctl_stop_machines},
    {"machine", "delete", "NAME...", SOME, LVP_CTL_KEEP_NVRAM | LVP_CTL_WAIT | LVP_CTL_DRY_RUN,
     FALSE, "end and remove a machine and its domain, and give back what it held",
     lvp_ctl_delete_machines},
    {"status", NULL, "", NONE, 0, FALSE, "the daemon, and its connection to libvirt",
     lvp_ctl_show_status},
    {"reload", NULL, "", NONE, 0, FALSE, "let the daemon read its files again, all or nothing",
     lvp_ctl_reload_daemon},
    {"pci-devices", "check", "FILE", ONE, LVP_CTL_HOST, TRUE,
     "say all mistakes of a pci_devices.yaml; needs no daemon", lvp_ctl_check_pci_devices},
    {"pci-devices", "generate", "", NONE, LVP_CTL_HOST, TRUE,
     "write a pci_devices.yaml from this host's devices; needs no daemon",
     lvp_ctl_generate_pci_devices},
    {NULL},
};
