/* SPDX-License-Identifier: Apache-2.0 */
#include <libvirt-provider/error.h>

#include <gio/gio.h>

static const GDBusErrorEntry ENTRIES[] = {
    {LVP_ERROR_INTERNAL, "org.libvirtprovider.Error.Internal"},
    {LVP_ERROR_INVALID_REQUEST, "org.libvirtprovider.Error.InvalidRequest"},
    {LVP_ERROR_NO_CAPACITY, "org.libvirtprovider.Error.NoCapacity"},
    {LVP_ERROR_BUSY, "org.libvirtprovider.Error.Busy"},
    {LVP_ERROR_IN_USE_BY_HOST, "org.libvirtprovider.Error.InUseByHost"},
    {LVP_ERROR_CONFLICT, "org.libvirtprovider.Error.Conflict"},
    {LVP_ERROR_NOT_SUPPORTED, "org.libvirtprovider.Error.NotSupported"},
    {LVP_ERROR_NOT_PERMITTED, "org.libvirtprovider.Error.NotPermitted"},
    {LVP_ERROR_EXISTS, "org.libvirtprovider.Error.Exists"},
    {LVP_ERROR_NOT_FOUND, "org.libvirtprovider.Error.NotFound"},
    {LVP_ERROR_TIMED_OUT, "org.libvirtprovider.Error.TimedOut"},
    {LVP_ERROR_HOST, "org.libvirtprovider.Error.Host"},
    {LVP_ERROR_SOURCE, "org.libvirtprovider.Error.Source"},
    {LVP_ERROR_HYPERVISOR, "org.libvirtprovider.Error.Hypervisor"},
    {LVP_ERROR_NOT_REACHABLE, "org.libvirtprovider.Error.NotReachable"},
    {LVP_ERROR_DAEMON, "org.libvirtprovider.Error.Daemon"},
    {LVP_ERROR_DAMAGED, "org.libvirtprovider.Error.Damaged"},
};

GQuark
lvp_error_quark(void)
{
    static gsize quark = 0;
    g_dbus_error_register_error_domain("lvp-error-quark", &quark, ENTRIES, G_N_ELEMENTS(ENTRIES));
    return (GQuark)quark;
}
