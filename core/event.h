/* SPDX-License-Identifier: Apache-2.0 */
/* One change of a machine or a device, as told to people and programs. */
#pragma once

#include <glib.h>

typedef struct {
    gint64 id;      /* ascending over all starts of the provider */
    gint64 time_us; /* since 1970 */
    char *kind;     /* "machine" or "device" */
    char *subject;  /* name of the machine, id of the device */
    char *from;     /* the states of the API with conditions: "in-use,lost"; "": it was not there */
    char *to;       /* "": it is not there any more */
    char *reason;   /* "" where there is none */
} LvpEvent;

/* With id and time 0. */
LvpEvent *lvp_event_new(
    const char *kind, const char *subject, const char *from, const char *to, const char *reason);
void lvp_event_free(LvpEvent *self);
/* The row of the API: a{sv}, floating. */
GVariant *lvp_event_to_row(const LvpEvent *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpEvent, lvp_event_free)
