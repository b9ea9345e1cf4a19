/* SPDX-License-Identifier: Apache-2.0 */
/* The pci_devices.yaml that is written from a host. Names are given by the test in place of libpci:
 * no test may depend on the pci.ids of its machine. */
#include "assert-error.h"
#include "devices-text.h"
#include "fake-host.h"
#include "pci-generate.h"

#include <pci/pci.h>
#include <string.h>

#define TIMEOUT_MS 1000

static LvpFakeHost *fake;
static LvpHost *host;

/* What pci.ids says of vendor 0x10de and of its devices 0x20b0 to 0x20bf; NULL: nothing. */
static const char *vendor_text, *device_text;

char *
pci_lookup_name(struct pci_access *access, char *buffer, int size, int flags, ...)
{
    (void)access;
    va_list arguments;
    va_start(arguments, flags);
    int vendor = va_arg(arguments, int);
    gboolean is_device = (flags & PCI_LOOKUP_DEVICE) != 0;
    int device = is_device ? va_arg(arguments, int) : 0;
    va_end(arguments);
    const char *text = is_device ? device_text : vendor_text;
    if (!text || vendor != 0x10de || (is_device && device >> 4 != 0x20b))
        return NULL;
    g_strlcpy(buffer, text, (gsize)size);
    return buffer;
}

static void
set_up(void)
{
    fake = lvp_fake_host_new();
    host = lvp_fake_host_get_host(fake);
    vendor_text = "NVIDIA Corporation";
    device_text = "GA100GL [A30 PCIe]";
}

static void
tear_down(void)
{
    lvp_fake_host_free(fake);
}

TestSuite(pci_generate, .init = set_up, .fini = tear_down, .timeout = 60);

static void
add(const char *address, guint vendor, guint device, guint class_code)
{
    const char *bus = strchr(address, ':') + 1; /* each card alone in its group */
    lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = address,
                                              .vendor = vendor,
                                              .device = device,
                                              .class_code = class_code,
                                              .driver = "driver",
                                              .group = (int)g_ascii_strtoull(bus, NULL, 16)});
}

/* What is written reads as a file without mistakes. */
static char *
generate(void)
{
    g_autoptr(GError) error = NULL;
    char *text = lvp_pci_generate(host, TIMEOUT_MS, &error);
    assert_no_error(error);
    g_autofree char *mistakes = devices_text_find_mistakes(text);
    cr_assert_str_empty(mistakes, "%s\n%s", mistakes, text);
    return text;
}

/* What stands after the heading. */
static char *
generate_body(void)
{
    g_autofree char *text = generate();
    return g_strdup(strstr(text, "\nvendors:") + 1);
}

/* The resources that TEXT gives away, joined by a space. */
static void
assert_resources(const char *text, const char *expected)
{
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(text);
    const GPtrArray *resources = lvp_pci_devices_file_get_resources(file);
    g_autoptr(GString) joined = g_string_new(NULL);
    for (guint i = 0; i < resources->len; i++)
        g_string_append_printf(joined, "%s%s", i > 0 ? " " : "",
                               (const char *)g_ptr_array_index(resources, i));
    cr_assert_str_eq(joined->str, expected);
}

static void
assert_generated_resources(const char *expected)
{
    g_autofree char *text = generate();
    assert_resources(text, expected);
}

/* ---- the whole ---- */

Test(pci_generate, host_without_devices_gives_an_empty_list)
{
    g_autofree char *body = generate_body();
    cr_assert_str_eq(body, "vendors: []\n");
}

Test(pci_generate, bridges_are_left_out)
{
    add("0000:00:01.0", 0x10de, 1, 0x060400);
    g_autofree char *body = generate_body();
    cr_assert_str_eq(body, "vendors: []\n");
}

Test(pci_generate, devices_stand_by_vendor_and_id_with_their_addresses)
{
    add("0000:af:00.0", 0x8086, 0x0001, 0x0c0330);
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x030200);
    add("0000:01:00.0", 0x10de, 0x20b7, 0x030200);
    g_autofree char *body = generate_body();
    cr_assert_str_eq(body, "vendors:\n"
                           "  # NVIDIA Corporation\n"
                           "  - id: \"0x10de\"\n"
                           "    name: \"nvidia\"\n"
                           "    devices:\n"
                           "      # GA100GL [A30 PCIe]\n"
                           "      # 0000:01:00.0: free\n"
                           "      # 0000:3b:00.0: free\n"
                           "      - id: \"0x20b7\"\n"
                           "        name: \"a30-pcie\"\n"
                           "        type: gpu\n"
                           "  # not in pci.ids\n"
                           "  - id: \"0x8086\"\n"
                           "    name: \"v8086\"\n"
                           "    devices:\n"
                           "      # not in pci.ids\n"
                           "      # 0000:af:00.0: free\n"
                           "      - id: \"0x0001\"\n"
                           "        name: \"d0001\"\n"
                           "        type: usb\n");
}

Test(pci_generate, what_is_written_matches_the_devices_of_the_host)
{
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x030200);
    g_autofree char *text = generate();
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(text);
    const LvpPciIds ids = {.vendor = 0x10de, .device = 0x20b7, .class_code = 0x030200};
    cr_assert_str_eq(lvp_pci_devices_file_match(file, &ids)->resource, "gpu.nvidia/a30-pcie");
}

Test(pci_generate, type_follows_the_class)
{
    static const struct {
        guint class_code;
        const char *resource;
    } CASES[] = {
        {0x010802, "nvme.nvidia/a30-pcie"},        {0x010601, "storage.nvidia/a30-pcie"},
        {0x020000, "nic.nvidia/a30-pcie"},         {0x030000, "gpu.nvidia/a30-pcie"},
        {0x040300, "audio.nvidia/a30-pcie"},       {0x040000, "media.nvidia/a30-pcie"},
        {0x0c0330, "usb.nvidia/a30-pcie"},         {0x0b4000, "accelerator.nvidia/a30-pcie"},
        {0x120000, "accelerator.nvidia/a30-pcie"}, {0xff0000, "pci.nvidia/a30-pcie"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        lvp_fake_host_add_pci(fake, &(LvpFakePci){.address = "0000:3b:00.0",
                                                  .vendor = 0x10de,
                                                  .device = 0x20b7,
                                                  .class_code = CASES[i].class_code,
                                                  .group = 1});
        assert_generated_resources(CASES[i].resource);
        lvp_fake_host_pull(fake, "0000:3b:00.0");
    }
}

Test(pci_generate, host_that_cannot_be_asked_is_an_error)
{
    g_autoptr(GError) error = NULL;
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x030200);
    lvp_fake_host_set_file(fake, "proc/self/mountinfo", NULL);
    cr_assert_null(lvp_pci_generate(host, TIMEOUT_MS, &error));
    cr_assert_not_null(error);
}

/* ---- what the host uses ---- */

static void
mount_disk(const char *address, const char *name, const char *target)
{
    lvp_fake_host_add_block(fake, &(LvpFakeBlock){.name = name, .pci = address});
    lvp_fake_host_mount(fake, name, target);
}

Test(pci_generate, model_that_the_host_uses_is_commented_out_with_the_reason)
{
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x010802);
    add("0000:5e:00.0", 0x10de, 0x20b8, 0x010802);
    mount_disk("0000:3b:00.0", "nvme0n1", "/srv");
    g_autofree char *text = generate();
    assert_contains(text, "      # 0000:3b:00.0: nvme0n1 is mounted on /srv\n"
                          "      # - id: \"0x20b7\"\n"
                          "      #   name: \"a30-pcie\"\n"
                          "      #   type: nvme\n");
    assert_resources(text, "nvme.nvidia/a30-pcie-20b8");
}

Test(pci_generate, vendor_of_whom_all_is_used_has_an_empty_list)
{
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x010802);
    mount_disk("0000:3b:00.0", "nvme0n1", "/srv");
    g_autofree char *text = generate();
    assert_contains(text, "    devices: []\n");
    assert_resources(text, "");
}

Test(pci_generate, model_of_which_one_is_free_is_an_entry_and_the_used_one_is_named)
{
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x010802);
    add("0000:5e:00.0", 0x10de, 0x20b7, 0x010802);
    mount_disk("0000:3b:00.0", "nvme0n1", "/srv");
    g_autofree char *text = generate();
    assert_contains(text, "      # 0000:3b:00.0: nvme0n1 is mounted on /srv\n"
                          "      # 0000:5e:00.0: free\n"
                          "      - id: \"0x20b7\"\n");
    assert_resources(text, "nvme.nvidia/a30-pcie");
}

Test(pci_generate, mount_point_cannot_break_out_of_its_comment)
{
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x010802);
    mount_disk("0000:3b:00.0", "nvme0n1", "/a\\012evil:\\040[\\011\342\200\250evil:\302\205");
    assert_generated_resources("");
}

/* ---- one device id, several classes ---- */

static void
assert_match(const char *text, const LvpPciIds *ids, const char *resource)
{
    g_autoptr(LvpPciDevicesFile) file = devices_text_read(text);
    const LvpPciOffer *offer = lvp_pci_devices_file_match(file, ids);
    cr_assert_str_eq(offer ? offer->resource : "", resource, "%s", text);
}

Test(pci_generate, classes_of_one_type_share_an_entry)
{
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x020000);
    add("0000:3c:00.0", 0x10de, 0x20b7, 0x020700);
    assert_generated_resources("nic.nvidia/a30-pcie");
}

Test(pci_generate, classes_of_several_types_have_entries_of_their_own)
{
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x030200);
    add("0000:3c:00.0", 0x10de, 0x20b7, 0x040300);
    add("0000:3d:00.0", 0x10de, 0x20b7, 0x030200);
    g_autofree char *text = generate();
    assert_resources(text, "gpu.nvidia/a30-pcie audio.nvidia/a30-pcie");
    assert_contains(text, "      # 0000:3b:00.0: free\n      # 0000:3d:00.0: free\n"
                          "      - id: \"0x030200\"\n");
    assert_match(text, &(LvpPciIds){.vendor = 0x10de, .device = 0x20b7, .class_code = 0x030200},
                 "gpu.nvidia/a30-pcie");
    assert_match(text, &(LvpPciIds){.vendor = 0x10de, .device = 0x20b7, .class_code = 0x040300},
                 "audio.nvidia/a30-pcie");
    assert_match(
        text,
        &(LvpPciIds){
            .vendor = 0x10de, .device = 0x20b7, .class_code = 0x040300, .subsystem_vendor = 0x10de},
        "");
}

Test(pci_generate, class_that_another_device_has_too_is_left_to_the_operator)
{
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x030200);
    add("0000:3c:00.0", 0x10de, 0x20b7, 0x040300);
    add("0000:5e:00.0", 0x10de, 0x20b8, 0x040300);
    g_autofree char *text = generate();
    assert_resources(text, "gpu.nvidia/a30-pcie audio.nvidia/a30-pcie-20b8");
    assert_contains(text,
                    "      # an entry for it would match 0000:5e:00.0, too: write one by hand\n"
                    "      # - id: \"0x040300\"\n");
}

/* ---- names ---- */

/* A device of 0x10de with these texts is offered as EXPECTED, and no text breaks the file. */
static void
assert_names(const char *vendor, const char *device, const char *expected)
{
    vendor_text = vendor;
    device_text = device;
    g_autofree char *text = generate();
    assert_resources(text, expected);
}

Test(pci_generate, vendor_is_called_by_its_first_word_and_device_by_what_stands_in_brackets)
{
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x030200);
    assert_names("Red Hat, Inc.", "QEMU NVM Express Controller",
                 "gpu.red/qemu-nvm-express-controller");
    assert_names("Intel", "82574L  Gigabit (rev. 2)", "gpu.intel/82574l-gigabit-rev-2");
    assert_names("3Dlabs", "GA102 [GeForce RTX 3090] [x]", "gpu.3dlabs/geforce-rtx-3090-x");
}

Test(pci_generate, name_without_a_usable_character_gives_way_to_the_id)
{
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x030200);
    assert_names("", "", "gpu.v10de/d20b7");
    assert_names(NULL, "[]", "gpu.v10de/d20b7");
    assert_names("日本", "[???", "gpu.v10de/d20b7");
    assert_names("---", "-.-", "gpu.v10de/d20b7");
}

Test(pci_generate, hostile_names_stay_in_their_comments)
{
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x030200);
    static const char *const HOSTILE[] = {
        "a\nvendors: []",       "a\r\nevil: [",      "a\302\205evil: [",  "a\342\200\250evil: [",
        "a\342\200\251evil: {", "a\001\033[31m\177", "a\377\376\200",     "a\357\273\277b",
        "a\tb # c: \"' & * !",  "a\357\277\276",     "a\360\237\230\200", "a\303"};
    for (guint i = 0; i < G_N_ELEMENTS(HOSTILE); i++) {
        vendor_text = device_text = HOSTILE[i];
        g_autofree char *text = generate();
        cr_assert(g_utf8_validate(text, -1, NULL));
        g_autoptr(LvpPciDevicesFile) file = devices_text_read(text);
        cr_assert_eq(lvp_pci_devices_file_get_resources(file)->len, 1);
    }
}

Test(pci_generate, endless_names_are_cut_to_what_the_file_allows)
{
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x030200);
    g_autofree char *endless = g_strnfill(10000, 'x');
    vendor_text = device_text = endless;
    g_autofree char *text = generate();
    g_autofree char *longest = g_strnfill(40, 'x');
    g_autofree char *expected = g_strdup_printf("gpu.%s/%s", longest, longest);
    assert_resources(text, expected);
}

Test(pci_generate, models_of_one_name_do_not_become_one_pool)
{
    add("0000:3b:00.0", 0x10de, 0x20b7, 0x030200);
    add("0000:5e:00.0", 0x10de, 0x20b8, 0x030200);
    add("0000:af:00.0", 0x10de, 0x20b9, 0x120000);
    assert_generated_resources(
        "gpu.nvidia/a30-pcie gpu.nvidia/a30-pcie-20b8 accelerator.nvidia/a30-pcie");
}
