/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command line says, checked and with defaults.  The texts point into
 * argv.
 */
#ifndef GATEHOUSE_SIM_OPTIONS_H
#define GATEHOUSE_SIM_OPTIONS_H

#include "base/base.h"

struct run_options {
	const char *fleet_dir, *console_dir;
	const char *connect, *console_connect; /* HOST:PORT, before those of the folders */
	const char *ledger_dir, *profile_path;
	const char *replay_path, *map;
	double controllers;       /* the first so many; 0: all */
	double source_addresses;  /* 127.0.0.1 and following; 1: the system's choice */
	double handshakes;        /* at once, at most */
	double rate, alarms;      /* per second over the fleet */
	double dispatch;          /* percent of alarms that each console takes */
	double dispatch_delay_s;  /* ... after so long at most */
	const char *desk_dir;     /* of registration desks */
	const char *grant_group;  /* of doors, by its code: what desks grant */
	double registrations;     /* per second over the desks */
	double late, disobedient; /* so many controllers: the first ones, the next ones */
	double late_by_s;
	bool by_list;   /* controllers decide by their lists of rights */
	double day_s;   /* length of a day of the profile */
	double backlog; /* records waiting in each controller */
	double speed;   /* of the replay; 0: as the windows allow */
	double replay_controllers;
	double duration_s; /* 0: until the work is done */
	double settle_s;   /* wait for all to be connected */
	double drain_s;    /* wait for the last acks */
	double window;     /* 0: the server's */
	double epoch;
	double per_tls_record; /* records in one write; 0: as many as fit */
	bool times_now, drain, epoch_given, json, no_resume;
};

enum verify_expect { VERIFY_EXPECT_AUTO, VERIFY_EXPECT_ALL, VERIFY_EXPECT_NONE };

struct verify_options {
	const char *ledger_dir, *conninfo;
	double wait_s;
	enum verify_expect expect_alarms;
	bool json;
};

/* A mistake is told on stderr, and exits with 2; --help and --version exit with 0. */
void run_options_parse(struct run_options *options, int argc, char **argv);
void verify_options_parse(struct verify_options *options, int argc, char **argv);

#endif
