/* SPDX-License-Identifier: Apache-2.0 */
/* From a template to the domain of one machine, and back. Uses libxml2. Pure; any
 * thread, after lvp_domain_xml_init(). */
#pragma once

#include "lib/domain-part.h"

/* The namespace of our element in <metadata>. */
#define LVP_METADATA_URI "urn:libvirt-provider:machine:1"

typedef struct {
    const char *name;
    const char *uuid;
    const char *class_name;
    const char *type;  /* "kvm" or "qemu": for a template that leaves it open */
    const char *state; /* what the metadata keeps of the claim, see machine-state.h; may be NULL */
} LvpDomainIdentity;

/* Once, before a second thread uses libxml2, here or elsewhere: "not reentrant", says its
 * documentation of xmlInitParser(), which it calls at its first use. */
void lvp_domain_xml_init(void);

/* Whether TEXT can serve as a template: XML below 1 MiB, a <domain>, no DTD and no entities, at
 * most one name, uuid and metadata, and no memory beside <memory> (guest NUMA cells with memory,
 * <maxMemory>, memory devices). LVP_ERROR_INVALID_REQUEST with line and reason. */
gboolean lvp_domain_xml_check_template(const char *text, GError **error);

/* The PCI addresses of all host devices (hostdev, interface, disk), as "0000:3b:00.0"; of a
 * template, which has to be one, and of a domain of libvirt's, whatever is in it. g_strfreev(). */
char **lvp_domain_xml_list_template_addresses(const char *text, GError **error);
char **lvp_domain_xml_list_host_addresses(const char *domain_text, GError **error);

/* The domain: identity, the parts (LvpDomainPart) in their order, and our metadata put into the
 * template; all else as it stands there. The same arguments give the same bytes. g_free(). */
char *lvp_domain_xml_build(const char *template_text,
                           const LvpDomainIdentity *identity,
                           const GPtrArray *parts,
                           GError **error);

/* The uuid of the claim in a domain's metadata, or NULL if it is not ours; g_free(). */
char *lvp_domain_xml_find_claim(const char *domain_text);
/* The class and the state there, or NULL; g_free(). */
char *lvp_domain_xml_find_class(const char *domain_text);
char *lvp_domain_xml_find_state(const char *domain_text);
