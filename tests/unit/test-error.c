/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <gio/gio.h>
#include <libvirt-provider/error.h>

#define PREFIX "org.libvirtprovider.Error."

Test(error, every_code_has_a_bus_name_of_its_own)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int code = 0; code <= LVP_ERROR_DAEMON; code++) {
        g_autoptr(GError) error = g_error_new_literal(LVP_ERROR, code, "text");
        char *name = g_dbus_error_encode_gerror(error);
        cr_assert(g_str_has_prefix(name, PREFIX), "code %d is %s", code, name);
        cr_assert(g_hash_table_add(names, name), "code %d has the name of another", code);
    }
}

Test(error, code_comes_back_over_the_bus)
{
    g_autoptr(GError) sent = g_error_new_literal(LVP_ERROR, LVP_ERROR_IN_USE_BY_HOST, "mounted");
    g_autofree char *name = g_dbus_error_encode_gerror(sent);
    g_autoptr(GError) received = g_dbus_error_new_for_dbus_error(name, sent->message);
    cr_assert_str_eq(name, PREFIX "InUseByHost");
    cr_assert(g_error_matches(received, LVP_ERROR, LVP_ERROR_IN_USE_BY_HOST));
}
