/* SPDX-License-Identifier: Apache-2.0 */
/* A source as it should be. */
#include "discover-nothing.h"

static const LvpOptionRow OPTIONS[] = {
    {"good-level", LVP_OPTION_INTEGER, "1", "how good"},
    {"good-flag", LVP_OPTION_BOOLEAN, "false", "whether good"},
    {"good-file", LVP_OPTION_FILE, NULL, "where good"},
    {"good-near-level", LVP_OPTION_INTEGER, "1", "how near to good"},
    {NULL},
};

static void
validate(const LvpOptions *options, LvpDiagnostics *diagnostics)
{
    if (lvp_options_get_integer(options, "good-level") < 0)
        lvp_diagnostics_add(diagnostics, "good.yaml", 3, 7, "good-level must not be negative");
    if (lvp_options_get_integer(options, "good-level") > 100)
        lvp_options_report(options, "good-level", diagnostics, "must be at most 100");
}

LVP_SOURCE_DEFINE(.name = "good",
                  .version = "1.2",
                  .description = "for tests",
                  .options = OPTIONS,
                  .validate = validate,
                  .discover = discover_nothing, )
