/* SPDX-License-Identifier: Apache-2.0 */
/* From lpctl's client over the socket, the service and a job to a domain, and back. */
#include "assert-error.h"
#include "control-case.h"
#include "control-server.h"
#include "ctl/client.h"
#include "wait-until.h"
#include "world.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static ControlCase control;
static LvpClient *client;

static void
set_up(void)
{
    control_case_init(&control);
}

static void
tear_down(void)
{
    g_clear_pointer(&client, lvp_client_free);
    control_case_clear(&control);
}

TestSuite(control, .init = set_up, .fini = tear_down, .timeout = 60);

static void
start(void)
{
    g_autoptr(GError) error = NULL;
    control_case_start(&control);
    client = lvp_client_new(control.socket, &error);
    assert_no_error(error);
}

/* The answer as text; ARGUMENTS is GVariant text, such as "('vm1',)". g_free(). */
static char *
call(const char *method, const char *arguments)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer =
        lvp_client_call(client, method, g_variant_new_parsed(arguments), &error);
    assert_no_error(error);
    return g_variant_print(answer, FALSE);
}

static GVariant *
run_job(const char *method, const char *arguments)
{
    g_autoptr(GError) error = NULL;
    GVariant *result =
        lvp_client_run_job(client, method, g_variant_new_parsed(arguments), 0, &error);
    assert_no_error(error);
    return result;
}

static void
run(const char *method, const char *arguments)
{
    g_variant_unref(run_job(method, arguments));
}

/* The job is refused or fails with CODE and a text that has PART. */
static void
assert_fails(const char *method, const char *arguments, int code, const char *part)
{
    g_autoptr(GError) error = NULL;
    GVariant *result =
        lvp_client_run_job(client, method, g_variant_new_parsed(arguments), 0, &error);
    cr_assert_null(result);
    cr_assert_not_null(error);
    cr_assert(g_error_matches(error, LVP_ERROR, code), "%d: %s", error->code, error->message);
    assert_contains(error->message, part);
}

#define CREATE_VM1 "({'name': <'vm1'>, 'class': <'gpu'>},)"

/* ---- the socket ---- */

Test(control, socket_is_for_owner_and_group_and_goes_with_the_server)
{
    struct stat status;
    start();
    cr_assert_eq(stat(control.socket, &status), 0);
    cr_assert(S_ISSOCK(status.st_mode));
    cr_assert_eq(status.st_mode & 07777, 0660);
    control_case_stop(&control);
    cr_assert_eq(access(control.socket, F_OK), -1);
}

Test(control, socket_that_nobody_listens_on_is_replaced)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    lvp_scratch_make_folder(control.scratch, "run");
    g_strlcpy(address.sun_path, control.socket, sizeof address.sun_path);
    int leftover = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(leftover, (struct sockaddr *)&address, sizeof address), 0);
    close(leftover);
    start();
    g_free(call("GetStatus", "()"));
}

Test(control, socket_that_somebody_listens_on_is_busy)
{
    g_autoptr(GError) error = NULL;
    start();
    cr_assert_null(lvp_control_server_new(NULL, control.socket, &error));
    assert_error(error, LVP_ERROR_BUSY);
    assert_contains(error->message, "--control-socket");
    g_free(call("GetStatus", "()"));
}

Test(control, file_in_place_of_the_socket_is_refused_and_left_alone)
{
    g_autoptr(GError) error = NULL;
    lvp_scratch_write(control.scratch, "run/control.sock", "text");
    cr_assert_null(lvp_control_server_new(NULL, control.socket, &error));
    assert_error(error, LVP_ERROR_HOST);
    g_autofree char *text = lvp_scratch_read(control.scratch, "run/control.sock");
    cr_assert_str_eq(text, "text");
}

Test(control, client_without_a_daemon_says_so)
{
    g_autoptr(GError) error = NULL;
    cr_assert_null(lvp_client_new(control.socket, &error));
    assert_error(error, LVP_ERROR_DAEMON);
    assert_contains(error->message, control.socket);
}

Test(control, client_of_a_daemon_that_dies_in_a_job_says_so)
{
    start();
    assert_fails("CreateMachine", "({'name': <'dies'>, 'class': <'gpu'>},)", LVP_ERROR_DAEMON,
                 "went away");
    waitpid(control.server, NULL, 0);
    control.server = 0;
}

/* ---- machines ---- */

Test(control, result_of_a_create_is_the_machines_row)
{
    start();
    g_autoptr(GVariant) row =
        run_job("CreateMachine", "({'name': <'vm1'>, 'class': <'gpu'>, 'uuid': <'" WORLD_UUID "'>, "
                                 "'labels': <{'a': 'b'}>, 'start': <false>},)");
    g_autofree char *text = g_variant_print(row, FALSE);
    assert_contains(text, "'name': <'vm1'>");
    assert_contains(text, "'uuid': <'" WORLD_UUID "'>");
    assert_contains(text, "'state': <'stopped'>");
    assert_contains(text, "'devices': <['" CARD_1 "']>");
    assert_contains(text, "'labels': <{'a': 'b'}>");
}

Test(control, machine_lives_through_all_its_jobs)
{
    start();
    run("CreateMachine", CREATE_VM1);
    g_autofree char *running = call("ListMachines", "()");
    assert_contains(running, "'state': <'running'>");
    run("StopMachine", "('vm1', {'force': <true>})");
    g_autofree char *stopped = call("ListMachines", "()");
    assert_contains(stopped, "'state': <'stopped'>");
    run("StartMachine", "('vm1',)");
    run("DeleteMachine", "('vm1', @a{sv} {})");
    g_autofree char *none = call("ListMachines", "()");
    cr_assert_str_eq(none, "([],)");
}

Test(control, lists_show_who_holds_what)
{
    start();
    run("CreateMachine", CREATE_VM1);
    g_autofree char *devices = call("ListDevices", "(false,)");
    g_autofree char *classes = call("ListClasses", "()");
    g_autofree char *sources = call("ListSources", "()");
    g_autofree char *explained = call("Explain", "('device', '" CARD_1 "')");
    assert_contains(devices, "'state': <'in-use'>, 'machine': <'vm1'>");
    assert_contains(devices, "'state': <'free'>");
    assert_contains(classes, "'available': <int64 1>, 'limitedBy': <'" GPU "'>");
    assert_contains(sources, "{'total': '2', 'available': '1'}");
    assert_contains(explained, "is held by vm1");
}

Test(control, rendered_domain_is_xml_and_makes_nothing)
{
    start();
    g_autofree char *xml = call("RenderMachine", CREATE_VM1);
    g_autofree char *machines = call("ListMachines", "()");
    assert_contains(xml, "<name>vm1</name>");
    cr_assert_str_eq(machines, "([],)");
}

Test(control, cordoned_devices_are_not_given_away)
{
    start();
    g_free(call("SetCordoned", "('" CARD_1 "', true)"));
    g_free(call("SetCordoned", "('" CARD_2 "', true)"));
    assert_fails("CreateMachine", CREATE_VM1, LVP_ERROR_NO_CAPACITY, "cordoned");
    g_free(call("SetCordoned", "('" CARD_2 "', false)"));
    run("CreateMachine", CREATE_VM1);
}

/* ---- errors ---- */

Test(control, keys_that_are_unknown_or_of_another_type_are_refused)
{
    start();
    assert_fails("CreateMachine", "({'name': <'a'>, 'class': <'gpu'>, 'disk': <1>},)",
                 LVP_ERROR_INVALID_REQUEST, "unknown key 'disk'");
    assert_fails("CreateMachine", "({'name': <1>, 'class': <'gpu'>},)", LVP_ERROR_INVALID_REQUEST,
                 "'name' must be of D-Bus type s");
    assert_fails("CreateMachine", "({'name': <'a'>},)", LVP_ERROR_INVALID_REQUEST,
                 "needs name and class");
    assert_fails("StopMachine", "('a', {'forced': <true>})", LVP_ERROR_INVALID_REQUEST, "forced");
    assert_fails("DeleteMachine", "('a', {'keep': <true>})", LVP_ERROR_INVALID_REQUEST, "keep");
}

Test(control, errors_come_back_with_their_codes)
{
    start();
    run("CreateMachine", CREATE_VM1);
    assert_fails("CreateMachine", "({'name': <'a b'>, 'class': <'gpu'>},)",
                 LVP_ERROR_INVALID_REQUEST, "is no name");
    assert_fails("CreateMachine", CREATE_VM1, LVP_ERROR_EXISTS, "exists already");
    assert_fails("CreateMachine", "({'name': <'b'>, 'class': <'none'>},)", LVP_ERROR_NOT_FOUND,
                 "there are: plain, gpu, both");
    assert_fails("CreateMachine", "({'name': <'b'>, 'class': <'both'>},)", LVP_ERROR_NO_CAPACITY,
                 "is held by vm1");
    assert_fails("DeleteMachine", "('none', @a{sv} {})", LVP_ERROR_NOT_FOUND, "no machine 'none'");
    assert_fails("ReleaseDevice", "('" CARD_1 "', true)", LVP_ERROR_INVALID_REQUEST,
                 "is not quarantined");
}

Test(control, errors_of_calls_without_a_job_come_back_with_their_codes)
{
    g_autoptr(GError) explain_error = NULL, reload_error = NULL;
    start();
    cr_assert_null(
        lvp_client_call(client, "Explain", g_variant_new("(ss)", "device", "x"), &explain_error));
    assert_error(explain_error, LVP_ERROR_NOT_FOUND);
    cr_assert_null(lvp_client_call(client, "Reload", NULL, &reload_error));
    assert_error(reload_error, LVP_ERROR_INVALID_REQUEST);
    assert_contains(reload_error->message, " clients");
}

/* ---- clients ---- */

static gboolean
is_alone(gpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    lvp_client_call(client, "Reload", NULL, &error);
    return strcmp(error->message, "1 clients") == 0;
}

Test(control, clients_that_left_are_forgotten)
{
    start();
    for (guint i = 0; i < 10; i++) {
        g_autoptr(LvpClient) another = lvp_client_new(control.socket, NULL);
        g_variant_unref(lvp_client_call(another, "GetStatus", NULL, NULL));
    }
    cr_assert(lvp_wait_until(is_alone, NULL));
}

Test(control, server_without_clients_ends_well)
{
    control_case_start(&control);
    control_case_stop(&control);
}
