/* SPDX-License-Identifier: Apache-2.0 */
/* The source table: what a module for one kind of host resource exports.
 *
 *   #include <libvirt-provider/source.h>
 *   LVP_SOURCE_DEFINE(.name = "cpu", .version = "1", .description = "...", .discover =
 * discover_cpus)
 *
 * Only the core knows what is taken; a source keeps no list of its own. Each member says where it
 * is called: "lock" is under the allocator's lock, never two at once, and without access to the
 * host; "off" is in a job thread, may block, and runs concurrently for different records. */
#pragma once

#include <libvirt-provider/domain-xml.h>
#include <libvirt-provider/error.h>
#include <libvirt-provider/host.h>
#include <libvirt-provider/inventory.h>
#include <libvirt-provider/request.h>
#include <libvirt-provider/yaml.h>

#include <gio/gio.h>

G_BEGIN_DECLS

#define LVP_SOURCE_ABI 1u

/* ---- options ---- */

typedef enum {
    LVP_OPTION_STRING,
    LVP_OPTION_FILE,     /* an absolute path, or relative to the working folder */
    LVP_OPTION_BOOLEAN,  /* true, false, yes, no, 1, 0 */
    LVP_OPTION_INTEGER,  /* decimal int64 */
    LVP_OPTION_DOUBLE,   /* decimal, finite */
    LVP_OPTION_QUANTITY, /* as of "memory" */
    LVP_OPTION_SECONDS,  /* "30", "30s", "5m", "1h" */
} LvpOptionType;

/* One row; a NULL name ends the list. NAME begins with the name of the source and '-': a source
 * whose options do not is refused. The flag is --resource-manager-NAME, the key NAME in the config
 * group of the source. */
typedef struct {
    const char *name;
    LvpOptionType type;
    const char *default_value; /* as text; NULL: none */
    const char *help;          /* one line */
    gpointer reserved[4];
} LvpOptionRow;

typedef struct LvpOptions LvpOptions;

/* Values are checked against their type before a source sees them; NAME must be one of its rows. */
const char *lvp_options_get_string(const LvpOptions *self, const char *name); /* NULL: not given */
gboolean lvp_options_get_boolean(const LvpOptions *self, const char *name);
gint64 lvp_options_get_integer(const LvpOptions *self,
                               const char *name); /* also quantity, seconds */
double lvp_options_get_double(const LvpOptions *self, const char *name);
/* For `validate`: reports a mistake in the value of NAME where it was given, on the command line or
 * in a file. The text is NAME as it is written there, a space, and FORMAT ("must be ..."). */
void lvp_options_report(const LvpOptions *self,
                        const char *name,
                        LvpDiagnostics *diagnostics,
                        const char *format,
                        ...) G_GNUC_PRINTF(4, 5);

/* ---- context: what a source may use, from create to destroy ---- */

typedef struct LvpSourceContext LvpSourceContext;

LvpHost *lvp_source_context_get_host(const LvpSourceContext *self);
const LvpOptions *lvp_source_context_get_options(const LvpSourceContext *self);
const char *lvp_source_context_get_libvirt_uri(const LvpSourceContext *self);
/* Asks for a new discover soon. Any thread. */
void lvp_source_context_request_rescan(LvpSourceContext *self);
/* TEXT NULL: well. Else what is wrong and what to do; shown by `lpctl source list`. Any thread. */
void lvp_source_context_set_health(LvpSourceContext *self, const char *text);
/* Asks for a rescan when udev reports a change in SUBSYSTEM. In create only. */
void lvp_source_context_watch_subsystem(LvpSourceContext *self, const char *subsystem);

/* ---- the table ---- */

typedef enum {
    LVP_DISCOVER_OFFERED = 0, /* what the configuration gives away */
    LVP_DISCOVER_ALL = 1,     /* further what it does not name; effects as little as above */
} LvpDiscoverFlags;

typedef struct {
    guint32 abi;       /* filled by the macro */
    gsize struct_size; /* filled by the macro */

    const char *name;            /* = file name = config group; [a-z0-9-]+ */
    const char *version;         /* of the source */
    const char *description;     /* one line */
    const LvpOptionRow *options; /* may be NULL */

    /* off, optional. Checks options and files without touching the host; reports every mistake. */
    void (*validate)(const LvpOptions *options, LvpDiagnostics *diagnostics);

    /* off, both or neither. NULL with error. SELF is NULL in every call if there is no create.
     * destroy accepts NULL and releases no claim. CONTEXT outlives SELF. */
    gpointer (*create)(LvpSourceContext *context, GError **error);
    void (*destroy)(gpointer self);

    /* off, optional, idempotent. Brings the host to what the configuration asks. */
    gboolean (*setup)(gpointer self, GCancellable *cancellable, GError **error);

    /* off, mandatory. Fills a complete picture with stable ids; no effects. */
    gboolean (*discover)(gpointer self,
                         LvpDiscoverFlags flags,
                         LvpSnapshot *snapshot,
                         GCancellable *cancellable,
                         GError **error);

    /* lock, optional. May rewrite the effective request. LVP_ERROR_INVALID_REQUEST if it makes no
     * sense. */
    gboolean (*normalize)(gpointer self, LvpRequest *request, GError **error);

    /* lock, optional, pure. Takes all of REQUEST that is this source's from VIEW; on NODE, or, with
     * LVP_NODE_NONE, anywhere. FALSE where it does not fit there. Default: the first that fit. */
    gboolean (*plan)(
        gpointer self, const LvpView *view, const LvpRequest *request, int node, LvpPlan *plan);

    /* lock, optional, pure. How many more of REQUEST. Default: counts. */
    gint64 (*fits)(gpointer self, const LvpView *view, const LvpRequest *request);

    /* off, optional: a source without effects has none of the next four. Reads the prior state of
     * the held units; returns a record (floating or full) from which alone commit, rollback and
     * restore can work, in this process or a later one, in this version or a later one. */
    GVariant *(*prepare)(gpointer self,
                         const LvpHolding *holding,
                         GCancellable *cancellable,
                         GError **error);

    /* off. Applies a journalled record; repeatable; may fail half-way. */
    gboolean (*commit)(gpointer self, GVariant *record, GCancellable *cancellable, GError **error);

    /* off. Puts the host back, from never, half or fully committed; goes on past errors; one
     * verdict (done, blocked, failed) per unit. With ONLY_UNIT (else NULL) nothing but that unit of
     * the record is touched: the others may have gone to other machines since. */
    void (*rollback)(gpointer self,
                     GVariant *record,
                     const char *only_unit,
                     LvpOutcome *outcome,
                     GCancellable *cancellable);

    /* off. Compares host and record, changes nothing; one verdict per unit. */
    void (*restore)(gpointer self,
                    GVariant *record,
                    LvpOutcome *outcome,
                    GCancellable *cancellable);

    /* off, optional, pure and deterministic. RECORD is NULL where there is no prepare. */
    gboolean (*contribute_xml)(gpointer self,
                               const LvpHolding *holding,
                               GVariant *record,
                               LvpDomainPart *part,
                               GError **error);

    /* off, optional. Text of a starting configuration from this host; g_free(). */
    char *(*generate)(LvpHost *host, GCancellable *cancellable, GError **error);
} LvpSourceTable;

/* The name of the one exported symbol. */
#define LVP_SOURCE_SYMBOL "lvp_source_table"

#define LVP_SOURCE_DEFINE(...)                                                                     \
    extern const LvpSourceTable lvp_source_table;                                                  \
    G_MODULE_EXPORT const LvpSourceTable lvp_source_table = {                                      \
        .abi = LVP_SOURCE_ABI, .struct_size = sizeof(LvpSourceTable), __VA_ARGS__};

#ifndef G_MODULE_EXPORT
#define G_MODULE_EXPORT __attribute__((visibility("default")))
#endif

G_END_DECLS
