/* SPDX-License-Identifier: Apache-2.0 */
/* A domain against libvirt's own schema, without libvirt. Uses libxml2. Any thread, after
 * lvp_domain_xml_init(). */
#pragma once

#include <glib.h>

/* Whether XML is valid by the schema in FILE (lvp_domain_schema_get_file(), but in tests).
 * LVP_ERROR_INVALID_REQUEST names the element or attribute without which it would be, if there is
 * one. *RET_CHECKED is FALSE, and so is nothing said, where there is no schema. */
gboolean
lvp_domain_schema_check(const char *file, const char *xml, gboolean *ret_checked, GError **error);

/* Where libvirt has installed its schema of a domain. */
const char *lvp_domain_schema_get_file(void);
