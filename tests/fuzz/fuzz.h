/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets share: claims that must hold, and the input as a text or a file. */
#pragma once

#include <glib.h>

/* What libFuzzer calls with each input; 0: it may be kept. */
int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);
/* Once before; a critical of GLib ends the process from here on. */
int LLVMFuzzerInitialize(int *count, char ***arguments);

/* Ends the process, which libFuzzer reports with the input, where CONDITION does not hold. */
#define must(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))
G_NORETURN void fuzz_fail(const char *claim, const char *file, int line);

/* TEXT (NULL is none) must be UTF-8. */
void must_be_utf8(const char *text);
/* It must further be without control characters but the line end: it goes to terminals and logs. */
void must_be_printable(const char *text);
/* OK if and only if there is no error; and an error has one of our codes other than INTERNAL, and a
 * text in UTF-8. */
void must_agree(gboolean ok, const GError *error);

/* The bytes up to the first NUL; g_free(). */
char *fuzz_copy_text(const guint8 *data, gsize size);
/* The path of a file with these bytes, good until the next call; g_free(). */
char *fuzz_make_file(const guint8 *data, gsize size);
