/* SPDX-License-Identifier: Apache-2.0 */
/* Machine classes: a name and what a machine of it needs. */
#pragma once

#include "lib/request.h"

#include <libvirt-provider/yaml.h>

typedef struct {
    char *name;
    LvpRequest *capabilities; /* as declared: what the API shows */
} LvpMachineClass;

/* Reads a list of {name, capabilities: {resource: quantity}} in YAML or JSON: LvpMachineClass, in
 * the order of the file. Mistakes go to DIAGNOSTICS; NULL where there are any. */
GPtrArray *lvp_machine_classes_read(const char *file, LvpDiagnostics *diagnostics);

void lvp_machine_class_free(LvpMachineClass *self);
