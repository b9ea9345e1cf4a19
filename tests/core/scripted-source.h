/* SPDX-License-Identifier: Apache-2.0 */
/* A source whose resources and failures a test decides, and that keeps note of its calls. Its model
 * of the host is the set of units that commit has taken and rollback has not given back. Its record
 * is the list of the unit ids. One thread at a time. */
#pragma once

#include "source.h"

typedef struct ScriptedSource ScriptedSource;

/* Called at the beginning of each member; RECORD is NULL where the member has none. */
typedef void (*ScriptedHook)(gpointer data, ScriptedSource *source, const char *member);

struct ScriptedSource {
    LvpSource *source;     /* what the core calls */
    LvpSourceTable *table; /* the module's: members may be changed before they are used */
    GHashTable *taken;     /* ids of units that are taken from the host */
    GString *calls;        /* "cards.prepare cards.commit", shared by several; borrowed */
    /* Said by the test, at any time: */
    const char *fail_at;     /* the member that fails; commit fails after its first unit */
    LvpVerdict given_back;   /* of rollback, for ODD_UNIT; the others are done */
    LvpVerdict found_again;  /* of restore, for ODD_UNIT; the others match */
    const char *odd_unit;    /* NULL: all */
    const char *source_name; /* borrowed */
    ScriptedHook hook;       /* may be NULL */
    gpointer hook_data;
    GArray *units; /* of scripted-source.c */
    GArray *amounts;
};

/* With EFFECTS it has prepare, commit, rollback and restore. NAME is a literal. */
ScriptedSource *scripted_source_new(const char *name, gboolean effects, GString *calls);
/* After the last user of its source. Accepts NULL. */
void scripted_source_free(ScriptedSource *self);

/* All texts are literals. A unit that looks like a PCI address becomes a <hostdev>. */
void scripted_source_add_unit(
    ScriptedSource *self, const char *resource, const char *id, const char *identity, int node);
/* The same, in an exclusion set. */
void scripted_source_add_unit_in_set(ScriptedSource *self,
                                     const char *resource,
                                     const char *id,
                                     const char *set);
void scripted_source_remove_unit(ScriptedSource *self, const char *id);
/* "cpu" becomes <vcpu>, "memory" <memory>. */
void
scripted_source_set_amount(ScriptedSource *self, const char *resource, int node, gint64 amount);
gboolean scripted_source_has_taken(const ScriptedSource *self, const char *id);
