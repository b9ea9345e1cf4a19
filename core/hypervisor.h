/* SPDX-License-Identifier: Apache-2.0 */
/* Domains. The only user of libvirt.
 *
 * One thread opens the connection, runs libvirt's event loop, and opens it again with back-off when
 * it breaks. All other functions may be called from any thread and block for an answer. Errors:
 * LVP_ERROR_NOT_REACHABLE while there is no connection, else LVP_ERROR_HYPERVISOR with libvirt's
 * text, LVP_ERROR_NOT_FOUND, LVP_ERROR_EXISTS. */
#pragma once

#include "machine.h"

/* What to do while libvirt cannot be reached. */
#define LVP_HYPERVISOR_HINT                                                                        \
    "is it running? see systemctl status libvirtd; --libvirt-uri names another"

typedef struct LvpHypervisor LvpHypervisor;

/* Called in the main thread or the hypervisor's; to return soon. */
typedef struct {
    /* Connected, or no longer; after connecting all domains are to be looked at. */
    void (*connection_changed)(gpointer data, gboolean connected);
    /* Something happened to a domain. */
    void (*domain_changed)(gpointer data, const char *uuid);
    gpointer data;
} LvpHypervisorCalls;

/* CALLS are copied. */
LvpHypervisor *lvp_hypervisor_new(const char *uri, const LvpHypervisorCalls *calls);
/* Begins to connect, and to call. Once. */
void lvp_hypervisor_connect(LvpHypervisor *self);
/* Stops the thread and closes the connection. Accepts NULL. */
void lvp_hypervisor_free(LvpHypervisor *self);

const char *lvp_hypervisor_get_uri(const LvpHypervisor *self);
/* Why there is no connection; NULL if there is one; g_free(). */
char *lvp_hypervisor_dup_problem(LvpHypervisor *self);
/* LVP_ERROR_NOT_REACHABLE. */
gboolean lvp_hypervisor_check_reachable(LvpHypervisor *self, GError **error);
/* "kvm" where the host has it, else "qemu" (or what the driver calls its own); g_free(). */
char *lvp_hypervisor_dup_domain_type(LvpHypervisor *self, GError **error);

/* The state of a domain; LVP_DOMAIN_ABSENT is no error. */
gboolean lvp_hypervisor_get_state(LvpHypervisor *self,
                                  const char *uuid,
                                  LvpDomainState *ret_state,
                                  GError **error);
/* One domain as it stands. */
typedef struct {
    char *uuid;
    char *name;
    LvpDomainState state;
    char *xml; /* of what runs, or of what is defined where it does not run */
} LvpDomainSeen;

/* All domains, ours or not: LvpDomainSeen; NULL with error. */
GPtrArray *lvp_hypervisor_list(LvpHypervisor *self, GError **error);
/* LVP_ERROR_EXISTS if a domain has this name or uuid. */
gboolean lvp_hypervisor_check_unused(LvpHypervisor *self,
                                     const char *name,
                                     const char *uuid,
                                     GError **error);
/* The XML of a domain as defined, or NULL with *RET_FOUND FALSE and no error; g_free(). */
char *
lvp_hypervisor_read_xml(LvpHypervisor *self, const char *uuid, gboolean *ret_found, GError **error);
/* Defines a domain after validation against libvirt's schema. */
gboolean lvp_hypervisor_define(LvpHypervisor *self, const char *xml, GError **error);
/* Starts it, or resumes it where it is paused; one that runs is well. */
gboolean lvp_hypervisor_start(LvpHypervisor *self, const char *uuid, GError **error);
/* Asks the guest to shut down (ACPI) and returns at once. */
gboolean lvp_hypervisor_shutdown(LvpHypervisor *self, const char *uuid, GError **error);
/* Ends it at once; one that is off or absent is well. */
gboolean lvp_hypervisor_destroy(LvpHypervisor *self, const char *uuid, GError **error);
/* Forgets it with its managed save, snapshots, checkpoints and TPM, and NVRAM unless KEEP_NVRAM;
 * one that is absent is well. */
gboolean
lvp_hypervisor_undefine(LvpHypervisor *self, const char *uuid, gboolean keep_nvram, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvpHypervisor, lvp_hypervisor_free)
