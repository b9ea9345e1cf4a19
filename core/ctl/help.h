/* SPDX-License-Identifier: Apache-2.0 */
/* The help of lpctl, from the tables of verbs and options. The completions read it. */
#pragma once

#include "commands.h"

/* "machine create NAME"; without ARGUMENTS "machine create". g_free(). */
char *lvp_ctl_make_command(const LvpCtlVerb *verb, gboolean arguments);
/* The help of verb ONLY, else of all verbs of NOUN, else (both NULL) of all verbs. */
void lvp_ctl_print_help(const GArray *all_options, const LvpCtlVerb *only, const char *noun);
