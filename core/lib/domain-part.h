/* SPDX-License-Identifier: Apache-2.0 */
/* What a source recorded for the domain, as domain-xml applies it. Internal. */
#pragma once

#include <libvirt-provider/domain-xml.h>

typedef enum {
    LVP_EDIT_TEXT,
    LVP_EDIT_ATTRIBUTE,
    LVP_EDIT_REMOVE,
    LVP_EDIT_APPEND,
    LVP_EDIT_BEGIN_SLOT,
    LVP_EDIT_APPEND_FUNCTION,
} LvpEditKind;

typedef struct {
    LvpEditKind kind;
    char *path;      /* NULL for the two of a slot */
    char *attribute; /* of ATTRIBUTE */
    char *value;     /* text, value (NULL: remove) or XML */
    guint function;  /* of APPEND_FUNCTION */
} LvpEdit;

struct LvpDomainPart {
    GArray *edits; /* LvpEdit */
};

LvpDomainPart *lvp_domain_part_new(void);
void lvp_domain_part_free(LvpDomainPart *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpDomainPart, lvp_domain_part_free)
