/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `controller enable` and `disable`, and the same for consoles and desks: all that are
 * named, or none of them.  This is how a stolen device is shut out; there is no
 * list of revoked certificates to distribute.
 *
 * Owner: the main thread.
 */
#include <errno.h>

#include "ctl/control.h"
#include "ctl/setup.h"
#include "ctl/verbs.h"
#include "daemon/settings.h"
#include "store/admin.h"

enum { NAMES_MAX = 1024 };

struct args {
	struct ctl *ctl;
	enum setup_kind kind; /* SETUP_CONTROLLERS, SETUP_CONSOLES or SETUP_DESKS */
	const char *names[NAMES_MAX];
	size_t n_names;
};

static const char switch_doc[] =
	"Says whether clients may connect.  One that is disabled is sent away at once, and its "
	"certificate opens nothing until it is enabled again; what it reported stays."
	"\vExamples:\n"
	"  gatehousectl controller disable mill-1\n"
	"  gatehousectl console enable desk-1 desk-2";

static error_t
switch_parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (args->n_names == NAMES_MAX)
			argp_error(state, "more than %d names", NAMES_MAX);
		args->names[args->n_names++] = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a name is missing");
		return EINVAL;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

static enum rc
switch_all(const struct args *args, bool enabled, struct err *err)
{
	static const enum admin_list lists[SETUP_KINDS] = {
		[SETUP_CONTROLLERS] = ADMIN_CONTROLLERS,
		[SETUP_CONSOLES] = ADMIN_CONSOLES,
		[SETUP_DESKS] = ADMIN_DESKS,
	};
	struct admin *admin = args->ctl->admin;
	enum rc rc = admin_begin(admin, err);

	for (size_t i = 0; i < args->n_names && rc == RC_OK; i++) {
		rc = admin_set_enabled(admin, lists[args->kind], args->names[i], enabled, err);
	}
	if (rc == RC_OK)
		return admin_commit(admin, err);
	admin_rollback(admin);
	return rc;
}

static int
switch_run(struct ctl *ctl, const struct verb *verb, bool enabled, int argc, char **argv)
{
	static const struct argp_child common[] = {CTL_COMMON_CHILD, {0}};
	static const struct argp argp = {NULL,   switch_parse, "NAME...", switch_doc,
					 common, NULL,         NULL};
	struct args args = {.ctl = ctl, .kind = (enum setup_kind)verb->what};
	struct err err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	if (ctl_need_register(ctl, &err) != RC_OK || switch_all(&args, enabled, &err) != RC_OK)
		return ctl_failed(&err);
	control_poke(ctl->settings->control_socket);
	for (size_t i = 0; i < args.n_names; i++)
		(void)printf("%s: %s\n", args.names[i], enabled ? "enabled" : "disabled");
	return CTL_DONE;
}

int
verb_enable(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	return switch_run(ctl, verb, true, argc, argv);
}

int
verb_disable(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	return switch_run(ctl, verb, false, argc, argv);
}
