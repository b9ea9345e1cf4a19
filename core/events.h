/* SPDX-License-Identifier: Apache-2.0 */
/* Where events go: numbered, to a listener at once, to journald, and into the journal. */
#pragma once

#include "event.h"
#include "journal.h"

typedef struct LvpEvents LvpEvents;

/* Called in the main thread, in the order of ids. */
typedef void (*LvpEventListener)(gpointer data, const LvpEvent *event);

/* JOURNAL outlives it; NULL with error where its last event cannot be read. */
LvpEvents *lvp_events_new(LvpJournal *journal, GError **error);
/* Writes what is not written yet. Accepts NULL. */
void lvp_events_free(LvpEvents *self);
/* Before the first event. */
void lvp_events_set_listener(LvpEvents *self, LvpEventListener listener, gpointer data);

/* Takes EVENT over and returns at once; any thread, under whatever lock. */
void lvp_events_add(LvpEvents *self, LvpEvent *event);
/* At most MAX of those that are kept and have an id above AFTER, the last ones: LvpEvent. */
GPtrArray *lvp_events_list(LvpEvents *self, gint64 after, guint max, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpEvents, lvp_events_free)
