/* SPDX-License-Identifier: Apache-2.0 */
/* How a server begins: see the header. */
#include "base/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { SERVER_USAGE = 2 };

struct command_line {
	const struct server_program *program;
	void *arg;
	const char *config;
	bool test, reference;
};

static error_t
server_parse_option(int key, char *value, struct argp_state *state)
{
	struct command_line *line = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		if (line->program->more != NULL)
			state->child_inputs[0] = line->arg;
		return 0;
	case 'c':
		line->config = value;
		return 0;
	case 't':
		line->test = true;
		return 0;
	case 'r':
		line->reference = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", value);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void
server_parse(struct command_line *line, int argc, char **argv)
{
	const struct server_program *program = line->program;
	char *config = xasprintf("Configuration (default: %s%s%s)", program->config,
				 program->config_variable != NULL ? ", or $" : "",
				 program->config_variable != NULL ? program->config_variable : "");
	const struct argp_option options[] = {
		{"config", 'c', "FILE", 0, config, 0},
		{"test", 't', NULL, 0,
		 "Check the configuration and what it names, say what is wrong, and exit", 0},
		{"reference", 'r', NULL, 0,
		 "Print every key of the configuration with its default, unit and meaning", 0},
		{0},
	};
	const struct argp_child children[] = {{.argp = program->more}, {0}};
	const struct argp argp = {
		.options = options,
		.parser = server_parse_option,
		.doc = program->doc,
		.children = program->more != NULL ? children : NULL,
	};
	const char *named =
		program->config_variable != NULL ? getenv(program->config_variable) : NULL;

	line->config = named != NULL ? named : program->config;
	argp_err_exit_status = SERVER_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, line) != 0)
		fatal("out of memory for the command line");
	free(config);
}

static void
server_forbid_core_dumps(void)
{
	struct rlimit none = {0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

static int
server_test(const struct server_program *program, void *arg, const char *path)
{
	struct err err;

	if (program->test(arg, &err) != RC_OK) {
		(void)fprintf(stderr, "%s: %s\n", program->name, err.msg);
		return SERVER_USAGE;
	}
	(void)printf("%s: ok\n", path);
	return EXIT_SUCCESS;
}

int
server_main(const struct server_program *program, void *arg, int argc, char **argv)
{
	struct command_line line = {.program = program, .arg = arg};
	struct err err;

	server_parse(&line, argc, argv);
	if (line.reference) {
		program->write_reference(stdout);
		return EXIT_SUCCESS;
	}
	if (program->load(arg, line.config, &err) != RC_OK) {
		(void)fprintf(stderr, "%s: %s\n", program->name, err.msg);
		/* systemd tries again after a failure, not after a mistake */
		return err.sys == ENOMEM ? EXIT_FAILURE : SERVER_USAGE;
	}
	server_forbid_core_dumps();
	if (line.test)
		return server_test(program, arg, line.config);
	(void)signal(SIGPIPE, SIG_IGN);
	program->serve(arg);
	return EXIT_SUCCESS;
}

uint64_t
server_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return UINT64_MAX;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : UINT64_MAX;
}
