/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of lpctl. */
#pragma once

#include "client.h"
#include "output.h"

/* What stood on the command line. */
typedef struct {
    char *socket;
    char *format;
    char *columns;
    char *color;
    gboolean no_headers;
    gboolean all;
    gboolean force;
    gboolean keep_nvram;
    gboolean no_start;
    gboolean dry_run;
    int wait_s;
    char *class_name;
    char *template_file;
    char *uuid;
    char **labels;
    char **annotations;
    char *host_root;
    char *source_dir;
} LvpCtlOptions;

typedef struct {
    const LvpCtlOptions *options;
    LvpOutput output;
    LvpClient *client; /* NULL for a verb without daemon */
    char **arguments;  /* after noun and verb */
} LvpCtl;

/* Which options a verb knows, besides -h, --socket, -o, -c, --no-headers, --color. */
typedef enum {
    LVP_CTL_ALL = 1 << 0,
    LVP_CTL_FORCE = 1 << 1,
    LVP_CTL_KEEP_NVRAM = 1 << 2,
    LVP_CTL_CREATE = 1 << 3,
    LVP_CTL_WAIT = 1 << 4,
    LVP_CTL_DRY_RUN = 1 << 5,
    LVP_CTL_HOST = 1 << 6,
} LvpCtlOptionSet;

typedef struct {
    const char *noun;
    const char *verb;      /* NULL: the noun is the whole command */
    const char *arguments; /* as in the help: "NAME..." */
    int min_arguments, max_arguments;
    guint option_sets; /* LvpCtlOptionSet */
    gboolean offline;  /* needs no daemon */
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
gboolean lvp_ctl_reload_daemon(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_check_pci_devices(LvpCtl *ctl, GError **error);
gboolean lvp_ctl_generate_pci_devices(LvpCtl *ctl, GError **error);
