/* SPDX-License-Identifier: Apache-2.0 */
/* How the kernel answers. A write is looked up (which file, which device); then a fault, a held
 * device lock or a holder of the device may stand in its way; only then it takes effect. What hangs
 * is kept with a duplicate of its lock file, like the helper process that a real kernel does not
 * let go. */
#include "fake-kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define OVERRIDE_MAX 4094 /* a page without the line end and the NUL */

typedef struct {
    FakeFaultKind kind;
    guint at; /* number of the write, from 1 */
    int code;
} FakeFault;

typedef enum { LATE_WRITE, LATE_UNBIND, LATE_REMOVE } LateKind;

typedef struct {
    LateKind kind;
    char *address; /* NULL: of no device */
    char *path, *text;
    char *opener; /* what it waits for; NULL: finish_hung() */
    int lock_fd;  /* -1: none */
} FakeLate;

typedef enum { TO_OVERRIDE, TO_BIND, TO_UNBIND, TO_PROBE, TO_RESET, TO_FILE } Target;

typedef struct {
    Target target;
    const char *path, *text;
    FakeDevice *device; /* NULL: no such device, or none is meant */
    char *driver;       /* of BIND and UNBIND */
} Write;

static void
clear_write(Write *write)
{
    g_free(write->driver);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Write, clear_write)

/* ---- which file, which device ---- */

static FakeDevice *
find_named(LvpFakeHost *self, const char *text)
{
    g_autofree char *address = g_strdup(text);
    return g_hash_table_lookup(self->devices, g_strchomp(address));
}

/* A write to bind or unbind in FOLDER: a driver's own, or the driver link of a device. */
static int
look_up_driver(LvpFakeHost *self, const char *folder, Write *write)
{
    g_autofree char *name = g_path_get_basename(folder);
    if (strcmp(name, "driver") == 0) {
        g_autofree char *above = g_path_get_dirname(folder);
        g_autofree char *address = g_path_get_basename(above);
        const FakeDevice *owner = g_hash_table_lookup(self->devices, address);
        write->driver = g_strdup(owner ? owner->driver : NULL);
    } else if (g_hash_table_contains(self->drivers, name)) {
        write->driver = g_steal_pointer(&name);
    }
    write->device = find_named(self, write->text);
    return write->driver ? 0 : ENOENT;
}

/* 0, or ENOENT where there is no such file. */
static int
look_up(LvpFakeHost *self, Write *write)
{
    g_autofree char *attribute = g_path_get_basename(write->path);
    g_autofree char *folder = g_path_get_dirname(write->path);
    if (strcmp(attribute, "drivers_probe") == 0) {
        write->target = TO_PROBE;
        write->device = find_named(self, write->text);
        return 0;
    }
    if (strcmp(attribute, "bind") == 0 || strcmp(attribute, "unbind") == 0) {
        write->target = attribute[0] == 'b' ? TO_BIND : TO_UNBIND;
        return look_up_driver(self, folder, write);
    }
    g_autofree char *address = g_path_get_basename(folder);
    g_autofree char *path = g_strconcat("sys/", write->path, NULL);
    write->target = strcmp(attribute, "driver_override") == 0 ? TO_OVERRIDE
                    : strcmp(attribute, "reset") == 0         ? TO_RESET
                                                              : TO_FILE;
    write->device = g_hash_table_lookup(self->devices, address);
    return lvp_scratch_exists(self->scratch, path) ? 0 : ENOENT;
}

/* ---- the effect ---- */

static int
apply_override(LvpFakeHost *self, const Write *write)
{
    gsize length = strcspn(write->text, "\n");
    if (length > OVERRIDE_MAX)
        return EINVAL;
    g_autofree char *override = g_strndup(write->text, length);
    if (write->text[0] != '\0')
        fake_device_set_override(self, write->device, length > 0 ? override : NULL);
    return 0;
}

static int
apply_bind(LvpFakeHost *self, const Write *write)
{
    FakeDevice *device = write->device;
    if (!device || g_strcmp0(fake_device_get_wanted_driver(device), write->driver) != 0)
        return ENODEV;
    return device->driver ? EBUSY : fake_device_attach(self, device, write->driver);
}

static gboolean
is_effective_unbind(const Write *write)
{
    return write->target == TO_UNBIND && write->device &&
           g_strcmp0(write->device->driver, write->driver) == 0;
}

static int
apply_unbind(LvpFakeHost *self, const Write *write)
{
    if (!is_effective_unbind(write))
        return ENODEV;
    fake_device_detach(self, write->device);
    return 0;
}

static int
apply_probe(LvpFakeHost *self, const Write *write)
{
    if (!write->device)
        return ENODEV;
    int code = fake_device_probe(self, write->device);
    /* That a probe failed is not said here; that a user owns the group is. */
    return fake_device_find_group_opener(self, write->device) ? code : 0;
}

static int
apply_reset(const Write *write)
{
    if (strcmp(write->text, "1") != 0)
        return EINVAL;
    switch (write->device->reset) {
    case LVP_FAKE_RESET_NO_METHOD:
        return ENOTTY;
    case LVP_FAKE_RESET_FAILS:
        return EIO;
    case LVP_FAKE_RESET_WORKS:
    case LVP_FAKE_RESET_HANGS: /* it has come to an end */
    case LVP_FAKE_RESET_MISSING:
        break;
    }
    write->device->n_resets++;
    return 0;
}

static int
apply_to_file(LvpFakeHost *self, const Write *write)
{
    g_autofree char *path = g_strconcat("sys/", write->path, NULL);
    lvp_scratch_write(self->scratch, path, write->text);
    return 0;
}

static int
apply(LvpFakeHost *self, const Write *write)
{
    switch (write->target) {
    case TO_OVERRIDE:
        return apply_override(self, write);
    case TO_BIND:
        return apply_bind(self, write);
    case TO_UNBIND:
        return apply_unbind(self, write);
    case TO_PROBE:
        return apply_probe(self, write);
    case TO_RESET:
        return apply_reset(write);
    case TO_FILE:
        return apply_to_file(self, write);
    }
    return EINVAL;
}

/* ---- what hangs ---- */

static void
clear_late(gpointer data)
{
    FakeLate *late = data;
    g_free(late->address);
    g_free(late->path);
    g_free(late->text);
    g_free(late->opener);
    if (late->lock_fd >= 0)
        close(late->lock_fd);
}

static void
postpone(LvpFakeHost *self, FakeDevice *device, const char *opener, FakeLate late)
{
    late.opener = g_strdup(opener);
    if (device) {
        late.address = g_strdup(device->address);
        g_free(device->stuck_for);
        device->stuck_for = g_strdup(opener);
        device->stuck = TRUE;
    }
    g_array_append_val(self->late, late);
}

static int
hang(LvpFakeHost *self, const Write *write, const char *opener, int lock_fd)
{
    FakeLate late = {.kind = LATE_WRITE,
                     .path = g_strdup(write->path),
                     .text = g_strdup(write->text),
                     .lock_fd = fcntl(lock_fd, F_DUPFD_CLOEXEC, 0)};
    if (is_effective_unbind(write)) {
        fake_device_start_unbind(self, write->device);
        late.kind = LATE_UNBIND;
    }
    postpone(self, write->device, opener, late);
    return ETIMEDOUT;
}

void
fake_kernel_pull(LvpFakeHost *self, FakeDevice *device)
{
    g_autofree char *opener =
        g_strdup(device->stuck ? device->stuck_for : fake_device_find_holder(self, device));
    if (!device->stuck && !opener) {
        fake_device_remove(self, device);
        return;
    }
    if (device->driver)
        fake_device_start_unbind(self, device);
    postpone(self, device, opener, (FakeLate){.kind = LATE_REMOVE, .lock_fd = -1});
}

static void
run_late(LvpFakeHost *self, const FakeLate *late)
{
    FakeDevice *device = late->address ? g_hash_table_lookup(self->devices, late->address) : NULL;
    if (device)
        device->stuck = FALSE;
    if (late->kind == LATE_WRITE) {
        g_auto(Write) write = {.path = late->path, .text = late->text};
        if (look_up(self, &write) == 0)
            apply(self, &write);
    } else if (device && late->kind == LATE_UNBIND) {
        fake_device_detach(self, device);
    } else if (device) {
        fake_device_remove(self, device);
    }
}

void
fake_kernel_run_late(LvpFakeHost *self, const char *opener)
{
    for (guint i = 0; i < self->late->len;) {
        const FakeLate *late = &g_array_index(self->late, FakeLate, i);
        if (g_strcmp0(late->opener, opener) != 0) {
            i++;
            continue;
        }
        run_late(self, late);
        g_array_remove_index(self->late, i);
    }
}

void
fake_kernel_stop(LvpFakeHost *self)
{
    for (guint i = 0; i < self->late->len; i++)
        run_late(self, &g_array_index(self->late, FakeLate, i));
    g_array_set_size(self->late, 0);
    g_array_set_size(self->faults, 0);
}

/* ---- one write ---- */

static const FakeFault *
find_fault(LvpFakeHost *self)
{
    for (guint i = 0; i < self->faults->len; i++) {
        const FakeFault *fault = &g_array_index(self->faults, FakeFault, i);
        if (fault->at == self->writes->len)
            return fault;
    }
    return NULL;
}

static int
carry_out(LvpFakeHost *self, const char *path, const char *text, int lock_fd, gboolean hangs)
{
    g_auto(Write) write = {.path = path, .text = text};
    int code = look_up(self, &write);
    if (code != 0)
        return code;
    if (write.device && write.device->stuck) {
        g_autofree char *opener = g_strdup(write.device->stuck_for);
        return hang(self, &write, opener, lock_fd);
    }
    const char *holder =
        is_effective_unbind(&write) ? fake_device_find_holder(self, write.device) : NULL;
    hangs = hangs || (write.target == TO_RESET && write.device->reset == LVP_FAKE_RESET_HANGS);
    if (hangs || holder)
        return hang(self, &write, hangs ? NULL : holder, lock_fd);
    return apply(self, &write);
}

static int
answer_write(LvpFakeHost *self, const char *path, const char *text, int lock_fd)
{
    const FakeFault *fault = find_fault(self);
    if (self->crashed)
        return EIO;
    if (fault && (fault->kind == FAKE_FAIL || fault->kind == FAKE_LIE))
        return fault->code;
    int code = carry_out(self, path, text, lock_fd, fault && fault->kind == FAKE_HANG);
    if (!fault || fault->kind != FAKE_CRASH)
        return code;
    self->crashed = TRUE;
    return fault->code;
}

/* ---- the effects ---- */

static int
kernel_write(gpointer data, const char *path, const char *text, int lock_fd)
{
    LvpFakeHost *self = data;
    g_autofree char *shown = g_strescape(text, NULL);
    g_mutex_lock(&self->mutex);
    g_ptr_array_add(self->writes, g_strdup_printf("%s=%s", path, shown));
    int code = answer_write(self, path, text, lock_fd);
    g_mutex_unlock(&self->mutex);
    return code;
}

static int
kernel_read_guarded(gpointer data, const char *path, char *buffer, gsize size)
{
    LvpFakeHost *self = data;
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *address = g_path_get_basename(folder);
    g_autofree char *full = g_strconcat("sys/", path, NULL);
    g_mutex_lock(&self->mutex);
    const FakeDevice *device = g_hash_table_lookup(self->devices, address);
    g_autofree char *text = lvp_scratch_read(self->scratch, full);
    int code = self->crashed ? EIO : device && device->stuck ? ETIMEDOUT : text ? 0 : ENOENT;
    g_mutex_unlock(&self->mutex);
    g_strlcpy(buffer, code == 0 ? text : "", size);
    return code;
}

static int
kernel_load_module(gpointer data, const char *module)
{
    LvpFakeHost *self = data;
    g_autofree char *driver = g_strdelimit(g_strdup(module), "_", '-');
    g_mutex_lock(&self->mutex);
    int code = self->crashed ? EIO : self->module_error;
    if (code == 0) {
        fake_driver_load(self, driver);
        GHashTableIter iter;
        gpointer device;
        g_hash_table_iter_init(&iter, self->devices);
        while (g_hash_table_iter_next(&iter, NULL, &device))
            if (g_strcmp0(fake_device_get_wanted_driver(device), driver) == 0)
                fake_device_probe(self, device);
    }
    g_mutex_unlock(&self->mutex);
    return code;
}

static int
kernel_open_exclusive(gpointer data, const char *name)
{
    LvpFakeHost *self = data;
    g_autofree char *node = g_strconcat("dev/", name, NULL);
    g_mutex_lock(&self->mutex);
    gboolean exists = lvp_scratch_exists(self->scratch, node);
    gboolean busy = g_hash_table_contains(self->busy, name);
    g_mutex_unlock(&self->mutex);
    return !exists ? ENOENT : busy ? EBUSY : 0;
}

static char *
kernel_find_opener(gpointer data, const char *path)
{
    LvpFakeHost *self = data;
    g_mutex_lock(&self->mutex);
    char *text = g_strdup(g_hash_table_lookup(self->openers, path));
    g_mutex_unlock(&self->mutex);
    return text;
}

static char *
kernel_find_interface_address(gpointer data, const char *name)
{
    LvpFakeHost *self = data;
    g_mutex_lock(&self->mutex);
    char *text = g_strdup(g_hash_table_lookup(self->addresses, name));
    g_mutex_unlock(&self->mutex);
    return text;
}

const LvpHostEffects FAKE_KERNEL_EFFECTS = {
    .write = kernel_write,
    .read_guarded = kernel_read_guarded,
    .load_module = kernel_load_module,
    .open_exclusive = kernel_open_exclusive,
    .find_opener = kernel_find_opener,
    .find_interface_address = kernel_find_interface_address,
};

/* ---- faults and state ---- */

void
fake_kernel_add_fault(LvpFakeHost *self, guint n, FakeFaultKind kind, int code)
{
    FakeFault fault = {kind, self->writes->len + n, code};
    g_array_append_val(self->faults, fault);
}

void
fake_kernel_init(LvpFakeHost *self)
{
    self->writes = g_ptr_array_new_with_free_func(g_free);
    self->faults = g_array_new(FALSE, FALSE, sizeof(FakeFault));
    self->late = g_array_new(FALSE, FALSE, sizeof(FakeLate));
    g_array_set_clear_func(self->late, clear_late);
}

void
fake_kernel_clear(LvpFakeHost *self)
{
    g_ptr_array_unref(self->writes);
    g_array_unref(self->faults);
    g_array_unref(self->late);
}
