/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include <libvirt-provider/error.h>

/* For `journalctl MESSAGE_ID=…`; made once with `journalctl --new-id128`. */
#define MESSAGE_ID "6b1d0d7ef0a44c5c8f0e6c2f4a1f9d37"
#define MAX_UNWRITTEN 10000

struct LvpEvents {
    LvpJournal *journal;
    LvpEventListener listener;
    gpointer listener_data;
    GThreadPool *writer; /* one thread */
    GMutex write_mutex;  /* one at a time takes what is unwritten and writes it; before MUTEX */
    GMutex mutex;        /* guards the rest */
    gint64 last_id;
    GQueue *untold;       /* LvpEvent, not yet given to the listener */
    GPtrArray *unwritten; /* LvpEvent */
    guint tell_source;
};

/* ---- telling ---- */

static const char *
or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

static void
log_event(const LvpEvent *event)
{
    g_autofree char *message =
        g_strdup_printf("%s %s: %s -> %s%s%s", event->kind, event->subject, or_dash(event->from),
                        or_dash(event->to), event->reason[0] ? ": " : "", event->reason);
    const GLogField fields[] = {
        {"MESSAGE", message, -1},
        {"MESSAGE_ID", MESSAGE_ID, -1},
        {"PRIORITY", "6", -1},
        {"GLIB_DOMAIN", G_LOG_DOMAIN, -1},
        {"LIBVIRT_PROVIDER_KIND", event->kind, -1},
        {"LIBVIRT_PROVIDER_SUBJECT", event->subject, -1},
        {"LIBVIRT_PROVIDER_FROM", event->from, -1},
        {"LIBVIRT_PROVIDER_TO", event->to, -1},
        {"LIBVIRT_PROVIDER_REASON", event->reason, -1},
    };
    g_log_structured_array(G_LOG_LEVEL_INFO, fields, G_N_ELEMENTS(fields));
}

static gboolean
tell(gpointer data)
{
    LvpEvents *self = data;
    g_mutex_lock(&self->mutex);
    self->tell_source = 0;
    while (!g_queue_is_empty(self->untold)) {
        LvpEvent *event = g_queue_pop_head(self->untold);
        g_mutex_unlock(&self->mutex);
        log_event(event);
        if (self->listener)
            self->listener(self->listener_data, event);
        g_mutex_lock(&self->mutex);
        if (self->unwritten->len >= MAX_UNWRITTEN)
            g_ptr_array_remove_index(self->unwritten, 0);
        g_ptr_array_add(self->unwritten, event);
    }
    g_mutex_unlock(&self->mutex);
    g_thread_pool_push(self->writer, self, NULL);
    return G_SOURCE_REMOVE;
}

/* ---- writing ---- */

/* What cannot be written now is written with what comes next. When this returns, all that was told
 * before is in the journal, also what another thread had taken already. */
static void
write_events(gpointer data, gpointer user_data)
{
    (void)data;
    LvpEvents *self = user_data;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->write_mutex);
    g_autoptr(GError) error = NULL;
    g_mutex_lock(&self->mutex);
    g_autoptr(GPtrArray) events = g_steal_pointer(&self->unwritten);
    self->unwritten = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_event_free);
    g_mutex_unlock(&self->mutex);
    if (events->len == 0 || lvp_journal_add_events(self->journal, events, &error))
        return;
    g_warning("events are not kept: %s", error->message);
    g_mutex_lock(&self->mutex);
    g_ptr_array_extend_and_steal(events, g_steal_pointer(&self->unwritten));
    self->unwritten = g_steal_pointer(&events);
    g_mutex_unlock(&self->mutex);
}

/* ---- life ---- */

LvpEvents *
lvp_events_new(LvpJournal *journal, GError **error)
{
    gint64 last_id = lvp_journal_read_last_event(journal, error);
    if (last_id < 0)
        return NULL;
    LvpEvents *self = g_new0(LvpEvents, 1);
    g_mutex_init(&self->write_mutex);
    g_mutex_init(&self->mutex);
    self->journal = journal;
    self->last_id = last_id;
    self->untold = g_queue_new();
    self->unwritten = g_ptr_array_new_with_free_func((GDestroyNotify)lvp_event_free);
    self->writer = g_thread_pool_new(write_events, self, 1, FALSE, NULL);
    return self;
}

void
lvp_events_free(LvpEvents *self)
{
    if (!self)
        return;
    if (self->tell_source != 0)
        g_source_remove(self->tell_source);
    tell(self);
    g_thread_pool_free(self->writer, FALSE, TRUE);
    g_queue_free_full(self->untold, (GDestroyNotify)lvp_event_free);
    g_ptr_array_unref(self->unwritten);
    g_mutex_clear(&self->mutex);
    g_mutex_clear(&self->write_mutex);
    g_free(self);
}

void
lvp_events_set_listener(LvpEvents *self, LvpEventListener listener, gpointer data)
{
    self->listener = listener;
    self->listener_data = data;
}

void
lvp_events_add(LvpEvents *self, LvpEvent *event)
{
    g_mutex_lock(&self->mutex);
    event->id = ++self->last_id;
    event->time_us = g_get_real_time();
    g_queue_push_tail(self->untold, event);
    if (self->tell_source == 0)
        self->tell_source = g_idle_add(tell, self);
    g_mutex_unlock(&self->mutex);
}

GPtrArray *
lvp_events_list(LvpEvents *self, gint64 after, guint max, GError **error)
{
    write_events(NULL, self);
    return lvp_journal_load_events(self->journal, after, max, error);
}
