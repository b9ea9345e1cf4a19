/* SPDX-License-Identifier: Apache-2.0 */
/* Block devices and network interfaces: what a bound host driver shows below sys/class. An NVMe
 * disk with multipath hangs below devices/virtual/nvme-subsystem; below its PCI device is a hidden
 * path. */
#include "fake-kernel.h"

#include <string.h>

#define DISK_SECTORS "1953525168\n"
#define MAJOR_BLOCK 259u
#define FLAGS_UP 0x1003u
#define STACKED "sys/devices/virtual/block/"

void
fake_class_free_block(gpointer data)
{
    FakeBlock *block = data;
    g_free(block->name);
    g_free(block->disk);
    g_free(block->holder);
    g_free(block->folder);
    g_free(block);
}

void
fake_class_free_net(gpointer data)
{
    FakeNet *net = data;
    g_free(net->name);
    g_free(net->master);
    g_free(net);
}

/* ---- files ---- */

static void
write_file(LvpFakeHost *self, const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_strdup_printf("%s/%s", folder, name);
    lvp_scratch_write(self->scratch, path, text);
}

void
fake_class_link(LvpFakeHost *self,
                FakeDevice *device,
                const char *class_name,
                const char *name,
                const char *folder)
{
    g_autofree char *link = g_strdup_printf("sys/class/%s/%s", class_name, name);
    lvp_scratch_make_folder(self->scratch, folder);
    lvp_scratch_link(self->scratch, link, folder);
    if (!device)
        return;
    g_ptr_array_add(device->shown, g_strdup(folder));
    g_ptr_array_add(device->shown, g_steal_pointer(&link));
}

/* ---- block devices ---- */

static void
write_block(LvpFakeHost *self, const char *folder, guint minor)
{
    g_autofree char *holders = g_strconcat(folder, "/holders", NULL);
    g_autofree char *number = g_strdup_printf("%u:%u\n", MAJOR_BLOCK, minor);
    lvp_scratch_make_folder(self->scratch, holders);
    write_file(self, folder, "dev", number);
    write_file(self, folder, "size", DISK_SECTORS);
}

static void
show_holder(LvpFakeHost *self, const FakeBlock *block)
{
    g_autofree char *folder = g_strconcat(STACKED, block->holder, NULL);
    g_autofree char *slave = g_strdup_printf("%s/slaves/%s", folder, block->name);
    g_autofree char *link = g_strdup_printf("%s/holders/%s", block->folder, block->holder);
    fake_class_link(self, NULL, "block", block->holder, folder);
    write_block(self, folder, self->next_number++);
    lvp_scratch_link(self->scratch, slave, block->folder);
    lvp_scratch_link(self->scratch, link, folder);
}

static guint
get_nvme_number(const char *name)
{
    return (guint)g_ascii_strtoull(name + strlen("nvme"), NULL, 10);
}

/* The NVMe controller of a disk such as nvme0n1, and with multipath its subsystem and hidden path.
 */
static void
show_controller(LvpFakeHost *self, FakeDevice *device, const FakeBlock *block)
{
    guint number = get_nvme_number(block->name);
    g_autofree char *name = g_strdup_printf("nvme%u", number);
    g_autofree char *folder = g_strdup_printf("%s/nvme/%s", device->folder, name);
    g_autofree char *address = g_strconcat(device->address, "\n", NULL);
    fake_class_link(self, device, "nvme", name, folder);
    write_file(self, folder, "address", address);
    if (!block->multipath)
        return;
    g_autofree char *subsystem_name = g_strdup_printf("nvme-subsys%u", number);
    g_autofree char *subsystem = g_path_get_dirname(block->folder);
    g_autofree char *member = g_strdup_printf("%s/%s", subsystem, name);
    fake_class_link(self, device, "nvme-subsystem", subsystem_name, subsystem);
    lvp_scratch_link(self->scratch, member, folder);
    const char *name_space = strrchr(block->name, 'n');
    g_autofree char *path_name = g_strdup_printf("%sc%u%s", name, number, name_space);
    g_autofree char *path = g_strdup_printf("%s/%s", folder, path_name);
    fake_class_link(self, device, "block", path_name, path);
    write_block(self, path, self->next_number++);
    write_file(self, path, "hidden", "1\n");
}

static void
show_block(LvpFakeHost *self, FakeDevice *device, const FakeBlock *block)
{
    if (!block->disk && g_str_has_prefix(block->name, "nvme"))
        show_controller(self, device, block);
    fake_class_link(self, device, "block", block->name, block->folder);
    write_block(self, block->folder, block->minor);
    if (block->disk)
        write_file(self, block->folder, "partition", "1\n");
    if (block->holder)
        show_holder(self, block);
    g_autofree char *node = g_strconcat("dev/", block->name, NULL);
    lvp_scratch_write(self->scratch, node, "");
    g_ptr_array_add(device->shown, g_steal_pointer(&node));
}

/* ---- network interfaces ---- */

static void
write_net_state(LvpFakeHost *self, const FakeDevice *device, const FakeNet *net)
{
    g_autofree char *folder = g_strdup_printf("%s/net/%s", device->folder, net->name);
    g_autofree char *flags = g_strdup_printf("0x%x\n", net->flags);
    write_file(self, folder, "flags", flags);
    write_file(self, folder, "operstate", net->flags & 1 ? "up\n" : "down\n");
}

static void
show_net(LvpFakeHost *self, FakeDevice *device, const FakeNet *net)
{
    g_autofree char *folder = g_strdup_printf("%s/net/%s", device->folder, net->name);
    g_autofree char *device_link = g_strconcat(folder, "/device", NULL);
    fake_class_link(self, device, "net", net->name, folder);
    lvp_scratch_link(self->scratch, device_link, device->folder);
    write_net_state(self, device, net);
    if (!net->master)
        return;
    g_autofree char *master = g_strconcat("sys/devices/virtual/net/", net->master, NULL);
    g_autofree char *link = g_strconcat(folder, "/master", NULL);
    fake_class_link(self, NULL, "net", net->master, master);
    write_file(self, master, "flags", "0x1003\n");
    lvp_scratch_link(self->scratch, link, master);
}

/* ---- all of a device ---- */

void
fake_class_show(LvpFakeHost *self, FakeDevice *device)
{
    for (guint i = 0; i < device->blocks->len; i++)
        show_block(self, device, g_ptr_array_index(device->blocks, i));
    for (guint i = 0; i < device->nets->len; i++)
        show_net(self, device, g_ptr_array_index(device->nets, i));
    fake_console_show(self, device);
}

void
fake_class_hide(LvpFakeHost *self, FakeDevice *device)
{
    for (guint i = 0; i < device->shown->len; i++)
        lvp_scratch_remove(self->scratch, g_ptr_array_index(device->shown, i));
    g_ptr_array_set_size(device->shown, 0);
    static const char *const NOW_EMPTY[] = {"nvme", "ata1", "net", "drm", "usb1"};
    for (guint i = 0; i < G_N_ELEMENTS(NOW_EMPTY); i++) {
        g_autofree char *path = g_strdup_printf("%s/%s", device->folder, NOW_EMPTY[i]);
        lvp_scratch_remove(self->scratch, path);
    }
}

gboolean
fake_class_has_host_driver(const FakeDevice *device)
{
    return device->driver && strcmp(device->driver, FAKE_VFIO) != 0;
}

/* Ends the process where there is none. */
static FakeBlock *
get_block(LvpFakeHost *self, const char *name, FakeDevice **ret_device)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, self->devices);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        FakeDevice *device = value;
        for (guint i = 0; i < device->blocks->len; i++) {
            FakeBlock *block = g_ptr_array_index(device->blocks, i);
            if (strcmp(block->name, name) != 0)
                continue;
            *ret_device = device;
            return block;
        }
    }
    g_error("fake host: there is no block device %s", name);
}

static char *
find_block_folder(LvpFakeHost *self, const FakeDevice *device, const LvpFakeBlock *block)
{
    if (block->disk) {
        FakeDevice *owner;
        return g_strdup_printf("%s/%s", get_block(self, block->disk, &owner)->folder, block->name);
    }
    if (!g_str_has_prefix(block->name, "nvme"))
        return g_strdup_printf("%s/ata1/host0/target0:0:0/0:0:0:0/block/%s", device->folder,
                               block->name);
    guint number = get_nvme_number(block->name);
    if (!block->multipath)
        return g_strdup_printf("%s/nvme/nvme%u/%s", device->folder, number, block->name);
    return g_strdup_printf("sys/devices/virtual/nvme-subsystem/nvme-subsys%u/%s", number,
                           block->name);
}

void
lvp_fake_host_add_block(LvpFakeHost *self, const LvpFakeBlock *block)
{
    g_mutex_lock(&self->mutex);
    FakeDevice *device = NULL;
    if (block->disk)
        get_block(self, block->disk, &device);
    else
        device = fake_host_get_device(self, block->pci);
    FakeBlock *added = g_new0(FakeBlock, 1);
    added->name = g_strdup(block->name);
    added->disk = g_strdup(block->disk);
    added->holder = g_strdup(block->holder);
    added->multipath = block->multipath;
    added->minor = self->next_number++;
    added->folder = find_block_folder(self, device, block);
    g_ptr_array_add(device->blocks, added);
    if (fake_class_has_host_driver(device))
        show_block(self, device, added);
    g_mutex_unlock(&self->mutex);
}

static void
write_optional(LvpFakeHost *self, const char *folder, const char *name, const char *text)
{
    g_autofree char *line = g_strconcat(text ? text : "", "\n", NULL);
    if (text)
        write_file(self, folder, name, line);
}

void
lvp_fake_host_stack(LvpFakeHost *self, const LvpFakeStacked *stacked)
{
    g_mutex_lock(&self->mutex);
    FakeDevice *device;
    g_autofree char *folder = g_strconcat(STACKED, stacked->name, NULL);
    g_autofree char *below = g_strconcat(STACKED, stacked->on, NULL);
    g_autofree char *link = g_strdup_printf("%s/holders/%s",
                                            lvp_scratch_exists(self->scratch, below)
                                                ? below
                                                : get_block(self, stacked->on, &device)->folder,
                                            stacked->name);
    fake_class_link(self, NULL, "block", stacked->name, folder);
    write_block(self, folder, self->next_number++);
    lvp_scratch_link(self->scratch, link, folder);
    write_optional(self, folder, "dm/name", stacked->dm_name);
    write_optional(self, folder, "dm/uuid", stacked->dm_uuid);
    write_optional(self, folder, "md/level", stacked->md_level);
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_unstack(LvpFakeHost *self, const char *name, const char *on)
{
    g_mutex_lock(&self->mutex);
    FakeDevice *device;
    g_autofree char *folder = g_strconcat(STACKED, name, NULL);
    g_autofree char *class_link = g_strconcat("sys/class/block/", name, NULL);
    g_autofree char *link =
        g_strdup_printf("%s/holders/%s", get_block(self, on, &device)->folder, name);
    lvp_scratch_remove(self->scratch, class_link);
    lvp_scratch_remove(self->scratch, link);
    lvp_scratch_remove(self->scratch, folder);
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_add_net(LvpFakeHost *self, const LvpFakeNet *net)
{
    g_mutex_lock(&self->mutex);
    FakeDevice *device = fake_host_get_device(self, net->pci);
    FakeNet *added = g_new0(FakeNet, 1);
    added->name = g_strdup(net->name);
    added->master = g_strdup(net->master);
    added->flags = net->flags ? net->flags : FLAGS_UP;
    g_ptr_array_add(device->nets, added);
    if (net->address)
        g_hash_table_insert(self->addresses, g_strdup(net->name), g_strdup(net->address));
    if (fake_class_has_host_driver(device))
        show_net(self, device, added);
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_set_net_flags(LvpFakeHost *self, const char *name, guint flags)
{
    GHashTableIter iter;
    gpointer value;
    g_mutex_lock(&self->mutex);
    g_hash_table_iter_init(&iter, self->devices);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        FakeDevice *device = value;
        for (guint i = 0; i < device->nets->len; i++) {
            FakeNet *net = g_ptr_array_index(device->nets, i);
            if (strcmp(net->name, name) != 0)
                continue;
            net->flags = flags;
            if (fake_class_has_host_driver(device))
                write_net_state(self, device, net);
        }
    }
    g_mutex_unlock(&self->mutex);
}

static void
append_line(LvpFakeHost *self, const char *path, const char *line)
{
    g_autofree char *before = lvp_scratch_read(self->scratch, path);
    g_autofree char *after = g_strconcat(before ? before : "", line, NULL);
    lvp_scratch_write(self->scratch, path, after);
}

static void
mark_busy(LvpFakeHost *self, const FakeBlock *block)
{
    g_hash_table_add(self->busy, g_strdup(block->name));
    if (block->disk)
        g_hash_table_add(self->busy, g_strdup(block->disk));
}

void
lvp_fake_host_mount(LvpFakeHost *self, const char *name, const char *target)
{
    g_mutex_lock(&self->mutex);
    FakeDevice *device;
    const FakeBlock *block = get_block(self, name, &device);
    g_autofree char *line =
        g_strdup_printf("%u 22 %u:%u / %s rw,relatime shared:1 - ext4 /dev/%s rw\n",
                        self->next_number++, MAJOR_BLOCK, block->minor, target, name);
    append_line(self, "proc/self/mountinfo", line);
    mark_busy(self, block);
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_swap_on(LvpFakeHost *self, const char *name)
{
    g_mutex_lock(&self->mutex);
    FakeDevice *device;
    const FakeBlock *block = get_block(self, name, &device);
    g_autofree char *line = g_strdup_printf("/dev/%s  partition\t8388604\t0\t-2\n", name);
    append_line(self, "proc/swaps", line);
    mark_busy(self, block);
    g_mutex_unlock(&self->mutex);
}

/* Drops the lines of PATH that name the block device. */
static void
drop_lines(LvpFakeHost *self, const char *path, const char *name)
{
    g_autofree char *before = lvp_scratch_read(self->scratch, path);
    g_autofree char *node = g_strdup_printf("/dev/%s ", name);
    g_auto(GStrv) lines = g_strsplit(before, "\n", -1);
    g_autoptr(GString) after = g_string_new(NULL);
    for (guint i = 0; lines[i]; i++)
        if (lines[i][0] != '\0' && !strstr(lines[i], node))
            g_string_append_printf(after, "%s\n", lines[i]);
    lvp_scratch_write(self->scratch, path, after->str);
}

void
lvp_fake_host_let_go(LvpFakeHost *self, const char *name)
{
    g_mutex_lock(&self->mutex);
    FakeDevice *device;
    const FakeBlock *block = get_block(self, name, &device);
    drop_lines(self, "proc/self/mountinfo", name);
    drop_lines(self, "proc/swaps", name);
    g_hash_table_remove(self->busy, name);
    if (block->disk)
        g_hash_table_remove(self->busy, block->disk);
    g_mutex_unlock(&self->mutex);
}
