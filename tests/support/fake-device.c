/* SPDX-License-Identifier: Apache-2.0 */
/* PCI devices: their folders, and what binding and unbinding changes in the tree. */
#include "fake-kernel.h"

#include <errno.h>
#include <string.h>

#define BASE_CLASS_BRIDGE 0x06u
#define CLASS_VGA 0x0300u
#define DRIVER_THAT_TAKES_VFS_ALONG "igb" /* Linux 6.1, tried; nvme for one leaves them */

void
fake_device_free(gpointer data)
{
    FakeDevice *device = data;
    g_free(device->address);
    g_free(device->folder);
    g_free(device->host_driver);
    g_free(device->override);
    g_free(device->driver);
    g_free(device->releasing);
    g_free(device->stuck_for);
    g_free(device->pf);
    g_free(device->virtfn_link);
    g_ptr_array_unref(device->blocks);
    g_ptr_array_unref(device->nets);
    g_ptr_array_unref(device->consoles);
    g_ptr_array_unref(device->shown);
    g_free(device);
}

/* ---- drivers ---- */

static gboolean
is_vfio(const char *driver)
{
    return g_strcmp0(driver, FAKE_VFIO) == 0;
}

const char *
fake_device_get_wanted_driver(const FakeDevice *device)
{
    return device->override ? device->override : device->host_driver;
}

const char *
fake_device_find_group_opener(LvpFakeHost *self, const FakeDevice *device)
{
    g_autofree char *node = g_strdup_printf("vfio/%d", device->group);
    gpointer key = NULL;
    g_hash_table_lookup_extended(self->openers, node, &key, NULL);
    return key;
}

const char *
fake_device_find_holder(LvpFakeHost *self, const FakeDevice *device)
{
    return is_vfio(device->driver) ? fake_device_find_group_opener(self, device) : NULL;
}

void
fake_driver_load(LvpFakeHost *self, const char *driver)
{
    if (!g_hash_table_add(self->drivers, g_strdup(driver)))
        return;
    static const char *const FILES[] = {"bind", "unbind", "new_id", "remove_id"};
    for (guint i = 0; i < G_N_ELEMENTS(FILES); i++) {
        g_autofree char *path = g_strdup_printf(FAKE_DRIVERS "%s/%s", driver, FILES[i]);
        lvp_scratch_write(self->scratch, path, "");
    }
    if (is_vfio(driver))
        lvp_scratch_write(self->scratch, "dev/vfio/vfio", "");
}

void
fake_driver_unload(LvpFakeHost *self, const char *driver)
{
    g_autofree char *folder = g_strconcat(FAKE_DRIVERS, driver, NULL);
    g_hash_table_remove(self->drivers, driver);
    lvp_scratch_remove(self->scratch, folder);
    if (is_vfio(driver))
        lvp_scratch_remove(self->scratch, "dev/vfio");
}

static void
show_vfio(LvpFakeHost *self, const FakeDevice *device)
{
    g_autofree char *folder =
        g_strdup_printf("%s/vfio-dev/vfio%u", device->folder, self->next_number++);
    g_autofree char *node = g_strdup_printf("dev/vfio/%d", device->group);
    lvp_scratch_make_folder(self->scratch, folder);
    lvp_scratch_write(self->scratch, node, "");
}

static gboolean
has_member(LvpFakeHost *self, int group, gboolean only_vfio)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, self->devices);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const FakeDevice *device = value;
        gboolean vfio = is_vfio(device->driver) || is_vfio(device->releasing);
        if (device->group == group && (vfio || !only_vfio))
            return TRUE;
    }
    return FALSE;
}

static void
hide_vfio(LvpFakeHost *self, const FakeDevice *device)
{
    g_autofree char *folder = g_strconcat(device->folder, "/vfio-dev", NULL);
    g_autofree char *node = g_strdup_printf("dev/vfio/%d", device->group);
    lvp_scratch_remove(self->scratch, folder);
    if (!has_member(self, device->group, TRUE))
        lvp_scratch_remove(self->scratch, node);
}

int
fake_device_attach(LvpFakeHost *self, FakeDevice *device, const char *driver)
{
    gboolean is_bridge = device->class_code >> 16 == BASE_CLASS_BRIDGE;
    if (is_vfio(driver) && (device->group == 0 || is_bridge))
        return EINVAL;
    if (is_vfio(driver) && device->n_vfs > 0)
        return EBUSY;
    if (!is_vfio(driver) && fake_device_find_group_opener(self, device))
        return EINVAL;
    fake_driver_load(self, driver);
    device->driver = g_strdup(driver);
    g_autofree char *link = g_strconcat(device->folder, "/driver", NULL);
    g_autofree char *folder = g_strconcat(FAKE_DRIVERS, driver, NULL);
    g_autofree char *back = g_strdup_printf("%s/%s", folder, device->address);
    lvp_scratch_link(self->scratch, back, device->folder);
    lvp_scratch_link(self->scratch, link, folder);
    if (is_vfio(driver))
        show_vfio(self, device);
    else
        fake_class_show(self, device);
    return 0;
}

void
fake_device_start_unbind(LvpFakeHost *self, FakeDevice *device)
{
    g_autofree char *link = g_strconcat(device->folder, "/driver", NULL);
    g_autofree char *back = g_strdup_printf(FAKE_DRIVERS "%s/%s", device->driver, device->address);
    lvp_scratch_remove(self->scratch, link);
    lvp_scratch_remove(self->scratch, back);
    device->releasing = g_steal_pointer(&device->driver);
}

void
fake_device_finish_unbind(LvpFakeHost *self, FakeDevice *device)
{
    g_autofree char *driver = g_steal_pointer(&device->releasing);
    if (is_vfio(driver))
        hide_vfio(self, device);
    else
        fake_class_hide(self, device);
    if (strcmp(driver, DRIVER_THAT_TAKES_VFS_ALONG) == 0)
        fake_device_remove_vfs(self, device->address);
}

void
fake_device_detach(LvpFakeHost *self, FakeDevice *device)
{
    if (device->driver)
        fake_device_start_unbind(self, device);
    if (device->releasing)
        fake_device_finish_unbind(self, device);
}

int
fake_device_probe(LvpFakeHost *self, FakeDevice *device)
{
    const char *driver = fake_device_get_wanted_driver(device);
    if (device->stuck || device->driver || !driver || !g_hash_table_contains(self->drivers, driver))
        return 0;
    return fake_device_attach(self, device, driver);
}

void
fake_device_set_override(LvpFakeHost *self, FakeDevice *device, const char *override)
{
    g_free(device->override);
    device->override = g_strdup(override);
    g_autofree char *path = g_strconcat(device->folder, "/driver_override", NULL);
    g_autofree char *text = g_strconcat(override ? override : "(null)", "\n", NULL);
    lvp_scratch_write(self->scratch, path, text);
}

/* ---- devices ---- */

static void G_GNUC_PRINTF(4, 5) write_attribute(
    LvpFakeHost *self, const FakeDevice *device, const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *path = g_strdup_printf("%s/%s", device->folder, name);
    lvp_scratch_write(self->scratch, path, text);
}

static void
write_vfs(LvpFakeHost *self, const FakeDevice *pf)
{
    write_attribute(self, pf, "sriov_totalvfs", "%u\n", MAX(pf->max_vfs, pf->n_vfs));
    write_attribute(self, pf, "sriov_numvfs", "%u\n", pf->n_vfs);
}

static void
write_attributes(LvpFakeHost *self, const FakeDevice *device, const LvpFakePci *pci)
{
    write_attribute(self, device, "vendor", "0x%04x\n", pci->vendor);
    write_attribute(self, device, "device", "0x%04x\n", pci->device);
    write_attribute(self, device, "subsystem_vendor", "0x%04x\n", pci->subsystem_vendor);
    write_attribute(self, device, "subsystem_device", "0x%04x\n", pci->subsystem_device);
    write_attribute(self, device, "class", "0x%06x\n", pci->class_code);
    write_attribute(self, device, "revision", "0x%02x\n", pci->revision);
    write_attribute(self, device, "numa_node", "%d\n", pci->node);
    write_attribute(self, device, "driver_override", "(null)\n");
    if (pci->class_code >> 8 == CLASS_VGA)
        write_attribute(self, device, "boot_vga", "%d\n", pci->boot_vga ? 1 : 0);
    if (device->max_vfs > 0)
        write_vfs(self, device);
}

void
fake_device_set_reset(LvpFakeHost *self, FakeDevice *device, LvpFakeReset reset)
{
    device->reset = reset;
    g_autofree char *path = g_strconcat(device->folder, "/reset", NULL);
    if (reset == LVP_FAKE_RESET_MISSING)
        lvp_scratch_remove(self->scratch, path);
    else
        lvp_scratch_write(self->scratch, path, "");
}

/* The folder that the device's own stands in. */
static char *
find_folder_above(LvpFakeHost *self, const LvpFakePci *pci)
{
    if (pci->parent)
        return g_strdup(fake_host_get_device(self, pci->parent)->folder);
    if (pci->pf)
        return g_path_get_dirname(fake_host_get_device(self, pci->pf)->folder);
    const char *slot = strrchr(pci->address, ':');
    if (!slot)
        g_error("fake host: '%s' is no PCI address", pci->address);
    return g_strdup_printf("sys/devices/pci%.*s", (int)(slot - pci->address), pci->address);
}

static void
link_to_pf(LvpFakeHost *self, FakeDevice *device, const char *pf_address)
{
    FakeDevice *pf = fake_host_get_device(self, pf_address);
    g_autofree char *up = g_strconcat(device->folder, "/physfn", NULL);
    lvp_scratch_link(self->scratch, up, pf->folder);
    for (guint i = 0; !device->virtfn_link; i++) {
        g_autofree char *down = g_strdup_printf("%s/virtfn%u", pf->folder, i);
        if (lvp_scratch_exists(self->scratch, down))
            continue;
        lvp_scratch_link(self->scratch, down, device->folder);
        device->virtfn_link = g_steal_pointer(&down);
    }
    device->pf = g_strdup(pf_address);
    pf->n_vfs++;
    write_vfs(self, pf);
}

static void
link_device(LvpFakeHost *self, const FakeDevice *device)
{
    g_autofree char *link = g_strconcat(FAKE_DEVICES, device->address, NULL);
    lvp_scratch_link(self->scratch, link, device->folder);
    if (device->group == 0)
        return;
    g_autofree char *group = g_strdup_printf(FAKE_GROUPS "%d", device->group);
    g_autofree char *group_link = g_strconcat(device->folder, "/iommu_group", NULL);
    g_autofree char *member = g_strdup_printf("%s/devices/%s", group, device->address);
    lvp_scratch_link(self->scratch, group_link, group);
    lvp_scratch_link(self->scratch, member, device->folder);
}

void
fake_device_add(LvpFakeHost *self, const LvpFakePci *pci)
{
    if (g_hash_table_contains(self->devices, pci->address))
        g_error("fake host: there is a device at %s already", pci->address);
    g_autofree char *above = find_folder_above(self, pci);
    FakeDevice *device = g_new0(FakeDevice, 1);
    device->address = g_strdup(pci->address);
    device->folder = g_strdup_printf("%s/%s", above, pci->address);
    device->class_code = pci->class_code;
    device->group = pci->group;
    device->host_driver = g_strdup(pci->driver);
    device->max_vfs = pci->max_vfs;
    device->blocks = g_ptr_array_new_with_free_func(fake_class_free_block);
    device->nets = g_ptr_array_new_with_free_func(fake_class_free_net);
    device->consoles = g_ptr_array_new_with_free_func(fake_console_free);
    device->shown = g_ptr_array_new_with_free_func(g_free);
    g_hash_table_insert(self->devices, device->address, device);
    write_attributes(self, device, pci);
    fake_device_set_reset(self, device, pci->reset);
    link_device(self, device);
    if (pci->pf)
        link_to_pf(self, device, pci->pf);
    if (pci->driver)
        fake_device_attach(self, device, pci->driver);
}

static void
unlink_from_pf(LvpFakeHost *self, const FakeDevice *device)
{
    FakeDevice *pf = g_hash_table_lookup(self->devices, device->pf);
    lvp_scratch_remove(self->scratch, device->virtfn_link);
    if (!pf)
        return;
    pf->n_vfs--;
    write_vfs(self, pf);
}

void
fake_device_remove_vfs(LvpFakeHost *self, const char *pf)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, self->devices);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        FakeDevice *device = value;
        if (device->pf && (!pf || strcmp(device->pf, pf) == 0))
            g_ptr_array_add(found, device);
    }
    for (guint i = 0; i < found->len; i++)
        fake_kernel_pull(self, g_ptr_array_index(found, i));
}

void
fake_device_remove(LvpFakeHost *self, FakeDevice *device)
{
    fake_device_detach(self, device);
    g_autofree char *link = g_strconcat(FAKE_DEVICES, device->address, NULL);
    g_autofree char *group = g_strdup_printf(FAKE_GROUPS "%d", device->group);
    g_autofree char *member = g_strdup_printf("%s/devices/%s", group, device->address);
    lvp_scratch_remove(self->scratch, link);
    lvp_scratch_remove(self->scratch, member);
    if (device->pf)
        unlink_from_pf(self, device);
    lvp_scratch_remove(self->scratch, device->folder);
    int number = device->group;
    g_hash_table_remove(self->devices, device->address);
    if (!has_member(self, number, FALSE))
        lvp_scratch_remove(self->scratch, group);
}
