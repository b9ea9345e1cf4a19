/* SPDX-License-Identifier: Apache-2.0 */
/* The hugepages source through its table. */
#include "assert-error.h"
#include "fake-host.h"
#include "part-text.h"
#include "request.h"
#include "source-fixture.h"

#define MIB ((gint64)1 << 20)
#define GIB ((gint64)1 << 30)
#define NODES "sys/devices/system/node"

static LvpFakeHost *fake;

static void
set_pages(int node, const char *size, const char *count)
{
    g_autofree char *path =
        g_strdup_printf(NODES "/node%d/hugepages/hugepages-%s/nr_hugepages", node, size);
    lvp_fake_host_set_file(fake, path, count);
}

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    lvp_fake_host_set_file(fake, "proc/meminfo", "HugePages_Total: 5\nHugepagesize: 2048 kB\n");
    lvp_fake_host_set_file(fake, "proc/mounts",
                           "hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\n");
    lvp_fake_host_set_file(fake, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "10\n");
    lvp_fake_host_set_file(fake, "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "3\n");
    set_pages(0, "2048kB", "10\n");
    set_pages(0, "1048576kB", "3\n");
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(hugepages_source, .init = set_up, .fini = tear_down, .timeout = 60);

static SourceFixture *
make(const char *size, const char *blocked, GError **error)
{
    const char *const settings[] = {"hugepages-size", size, "blocked-hugepages", blocked, NULL};
    return source_fixture_new(lvp_fake_host_get_host(fake), settings, error);
}

/* ---- what there is ---- */

static void
assert_amounts(const char *size, const char *blocked, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SourceFixture) source = make(size, blocked, &error);
    assert_no_error(error);
    g_autoptr(LvpSnapshot) snapshot = source_fixture_discover(source, &error);
    assert_no_error(error);
    g_autofree char *amounts = source_fixture_show_amounts(snapshot);
    cr_assert_str_eq(amounts, expected);
}

static void
assert_health(const char *size, const char *part)
{
    g_autoptr(SourceFixture) source = make(size, "0", NULL);
    g_autoptr(LvpSnapshot) snapshot = source_fixture_discover(source, NULL);
    g_autofree char *health = lvp_source_context_dup_health(source->context);
    cr_assert_eq(health == NULL, part == NULL, "%s", health);
    if (part)
        assert_contains(health, part);
}

Test(hugepages_source, default_size_is_that_of_the_kernel)
{
    assert_amounts("0", "0", "hugepages@0=10 memory@0=20971520");
}

Test(hugepages_source, each_size_has_its_own_pages)
{
    assert_amounts("1Gi", "0", "hugepages@0=3 memory@0=3221225472");
}

Test(hugepages_source, each_node_has_its_own_pages)
{
    lvp_fake_host_set_node(fake, 1, "4-7", 4096);
    lvp_fake_host_set_node(fake, 2, "", 4096); /* without pages of any size */
    set_pages(1, "2048kB", "4\n");
    assert_amounts("2Mi", "0",
                   "hugepages@0=10 memory@0=20971520 hugepages@1=4 memory@1=8388608 "
                   "hugepages@2=0 memory@2=0");
}

Test(hugepages_source, kernel_without_numa_has_them_on_no_node)
{
    lvp_fake_host_set_file(fake, NODES, NULL);
    assert_amounts("2Mi", "0", "hugepages@-1=10 memory@-1=20971520");
}

Test(hugepages_source, blocked_pages_are_kept_in_proportion_to_the_nodes)
{
    lvp_fake_host_set_node(fake, 1, "4-7", 4096);
    set_pages(1, "2048kB", "5\n");
    assert_amounts("2Mi", "6", "hugepages@0=6 memory@0=12582912 hugepages@1=3 memory@1=6291456");
}

Test(hugepages_source, more_blocked_pages_than_there_are_leave_none)
{
    assert_amounts("2Mi", "11", "hugepages@0=0 memory@0=0");
}

Test(hugepages_source, size_that_the_kernel_does_not_have_is_refused_with_those_it_has)
{
    g_autoptr(GError) error = NULL;
    cr_assert_null(make("16Mi", "0", &error));
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    cr_assert_str_eq(error->message, "the kernel has no huge pages of 16Mi; it has: 1Gi, 2Mi (see "
                                     "hugepages-size)");
}

Test(hugepages_source, kernel_without_huge_pages_is_refused)
{
    g_autoptr(GError) error = NULL;
    lvp_fake_host_set_file(fake, "sys/kernel/mm/hugepages", NULL);
    lvp_fake_host_set_file(fake, "proc/meminfo", "MemTotal: 5 kB\n");
    cr_assert_null(make("0", "0", &error));
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    assert_contains(error->message, "it has: none");
}

Test(hugepages_source, what_is_no_number_of_pages_is_an_error)
{
    static const char *const TEXTS[] = {"", "-1\n", "x\n", "1 2\n", "9223372036854775807\n"};
    for (guint i = 0; i < G_N_ELEMENTS(TEXTS); i++) {
        g_autoptr(GError) error = NULL;
        set_pages(0, "2048kB", TEXTS[i]);
        g_autoptr(SourceFixture) source = make("2Mi", "0", NULL);
        cr_assert_null(source_fixture_discover(source, &error));
        assert_error(error, LVP_ERROR_HOST);
        assert_contains(error->message, "hugepages-2048kB/nr_hugepages is no number of pages");
    }
}

Test(hugepages_source, health_says_what_a_machine_would_miss)
{
    assert_health("2Mi", NULL);
    assert_health("1Gi",
                  "no hugetlbfs with pages of 1Gi is mounted: mount one with pagesize=1024M");
    set_pages(0, "2048kB", "0\n");
    assert_health("2Mi", "has set no huge pages of 2Mi aside");
}

Test(hugepages_source, options_that_make_no_sense_are_reported)
{
    static const char *const SETTINGS[] = {"hugepages-size", "3Mi", "blocked-hugepages", "-1",
                                           NULL};
    g_autofree char *mistakes = source_fixture_validate(SETTINGS);
    assert_contains(mistakes, "hugepages-size must be a size of pages such as 2Mi or 1Gi, but is "
                              "3Mi");
    assert_contains(mistakes, "blocked-hugepages must not be negative, but is -1");
}

/* ---- requests ---- */

static void
assert_normalized(gint64 memory, gint64 pages, gint64 expected_pages)
{
    g_autoptr(SourceFixture) source = make("2Mi", "0", NULL);
    g_autoptr(LvpRequest) request = lvp_request_new();
    g_autoptr(GError) error = NULL;
    lvp_request_set_amount(request, "memory", memory);
    lvp_request_set_amount(request, "hugepages", pages);
    cr_assert(lvp_source_table.normalize(source->instance, request, &error));
    assert_no_error(error);
    cr_assert_eq(lvp_request_get_amount(request, "hugepages"), expected_pages);
    cr_assert_eq(lvp_request_get_amount(request, "memory"), expected_pages * 2 * MIB);
}

Test(hugepages_source, memory_is_rounded_up_to_whole_pages_which_are_counted)
{
    assert_normalized(1, 0, 1);
    assert_normalized(2 * MIB, 0, 1);
    assert_normalized(2 * MIB + 1, 0, 2);
    assert_normalized(GIB, 0, 512);
}

Test(hugepages_source, pages_are_memory_and_the_larger_of_both_counts)
{
    assert_normalized(0, 3, 3);
    assert_normalized(3 * MIB, 3, 3);
    assert_normalized(7 * MIB, 3, 4);
}

Test(hugepages_source, request_without_memory_or_of_too_much_is_refused)
{
    static const gint64 PAGES[] = {0, G_MAXINT64};
    static const char *const PARTS[] = {"names no memory", "more memory than can be counted"};
    g_autoptr(SourceFixture) source = make("2Mi", "0", NULL);
    for (guint i = 0; i < G_N_ELEMENTS(PAGES); i++) {
        g_autoptr(LvpRequest) request = lvp_request_new();
        g_autoptr(GError) error = NULL;
        lvp_request_set_amount(request, "hugepages", PAGES[i]);
        cr_assert_not(lvp_source_table.normalize(source->instance, request, &error));
        assert_error(error, LVP_ERROR_INVALID_REQUEST);
        assert_contains(error->message, PARTS[i]);
    }
}

/* ---- the domain ---- */

static char *
contribute(const LvpHolding *holding)
{
    g_autoptr(SourceFixture) source = make("2Mi", "0", NULL);
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    g_autoptr(GError) error = NULL;
    cr_assert(lvp_source_table.contribute_xml(source->instance, holding, NULL, part, &error));
    assert_no_error(error);
    return part_to_text(part);
}

Test(hugepages_source, domain_has_pages_of_that_size_on_the_nodes_that_it_holds)
{
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "hugepages");
    lvp_holding_add_amount(holding, "hugepages", 0, 2);
    lvp_holding_add_amount(holding, "memory", 0, 4 * MIB);
    lvp_holding_add_amount(holding, "hugepages", 3, 1);
    lvp_holding_add_amount(holding, "memory", 3, 2 * MIB);
    g_autofree char *text = contribute(holding);
    cr_assert_str_eq(text, "memory = 6144\nmemory@unit = KiB\n"
                           "currentMemory = 6144\ncurrentMemory@unit = KiB\n"
                           "memoryBacking/hugepages removed\n"
                           "memoryBacking/hugepages/page@size = 2048\n"
                           "memoryBacking/hugepages/page@unit = KiB\n"
                           "numatune/memory@mode = strict\n"
                           "numatune/memory@nodeset = 0,3\n");
}

Test(hugepages_source, domain_is_bound_to_no_node_where_there_is_none)
{
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "hugepages");
    lvp_holding_add_amount(holding, "hugepages", LVP_NODE_NONE, 1);
    lvp_holding_add_amount(holding, "memory", LVP_NODE_NONE, 2 * MIB);
    g_autofree char *text = contribute(holding);
    cr_assert_not(g_strrstr(text, "numatune"), "%s", text);
}
