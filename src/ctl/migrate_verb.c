/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gatehousectl migrate`: brings the database to the version of this program.
 * Owner: the main thread.
 */

#include "ctl/verbs.h"
#include "store/admin.h"

enum { KEY_DRY_RUN = 256 };

struct args {
	struct ctl *ctl;
	bool dry_run;
};

static const struct argp_option options[] = {
	{"dry-run", KEY_DRY_RUN, NULL, 0, "say what is missing, and change nothing", 0},
	{0},
};

static const char doc[] =
	"Brings the database of the configuration to the version that this program and its "
	"daemon work with.  Each step is one transaction; steps only go forward.  A daemon that "
	"runs goes on taking records in, and stores them when the versions are the same again."
	"\vExamples:\n"
	"  gatehousectl migrate --dry-run\n"
	"  gatehousectl migrate";

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case KEY_DRY_RUN:
		args->dry_run = true;
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

static void
say_applied(void *arg, int version, const char *name)
{
	(void)arg;
	(void)printf("applied %d: %s\n", version, name);
	(void)fflush(stdout); /* the next one may take a while */
}

static enum rc
migrate(struct ctl *ctl, bool dry_run, struct err *err)
{
	int version;
	enum rc rc = ctl_need_register(ctl, err);

	if (rc == RC_OK)
		rc = migrate_current(ctl->admin, &version, err);
	if (rc != RC_OK)
		return rc;
	if (version == migrate_newest()) {
		(void)printf("already at version %d\n", version);
		return RC_OK;
	}
	if (version > migrate_newest())
		return err_invalid(err,
				   "the database is at version %d, this program knows up to %d",
				   version, migrate_newest());
	if (!dry_run)
		return migrate_apply(ctl->admin, say_applied, NULL, err);
	(void)printf("at version %d, would be brought to version %d\n", version, migrate_newest());
	return RC_OK;
}

int
verb_migrate(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};
	static const struct argp argp = {options, parse, NULL, doc, children, NULL, NULL};
	struct args args = {.ctl = ctl};
	struct err err;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	return migrate(ctl, args.dry_run, &err) == RC_OK ? CTL_DONE : ctl_failed(&err);
}
