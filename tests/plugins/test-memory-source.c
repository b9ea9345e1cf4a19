/* SPDX-License-Identifier: Apache-2.0 */
/* The memory source through its table. */
#include "assert-error.h"
#include "fake-host.h"
#include "part-text.h"
#include "request.h"
#include "source-fixture.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)
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

TestSuite(memory_source, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- what there is ---- */

static LvpSnapshot *
discover(const char *reserved, GError **error)
{
    const char *const settings[] = {"reserved-memory-size", reserved, NULL};
    g_autoptr(SourceFixture) source =
        source_fixture_new(lvp_fake_host_get_host(fake), settings, error);
    return source_fixture_discover(source, error);
}

static void
assert_amounts(const char *reserved, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpSnapshot) snapshot = discover(reserved, &error);
    assert_no_error(error);
    g_autofree char *amounts = source_fixture_show_amounts(snapshot);
    cr_assert_str_eq(amounts, expected);
}

static void
assert_refused(const char *reserved, LvpError code, const char *part)
{
    g_autoptr(GError) error = NULL;
    cr_assert_null(discover(reserved, &error));
    cr_assert(g_error_matches(error, LVP_ERROR, (int)code), "%s", error->message);
    assert_contains(error->message, part);
}

Test(memory_source, memory_of_a_node_is_counted_in_bytes)
{
    assert_amounts("0", "memory@0=17179869184");
}

Test(memory_source, each_node_has_its_own)
{
    lvp_fake_host_set_node(fake, 0, "0-3", 4 * GIB);
    lvp_fake_host_set_node(fake, 1, "4-7", GIB);
    lvp_fake_host_set_node(fake, 12, "", 1024);
    assert_amounts("0", "memory@0=4294967296 memory@1=1073741824 memory@12=1024");
}

Test(memory_source, kernel_without_numa_has_it_on_no_node)
{
    lvp_fake_host_set_file(fake, NODES, NULL);
    assert_amounts("0", "memory@-1=17179869184");
}

Test(memory_source, other_files_among_the_nodes_are_none)
{
    lvp_fake_host_set_file(fake, NODES "/node", "");
    lvp_fake_host_set_file(fake, NODES "/node1x/meminfo", "Node 1 MemTotal: 1 kB\n");
    lvp_fake_host_set_file(fake, NODES "/node1024/meminfo", "Node 1024 MemTotal: 1 kB\n");
    assert_amounts("0", "memory@0=17179869184");
}

/* ---- what the host keeps ---- */

Test(memory_source, default_is_to_keep_nothing)
{
    g_autoptr(SourceFixture) source = source_fixture_new(lvp_fake_host_get_host(fake), NULL, NULL);
    g_autoptr(LvpSnapshot) snapshot = source_fixture_discover(source, NULL);
    g_autofree char *amounts = source_fixture_show_amounts(snapshot);
    cr_assert_str_eq(amounts, "memory@0=17179869184");
}

Test(memory_source, reserve_is_kept_from_the_one_node)
{
    assert_amounts("4Gi", "memory@0=12884901888");
}

Test(memory_source, reserve_is_split_in_proportion_to_the_nodes)
{
    lvp_fake_host_set_node(fake, 0, "0-3", 3 * GIB);
    lvp_fake_host_set_node(fake, 1, "4-7", GIB);
    assert_amounts("1Gi", "memory@0=2415919104 memory@1=805306368");
}

Test(memory_source, what_rounding_leaves_is_kept_by_the_last_node)
{
    lvp_fake_host_set_node(fake, 0, "0", 3072);
    lvp_fake_host_set_node(fake, 1, "1", 3072);
    lvp_fake_host_set_node(fake, 2, "2", 3072);
    assert_amounts("1000", "memory@0=2739 memory@1=2739 memory@2=2738");
}

Test(memory_source, nodes_without_memory_keep_nothing_and_nothing_is_lost_by_them)
{
    lvp_fake_host_set_node(fake, 0, "0", 0);
    lvp_fake_host_set_node(fake, 1, "1", 3072);
    lvp_fake_host_set_node(fake, 2, "2", 3072);
    lvp_fake_host_set_node(fake, 3, "3", 0);
    assert_amounts("1001", "memory@0=0 memory@1=2572 memory@2=2571 memory@3=0");
}

Test(memory_source, all_but_a_byte_can_be_kept)
{
    lvp_fake_host_set_node(fake, 0, "0", 3072);
    lvp_fake_host_set_node(fake, 1, "1", 1024);
    assert_amounts("4095", "memory@0=1 memory@1=0");
}

Test(memory_source, all_can_be_kept)
{
    lvp_fake_host_set_node(fake, 1, "", GIB);
    assert_amounts("17Gi", "memory@0=0 memory@1=0");
}

Test(memory_source, more_than_there_is_cannot_be_kept)
{
    assert_refused("17179869185", LVP_ERROR_INVALID_REQUEST,
                   "reserved-memory-size is 17179869185, but the host has only 16Gi");
}

/* Sizes that no double holds exactly. */
Test(memory_source, reserve_is_exact_however_large_the_host_is)
{
    static const struct {
        guint64 first_kib, second_kib;
        gint64 offered_bytes;
    } CASES[] = {
        {G_GUINT64_CONSTANT(2114773216608576), G_GUINT64_CONSTANT(858395948649178), 1},
        {G_GUINT64_CONSTANT(950523374275651), G_GUINT64_CONSTANT(65393994594785), 511},
        {G_GUINT64_CONSTANT(1034935767759003), G_GUINT64_CONSTANT(652534176172792), 0},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        gint64 total = (gint64)((CASES[i].first_kib + CASES[i].second_kib) * 1024), offered = 0;
        g_autofree char *reserved =
            g_strdup_printf("%" G_GINT64_FORMAT, total - CASES[i].offered_bytes);
        g_autoptr(GError) error = NULL;
        lvp_fake_host_set_node(fake, 0, "0", CASES[i].first_kib * 1024);
        lvp_fake_host_set_node(fake, 1, "1", CASES[i].second_kib * 1024);
        g_autoptr(LvpSnapshot) snapshot = discover(reserved, &error);
        assert_no_error(error);
        for (guint j = 0; j < snapshot->amounts->len; j++)
            offered += g_array_index(snapshot->amounts, LvpSnapshotAmount, j).amount;
        cr_assert_eq(offered, CASES[i].offered_bytes);
    }
}

/* ---- garbage ---- */

static const char *const NO_TOTALS[] = {"",
                                        "\n",
                                        "MemFree: 5 kB\n",
                                        "MemTotal:\n",
                                        "MemTotal: kB\n",
                                        "MemTotal: 5 MB\n",
                                        "MemTotal: 5",
                                        "MemTotal: -5 kB\n",
                                        "MemTotal: 99999999999999999999 kB\n",
                                        "MemTotal: 9007199254740992 kB\n"};

Test(memory_source, node_without_a_total_is_an_error)
{
    for (guint i = 0; i < G_N_ELEMENTS(NO_TOTALS); i++) {
        lvp_fake_host_set_file(fake, NODES "/node0/meminfo", NO_TOTALS[i]);
        assert_refused("0", LVP_ERROR_HOST, "devices/system/node/node0/meminfo has no MemTotal");
    }
}

Test(memory_source, host_without_a_total_is_an_error)
{
    lvp_fake_host_set_file(fake, NODES, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(NO_TOTALS); i++) {
        lvp_fake_host_set_file(fake, "proc/meminfo", NO_TOTALS[i]);
        assert_refused("0", LVP_ERROR_HOST, "meminfo has no MemTotal");
    }
}

Test(memory_source, missing_files_are_errors)
{
    lvp_fake_host_set_file(fake, NODES "/node0/meminfo", NULL);
    assert_refused("0", LVP_ERROR_NOT_FOUND, "node0/meminfo");
    lvp_fake_host_set_file(fake, NODES, NULL);
    lvp_fake_host_set_file(fake, "proc/meminfo", NULL);
    assert_refused("0", LVP_ERROR_NOT_FOUND, "proc/meminfo");
}

Test(memory_source, nodes_of_more_than_can_be_counted_are_an_error)
{
    lvp_fake_host_set_file(fake, NODES "/node0/meminfo", "MemTotal: 9007199254740991 kB\n");
    lvp_fake_host_set_file(fake, NODES "/node1/meminfo", "MemTotal: 2 kB\n");
    assert_refused("0", LVP_ERROR_HOST, "more than can be counted");
}

/* ---- requests ---- */

Test(memory_source, request_that_names_no_memory_is_refused)
{
    g_autoptr(LvpRequest) request = lvp_request_new();
    g_autoptr(GError) error = NULL;
    lvp_request_set_amount(request, "cpu", 1000);
    cr_assert_not(lvp_source_table.normalize(NULL, request, &error));
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    assert_contains(error->message, "names no memory: ");
}

static void
assert_normalized(gint64 asked, gint64 expected)
{
    g_autoptr(LvpRequest) request = lvp_request_new();
    g_autoptr(GError) error = NULL;
    lvp_request_set_amount(request, "memory", asked);
    cr_assert(lvp_source_table.normalize(NULL, request, &error));
    assert_no_error(error);
    cr_assert_eq(lvp_request_get_amount(request, "memory"), expected);
}

Test(memory_source, request_is_rounded_up_to_whole_mebibytes)
{
    assert_normalized(1, 1 << 20);
    assert_normalized(1 << 20, 1 << 20);
    assert_normalized((1 << 20) + 1, 2 << 20);
    assert_normalized(4 * (gint64)GIB, 4 * (gint64)GIB);
    assert_normalized(G_MAXINT64, G_MAXINT64);
}

/* ---- the domain ---- */

static void
assert_kib(gint64 first, gint64 second, const char *kib)
{
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "memory");
    g_autoptr(LvpDomainPart) part = lvp_domain_part_new();
    g_autoptr(GError) error = NULL;
    lvp_holding_add_amount(holding, "memory", 0, first);
    lvp_holding_add_amount(holding, "memory", 1, second);
    cr_assert(lvp_source_table.contribute_xml(NULL, holding, NULL, part, &error));
    assert_no_error(error);
    g_autofree char *text = part_to_text(part);
    g_autofree char *expected = g_strdup_printf("memory = %s\nmemory@unit = KiB\n"
                                                "currentMemory = %s\ncurrentMemory@unit = KiB\n",
                                                kib, kib);
    cr_assert_str_eq(text, expected);
}

Test(memory_source, whole_kibibytes_reach_libvirt_as_they_are)
{
    assert_kib(4 * (gint64)GIB, 0, "4194304");
}

Test(memory_source, memory_of_several_nodes_is_added_up) { assert_kib(1024, 2048, "3"); }

Test(memory_source, part_of_a_kibibyte_is_rounded_up)
{
    assert_kib(1, 0, "1");
    assert_kib(1025, 0, "2");
    assert_kib(G_MAXINT64, 0, "9007199254740992");
}
