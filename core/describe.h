/* SPDX-License-Identifier: Apache-2.0 */
/* The world in the words of the API: rows of a{sv} with the keys of the JSON output; what is
 * unknown is left out. Under the allocator's lock; all GVariants are floating. */
#pragma once

#include "allocator.h"

GVariant *lvp_describe_sources(const LvpWorld *world);  /* aa{sv} */
GVariant *lvp_describe_devices(const LvpWorld *world);  /* aa{sv} */
GVariant *lvp_describe_classes(const LvpWorld *world);  /* aa{sv} */
GVariant *lvp_describe_machines(const LvpWorld *world); /* aa{sv} */
/* a{sv}: of one machine; NULL if there is none. */
GVariant *lvp_describe_machine(const LvpWorld *world, const char *name_or_uuid);
/* A unit of a source's full discovery that the inventory does not have: a{sv}; NULL if it has. */
GVariant *lvp_describe_unlisted(const LvpWorld *world, const char *source, const LvpUnit *unit);

/* Sentences for a person, one a line; NULL if there is none of that name. g_free(). */
char *lvp_explain_device(const LvpWorld *world, const char *id);
char *lvp_explain_unlisted(const LvpWorld *world, const char *source, const LvpUnit *unit);
char *lvp_explain_class(const LvpWorld *world, const char *name);
char *lvp_explain_machine(const LvpWorld *world, const char *name_or_uuid);
