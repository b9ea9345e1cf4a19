/* SPDX-License-Identifier: Apache-2.0 */
/* machine create: from the command line to a specification. */
#include "commands.h"

#include <errno.h>
#include <libvirt-provider/error.h>
#include <stdio.h>
#include <string.h>

#define TEMPLATE_MAX_BYTES (1u << 20)

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
    if (options->autostart && options->no_start) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "--autostart is for a machine that is to run: it cannot stand with --no-start");
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
    g_variant_builder_add(&spec, "{sv}", "autostart", g_variant_new_boolean(options->autostart));
    g_variant_builder_add(&spec, "{sv}", "labels", g_steal_pointer(&labels));
    g_variant_builder_add(&spec, "{sv}", "annotations", g_steal_pointer(&annotations));
    if (template)
        g_variant_builder_add(&spec, "{sv}", "template", g_variant_new_string(template));
    if (options->uuid)
        g_variant_builder_add(&spec, "{sv}", "uuid", g_variant_new_string(options->uuid));
    return g_variant_builder_end(&spec);
}

static gboolean
print_domain(LvpCtl *ctl, GVariant *spec, GError **error)
{
    g_autoptr(GVariant) answer =
        lvp_client_call(ctl->client, "RenderMachine", g_variant_new("(@a{sv})", spec), error);
    if (!answer)
        return FALSE;
    const char *xml;
    g_variant_get(answer, "(&s)", &xml);
    fputs(xml, stdout);
    return TRUE;
}

/* Takes SPEC. The domain is shown also where libvirt would not take it: to see why. */
static gboolean
try_create(LvpCtl *ctl, GVariant *spec, GError **error)
{
    g_autoptr(GVariant) owned = g_variant_ref_sink(spec);
    g_autoptr(GVariant) answer =
        lvp_client_call(ctl->client, "TryCreate", g_variant_new("(@a{sv})", owned), error);
    gboolean xml = ctl->output.format == LVP_FORMAT_XML;
    if (xml && !print_domain(ctl, owned, answer ? error : NULL))
        return FALSE;
    if (!answer)
        return FALSE;
    const char *summary;
    g_variant_get(answer, "(&s)", &summary);
    if (!xml)
        puts(summary);
    return TRUE;
}

/* There is no machine yet that a row could show. */
static gboolean
check_dry_output(const LvpCtl *ctl, GError **error)
{
    if (!ctl->options->columns && (!ctl->options->format || ctl->output.format == LVP_FORMAT_XML))
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "--dry-run says a sentence, or with -o xml prints the domain: it has no other "
                "format and no columns");
    return FALSE;
}

gboolean
lvp_ctl_create_machine(LvpCtl *ctl, GError **error)
{
    /* A wrong format or column is to be said before there is a machine. */
    gboolean ok = ctl->options->dry_run ? check_dry_output(ctl, error)
                                        : lvp_output_check(&ctl->output, &LVP_MACHINE_ROWS, error);
    GVariant *spec = ok ? make_spec(ctl, error) : NULL;
    ok = FALSE;
    if (spec && ctl->options->dry_run) {
        ok = try_create(ctl, spec, error);
    } else if (spec) {
        g_autoptr(GVariant) row = lvp_client_run_job(
            ctl->client, "CreateMachine", g_variant_new("(@a{sv})", spec), ctl->wait_s, error);
        gboolean print = ctl->options->format || ctl->options->columns;
        ok = row && (!print || lvp_output_row(&ctl->output, &LVP_MACHINE_ROWS, row, error));
    }
    if (!ok)
        g_prefix_error(error, "%s: ", ctl->arguments[0]);
    return ok;
}
