/* SPDX-License-Identifier: Apache-2.0 */
/* The tree that yaml-reader makes. Internal. */
#pragma once

#include <libvirt-provider/yaml.h>

struct LvpYamlNode {
    LvpYaml *tree; /* borrowed: for the file's name */
    LvpYamlKind kind;
    guint line, column;
    gboolean cut_off; /* what comes after a syntax error in it is not known */
    char *text;
    gboolean plain;    /* a scalar without quotes, and in no block */
    GPtrArray *keys;   /* LvpYamlNode, of a mapping */
    GPtrArray *items;  /* LvpYamlNode, of a mapping or sequence */
    GHashTable *index; /* text of key -> item, both borrowed; of a mapping */
};

struct LvpYaml {
    char *file;
    LvpYamlNode *root;
};

/* Accepts NULL. */
void lvp_yaml_node_free(gpointer node);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpYamlNode, lvp_yaml_node_free)
