/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `web webhook-secret` and `web webhook-test`: a secret to sign with, and whether its other
 * holder hears.
 * Owner: the main thread.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/files.h"
#include "ctl/verbs.h"
#include "ctl/web.h"
#include "web/settings.h"
#include "wire/webhook.h"

enum { KEY_WEB = 256, KEY_USER };

struct args {
	struct ctl *ctl;
	const char *web_config, *user, *what;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case KEY_WEB:
		args->web_config = arg;
		return 0;
	case KEY_USER:
		args->user = arg;
		return 0;
	case ARGP_KEY_ARG:
		ctl_parse_word(state, &args->what, arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "expected a name");
		return ARGP_ERR_UNKNOWN;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};

/* ---- web webhook-secret ------------------------------------------------------ */

static const struct argp_option secret_options[] = {
	{"user", KEY_USER, "USER", 0,
	 "who reads it; default gatehouse-web when run by root for the system, else yourself", 0},
	{0},
};

static const char secret_doc[] =
	"Makes a file with a new secret for a webhook: give its line to the receiver by a way that "
	"nobody else reads.  To change a secret, put the new line below the old one, reload, let "
	"the receiver take the new one, and take the old line away.  Overwrites nothing."
	"\vExample:\n"
	"  gatehousectl web webhook-secret /etc/gatehouse-web/webhooks/fire-brigade.secret";

/* The folder too, where it is missing. */
static enum rc
secret_write(const char *path, struct files_owner owner, const char *secret, struct err *err)
{
	char *dir = xstrdup(path), *slash = strrchr(dir, '/');
	char *line = xasprintf("%s\n", secret);
	enum rc rc = RC_OK;

	if (slash != NULL && slash != dir) {
		*slash = '\0';
		rc = files_make_dirs(dir, 0750, owner, err);
	}
	if (rc == RC_OK)
		rc = files_write_new(path, 0600, owner, line, strlen(line), err);
	explicit_bzero(line, strlen(line));
	free(line);
	free(dir);
	return rc;
}

int
verb_webhook_secret(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp argp = {secret_options, parse, "FILE", secret_doc,
					 children,       NULL,  NULL};
	struct args args = {.ctl = ctl};
	struct files_owner owner;
	char secret[WEBHOOK_SECRET_TEXT];
	struct err err;
	enum rc rc;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	rc = web_find_owner(ctl, args.user, &owner, &err);
	if (rc == RC_OK)
		rc = webhook_secret_make(secret, &err);
	if (rc == RC_OK)
		rc = secret_write(args.what, owner, secret, &err);
	explicit_bzero(secret, sizeof(secret));
	if (rc != RC_OK)
		return ctl_failed(&err);
	(void)printf("made %s\n", args.what);
	return CTL_DONE;
}

/* ---- web webhook-test -------------------------------------------------------- */

static const struct argp_option test_options[] = {
	WEB_CONFIG_OPTION(KEY_WEB),
	{0},
};

static const char test_doc[] =
	"Has the running gatehouse-web send a webhook an event of type gatehouse.test, signed as "
	"all are, and prints what came back.  Ends with 1 unless it was taken."
	"\vExample:\n"
	"  gatehousectl web webhook-test fire-brigade";

static bool
print_tested(const struct ctl *ctl, const json_t *tested)
{
	json_int_t status = json_integer_value(json_object_get(tested, "status"));
	const json_t *answer = json_object_get(tested, "answer");

	if (ctl->json) {
		(void)json_dumpf(tested, stdout, JSON_COMPACT);
		(void)fputc('\n', stdout);
	} else if (status == 0) {
		(void)printf("no answer: %s\n",
			     json_string_value(json_object_get(tested, "error")));
	} else {
		/* as JSON: whoever answers is not to write on this terminal */
		char *text = json_dumps(answer, JSON_ENCODE_ANY);

		(void)printf("answered %lld after %lld ms: %s\n", (long long)status,
			     (long long)json_integer_value(json_object_get(tested, "took_ms")),
			     text);
		free(text);
	}
	return status >= 200 && status <= 299;
}

int
verb_webhook_test(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp argp = {test_options, parse, "NAME", test_doc,
					 children,     NULL,  NULL};
	struct args args = {.ctl = ctl};
	struct web_settings settings = {0};
	json_t *tested = NULL;
	struct err err;
	bool taken;
	enum rc rc;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	rc = web_ask(
		&(const struct web_asked){.ctl = ctl, .config = args.web_config, .outward = true},
		&settings, json_pack("{s:s, s:s}", "verb", "webhook_test", "webhook", args.what),
		&tested, &err);
	web_settings_free(&settings);
	if (rc != RC_OK)
		return ctl_failed(&err);
	taken = print_tested(ctl, tested);
	json_decref(tested);
	return taken ? CTL_DONE : CTL_FAILED;
}
