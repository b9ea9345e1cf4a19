/* SPDX-License-Identifier: Apache-2.0 */
#include "stress.h"

#include "default-template.h"
#include "host-effects.h"
#include "linked-provider.h"
#include "setup.h"

#include <string.h>

#define VENDOR 0x10deu
#define CLASS_CODE 0x120000u
#define GPU 0x20b7u
#define NIC 0x1572u
#define DISK 0x2203u
#define FPGA 0x2204u
#define MEMORY_BYTES (16 * G_GUINT64_CONSTANT(1073741824))
#define GRACE_US (600 * G_USEC_PER_SEC)

/* Alone on two nodes; with a neighbour that no entry names; twice the same in one slot; two pools
 * in one slot; a group over two slots; on vfio-pci before us. */
const StressCard STRESS_CARDS[] = {
    {.card = {.address = "0000:01:00.0", .device = GPU, .driver = "nvidia", .group = 1}},
    {.card = {.address = "0000:02:00.0", .device = GPU, .driver = "nvidia", .group = 2}},
    {.card = {.address = "0000:03:00.0", .device = GPU, .group = 3, .node = 1}},
    {.card = {.address = "0000:04:00.0", .device = GPU, .driver = "nvidia", .group = 4, .node = 1}},
    {.card = {.address = "0000:05:00.0", .device = GPU, .driver = "nvidia", .group = 5}},
    {.card = {.address = "0000:05:00.1", .device = 0x1aef, .driver = "snd", .group = 5}},
    {.card = {.address = "0000:06:00.0", .device = NIC, .driver = "i40e", .group = 6}},
    {.card = {.address = "0000:06:00.1", .device = NIC, .driver = "i40e", .group = 6}},
    {.card = {.address = "0000:07:00.0", .device = NIC, .driver = "i40e", .group = 7, .node = 1}},
    {.card = {.address = "0000:07:00.1", .device = NIC, .driver = "i40e", .group = 7, .node = 1}},
    {.card = {.address = "0000:08:00.0", .device = NIC, .driver = "i40e", .group = 8}},
    {.card = {.address = "0000:09:00.0", .device = NIC, .driver = "i40e", .group = 9}},
    {.card = {.address = "0000:09:00.1", .device = DISK, .driver = "nvme", .group = 9}},
    {.card = {.address = "0000:0a:00.0", .device = FPGA, .driver = "fpga", .group = 10}},
    {.card = {.address = "0000:0b:00.0", .device = FPGA, .driver = "fpga", .group = 10}},
    {.card = {.address = "0000:0c:00.0", .device = NIC, .driver = "i40e", .group = 12},
     .driver = "vfio-pci",
     .override = "vfio-pci"},
};
const guint STRESS_N_CARDS = G_N_ELEMENTS(STRESS_CARDS);

static const char DEVICES[] = "vendors:\n"
                              "- id: '0x10de'\n"
                              "  name: acme\n"
                              "  devices:\n"
                              "  - {id: '0x20b7', type: gpu, name: g}\n"
                              "  - {id: '0x1572', type: nic, name: n}\n"
                              "  - {id: '0x2203', type: disk, name: d}\n"
                              "  - {id: '0x2204', type: fpga, name: f, group: allow}\n";

static const char CLASSES[] =
    "- {name: large, capabilities: {cpu: 6, memory: 6Gi}}\n"
    "- {name: small, capabilities: {cpu: 1, memory: 3Gi}}\n"
    "- {name: gpu, capabilities: {cpu: 250m, memory: 64Mi, gpu.acme/g: 1}}\n"
    "- {name: gpus, capabilities: {cpu: 250m, memory: 64Mi, gpu.acme/g: 2}}\n"
    "- {name: port, capabilities: {cpu: 250m, memory: 64Mi, nic.acme/n: 1}}\n"
    "- {name: ports, capabilities: {cpu: 250m, memory: 64Mi, nic.acme/n: 2}}\n"
    "- {name: all, capabilities: {cpu: 250m, memory: 64Mi, gpu.acme/g: 1, nic.acme/n: 3}}\n"
    "- {name: both, capabilities: {cpu: 250m, memory: 64Mi, nic.acme/n: 1, disk.acme/d: 1}}\n"
    "- {name: fpga, capabilities: {cpu: 250m, memory: 64Mi, fpga.acme/f: 1}}\n";
const char *const STRESS_CLASSES[] = {"large", "small", "gpu",  "gpus", "port",
                                      "ports", "all",   "both", "fpga", NULL};

const StressCard *
stress_find_card(const char *address)
{
    for (guint i = 0; i < STRESS_N_CARDS; i++)
        if (strcmp(STRESS_CARDS[i].card.address, address) == 0)
            return &STRESS_CARDS[i];
    return NULL;
}

/* ---- the host ---- */

static void
open_host(Stress *self)
{
    self->host = lvp_fake_host_new();
    lvp_fake_host_set_node(self->host, 1, "8-15", MEMORY_BYTES);
    for (guint i = 0; i < STRESS_N_CARDS; i++) {
        LvpFakePci card = STRESS_CARDS[i].card;
        card.vendor = VENDOR;
        card.class_code = CLASS_CODE;
        card.reset = (LvpFakeReset)(i % LVP_FAKE_RESET_FAILS);
        lvp_fake_host_add_pci(self->host, &card);
        if (STRESS_CARDS[i].override)
            lvp_fake_host_set_override(self->host, card.address, STRESS_CARDS[i].override);
        if (STRESS_CARDS[i].driver)
            lvp_fake_host_set_driver(self->host, card.address, STRESS_CARDS[i].driver);
    }
    lvp_fake_host_set_file(self->host, "classes.yaml", CLASSES);
    lvp_fake_host_set_file(self->host, "pci_devices.yaml", DEVICES);
}

/* ---- the configuration ---- */

static LvpConfig *
make_config(const Stress *self, guint vm_limit)
{
    g_autofree char *limit = g_strdup_printf("%u", vm_limit);
    LvpConfig *config = linked_config_new(lvp_fake_host_get_root(self->host));
    lvp_options_set(config->core, "resource-manager-vm-limit", limit, NULL);
    return config;
}

void
stress_reload(Stress *self, guint vm_limit)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    g_autoptr(LvpConfig) config = make_config(self, vm_limit);
    LvpSourceContextCalls calls = {0};
    gboolean ok = lvp_setup_install(config, lvp_fake_host_get_host(self->host), &calls,
                                    self->allocator, diagnostics, &error);
    if (!ok)
        stress_fail(self, "reload: %s", error ? error->message : "mistakes in a file");
    STRESS_COUNT(self->n_reloads);
}

void
stress_rescan(Stress *self)
{
    g_autoptr(GError) error = NULL;
    gboolean ok = lvp_setup_rescan(self->allocator, &error);
    if (!ok)
        stress_fail(self, "rescan: %s", error->message);
    STRESS_COUNT(self->n_rescans);
}

/* ---- the observer: passes, and what happened to a domain, one after the other ---- */

/* Tasks are uuids; this one is none. */
static char PASS[] = "pass";

static void
observe(gpointer data, gpointer user_data)
{
    Stress *self = user_data;
    if (data != PASS) {
        lvp_reconcile_domain(&self->jobs, data);
        g_free(data);
        return;
    }
    stress_rescan(self);
    lvp_reconcile_all(&self->jobs);
    STRESS_COUNT(self->n_passes);
    if (!STRESS_GET(self->stopping))
        g_thread_pool_push(self->observer, PASS, NULL);
}

void
stress_begin_passes(Stress *self)
{
    g_thread_pool_push(self->observer, PASS, NULL);
}

static void
handle_domain(gpointer data, const char *uuid)
{
    Stress *self = data;
    g_thread_pool_push(self->observer, g_strdup(uuid), NULL);
}

/* ---- life ---- */

void
stress_open_world(Stress *self)
{
    g_autoptr(GError) error = NULL;
    open_host(self);
    self->folder = g_build_filename(lvp_fake_host_get_root(self->host), "state", NULL);
    self->boot_id = lvp_host_read_boot_id(lvp_fake_host_get_host(self->host));
    self->journal = lvp_journal_open(self->folder, &error);
    self->events = self->journal ? lvp_events_new(self->journal, &error) : NULL;
    self->allocator = self->events ? lvp_allocator_new(self->journal, &error) : NULL;
    if (!self->allocator)
        g_error("%s", error->message);
    lvp_allocator_set_events(self->allocator, self->events);
    stress_reload(self, 0);
    LvpHypervisorCalls calls = {.domain_changed = handle_domain, .data = self};
    self->observer = g_thread_pool_new(observe, self, 1, FALSE, NULL);
    self->hypervisor = stress_hypervisor_new(self, &calls);
    self->jobs = (LvpMachineJobs){
        .allocator = self->allocator,
        .hypervisor = self->hypervisor,
        .boot_id = self->boot_id,
        .orphan_grace_us = GRACE_US,
        .get_now_us = g_get_monotonic_time,
        .default_template = DEFAULT_TEMPLATE,
    };
}

void
stress_close_world(Stress *self)
{
    lvp_hypervisor_free(self->hypervisor);
    lvp_events_free(self->events);
    lvp_allocator_free(self->allocator);
    lvp_journal_close(self->journal);
    lvp_fake_host_free(self->host);
    g_free(self->folder);
    g_free(self->boot_id);
}
