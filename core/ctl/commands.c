/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "config.h"
#include "source-loader.h"

#include <libvirt-provider/error.h>
#include <stdio.h>
#include <string.h>

#define TEMPLATE_MAX_BYTES (1u << 20)
#define PCI_FILE_OPTION "pci-devices-file"

/* ---- lists ---- */

/* The rows (aa{sv}) that METHOD answers with. */
static GVariant *
get_rows(LvpCtl *ctl, const char *method, GVariant *parameters, GError **error)
{
    g_autoptr(GVariant) answer = lvp_client_call(ctl->client, method, parameters, error);
    return answer ? g_variant_get_child_value(answer, 0) : NULL;
}

static gboolean
print_rows(
    LvpCtl *ctl, const LvpRowKind *kind, const char *method, GVariant *parameters, GError **error)
{
    g_autoptr(GVariant) rows = get_rows(ctl, method, parameters, error);
    return rows && lvp_output_rows(&ctl->output, kind, rows, error);
}

/* The row whose KEY (or uuid) is NAME; LVP_ERROR_NOT_FOUND. */
static GVariant *
find_row(GVariant *rows, const char *key, const char *name, const char *what, GError **error)
{
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
        const char *text = "", *uuid = "";
        g_variant_lookup(row, key, "&s", &text);
        g_variant_lookup(row, "uuid", "&s", &uuid);
        if (strcmp(text, name) == 0 || strcmp(uuid, name) == 0)
            return g_steal_pointer(&row);
    }
    g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND, "no %s '%s'", what, name);
    return NULL;
}

static gboolean
print_row(LvpCtl *ctl,
          const LvpRowKind *kind,
          const char *method,
          GVariant *parameters,
          const char *what,
          GError **error)
{
    g_autoptr(GVariant) rows = get_rows(ctl, method, parameters, error);
    g_autoptr(GVariant) row =
        rows ? find_row(rows, kind->name_key, ctl->arguments[0], what, error) : NULL;
    return row && lvp_output_row(&ctl->output, kind, row, error);
}

static gboolean
explain(LvpCtl *ctl, const char *kind, GError **error)
{
    g_autoptr(GVariant) answer = lvp_client_call(
        ctl->client, "Explain", g_variant_new("(ss)", kind, ctl->arguments[0]), error);
    if (!answer)
        return FALSE;
    const char *text;
    g_variant_get(answer, "(&s)", &text);
    fputs(text, stdout);
    return TRUE;
}

gboolean
lvp_ctl_list_sources(LvpCtl *ctl, GError **error)
{
    return print_rows(ctl, &LVP_SOURCE_ROWS, "ListSources", NULL, error);
}

gboolean
lvp_ctl_list_devices(LvpCtl *ctl, GError **error)
{
    GVariant *parameters = g_variant_new("(b)", ctl->options->all);
    return print_rows(ctl, &LVP_DEVICE_ROWS, "ListDevices", parameters, error);
}

gboolean
lvp_ctl_show_device(LvpCtl *ctl, GError **error)
{
    GVariant *parameters = g_variant_new("(b)", TRUE);
    return print_row(ctl, &LVP_DEVICE_ROWS, "ListDevices", parameters, "device", error);
}

gboolean
lvp_ctl_explain_device(LvpCtl *ctl, GError **error)
{
    return explain(ctl, "device", error);
}

gboolean
lvp_ctl_list_classes(LvpCtl *ctl, GError **error)
{
    return print_rows(ctl, &LVP_CLASS_ROWS, "ListClasses", NULL, error);
}

gboolean
lvp_ctl_show_class(LvpCtl *ctl, GError **error)
{
    return print_row(ctl, &LVP_CLASS_ROWS, "ListClasses", NULL, "machine class", error);
}

gboolean
lvp_ctl_explain_class(LvpCtl *ctl, GError **error)
{
    return explain(ctl, "class", error);
}

gboolean
lvp_ctl_list_machines(LvpCtl *ctl, GError **error)
{
    return print_rows(ctl, &LVP_MACHINE_ROWS, "ListMachines", NULL, error);
}

gboolean
lvp_ctl_show_machine(LvpCtl *ctl, GError **error)
{
    return print_row(ctl, &LVP_MACHINE_ROWS, "ListMachines", NULL, "machine", error);
}

gboolean
lvp_ctl_explain_machine(LvpCtl *ctl, GError **error)
{
    return explain(ctl, "machine", error);
}

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
            fprintf(stderr, "lpctl: %s\n", last->message);
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

/* Runs a job on NAME, or says what it would do. */
static gboolean
run_job(LvpCtl *ctl, const char *method, GVariant *parameters, GError **error)
{
    g_autoptr(GVariant) result =
        lvp_client_run_job(ctl->client, method, parameters, (guint)ctl->options->wait_s, error);
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

/* The content of FILE, or of standard input for "-"; the daemon never gets a path. */
static char *
read_template(const char *file, GError **error)
{
    gboolean is_stdin = strcmp(file, "-") == 0;
    FILE *stream = is_stdin ? stdin : fopen(file, "re");
    g_autoptr(GString) text = g_string_new(NULL);
    char buffer[4096];
    gsize length;
    if (!stream) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "template %s cannot be read: %s",
                    file, g_strerror(errno));
        return NULL;
    }
    while ((length = fread(buffer, 1, sizeof buffer, stream)) > 0 &&
           text->len <= TEMPLATE_MAX_BYTES)
        g_string_append_len(text, buffer, (gssize)length);
    int code = ferror(stream) ? errno : 0;
    if (!is_stdin)
        fclose(stream);
    const char *problem = code != 0                        ? g_strerror(code)
                          : text->len > TEMPLATE_MAX_BYTES ? "larger than 1 MiB"
                          : !g_utf8_validate(text->str, (gssize)text->len, NULL) ? "not UTF-8 text"
                                                                                 : NULL;
    if (!problem)
        return g_string_free(g_steal_pointer(&text), FALSE);
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "template %s cannot be read: %s", file,
                problem);
    return NULL;
}

/* "KEY=VALUE" texts as a{ss}; a floating one. */
static GVariant *
parse_map(char **pairs, const char *option, GError **error)
{
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{ss}"));
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; pairs && pairs[i]; i++) {
        const char *equals = strchr(pairs[i], '=');
        g_autofree char *key = equals ? g_strndup(pairs[i], (gsize)(equals - pairs[i])) : NULL;
        if (!key || key[0] == '\0' || g_hash_table_contains(seen, key) ||
            !g_utf8_validate(pairs[i], -1, NULL)) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                        "%s must be KEY=VALUE, each key once, but is '%s'", option, pairs[i]);
            return NULL;
        }
        g_variant_builder_add(&builder, "{ss}", key, equals + 1);
        g_hash_table_add(seen, g_steal_pointer(&key));
    }
    return g_variant_builder_end(&builder);
}

/* The specification of `machine create`: a floating a{sv}. */
static GVariant *
make_spec(const LvpCtl *ctl, GError **error)
{
    const LvpCtlOptions *options = ctl->options;
    if (!options->class_name) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "--class is missing");
        return NULL;
    }
    g_autoptr(GVariant) labels = parse_map(options->labels, "--label", error);
    g_autoptr(GVariant) annotations =
        labels ? parse_map(options->annotations, "--annotation", error) : NULL;
    if (!annotations)
        return NULL;
    g_autofree char *template = NULL;
    if (options->template_file && !(template = read_template(options->template_file, error)))
        return NULL;
    g_auto(GVariantBuilder) spec = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&spec, "{sv}", "name", g_variant_new_string(ctl->arguments[0]));
    g_variant_builder_add(&spec, "{sv}", "class", g_variant_new_string(options->class_name));
    g_variant_builder_add(&spec, "{sv}", "start", g_variant_new_boolean(!options->no_start));
    g_variant_builder_add(&spec, "{sv}", "labels", g_steal_pointer(&labels));
    g_variant_builder_add(&spec, "{sv}", "annotations", g_steal_pointer(&annotations));
    if (template)
        g_variant_builder_add(&spec, "{sv}", "template", g_variant_new_string(template));
    if (options->uuid)
        g_variant_builder_add(&spec, "{sv}", "uuid", g_variant_new_string(options->uuid));
    return g_variant_builder_end(&spec);
}

static gboolean
render_machine(LvpCtl *ctl, GVariant *spec, GError **error)
{
    g_autoptr(GVariant) answer =
        lvp_client_call(ctl->client, "RenderMachine", g_variant_new("(@a{sv})", spec), error);
    if (!answer)
        return FALSE;
    const char *xml;
    g_variant_get(answer, "(&s)", &xml);
    if (ctl->output.format == LVP_FORMAT_XML)
        fputs(xml, stdout);
    else
        printf("machine %s of class %s would be created (-o xml shows the domain)\n",
               ctl->arguments[0], ctl->options->class_name);
    return TRUE;
}

gboolean
lvp_ctl_create_machine(LvpCtl *ctl, GError **error)
{
    /* A wrong format or column is to be said before there is a machine. */
    gboolean ok = ctl->options->dry_run || lvp_output_check(&ctl->output, &LVP_MACHINE_ROWS, error);
    GVariant *spec = ok ? make_spec(ctl, error) : NULL;
    ok = FALSE;
    if (spec && ctl->options->dry_run) {
        ok = render_machine(ctl, spec, error);
    } else if (spec) {
        g_autoptr(GVariant) row =
            lvp_client_run_job(ctl->client, "CreateMachine", g_variant_new("(@a{sv})", spec),
                               (guint)ctl->options->wait_s, error);
        ok = row &&
             (!ctl->options->format || lvp_output_row(&ctl->output, &LVP_MACHINE_ROWS, row, error));
    }
    if (!ok)
        g_prefix_error(error, "%s: ", ctl->arguments[0]);
    return ok;
}

/* With --dry-run: says it, if there is such a machine. TRUE where nothing else is to be done. */
static gboolean
say_only(LvpCtl *ctl, const char *name, const char *what, gboolean *ret_ok, GError **error)
{
    if (!ctl->options->dry_run)
        return FALSE;
    g_autoptr(GVariant) rows = get_rows(ctl, "ListMachines", NULL, error);
    g_autoptr(GVariant) row = rows ? find_row(rows, "name", name, "machine", error) : NULL;
    if (row)
        printf("machine %s would be %s\n", name, what);
    *ret_ok = row != NULL;
    return TRUE;
}

static gboolean
start_one(LvpCtl *ctl, const char *name, GError **error)
{
    gboolean ok;
    if (say_only(ctl, name, "started", &ok, error))
        return ok;
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
    gboolean ok;
    const char *what = ctl->options->force ? "ended at once" : "asked to shut down";
    if (say_only(ctl, name, what, &ok, error))
        return ok;
    GVariantBuilder options = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&options, "{sv}", "force", g_variant_new_boolean(ctl->options->force));
    if (ctl->options->wait_s > 0)
        g_variant_builder_add(&options, "{sv}", "timeoutSeconds",
                              g_variant_new_uint32((guint)ctl->options->wait_s));
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
    gboolean ok;
    if (say_only(ctl, name, "ended and removed, its devices given back", &ok, error))
        return ok;
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
lvp_ctl_show_status(LvpCtl *ctl, GError **error)
{
    g_autoptr(GVariant) status = get_rows(ctl, "GetStatus", NULL, error);
    if (status)
        lvp_output_values(&ctl->output, status);
    return status != NULL;
}

gboolean
lvp_ctl_reload_daemon(LvpCtl *ctl, GError **error)
{
    g_autoptr(GVariant) answer = lvp_client_call(ctl->client, "Reload", NULL, error);
    return answer != NULL;
}

/* ---- pci-devices: without the daemon ---- */

static LvpModule *
load_pci(const LvpCtl *ctl, GError **error)
{
    g_autofree char *folder = lvp_source_loader_dup_default_folder();
    const char *folders = ctl->options->source_dir ? ctl->options->source_dir : folder;
    g_auto(GStrv) list = lvp_config_dup_list(folders, ":");
    return lvp_source_loader_load((const char *const *)list, "pci", error);
}

gboolean
lvp_ctl_check_pci_devices(LvpCtl *ctl, GError **error)
{
    g_autoptr(LvpModule) pci = load_pci(ctl, error);
    if (!pci)
        return FALSE;
    g_autoptr(LvpOptions) options = lvp_options_new(pci->table->options);
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    if (!lvp_options_set(options, PCI_FILE_OPTION, ctl->arguments[0], error))
        return FALSE;
    pci->table->validate(options, diagnostics);
    if (lvp_diagnostics_get_count(diagnostics) > 0) {
        g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
        fprintf(stderr, "%s\n", text);
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "%s: %u mistake%s",
                    ctl->arguments[0], lvp_diagnostics_get_count(diagnostics),
                    lvp_diagnostics_get_count(diagnostics) == 1 ? "" : "s");
        return FALSE;
    }
    return TRUE;
}

gboolean
lvp_ctl_generate_pci_devices(LvpCtl *ctl, GError **error)
{
    g_autoptr(LvpModule) pci = load_pci(ctl, error);
    const char *root = ctl->options->host_root ? ctl->options->host_root : "/";
    g_autoptr(LvpHost) host = pci ? lvp_host_new(root, error) : NULL;
    g_autofree char *text = host ? pci->table->generate(host, NULL, error) : NULL;
    if (text)
        fputs(text, stdout);
    return text != NULL;
}
