/* SPDX-License-Identifier: Apache-2.0 */
#include "unit-status.h"

#include "machine.h"
#include "planner.h"

static const struct {
    LvpCondition condition;
    const char *name;
} CONDITIONS[] = {
    {LVP_CONDITION_LOST, "lost"},         {LVP_CONDITION_BLOCKED, "blocked"},
    {LVP_CONDITION_FOREIGN, "foreign"},   {LVP_CONDITION_HOST, "host"},
    {LVP_CONDITION_CORDONED, "cordoned"},
};

const char *
lvp_condition_get_name(guint conditions, guint index)
{
    for (guint i = 0; i < G_N_ELEMENTS(CONDITIONS); i++)
        if ((conditions & CONDITIONS[i].condition) && index-- == 0)
            return CONDITIONS[i].name;
    return NULL;
}

const char *
lvp_unit_get_state(const LvpInventoryUnit *self)
{
    if (self->holder)
        return lvp_machine_get_unit_state(self->holder);
    if (self->quarantine)
        return "quarantined";
    if (self->found->unusable)
        return "unusable";
    return lvp_unit_find_rival(self) ? "reserved" : "free";
}

guint
lvp_unit_get_conditions(const LvpInventoryUnit *self)
{
    guint conditions = self->conditions | self->found->conditions;
    return self->cordoned ? conditions | LVP_CONDITION_CORDONED : conditions;
}

char *
lvp_unit_status_to_text(const char *state, guint conditions)
{
    GString *text = g_string_new(state);
    const char *name;
    for (guint i = 0; (name = lvp_condition_get_name(conditions, i)) != NULL; i++)
        g_string_append_printf(text, ",%s", name);
    return g_string_free(text, FALSE);
}

char *
lvp_unit_dup_reason(const LvpInventoryUnit *self)
{
    const LvpMachine *machine = self->holder;
    char *reason = lvp_planner_dup_unit_reason(self);
    if (reason || !machine)
        return reason;
    return g_strdup(g_hash_table_lookup(machine->notes, self->found->id));
}
