/* SPDX-License-Identifier: Apache-2.0 */
#include "plain-discovery.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEVICES "bus/pci/devices/"

typedef struct {
    const char *root;
    int sys, proc;
    guint n_read;
} Plain;

typedef void (*Visit)(Plain *plain, const char *folder, const char *name);

static ssize_t
read_file(Plain *plain, int tree, const char *path, char *buffer, gsize size)
{
    int fd = openat(tree, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t length = read(fd, buffer, size);
    close(fd);
    plain->n_read++;
    return length;
}

static void
make_path(char path[256], const char *folder, const char *name, const char *attribute)
{
    char *end = stpcpy(stpcpy(path, folder), name);
    *end++ = '/';
    stpcpy(end, attribute);
}

static char
read_attribute(Plain *plain, const char *folder, const char *name, const char *attribute)
{
    char path[256], value[128] = "";
    make_path(path, folder, name, attribute);
    read_file(plain, plain->sys, path, value, sizeof value);
    return value[0];
}

/* The last part of a link's target, in TARGET; "" without a link. */
static const char *
read_link(Plain *plain, const char *folder, const char *name, const char *attribute, char *target)
{
    char path[256];
    make_path(path, folder, name, attribute);
    ssize_t length = readlinkat(plain->sys, path, target, 511);
    target[MAX(length, 0)] = '\0';
    const char *slash = strrchr(target, '/');
    return slash ? slash + 1 : target;
}

static void
list(Plain *plain, int tree, const char *path, Visit visit)
{
    int fd = openat(tree, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.' && visit)
            visit(plain, path, entry->d_name);
    closedir(folder);
}

/* ---- what the host uses ---- */

static void
visit_link(Plain *plain, const char *folder, const char *name)
{
    char path[256], target[512];
    stpcpy(stpcpy(path, folder), name);
    if (readlinkat(plain->sys, path, target, sizeof target) > 0)
        plain->n_read++;
}

static void
visit_input(Plain *plain, const char *folder, const char *name)
{
    visit_link(plain, folder, name);
    read_attribute(plain, folder, name, "capabilities/key");
}

static void
visit_open_file(Plain *plain, const char *folder, const char *name)
{
    char path[256], target[512];
    stpcpy(stpcpy(path, folder), name);
    if (readlinkat(plain->proc, path, target, sizeof target) > 0)
        plain->n_read++;
}

static void
visit_process(Plain *plain, const char *folder, const char *name)
{
    char path[256];
    make_path(path, folder, name, "fd/");
    if (name[0] >= '0' && name[0] <= '9')
        list(plain, plain->proc, path, visit_open_file);
}

static void
read_host(Plain *plain)
{
    static const char *const FILES[] = {"self/mountinfo", "swaps"};
    char text[4096];
    list(plain, plain->sys, "class/block/", visit_link);
    list(plain, plain->sys, "class/net/", visit_link);
    list(plain, plain->sys, "class/drm/", visit_link);
    list(plain, plain->sys, "class/input/", visit_input);
    list(plain, plain->proc, "./", visit_process);
    for (guint i = 0; i < G_N_ELEMENTS(FILES); i++) {
        int fd = openat(plain->proc, FILES[i], O_RDONLY | O_CLOEXEC);
        while (read(fd, text, sizeof text) > 0)
            ;
        close(fd);
    }
}

static void
visit_interface(Plain *plain, const char *folder, const char *name)
{
    char target[512];
    read_link(plain, folder, name, "master", target);
    read_attribute(plain, folder, name, "flags");
}

static void
visit_block(Plain *plain, const char *folder, const char *name)
{
    char path[256];
    if (strncmp(name, "nvme", 4) != 0)
        return;
    read_attribute(plain, folder, name, "dev");
    make_path(path, folder, name, "holders");
    list(plain, plain->sys, path, NULL);
    snprintf(path, sizeof path, "%s/dev/%s", plain->root, name);
    int fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC); /* the source: in a child */
    if (fd >= 0)
        close(fd);
}

/* ---- the functions ---- */

static void
visit_neighbour(Plain *plain, const char *folder, const char *name)
{
    (void)folder;
    (void)name;
    plain->n_read++;
}

static void
visit_function(Plain *plain, const char *folder, const char *name)
{
    static const char *const IDS[] = {"device", "subsystem_vendor", "subsystem_device", "revision"};
    char path[256], vendor[16] = "", class_code[16] = "", driver[512], group[512];
    make_path(path, folder, name, "vendor");
    read_file(plain, plain->sys, path, vendor, sizeof vendor);
    if (strncmp(vendor, "0x1022", 6) == 0)
        return;
    make_path(path, folder, name, "class");
    read_file(plain, plain->sys, path, class_code, sizeof class_code);
    for (guint i = 0; i < G_N_ELEMENTS(IDS); i++)
        read_attribute(plain, folder, name, IDS[i]);
    read_attribute(plain, folder, name, "numa_node");
    gboolean bound = read_link(plain, folder, name, "driver", driver)[0] != '\0';
    const char *number = read_link(plain, folder, name, "iommu_group", group);
    snprintf(path, sizeof path, "%s/run/libvirt-provider/locks/%s", plain->root, name);
    int lock = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (lock >= 0)
        close(lock);
    make_path(path, folder, name, "vfio-dev");
    if (!bound)
        faccessat(plain->sys, path, F_OK, AT_SYMLINK_NOFOLLOW);
    if (strncmp(class_code, "0x03", 4) == 0)
        read_attribute(plain, folder, name, "boot_vga");
    guint before = plain->n_read;
    make_path(path, "kernel/iommu_groups/", number, "devices");
    list(plain, plain->sys, path, visit_neighbour);
    for (guint i = before + 1; i < plain->n_read; i++)
        read_link(plain, folder, name, "driver", driver); /* of each neighbour */
}

guint
lvp_plain_discovery(const char *root)
{
    char path[256];
    Plain plain = {.root = root};
    snprintf(path, sizeof path, "%s/sys", root);
    plain.sys = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof path, "%s/proc", root);
    plain.proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    list(&plain, plain.sys, DEVICES, visit_function);
    read_host(&plain);
    list(&plain, plain.sys, "class/net/", visit_interface);
    list(&plain, plain.sys, "class/block/", visit_block);
    close(plain.sys);
    close(plain.proc);
    return plain.n_read;
}
