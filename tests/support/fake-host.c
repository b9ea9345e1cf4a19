/* SPDX-License-Identifier: Apache-2.0 */
/* The fake host as a whole: its files besides devices, and what a test may do to it. */
#include "fake-kernel.h"

#include <errno.h>
#include <string.h>

#define FIRST_NODE_CPUS "0-7"
#define FIRST_NODE_BYTES (16 * G_GUINT64_CONSTANT(1073741824))

typedef struct {
    int node;
    char *cpus;
    guint64 memory_bytes;
} FakeNode;

static void
clear_node(gpointer data)
{
    g_free(((FakeNode *)data)->cpus);
}

/* ---- life ---- */

static LvpHost *
open_host(LvpFakeHost *self)
{
    g_autoptr(GError) error = NULL;
    LvpHost *host = lvp_host_new(lvp_scratch_get_root(self->scratch), &error);
    if (!host)
        g_error("fake host: %s", error->message);
    lvp_host_set_effects(host, &FAKE_KERNEL_EFFECTS, self);
    return host;
}

static void
write_boot_id(LvpFakeHost *self)
{
    g_autofree char *text = g_strdup_printf("b0070000-0000-4000-8000-%012u\n", self->next_number++);
    lvp_scratch_write(self->scratch, "proc/sys/kernel/random/boot_id", text);
}

static void
write_fixed_files(LvpFakeHost *self)
{
    static const char *const FOLDERS[] = {"sys/bus/pci/devices",
                                          "sys/bus/pci/drivers",
                                          "sys/kernel/iommu_groups",
                                          "sys/class/block",
                                          "sys/class/net",
                                          "sys/devices",
                                          "dev"};
    for (guint i = 0; i < G_N_ELEMENTS(FOLDERS); i++)
        lvp_scratch_make_folder(self->scratch, FOLDERS[i]);
    lvp_scratch_write(self->scratch, "sys/bus/pci/drivers_probe", "");
    lvp_scratch_write(self->scratch, "proc/self/mountinfo",
                      "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n");
    lvp_scratch_write(self->scratch, "proc/swaps",
                      "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
}

LvpFakeHost *
lvp_fake_host_new(void)
{
    LvpFakeHost *self = g_new0(LvpFakeHost, 1);
    g_mutex_init(&self->mutex);
    self->scratch = lvp_scratch_new();
    self->devices = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, fake_device_free);
    self->drivers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    self->openers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    self->busy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    self->addresses = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    self->nodes = g_array_new(FALSE, FALSE, sizeof(FakeNode));
    g_array_set_clear_func(self->nodes, clear_node);
    fake_kernel_init(self);
    write_fixed_files(self);
    write_boot_id(self);
    self->host = open_host(self);
    lvp_fake_host_set_node(self, 0, FIRST_NODE_CPUS, FIRST_NODE_BYTES);
    return self;
}

void
lvp_fake_host_free(LvpFakeHost *self)
{
    if (!self)
        return;
    lvp_host_free(self->host);
    fake_kernel_clear(self);
    g_hash_table_unref(self->devices);
    g_hash_table_unref(self->drivers);
    g_hash_table_unref(self->openers);
    g_hash_table_unref(self->busy);
    g_hash_table_unref(self->addresses);
    g_array_unref(self->nodes);
    lvp_scratch_free(self->scratch);
    g_mutex_clear(&self->mutex);
    g_free(self);
}

LvpHost *
lvp_fake_host_get_host(LvpFakeHost *self)
{
    return self->host;
}

LvpHost *
lvp_fake_host_new_host(LvpFakeHost *self)
{
    return open_host(self);
}

const char *
lvp_fake_host_get_root(const LvpFakeHost *self)
{
    return lvp_scratch_get_root(self->scratch);
}

FakeDevice *
fake_host_get_device(LvpFakeHost *self, const char *address)
{
    FakeDevice *device = g_hash_table_lookup(self->devices, address);
    if (!device)
        g_error("fake host: there is no device at %s", address);
    return device;
}

/* ---- what there is ---- */

void
lvp_fake_host_add_pci(LvpFakeHost *self, const LvpFakePci *pci)
{
    g_mutex_lock(&self->mutex);
    fake_device_add(self, pci);
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_pull(LvpFakeHost *self, const char *address)
{
    g_mutex_lock(&self->mutex);
    fake_kernel_pull(self, fake_host_get_device(self, address));
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_replace(LvpFakeHost *self, const LvpFakePci *pci)
{
    g_mutex_lock(&self->mutex);
    fake_kernel_pull(self, fake_host_get_device(self, pci->address));
    fake_device_add(self, pci);
    g_mutex_unlock(&self->mutex);
}

static FakeNode *
get_or_add_node(LvpFakeHost *self, int number)
{
    guint i = 0;
    while (i < self->nodes->len && g_array_index(self->nodes, FakeNode, i).node < number)
        i++;
    FakeNode added = {.node = number};
    if (i == self->nodes->len || g_array_index(self->nodes, FakeNode, i).node != number)
        g_array_insert_val(self->nodes, i, added);
    return &g_array_index(self->nodes, FakeNode, i);
}

static void
write_node(LvpFakeHost *self, const FakeNode *node)
{
    g_autofree char *folder = g_strdup_printf("sys/devices/system/node/node%d", node->node);
    g_autofree char *cpus_path = g_strconcat(folder, "/cpulist", NULL);
    g_autofree char *memory_path = g_strconcat(folder, "/meminfo", NULL);
    g_autofree char *cpus = g_strconcat(node->cpus, "\n", NULL);
    guint64 kib = node->memory_bytes / 1024;
    g_autofree char *memory =
        g_strdup_printf("Node %d MemTotal:       %" G_GUINT64_FORMAT " kB\n"
                        "Node %d MemFree:        %" G_GUINT64_FORMAT " kB\n"
                        "Node %d HugePages_Total:     0\n"
                        "Node %d HugePages_Free:      0\n",
                        node->node, kib, node->node, kib, node->node, node->node);
    lvp_scratch_write(self->scratch, cpus_path, cpus);
    lvp_scratch_write(self->scratch, memory_path, memory);
}

/* What all nodes have together. */
static void
write_node_sums(LvpFakeHost *self)
{
    g_autoptr(GString) cpus = g_string_new(NULL);
    g_autoptr(GString) nodes = g_string_new(NULL);
    guint64 kib = 0;
    for (guint i = 0; i < self->nodes->len; i++) {
        const FakeNode *node = &g_array_index(self->nodes, FakeNode, i);
        const char *comma = cpus->len > 0 && node->cpus[0] != '\0' ? "," : "";
        g_string_append_printf(cpus, "%s%s", comma, node->cpus);
        g_string_append_printf(nodes, "%s%d", i > 0 ? "," : "", node->node);
        kib += node->memory_bytes / 1024;
    }
    g_string_append_c(cpus, '\n');
    g_string_append_c(nodes, '\n');
    g_autofree char *memory = g_strdup_printf("MemTotal:       %" G_GUINT64_FORMAT " kB\n"
                                              "MemFree:        %" G_GUINT64_FORMAT " kB\n"
                                              "MemAvailable:   %" G_GUINT64_FORMAT " kB\n",
                                              kib, kib, kib);
    lvp_scratch_write(self->scratch, "sys/devices/system/cpu/online", cpus->str);
    lvp_scratch_write(self->scratch, "sys/devices/system/node/online", nodes->str);
    lvp_scratch_write(self->scratch, "proc/meminfo", memory);
}

void
lvp_fake_host_set_node(LvpFakeHost *self, int number, const char *cpus, guint64 memory_bytes)
{
    g_mutex_lock(&self->mutex);
    FakeNode *node = get_or_add_node(self, number);
    g_free(node->cpus);
    node->cpus = g_strdup(cpus);
    node->memory_bytes = memory_bytes;
    write_node(self, node);
    write_node_sums(self);
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_set_file(LvpFakeHost *self, const char *path, const char *text)
{
    g_mutex_lock(&self->mutex);
    if (text)
        lvp_scratch_write(self->scratch, path, text);
    else
        lvp_scratch_remove(self->scratch, path);
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_make_fifo(LvpFakeHost *self, const char *path)
{
    g_mutex_lock(&self->mutex);
    lvp_scratch_make_fifo(self->scratch, path);
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_set_busy(LvpFakeHost *self, const char *block, gboolean busy)
{
    g_autofree char *node = g_strconcat("dev/", block, NULL);
    g_mutex_lock(&self->mutex);
    lvp_scratch_write(self->scratch, node, "");
    if (busy)
        g_hash_table_add(self->busy, g_strdup(block));
    else
        g_hash_table_remove(self->busy, block);
    g_mutex_unlock(&self->mutex);
}

/* ---- what happens besides us ---- */

void
lvp_fake_host_set_opener(LvpFakeHost *self, const char *path, const char *text)
{
    g_mutex_lock(&self->mutex);
    if (text) {
        g_hash_table_insert(self->openers, g_strdup(path), g_strdup(text));
    } else if (g_hash_table_remove(self->openers, path)) {
        fake_kernel_run_late(self, path);
    }
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_set_reset(LvpFakeHost *self, const char *address, LvpFakeReset reset)
{
    g_mutex_lock(&self->mutex);
    fake_device_set_reset(self, fake_host_get_device(self, address), reset);
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_set_driver(LvpFakeHost *self, const char *address, const char *driver)
{
    g_mutex_lock(&self->mutex);
    FakeDevice *device = fake_host_get_device(self, address);
    if (device->stuck)
        g_error("fake host: %s is stuck", address);
    fake_device_detach(self, device);
    int code = driver ? fake_device_attach(self, device, driver) : 0;
    if (code != 0)
        g_error("fake host: cannot bind %s to %s: %s", address, driver, g_strerror(code));
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_set_override(LvpFakeHost *self, const char *address, const char *override)
{
    g_mutex_lock(&self->mutex);
    fake_device_set_override(self, fake_host_get_device(self, address), override);
    g_mutex_unlock(&self->mutex);
}

gboolean
lvp_fake_host_unload_vfio(LvpFakeHost *self)
{
    gboolean idle = TRUE;
    GHashTableIter iter;
    gpointer value;
    g_mutex_lock(&self->mutex);
    g_hash_table_iter_init(&iter, self->devices);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const FakeDevice *device = value;
        idle = idle && !device->stuck && !fake_device_find_holder(self, device);
    }
    g_hash_table_iter_init(&iter, self->devices);
    while (idle && g_hash_table_iter_next(&iter, NULL, &value))
        if (g_strcmp0(((FakeDevice *)value)->driver, FAKE_VFIO) == 0)
            fake_device_detach(self, value);
    if (idle)
        fake_driver_unload(self, FAKE_VFIO);
    g_mutex_unlock(&self->mutex);
    return idle;
}

void
lvp_fake_host_reboot(LvpFakeHost *self)
{
    g_mutex_lock(&self->mutex);
    g_hash_table_remove_all(self->openers);
    fake_kernel_stop(self);
    self->crashed = FALSE;
    fake_device_remove_vfs(self, NULL);
    GHashTableIter iter;
    gpointer device;
    g_hash_table_iter_init(&iter, self->devices);
    while (g_hash_table_iter_next(&iter, NULL, &device)) {
        fake_device_detach(self, device);
        fake_device_set_override(self, device, NULL);
    }
    fake_driver_unload(self, FAKE_VFIO);
    lvp_scratch_remove(self->scratch, "run");
    g_hash_table_iter_init(&iter, self->devices);
    while (g_hash_table_iter_next(&iter, NULL, &device)) {
        const char *driver = fake_device_get_wanted_driver(device);
        if (driver)
            fake_device_attach(self, device, driver);
    }
    write_boot_id(self);
    lvp_host_free(self->host);
    self->host = open_host(self);
    g_mutex_unlock(&self->mutex);
}

/* ---- what goes wrong ---- */

static void
add_fault(LvpFakeHost *self, guint n, FakeFaultKind kind, int code)
{
    g_mutex_lock(&self->mutex);
    fake_kernel_add_fault(self, n, kind, code);
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_fail_write(LvpFakeHost *self, guint n, int code)
{
    add_fault(self, n, FAKE_FAIL, code);
}

void
lvp_fake_host_lie_at(LvpFakeHost *self, guint n)
{
    add_fault(self, n, FAKE_LIE, 0);
}

void
lvp_fake_host_crash_at(LvpFakeHost *self, guint n)
{
    add_fault(self, n, FAKE_CRASH, EIO);
}

void
lvp_fake_host_restart(LvpFakeHost *self)
{
    g_mutex_lock(&self->mutex);
    self->crashed = FALSE;
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_hang_at(LvpFakeHost *self, guint n)
{
    add_fault(self, n, FAKE_HANG, ETIMEDOUT);
}

void
lvp_fake_host_finish_hung(LvpFakeHost *self)
{
    g_mutex_lock(&self->mutex);
    fake_kernel_run_late(self, NULL);
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_fail_module(LvpFakeHost *self, int code)
{
    g_mutex_lock(&self->mutex);
    self->module_error = code;
    g_mutex_unlock(&self->mutex);
}

/* ---- what came of it ---- */

gboolean
lvp_fake_host_has_pci(LvpFakeHost *self, const char *address)
{
    g_mutex_lock(&self->mutex);
    gboolean found = g_hash_table_contains(self->devices, address);
    g_mutex_unlock(&self->mutex);
    return found;
}

gboolean
lvp_fake_host_is_stuck(LvpFakeHost *self, const char *address)
{
    g_mutex_lock(&self->mutex);
    gboolean stuck = fake_host_get_device(self, address)->stuck;
    g_mutex_unlock(&self->mutex);
    return stuck;
}

char *
lvp_fake_host_get_driver(LvpFakeHost *self, const char *address)
{
    g_mutex_lock(&self->mutex);
    char *driver = g_strdup(fake_host_get_device(self, address)->driver);
    g_mutex_unlock(&self->mutex);
    return driver;
}

char *
lvp_fake_host_get_override(LvpFakeHost *self, const char *address)
{
    g_mutex_lock(&self->mutex);
    char *override = g_strdup(fake_host_get_device(self, address)->override);
    g_mutex_unlock(&self->mutex);
    return override;
}

guint
lvp_fake_host_count_resets(LvpFakeHost *self, const char *address)
{
    g_mutex_lock(&self->mutex);
    guint count = fake_host_get_device(self, address)->n_resets;
    g_mutex_unlock(&self->mutex);
    return count;
}

char **
lvp_fake_host_get_writes(LvpFakeHost *self)
{
    g_mutex_lock(&self->mutex);
    char **writes = g_new0(char *, self->writes->len + 1);
    for (guint i = 0; i < self->writes->len; i++)
        writes[i] = g_strdup(g_ptr_array_index(self->writes, i));
    g_mutex_unlock(&self->mutex);
    return writes;
}

guint
lvp_fake_host_count_writes(LvpFakeHost *self)
{
    g_mutex_lock(&self->mutex);
    guint count = self->writes->len;
    g_mutex_unlock(&self->mutex);
    return count;
}
