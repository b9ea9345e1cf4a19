/* SPDX-License-Identifier: Apache-2.0 */
/* The pci source: functions that a YAML file names, bound to vfio-pci for as long as a machine
 * holds them. What it touches on the host: see README.md. */
#include "pci-discovery.h"
#include "pci-generate.h"
#include "pci-hostdev.h"
#include "pci-record.h"

#include <libvirt-provider/source.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 30000

typedef struct {
    LvpSourceContext *context;
    LvpPciBinder binder;
    LvpPciDevicesFile *file; /* NULL: none was given */
} PciSource;

static const LvpOptionRow OPTIONS[] = {
    {"pci-devices-file", LVP_OPTION_FILE, NULL,
     "YAML file of the PCI devices that may be given away; none: no device is"},
    {"pci-driver-timeout", LVP_OPTION_SECONDS, "30s",
     "how long the kernel may take for one change of a driver"},
    {NULL},
};

static void
validate(const LvpOptions *options, LvpDiagnostics *diagnostics)
{
    const char *path = lvp_options_get_string(options, "pci-devices-file");
    if (path)
        lvp_pci_devices_file_free(lvp_pci_devices_file_read(path, diagnostics));
    gint64 seconds = lvp_options_get_integer(options, "pci-driver-timeout");
    if (seconds < 1 || seconds > 3600)
        lvp_options_report(options, "pci-driver-timeout", diagnostics,
                           "must be 1 second to 1 hour, but is %s",
                           lvp_options_get_string(options, "pci-driver-timeout"));
}

static void
destroy(gpointer data)
{
    PciSource *self = data;
    if (!self)
        return;
    lvp_pci_devices_file_free(self->file);
    g_free(self);
}

static gpointer
create(LvpSourceContext *context, GError **error)
{
    const LvpOptions *options = lvp_source_context_get_options(context);
    const char *path = lvp_options_get_string(options, "pci-devices-file");
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpPciDevicesFile) file = path ? lvp_pci_devices_file_read(path, diagnostics) : NULL;
    if (!lvp_diagnostics_check(diagnostics, error))
        return NULL;
    PciSource *self = g_new0(PciSource, 1);
    self->context = context;
    self->binder.host = lvp_source_context_get_host(context);
    self->binder.timeout_ms = (guint)lvp_options_get_integer(options, "pci-driver-timeout") * 1000;
    self->file = g_steal_pointer(&file);
    return self;
}

/* Brings vfio-pci in. Without it the source goes on: each device says why it is unusable. */
static gboolean
setup(gpointer data, GCancellable *cancellable, GError **error)
{
    (void)cancellable;
    (void)error;
    PciSource *self = data;
    g_autoptr(GError) problem = NULL;
    if (!self->file)
        lvp_source_context_set_health(
            self->context,
            "no devices are given away: --resource-manager-pci-devices-file is not set");
    else if (!lvp_pci_load_vfio(&self->binder, &problem))
        lvp_source_context_set_health(self->context, problem->message);
    return TRUE;
}

static gboolean
discover(gpointer data,
         LvpDiscoverFlags flags,
         LvpSnapshot *snapshot,
         GCancellable *cancellable,
         GError **error)
{
    (void)cancellable;
    PciSource *self = data;
    gboolean has_vfio =
        lvp_host_exists(self->binder.host, LVP_HOST_SYS, LVP_PCI_DRIVERS "/" LVP_PCI_VFIO);
    LvpPciDiscovery discovery = {
        .host = self->binder.host,
        .file = self->file,
        .all = (flags & LVP_DISCOVER_ALL) != 0,
        .vfio_problem =
            has_vfio ? NULL : "driver vfio-pci is not loaded: modprobe vfio-pci, then lpctl reload",
        .timeout_ms = self->binder.timeout_ms,
    };
    return lvp_pci_discover(&discovery, snapshot, error);
}

/* ---- records ---- */

/* Names the option that says how long to wait. */
static void
explain_timeout(GError *error)
{
    if (!g_error_matches(error, LVP_ERROR, LVP_ERROR_TIMED_OUT))
        return;
    g_autofree char *plain = error->message;
    error->message = g_strconcat(plain, " (see --resource-manager-pci-driver-timeout)", NULL);
}

static GVariant *
prepare(gpointer data, const LvpHolding *holding, GCancellable *cancellable, GError **error)
{
    (void)cancellable;
    PciSource *self = data;
    GError *problem = NULL;
    GVariant *record = lvp_pci_record_make(&self->binder, self->file, holding, &problem);
    if (record)
        return record;
    explain_timeout(problem);
    g_propagate_error(error, problem);
    return NULL;
}

/* One that is only bound along and has been pulled is in nobody's way. */
static gboolean
is_gone_neighbour(const PciSource *self, const LvpPciRecordRow *row)
{
    return !row->passed && !lvp_pci_is_present(self->binder.host, row->binding.address);
}

/* All are checked before the first is touched: that a neighbour cannot be taken shall not be found
 * out when the host has lost its card. */
static gboolean
take_all(const PciSource *self, GVariant *record, GCancellable *cancellable, GError **error)
{
    g_autoptr(GArray) rows = lvp_pci_record_open(record, error);
    if (!rows)
        return FALSE;
    for (guint i = rows->len; i > 0; i--)
        if (is_gone_neighbour(self, &g_array_index(rows, LvpPciRecordRow, i - 1)))
            g_array_remove_index(rows, i - 1);
    for (guint i = 0; i < rows->len; i++)
        if (!lvp_pci_check(&self->binder, &g_array_index(rows, LvpPciRecordRow, i).binding, error))
            return FALSE;
    for (guint i = 0; i < rows->len; i++)
        if (g_cancellable_set_error_if_cancelled(cancellable, error) ||
            !lvp_pci_take(&self->binder, &g_array_index(rows, LvpPciRecordRow, i).binding, error))
            return FALSE;
    return TRUE;
}

static gboolean
commit(gpointer data, GVariant *record, GCancellable *cancellable, GError **error)
{
    GError *problem = NULL;
    if (take_all(data, record, cancellable, &problem))
        return TRUE;
    explain_timeout(problem);
    g_propagate_error(error, problem);
    return FALSE;
}

/* A verdict on one function, to be told as that on its unit. */
typedef struct {
    LvpVerdict verdict;
    char *reason;
} Judgement;

/* How much a verdict says about the unit as a whole: the worst of its functions is its own. */
static guint
rank(LvpVerdict verdict)
{
    switch (verdict) {
    case LVP_VERDICT_DONE:
    case LVP_VERDICT_MATCHES:
        return 0;
    case LVP_VERDICT_NEEDS_COMMIT:
        return 1;
    case LVP_VERDICT_FAILED:
        return 2;
    case LVP_VERDICT_BLOCKED:
        return 3;
    case LVP_VERDICT_LOST:
        return 4;
    case LVP_VERDICT_REPLACED:
        break;
    }
    return 5;
}

static void
merge(Judgement *self, const LvpPciRecordRow *row, LvpVerdict verdict, char *reason)
{
    gboolean is_unit = strcmp(row->unit, row->binding.address) == 0;
    g_autofree char *own = reason;
    if (rank(verdict) <= rank(self->verdict) ||
        (verdict == LVP_VERDICT_LOST && !is_unit && !row->passed))
        return;
    g_free(self->reason);
    self->verdict = verdict;
    self->reason = is_unit ? g_steal_pointer(&own)
                           : g_strdup_printf("its neighbour %s: %s", row->binding.address, own);
}

/* One verdict for each unit, or for ONLY_UNIT. */
static void
visit(const PciSource *self,
      GVariant *record,
      const char *only_unit,
      LvpVerdict (*act)(const LvpPciBinder *, const LvpPciBinding *, char **),
      LvpVerdict best,
      LvpOutcome *outcome)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) rows = lvp_pci_record_open(record, &error);
    if (!rows) {
        lvp_outcome_add(outcome, NULL, LVP_VERDICT_FAILED, error->message);
        return;
    }
    for (guint i = 0; i < rows->len; i++) {
        const LvpPciRecordRow *unit = &g_array_index(rows, LvpPciRecordRow, i);
        if (strcmp(unit->unit, unit->binding.address) != 0 ||
            (only_unit && strcmp(only_unit, unit->unit) != 0))
            continue;
        Judgement judgement = {best, NULL};
        for (guint k = 0; k < rows->len; k++) {
            const LvpPciRecordRow *row = &g_array_index(rows, LvpPciRecordRow, k);
            char *reason = NULL;
            if (strcmp(row->unit, unit->unit) != 0 || judgement.verdict == LVP_VERDICT_BLOCKED)
                continue;
            LvpVerdict verdict = act(&self->binder, &row->binding, &reason);
            merge(&judgement, row, verdict, reason);
        }
        lvp_outcome_add(outcome, unit->unit, judgement.verdict, judgement.reason);
        g_free(judgement.reason);
    }
}

static void
rollback(gpointer data,
         GVariant *record,
         const char *only_unit,
         LvpOutcome *outcome,
         GCancellable *cancellable)
{
    (void)cancellable; /* what was begun is put back, whoever has lost patience */
    visit(data, record, only_unit, lvp_pci_put_back, LVP_VERDICT_DONE, outcome);
}

static void
restore(gpointer data, GVariant *record, LvpOutcome *outcome, GCancellable *cancellable)
{
    (void)cancellable;
    visit(data, record, NULL, lvp_pci_compare, LVP_VERDICT_MATCHES, outcome);
}

/* ---- domain ---- */

static gboolean
contribute_xml(
    gpointer data, const LvpHolding *holding, GVariant *record, LvpDomainPart *part, GError **error)
{
    (void)data;
    (void)holding;
    g_autoptr(GArray) rows = lvp_pci_record_open(record, error);
    if (!rows)
        return FALSE;
    g_autoptr(GArray) passed = g_array_new(FALSE, FALSE, sizeof(LvpPciAddress));
    for (guint i = 0; i < rows->len; i++) {
        LvpPciAddress address;
        const LvpPciRecordRow *row = &g_array_index(rows, LvpPciRecordRow, i);
        if (!row->passed)
            continue;
        if (!lvp_pci_parse_address(row->binding.address, &address)) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE, "'%s' is no PCI address",
                        row->binding.address);
            return FALSE;
        }
        g_array_append_val(passed, address);
    }
    lvp_pci_add_hostdevs(passed, part);
    return TRUE;
}

static char *
generate(LvpHost *host, GCancellable *cancellable, GError **error)
{
    (void)cancellable;
    return lvp_pci_generate(host, DEFAULT_TIMEOUT_MS, error);
}

LVP_SOURCE_DEFINE(.name = "pci",
                  .version = LVP_VERSION,
                  .description = "PCI functions, bound to vfio-pci while a machine holds them",
                  .options = OPTIONS,
                  .validate = validate,
                  .create = create,
                  .destroy = destroy,
                  .setup = setup,
                  .discover = discover,
                  .prepare = prepare,
                  .commit = commit,
                  .rollback = rollback,
                  .restore = restore,
                  .contribute_xml = contribute_xml,
                  .generate = generate, )
