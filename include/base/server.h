/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both servers do before they serve: the command line with its configuration, -t and
 * --reference; the configuration; no core dumps, for what passes through their memory must
 * not reach a disk; SIGPIPE, which is an error of a write and no end.
 *
 * Exit codes: 0 stopped as asked; 1 failed; 2 wrong usage or configuration.
 */
#ifndef GATEHOUSE_BASE_SERVER_H
#define GATEHOUSE_BASE_SERVER_H

#include <argp.h>
#include <stdio.h>

#include "base/base.h"

struct server_program {
	const char *name;            /* "gatehoused": before what is said of the start */
	const char *config;          /* the configuration, unless another is named ... */
	const char *config_variable; /* ... or by this variable of the environment; or NULL */
	const char *doc;             /* what it is for, as in struct argp */
	const struct argp *more;     /* options of its own, which get `arg` as input; or NULL */
	void (*write_reference)(FILE *out);
	enum rc (*load)(void *arg, const char *path, struct err *err);
	/* What the configuration names is there, and fits; frees what it holds. */
	enum rc (*test)(void *arg, struct err *err);
	/* From the first to the last; ends the process itself when it can't begin. */
	void (*serve)(void *arg);
};

/* The whole of main(): returns the exit code.  `arg` is that of all functions. */
int server_main(const struct server_program *program, void *arg, int argc, char **argv);

/* Descriptors for as many connections as the system lets us have.  Returns how many those
 * are; UINT64_MAX when it does not say. */
uint64_t server_raise_descriptors(void);

#endif
