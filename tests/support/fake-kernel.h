/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the fake host share. All of it is guarded by the mutex: functions named fake_
 * are called with it held. Paths are relative to the root of the scratch folder. */
#pragma once

#include "fake-host.h"
#include "host-effects.h"
#include "scratch.h"

#define FAKE_DEVICES "sys/bus/pci/devices/"
#define FAKE_DRIVERS "sys/bus/pci/drivers/"
#define FAKE_GROUPS "sys/kernel/iommu_groups/"
#define FAKE_VFIO "vfio-pci"

typedef struct {
    char *address;
    char *folder; /* the real one, below sys/devices */
    guint class_code;
    int group;
    char *host_driver; /* NULL: none */
    char *override;    /* NULL: none */
    char *driver;      /* what the driver link says; NULL: none */
    char *releasing;   /* the driver of an unbind that has not returned */
    gboolean stuck;    /* its device lock is held */
    char *stuck_for;   /* the opener that it waits for; NULL: finish_hung() */
    char *pf;          /* of a VF: its PF's address */
    char *virtfn_link; /* of a VF, in its PF */
    guint n_vfs, max_vfs;
    LvpFakeReset reset;
    guint n_resets;
    GPtrArray *blocks;   /* FakeBlock */
    GPtrArray *nets;     /* FakeNet */
    GPtrArray *consoles; /* FakeConsole */
    GPtrArray *shown;    /* char *: paths that go when the host driver goes */
} FakeDevice;

typedef struct {
    char *name;
    char *disk;   /* of a partition, else NULL */
    char *holder; /* NULL: none */
    gboolean multipath;
    guint minor;
    char *folder;
} FakeBlock;

typedef struct {
    char *name;
    char *master; /* NULL: none */
    guint flags;
} FakeNet;

/* A DRM node or an input device. */
typedef struct {
    const char *class_name;
    char *name;
    char *folder;
    char *title, *keys; /* of an input device, else NULL */
} FakeConsole;

struct LvpFakeHost {
    GMutex mutex;
    LvpScratch *scratch;
    LvpHost *host;
    GHashTable *devices;   /* address -> FakeDevice */
    GHashTable *drivers;   /* names of those that are loaded */
    GHashTable *openers;   /* path below dev -> text */
    GHashTable *busy;      /* names of block devices */
    GHashTable *addresses; /* name of an interface -> text */
    GArray *nodes;         /* FakeNode, ascending */
    GPtrArray *writes;     /* char * */
    GArray *faults;        /* FakeFault */
    GArray *late;          /* FakeLate, in the order in which they hung */
    int module_error;
    gboolean crashed;  /* the provider is dead: nothing that it asks for has an effect */
    guint next_number; /* of whatever the kernel counts: minors, vfio devices, boots */
};

/* ---- fake-host.c ---- */

/* Ends the process where there is none. */
FakeDevice *fake_host_get_device(LvpFakeHost *self, const char *address);

/* ---- fake-device.c: PCI devices and their drivers ---- */

void fake_device_free(gpointer device);
void fake_device_add(LvpFakeHost *self, const LvpFakePci *pci);
/* Removes one that nothing hangs on. */
void fake_device_remove(LvpFakeHost *self, FakeDevice *device);
/* Takes out the VFs of PF, as the kernel does; NULL: all VFs there are. */
void fake_device_remove_vfs(LvpFakeHost *self, const char *pf);
void fake_device_set_reset(LvpFakeHost *self, FakeDevice *device, LvpFakeReset reset);
void fake_device_set_override(LvpFakeHost *self, FakeDevice *device, const char *override);
/* The driver that may claim it, or NULL. */
const char *fake_device_get_wanted_driver(const FakeDevice *device);
/* Binds what may claim it and is loaded. 0, or the errno of the driver. */
int fake_device_probe(LvpFakeHost *self, FakeDevice *device);
/* Binds DRIVER to a device without one. 0, or the errno of the driver. */
int fake_device_attach(LvpFakeHost *self, FakeDevice *device, const char *driver);
/* An unbind up to where the driver waits for its users, and the rest of it. */
void fake_device_start_unbind(LvpFakeHost *self, FakeDevice *device);
void fake_device_finish_unbind(LvpFakeHost *self, FakeDevice *device);
/* Both, where there is a driver. */
void fake_device_detach(LvpFakeHost *self, FakeDevice *device);
/* Who has its group open, or bound to vfio-pci the device itself: a key of openers, or NULL. */
const char *fake_device_find_group_opener(LvpFakeHost *self, const FakeDevice *device);
const char *fake_device_find_holder(LvpFakeHost *self, const FakeDevice *device);
void fake_driver_load(LvpFakeHost *self, const char *driver);
/* No device may be bound to it. */
void fake_driver_unload(LvpFakeHost *self, const char *driver);

/* ---- fake-kernel.c: what is written, and what goes wrong ---- */

typedef enum { FAKE_FAIL, FAKE_LIE, FAKE_CRASH, FAKE_HANG } FakeFaultKind;

extern const LvpHostEffects FAKE_KERNEL_EFFECTS; /* data: the LvpFakeHost */

void fake_kernel_init(LvpFakeHost *self);
void fake_kernel_clear(LvpFakeHost *self);
void fake_kernel_add_fault(LvpFakeHost *self, guint n, FakeFaultKind kind, int code);
/* Removes a device at once, or when what it waits for is over. */
void fake_kernel_pull(LvpFakeHost *self, FakeDevice *device);
/* Completes what hung for OPENER; NULL: by hang_at. */
void fake_kernel_run_late(LvpFakeHost *self, const char *opener);
/* Completes all that hung, and drops the faults to come. */
void fake_kernel_stop(LvpFakeHost *self);

/* ---- fake-class.c: what the host driver shows below sys/class ---- */

void fake_class_show(LvpFakeHost *self, FakeDevice *device);
void fake_class_hide(LvpFakeHost *self, FakeDevice *device);
void fake_class_free_block(gpointer block);
void fake_class_free_net(gpointer net);
/* Makes sys/class/CLASS_NAME/NAME a link to FOLDER. With DEVICE both go when its host driver goes.
 */
void fake_class_link(LvpFakeHost *self,
                     FakeDevice *device,
                     const char *class_name,
                     const char *name,
                     const char *folder);
gboolean fake_class_has_host_driver(const FakeDevice *device);

/* ---- fake-console.c: DRM nodes and input devices ---- */

void fake_console_show(LvpFakeHost *self, FakeDevice *device);
void fake_console_free(gpointer console);
