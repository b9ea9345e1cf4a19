/* SPDX-License-Identifier: Apache-2.0 */
#include "pci-scan.h"

#include <string.h>

#define MAX_SLOT 0x1f

static guint
count_hex(const char *text)
{
    guint count = 0;
    while (g_ascii_isdigit(text[count]) || (text[count] >= 'a' && text[count] <= 'f'))
        count++;
    return count;
}

gboolean
lvp_pci_is_address(const char *text, gsize length)
{
    if (length < strlen("0000:00:00.0") || length >= LVP_PCI_ADDRESS_SIZE)
        return FALSE;
    guint domain = count_hex(text);
    const char *rest = text + domain;
    /* As "%04x" gives it: one function has one address. */
    if (domain < 4 || domain > 8 || (domain > 4 && text[0] == '0'))
        return FALSE;
    return length == domain + strlen(":00:00.0") && rest[0] == ':' && count_hex(rest + 1) == 2 &&
           rest[3] == ':' && count_hex(rest + 4) == 2 && rest[4] <= '1' && rest[6] == '.' &&
           rest[7] >= '0' && rest[7] <= '7';
}

gboolean
lvp_pci_parse_address(const char *text, LvpPciAddress *ret_address)
{
    if (!lvp_pci_is_address(text, strlen(text)))
        return FALSE;
    const char *rest = strchr(text, ':');
    LvpPciAddress address = {
        .domain = (guint)g_ascii_strtoull(text, NULL, 16),
        .bus = (guint)g_ascii_strtoull(rest + 1, NULL, 16),
        .slot = (guint)g_ascii_strtoull(rest + strlen(":00:"), NULL, 16),
        .function = (guint)g_ascii_strtoull(rest + strlen(":00:00."), NULL, 16),
    };
    if (address.slot > MAX_SLOT)
        return FALSE;
    *ret_address = address;
    return TRUE;
}

const char *
lvp_pci_path(char path[LVP_PCI_PATH_SIZE], const char *address, const char *attribute)
{
    char *end = stpcpy(path, LVP_PCI_DEVICES "/");
    end = stpncpy(end, address, LVP_PCI_ADDRESS_SIZE);
    *end++ = '/';
    g_strlcpy(end, attribute, LVP_PCI_PATH_SIZE - (gsize)(end - path));
    return path;
}

/* How many digits the kernel gives it, never more nor less: drivers/pci/pci-sysfs.c. */
static gsize
get_width(const char *attribute)
{
    if (strcmp(attribute, "class") == 0)
        return 6;
    return strcmp(attribute, "revision") == 0 ? 2 : 4;
}

gboolean
lvp_pci_read_hex(LvpHost *host,
                 const char *address,
                 const char *attribute,
                 char text[LVP_HOST_VALUE_SIZE],
                 guint *ret_value)
{
    char path[LVP_PCI_PATH_SIZE];
    gsize width = get_width(attribute);
    lvp_pci_path(path, address, attribute);
    gssize length = lvp_host_read_value(host, LVP_HOST_SYS, path, text, LVP_HOST_VALUE_SIZE);
    if (length != (gssize)width + 2 || text[0] != '0' || text[1] != 'x' ||
        count_hex(text + 2) != width)
        return FALSE;
    *ret_value = (guint)g_ascii_strtoull(text + 2, NULL, 16);
    return TRUE;
}

gboolean
lvp_pci_read_ids(LvpHost *host, const char *address, LvpPciIds *ids)
{
    char text[LVP_HOST_VALUE_SIZE];
    return lvp_pci_read_hex(host, address, "vendor", text, &ids->vendor) &&
           lvp_pci_read_hex(host, address, "device", text, &ids->device) &&
           lvp_pci_read_hex(host, address, "class", text, &ids->class_code) &&
           lvp_pci_read_hex(host, address, "subsystem_vendor", text, &ids->subsystem_vendor) &&
           lvp_pci_read_hex(host, address, "subsystem_device", text, &ids->subsystem_device) &&
           lvp_pci_read_hex(host, address, "revision", text, &ids->revision);
}

char *
lvp_pci_make_identity(const LvpPciIds *ids)
{
    return g_strdup_printf("%04x:%04x:%04x:%04x:%02x:%06x", ids->vendor, ids->device,
                           ids->subsystem_vendor, ids->subsystem_device, ids->revision,
                           ids->class_code);
}

void
lvp_pci_read_driver(LvpHost *host, const char *address, char driver[LVP_PCI_NAME_SIZE])
{
    char path[LVP_PCI_PATH_SIZE];
    lvp_pci_path(path, address, "driver");
    lvp_host_read_link_name(host, LVP_HOST_SYS, path, driver, LVP_PCI_NAME_SIZE);
}

void
lvp_pci_read_group(LvpHost *host, const char *address, char group[LVP_PCI_NAME_SIZE])
{
    char path[LVP_PCI_PATH_SIZE];
    lvp_pci_path(path, address, "iommu_group");
    lvp_host_read_link_name(host, LVP_HOST_SYS, path, group, LVP_PCI_NAME_SIZE);
}

gboolean
lvp_pci_is_present(LvpHost *host, const char *address)
{
    char path[LVP_PCI_PATH_SIZE];
    return lvp_host_exists(host, LVP_HOST_SYS, lvp_pci_path(path, address, "vendor"));
}

/* sriov_numvfs would say it, but a read of it waits for the device lock; the links do not. */
static guint
count_virtual_functions(LvpHost *host, const char *address)
{
    char path[LVP_PCI_PATH_SIZE];
    guint count = 0;
    if (!lvp_host_exists(host, LVP_HOST_SYS, lvp_pci_path(path, address, "sriov_totalvfs")))
        return 0;
    g_auto(GStrv) names = lvp_host_list(host, LVP_HOST_SYS, lvp_pci_path(path, address, ""), NULL);
    for (guint i = 0; names && names[i]; i++)
        if (g_str_has_prefix(names[i], "virtfn"))
            count++;
    return count;
}

char *
lvp_pci_find_sriov_problem(LvpHost *host, const char *address)
{
    char path[LVP_PCI_PATH_SIZE], physical[LVP_PCI_ADDRESS_SIZE], driver[LVP_PCI_NAME_SIZE];
    guint count = count_virtual_functions(host, address);
    if (count > 0)
        return g_strdup_printf("it has %u virtual functions: give those away, or set its "
                               "sriov_numvfs to 0",
                               count);
    lvp_pci_path(path, address, "physfn");
    lvp_host_read_link_name(host, LVP_HOST_SYS, path, physical, sizeof physical);
    if (physical[0] == '\0')
        return NULL;
    lvp_pci_read_driver(host, physical, driver);
    if (strcmp(driver, LVP_PCI_VFIO) != 0)
        return NULL;
    return g_strdup_printf("its physical function %s is on vfio-pci", physical);
}

gboolean
lvp_pci_is_leaving_vfio(LvpHost *host, const char *address)
{
    char path[LVP_PCI_PATH_SIZE];
    return lvp_host_exists(host, LVP_HOST_SYS, lvp_pci_path(path, address, "vfio-dev"));
}
