/* SPDX-License-Identifier: Apache-2.0 */
#include "pci-discovery.h"

#include "pci-group.h"
#include "pci-host-use.h"

#include <libvirt-provider/error.h>
#include <string.h>

#define GROUPS "kernel/iommu_groups"

/* One function with the texts of its attributes as they stand in sysfs. */
typedef struct {
    const char *address;
    LvpPciIds ids;
    char vendor[LVP_HOST_VALUE_SIZE], device[LVP_HOST_VALUE_SIZE], class[LVP_HOST_VALUE_SIZE];
    char subsystem_vendor[LVP_HOST_VALUE_SIZE], subsystem_device[LVP_HOST_VALUE_SIZE];
    char revision[LVP_HOST_VALUE_SIZE];
    char driver[LVP_PCI_NAME_SIZE], group[LVP_PCI_NAME_SIZE];
    int node;
} Function;

/* One run: what is read at most once. */
typedef struct {
    const LvpPciDiscovery *discovery;
    LvpPciHostUse *host_use;
} Run;

/* FALSE where the function has vanished meanwhile, or is of no interest. */
static gboolean
read_until_match(const LvpPciDiscovery *self, Function *function, const LvpPciOffer **ret_offer)
{
    LvpHost *host = self->host;
    LvpPciIds *ids = &function->ids;
    const char *address = function->address;
    *ret_offer = NULL;
    if (!lvp_pci_read_hex(host, address, "vendor", function->vendor, &ids->vendor) ||
        (!self->all && !lvp_pci_devices_file_has_vendor(self->file, ids->vendor)))
        return FALSE;
    if (!lvp_pci_read_hex(host, address, "class", function->class, &ids->class_code) ||
        lvp_pci_is_bridge(ids->class_code) ||
        !lvp_pci_read_hex(host, address, "device", function->device, &ids->device))
        return FALSE;
    if (!self->all &&
        !lvp_pci_devices_file_has_device(self->file, ids->vendor, ids->device, ids->class_code))
        return FALSE;
    if (!lvp_pci_read_hex(host, address, "subsystem_vendor", function->subsystem_vendor,
                          &ids->subsystem_vendor) ||
        !lvp_pci_read_hex(host, address, "subsystem_device", function->subsystem_device,
                          &ids->subsystem_device) ||
        !lvp_pci_read_hex(host, address, "revision", function->revision, &ids->revision))
        return FALSE;
    if (self->file)
        *ret_offer = lvp_pci_devices_file_match(self->file, ids);
    return self->all || *ret_offer;
}

static int
read_node(LvpHost *host, const char *address)
{
    char path[LVP_PCI_PATH_SIZE], value[LVP_HOST_VALUE_SIZE];
    gint64 node;
    lvp_pci_path(path, address, "numa_node");
    if (lvp_host_read_value(host, LVP_HOST_SYS, path, value, sizeof value) <= 0 ||
        !g_ascii_string_to_signed(value, 10, LVP_NODE_NONE, 1023, &node, NULL))
        return LVP_NODE_NONE;
    return (int)node;
}

/* What is said of a member of the group, said of the unit at ADDRESS; takes over TEXT. */
static char *
tell(const LvpPciMember *member, const char *address, char *text)
{
    g_autofree char *own = text;
    if (!text || strcmp(member->address, address) == 0)
        return g_steal_pointer(&own);
    return g_strdup_printf("its neighbour %s: %s", member->address, text);
}

static char *
find_sriov_problem(LvpHost *host, const LvpPciGroup *group, const char *address)
{
    char *problem = NULL;
    for (guint i = 0; !problem && i < group->members->len; i++) {
        const LvpPciMember *member = &g_array_index(group->members, LvpPciMember, i);
        problem = tell(member, address, lvp_pci_find_sriov_problem(host, member->address));
    }
    return problem;
}

static char *
find_problem(const LvpPciDiscovery *self,
             const Function *function,
             const LvpPciGroup *group,
             const LvpPciOffer *offer)
{
    if (function->group[0] == '\0') {
        g_auto(GStrv) groups = lvp_host_list(self->host, LVP_HOST_SYS, GROUPS, NULL);
        if (!groups || !groups[0])
            return g_strdup("the IOMMU is off: switch on VT-d or AMD-Vi in the firmware and boot "
                            "with intel_iommu=on or amd_iommu=on");
        return g_strdup("it has no IOMMU group: the kernel cannot isolate it");
    }
    if (self->vfio_problem)
        return g_strdup(self->vfio_problem);
    char *problem = lvp_pci_group_find_problem(group, function->group, offer);
    return problem ? problem : find_sriov_problem(self->host, group, function->address);
}

/* What this process is just doing is no news: it ends, and the machine's state tells of it. */
static gboolean
is_in_flight(LvpHost *host, const char *address, const char *driver)
{
    return lvp_host_is_stuck(host, address) ||
           (driver[0] == '\0' && lvp_pci_is_leaving_vfio(host, address) &&
            !lvp_host_is_working(host, address));
}

/* What may keep a member of the group from being taken, said of the unit. */
static void
judge_member(Run *run, const LvpPciMember *member, const char *address, LvpUnit *unit)
{
    LvpHost *host = run->discovery->host;
    gboolean in_flight = is_in_flight(host, member->address, member->driver);
    if (in_flight || strcmp(member->driver, "vfio-pci") == 0)
        lvp_unit_set_taken(unit);
    if (in_flight) {
        g_autofree char *told = tell(
            member, address, g_strdup("an operation on it has not returned from the kernel yet"));
        lvp_unit_add_condition(unit, LVP_CONDITION_BLOCKED, told);
    }
    g_autofree char *use = tell(
        member, address,
        lvp_pci_host_use_find(run->host_use, member->address, member->class_code, member->driver));
    if (use)
        lvp_unit_add_condition(unit, LVP_CONDITION_HOST, use);
}

static gboolean
judge(Run *run, const Function *function, const LvpPciOffer *offer, LvpUnit *unit, GError **error)
{
    const LvpPciDiscovery *self = run->discovery;
    if (!run->host_use &&
        !(run->host_use = lvp_pci_host_use_read(self->host, self->timeout_ms, error)))
        return FALSE;
    g_autoptr(LvpPciGroup) group = lvp_pci_group_read(self->host, function->group,
                                                      function->address, function->ids.class_code);
    g_autofree char *problem = find_problem(self, function, group, offer);
    for (guint i = 0; i < group->members->len; i++) {
        const LvpPciMember *member = &g_array_index(group->members, LvpPciMember, i);
        /* Of a group that is not taken as a whole, the function itself is what counts. */
        if (!problem || strcmp(member->address, function->address) == 0)
            judge_member(run, member, function->address, unit);
    }
    if (problem)
        lvp_unit_set_unusable(unit, problem);
    return TRUE;
}

static gboolean
add_function(
    Run *run, LvpSnapshot *snapshot, Function *function, const LvpPciOffer *offer, GError **error)
{
    LvpHost *host = run->discovery->host;
    function->node = read_node(host, function->address);
    lvp_pci_read_driver(host, function->address, function->driver);
    lvp_pci_read_group(host, function->address, function->group);
    g_autofree char *identity = lvp_pci_make_identity(&function->ids);
    LvpUnit *unit = lvp_snapshot_add_unit(snapshot, offer ? offer->resource : NULL,
                                          function->address, identity, function->node);
    const struct {
        const char *key, *value;
    } attributes[] = {
        {"driver", function->driver},
        /* While a machine holds it, the core keeps what was said before. */
        {"originalDriver", strcmp(function->driver, "vfio-pci") == 0 ? "" : function->driver},
        {"vendor", function->vendor},
        {"device", function->device},
        {"class", function->class},
        {"subsystemVendor", function->subsystem_vendor},
        {"subsystemDevice", function->subsystem_device},
        {"revision", function->revision},
        {"iommuGroup", function->group},
    };
    for (guint i = 0; i < G_N_ELEMENTS(attributes); i++)
        lvp_unit_set_attribute(unit, attributes[i].key, attributes[i].value);
    if (function->group[0] != '\0') {
        char set[LVP_PCI_NAME_SIZE + 8];
        g_snprintf(set, sizeof set, "iommu:%s", function->group);
        lvp_unit_add_exclusion_set(unit, set);
    }
    return judge(run, function, offer, unit, error);
}

gboolean
lvp_pci_discover(const LvpPciDiscovery *self, LvpSnapshot *snapshot, GError **error)
{
    const GPtrArray *resources = self->file ? lvp_pci_devices_file_get_resources(self->file) : NULL;
    for (guint i = 0; resources && i < resources->len; i++)
        lvp_snapshot_add_pool(snapshot, g_ptr_array_index(resources, i));
    if (!self->file && !self->all)
        return TRUE;
    g_autoptr(GError) missing = NULL;
    g_auto(GStrv) addresses = lvp_host_list(self->host, LVP_HOST_SYS, LVP_PCI_DEVICES, &missing);
    if (!addresses && g_error_matches(missing, LVP_ERROR, LVP_ERROR_NOT_FOUND))
        return TRUE; /* a machine without PCI */
    if (!addresses) {
        g_propagate_error(error, g_steal_pointer(&missing));
        return FALSE;
    }
    Run run = {self, NULL};
    gboolean ok = TRUE;
    for (guint i = 0; ok && addresses[i]; i++) {
        const LvpPciOffer *offer;
        Function function = {.address = addresses[i]};
        if (lvp_pci_is_address(addresses[i], strlen(addresses[i])) &&
            read_until_match(self, &function, &offer))
            ok = add_function(&run, snapshot, &function, offer, error);
    }
    lvp_pci_host_use_free(run.host_use);
    return ok;
}
