/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gatehouse-web: the command line, and the whole run.
 *
 * Exit codes: 0 stopped as asked; 1 failed; 2 wrong usage or configuration.
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/version.h"
#include "web/web.h"

enum { EXIT_USAGE = 2 };

struct arguments {
	const char *config;
	bool test, reference;
};

/* Sessions' secrets are in this memory. */
static void
forbid_core_dumps(void)
{
	struct rlimit none = {0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static error_t
parse_option(int key, char *value, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'c':
		arguments->config = value;
		return 0;
	case 't':
		arguments->test = true;
		return 0;
	case 'r':
		arguments->reference = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", value);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What the configuration names is there, and fits. */
static int
test_configuration(struct web *web, const char *path)
{
	const struct tls_files files = web_tls_files(&web->settings);
	struct tls *tls = NULL;
	struct web_files *pages = NULL;
	struct err err;
	enum rc rc = tls_server_new(&tls, &files, &err);

	if (rc == RC_OK)
		rc = web_files_load(&pages, web->settings.static_dir, &err);
	tls_unref(&tls);
	web_files_free(&pages);
	web_settings_free(&web->settings);
	if (rc != RC_OK) {
		(void)fprintf(stderr, "gatehouse-web: %s\n", err.msg);
		return EXIT_USAGE;
	}
	(void)printf("%s: ok\n", path);
	return 0;
}

static int
serve(struct web *web)
{
	struct err err;

	log_setup((enum log_level)web->settings.log_level,
		  (enum log_target)web->settings.log_target);
	raise_descriptors();
	(void)signal(SIGPIPE, SIG_IGN);
	if (web_open(web, &err) != RC_OK)
		fatal("could not start: %s", err.msg);
	web_run(web);
	web_close(web);
	return 0;
}

const char *argp_program_version = "gatehouse-web " GATEHOUSE_VERSION;

int
main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"config", 'c', "FILE", 0, "Configuration (default: " WEB_CONFIG_DEFAULT ")", 0},
		{"test", 't', NULL, 0,
		 "Check the configuration and what it names, say what is wrong, and exit", 0},
		{"reference", 'r', NULL, 0,
		 "Print every key of the configuration with its default, unit and meaning", 0},
		{0},
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Serves dispatchers' pages over HTTPS: alarms as they come, from the daemon "
		       "of which it is a client, and what PostgreSQL knows about them."
		       "\vExit codes: 0 stopped as asked, 1 failed, 2 wrong usage or "
		       "configuration.\n"
		       "gatehousectl web init makes a configuration that works.",
	};
	struct arguments arguments = {.config = WEB_CONFIG_DEFAULT};
	static struct web web;
	struct err err;

	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
		fatal("out of memory for the command line");
	if (arguments.reference) {
		web_settings_write_reference(stdout);
		return 0;
	}
	if (web_settings_load(arguments.config, &web.settings, &err) != RC_OK) {
		(void)fprintf(stderr, "gatehouse-web: %s\n", err.msg);
		return err.sys == ENOMEM ? EXIT_FAILURE : EXIT_USAGE;
	}
	forbid_core_dumps();
	tls_fail_without_memory();
	return arguments.test ? test_configuration(&web, arguments.config) : serve(&web);
}
