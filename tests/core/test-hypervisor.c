/* SPDX-License-Identifier: Apache-2.0 */
/* What libvirt answers, by its test driver, which this process shares with the connection of the
 * test. */
#include "assert-error.h"
#include "hypervisor.h"
#include "wait-until.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#define URI "test:///default"
#define UUID "4dea22b3-1d52-48f3-9516-782e98ab3fa0"
#define OTHER_UUID "4dea22b3-1d52-48f3-9516-782e98ab3fa1"

static LvpHypervisor *hypervisor;
static virConnectPtr admin;

static void
ignore_connection(gpointer data, gboolean connected)
{
    (void)data;
    (void)connected;
}

static void
ignore_domain(gpointer data, const char *uuid)
{
    (void)data;
    (void)uuid;
}

static gboolean
is_connected(gpointer data)
{
    (void)data;
    g_autofree char *problem = lvp_hypervisor_dup_problem(hypervisor);
    return problem == NULL;
}

static void
set_up(void)
{
    const LvpHypervisorCalls calls = {ignore_connection, ignore_domain, NULL};
    hypervisor = lvp_hypervisor_new(URI, &calls);
    lvp_hypervisor_connect(hypervisor);
    cr_assert(lvp_wait_until(is_connected, NULL));
    admin = virConnectOpen(URI);
    cr_assert_not_null(admin);
}

static void
tear_down(void)
{
    virConnectClose(admin);
    lvp_hypervisor_free(hypervisor);
}

TestSuite(hypervisor, .init = set_up, .fini = tear_down, .timeout = 60);

static gboolean
define(const char *name, const char *uuid, const char *type, GError **error)
{
    g_autofree char *xml = g_strdup_printf("<domain type='%s'><name>%s</name><uuid>%s</uuid>"
                                           "<memory>65536</memory><os><type>hvm</type></os>"
                                           "</domain>",
                                           type, name, uuid);
    return lvp_hypervisor_define(hypervisor, xml, error);
}

static void
assert_state(LvpDomainState expected)
{
    LvpDomainState state = LVP_DOMAIN_UNKNOWN;
    cr_assert(lvp_hypervisor_get_state(hypervisor, UUID, &state, NULL));
    cr_assert_eq(state, expected, "%d", state);
}

Test(hypervisor, paused_domain_is_resumed_by_a_start)
{
    g_autoptr(GError) error = NULL;
    cr_assert(define("vm1", UUID, "test", &error));
    cr_assert(lvp_hypervisor_start(hypervisor, UUID, &error));
    virDomainPtr domain = virDomainLookupByUUIDString(admin, UUID);
    cr_assert_eq(virDomainSuspend(domain), 0);
    virDomainFree(domain);
    assert_state(LVP_DOMAIN_PAUSED);
    cr_assert(lvp_hypervisor_start(hypervisor, UUID, &error));
    assert_no_error(error);
    assert_state(LVP_DOMAIN_RUNNING);
}

Test(hypervisor, domain_that_runs_is_well_started)
{
    g_autoptr(GError) error = NULL;
    cr_assert(define("vm1", UUID, "test", &error));
    cr_assert(lvp_hypervisor_start(hypervisor, UUID, &error));
    cr_assert(lvp_hypervisor_start(hypervisor, UUID, &error));
    assert_no_error(error);
    assert_state(LVP_DOMAIN_RUNNING);
}

Test(hypervisor, name_that_somebody_has_taken_exists)
{
    g_autoptr(GError) error = NULL;
    cr_assert(define("vm1", OTHER_UUID, "test", &error));
    cr_assert_not(define("vm1", UUID, "test", &error));
    assert_error(error, LVP_ERROR_EXISTS);
    assert_contains(error->message, "vm1");
}

Test(hypervisor, domain_that_the_driver_does_not_know_is_bad_input)
{
    g_autoptr(GError) error = NULL;
    cr_assert_not(define("vm1", UUID, "nosuch", &error));
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    assert_contains(error->message, "look at the template");
}

Test(hypervisor, start_of_an_unknown_domain_is_not_found)
{
    g_autoptr(GError) error = NULL;
    cr_assert_not(lvp_hypervisor_start(hypervisor, UUID, &error));
    assert_error(error, LVP_ERROR_NOT_FOUND);
}
