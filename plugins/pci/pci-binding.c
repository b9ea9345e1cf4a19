/* SPDX-License-Identifier: Apache-2.0 */
/* The order is override, unbind, probe: between unbind and probe nothing but the driver in the
 * override can take the function. A probe reports success whatever happened, so the driver link
 * decides. */
#include "pci-binding.h"

#include "pci-host-use.h"

#include <libvirt-provider/error.h>
#include <string.h>

#define UNSET_OVERRIDE "(null)"
#define PROBE_WAIT_MS 200
#define HOLDER_WAIT_MS 10000
#define POLL_US 20000

/* ---- reading ---- */

static gboolean
has_driver(const LvpPciBinder *self, const char *name)
{
    g_autofree char *path = g_strdup_printf(LVP_PCI_DRIVERS "/%s", name);
    return lvp_host_exists(self->host, LVP_HOST_SYS, path);
}

gboolean
lvp_pci_load_vfio(const LvpPciBinder *self, GError **error)
{
    if (has_driver(self, LVP_PCI_VFIO))
        return TRUE;
    g_autoptr(GError) why = NULL;
    lvp_host_load_module(self->host, LVP_PCI_VFIO, self->timeout_ms, &why);
    if (has_driver(self, LVP_PCI_VFIO))
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_SUPPORTED,
                "driver vfio-pci is not there (%s): load it with modprobe vfio-pci",
                why ? why->message : "its module has loaded, but registered no driver");
    return FALSE;
}

char *
lvp_pci_read_override(const LvpPciBinder *self, const char *address, GError **error)
{
    char path[LVP_PCI_PATH_SIZE];
    lvp_pci_path(path, address, "driver_override");
    char *override = lvp_host_read_guarded(self->host, path, address, self->timeout_ms, error);
    if (override && strcmp(override, UNSET_OVERRIDE) == 0)
        override[0] = '\0';
    return override;
}

static gboolean
has_identity(const LvpPciBinder *self, const LvpPciBinding *binding)
{
    LvpPciIds ids;
    if (!lvp_pci_read_ids(self->host, binding->address, &ids))
        return FALSE;
    g_autofree char *identity = lvp_pci_make_identity(&ids);
    return strcmp(identity, binding->identity) == 0;
}

static gboolean
is_bound_to(const LvpPciBinder *self, const char *address, const char *driver)
{
    char current[LVP_PCI_NAME_SIZE];
    lvp_pci_read_driver(self->host, address, current);
    return strcmp(current, driver) == 0;
}

/* ---- writing ---- */

static gboolean
write_override(const LvpPciBinder *self, const char *address, const char *driver, GError **error)
{
    char path[LVP_PCI_PATH_SIZE];
    lvp_pci_path(path, address, "driver_override");
    /* A line end clears it; a write of nothing would change nothing. */
    g_autofree char *text = g_strconcat(driver, "\n", NULL);
    return lvp_host_write(self->host, path, text, address, self->timeout_ms, error);
}

/* The same, and looks whether it came. */
static gboolean
set_override(const LvpPciBinder *self, const char *address, const char *driver, GError **error)
{
    if (!write_override(self, address, driver, error))
        return FALSE;
    g_autofree char *after = lvp_pci_read_override(self, address, error);
    if (!after)
        return FALSE;
    if (strcmp(after, driver) == 0)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                "driver_override is '%s' after it was set to '%s'", after, driver);
    return FALSE;
}

/* From DRIVER by its name, so from no other that may have got it since it was looked at: on
 * vfio-pci it may be in use. */
static gboolean
unbind(const LvpPciBinder *self, const char *address, const char *driver, GError **error)
{
    char current[LVP_PCI_NAME_SIZE];
    g_autofree char *path = g_strdup_printf(LVP_PCI_DRIVERS "/%s/unbind", driver);
    GError *problem = NULL;
    if (!lvp_host_write(self->host, path, address, address, self->timeout_ms, &problem)) {
        lvp_pci_read_driver(self->host, address, current);
        if (current[0] != '\0' || g_error_matches(problem, LVP_ERROR, LVP_ERROR_TIMED_OUT)) {
            g_propagate_error(error, problem);
            return FALSE;
        }
        g_error_free(problem); /* somebody was faster */
        return TRUE;
    }
    lvp_pci_read_driver(self->host, address, current);
    if (current[0] == '\0')
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                "the kernel took the unbind, but %s is still bound to %s", address, current);
    return FALSE;
}

static gboolean
wait_for_driver(const LvpPciBinder *self, const char *address, const char *driver)
{
    gint64 deadline =
        lvp_host_get_now_us(self->host) + (gint64)MIN(self->timeout_ms, PROBE_WAIT_MS) * 1000;
    while (!is_bound_to(self, address, driver)) {
        if (lvp_host_get_now_us(self->host) > deadline)
            return FALSE;
        lvp_host_sleep(self->host, POLL_US);
    }
    return TRUE;
}

/* Probes, and where that was of no use, binds by name: that tells the real reason. */
static gboolean
probe(const LvpPciBinder *self, const char *address, const char *driver, GError **error)
{
    if (!lvp_host_write(self->host, "bus/pci/drivers_probe", address, address, self->timeout_ms,
                        error))
        return FALSE;
    if (wait_for_driver(self, address, driver))
        return TRUE;
    if (!has_driver(self, driver)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "driver %s is not loaded", driver);
        return FALSE;
    }
    g_autofree char *path = g_strdup_printf(LVP_PCI_DRIVERS "/%s/bind", driver);
    if (!lvp_host_write(self->host, path, address, address, self->timeout_ms, error))
        return FALSE;
    if (wait_for_driver(self, address, driver))
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                "the kernel took the bind, but %s did not bind to %s", address, driver);
    return FALSE;
}

/* ---- take ---- */

static gboolean
check_host_use(const LvpPciBinder *self, const LvpPciBinding *binding, GError **error)
{
    LvpPciIds ids;
    char driver[LVP_PCI_NAME_SIZE];
    if (!lvp_pci_read_ids(self->host, binding->address, &ids)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND, "%s has vanished", binding->address);
        return FALSE;
    }
    lvp_pci_read_driver(self->host, binding->address, driver);
    g_autoptr(LvpPciHostUse) host_use = lvp_pci_host_use_read(self->host, self->timeout_ms, error);
    if (!host_use)
        return FALSE;
    g_autofree char *use =
        lvp_pci_host_use_find(host_use, binding->address, ids.class_code, driver);
    if (!use)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_IN_USE_BY_HOST, "the host uses it: %s", use);
    return FALSE;
}

/* Who may use it and knows nothing of us. */
static gboolean
check_holder(const LvpPciBinder *self, const LvpPciBinding *binding, int code, GError **error)
{
    g_autofree char *device = g_strdup_printf("vfio/%s", binding->group);
    g_autofree char *holder = lvp_host_find_opener(self->host, device);
    if (!holder)
        return TRUE;
    g_set_error(error, LVP_ERROR, code, "%s has its IOMMU group %s open", holder, binding->group);
    return FALSE;
}

static gboolean
check_sriov(const LvpPciBinder *self, const char *address, GError **error)
{
    g_autofree char *problem = lvp_pci_find_sriov_problem(self->host, address);
    if (!problem)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_CONFLICT, "%s", problem);
    return FALSE;
}

static gboolean
check_before_take(const LvpPciBinder *self, const LvpPciBinding *binding, GError **error)
{
    char driver[LVP_PCI_NAME_SIZE];
    if (!has_identity(self, binding)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_CONFLICT,
                    "it is not there any more, or another device stands at its address");
        return FALSE;
    }
    lvp_pci_read_driver(self->host, binding->address, driver);
    if (!check_sriov(self, binding->address, error))
        return FALSE;
    if (strcmp(driver, LVP_PCI_VFIO) == 0)
        return check_holder(self, binding, LVP_ERROR_IN_USE_BY_HOST, error);
    return lvp_pci_load_vfio(self, error) && check_host_use(self, binding, error);
}

static gboolean
prefix_take(GError **error, const LvpPciBinding *binding)
{
    g_prefix_error(error, "cannot bind %s to vfio-pci: ", binding->address);
    return FALSE;
}

gboolean
lvp_pci_check(const LvpPciBinder *self, const LvpPciBinding *binding, GError **error)
{
    return check_before_take(self, binding, error) || prefix_take(error, binding);
}

static gboolean
carry_out_take(const LvpPciBinder *self, const LvpPciBinding *binding, GError **error)
{
    const char *address = binding->address;
    char driver[LVP_PCI_NAME_SIZE];
    if (!check_before_take(self, binding, error))
        return FALSE;
    lvp_pci_read_driver(self->host, address, driver);
    /* Also where it is bound already: else a replug or rescan could hand it to the host's driver.
     */
    if (strcmp(driver, LVP_PCI_VFIO) == 0)
        return check_holder(self, binding, LVP_ERROR_IN_USE_BY_HOST, error) &&
               set_override(self, address, LVP_PCI_VFIO, error);
    if (!write_override(self, address, LVP_PCI_VFIO, error))
        return FALSE;
    if (driver[0] != '\0' &&
        (!check_sriov(self, address, error) || !check_host_use(self, binding, error) ||
         !unbind(self, address, driver, error)))
        return FALSE;
    return probe(self, address, LVP_PCI_VFIO, error);
}

gboolean
lvp_pci_take(const LvpPciBinder *self, const LvpPciBinding *binding, GError **error)
{
    return carry_out_take(self, binding, error) || prefix_take(error, binding);
}

/* ---- put back ---- */

/* The one who still has the group open, after a time in which a QEMU that was ended lets go of it.
 */
static char *
wait_for_holder(const LvpPciBinder *self, const LvpPciBinding *binding)
{
    gint64 deadline =
        lvp_host_get_now_us(self->host) + (gint64)MIN(self->timeout_ms, HOLDER_WAIT_MS) * 1000;
    g_autofree char *device = g_strdup_printf("vfio/%s", binding->group);
    for (;;) {
        char *holder = lvp_host_find_opener(self->host, device);
        if (!holder || lvp_host_get_now_us(self->host) > deadline)
            return holder;
        g_free(holder);
        lvp_host_sleep(self->host, POLL_US);
    }
}

static gboolean
restore_driver(const LvpPciBinder *self,
               const LvpPciBinding *binding,
               const char *current,
               GError **error)
{
    const char *address = binding->address;
    if (strcmp(current, binding->driver) == 0)
        return TRUE;
    /* With the original driver in the override, no other that matches can be faster. */
    if (!write_override(self, address, binding->driver, error))
        return FALSE;
    /* Since the last look somebody may have started to use it. */
    if (current[0] != '\0' && (!check_holder(self, binding, LVP_ERROR_BUSY, error) ||
                               !unbind(self, address, current, error)))
        return FALSE;
    return binding->driver[0] == '\0' || probe(self, address, binding->driver, error);
}

static gboolean
restore_override(const LvpPciBinder *self, const LvpPciBinding *binding, GError **error)
{
    g_autofree char *current = lvp_pci_read_override(self, binding->address, error);
    if (!current)
        return FALSE;
    if (strcmp(current, binding->override) == 0)
        return TRUE;
    return set_override(self, binding->address, binding->override, error);
}

/* What one guest has left in the device shall not meet the next. Only while nobody has it open: the
 * kernel resets a device under a running guest, too. That a method is listed does not say that it
 * works: a device may answer that there is none. */
static gboolean
reset(const LvpPciBinder *self, const char *address, GError **error)
{
    char path[LVP_PCI_PATH_SIZE];
    g_autoptr(GError) problem = NULL;
    if (!lvp_host_exists(self->host, LVP_HOST_SYS, lvp_pci_path(path, address, "reset")) ||
        lvp_host_write(self->host, path, "1", address, self->timeout_ms, &problem) ||
        g_error_matches(problem, LVP_ERROR, LVP_ERROR_NOT_SUPPORTED))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* Whether driver and override are what they were before us: then there is nothing to put back. */
static gboolean
is_as_before(const LvpPciBinder *self, const LvpPciBinding *binding, const char *current)
{
    if (strcmp(current, binding->driver) != 0)
        return FALSE;
    g_autofree char *override = lvp_pci_read_override(self, binding->address, NULL);
    return g_strcmp0(override, binding->override) == 0;
}

/* A card that is gone, or another in its place, owes nothing: the kernel has forgotten ours. */
static gboolean
is_forgotten(const LvpPciBinder *self, const LvpPciBinding *binding)
{
    return !lvp_pci_is_present(self->host, binding->address) || !has_identity(self, binding);
}

static LvpVerdict
fail_with(const GError *error, const char *what, char **ret_reason)
{
    gboolean blocked = error->code == LVP_ERROR_TIMED_OUT || error->code == LVP_ERROR_BUSY;
    *ret_reason = g_strdup_printf("%s: %s", what, error->message);
    return blocked ? LVP_VERDICT_BLOCKED : LVP_VERDICT_FAILED;
}

static LvpVerdict
carry_out_put_back(const LvpPciBinder *self, const LvpPciBinding *binding, char **ret_reason)
{
    char current[LVP_PCI_NAME_SIZE];
    g_autoptr(GError) error = NULL;
    if (lvp_host_is_stuck(self->host, binding->address)) {
        *ret_reason = g_strdup("an earlier operation on it has not returned from the kernel yet");
        return LVP_VERDICT_BLOCKED;
    }
    if (is_forgotten(self, binding))
        return LVP_VERDICT_DONE;
    lvp_pci_read_driver(self->host, binding->address, current);
    gboolean ours = strcmp(current, LVP_PCI_VFIO) == 0;
    if (!ours && current[0] != '\0' && strcmp(current, binding->driver) != 0) {
        *ret_reason = g_strdup_printf("somebody has bound it to %s; it was on %s before", current,
                                      binding->driver[0] ? binding->driver : "no driver");
        return LVP_VERDICT_FAILED;
    }
    if (current[0] == '\0' && lvp_pci_is_leaving_vfio(self->host, binding->address)) {
        *ret_reason = g_strdup("the kernel has not finished taking it from vfio-pci");
        return LVP_VERDICT_BLOCKED;
    }
    g_autofree char *holder = ours ? wait_for_holder(self, binding) : NULL;
    /* One that was on vfio-pci before us may have been taken by somebody else meanwhile. */
    if (holder && is_as_before(self, binding, current))
        return LVP_VERDICT_DONE;
    if (holder) {
        *ret_reason =
            g_strdup_printf("%s still has its IOMMU group %s open", holder, binding->group);
        return LVP_VERDICT_BLOCKED;
    }
    if (ours && !reset(self, binding->address, &error))
        return fail_with(error, "cannot reset it", ret_reason);
    if (!restore_driver(self, binding, current, &error)) {
        g_autofree char *what = g_strdup_printf("cannot give it back to %s",
                                                binding->driver[0] ? binding->driver : "no driver");
        return fail_with(error, what, ret_reason);
    }
    if (!restore_override(self, binding, &error))
        return fail_with(error, "cannot restore its driver_override", ret_reason);
    return LVP_VERDICT_DONE;
}

LvpVerdict
lvp_pci_put_back(const LvpPciBinder *self, const LvpPciBinding *binding, char **ret_reason)
{
    LvpVerdict verdict = carry_out_put_back(self, binding, ret_reason);
    /* It may have gone meanwhile. */
    if (verdict != LVP_VERDICT_FAILED || !is_forgotten(self, binding))
        return verdict;
    g_clear_pointer(ret_reason, g_free);
    return LVP_VERDICT_DONE;
}

/* ---- compare ---- */

LvpVerdict
lvp_pci_compare(const LvpPciBinder *self, const LvpPciBinding *binding, char **ret_reason)
{
    char current[LVP_PCI_NAME_SIZE];
    if (lvp_host_is_stuck(self->host, binding->address)) {
        *ret_reason = g_strdup("an earlier operation on it has not returned from the kernel yet");
        return LVP_VERDICT_BLOCKED;
    }
    if (!lvp_pci_is_present(self->host, binding->address)) {
        *ret_reason = g_strdup("it is not there any more");
        return LVP_VERDICT_LOST;
    }
    if (!has_identity(self, binding)) {
        *ret_reason = g_strdup("another device stands at its address now");
        return LVP_VERDICT_REPLACED;
    }
    lvp_pci_read_driver(self->host, binding->address, current);
    if (strcmp(current, LVP_PCI_VFIO) == 0)
        return LVP_VERDICT_MATCHES;
    if (current[0] == '\0' && lvp_pci_is_leaving_vfio(self->host, binding->address)) {
        *ret_reason = g_strdup("the kernel has not finished taking it from vfio-pci");
        return LVP_VERDICT_BLOCKED;
    }
    *ret_reason = g_strdup_printf("it is on %s and has to be bound to vfio-pci again",
                                  current[0] ? current : "no driver");
    return LVP_VERDICT_NEEDS_COMMIT;
}
