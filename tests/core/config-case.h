/* SPDX-License-Identifier: Apache-2.0 */
/* One reading of a configuration: main.conf and conf.d in a scratch folder, the source good. */
#pragma once

#include "config.h"
#include "scratch.h"

typedef struct {
    LvpConfig *config; /* NULL where anything was wrong */
    char *mistakes;    /* diagnostics, the scratch folder as DIR; "" if none */
} Outcome;

void outcome_clear(Outcome *self);

void config_case_set_up(void);
void config_case_tear_down(void);
void config_case_write(const char *path, const char *text);
void config_case_make_fifo(const char *path);
void config_case_copy_module(const char *name);
/* "--source-dir=..."; g_free(). */
char *config_case_make_source_dir_flag(void);
/* Reads with two more arguments, each may be NULL; main.conf is made where it is missing. */
Outcome config_case_read(const char *first, const char *second);
/* The same without --resource-manager-sources. */
Outcome config_case_read_default_sources(void);
/* The same, to succeed. */
LvpConfig *config_case_read_without_sources(void);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, outcome_clear)
