/* SPDX-License-Identifier: Apache-2.0 */
/* One loaded source: its table, instance and context. Calls the source and says in each error which
 * one it was. The floor below the allocator. */
#pragma once

#include "lib/request.h"
#include "lib/snapshot.h"
#include "lib/source-context.h"
#include "source-loader.h"

typedef struct LvpSource LvpSource;

/* HOST outlives the source. */
LvpSource *lvp_source_new(LvpModule *module,
                          LvpHost *host,
                          LvpOptions *options,
                          const char *libvirt_uri,
                          const LvpSourceContextCalls *calls,
                          GError **error);
LvpSource *lvp_source_ref(LvpSource *self);
void lvp_source_unref(LvpSource *self);

const LvpSourceTable *lvp_source_get_table(const LvpSource *self);
const char *lvp_source_get_name(const LvpSource *self);
const char *lvp_source_get_path(const LvpSource *self);
/* NULL if well; g_free(). */
char *lvp_source_dup_health(const LvpSource *self);

/* The one named NAME among SOURCES (LvpSource), borrowed; or NULL. */
LvpSource *lvp_source_find(const GPtrArray *sources, const char *name);

/* The members of the table, with their defaults where the source has none; see
 * libvirt-provider/source.h for the contracts. */
gboolean lvp_source_setup(LvpSource *self, GError **error);
/* NULL with error. */
LvpSnapshot *lvp_source_discover(LvpSource *self, LvpDiscoverFlags flags, GError **error);
gboolean lvp_source_normalize(LvpSource *self, LvpRequest *request, GError **error);
/* Only where the table has the member. */
gboolean lvp_source_plan(
    LvpSource *self, const LvpView *view, const LvpRequest *request, int node, LvpPlan *plan);
gint64 lvp_source_fits(LvpSource *self, const LvpView *view, const LvpRequest *request);
/* Sets holding->record; leaves it NULL for a source without effects. */
gboolean lvp_source_prepare(LvpSource *self, LvpHolding *holding, GError **error);
gboolean lvp_source_commit(LvpSource *self, const LvpHolding *holding, GError **error);
/* Never NULL. A unit of the holding without a verdict counts as failed. */
LvpOutcome *lvp_source_rollback(LvpSource *self, const LvpHolding *holding);
/* The same of one unit of a record whose holding is gone. */
LvpOutcome *lvp_source_rollback_unit(LvpSource *self, GVariant *record, const char *unit_id);
/* Never NULL; empty for a source without effects. */
LvpOutcome *lvp_source_restore(LvpSource *self, const LvpHolding *holding);
gboolean lvp_source_contribute_xml(LvpSource *self,
                                   const LvpHolding *holding,
                                   LvpDomainPart *part,
                                   GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpSource, lvp_source_unref)
