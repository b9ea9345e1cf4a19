/* SPDX-License-Identifier: Apache-2.0 */
/* A source's part of the libvirt domain. The part only records what is wanted; the core applies all
 * parts to the template, in the order of the sources. Texts are copied. See
 * https://libvirt.org/formatdomain.html for what may stand where. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct LvpDomainPart LvpDomainPart;

/* Sets the text of the element at PATH below <domain>, such as "cputune/global_quota". It is made
 * where it is missing; where the template has it, its attributes stay. */
void lvp_domain_part_set_text(LvpDomainPart *self, const char *path, const char *text);
/* Sets, or with VALUE NULL removes, an attribute of the element at PATH. */
void lvp_domain_part_set_attribute(LvpDomainPart *self,
                                   const char *path,
                                   const char *attribute,
                                   const char *value);
/* Removes all elements at PATH, with what is in them. */
void lvp_domain_part_remove(LvpDomainPart *self, const char *path);
/* Appends one element, given as XML text, to the element at PATH, such as "devices". */
void lvp_domain_part_append(LvpDomainPart *self, const char *path, const char *xml);

/* Devices that are functions of one PCI slot of the guest: begin_slot takes a slot that nothing in
 * the domain uses, on a port of its own, and each append_function adds one device (its XML, without
 * an <address>) to <devices> as FUNCTION (0 to 7, each once) of it. Function 0 has to be among
 * them. */
void lvp_domain_part_begin_slot(LvpDomainPart *self);
void lvp_domain_part_append_function(LvpDomainPart *self, guint function, const char *xml);

G_END_DECLS
