/* SPDX-License-Identifier: Apache-2.0 */
/* Machines as text, and the journal's file by a connection of its own. */
#pragma once

#include "journal.h"

/* All that the journal keeps of MACHINE, byte for byte; g_free(). */
char *journal_file_describe(const LvpMachine *machine);
/* The same of a mark; g_free(). */
char *journal_file_describe_mark(const LvpUnitMark *mark);
/* The rows of a query in the journal of FOLDER, columns with '|' between, rows with ' '; also runs
 * what gives no rows. g_free(). */
char *journal_file_query(const char *folder, const char *sql);
