/* SPDX-License-Identifier: Apache-2.0 */
/* The table of recovery, row by row. */
#include "verdict.h"

#include <criterion/criterion.h>

static const LvpOperation OPERATIONS[] = {LVP_OPERATION_NONE, LVP_OPERATION_CREATE,
                                          LVP_OPERATION_START, LVP_OPERATION_STOP,
                                          LVP_OPERATION_DELETE};
static const LvpDomainState DOMAINS[] = {LVP_DOMAIN_UNKNOWN, LVP_DOMAIN_ABSENT, LVP_DOMAIN_OFF,
                                         LVP_DOMAIN_RUNNING, LVP_DOMAIN_PAUSED};

/* At rest, off since a reboot, to run and marked autostart. */
static const LvpSight REBOOTED = {.operation = LVP_OPERATION_NONE,
                                  .desired = LVP_DESIRED_RUNNING,
                                  .autostart = TRUE,
                                  .same_boot = FALSE,
                                  .domain = LVP_DOMAIN_OFF,
                                  .worst = LVP_VERDICT_NEEDS_COMMIT,
                                  .orphan_grace_us = 100};

static void
assert_action(LvpSight sight, LvpAction expected)
{
    cr_assert_eq(lvp_verdict_decide(&sight), expected);
}

Test(verdict, operation_in_the_journal_decides_whatever_else_is_seen)
{
    static const LvpAction EXPECTED[] = {
        [LVP_OPERATION_CREATE] = LVP_ACTION_UNDO,
        [LVP_OPERATION_START] = LVP_ACTION_SETTLE,
        [LVP_OPERATION_STOP] = LVP_ACTION_SETTLE,
        [LVP_OPERATION_DELETE] = LVP_ACTION_FINISH,
    };
    for (guint o = 1; o < G_N_ELEMENTS(OPERATIONS); o++)
        for (guint d = 0; d < G_N_ELEMENTS(DOMAINS); d++) {
            LvpSight sight = REBOOTED;
            sight.operation = OPERATIONS[o];
            sight.domain = DOMAINS[d];
            assert_action(sight, EXPECTED[OPERATIONS[o]]);
        }
}

Test(verdict, nothing_is_done_to_what_runs_or_is_not_known)
{
    static const LvpDomainState LEFT[] = {LVP_DOMAIN_UNKNOWN, LVP_DOMAIN_RUNNING,
                                          LVP_DOMAIN_PAUSED};
    for (guint d = 0; d < G_N_ELEMENTS(LEFT); d++)
        for (LvpVerdict worst = LVP_VERDICT_DONE; worst <= LVP_VERDICT_FAILED; worst++) {
            LvpSight sight = REBOOTED;
            sight.same_boot = LEFT[d] != LVP_DOMAIN_UNKNOWN;
            sight.domain = LEFT[d];
            sight.worst = worst;
            sight.orphaned_for_us = 1000;
            assert_action(sight, LVP_ACTION_REST);
        }
}

Test(verdict, what_somebody_else_has_started_after_a_reboot_is_adopted)
{
    LvpSight sight = REBOOTED;
    sight.domain = LVP_DOMAIN_RUNNING;
    assert_action(sight, LVP_ACTION_ADOPT);
    sight.domain = LVP_DOMAIN_PAUSED;
    assert_action(sight, LVP_ACTION_ADOPT);
}

Test(verdict, after_a_reboot_resources_are_taken_again)
{
    LvpSight sight = REBOOTED;
    assert_action(sight, LVP_ACTION_START);
    sight.worst = LVP_VERDICT_MATCHES;
    assert_action(sight, LVP_ACTION_START);
    sight.autostart = FALSE;
    assert_action(sight, LVP_ACTION_BIND);
    sight.autostart = TRUE;
    sight.desired = LVP_DESIRED_OFF;
    assert_action(sight, LVP_ACTION_BIND);
}

Test(verdict, what_is_lost_replaced_or_blocked_is_not_taken)
{
    static const LvpVerdict BAD[] = {LVP_VERDICT_LOST, LVP_VERDICT_REPLACED, LVP_VERDICT_BLOCKED,
                                     LVP_VERDICT_FAILED};
    for (guint i = 0; i < G_N_ELEMENTS(BAD); i++) {
        LvpSight sight = REBOOTED;
        sight.worst = BAD[i];
        assert_action(sight, LVP_ACTION_REST);
    }
}

Test(verdict, device_that_a_person_took_away_is_not_fought_over)
{
    LvpSight sight = REBOOTED;
    sight.same_boot = TRUE;
    assert_action(sight, LVP_ACTION_REST);
}

Test(verdict, orphan_waits_out_its_grace)
{
    LvpSight sight = REBOOTED;
    sight.domain = LVP_DOMAIN_ABSENT;
    sight.orphaned_for_us = 99;
    assert_action(sight, LVP_ACTION_REST);
    sight.orphaned_for_us = 100;
    assert_action(sight, LVP_ACTION_GIVE_BACK);
}

Test(verdict, worse_one_of_two_is_the_one_that_says_more)
{
    cr_assert_eq(lvp_verdict_worse(LVP_VERDICT_MATCHES, LVP_VERDICT_LOST), LVP_VERDICT_LOST);
    cr_assert_eq(lvp_verdict_worse(LVP_VERDICT_REPLACED, LVP_VERDICT_LOST), LVP_VERDICT_REPLACED);
    cr_assert_eq(lvp_verdict_worse(LVP_VERDICT_NEEDS_COMMIT, LVP_VERDICT_BLOCKED),
                 LVP_VERDICT_BLOCKED);
}
