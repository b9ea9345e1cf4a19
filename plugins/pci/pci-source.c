/* SPDX-License-Identifier: Apache-2.0 */
/* The pci source: functions that a YAML file names, bound to vfio-pci for as long as a machine
 * holds them. What it touches on the host: see README.md. */
#include "pci-binding.h"
#include "pci-discovery.h"
#include "pci-generate.h"
#include "pci-hostdev.h"

#include <libvirt-provider/source.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 30000

/* A record: version 1, then address, identity, driver, override, group of each function. Records of
 * every released version stay readable. */
#define RECORD_VERSION 1
#define RECORD_TYPE "(ua(sssss))"

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
        lvp_diagnostics_add(diagnostics, NULL, 0, 0,
                            "pci-driver-timeout must be 1 second to 1 hour");
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

static GVariant *
prepare(gpointer data, const LvpHolding *holding, GCancellable *cancellable, GError **error)
{
    (void)cancellable;
    PciSource *self = data;
    g_auto(GVariantBuilder) functions = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(sssss)"));
    for (guint i = 0; i < lvp_holding_get_n_units(holding); i++) {
        const char *address = lvp_holding_get_unit_id(holding, i);
        char driver[LVP_PCI_NAME_SIZE], group[LVP_PCI_NAME_SIZE];
        g_autofree char *override = lvp_pci_read_override(&self->binder, address, error);
        if (!override) {
            g_prefix_error(error, "cannot read the state of %s: ", address);
            return NULL;
        }
        lvp_pci_read_driver(self->binder.host, address, driver);
        lvp_pci_read_group(self->binder.host, address, group);
        /* The kernel keeps any bytes there; a record is text. */
        if (!g_utf8_validate(override, -1, NULL) || !g_utf8_validate(driver, -1, NULL)) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                        "the driver_override of %s, or the name of its driver, is no text in UTF-8 "
                        "and could not be put back: clear it first",
                        address);
            return NULL;
        }
        g_variant_builder_add(&functions, "(sssss)", address,
                              lvp_holding_get_unit_identity(holding, i), driver, override, group);
    }
    return g_variant_new("(u@a(sssss))", RECORD_VERSION, g_variant_builder_end(&functions));
}

/* The next function; its texts are borrowed from the record. */
static gboolean
next_binding(GVariantIter *iter, LvpPciBinding *binding)
{
    return g_variant_iter_next(iter, "(&s&s&s&s&s)", &binding->address, &binding->identity,
                               &binding->driver, &binding->override, &binding->group);
}

/* Whether each text can be what it is said to be: paths are made of them. */
static gboolean
is_sound(GVariant *functions)
{
    GVariantIter iter;
    LvpPciBinding binding;
    LvpPciAddress address;
    g_variant_iter_init(&iter, functions);
    while (next_binding(&iter, &binding))
        if (!lvp_pci_parse_address(binding.address, &address) || strchr(binding.driver, '/') ||
            strcmp(binding.driver, ".") == 0 || strcmp(binding.driver, "..") == 0 ||
            strlen(binding.driver) >= LVP_PCI_NAME_SIZE ||
            strspn(binding.group, "0123456789") != strlen(binding.group))
            return FALSE;
    return TRUE;
}

/* The functions of a record, or NULL where it is none of ours. */
static GVariant *
open_record(GVariant *record, GError **error)
{
    guint32 version = 0;
    g_autoptr(GVariant) functions = NULL;
    if (g_variant_is_of_type(record, G_VARIANT_TYPE(RECORD_TYPE)))
        g_variant_get(record, "(u@a(sssss))", &version, &functions);
    if (!functions || version != RECORD_VERSION)
        g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_SUPPORTED,
                    "the record is of type %s and version %u, this source knows " RECORD_TYPE
                    " of version %u",
                    g_variant_get_type_string(record), version, RECORD_VERSION);
    else if (!is_sound(functions))
        g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE,
                    "the record is damaged: it names what is no PCI address, driver or group");
    else
        return g_steal_pointer(&functions);
    return NULL;
}

static gboolean
commit(gpointer data, GVariant *record, GCancellable *cancellable, GError **error)
{
    PciSource *self = data;
    g_autoptr(GVariant) functions = open_record(record, error);
    if (!functions)
        return FALSE;
    GVariantIter iter;
    LvpPciBinding binding;
    g_variant_iter_init(&iter, functions);
    while (next_binding(&iter, &binding))
        if (g_cancellable_set_error_if_cancelled(cancellable, error) ||
            !lvp_pci_take(&self->binder, &binding, error))
            return FALSE;
    return TRUE;
}

static void
visit(const PciSource *self,
      GVariant *record,
      const char *only_unit,
      LvpVerdict (*act)(const LvpPciBinder *, const LvpPciBinding *, char **),
      LvpOutcome *outcome)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) functions = open_record(record, &error);
    if (!functions) {
        lvp_outcome_add(outcome, NULL, LVP_VERDICT_FAILED, error->message);
        return;
    }
    GVariantIter iter;
    LvpPciBinding binding;
    g_variant_iter_init(&iter, functions);
    while (next_binding(&iter, &binding)) {
        if (only_unit && g_strcmp0(only_unit, binding.address) != 0)
            continue;
        g_autofree char *reason = NULL;
        LvpVerdict verdict = act(&self->binder, &binding, &reason);
        lvp_outcome_add(outcome, binding.address, verdict, reason);
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
    visit(data, record, only_unit, lvp_pci_put_back, outcome);
}

static void
restore(gpointer data, GVariant *record, LvpOutcome *outcome, GCancellable *cancellable)
{
    (void)cancellable;
    visit(data, record, NULL, lvp_pci_compare, outcome);
}

/* ---- domain ---- */

static gboolean
contribute_xml(
    gpointer data, const LvpHolding *holding, GVariant *record, LvpDomainPart *part, GError **error)
{
    (void)data;
    (void)record;
    for (guint i = 0; i < lvp_holding_get_n_units(holding); i++) {
        LvpPciAddress address;
        const char *text = lvp_holding_get_unit_id(holding, i);
        if (!lvp_pci_parse_address(text, &address)) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE, "'%s' is no PCI address", text);
            return FALSE;
        }
        g_autofree char *xml = lvp_pci_make_hostdev(&address);
        lvp_domain_part_append(part, "devices", xml);
    }
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
