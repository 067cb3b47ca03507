/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `console login` and `web status`: what the running gatehouse-web is asked, and where
 * its configuration is.
 * Owner: the main thread.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/ca.h"
#include "ctl/control.h"
#include "ctl/verbs.h"
#include "ctl/web.h"
#include "web/settings.h"

enum { KEY_WEB = 256 };

/* beyond the time limit of the request that gatehouse-web sends */
enum { OUTWARD_PATIENCE_MS = 5000 };

struct args {
	struct ctl *ctl;
	const char *web_config, *console;
};

bool
web_is_system(const struct ctl *ctl)
{
	return strcmp(ctl->config, CTL_CONFIG_DEFAULT) == 0;
}

char *
web_config_path(const struct ctl *ctl, const char *given)
{
	if (given != NULL)
		return xstrdup(given);
	if (web_is_system(ctl))
		return xstrdup(WEB_CONFIG_DEFAULT);
	return ctl_beside_config(ctl, "web/gatehouse-web.yaml");
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case KEY_WEB:
		args->web_config = arg;
		return 0;
	case ARGP_KEY_ARG:
		ctl_parse_word(state, &args->console, arg);
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};

static const struct argp_option options[] = {
	WEB_CONFIG_OPTION(KEY_WEB),
	{0},
};

enum rc
web_ask(const struct web_asked *of, struct web_settings *settings, json_t *request, json_t **reply,
	struct err *err)
{
	char *path = web_config_path(of->ctl, of->config);
	struct control *control = NULL;
	enum rc rc = web_settings_load(path, settings, err);

	if (rc == RC_OK)
		rc = control_open(&control, settings->control_socket, err);
	if (rc == RC_OK && of->outward)
		control_set_patience(control,
				     (int)settings->webhook_timeout_ms + OUTWARD_PATIENCE_MS);
	if (rc == RC_OK)
		rc = control_ask(control, request, reply, err);
	control_close(&control);
	json_decref(request);
	free(path);
	return rc;
}

static const char login_doc[] =
	"Prints a link that signs a browser in as that console: good once, and for a few minutes. "
	"Whoever has it first is that console, so hand it on as you would a key."
	"\vExample:\n"
	"  gatehousectl console login desk-1";

static enum rc
print_link(const struct web_settings *settings, const json_t *reply, struct err *err)
{
	const char *secret = json_string_value(json_object_get(reply, "secret"));
	int port = (int)json_integer_value(json_object_get(reply, "port"));
	char *host = ca_first_host(settings->tls_certificate);
	bool v6 = host != NULL && strchr(host, ':') != NULL;

	if (secret == NULL || (host == NULL && settings->public_url[0] == '\0')) {
		free(host);
		return err_fail(err,
				"gatehouse-web gave no link, or its certificate names no host");
	}
	/* behind #: no server or proxy ever sees it, and the page takes it away at once */
	if (settings->public_url[0] != '\0')
		(void)printf("%s/#login=%s\n", settings->public_url, secret);
	else
		(void)printf("https://%s%s%s:%d/#login=%s\n", v6 ? "[" : "", host, v6 ? "]" : "",
			     port, secret);
	free(host);
	return RC_OK;
}

int
verb_console_login(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp argp = {options, parse, "NAME", login_doc, children, NULL, NULL};
	struct args args = {.ctl = ctl};
	struct web_settings settings = {0};
	json_t *reply = NULL;
	struct err err;
	enum rc rc;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	if (args.console == NULL) {
		(void)fprintf(stderr, "gatehousectl: expected the name of a console\n");
		return CTL_USAGE;
	}
	rc = web_ask(&(const struct web_asked){.ctl = ctl, .config = args.web_config}, &settings,
		     json_pack("{s:s, s:s}", "verb", "login", "console", args.console), &reply,
		     &err);
	if (rc == RC_OK)
		rc = print_link(&settings, reply, &err);
	json_decref(reply);
	web_settings_free(&settings);
	return rc == RC_OK ? CTL_DONE : ctl_failed(&err);
}

/* A line for each thing. */
static void
print_values(const char *indent, const json_t *values)
{
	json_t *value;
	const char *key;

	json_object_foreach ((json_t *)(uintptr_t)values, key, value) {
		char *text = json_dumps(value, JSON_ENCODE_ANY);

		(void)printf("%s%-*s %s\n", indent, (int)(20 - strlen(indent)), key, text);
		free(text);
	}
}

static void
print_status(json_t *reply)
{
	json_t *webhooks = json_incref(json_object_get(reply, "webhooks"));

	(void)json_object_del(reply, "webhooks");
	print_values("", reply);
	for (size_t i = 0; i < json_array_size(webhooks); i++) {
		const json_t *webhook = json_array_get(webhooks, i);

		(void)printf("webhook\n");
		print_values("  ", webhook);
	}
	json_decref(webhooks);
}

static const char status_doc[] =
	"Asks the running gatehouse-web what it is doing: pages, sessions, stations, webhooks."
	"\vExample:\n"
	"  gatehousectl web status --json";

int
verb_web_status(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, status_doc, children, NULL, NULL};
	struct args args = {.ctl = ctl};
	struct web_settings settings = {0};
	json_t *reply = NULL;
	struct err err;
	enum rc rc;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	rc = web_ask(&(const struct web_asked){.ctl = ctl, .config = args.web_config}, &settings,
		     json_pack("{s:s}", "verb", "status"), &reply, &err);
	web_settings_free(&settings);
	if (rc != RC_OK)
		return ctl_failed(&err);
	if (ctl->json) {
		(void)json_dumpf(reply, stdout, JSON_COMPACT);
		(void)fputc('\n', stdout);
	} else {
		print_status(reply);
	}
	json_decref(reply);
	return CTL_DONE;
}
