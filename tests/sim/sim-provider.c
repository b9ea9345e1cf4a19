/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-provider.h"

#include "default-template.h"
#include "linked-provider.h"
#include "sim-mutants.h"

#include "setup.h"

#include <libvirt-provider/error.h>
#include <string.h>

#define DRIVER_TIMEOUT "5s"

static const char DEVICES[] = "vendors:\n"
                              "- id: '0x10de'\n"
                              "  name: acme\n"
                              "  devices:\n"
                              "  - {id: '0x20b7', type: gpu, name: g}\n"
                              "  - {id: '0x1572', type: nic, name: n}\n"
                              "  - {id: '0x2203', type: disk, name: d}\n"
                              "  - {id: '0x2204', type: fpga, name: f, group: allow}\n"
                              "  - {id: '0x10c9', type: pf, name: p}\n"
                              "  - {id: '0x37c8', type: pf, name: p}\n"
                              "  - {id: '0x10ca', type: vf, name: v}\n"
                              "  - {id: '0x37c9', type: vf, name: v}\n";

static const char CLASSES[] =
    "- {name: plain, capabilities: {cpu: 1, memory: 1Gi}}\n"
    "- {name: gpu, capabilities: {cpu: 1, memory: 1Gi, gpu.acme/g: 1}}\n"
    "- {name: gpus, capabilities: {cpu: 2, memory: 2Gi, gpu.acme/g: 2}}\n"
    "- {name: nic, capabilities: {cpu: 500m, memory: 64Mi, nic.acme/n: 1}}\n"
    "- {name: both, capabilities: {cpu: 1, memory: 1Gi, nic.acme/n: 1, disk.acme/d: 1}}\n"
    "- {name: disk, capabilities: {cpu: 1, memory: 1Gi, disk.acme/d: 1}}\n"
    "- {name: fpga, capabilities: {cpu: 1, memory: 1Gi, fpga.acme/f: 1}}\n"
    "- {name: pf, capabilities: {cpu: 1, memory: 1Gi, pf.acme/p: 1}}\n"
    "- {name: vf, capabilities: {cpu: 1, memory: 1Gi, vf.acme/v: 1}}\n"
    "- {name: vfs, capabilities: {cpu: 1, memory: 1Gi, vf.acme/v: 2}}\n"
    "- {name: all, capabilities: {cpu: 1, memory: 1Gi, gpu.acme/g: 1, nic.acme/n: 2}}\n";

/* ---- the configuration ---- */

static LvpConfig *
make_config(SimWorld *world, const char *mutant)
{
    lvp_fake_host_set_file(world->host, "classes.yaml", CLASSES);
    lvp_fake_host_set_file(world->host, "pci_devices.yaml", DEVICES);
    LvpConfig *config = linked_config_new(lvp_fake_host_get_root(world->host));
    const LvpConfiguredSource *pci = linked_config_get_pci(config);
    sim_mutate_pci(mutant, pci->module->table);
    lvp_options_set(pci->options, "pci-driver-timeout", DRIVER_TIMEOUT, NULL);
    return config;
}

/* ---- life ---- */

SimProvider *
sim_provider_new(SimWorld *world, const char *mutant)
{
    SimProvider *self = g_new0(SimProvider, 1);
    self->world = world;
    self->config = make_config(world, mutant);
    self->folder = g_build_filename(lvp_fake_host_get_root(world->host), "state", NULL);
    return self;
}

void
sim_provider_free(SimProvider *self)
{
    sim_provider_stop(self);
    lvp_config_free(self->config);
    g_free(self->folder);
    g_free(self);
}

void
sim_provider_stop(SimProvider *self)
{
    g_clear_pointer(&self->allocator, lvp_allocator_free);
    g_clear_pointer(&self->journal, lvp_journal_close);
    g_clear_pointer(&self->hypervisor, lvp_hypervisor_free);
    g_clear_pointer(&self->host, lvp_host_free);
    g_clear_pointer(&self->boot_id, g_free);
}

gboolean
sim_provider_install(SimProvider *self, GError **error)
{
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    LvpSourceContextCalls calls = {0};
    return lvp_setup_install(self->config, self->host, &calls, self->allocator, diagnostics, error);
}

static gboolean
start(SimProvider *self, GError **error)
{
    self->host = lvp_fake_host_new_host(self->world->host);
    sim_world_attach(self->world, self->host);
    self->boot_id = lvp_host_read_boot_id(self->host);
    self->journal = lvp_journal_open(self->folder, error);
    if (!self->journal || !(self->allocator = lvp_allocator_new(self->journal, error)) ||
        !sim_provider_install(self, error))
        return FALSE;
    self->hypervisor = sim_hypervisor_new(self->world);
    self->jobs = (LvpMachineJobs){
        .allocator = self->allocator,
        .hypervisor = self->hypervisor,
        .boot_id = self->boot_id,
        .orphan_grace_us = SIM_GRACE_US,
        .get_now_us = sim_get_now_us,
        .default_template = DEFAULT_TEMPLATE,
    };
    return !self->world->fate->dead;
}

gboolean
sim_provider_start(SimProvider *self, GError **error)
{
    if (start(self, error))
        return TRUE;
    if (error && !*error)
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "it died");
    sim_provider_stop(self);
    return FALSE;
}
