/* SPDX-License-Identifier: Apache-2.0 */
/* Who belongs to an IOMMU group as far as it is taken together, and when it cannot be. */
#include "assert-error.h"
#include "fake-host.h"
#include "pci-group.h"

#include <string.h>

#define GPU "0000:3b:00.0"
#define AUDIO "0000:3b:00.1"
#define USB "0000:3b:00.2"
#define OTHER_SLOT "0000:3b:01.0"
#define OTHER_BUS "0000:3c:00.1"
#define PORT "0000:3a:00.0"
#define CLASS_GPU 0x030200u

static LvpFakeHost *fake;
static LvpHost *host;

static void
add(const char *address, guint class_code, const char *driver)
{
    lvp_fake_host_add_pci(
        fake,
        &(LvpFakePci){.address = address, .class_code = class_code, .driver = driver, .group = 15});
}

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    host = lvp_fake_host_get_host(fake);
    add(GPU, CLASS_GPU, "nvidia");
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(pci_group, .init = set_up, .fini = tear_down, .timeout = 60);

static LvpPciGroup *
read_group(void)
{
    return lvp_pci_group_read(host, "15", GPU, CLASS_GPU);
}

/* EXPECTED: the members, each as "ADDRESS DRIVER CLASS;" with "*" behind one of the same slot. */
static void
assert_members(const LvpPciGroup *group, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < group->members->len; i++) {
        const LvpPciMember *member = &g_array_index(group->members, LvpPciMember, i);
        g_string_append_printf(text, "%s %s %06x%s;", member->address,
                               member->driver[0] ? member->driver : "-", member->class_code,
                               member->same_slot ? "*" : "");
    }
    cr_assert_str_eq(text->str, expected, "%s", text->str);
}

#define ITSELF GPU " nvidia 030200*;"

/* That it can be taken as an entry says nothing of groups, or allows wide ones; REASON NULL: it
 * can. */
static void
assert_problem(gboolean allow, const char *reason)
{
    const LvpPciOffer offer = {.resource = "gpu.a/b", .wide_group = allow};
    g_autoptr(LvpPciGroup) group = read_group();
    g_autofree char *problem = lvp_pci_group_find_problem(group, "15", &offer);
    g_autofree char *unsaid = lvp_pci_group_find_problem(group, "15", NULL);
    if (reason)
        cr_assert(problem && g_str_has_prefix(problem, reason), "%s", problem);
    else
        cr_assert_null(problem, "%s", problem);
    if (!allow)
        cr_assert_eq(g_strcmp0(problem, unsaid), 0, "%s", unsaid);
}

/* ---- members ---- */

Test(pci_group, function_may_be_alone)
{
    g_autoptr(LvpPciGroup) group = read_group();
    assert_members(group, ITSELF);
    assert_problem(FALSE, NULL);
}

Test(pci_group, function_without_group_is_alone)
{
    g_autoptr(LvpPciGroup) group = lvp_pci_group_read(host, "", GPU, CLASS_GPU);
    assert_members(group, ITSELF);
    cr_assert_null(group->problem);
}

Test(pci_group, members_stand_in_the_order_of_their_addresses)
{
    add(OTHER_SLOT, 0x020000, "i40e");
    add(USB, 0x0c0330, NULL);
    add(AUDIO, 0x040300, "snd_hda_intel");
    g_autoptr(LvpPciGroup) group = read_group();
    assert_members(group, ITSELF AUDIO " snd_hda_intel 040300*;" USB " - 0c0330*;" OTHER_SLOT
                                       " i40e 020000;");
}

Test(pci_group, same_slot_of_another_bus_or_domain_is_another_slot)
{
    add(OTHER_BUS, 0x040300, NULL);
    add("10000:3b:00.1", 0x040300, NULL);
    g_autoptr(LvpPciGroup) group = read_group();
    assert_members(group, ITSELF OTHER_BUS " - 040300;10000:3b:00.1 - 040300;");
}

Test(pci_group, bridges_and_ports_are_no_members)
{
    add(PORT, 0x060400, "pcieport");
    add("0000:39:00.0", 0x060400, "shpchp");
    add("0000:38:00.0", 0x060401, NULL);
    add("0000:3a:00.4", 0x080700, "pcieport");
    add("0000:00:00.0", 0x060000, NULL);
    g_autoptr(LvpPciGroup) group = read_group();
    assert_members(group, ITSELF);
    assert_problem(FALSE, NULL);
}

Test(pci_group, function_itself_is_a_member_whatever_it_is_bound_to)
{
    lvp_fake_host_set_driver(fake, GPU, "pcieport");
    g_autoptr(LvpPciGroup) group = read_group();
    assert_members(group, GPU " pcieport 030200*;");
}

Test(pci_group, function_that_its_group_does_not_list_is_a_member)
{
    add(AUDIO, 0x040300, NULL);
    lvp_fake_host_set_file(fake, "sys/kernel/iommu_groups/15/devices/" GPU, NULL);
    g_autoptr(LvpPciGroup) group = read_group();
    assert_members(group, AUDIO " - 040300*;" ITSELF);
    cr_assert_null(group->problem);
}

Test(pci_group, member_that_vanishes_meanwhile_is_passed_over)
{
    add(AUDIO, 0x040300, "snd_hda_intel");
    add(OTHER_SLOT, 0x020000, "i40e");
    lvp_fake_host_set_file(fake, "sys/bus/pci/devices/" OTHER_SLOT "/class", NULL);
    g_autoptr(LvpPciGroup) group = read_group();
    assert_members(group, ITSELF AUDIO " snd_hda_intel 040300*;");
    assert_problem(FALSE, NULL);
}

Test(pci_group, what_is_no_address_is_passed_over)
{
    lvp_fake_host_set_file(fake, "sys/kernel/iommu_groups/15/devices/x", "");
    g_autoptr(LvpPciGroup) group = read_group();
    assert_members(group, ITSELF);
}

/* ---- what keeps a group from being taken ---- */

Test(pci_group, slot_is_taken_together_unasked)
{
    add(AUDIO, 0x040300, "snd_hda_intel");
    assert_problem(FALSE, NULL);
}

Test(pci_group, wider_group_is_only_taken_where_the_entry_allows_it)
{
    add(AUDIO, 0x040300, "snd_hda_intel");
    add(OTHER_SLOT, 0x020000, "i40e");
    assert_problem(FALSE, "IOMMU group 15 is wider than its slot: its neighbour " OTHER_SLOT
                          " (on driver i40e) would go with it: say \"group: allow\"");
    assert_problem(TRUE, NULL);
}

Test(pci_group, neighbour_without_driver_or_on_vfio_makes_it_wide_too)
{
    add(OTHER_SLOT, 0x020000, NULL);
    assert_problem(FALSE, "IOMMU group 15 is wider than its slot: its neighbour " OTHER_SLOT
                          " (without driver) ");
    lvp_fake_host_set_driver(fake, OTHER_SLOT, "vfio-pci");
    assert_problem(FALSE, "IOMMU group 15 is wider than its slot: its neighbour " OTHER_SLOT
                          " (on driver vfio-pci) ");
}

Test(pci_group, other_bridge_on_a_host_driver_spoils_the_group_for_good)
{
    add("0000:00:1f.0", 0x060100, "lpc_ich");
    assert_problem(FALSE, "its IOMMU group holds bridge 0000:00:1f.0 on host driver lpc_ich: ");
    assert_problem(TRUE, "its IOMMU group holds bridge 0000:00:1f.0 on host driver lpc_ich: ");
    lvp_fake_host_set_driver(fake, "0000:00:1f.0", NULL);
    assert_problem(FALSE, NULL);
}

Test(pci_group, group_that_cannot_be_read_is_not_trusted_whatever_an_entry_allows)
{
    lvp_fake_host_set_file(fake, "sys/kernel/iommu_groups/15/devices", NULL);
    assert_problem(FALSE, "its IOMMU group cannot be read: ");
    assert_problem(TRUE, "its IOMMU group cannot be read: ");
    g_autoptr(LvpPciGroup) group = read_group();
    assert_members(group, ITSELF);
}
