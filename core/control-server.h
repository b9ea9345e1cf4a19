/* SPDX-License-Identifier: Apache-2.0 */
/* Where clients come in: the control socket (peer-to-peer D-Bus) and, if asked for, the system bus.
 */
#pragma once

#include "service.h"

typedef struct LvpControlServer LvpControlServer;

/* Listens on SOCKET: mode 0660, root and group libvirt-provider where it exists; who may open it
 * may do everything. LVP_ERROR_BUSY where another process answers there, LVP_ERROR_HOST. SERVICE
 * outlives the server. Main thread. */
LvpControlServer *lvp_control_server_new(LvpService *service, const char *socket, GError **error);
/* Offers the API on the system bus as org.libvirtprovider; the bus's policy says who may call.
 * LVP_ERROR_BUSY where another process has the name, LVP_ERROR_HOST. A bus that ends later is a
 * warning in the log. Once, in the main thread. */
gboolean lvp_control_server_join_system_bus(LvpControlServer *self, GError **error);
/* Removes the socket. Accepts NULL. */
void lvp_control_server_free(LvpControlServer *self);
