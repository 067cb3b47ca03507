/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of gatehousectl: finds the verb, gives it the shared options, and
 * opens for it what it asks for.  argp does the parsing twice: once for what
 * stands before the verb, once for what follows, so that -c and --json may
 * stand in either place.
 *
 * Owner: the main thread.  Knows no verb; main.c has the table of them.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ca.h"
#include "ctl/control.h"
#include "daemon/settings.h"
#include "store/admin.h"

/* A command line after the shared options that stand before the verb. */
struct command {
	struct ctl *ctl;
	const struct verb *verbs;
	size_t n_verbs;
	int argc; /* what is left: the verb and all behind it */
	char **argv;
};

static error_t
common_parse(int key, char *arg, struct argp_state *state)
{
	struct ctl *ctl = state->input;

	switch (key) {
	case 'c':
		ctl->config = arg;
		return 0;
	case 'j':
		ctl->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option common_options[] = {
	{"config", 'c', "FILE", 0,
	 "the daemon's configuration; $GATEHOUSE_CONFIG or " CTL_CONFIG_DEFAULT " otherwise", 0},
	{"json", 'j', NULL, 0, "print data as JSON", 0},
	{0},
};

const struct argp ctl_common_argp = {.options = common_options, .parser = common_parse};

void
ctl_parse_init(struct argp_state *state, struct ctl *ctl)
{
	state->child_inputs[0] = ctl;
}

error_t
ctl_parse_rest(int key, const char *arg, struct argp_state *state, struct ctl *ctl)
{
	switch (key) {
	case ARGP_KEY_INIT:
		ctl_parse_init(state, ctl);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is too much", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void
ctl_parse_word(struct argp_state *state, const char **word, const char *arg)
{
	if (*word != NULL)
		argp_error(state, "\"%s\" is too much", arg);
	*word = arg;
}

long
ctl_parse_number(struct argp_state *state, const char *option, const char *text, long min, long max)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < min || n > max)
		argp_error(state, "--%s must be a whole number from %ld to %ld, not \"%s\"", option,
			   min, max, text);
	return n;
}

void
ctl_parse_host(struct argp_state *state, const char *arg, const char **hosts, size_t *n)
{
	if (!ca_host_is_valid(arg))
		argp_error(state, "--host \"%s\" is neither a host's name nor an address", arg);
	else if (*n == CA_HOSTS_MAX)
		argp_error(state, "more than %d hosts", CA_HOSTS_MAX);
	else
		hosts[(*n)++] = arg;
}

uint64_t
ctl_parse_alarm(struct argp_state *state, const char *text)
{
	unsigned long long id;
	char *end;

	errno = 0;
	id = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || id == 0)
		argp_error(state, "\"%s\" is not the number of an alarm", text);
	return id;
}

enum rc
ctl_need_settings(struct ctl *ctl, struct err *err)
{
	struct settings *settings;
	enum rc rc;

	if (ctl->settings != NULL)
		return RC_OK;
	settings = xcalloc(1, sizeof(*settings));
	rc = settings_load(ctl->config, settings, err);
	if (rc != RC_OK) {
		free(settings);
		return rc;
	}
	ctl->settings = settings;
	return RC_OK;
}

enum rc
ctl_need_register(struct ctl *ctl, struct err *err)
{
	enum rc rc = ctl_need_settings(ctl, err);

	if (rc != RC_OK || ctl->admin != NULL)
		return rc;
	return admin_open(&ctl->admin, ctl->settings->conninfo, err);
}

enum rc
ctl_open_daemon(struct ctl *ctl, struct control **control, struct err *err)
{
	enum rc rc = ctl_need_settings(ctl, err);

	return rc == RC_OK ? control_open(control, ctl->settings->control_socket, err) : rc;
}

void
ctl_fini(struct ctl *ctl)
{
	if (ctl->admin != NULL)
		admin_close(&ctl->admin);
	if (ctl->settings != NULL) {
		settings_free(ctl->settings);
		free(ctl->settings);
		ctl->settings = NULL;
	}
}

char *
ctl_beside_config(const struct ctl *ctl, const char *name)
{
	const char *slash = strrchr(ctl->config, '/');
	int folder = slash == NULL ? 0 : (int)(slash - ctl->config) + 1;

	return xasprintf("%.*s%s", folder, ctl->config, name);
}

int
ctl_failed(const struct err *err)
{
	(void)fprintf(stderr, "gatehousectl: %s\n", err->msg);
	return CTL_FAILED;
}

/* ---- Finding the verb ----------------------------------------------------- */

static void
verbs_print(const struct verb *verbs, size_t n, const char *group, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct verb *verb = &verbs[i];
		const char *of = verb->group == NULL ? "" : verb->group;
		char words[64];

		if (group != NULL && strcmp(group, of) != 0)
			continue;
		(void)snprintf(words, sizeof(words), "%s%s%s", of, of[0] == '\0' ? "" : " ",
			       verb->name);
		(void)fprintf(out, "  %-20s %s\n", words, verb->summary);
	}
}

static const char command_doc[] =
	"Sets up and looks after gatehoused, the daemon that takes in what happens at doors."
	"\vExamples:\n"
	"  gatehousectl init --dir ./demo          a working installation below ./demo\n"
	"  gatehousectl migrate                    prepare its database\n"
	"  gatehousectl setup apply site.yaml      stations, areas, sites, doors\n"
	"  gatehousectl controller add north-17 --site north\n"
	"  gatehousectl status --watch             what the daemon is doing\n"
	"  gatehousectl tail                       alarms as they come\n"
	"\n"
	"`gatehousectl VERB --help` explains a verb.  Exit code: 0 done, 1 failed, 2 asked "
	"wrongly.";

/* argp calls this for each piece of help; the verbs go between options and examples. */
static char *
command_help(int key, const char *text, void *input)
{
	struct command *command = input;
	char *list = NULL;
	size_t bytes;
	FILE *out;

	if (key != ARGP_KEY_HELP_POST_DOC || command == NULL)
		return (char *)(uintptr_t)text;
	out = open_memstream(&list, &bytes);
	if (out == NULL)
		return (char *)(uintptr_t)text;
	(void)fputs("Verbs:\n", out);
	verbs_print(command->verbs, command->n_verbs, NULL, out);
	(void)fprintf(out, "\n%s", text);
	(void)fclose(out);
	return list; /* argp frees it */
}

static error_t
command_parse(int key, char *arg, struct argp_state *state)
{
	struct command *command = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		ctl_parse_init(state, command->ctl);
		return 0;
	case ARGP_KEY_ARGS: /* the first word that is no option, and all behind it */
		command->argc = state->argc - state->next;
		command->argv = state->argv + state->next;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a verb is missing");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct verb *
verb_find(const struct command *command, int *words)
{
	for (size_t i = 0; i < command->n_verbs; i++) {
		const struct verb *verb = &command->verbs[i];
		const char *first = verb->group != NULL ? verb->group : verb->name;

		*words = verb->group != NULL ? 2 : 1;
		if (command->argc < *words || strcmp(first, command->argv[0]) != 0)
			continue;
		if (verb->group == NULL || strcmp(verb->name, command->argv[1]) == 0)
			return verb;
	}
	return NULL;
}

/* The words name no verb: teach those of the group, where there is one. */
static int
verb_unknown(const struct command *command)
{
	const char *group = command->argv[0];
	bool is_group = false, help;

	for (size_t i = 0; i < command->n_verbs; i++) {
		const char *of = command->verbs[i].group;

		is_group = is_group || (of != NULL && strcmp(of, group) == 0);
	}
	if (!is_group) {
		(void)fprintf(stderr,
			      "gatehousectl: there is no verb \"%s\"; see gatehousectl --help\n",
			      group);
		return CTL_USAGE;
	}
	help = command->argc > 1 &&
	       (strcmp(command->argv[1], "--help") == 0 || strcmp(command->argv[1], "-?") == 0);
	if (!help && command->argc > 1)
		(void)fprintf(stderr, "gatehousectl: there is no verb \"%s %s\"\n", group,
			      command->argv[1]);
	(void)fprintf(help ? stdout : stderr, "Verbs of %s:\n", group);
	verbs_print(command->verbs, command->n_verbs, group, help ? stdout : stderr);
	return help ? CTL_DONE : CTL_USAGE;
}

/* Runs it under a name that its own usage and errors show. */
static int
verb_run(const struct command *command, const struct verb *verb, int words)
{
	const char *group = verb->group == NULL ? "" : verb->group;
	char *name =
		xasprintf("gatehousectl %s%s%s", group, group[0] == '\0' ? "" : " ", verb->name);
	char **argv = command->argv + words - 1;
	int code;

	argv[0] = name;
	code = verb->run(command->ctl, verb, command->argc - words + 1, argv);
	/* a full disk behind > is a failure too */
	if (fflush(stdout) != 0 && code == CTL_DONE) {
		(void)fprintf(stderr, "gatehousectl: could not write the output: %s\n",
			      strerror(errno));
		code = CTL_FAILED;
	}
	free(name);
	return code;
}

int
ctl_run(const struct verb *verbs, size_t n, int argc, char **argv)
{
	static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};
	static const struct argp argp = {
		.parser = command_parse,
		.args_doc = "VERB [ARGUMENT...]",
		.doc = command_doc,
		.children = children,
		.help_filter = command_help,
	};
	const char *config = getenv("GATEHOUSE_CONFIG");
	struct ctl ctl = {.config = config != NULL && config[0] != '\0' ? config
									: CTL_CONFIG_DEFAULT};
	struct command command = {.ctl = &ctl, .verbs = verbs, .n_verbs = n};
	const struct verb *verb;
	int words, code;

	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &command) != 0)
		return CTL_USAGE;
	verb = verb_find(&command, &words);
	code = verb != NULL ? verb_run(&command, verb, words) : verb_unknown(&command);
	ctl_fini(&ctl);
	return code;
}
