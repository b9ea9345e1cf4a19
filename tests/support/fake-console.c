/* SPDX-License-Identifier: Apache-2.0 */
/* What a person sits at: DRM nodes of a graphics card, input devices. */
#include "fake-kernel.h"

/* What QEMU's USB keyboard has. */
#define KEYBOARD_KEYS "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"

void
fake_console_free(gpointer data)
{
    FakeConsole *console = data;
    g_free(console->name);
    g_free(console->folder);
    g_free(console->title);
    g_free(console->keys);
    g_free(console);
}

static void
write_line(LvpFakeHost *self, const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_strdup_printf("%s/%s", folder, name);
    g_autofree char *line = g_strconcat(text, "\n", NULL);
    lvp_scratch_write(self->scratch, path, line);
}

/* DEVICE NULL: it stands below no PCI device. */
static void
show_console(LvpFakeHost *self, FakeDevice *device, const FakeConsole *console)
{
    fake_class_link(self, device, console->class_name, console->name, console->folder);
    if (console->keys) {
        write_line(self, console->folder, "name", console->title);
        write_line(self, console->folder, "capabilities/key", console->keys);
    }
}

void
fake_console_show(LvpFakeHost *self, FakeDevice *device)
{
    for (guint i = 0; i < device->consoles->len; i++)
        show_console(self, device, g_ptr_array_index(device->consoles, i));
}

/* Takes over CONSOLE. */
static void
add_console(LvpFakeHost *self, FakeDevice *device, FakeConsole *console)
{
    if (!device || fake_class_has_host_driver(device))
        show_console(self, device, console);
    if (device)
        g_ptr_array_add(device->consoles, console);
    else
        fake_console_free(console);
}

void
lvp_fake_host_add_drm(LvpFakeHost *self, const char *pci, const char *name)
{
    g_mutex_lock(&self->mutex);
    FakeDevice *device = fake_host_get_device(self, pci);
    FakeConsole *console = g_new0(FakeConsole, 1);
    console->class_name = "drm";
    console->name = g_strdup(name);
    console->folder = g_strdup_printf("%s/drm/%s", device->folder, name);
    add_console(self, device, console);
    g_mutex_unlock(&self->mutex);
}

void
lvp_fake_host_add_input(LvpFakeHost *self, const LvpFakeInput *input)
{
    g_mutex_lock(&self->mutex);
    FakeDevice *device = input->pci ? fake_host_get_device(self, input->pci) : NULL;
    FakeConsole *console = g_new0(FakeConsole, 1);
    console->class_name = "input";
    console->name = g_strdup(input->name);
    console->title = g_strdup(input->title);
    console->keys = g_strdup(input->keys ? input->keys : KEYBOARD_KEYS);
    if (device)
        console->folder = g_strdup_printf("%s/usb1/1-1/1-1:1.0/0003:0627:0001.0001/input/%s",
                                          device->folder, input->name);
    else
        console->folder = g_strdup_printf("sys/devices/%s/%s", input->folder, input->name);
    add_console(self, device, console);
    g_mutex_unlock(&self->mutex);
}
