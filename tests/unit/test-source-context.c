/* SPDX-License-Identifier: Apache-2.0 */
#include "fake-host.h"
#include "source-context.h"

#include <criterion/criterion.h>
#include <string.h>

typedef struct {
    guint rescans;
    char *subsystem;
} Calls;

static void
count_rescan(gpointer data)
{
    ((Calls *)data)->rescans++;
}

static void
keep_subsystem(gpointer data, const char *subsystem)
{
    ((Calls *)data)->subsystem = g_strdup(subsystem);
}

static LvpSourceContext *
new_context(LvpHost *host, Calls *calls)
{
    g_autoptr(LvpOptions) options = lvp_options_new(NULL);
    return lvp_source_context_new(host, options, "qemu:///system",
                                  &(LvpSourceContextCalls){.request_rescan = count_rescan,
                                                           .watch_subsystem = keep_subsystem,
                                                           .data = calls});
}

Test(source_context, answers_what_it_was_given)
{
    g_autoptr(LvpFakeHost) fake = lvp_fake_host_new();
    LvpHost *host = lvp_fake_host_get_host(fake);
    Calls calls = {0};
    g_autoptr(LvpSourceContext) context = new_context(host, &calls);
    cr_assert_eq(lvp_source_context_get_host(context), host);
    cr_assert_str_eq(lvp_source_context_get_libvirt_uri(context), "qemu:///system");
}

Test(source_context, options_live_as_long_as_the_context)
{
    static const LvpOptionRow ROWS[] = {{.name = "dir", .default_value = "/srv"}, {0}};
    g_autoptr(LvpOptions) options = lvp_options_new(ROWS);
    g_autoptr(LvpSourceContext) context =
        lvp_source_context_new(NULL, options, "", &(LvpSourceContextCalls){0});
    g_clear_pointer(&options, lvp_options_unref);
    const LvpOptions *kept = lvp_source_context_get_options(context);
    cr_assert_str_eq(lvp_options_get_string(kept, "dir"), "/srv");
}

Test(source_context, calls_reach_the_core)
{
    Calls calls = {0};
    g_autoptr(LvpSourceContext) context = new_context(NULL, &calls);
    lvp_source_context_request_rescan(context);
    lvp_source_context_request_rescan(context);
    lvp_source_context_watch_subsystem(context, "pci");
    cr_assert_eq(calls.rescans, 2);
    cr_assert_str_eq(calls.subsystem, "pci");
    g_free(calls.subsystem);
}

Test(source_context, calls_may_be_missing)
{
    g_autoptr(LvpOptions) options = lvp_options_new(NULL);
    g_autoptr(LvpSourceContext) context =
        lvp_source_context_new(NULL, options, "", &(LvpSourceContextCalls){0});
    lvp_source_context_request_rescan(context);
    lvp_source_context_watch_subsystem(context, "pci");
}

Test(source_context, health_is_well_until_said_otherwise_and_again)
{
    Calls calls = {0};
    g_autoptr(LvpSourceContext) context = new_context(NULL, &calls);
    cr_assert_null(lvp_source_context_dup_health(context));
    lvp_source_context_set_health(context, "the IOMMU is off");
    g_autofree char *ill = lvp_source_context_dup_health(context);
    cr_assert_str_eq(ill, "the IOMMU is off");
    lvp_source_context_set_health(context, NULL);
    cr_assert_null(lvp_source_context_dup_health(context));
}

static gpointer
change_health(gpointer context)
{
    for (guint i = 0; i < 1000; i++)
        lvp_source_context_set_health(context, i % 2 ? "ill" : NULL);
    return NULL;
}

Test(source_context, health_may_be_said_and_asked_in_different_threads)
{
    Calls calls = {0};
    g_autoptr(LvpSourceContext) context = new_context(NULL, &calls);
    GThread *thread = g_thread_new("health", change_health, context);
    for (guint i = 0; i < 1000; i++) {
        g_autofree char *health = lvp_source_context_dup_health(context);
        cr_assert(!health || strcmp(health, "ill") == 0);
    }
    g_thread_join(thread);
}
