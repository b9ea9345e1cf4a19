/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions on a GError for criterion. */
#pragma once

#include <criterion/criterion.h>
#include <libvirt-provider/error.h>

#define assert_no_error(error)                                                                     \
    cr_assert_null(error, "unexpected error: %s", (error) ? (error)->message : "")

#define assert_error(error, expected_code)                                                         \
    cr_assert(g_error_matches(error, LVP_ERROR, expected_code),                                    \
              "expected " #expected_code ", got %s", (error) ? (error)->message : "no error")

#define assert_contains(text, part)                                                                \
    cr_assert(strstr(text, part) != NULL, "expected '%s' in '%s'", part, text)
