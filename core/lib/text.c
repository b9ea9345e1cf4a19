/* SPDX-License-Identifier: Apache-2.0 */
#include <libvirt-provider/text.h>
#include <string.h>

char *
lvp_text_make_printable(const char *text)
{
    char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
    for (char *c = valid; c && *c; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);
        /* Each of them is replaced within its own bytes. */
        if (g_unichar_iscntrl(character) || character == 0x2028 || character == 0x2029)
            memset(c, '?', (gsize)(g_utf8_next_char(c) - c));
    }
    return valid;
}
