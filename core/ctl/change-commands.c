/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that change a machine, a device or the daemon. */
#include "commands.h"

#include <stdio.h>

/* ---- devices ---- */

/* Does ACT for each argument; goes on past an error, prints all but the last, which is returned. */
static gboolean
for_each_argument(LvpCtl *ctl,
                  gboolean (*act)(LvpCtl *ctl, const char *name, GError **error),
                  GError **error)
{
    GError *last = NULL;
    for (guint i = 0; ctl->arguments[i]; i++) {
        GError *problem = NULL;
        if (act(ctl, ctl->arguments[i], &problem))
            continue;
        g_prefix_error(&problem, "%s: ", ctl->arguments[i]);
        if (last)
            lvp_output_print_error(last);
        g_clear_error(&last);
        last = problem;
    }
    if (!last)
        return TRUE;
    g_propagate_error(error, last);
    return FALSE;
}

static gboolean
set_cordoned(LvpCtl *ctl, const char *device, gboolean cordoned, GError **error)
{
    g_autoptr(GVariant) answer =
        lvp_client_call(ctl->client, "SetCordoned", g_variant_new("(sb)", device, cordoned), error);
    return answer != NULL;
}

static gboolean
cordon_one(LvpCtl *ctl, const char *device, GError **error)
{
    return set_cordoned(ctl, device, TRUE, error);
}

static gboolean
uncordon_one(LvpCtl *ctl, const char *device, GError **error)
{
    return set_cordoned(ctl, device, FALSE, error);
}

gboolean
lvp_ctl_cordon_devices(LvpCtl *ctl, GError **error)
{
    return for_each_argument(ctl, cordon_one, error);
}

gboolean
lvp_ctl_uncordon_devices(LvpCtl *ctl, GError **error)
{
    return for_each_argument(ctl, uncordon_one, error);
}

static gboolean
run_job(LvpCtl *ctl, const char *method, GVariant *parameters, GError **error)
{
    g_autoptr(GVariant) result =
        lvp_client_run_job(ctl->client, method, parameters, ctl->wait_s, error);
    return result != NULL;
}

static gboolean
release_one(LvpCtl *ctl, const char *device, GError **error)
{
    GVariant *parameters = g_variant_new("(sb)", device, ctl->options->force);
    return run_job(ctl, "ReleaseDevice", parameters, error);
}

gboolean
lvp_ctl_release_devices(LvpCtl *ctl, GError **error)
{
    return for_each_argument(ctl, release_one, error);
}

/* ---- machines ---- */

/* Prints what OPERATION would do. */
static gboolean
say_only(LvpCtl *ctl, const char *operation, const char *name, GError **error)
{
    GVariantBuilder options = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));
    if (ctl->options->force)
        g_variant_builder_add(&options, "{sv}", "force", g_variant_new_boolean(TRUE));
    GVariant *parameters = g_variant_new("(ssa{sv})", operation, name, &options);
    g_autoptr(GVariant) answer = lvp_client_call(ctl->client, "TryOperation", parameters, error);
    if (!answer)
        return FALSE;
    const char *summary;
    g_variant_get(answer, "(&s)", &summary);
    puts(summary);
    return TRUE;
}

static gboolean
start_one(LvpCtl *ctl, const char *name, GError **error)
{
    if (ctl->options->dry_run)
        return say_only(ctl, "start", name, error);
    return run_job(ctl, "StartMachine", g_variant_new("(s)", name), error);
}

gboolean
lvp_ctl_start_machines(LvpCtl *ctl, GError **error)
{
    return for_each_argument(ctl, start_one, error);
}

static gboolean
stop_one(LvpCtl *ctl, const char *name, GError **error)
{
    if (ctl->options->dry_run)
        return say_only(ctl, "stop", name, error);
    GVariantBuilder options = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&options, "{sv}", "force", g_variant_new_boolean(ctl->options->force));
    if (ctl->wait_s > 0)
        g_variant_builder_add(&options, "{sv}", "timeoutSeconds",
                              g_variant_new_uint32(ctl->wait_s));
    /* The daemon keeps the time: it knows whether the guest has stopped. */
    g_autoptr(GVariant) result = lvp_client_run_job(
        ctl->client, "StopMachine", g_variant_new("(sa{sv})", name, &options), 0, error);
    return result != NULL;
}

gboolean
lvp_ctl_stop_machines(LvpCtl *ctl, GError **error)
{
    return for_each_argument(ctl, stop_one, error);
}

static gboolean
delete_one(LvpCtl *ctl, const char *name, GError **error)
{
    if (ctl->options->dry_run)
        return say_only(ctl, "delete", name, error);
    GVariantBuilder options = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&options, "{sv}", "keepNvram",
                          g_variant_new_boolean(ctl->options->keep_nvram));
    return run_job(ctl, "DeleteMachine", g_variant_new("(sa{sv})", name, &options), error);
}

gboolean
lvp_ctl_delete_machines(LvpCtl *ctl, GError **error)
{
    return for_each_argument(ctl, delete_one, error);
}

/* ---- the daemon ---- */

gboolean
lvp_ctl_reload_daemon(LvpCtl *ctl, GError **error)
{
    g_autoptr(GVariant) answer = lvp_client_call(ctl->client, "Reload", NULL, error);
    return answer != NULL;
}
