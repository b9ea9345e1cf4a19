/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-watch.h"

#include <string.h>

static const char *const USES[] = {
    [SIM_USE_HOST] = "the host uses it",
    [SIM_USE_VFS] = "it has virtual functions",
    [SIM_USE_OPENER] = "somebody has its group open",
};

void
sim_watch_look(SimWorld *self, SimUse use, const char *address)
{
    SimCard *card = sim_world_find_card(self, address);
    if (card)
        card->looked_at[sim_tasks_get_current()][use] = ++self->moment;
}

/* Whether the use was there to be seen at the last look that counts. */
static gboolean
was_seen(SimWorld *self, const SimCard *card, SimUse use)
{
    guint task = sim_tasks_get_current();
    guint64 since = sim_card_get_use(self, card, use);
    guint64 looked_at = card->looked_at[task][use];
    return since > 0 && !(looked_at > self->wrote_at[task] && since > looked_at);
}

/* Whether it takes the card from DRIVER: its own or, by name, that one and no other. */
static gboolean
is_unbind(const char *path, const char *driver)
{
    g_autofree char *by_name = g_strdup_printf("/drivers/%s/unbind", driver);
    return g_str_has_suffix(path, "/driver/unbind") || g_str_has_suffix(path, by_name);
}

static gboolean
is_forbidden(SimWorld *self, const SimCard *card, SimUse use, const char *path)
{
    g_auto(SimBinding) now = sim_card_read(self, card);
    if (use == SIM_USE_OPENER)
        return is_unbind(path, "vfio-pci") || g_str_has_suffix(path, "/reset");
    return is_unbind(path, now.driver) && g_strcmp0(now.driver, card->card.driver) == 0;
}

void
sim_watch_write(SimWorld *self, const SimCard *card, const char *path)
{
    gboolean there = card && sim_card_is_present(self, card);
    for (guint use = 0; there && use < SIM_N_USES && !self->violation; use++)
        if (is_forbidden(self, card, use, path) && was_seen(self, card, use))
            self->violation = g_strdup_printf("%s is written while %s", path, USES[use]);
    if (there && self->hands_off && !self->violation && !self->is_whole(self->look_data))
        self->violation =
            g_strdup_printf("%s is written before the machines are taken up again", path);
    self->wrote_at[sim_tasks_get_current()] = ++self->moment;
}
