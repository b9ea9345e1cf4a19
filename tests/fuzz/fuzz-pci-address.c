/* SPDX-License-Identifier: Apache-2.0 */
/* PCI addresses: what is read stands as sysfs writes it, and comes back out of the domain XML. */
#include "domain-xml.h"
#include "fuzz.h"
#include "pci-hostdev.h"

#include <string.h>

static void
check_hostdev(const LvpPciAddress *address, const char *text)
{
    g_autofree char *hostdev = lvp_pci_make_hostdev(address);
    g_autofree char *domain = g_strdup_printf("<domain>%s</domain>", hostdev);
    g_auto(GStrv) found = lvp_domain_xml_list_host_addresses(domain, NULL);
    must(found && g_strv_length(found) == 1 && strcmp(found[0], text) == 0);
}

/* The address at the begin of TEXT, if its first LENGTH characters are one, must be found so in the
 * middle of a path, too. */
static void
check_part(const char *text, gsize length)
{
    g_autofree char *part = g_strndup(text, length);
    LvpPciAddress address;
    must(lvp_pci_is_address(text, length) == lvp_pci_parse_address(part, &address));
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autofree char *text = fuzz_copy_text(data, size);
    LvpPciAddress address = {7, 7, 7, 7};
    gboolean ok = lvp_pci_parse_address(text, &address);
    for (const char *part = text; *part; part += strcspn(part, "/") + 1) {
        check_part(part, strcspn(part, "/"));
        if (part[strcspn(part, "/")] == '\0')
            break;
    }
    if (!ok) {
        must(address.domain + address.bus + address.slot + address.function == 28);
        return 0;
    }
    must(address.bus <= 0xff && address.slot <= 0x1f && address.function <= 7);
    g_autofree char *written = g_strdup_printf("%04x:%02x:%02x.%x", address.domain, address.bus,
                                               address.slot, address.function);
    must(strcmp(written, text) == 0);
    check_hostdev(&address, text);
    char path[LVP_PCI_PATH_SIZE];
    g_autofree char *expected = g_strdup_printf(LVP_PCI_DEVICES "/%s/vendor", text);
    must(strcmp(lvp_pci_path(path, text, "vendor"), expected) == 0);
    return 0;
}
