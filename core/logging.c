/* SPDX-License-Identifier: Apache-2.0 */
#include "logging.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    GLogLevelFlags mask; /* the least important that is shown */
} LEVELS[] = {
    {"error", G_LOG_LEVEL_CRITICAL},
    {"warning", G_LOG_LEVEL_WARNING},
    {"info", G_LOG_LEVEL_INFO},
    {"debug", G_LOG_LEVEL_DEBUG},
};

static const char *
get_field(const GLogField *fields, gsize count, const char *key)
{
    for (gsize i = 0; i < count; i++)
        if (strcmp(fields[i].key, key) == 0)
            return fields[i].value;
    return "";
}

/* One entry is one line, whatever names and messages came from clients and libvirt. */
static void
print_line(const char *level, const char *message)
{
    g_autofree char *line = g_strdup(message);
    for (char *c = line; *c; c++)
        if (g_ascii_iscntrl(*c))
            *c = ' ';
    fprintf(stderr, "libvirt-provider: %s: %s\n", level, g_strchomp(line));
}

static GLogWriterOutput
write_entry(GLogLevelFlags level, const GLogField *fields, gsize count, gpointer data)
{
    GLogLevelFlags least = (GLogLevelFlags)GPOINTER_TO_UINT(data);
    if ((level & G_LOG_LEVEL_MASK) > least)
        return G_LOG_WRITER_HANDLED;
    if (g_log_writer_is_journald(fileno(stderr)))
        return g_log_writer_journald(level, fields, count, NULL);
    const char *name = level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL) ? "error"
                       : level & G_LOG_LEVEL_WARNING                      ? "warning"
                       : level & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO) ? "info"
                                                                          : "debug";
    print_line(name, get_field(fields, count, "MESSAGE"));
    return G_LOG_WRITER_HANDLED;
}

gboolean
lvp_logging_has_level(const char *level)
{
    for (guint i = 0; i < G_N_ELEMENTS(LEVELS); i++)
        if (strcmp(LEVELS[i].name, level) == 0)
            return TRUE;
    return FALSE;
}

void
lvp_logging_set_level(const char *level)
{
    for (guint i = 0; i < G_N_ELEMENTS(LEVELS); i++)
        if (strcmp(LEVELS[i].name, level) == 0)
            g_log_set_writer_func(write_entry, GUINT_TO_POINTER(LEVELS[i].mask), NULL);
}
