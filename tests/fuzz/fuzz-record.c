/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the pci source, and what happens on the host meanwhile: nothing is written but to the
 * devices that the record names, and what is said to be done is done. */
#include "fake-host.h"
#include "fuzz.h"
#include "request.h"
#include "source-fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The input is a script with a step a line:
 *   + ADDRESS|IDENTITY|DRIVER|OVERRIDE|GROUP[|UNIT]   the record has this function, too
 *   b BYTES     the record is read from these bytes, as the journal does
 *   P           the record is what prepare makes of all devices
 *   c, s, r, r ADDRESS   commit, restore, rollback, rollback of one unit
 *   f, l, x, h N         the N-th write from now fails, lies, is the last before a crash, hangs
 *   d K DRIVER, p K, O K TEXT, o G   driver, pull, override of device K; opener of group G
 *   z           nobody has anything open, what hung is finished, the provider starts again */
#define MAX_STEPS 24
#define ROW_TYPE "(ssssssb)"
#define RECORD_TYPE "(ua" ROW_TYPE ")"

static const struct {
    const char *address, *driver;
} DEVICES[] = {{"0000:3b:00.0", "nvidia"}, {"0000:5e:00.0", NULL}, {"10000:af:00.0", "dfl"}};

typedef struct {
    LvpFakeHost *fake;
    SourceFixture *source;
    GVariant *record;                       /* NULL: made of the functions */
    GPtrArray *functions;                   /* GVariant of ROW_TYPE */
    char *untouched[G_N_ELEMENTS(DEVICES)]; /* driver and override */
    guint n_writes;                         /* that were looked at */
} Run;

/* ---- the host ---- */

static void
add_devices(LvpFakeHost *fake)
{
    for (guint i = 0; i < G_N_ELEMENTS(DEVICES); i++)
        lvp_fake_host_add_pci(
            fake, &(LvpFakePci){.address = DEVICES[i].address,
                                .vendor = 0x1000 + i,
                                .class_code = 0x120000,
                                .driver = DEVICES[i].driver,
                                .reset = i == 0 ? LVP_FAKE_RESET_WORKS : LVP_FAKE_RESET_NO_METHOD,
                                .group = 15 + (int)i});
}

static gboolean
is_present(const Run *run, guint device)
{
    g_autofree char *path = g_strdup_printf("bus/pci/devices/%s", DEVICES[device].address);
    return lvp_host_exists(lvp_fake_host_get_host(run->fake), LVP_HOST_SYS, path);
}

/* "DRIVER OVERRIDE", or NULL where the device is gone; g_free(). */
static char *
describe_device(const Run *run, guint device)
{
    if (!is_present(run, device))
        return NULL;
    g_autofree char *driver = lvp_fake_host_get_driver(run->fake, DEVICES[device].address);
    g_autofree char *override = lvp_fake_host_get_override(run->fake, DEVICES[device].address);
    return g_strdup_printf("%s %s", driver ? driver : "", override ? override : "");
}

static void
note_devices(Run *run)
{
    for (guint i = 0; i < G_N_ELEMENTS(DEVICES); i++) {
        g_free(run->untouched[i]);
        run->untouched[i] = describe_device(run, i);
    }
}

/* ---- the record ---- */

static GVariant *
make_record(const Run *run)
{
    if (run->record)
        return g_variant_ref(run->record);
    g_auto(GVariantBuilder) functions = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a" ROW_TYPE));
    for (guint i = 0; i < run->functions->len; i++)
        g_variant_builder_add_value(&functions, g_ptr_array_index(run->functions, i));
    return g_variant_ref_sink(
        g_variant_new("(u@a" ROW_TYPE ")", 1, g_variant_builder_end(&functions)));
}

/* How many functions of the record are ADDRESS, and go with UNIT; NULL: with any. */
static guint
count_functions(GVariant *record, const char *address, const char *unit)
{
    if (!g_variant_is_of_type(record, G_VARIANT_TYPE(RECORD_TYPE)))
        return 0;
    guint count = 0;
    g_autoptr(GVariant) functions = g_variant_get_child_value(record, 1);
    for (gsize i = 0; i < g_variant_n_children(functions); i++) {
        const char *named, *with;
        g_autoptr(GVariant) function = g_variant_get_child_value(functions, i);
        g_variant_get_child(function, 0, "&s", &named);
        g_variant_get_child(function, 5, "&s", &with);
        count += strcmp(named, address) == 0 && (!unit || strcmp(with, unit) == 0);
    }
    return count;
}

/* ---- what must hold after a step ---- */

/* "PATH=TEXT" is one of the few writes there are, to a device that is named. */
static void
check_write(GVariant *record, const char *write, const char *only_unit)
{
    g_auto(GStrv) sides = g_strsplit(write, "=", 2);
    g_auto(GStrv) path = g_strsplit(sides[0], "/", -1);
    const char *address = sides[1];
    must(g_str_has_prefix(sides[0], "bus/pci/"));
    if (strcmp(path[2], "devices") == 0) {
        address = path[3];
        must(g_strv_length(path) == 5);
        must(strcmp(path[4], "driver_override") == 0 || strcmp(path[4], "reset") == 0);
    } else if (strcmp(path[2], "drivers") == 0) {
        must(g_strv_length(path) == 5);
        must(strcmp(path[4], "bind") == 0 || strcmp(path[4], "unbind") == 0);
        must(path[3][0] != '\0' && strcmp(path[3], "..") != 0 && strcmp(path[3], ".") != 0);
    } else {
        must(strcmp(sides[0], "bus/pci/drivers_probe") == 0);
    }
    must(count_functions(record, address, only_unit) > 0);
}

static void
check_locks(const Run *run)
{
    g_autofree char *path =
        g_build_filename(lvp_fake_host_get_root(run->fake), "run/libvirt-provider/locks", NULL);
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder)) != NULL;)
        must(strcmp(name, DEVICES[0].address) == 0 || strcmp(name, DEVICES[1].address) == 0 ||
             strcmp(name, DEVICES[2].address) == 0);
}

/* Writes went only to devices of the record, or to ONLY_UNIT (else NULL), and all others are as
 * they were. */
static void
check_effects(Run *run, GVariant *record, gboolean may_write, const char *only_unit)
{
    g_auto(GStrv) writes = lvp_fake_host_get_writes(run->fake);
    guint count = g_strv_length(writes);
    must(may_write || count == run->n_writes);
    for (; run->n_writes < count; run->n_writes++)
        check_write(record, writes[run->n_writes], only_unit);
    for (guint i = 0; i < G_N_ELEMENTS(DEVICES); i++) {
        const char *address = DEVICES[i].address;
        if (may_write && count_functions(record, address, only_unit) > 0)
            continue;
        g_autofree char *now = describe_device(run, i);
        must(g_strcmp0(now, run->untouched[i]) == 0);
    }
    check_locks(run);
    note_devices(run);
}

/* After a commit that says it is done. */
static void
check_taken(const Run *run, GVariant *record)
{
    for (guint i = 0; i < G_N_ELEMENTS(DEVICES); i++)
        must(!run->untouched[i] || count_functions(record, DEVICES[i].address, NULL) == 0 ||
             strcmp(run->untouched[i], "vfio-pci vfio-pci") == 0);
}

static gboolean
has_identity(guint device, const char *identity)
{
    g_autofree char *expected = g_strdup_printf("%04x:0000:0000:0000:00:120000", 0x1000 + device);
    return strcmp(expected, identity) == 0;
}

/* A unit whose verdict is that it is as before. */
static void
check_put_back(const Run *run, GVariant *record, const char *address)
{
    guint device = 0;
    while (device < G_N_ELEMENTS(DEVICES) && strcmp(DEVICES[device].address, address) != 0)
        device++;
    if (device == G_N_ELEMENTS(DEVICES) || !run->untouched[device] ||
        count_functions(record, address, NULL) != 1)
        return;
    g_autoptr(GVariant) functions = g_variant_get_child_value(record, 1);
    for (gsize i = 0; i < g_variant_n_children(functions); i++) {
        const char *named, *identity, *driver, *override, *group, *unit;
        gboolean passed;
        g_variant_get_child(functions, i, "(&s&s&s&s&s&sb)", &named, &identity, &driver, &override,
                            &group, &unit, &passed);
        g_autofree char *expected = g_strdup_printf("%s %s", driver, override);
        must(strcmp(named, address) != 0 || !has_identity(device, identity) ||
             strcmp(run->untouched[device], expected) == 0);
    }
}

static void
check_outcome(const Run *run, GVariant *record, const LvpOutcome *outcome, gboolean put_back)
{
    for (guint i = 0; i < outcome->rows->len; i++) {
        const LvpOutcomeRow *row = &g_array_index(outcome->rows, LvpOutcomeRow, i);
        must_be_utf8(row->reason);
        must(row->reason || row->verdict == LVP_VERDICT_DONE ||
             row->verdict == LVP_VERDICT_MATCHES);
        must(!row->unit_id || count_functions(record, row->unit_id, row->unit_id) > 0);
        if (put_back && row->unit_id && row->verdict == LVP_VERDICT_DONE)
            check_put_back(run, record, row->unit_id);
    }
}

/* ---- the steps ---- */

static void
prepare(Run *run)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LvpHolding) holding = lvp_holding_new("uuid", "pci");
    for (guint i = 0; i < G_N_ELEMENTS(DEVICES); i++) {
        g_autofree char *identity = g_strdup_printf("%04x:0000:0000:0000:00:120000", 0x1000 + i);
        lvp_holding_add_unit(holding, "accelerator.a/b", DEVICES[i].address, identity, 0);
    }
    GVariant *record = lvp_source_table.prepare(run->source->instance, holding, NULL, &error);
    must((record == NULL) == (error != NULL));
    if (!record)
        return;
    g_clear_pointer(&run->record, g_variant_unref);
    run->record = g_variant_take_ref(record);
    check_effects(run, run->record, FALSE, NULL);
}

static void
commit(Run *run)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) record = make_record(run);
    gboolean ok = lvp_source_table.commit(run->source->instance, record, NULL, &error);
    must(ok == (error == NULL));
    check_effects(run, record, TRUE, NULL);
    if (ok)
        check_taken(run, record);
}

static void
restore(Run *run)
{
    g_autoptr(GVariant) record = make_record(run);
    g_autoptr(LvpOutcome) outcome = lvp_outcome_new();
    lvp_source_table.restore(run->source->instance, record, outcome, NULL);
    check_effects(run, record, FALSE, NULL);
    check_outcome(run, record, outcome, FALSE);
}

static void
roll_back(Run *run, const char *only_unit)
{
    g_autoptr(GVariant) record = make_record(run);
    g_autoptr(LvpOutcome) outcome = lvp_outcome_new();
    lvp_source_table.rollback(run->source->instance, record, only_unit, outcome, NULL);
    check_effects(run, record, TRUE, only_unit);
    check_outcome(run, record, outcome, TRUE);
}

static void
add_function(Run *run, const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "|", 6);
    guint count = g_strv_length(parts);
    if (count < 5 || !g_utf8_validate(text, -1, NULL))
        return;
    GVariant *function = g_variant_new(ROW_TYPE, parts[0], parts[1], parts[2], parts[3], parts[4],
                                       parts[count == 6 ? 5 : 0], TRUE);
    g_ptr_array_add(run->functions, g_variant_ref_sink(function));
    g_clear_pointer(&run->record, g_variant_unref);
}

static void
read_record(Run *run, const char *data, gsize size)
{
    g_autoptr(GBytes) bytes = g_bytes_new(data, size);
    g_autoptr(GVariant) wrapped =
        g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARIANT, bytes, FALSE));
    g_clear_pointer(&run->record, g_variant_unref);
    run->record = g_variant_is_normal_form(wrapped)
                      ? g_variant_get_variant(wrapped)
                      : g_variant_ref_sink(
                            g_variant_new_from_bytes(G_VARIANT_TYPE(RECORD_TYPE), bytes, FALSE));
}

static void
add_fault(Run *run, char kind, guint n)
{
    if (n == 0 || n > 16)
        return;
    if (kind == 'f')
        lvp_fake_host_fail_write(run->fake, n, EIO);
    else if (kind == 'l')
        lvp_fake_host_lie_at(run->fake, n);
    else if (kind == 'x')
        lvp_fake_host_crash_at(run->fake, n);
    else
        lvp_fake_host_hang_at(run->fake, n);
}

static void
start_again(Run *run)
{
    for (guint i = 0; i < G_N_ELEMENTS(DEVICES); i++) {
        g_autofree char *node = g_strdup_printf("vfio/%u", 15 + i);
        lvp_fake_host_set_opener(run->fake, node, NULL);
    }
    lvp_fake_host_finish_hung(run->fake);
    lvp_fake_host_restart(run->fake);
}

/* What others do; TEXT: the number of a device or group, and more. */
static void
happen(Run *run, char kind, const char *text)
{
    guint device = (guint)(guchar)text[0] - '0';
    if (device >= G_N_ELEMENTS(DEVICES) || !is_present(run, device))
        return;
    const char *more = text[1] == ' ' ? text + 2 : "";
    g_autofree char *node = g_strdup_printf("vfio/%u", 15 + device);
    g_autofree char *path =
        g_strdup_printf("bus/pci/devices/%s/driver_override", DEVICES[device].address);
    if (kind == 'd' && strlen(more) < 250 &&
        strspn(more, "abcdefghijklmnopqrstuvwxyz-") == strlen(more)) {
        lvp_fake_host_set_opener(run->fake, node, NULL); /* else it would not work */
        lvp_fake_host_finish_hung(run->fake);
        if (is_present(run, device))
            lvp_fake_host_set_driver(run->fake, DEVICES[device].address, more[0] ? more : NULL);
    } else if (kind == 'p')
        lvp_fake_host_pull(run->fake, DEVICES[device].address);
    else if (kind == 'o')
        lvp_fake_host_set_opener(run->fake, node, "pid 1 (qemu)");
    else if (kind == 'O' && !g_str_has_prefix(more, "(null)")) /* which is how none is shown */
        lvp_host_write(lvp_fake_host_get_host(run->fake), path, more, DEVICES[device].address, 0,
                       NULL);
    run->n_writes = lvp_fake_host_count_writes(run->fake);
}

static void
take_step(Run *run, const char *line, gsize size)
{
    const char *text = size > 2 ? line + 2 : "";
    switch (line[0]) {
    case '+':
        add_function(run, text);
        break;
    case 'b':
        read_record(run, text, size > 2 ? size - 2 : 0);
        break;
    case 'P':
        prepare(run);
        break;
    case 'c':
        commit(run);
        break;
    case 's':
        restore(run);
        break;
    case 'r':
        roll_back(run, text[0] ? text : NULL);
        break;
    case 'f':
    case 'l':
    case 'x':
    case 'h':
        add_fault(run, line[0], (guint)g_ascii_strtoull(text, NULL, 10));
        break;
    case 'z':
        start_again(run);
        note_devices(run);
        break;
    default:
        happen(run, line[0], text);
        note_devices(run);
        break;
    }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    static const char *const SETTINGS[] = {"pci-driver-timeout", "0", NULL};
    Run run = {.fake = lvp_fake_host_new(),
               .functions = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref)};
    add_devices(run.fake);
    run.source = source_fixture_new(lvp_fake_host_get_host(run.fake), SETTINGS, NULL);
    note_devices(&run);
    for (guint i = 0; size > 0 && i < MAX_STEPS; i++) {
        const guint8 *stop = memchr(data, '\n', size);
        gsize length = stop ? (gsize)(stop - data) : size;
        g_autofree char *line = g_malloc0(length + 1);
        memcpy(line, data, length);
        take_step(&run, line, length);
        length += stop != NULL;
        data += length;
        size -= length;
    }
    source_fixture_free(run.source);
    lvp_fake_host_free(run.fake);
    g_clear_pointer(&run.record, g_variant_unref);
    g_ptr_array_unref(run.functions);
    for (guint i = 0; i < G_N_ELEMENTS(DEVICES); i++)
        g_free(run.untouched[i]);
    return 0;
}
