/* SPDX-License-Identifier: Apache-2.0 */
#include "machine-class.h"

#include "machine.h"
#include "resource.h"

#include <string.h>

void
lvp_machine_class_free(LvpMachineClass *self)
{
    if (!self)
        return;
    g_free(self->name);
    lvp_request_free(self->capabilities);
    g_free(self);
}

static void
read_capability(LvpMachineClass *class,
                const LvpYamlNode *key,
                const LvpYamlNode *value,
                LvpDiagnostics *diagnostics)
{
    const char *resource = lvp_yaml_node_get_text(key);
    gint64 amount = 0;
    g_autoptr(GError) error = NULL;
    if (!lvp_yaml_node_expect_text(key, "the name of a resource", diagnostics))
        return;
    if (!lvp_resource_is_name(resource)) {
        lvp_yaml_node_report(key, diagnostics,
                             "'%s' is no name of a resource (examples: cpu, memory, "
                             "gpu.nvidia/a30)",
                             resource);
        return;
    }
    if (!lvp_yaml_node_expect(value, LVP_YAML_SCALAR, resource, diagnostics))
        return;
    if (!lvp_quantity_parse(resource, lvp_yaml_node_get_text(value), &amount, &error))
        lvp_yaml_node_report(value, diagnostics, "%s", error->message);
    else if (amount == 0)
        lvp_yaml_node_report(value, diagnostics, "%s must be more than 0", resource);
    else
        lvp_request_set_amount(class->capabilities, resource, amount);
}

static LvpMachineClass *
read_class(const LvpYamlNode *node, GHashTable *names, LvpDiagnostics *diagnostics)
{
    static const char *const KEYS[] = {"name", "capabilities", NULL};
    if (!lvp_yaml_node_expect(node, LVP_YAML_MAPPING, "a machine class", diagnostics))
        return NULL;
    lvp_yaml_node_check_keys(node, KEYS, diagnostics);
    const LvpYamlNode *name = lvp_yaml_node_find(node, "name");
    const LvpYamlNode *capabilities = lvp_yaml_node_find(node, "capabilities");
    if (!name || !capabilities) {
        lvp_yaml_node_report(node, diagnostics, "a machine class needs name and capabilities");
        return NULL;
    }
    if (!lvp_yaml_node_expect_text(name, "name", diagnostics) ||
        !lvp_yaml_node_expect(capabilities, LVP_YAML_MAPPING, "capabilities", diagnostics))
        return NULL;
    const char *text = lvp_yaml_node_get_text(name);
    if (!lvp_machine_check_name(text, NULL))
        lvp_yaml_node_report(name, diagnostics,
                             "'%s' is no name for a class: 1 to 64 of A-Z a-z 0-9 _ . - and no dot "
                             "first",
                             text);
    const LvpYamlNode *first = g_hash_table_lookup(names, text);
    if (first)
        lvp_yaml_node_report(name, diagnostics, "class %s exists already in line %u, column %u",
                             text, lvp_yaml_node_get_line(first), lvp_yaml_node_get_column(first));
    else
        g_hash_table_insert(names, (gpointer)(gsize)text, (gpointer)(gsize)name);
    LvpMachineClass *class = g_new0(LvpMachineClass, 1);
    class->name = g_strdup(text);
    class->capabilities = lvp_request_new();
    for (guint i = 0; i < lvp_yaml_node_get_length(capabilities); i++)
        read_capability(class, lvp_yaml_node_get_key(capabilities, i),
                        lvp_yaml_node_get_item(capabilities, i), diagnostics);
    if (lvp_yaml_node_get_length(capabilities) == 0)
        lvp_yaml_node_report(capabilities, diagnostics, "class %s asks for nothing", text);
    return class;
}

GPtrArray *
lvp_machine_classes_read(const char *file, LvpDiagnostics *diagnostics)
{
    guint before = lvp_diagnostics_get_count(diagnostics);
    g_autoptr(LvpYaml) yaml = lvp_yaml_read_file(file, diagnostics);
    if (!yaml)
        return NULL;
    const LvpYamlNode *root = lvp_yaml_get_root(yaml);
    if (!lvp_yaml_node_expect(root, LVP_YAML_SEQUENCE, "a file of machine classes", diagnostics))
        return NULL;
    g_autoptr(GPtrArray) classes =
        g_ptr_array_new_with_free_func((GDestroyNotify)lvp_machine_class_free);
    /* name -> its node, both of the tree */
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < lvp_yaml_node_get_length(root); i++) {
        LvpMachineClass *class = read_class(lvp_yaml_node_get_item(root, i), names, diagnostics);
        if (class)
            g_ptr_array_add(classes, class);
    }
    return lvp_diagnostics_get_count(diagnostics) == before ? g_steal_pointer(&classes) : NULL;
}
