/* SPDX-License-Identifier: Apache-2.0 */
/* Quantities as of
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/: digits, an
 * optional fraction, and one of: nothing, n u m k M G T P E, Ki Mi Gi Ti Pi Ei, e or E with a
 * decimal exponent. Where Kubernetes rounds up, we refuse: nobody means half a device. */
#include <libvirt-provider/error.h>
#include <libvirt-provider/request.h>
#include <string.h>

/* An int64 has at most 19 digits; more in a text are zeros or too much. */
#define MAX_TEXT 64

/* value = mantissa * 10^decimal * 2^binary */
typedef struct {
    guint64 mantissa;
    int decimal;
    int binary;
} Scaled;

static int
get_base_exponent(const char *resource)
{
    return strcmp(resource, "cpu") == 0 ? 3 : 0;
}

static const char NONE[] = "is none (examples: 2, 500m, 4Gi, 16106127361)";
static const char TOO_LARGE[] = "is too large";

/* NULL, or the reason why there is no number. */
static const char *
read_number(const char **cursor, Scaled *number)
{
    gboolean fraction = FALSE, any = FALSE;
    for (const char *c = *cursor;; c++) {
        if (*c == '.' && !fraction) {
            fraction = TRUE;
            continue;
        }
        if (!g_ascii_isdigit(*c)) {
            *cursor = c;
            return any ? NULL : NONE;
        }
        any = TRUE;
        if (number->mantissa > (G_MAXUINT64 - 9) / 10)
            return fraction ? "has too many digits" : TOO_LARGE;
        number->mantissa = number->mantissa * 10 + (guint64)(*c - '0');
        number->decimal -= fraction ? 1 : 0;
    }
}

static gboolean
read_suffix(const char *text, Scaled *number)
{
    static const struct {
        const char *suffix;
        int decimal, binary;
    } TABLE[] = {
        {"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},
        {"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
        {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
    };
    for (guint i = 0; i < G_N_ELEMENTS(TABLE); i++) {
        if (strcmp(text, TABLE[i].suffix) == 0) {
            number->decimal += TABLE[i].decimal;
            number->binary = TABLE[i].binary;
            return TRUE;
        }
    }
    if (text[0] != 'e' && text[0] != 'E')
        return FALSE;
    const char *digits = text + 1 + (text[1] == '+' || text[1] == '-');
    gsize length = strlen(digits);
    if (length == 0 || length > 2 || strspn(digits, "0123456789") != length)
        return FALSE;
    int exponent = (int)g_ascii_strtoll(digits, NULL, 10);
    number->decimal += text[1] == '-' ? -exponent : exponent;
    return TRUE;
}

/* NULL, or the reason why the number is no amount. Divides first: 1.25Ei fits, 125 * 2^60 does not.
 */
static const char *
to_amount(Scaled number, gint64 *ret_amount)
{
    for (; number.mantissa != 0 && number.decimal < 0; number.decimal++) {
        if (number.mantissa % 10 == 0) {
            number.mantissa /= 10;
        } else if (number.mantissa % 5 == 0 && number.binary > 0) {
            number.mantissa /= 5;
            number.binary--;
        } else {
            return "is finer than the smallest unit";
        }
    }
    for (; number.mantissa != 0 && number.binary > 0; number.binary--) {
        if (number.mantissa > G_MAXUINT64 / 2)
            return TOO_LARGE;
        number.mantissa *= 2;
    }
    for (; number.mantissa != 0 && number.decimal > 0; number.decimal--) {
        if (number.mantissa > G_MAXUINT64 / 10)
            return TOO_LARGE;
        number.mantissa *= 10;
    }
    if (number.mantissa > G_MAXINT64)
        return TOO_LARGE;
    *ret_amount = (gint64)number.mantissa;
    return NULL;
}

gboolean
lvp_quantity_parse(const char *resource, const char *text, gint64 *ret_amount, GError **error)
{
    const char *cursor = text[0] == '+' ? text + 1 : text;
    Scaled number = {0};
    const char *problem = NULL;
    if (text[0] == '-')
        problem = "is negative";
    else if (strlen(text) > MAX_TEXT)
        problem = "is too long";
    else
        problem = read_number(&cursor, &number);
    if (!problem && !read_suffix(cursor, &number))
        problem = NONE;
    if (!problem) {
        number.decimal += get_base_exponent(resource);
        problem = to_amount(number, ret_amount);
    }
    if (!problem)
        return TRUE;
    /* The cut may fall into a character. */
    g_autofree char *shown = g_utf8_make_valid(text, (gssize)strnlen(text, MAX_TEXT));
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST, "quantity '%s' of %s %s", shown,
                resource, problem);
    return FALSE;
}

char *
lvp_quantity_format(const char *resource, gint64 amount)
{
    if (strcmp(resource, "cpu") == 0)
        return amount % 1000 == 0 ? g_strdup_printf("%" G_GINT64_FORMAT, amount / 1000)
                                  : g_strdup_printf("%" G_GINT64_FORMAT "m", amount);
    static const char *const BINARY[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    guint power = 0;
    if (strcmp(resource, "memory") == 0)
        while (amount != 0 && amount % 1024 == 0 && power + 1 < G_N_ELEMENTS(BINARY)) {
            amount /= 1024;
            power++;
        }
    return g_strdup_printf("%" G_GINT64_FORMAT "%s", amount, BINARY[power]);
}
