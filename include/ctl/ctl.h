/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gatehousectl: a table of verbs, and what each verb needs from the program:
 * the options that all share, the daemon's configuration, the register.
 *
 * A verb does one thing and ends.  It prints data to stdout and everything else
 * to stderr, and returns 0 (done), 1 (failed) or 2 (asked for wrongly).
 * Owner: the main thread; there is no other.
 */
#ifndef GATEHOUSE_CTL_CTL_H
#define GATEHOUSE_CTL_CTL_H

#include <argp.h>
#include <stdio.h>

#include "base/base.h"

#define CTL_CONFIG_DEFAULT "/etc/gatehouse/gatehoused.yaml"

enum { CTL_DONE = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

struct admin;
struct control;
struct settings;

struct ctl {
	const char *config; /* the daemon's configuration file */
	bool json;          /* data as JSON, not as text for people */

	struct settings *settings; /* NULL until ctl_need_settings() */
	struct admin *admin;       /* NULL until ctl_need_register() */
};

struct verb {
	const char *group; /* "controller"; NULL: the verb stands alone */
	const char *name;  /* "add" */
	int (*run)(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
	int what;            /* for verbs that share `run`: which thing they are about */
	const char *summary; /* one line of `gatehousectl --help` */
};

/* Finds the verb that the command line names, runs it, and returns its exit code. */
int ctl_run(const struct verb *verbs, size_t n, int argc, char **argv);

/* -c and --json, as a child of each verb's own parser; its input is the struct ctl. */
extern const struct argp ctl_common_argp;
#define CTL_COMMON_CHILD                                                                           \
	{                                                                                          \
		&ctl_common_argp, 0, "Options of all verbs:", 100                                  \
	}

/* For a verb's parser at ARGP_KEY_INIT: hands `ctl` to the first child. */
void ctl_parse_init(struct argp_state *state, struct ctl *ctl);
/* What a verb's parser leaves to it: that, and that a word is too much. */
error_t ctl_parse_rest(int key, const char *arg, struct argp_state *state, struct ctl *ctl);
/* The one word that a verb takes, into *word. */
void ctl_parse_word(struct argp_state *state, const char **word, const char *arg);
/* Ends the program with CTL_USAGE unless it is a whole number within the bounds. */
long ctl_parse_number(struct argp_state *state, const char *option, const char *text, long min,
		      long max);
/* ... unless it is a name or address of a host, which becomes one more of CA_HOSTS_MAX. */
void ctl_parse_host(struct argp_state *state, const char *arg, const char **hosts, size_t *n);
/* ... unless it is the number of an alarm. */
uint64_t ctl_parse_alarm(struct argp_state *state, const char *text);
/* Loads the configuration, once. */
enum rc ctl_need_settings(struct ctl *ctl, struct err *err) MUST_CHECK;
/* Connects to PostgreSQL as the configuration says, once. */
enum rc ctl_need_register(struct ctl *ctl, struct err *err) MUST_CHECK;
/* Connects to the daemon that the configuration is of; the caller closes. */
enum rc ctl_open_daemon(struct ctl *ctl, struct control **control, struct err *err) MUST_CHECK;
/* Lets go of the configuration and the register. */
void ctl_fini(struct ctl *ctl);

/* New memory: `name` in the folder of the configuration file. */
char *ctl_beside_config(const struct ctl *ctl, const char *name);

/* "gatehousectl: MSG" to stderr; returns CTL_FAILED. */
int ctl_failed(const struct err *err);

#endif
