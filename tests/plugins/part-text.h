/* SPDX-License-Identifier: Apache-2.0 */
/* What a source recorded for the domain, as text. */
#pragma once

#include "domain-part.h"

/* A line for each edit: "PATH = TEXT", "PATH@ATTRIBUTE = VALUE" ("removed" where it is), "PATH +=
 * XML"; g_free(). */
char *part_to_text(const LvpDomainPart *part);
