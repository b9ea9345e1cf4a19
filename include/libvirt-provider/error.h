/* SPDX-License-Identifier: Apache-2.0 */
/* The one error domain. Codes are what a caller can act on; the text says what, why, what to do. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define LVP_ERROR (lvp_error_quark())

/* Over D-Bus each code is the name "org.libvirtprovider.Error." + its words in camel case, in lpctl
 * an exit status. Additions only, at the end. */
typedef enum {
    LVP_ERROR_INTERNAL,        /* a bug of ours, nothing else */
    LVP_ERROR_INVALID_REQUEST, /* the caller's input is wrong: correct it */
    LVP_ERROR_NO_CAPACITY,     /* not enough is free: try later */
    LVP_ERROR_BUSY,            /* another operation runs on it: try later */
    LVP_ERROR_IN_USE_BY_HOST,  /* the host itself uses the device */
    LVP_ERROR_CONFLICT,        /* contradicts something that exists */
    LVP_ERROR_NOT_SUPPORTED,   /* cannot be done here at all */
    LVP_ERROR_NOT_PERMITTED,   /* the caller may not */
    LVP_ERROR_EXISTS,          /* the name or uuid is taken */
    LVP_ERROR_NOT_FOUND,       /* no such machine, class, device, file */
    LVP_ERROR_TIMED_OUT,       /* a deadline passed; the operation may still end */
    LVP_ERROR_HOST,            /* the kernel or a file of the host answered with an error */
    LVP_ERROR_SOURCE,          /* a source module is missing, wrong or failed */
    LVP_ERROR_HYPERVISOR,      /* libvirt refused */
    LVP_ERROR_NOT_REACHABLE,   /* libvirt does not answer */
    LVP_ERROR_DAEMON,          /* the daemon does not answer (lpctl only) */
    LVP_ERROR_DAMAGED,         /* a file of ours is not as it was written */
} LvpError;

/* Registers the D-Bus names on first use. Thread-safe. */
GQuark lvp_error_quark(void);

G_END_DECLS
