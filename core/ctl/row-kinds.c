/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of rows: their keys, and the columns of their tables. */
#include "output.h"

#define DEVICE_COLUMNS                                                                             \
    "ID=id", "RESOURCE=resource", "STATE=state", "MACHINE=machine", "DRIVER=attributes.driver",    \
        "GROUP=attributes.iommuGroup", "NUMA=numaNode", "?REASON=reason"

const LvpRowKind LVP_DEVICE_ROWS = {
    "devices",
    "id",
    (const char *const[]){"source", "id", "identity", "resource", "state", "conditions", "machine",
                          "numaNode", "reason", "attributes", NULL},
    (const char *const[]){DEVICE_COLUMNS, NULL},
};

const LvpRowKind LVP_CLASS_ROWS = {
    "classes",
    "name",
    (const char *const[]){"name", "capabilities", "available", "limitedBy", "reason", NULL},
    (const char *const[]){"NAME=name", "CAPABILITIES=capabilities", "AVAILABLE=available",
                          "LIMITED BY=limitedBy", "?REASON=reason", NULL},
};

const LvpRowKind LVP_MACHINE_ROWS = {
    "machines",
    "name",
    (const char *const[]){"name", "uuid", "class", "state", "reason", "resources", "devices",
                          "autostart", "labels", "annotations", NULL},
    (const char *const[]){"NAME=name", "CLASS=class", "STATE=state", "DEVICES=devices", "UUID=uuid",
                          "?REASON=reason", NULL},
};

const LvpRowKind LVP_SOURCE_ROWS = {
    "sources",
    "name",
    (const char *const[]){"name", "version", "path", "health", "resources", NULL},
    (const char *const[]){"NAME=name", "VERSION=version", "RESOURCES=resources", "HEALTH=health",
                          NULL},
};
