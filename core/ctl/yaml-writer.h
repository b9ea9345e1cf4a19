/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON tree as YAML: block style, texts quoted as in JSON, which YAML reads alike. */
#pragma once

#include <json-glib/json-glib.h>

/* Prints NODE, an object or array, on stdout. */
void lvp_yaml_print(JsonNode *node);
