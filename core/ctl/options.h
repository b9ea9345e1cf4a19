/* SPDX-License-Identifier: Apache-2.0 */
/* The options of the command line. */
#pragma once

#include "output.h"

#define LVP_CTL_SOCKET_VARIABLE "LIBVIRT_PROVIDER_SOCKET"

/* What stood on the command line. */
typedef struct {
    gboolean help;
    gboolean version;
    char *socket;
    char *format;
    char *columns;
    char *color;
    gboolean no_headers;
    gboolean all;
    gboolean force;
    gboolean keep_nvram;
    gboolean no_start;
    gboolean autostart;
    char *last;
    gboolean dry_run;
    char *wait;
    char *class_name;
    char *template_file;
    char *uuid;
    char **labels;
    char **annotations;
    char *host_root;
    char *source_dir;
} LvpCtlOptions;

/* Which options a verb knows, besides --help and --version. */
typedef enum {
    LVP_CTL_ALL = 1 << 0,
    LVP_CTL_FORCE = 1 << 1,
    LVP_CTL_KEEP_NVRAM = 1 << 2,
    LVP_CTL_CREATE = 1 << 3,
    LVP_CTL_WAIT = 1 << 4,
    LVP_CTL_DRY_RUN = 1 << 5,
    LVP_CTL_HOST = 1 << 6,
    LVP_CTL_DAEMON = 1 << 7, /* asks the daemon: knows --socket */
    LVP_CTL_OUTPUT = 1 << 8, /* prints data: knows --output */
    LVP_CTL_LAST = 1 << 10,
    LVP_CTL_COLUMNS = 1 << 9, /* prints rows: and --columns, and the formats of rows */
} LvpCtlOptionSet;

/* The sets of a verb that prints rows. */
#define LVP_CTL_ROWS (LVP_CTL_OUTPUT | LVP_CTL_COLUMNS)

/* One option: the verbs with SET know it; SET 0: all do. */
typedef struct {
    guint set;
    GOptionEntry entry;
} LvpCtlOption;

/* All options (LvpCtlOption), pointing into OPTIONS. */
GArray *lvp_ctl_options_list(LvpCtlOptions *options);
/* Reads WORDS and takes all options out of them. LVP_ERROR_INVALID_REQUEST. */
gboolean lvp_ctl_options_parse(const GArray *list, char ***words, GError **error);
/* Whether all options that were given are known to COMMAND, which has these SETS.
 * LVP_ERROR_INVALID_REQUEST. */
gboolean lvp_ctl_options_check(const GArray *list, guint sets, const char *command, GError **error);
/* What --wait says; 0 where it is not given. LVP_ERROR_INVALID_REQUEST. */
gboolean lvp_ctl_options_read_wait(const LvpCtlOptions *self, guint *ret_seconds, GError **error);
/* The formats of a verb with SETS: 1 << LvpFormat. */
guint lvp_ctl_options_get_formats(guint sets);
void lvp_ctl_options_clear(LvpCtlOptions *self);
