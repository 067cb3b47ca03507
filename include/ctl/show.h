/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon says, for people: a screenful of status, a line for each
 * alarm.  A member that is missing shows as "-", one that is not known is left
 * out: daemon and program may be of different versions.
 * No state; any thread.
 */
#ifndef GATEHOUSE_CTL_SHOW_H
#define GATEHOUSE_CTL_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "base/base.h"

void show_status(const json_t *status, FILE *out);

/* One line of `tail`: an alarm's change, or a remark about the stream. */
void show_alarm(const json_t *line, bool colours, FILE *out);

/* A line for another program, which may be waiting for it. */
void show_json(const json_t *line, FILE *out);

#endif
