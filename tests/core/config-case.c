/* SPDX-License-Identifier: Apache-2.0 */
#include "config-case.h"

#include "test-modules.h"

static LvpScratch *scratch;

void
outcome_clear(Outcome *self)
{
    lvp_config_free(self->config);
    g_free(self->mistakes);
}

void
config_case_set_up(void)
{
    scratch = lvp_scratch_new();
    config_case_copy_module("good");
}

void
config_case_tear_down(void)
{
    lvp_scratch_free(scratch);
}

void
config_case_write(const char *path, const char *text)
{
    lvp_scratch_write(scratch, path, text);
}

void
config_case_make_fifo(const char *path)
{
    lvp_scratch_make_fifo(scratch, path);
}

void
config_case_copy_module(const char *name)
{
    copy_module(scratch, "modules", name);
}

char *
config_case_make_source_dir_flag(void)
{
    return g_strdup_printf("--source-dir=%s/modules", lvp_scratch_get_root(scratch));
}

static Outcome
read_arguments(const char *sources, const char *first, const char *second)
{
    g_autofree char *dir = config_case_make_source_dir_flag();
    g_autofree char *file = lvp_scratch_get_path(scratch, "main.conf");
    g_autoptr(GPtrArray) arguments = g_ptr_array_new();
    const char *words[] = {"libvirt-provider", "--config", file, dir, sources, first, second};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        if (words[i])
            g_ptr_array_add(arguments, (gpointer)(gsize)words[i]);
    g_ptr_array_add(arguments, NULL);
    if (!lvp_scratch_exists(scratch, "main.conf"))
        lvp_scratch_write(scratch, "main.conf", "");
    g_autoptr(LvpDiagnostics) diagnostics = lvp_diagnostics_new();
    Outcome outcome = {.config =
                           lvp_config_read((const char *const *)arguments->pdata, diagnostics)};
    cr_assert_not_null(outcome.config);
    g_autofree char *text = lvp_diagnostics_to_text(diagnostics);
    g_auto(GStrv) parts = g_strsplit(text, lvp_scratch_get_root(scratch), -1);
    outcome.mistakes = g_strjoinv("DIR", parts);
    if (text[0] != '\0') /* not to be used then */
        g_clear_pointer(&outcome.config, lvp_config_free);
    return outcome;
}

Outcome
config_case_read(const char *first, const char *second)
{
    return read_arguments("--resource-manager-sources=good", first, second);
}

Outcome
config_case_read_default_sources(void)
{
    return read_arguments(NULL, NULL, NULL);
}

LvpConfig *
config_case_read_without_sources(void)
{
    Outcome outcome = config_case_read_default_sources();
    cr_assert_not_null(outcome.config, "%s", outcome.mistakes);
    LvpConfig *config = g_steal_pointer(&outcome.config);
    outcome_clear(&outcome);
    return config;
}
