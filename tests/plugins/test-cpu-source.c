/* SPDX-License-Identifier: Apache-2.0 */
/* The cpu source through its table. */
#include "assert-error.h"
#include "fake-host.h"
#include "part-text.h"
#include "request.h"
#include "source-fixture.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define ONLINE "sys/devices/system/cpu/online"
#define NODES "sys/devices/system/node"

static LvpFakeHost *fake;

static void
set_up(void)
{
    fake = lvp_fake_host_new();
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(cpu_source, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- what there is ---- */

static void
assert_amounts(const char *overcommit, const char *expected)
{
    const char *const settings[] = {"overcommit-vcpu", overcommit, NULL};
    g_autoptr(GError) error = NULL;
    g_autoptr(SourceFixture) source =
        source_fixture_new(lvp_fake_host_get_host(fake), settings, &error);
    g_autoptr(LvpSnapshot) snapshot = source_fixture_discover(source, &error);
    assert_no_error(error);
    g_autofree char *amounts = source_fixture_show_amounts(snapshot);
    cr_assert_str_eq(amounts, expected);
}

static void
assert_unreadable(const char *part)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SourceFixture) source = source_fixture_new(lvp_fake_host_get_host(fake), NULL, NULL);
    cr_assert_null(source_fixture_discover(source, &error));
    assert_contains(error->message, part);
}

Test(cpu_source, cpus_of_a_node_are_counted_in_millicores) { assert_amounts("1", "cpu@0=8000"); }

Test(cpu_source, each_node_has_its_own)
{
    lvp_fake_host_set_node(fake, 0, "0-3,8", GIB);
    lvp_fake_host_set_node(fake, 1, "4-7", GIB);
    lvp_fake_host_set_node(fake, 10, "9", GIB);
    assert_amounts("1", "cpu@0=5000 cpu@1=4000 cpu@10=1000");
}

Test(cpu_source, node_without_cpus_stays_listed)
{
    lvp_fake_host_set_node(fake, 1, "", GIB);
    assert_amounts("1", "cpu@0=8000 cpu@1=0");
}

Test(cpu_source, cpus_that_are_offline_do_not_count)
{
    lvp_fake_host_set_file(fake, ONLINE, "0-2,5,100\n");
    assert_amounts("1", "cpu@0=4000");
}

Test(cpu_source, kernel_without_numa_has_them_on_no_node)
{
    lvp_fake_host_set_file(fake, NODES, NULL);
    assert_amounts("1", "cpu@-1=8000");
}

Test(cpu_source, node_folder_without_nodes_is_no_numa)
{
    lvp_fake_host_set_file(fake, NODES "/node0", NULL);
    assert_amounts("1", "cpu@-1=8000");
}

Test(cpu_source, other_files_among_the_nodes_are_none)
{
    lvp_fake_host_set_file(fake, NODES "/node", "");
    lvp_fake_host_set_file(fake, NODES "/node1x/cpulist", "0-7\n");
    lvp_fake_host_set_file(fake, NODES "/node1024/cpulist", "0-7\n");
    lvp_fake_host_set_file(fake, NODES "/power/cpulist", "0-7\n");
    assert_amounts("1", "cpu@0=8000");
}

/* ---- overcommit ---- */

Test(cpu_source, overcommit_multiplies_and_drops_what_is_less_than_a_millicore)
{
    static const struct {
        const char *factor, *expected;
    } CASES[] = {
        {"2", "cpu@0=6000"},       {"1.5", "cpu@0=4500"},    {"0.25", "cpu@0=750"},
        {"1000", "cpu@0=3000000"}, {"0.001", "cpu@0=3"},     {"0.0005", "cpu@0=1"},
        {"0.0001", "cpu@0=0"},     {"1.0009", "cpu@0=3002"}, {"3.33333", "cpu@0=9999"},
    };
    lvp_fake_host_set_node(fake, 0, "0-2", GIB);
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++)
        assert_amounts(CASES[i].factor, CASES[i].expected);
}

Test(cpu_source, overcommit_that_has_no_exact_binary_form_loses_nothing)
{
    lvp_fake_host_set_node(fake, 0, "0-2", GIB);
    assert_amounts("2.3", "cpu@0=6900");
    assert_amounts("4.1", "cpu@0=12300");
    lvp_fake_host_set_node(fake, 0, "0", GIB);
    assert_amounts("1.001", "cpu@0=1001");
    assert_amounts("1.019", "cpu@0=1019");
}

Test(cpu_source, overcommit_must_be_more_than_none_and_at_most_a_thousand)
{
    static const char *const WELL[] = {"0.001", "1", "1000"}, *const WRONG[] = {"0", "-1",
                                                                                "1000.1"};
    for (guint i = 0; i < 3; i++) {
        g_autofree char *none =
            source_fixture_validate((const char *[]){"overcommit-vcpu", WELL[i], NULL});
        g_autofree char *mistake =
            source_fixture_validate((const char *[]){"overcommit-vcpu", WRONG[i], NULL});
        g_autofree char *expected = g_strdup_printf(
            "error: overcommit-vcpu must be more than 0 and at most 1000, but is %s", WRONG[i]);
        cr_assert_str_empty(none);
        cr_assert_str_eq(mistake, expected);
    }
}

Test(cpu_source, default_is_no_overcommit)
{
    g_autoptr(SourceFixture) source = source_fixture_new(lvp_fake_host_get_host(fake), NULL, NULL);
    g_autoptr(LvpSnapshot) snapshot = source_fixture_discover(source, NULL);
    g_autofree char *amounts = source_fixture_show_amounts(snapshot);
    cr_assert_str_eq(amounts, "cpu@0=8000");
}

/* ---- garbage ---- */

static const char *const NO_LISTS[] = {"x",     "0-",   "-3",  "0-x",    "3-1",
                                       "0 1",   "0,,1", ",",   "0-8192", "99999999999999999999",
                                       "0-3-5", "0x3",  "1;2", "0--3"};

Test(cpu_source, online_list_that_is_none_is_an_error)
{
    for (guint i = 0; i < G_N_ELEMENTS(NO_LISTS); i++) {
        lvp_fake_host_set_file(fake, ONLINE, NO_LISTS[i]);
        g_autofree char *expected =
            g_strdup_printf("devices/system/cpu/online is no list of CPUs: '%s'", NO_LISTS[i]);
        assert_unreadable(expected);
    }
}

Test(cpu_source, list_of_a_node_that_is_none_is_an_error)
{
    for (guint i = 0; i < G_N_ELEMENTS(NO_LISTS); i++) {
        lvp_fake_host_set_file(fake, NODES "/node0/cpulist", NO_LISTS[i]);
        assert_unreadable("devices/system/node/node0/cpulist is no list of CPUs: '");
    }
}

Test(cpu_source, list_of_a_megabyte_is_an_error_with_a_short_text)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *endless = g_strnfill(1 << 20, '!');
    lvp_fake_host_set_file(fake, ONLINE, endless);
    g_autoptr(SourceFixture) source = source_fixture_new(lvp_fake_host_get_host(fake), NULL, NULL);
    cr_assert_null(source_fixture_discover(source, &error));
    assert_error(error, LVP_ERROR_HOST);
    cr_assert_lt(strlen(error->message), 300);
}

Test(cpu_source, missing_lists_are_errors)
{
    lvp_fake_host_set_file(fake, NODES "/node0/cpulist", NULL);
    assert_unreadable("node0/cpulist");
    lvp_fake_host_set_file(fake, ONLINE, NULL);
    assert_unreadable("cpu/online");
}

/* ---- requests ---- */

static void
assert_normalized(gint64 millicores, const char *expected)
{
    g_autoptr(LvpRequest) request = lvp_request_new();
    g_autoptr(GError) error = NULL;
    lvp_request_set_amount(request, "memory", GIB);
    lvp_request_set_amount(request, "cpu", millicores);
    cr_assert(lvp_source_table.normalize(NULL, request, &error));
    assert_no_error(error);
    g_autofree char *text = lvp_request_to_text(request);
    cr_assert_str_eq(text, expected);
}

Test(cpu_source, request_that_names_no_cpu_gets_one) { assert_normalized(0, "memory=1Gi cpu=1"); }

Test(cpu_source, request_that_names_cpus_stays)
{
    assert_normalized(1, "memory=1Gi cpu=1m");
    assert_normalized(2500, "memory=1Gi cpu=2500m");
}

/* ---- the domain ---- */

static void
assert_xml(gint64 first, gint64 second, const char *expected)
{
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "cpu");
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    g_autoptr(GError) error = NULL;
    lvp_holding_add_amount(holding, "cpu", 0, first);
    lvp_holding_add_amount(holding, "cpu", 1, second);
    cr_assert(lvp_source_table.contribute_xml(NULL, holding, NULL, part, &error));
    assert_no_error(error);
    g_autofree char *text = part_to_text(part);
    cr_assert_str_eq(text, expected);
}

Test(cpu_source, whole_cpus_need_no_quota)
{
    assert_xml(2000, 0, "vcpu = 2\nvcpu@current = removed\nvcpus removed\n");
}

Test(cpu_source, cpus_of_several_nodes_are_added_up)
{
    assert_xml(2500, 1500, "vcpu = 4\nvcpu@current = removed\nvcpus removed\n");
}

#define QUOTA(text) "cputune/global_period = 100000\ncputune/global_quota = " text "\n"

Test(cpu_source, fraction_is_rounded_up_and_held_down_by_a_quota_of_the_whole_domain)
{
    assert_xml(1500, 0, "vcpu = 2\nvcpu@current = removed\nvcpus removed\n" QUOTA("150000"));
    assert_xml(2001, 0, "vcpu = 3\nvcpu@current = removed\nvcpus removed\n" QUOTA("200100"));
    assert_xml(999, 0, "vcpu = 1\nvcpu@current = removed\nvcpus removed\n" QUOTA("99900"));
}

Test(cpu_source, quota_is_never_less_than_libvirt_allows)
{
    assert_xml(10, 0, "vcpu = 1\nvcpu@current = removed\nvcpus removed\n" QUOTA("1000"));
    assert_xml(1, 0, "vcpu = 1\nvcpu@current = removed\nvcpus removed\n" QUOTA("1000"));
}
