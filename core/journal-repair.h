/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a journal that may be damaged. */
#pragma once

#include "journal-db.h"

/* Opens PATH after a look at all of it. A damaged one is set aside as PATH.damaged-TIME, never
 * deleted, and a new one takes its place that says that it has to be made again. */
LvpJournalDb *lvp_journal_repair_open(const char *path, GError **error);
