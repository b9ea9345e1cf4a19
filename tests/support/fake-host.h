/* SPDX-License-Identifier: Apache-2.0 */
/* A host for tests: real files and links laid out as the kernel does, below a temporary root, and a
 * model of the kernel that answers what is written there: driver_override, bind, unbind,
 * drivers_probe and modprobe as of Linux 6.1, with devices that hang, lie, fail and vanish.
 *
 * All functions may be called from any thread. Addresses are PCI addresses ("0000:3b:00.0"); what
 * does not exist ends the process. What a real host would have there and no source looks at is left
 * out. */
#pragma once

#include <libvirt-provider/host.h>

G_BEGIN_DECLS

typedef struct LvpFakeHost LvpFakeHost;

/* One node (0) with the CPUs 0-7 and 16 GiB, a root file system, no swap, no devices; vfio-pci not
 * loaded. */
LvpFakeHost *lvp_fake_host_new(void);
/* Accepts NULL. Hosts made by lvp_fake_host_new_host() go first. */
void lvp_fake_host_free(LvpFakeHost *self);

/* Borrowed. */
LvpHost *lvp_fake_host_get_host(LvpFakeHost *self);
/* One more on the same tree and kernel, such as of a provider that was started again;
 * lvp_host_free(). */
LvpHost *lvp_fake_host_new_host(LvpFakeHost *self);
/* What stands for "/", to be given as --host-root; borrowed. */
const char *lvp_fake_host_get_root(const LvpFakeHost *self);

/* ---- what there is ---- */

/* What a write to the attribute reset of a device does. As in the kernel, it does so also while
 * somebody has the device open. */
typedef enum {
    LVP_FAKE_RESET_MISSING,   /* there is no such attribute */
    LVP_FAKE_RESET_WORKS,     /* see lvp_fake_host_count_resets() */
    LVP_FAKE_RESET_NO_METHOD, /* ENOTTY: what is listed does not work */
    LVP_FAKE_RESET_FAILS,     /* EIO */
    LVP_FAKE_RESET_HANGS,     /* as lvp_fake_host_hang_at() */
} LvpFakeReset;

typedef struct {
    const char *address;
    guint vendor, device;
    guint subsystem_vendor, subsystem_device;
    guint revision;
    guint class_code; /* 24 bits, such as 0x030200 */
    const char
        *driver; /* of the host: claims the device unless an override says another; NULL: none */
    int group;   /* IOMMU group; 0: none, as with the IOMMU off */
    int node;    /* -1: none */
    const char *parent; /* address of the bridge above; NULL: on a root bus of its own */
    const char *pf;     /* of a VF: the address of its physical function, beside which it stands */
    guint max_vfs;      /* of a PF: sriov_totalvfs; 0: it has no SR-IOV before the first VF */
    LvpFakeReset reset;
    gboolean boot_vga;
} LvpFakePci;

/* Plugs a device in; its host driver binds by itself. The VFs of a PF count in its sriov_numvfs,
 * and go when igb is unbound from it. */
void lvp_fake_host_add_pci(LvpFakeHost *self, const LvpFakePci *pci);
/* Takes it out. One that somebody holds (see set_opener) loses its driver link at once and goes
 * when it is let go. */
void lvp_fake_host_pull(LvpFakeHost *self, const char *address);
/* Pulls what stands at the address of PCI, which nobody may hold, and plugs PCI in. */
void lvp_fake_host_replace(LvpFakeHost *self, const LvpFakePci *pci);

typedef struct {
    const char *name;   /* "nvme0n1", "sda" */
    const char *pci;    /* of a disk: the device behind it */
    const char *disk;   /* of a partition: the name of its disk */
    const char *holder; /* what is stacked on it, such as "dm-0"; may be NULL */
    gboolean multipath; /* of an NVMe disk: it hangs below devices/virtual/nvme-subsystem */
} LvpFakeBlock;

/* There as long as the host driver of the PCI device is bound. */
void lvp_fake_host_add_block(LvpFakeHost *self, const LvpFakeBlock *block);

typedef struct {
    const char *name; /* "dm-0", "md127" */
    const char *on;   /* what it is made of: a disk, a partition, or one like this */
    const char *dm_name, *dm_uuid, *md_level; /* NULL: there is no such attribute */
} LvpFakeStacked;

/* Stays, whatever becomes of what it is made of. Again with another ON: is made of that, too. */
void lvp_fake_host_stack(LvpFakeHost *self, const LvpFakeStacked *stacked);
/* It is made of ON no more, and gone. */
void lvp_fake_host_unstack(LvpFakeHost *self, const char *name, const char *on);
/* Mounts a block device, or uses it as swap, so that it is busy for everyone else. */
void lvp_fake_host_mount(LvpFakeHost *self, const char *block, const char *target);
void lvp_fake_host_swap_on(LvpFakeHost *self, const char *block);
/* Ends what the two before have begun. */
void lvp_fake_host_let_go(LvpFakeHost *self, const char *block);
/* Whether an exclusive open of /dev/BLOCK says EBUSY. */
void lvp_fake_host_set_busy(LvpFakeHost *self, const char *block, gboolean busy);

typedef struct {
    const char *name;
    const char *pci;
    guint flags;         /* IFF_UP is 1; 0: 0x1003, up */
    const char *master;  /* a bridge or bond, made where it is missing; may be NULL */
    const char *address; /* answer to lvp_host_find_interface_address(); may be NULL */
} LvpFakeNet;

/* There as long as the host driver of the PCI device is bound. */
void lvp_fake_host_add_net(LvpFakeHost *self, const LvpFakeNet *net);

/* Changes the flags of one. */
void lvp_fake_host_set_net_flags(LvpFakeHost *self, const char *name, guint flags);

/* A DRM node such as "card0" or "renderD128". There as long as the host driver of the PCI device is
 * bound. For who has it open see lvp_fake_host_set_opener(): "dri/card0". */
void lvp_fake_host_add_drm(LvpFakeHost *self, const char *pci, const char *name);

typedef struct {
    const char *name;   /* "input3" */
    const char *pci;    /* of a USB device: its controller */
    const char *folder; /* of another one: where it stands, below sys/devices */
    const char *title;  /* what it calls itself */
    const char *keys;   /* which keys it has, as the kernel writes it; NULL: those of a keyboard */
} LvpFakeInput;

/* Below a PCI device: there as long as its host driver is bound. */
void lvp_fake_host_add_input(LvpFakeHost *self, const LvpFakeInput *input);

/* Adds a NUMA node, or changes it. CPUS is a list such as "0-3,8". */
void lvp_fake_host_set_node(LvpFakeHost *self, int node, const char *cpus, guint64 memory_bytes);

/* Any other file, such as "proc/swaps"; TEXT NULL removes it. */
void lvp_fake_host_set_file(LvpFakeHost *self, const char *path, const char *text);
/* A FIFO in its place: who reads it waits for ever. */
void lvp_fake_host_make_fifo(LvpFakeHost *self, const char *path);

/* ---- what happens on it besides us ---- */

/* Who has PATH below /dev open, such as "vfio/15"; TEXT as lvp_host_find_opener() gives it, NULL:
 * nobody. While somebody has a group open, taking a device of it from vfio-pci hangs, and no host
 * driver can be bound to one; what hung for that reason completes when nobody has it open any more.
 */
void lvp_fake_host_set_opener(LvpFakeHost *self, const char *path, const char *text);
void lvp_fake_host_set_reset(LvpFakeHost *self, const char *address, LvpFakeReset reset);
/* Binds another driver, or none with NULL, as an administrator could. */
void lvp_fake_host_set_driver(LvpFakeHost *self, const char *address, const char *driver);
/* Writes driver_override; NULL clears it. */
void lvp_fake_host_set_override(LvpFakeHost *self, const char *address, const char *override);
/* rmmod vfio-pci: unbinds what is idle. FALSE where somebody holds a device of it. */
gboolean lvp_fake_host_unload_vfio(LvpFakeHost *self);
/* Another boot id; overrides, openers, hung writes, locks, VFs and the module are gone, host
 * drivers bound. Hosts of before are to be freed. */
void lvp_fake_host_reboot(LvpFakeHost *self);

/* ---- what goes wrong ---- */

/* The N-th write from now (1: the next) fails with CODE and has no effect. */
void lvp_fake_host_fail_write(LvpFakeHost *self, guint n, int code);
/* It says success and has no effect. */
void lvp_fake_host_lie_at(LvpFakeHost *self, guint n);
/* It takes effect and says EIO, and so says all that follows, but without effect: the provider was
 * killed right after it. */
void lvp_fake_host_crash_at(LvpFakeHost *self, guint n);
/* The provider was started again after a crash. */
void lvp_fake_host_restart(LvpFakeHost *self);
/* It does not return (LVP_ERROR_TIMED_OUT) and keeps its lock; an unbind has the driver link gone.
 * All that follows for the same device hangs too. */
void lvp_fake_host_hang_at(LvpFakeHost *self, guint n);
/* What hung by lvp_fake_host_hang_at() takes effect now. */
void lvp_fake_host_finish_hung(LvpFakeHost *self);
/* Loading a module fails with CODE; 0: it works. */
void lvp_fake_host_fail_module(LvpFakeHost *self, int code);

/* ---- what came of it ---- */

/* Whether a device stands there, and whether its device lock is held by what hangs. */
gboolean lvp_fake_host_has_pci(LvpFakeHost *self, const char *address);
gboolean lvp_fake_host_is_stuck(LvpFakeHost *self, const char *address);
/* The driver or override as the kernel sees it, or NULL; g_free(). */
char *lvp_fake_host_get_driver(LvpFakeHost *self, const char *address);
char *lvp_fake_host_get_override(LvpFakeHost *self, const char *address);
/* How often it has been reset. */
guint lvp_fake_host_count_resets(LvpFakeHost *self, const char *address);
/* All writes so far, also those that failed, as "PATH=TEXT" with a line end as "\n"; g_strfreev().
 */
char **lvp_fake_host_get_writes(LvpFakeHost *self);
guint lvp_fake_host_count_writes(LvpFakeHost *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpFakeHost, lvp_fake_host_free)

G_END_DECLS
