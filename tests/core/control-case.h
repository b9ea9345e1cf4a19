/* SPDX-License-Identifier: Apache-2.0 */
/* A provider in a process of its own, behind a control socket. */
#pragma once

#include "scratch.h"

#include <sys/types.h>

typedef struct {
    LvpScratch *scratch;
    char *socket;
    pid_t server; /* 0: none */
} ControlCase;

/* Without a server yet. */
void control_case_init(ControlCase *self);
/* Starts one over a new World and waits until it answers. */
void control_case_start(ControlCase *self);
/* Ends it as systemd would; its exit must be clean. */
void control_case_stop(ControlCase *self);
void control_case_clear(ControlCase *self);
