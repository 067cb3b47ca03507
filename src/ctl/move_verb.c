/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `site move`: a site goes to another area, and with it to that area's station; its open
 * alarms go along.  Owner: the main thread.
 */

#include "ctl/control.h"
#include "ctl/verbs.h"
#include "daemon/settings.h"
#include "store/admin.h"

struct args {
	struct ctl *ctl;
	const char *names[2]; /* site, area */
	size_t n_names;
};

static const char doc[] =
	"Moves a site into another area.  The station of that area is responsible from then on: "
	"its consoles get the open alarms of the site at once, and those of the station before "
	"don't show them any more, unless they see that area, too."
	"\vExample:\n"
	"  gatehousectl site move mill harbour";

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (args->n_names == ARRAY_LEN(args->names))
			argp_error(state, "\"%s\" is too much", arg);
		args->names[args->n_names++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (args->n_names < ARRAY_LEN(args->names))
			argp_error(state, "expected a site and an area");
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

int
verb_site_move(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};
	static const struct argp argp = {NULL, parse, "SITE AREA", doc, children, NULL, NULL};
	struct args args = {.ctl = ctl};
	struct err err;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	if (ctl_need_register(ctl, &err) != RC_OK ||
	    admin_move_site(ctl->admin, args.names[0], args.names[1], &err) != RC_OK)
		return ctl_failed(&err);
	control_poke(ctl->settings->control_socket);
	(void)printf("%s: in area %s\n", args.names[0], args.names[1]);
	return CTL_DONE;
}
