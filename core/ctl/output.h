/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the API as table, JSON, YAML, CSV or names. */
#pragma once

#include <glib.h>

typedef enum {
    LVP_FORMAT_TABLE,
    LVP_FORMAT_JSON,
    LVP_FORMAT_YAML,
    LVP_FORMAT_CSV,
    LVP_FORMAT_NAME,
    LVP_FORMAT_XML, /* of `machine create --dry-run` only */
} LvpFormat;

#define LVP_FORMATS_OF_VALUES (1 << LVP_FORMAT_TABLE | 1 << LVP_FORMAT_JSON | 1 << LVP_FORMAT_YAML)
#define LVP_FORMATS_OF_ROWS (LVP_FORMATS_OF_VALUES | 1 << LVP_FORMAT_CSV | 1 << LVP_FORMAT_NAME)

/* One kind of row. */
typedef struct {
    const char *list;           /* the key around the rows: "devices" */
    const char *name_key;       /* what -o name prints */
    const char *const *keys;    /* of the JSON rows, in order; missing ones are null */
    const char *const *columns; /* of the table, as "TITLE=path"; the last ones may begin with '?':
                                   only where a row has a value */
} LvpRowKind;

extern const LvpRowKind LVP_DEVICE_ROWS, LVP_CLASS_ROWS, LVP_MACHINE_ROWS, LVP_SOURCE_ROWS;

typedef struct {
    LvpFormat format;
    gboolean no_headers;
    gboolean color;
    const char *columns; /* "id,state", or NULL for the default ones */
} LvpOutput;

/* FORMATS (1 << LvpFormat) as "table, json or yaml"; g_free(). */
char *lvp_formats_to_text(guint formats);
/* Reads one of FORMATS. LVP_ERROR_INVALID_REQUEST. */
gboolean lvp_format_parse(const char *text, guint formats, LvpFormat *ret_format, GError **error);

/* Whether rows of KIND can be printed so. LVP_ERROR_INVALID_REQUEST. */
gboolean lvp_output_check(const LvpOutput *self, const LvpRowKind *kind, GError **error);

/* Prints ROWS (aa{sv}) on stdout. LVP_ERROR_INVALID_REQUEST for an unknown column. */
gboolean
lvp_output_rows(const LvpOutput *self, const LvpRowKind *kind, GVariant *rows, GError **error);
/* Prints one row: in a table's place, a line "key: value" each. */
gboolean
lvp_output_row(const LvpOutput *self, const LvpRowKind *kind, GVariant *row, GError **error);
/* Prints an a{sv} as one line of JSON, or as one YAML document of several. */
void lvp_output_line(const LvpOutput *self, GVariant *values);
/* Prints an a{sv} without a kind. */
void lvp_output_values(const LvpOutput *self, GVariant *values);

/* Why the output cannot be written, an errno: G_IO_ERROR_BROKEN_PIPE where nobody reads it, else
 * LVP_ERROR_HOST. */
void lvp_output_set_error(int code, GError **error);

/* Says ERROR on stderr. */
void lvp_output_print_error(const GError *error);
/* Whether all that was printed has been written. */
gboolean lvp_output_flush(GError **error);
