/* SPDX-License-Identifier: Apache-2.0 */
/* All that lpctl can do: command line and help are made from this table. */
#include "commands.h"

#define MAX_ARGUMENTS 1024

#define ONE 1, 1
#define SOME 1, MAX_ARGUMENTS
#define NONE 0, 0

/* Asks the daemon; and prints rows; and does what can be tried without effect. */
#define ASK LVP_CTL_DAEMON
#define LIST (LVP_CTL_DAEMON | LVP_CTL_ROWS)
#define ACT (LVP_CTL_DAEMON | LVP_CTL_WAIT | LVP_CTL_DRY_RUN)

const LvpCtlVerb LVP_CTL_VERBS[] = {
    {"source", "list", "", NONE, LIST, "sources, and what they offer", lvp_ctl_list_sources},
    {"device", "list", "", NONE, LIST | LVP_CTL_ALL, "devices that may be given away",
     lvp_ctl_list_devices},
    {"device", "show", "ID", ONE, LIST, "all about one device", lvp_ctl_show_device},
    {"device", "explain", "ID", ONE, ASK, "why it is in its state", lvp_ctl_explain_device},
    {"device", "cordon", "ID...", SOME, ASK, "offer it no more", lvp_ctl_cordon_devices},
    {"device", "uncordon", "ID...", SOME, ASK, "offer it again", lvp_ctl_uncordon_devices},
    {"device", "release", "ID...", SOME, ASK | LVP_CTL_FORCE | LVP_CTL_WAIT,
     "put a quarantined device back where it came from; with --force it is free "
     "afterwards even if that fails",
     lvp_ctl_release_devices},
    {"class", "list", "", NONE, LIST, "machine classes, and how many more fit",
     lvp_ctl_list_classes},
    {"class", "show", "NAME", ONE, LIST, "all about one class", lvp_ctl_show_class},
    {"class", "explain", "NAME", ONE, ASK, "what limits it", lvp_ctl_explain_class},
    {"machine", "create", "NAME --class=CLASS", ONE, ACT | LVP_CTL_ROWS | LVP_CTL_CREATE,
     "create a machine of a class, and start it", lvp_ctl_create_machine},
    {"machine", "list", "", NONE, LIST, "machines, and what they hold", lvp_ctl_list_machines},
    {"machine", "show", "NAME", ONE, LIST, "all about one machine", lvp_ctl_show_machine},
    {"machine", "explain", "NAME", ONE, ASK, "why it is in its state", lvp_ctl_explain_machine},
    {"machine", "start", "NAME...", SOME, ACT, "start a stopped machine", lvp_ctl_start_machines},
    {"machine", "stop", "NAME...", SOME, ACT | LVP_CTL_FORCE,
     "ask the guest to shut down (ACPI) and wait, 60 s by default; with --force end it at "
     "once. It keeps what it holds",
     lvp_ctl_stop_machines},
    {"machine", "delete", "NAME...", SOME, ACT | LVP_CTL_KEEP_NVRAM,
     "end and remove a machine and its domain, and give back what it held",
     lvp_ctl_delete_machines},
    {"status", NULL, "", NONE, ASK | LVP_CTL_OUTPUT, "the daemon, and its connection to libvirt",
     lvp_ctl_show_status},
    {"monitor", NULL, "", NONE, ASK | LVP_CTL_OUTPUT | LVP_CTL_LAST,
     "show changes of machines and devices as they come, until interrupted", lvp_ctl_monitor},
    {"reload", NULL, "", NONE, ASK, "let the daemon read its files again, all or nothing",
     lvp_ctl_reload_daemon},
    {"pci-devices", "check", "FILE", ONE, LVP_CTL_HOST,
     "say all mistakes of a pci_devices.yaml; needs no daemon", lvp_ctl_check_pci_devices},
    {"pci-devices", "generate", "", NONE, LVP_CTL_HOST,
     "write a pci_devices.yaml from this host's devices; needs no daemon",
     lvp_ctl_generate_pci_devices},
    {NULL},
};
