/* SPDX-License-Identifier: Apache-2.0 */
#include "pci-record.h"

#include "pci-group.h"

#include <libvirt-provider/error.h>
#include <string.h>

#define RECORD_VERSION 1
#define ROW_TYPE "(ssssssb)"
#define RECORD_TYPE "(ua" ROW_TYPE ")"

typedef struct {
    const LvpPciBinder *binder;
    const LvpPciDevicesFile *file;
    const LvpHolding *holding;
    GVariantBuilder rows;
    GHashTable *seen; /* char *: addresses that stand in it */
} Maker;

/* ---- making ---- */

/* The identity that the holding names, or NULL: the function is no unit of it. */
static const char *
find_held_identity(const LvpHolding *holding, const char *address)
{
    for (guint i = 0; i < lvp_holding_get_n_units(holding); i++)
        if (strcmp(lvp_holding_get_unit_id(holding, i), address) == 0)
            return lvp_holding_get_unit_identity(holding, i);
    return NULL;
}

static gboolean
add_function(Maker *self,
             const char *address,
             const char *unit,
             const char *group,
             gboolean passed,
             GError **error)
{
    LvpPciIds ids;
    char driver[LVP_PCI_NAME_SIZE];
    const char *held = find_held_identity(self->holding, address);
    g_autofree char *override = lvp_pci_read_override(self->binder, address, error);
    if (!override || !lvp_pci_read_ids(self->binder->host, address, &ids)) {
        if (override)
            g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND, "it has vanished");
        g_prefix_error(error, "cannot read the state of %s: ", address);
        return FALSE;
    }
    g_autofree char *identity = held ? g_strdup(held) : lvp_pci_make_identity(&ids);
    lvp_pci_read_driver(self->binder->host, address, driver);
    /* The kernel keeps any bytes there; a record is text. */
    if (!g_utf8_validate(override, -1, NULL) || !g_utf8_validate(driver, -1, NULL)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                    "the driver_override of %s, or the name of its driver, is no text in UTF-8 and "
                    "could not be put back: clear it first",
                    address);
        return FALSE;
    }
    g_variant_builder_add(&self->rows, ROW_TYPE, address, identity, driver, override, group,
                          held ? address : unit, held || passed);
    g_hash_table_add(self->seen, g_strdup(address));
    return TRUE;
}

/* Adds the functions of the unit's slot, or those of its group that stand in others. */
static gboolean
add_group(Maker *self, const char *unit, gboolean same_slot, GError **error)
{
    LvpHost *host = self->binder->host;
    LvpPciIds ids;
    char number[LVP_PCI_NAME_SIZE];
    if (!lvp_pci_read_ids(host, unit, &ids)) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_FOUND,
                    "cannot read the state of %s: it has vanished", unit);
        return FALSE;
    }
    const LvpPciOffer *offer = self->file ? lvp_pci_devices_file_match(self->file, &ids) : NULL;
    lvp_pci_read_group(host, unit, number);
    g_autoptr(LvpPciGroup) group = lvp_pci_group_read(host, number, unit, ids.class_code);
    g_autofree char *problem = lvp_pci_group_find_problem(group, number, offer);
    if (problem) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_SUPPORTED, "%s cannot be taken: %s", unit,
                    problem);
        return FALSE;
    }
    for (guint i = 0; i < group->members->len; i++) {
        const LvpPciMember *member = &g_array_index(group->members, LvpPciMember, i);
        gboolean passed = same_slot && !(offer && offer->single_function);
        if (!member->same_slot == !same_slot &&
            !g_hash_table_contains(self->seen, member->address) &&
            !add_function(self, member->address, unit, number, passed, error))
            return FALSE;
    }
    return TRUE;
}

/* Slots first: what goes to the guest with one unit, shall not stand there as the mere neighbour of
 * another. */
static gboolean
add_all(Maker *self, GError **error)
{
    for (guint round = 0; round < 2; round++)
        for (guint i = 0; i < lvp_holding_get_n_units(self->holding); i++)
            if (!add_group(self, lvp_holding_get_unit_id(self->holding, i), round == 0, error))
                return FALSE;
    return TRUE;
}

GVariant *
lvp_pci_record_make(const LvpPciBinder *binder,
                    const LvpPciDevicesFile *file,
                    const LvpHolding *holding,
                    GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Maker maker = {binder, file, holding, G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a" ROW_TYPE)),
                   seen};
    if (!add_all(&maker, error)) {
        g_variant_builder_clear(&maker.rows);
        return NULL;
    }
    return g_variant_new("(u@a" ROW_TYPE ")", RECORD_VERSION, g_variant_builder_end(&maker.rows));
}

/* ---- reading ---- */

/* Whether each text can be what it is said to be: paths are made of them. */
static gboolean
is_sound(const LvpPciRecordRow *row)
{
    const LvpPciBinding *binding = &row->binding;
    LvpPciAddress address;
    return lvp_pci_parse_address(binding->address, &address) &&
           lvp_pci_parse_address(row->unit, &address) && !strchr(binding->driver, '/') &&
           strcmp(binding->driver, ".") != 0 && strcmp(binding->driver, "..") != 0 &&
           strlen(binding->driver) < LVP_PCI_NAME_SIZE &&
           strspn(binding->group, "0123456789") == strlen(binding->group);
}

GArray *
lvp_pci_record_open(GVariant *record, GError **error)
{
    guint32 version = 0;
    g_autoptr(GVariant) functions = NULL;
    if (record && g_variant_is_of_type(record, G_VARIANT_TYPE(RECORD_TYPE)))
        g_variant_get(record, "(u@a" ROW_TYPE ")", &version, &functions);
    if (!functions || version != RECORD_VERSION) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_NOT_SUPPORTED,
                    "the record is of type %s and version %u, this source knows " RECORD_TYPE
                    " of version %u",
                    record ? g_variant_get_type_string(record) : "none", version, RECORD_VERSION);
        return NULL;
    }
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(LvpPciRecordRow));
    GVariantIter iter;
    LvpPciRecordRow row = {0};
    LvpPciBinding *binding = &row.binding;
    g_variant_iter_init(&iter, functions);
    while (g_variant_iter_next(&iter, "(&s&s&s&s&s&sb)", &binding->address, &binding->identity,
                               &binding->driver, &binding->override, &binding->group, &row.unit,
                               &row.passed)) {
        if (!is_sound(&row)) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_SOURCE,
                        "the record is damaged: it names what is no PCI address, driver or group");
            return NULL;
        }
        g_array_append_val(rows, row);
    }
    return g_steal_pointer(&rows);
}
