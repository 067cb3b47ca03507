/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gatehouse-sim: a fleet of controllers and consoles, and the check of what was
 * acknowledged to them.  This file only finds the job by its name.
 *
 * Honest towards the daemon: it shares base and the transport (streams, frames,
 * TLS) with it, and nothing of what records mean; messages are those of
 * protobuf-c's generated code, as any other client would use it.
 */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "sim/run.h"

const char *argp_program_version = "gatehouse-sim 0.1";

static const char usage[] =
	"Usage: gatehouse-sim run --fleet DIR [OPTION...]\n"
	"  or:  gatehouse-sim verify --ledger DIR [OPTION...]\n"
	"\n"
	"run     simulate a fleet of controllers and consoles, and keep a ledger\n"
	"verify  compare a ledger with PostgreSQL: lost, duplicate, invented, out of order\n"
	"\n"
	"\"gatehouse-sim run --help\" and \"gatehouse-sim verify --help\" say more.\n";

static int
main_run(int argc, char **argv)
{
	struct run_options options;

	run_options_parse(&options, argc, argv);
	return run_fleet(&options);
}

static int
main_verify(int argc, char **argv)
{
	struct verify_options options;

	verify_options_parse(&options, argc, argv);
	return run_verify(&options);
}

int
main(int argc, char **argv)
{
	const char *job = argc > 1 ? argv[1] : "";
	char name_run[] = "gatehouse-sim run", name_verify[] = "gatehouse-sim verify";

	if (strcmp(job, "run") == 0) {
		argv[1] = name_run; /* argp's messages begin with it */
		return main_run(argc - 1, argv + 1);
	}
	if (strcmp(job, "verify") == 0) {
		argv[1] = name_verify;
		return main_verify(argc - 1, argv + 1);
	}
	if (strcmp(job, "--version") == 0) {
		puts(argp_program_version);
		return 0;
	}
	if (strcmp(job, "help") == 0 || strcmp(job, "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	fputs(usage, stderr);
	return 2;
}
