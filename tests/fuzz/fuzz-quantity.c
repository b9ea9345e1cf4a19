/* SPDX-License-Identifier: Apache-2.0 */
/* Quantities: what is read is written as a text that reads back the same, and so is any amount. */
#include "fuzz.h"

#include <libvirt-provider/error.h>
#include <libvirt-provider/request.h>
#include <string.h>

#define UNTOUCHED 4711

static void
check_round_trip(const char *resource, gint64 amount)
{
    gint64 again = UNTOUCHED;
    g_autofree char *text = lvp_quantity_format(resource, amount);
    must(lvp_quantity_parse(resource, text, &again, NULL));
    must(again == amount);
}

/* Plain digits mean what they say. */
static void
check_digits(const char *resource, const char *text, gboolean ok, gint64 amount)
{
    guint64 expected = 0;
    if (text[strspn(text, "0123456789")] != '\0' ||
        !g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, &expected, NULL) ||
        strlen(text) > strlen("9223372036854775807"))
        return;
    guint64 unit = strcmp(resource, "cpu") == 0 ? 1000 : 1;
    must(ok == (expected <= G_MAXINT64 / unit));
    must(!ok || (guint64)amount == expected * unit);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    static const char *const RESOURCES[] = {"cpu", "memory", "gpu.nvidia/a30"};
    g_autofree char *text = fuzz_copy_text(data, size);
    for (guint i = 0; i < G_N_ELEMENTS(RESOURCES); i++) {
        g_autoptr(GError) error = NULL;
        gint64 amount = UNTOUCHED;
        gboolean ok = lvp_quantity_parse(RESOURCES[i], text, &amount, &error);
        must_agree(ok, error);
        must(ok || (amount == UNTOUCHED && error->code == LVP_ERROR_INVALID_REQUEST));
        must(amount >= 0);
        check_round_trip(RESOURCES[i], amount);
        check_digits(RESOURCES[i], text, ok, amount);
    }
    gint64 any = 0;
    if (size < sizeof any)
        return 0;
    memcpy(&any, data + size - sizeof any, sizeof any);
    for (guint i = 0; i < G_N_ELEMENTS(RESOURCES); i++)
        check_round_trip(RESOURCES[i], any & G_MAXINT64);
    return 0;
}
