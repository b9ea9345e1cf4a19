/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of lpctl. */
#pragma once

#include "client.h"
#include "options.h"
#include "output.h"

typedef struct {
    const LvpCtlOptions *options;
    LvpOutput output;
    LvpClient *client; /* NULL for a verb without LVP_CTL_DAEMON */
    char **arguments;  /* after noun and verb */
    guint wait_s;      /* 0: not given */
} LvpCtl;

typedef struct {
    const char *noun;
    const char *verb;      /* NULL: the noun is the whole command */
    const char *arguments; /* as in the help: "NAME...", and options that must be given */
    int min_arguments, max_arguments;
    guint option_sets; /* LvpCtlOptionSet */
    const char *help;
    gboolean (*run)(LvpCtl *ctl, GError **error);
} LvpCtlVerb;

/* Ends with a NULL noun. */
extern const LvpCtlVerb LVP_CTL_VERBS[];

/* ---- the verbs ---- */

gboolean lvp_ctl_list_sources(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_list_devices(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_show_device(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_explain_device(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_cordon_devices(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_uncordon_devices(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_release_devices(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_list_classes(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_show_class(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_explain_class(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_create_machine(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_list_machines(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_show_machine(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_explain_machine(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_start_machines(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_stop_machines(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_delete_machines(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_show_status(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_monitor(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_reload_daemon(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_check_pci_devices(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_generate_pci_devices(LvpCtl *ctl, GError **error);
