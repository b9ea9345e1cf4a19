/* SPDX-License-Identifier: Apache-2.0 */
/* One source for a test: its table with an instance on a host, and what it says as text. */
#pragma once

#include "snapshot.h"
#include "source-context.h"

#include <libvirt-provider/source.h>

/* The table of the source whose code is linked into the test. */
extern const LvpSourceTable lvp_source_table;

typedef struct {
    LvpSourceContext *context;
    gpointer instance;
} SourceFixture;

/* SETTINGS: names and texts of options in turn, NULL-ended; NULL: all defaults. NULL with error
 * where the source refuses to start. */
SourceFixture *source_fixture_new(LvpHost *host, const char *const *settings, GError **error);
/* Accepts NULL. */
void source_fixture_free(SourceFixture *self);

/* NULL with error. */
LvpSnapshot *source_fixture_discover(SourceFixture *self, GError **error);

/* What `validate` says of SETTINGS; "" if nothing; g_free(). */
char *source_fixture_validate(const char *const *settings);

/* Counted amounts as "RESOURCE@NODE=AMOUNT ..." in base units; g_free(). */
char *source_fixture_show_amounts(const LvpSnapshot *snapshot);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SourceFixture, source_fixture_free)
