/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict.h"

/* The domain is off, or it was never seen. */
static LvpAction
decide_off(const LvpSight *sight)
{
    /* In the same boot only a person can have taken a device away, who may want it so: the next
     * start binds it again, after the same check as the first time. */
    if (sight->same_boot)
        return LVP_ACTION_REST;
    if (sight->worst != LVP_VERDICT_MATCHES && sight->worst != LVP_VERDICT_NEEDS_COMMIT)
        return LVP_ACTION_REST;
    return sight->autostart && sight->desired == LVP_DESIRED_RUNNING ? LVP_ACTION_START
                                                                     : LVP_ACTION_BIND;
}

LvpAction
lvp_verdict_decide(const LvpSight *sight)
{
    switch (sight->operation) {
    case LVP_OPERATION_CREATE:
        return LVP_ACTION_UNDO;
    case LVP_OPERATION_DELETE:
        return LVP_ACTION_FINISH;
    case LVP_OPERATION_START:
    case LVP_OPERATION_STOP:
        return LVP_ACTION_SETTLE;
    case LVP_OPERATION_NONE:
        break;
    }
    switch (sight->domain) {
    case LVP_DOMAIN_OFF:
        return decide_off(sight);
    case LVP_DOMAIN_ABSENT:
        return sight->orphaned_for_us >= sight->orphan_grace_us ? LVP_ACTION_GIVE_BACK
                                                                : LVP_ACTION_REST;
    case LVP_DOMAIN_RUNNING:
    case LVP_DOMAIN_PAUSED:
        return sight->same_boot ? LVP_ACTION_REST : LVP_ACTION_ADOPT;
    case LVP_DOMAIN_UNKNOWN:
        break;
    }
    return LVP_ACTION_REST;
}

LvpVerdict
lvp_verdict_worse(LvpVerdict a, LvpVerdict b)
{
    static const guint RANKS[] = {
        [LVP_VERDICT_DONE] = 0,     [LVP_VERDICT_MATCHES] = 0, [LVP_VERDICT_NEEDS_COMMIT] = 1,
        [LVP_VERDICT_FAILED] = 2,   [LVP_VERDICT_BLOCKED] = 3, [LVP_VERDICT_LOST] = 4,
        [LVP_VERDICT_REPLACED] = 5,
    };
    return RANKS[b] > RANKS[a] ? b : a;
}
