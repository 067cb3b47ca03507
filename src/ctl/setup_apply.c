/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a checked setup into PostgreSQL.  Every row is tried, also after one was
 * refused, so that the operator sees all that is wrong; the transaction is kept
 * only when none was.  A dry run does the same and takes it back, so that what
 * it says is what would happen.
 *
 * Owner: one thread.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/setup.h"
#include "store/admin.h"

static enum rc
put_door(struct admin *admin, char *const *v, struct err *err)
{
	const struct admin_door door = {
		.code = v[0],
		.name = v[1],
		.site = v[2],
		.controller = v[3],
		/* setup_check() has seen that it is a number */
		.number = v[4] == NULL ? 0 : (uint32_t)strtoul(v[4], NULL, 10),
		.address = v[5],
	};

	return admin_put_door(admin, &door, err);
}

static enum rc
put_site(struct admin *admin, char *const *v, struct err *err)
{
	enum rc rc = admin_put_site(admin, v[0], v[1], v[2], v[3], err);

	if (rc != RC_OK || v[4] == NULL)
		return rc;
	return admin_set_site_timezone(admin, v[0], v[4], err);
}

static enum rc
put_unit(struct admin *admin, char *const *v, struct err *err)
{
	const struct admin_doors_of unit = {
		.code = v[0], .name = v[1], .site = v[2], .address = v[3], .doors = v[4]};

	return admin_put_unit(admin, &unit, err);
}

static enum rc
put_group(struct admin *admin, char *const *v, struct err *err)
{
	const struct admin_doors_of group = {
		.code = v[0], .name = v[1], .site = v[2], .doors = v[3]};

	return admin_put_group(admin, &group, err);
}

/* The columns are in the order of setup.c's tables. */
static enum rc
put_row(struct admin *admin, const struct setup_row *row, struct err *err)
{
	char *const *v = row->values;

	switch (row->kind) {
	case SETUP_STATIONS:
		return admin_put_station(admin, v[0], v[1], err);
	case SETUP_AREAS:
		return admin_put_area(admin, v[0], v[1], v[2], v[3], err);
	case SETUP_SITES:
		return put_site(admin, v, err);
	case SETUP_CONTROLLERS:
		return admin_put_controller(admin, v[0], v[1], err);
	case SETUP_DOORS:
		return put_door(admin, v, err);
	case SETUP_UNITS:
		return put_unit(admin, v, err);
	case SETUP_GROUPS:
		return put_group(admin, v, err);
	case SETUP_DESKS:
		return admin_put_desk(admin, v[0], v[1], v[2], v[3], err);
	case SETUP_CONSOLES:
		return admin_put_console(admin, v[0], v[1], v[2], err);
	case SETUP_KINDS:
		break;
	}
	must(!"a kind of row");
	return RC_FAIL;
}

static enum rc
put_rows(struct setup *setup, struct admin *admin, struct err *err)
{
	for (size_t i = 0; i < setup->n_rows; i++) {
		const struct setup_row *row = &setup->rows[i];
		enum rc rc = put_row(admin, row, err);

		if (rc == RC_INVALID)
			setup_problem(setup, row->line, "%s", err->msg);
		else if (rc != RC_OK)
			return rc;
		if (setup->n_problems >= SETUP_PROBLEMS_MAX)
			break;
	}
	return setup->n_problems == 0 ? RC_OK : RC_INVALID;
}

enum rc
setup_apply(struct setup *setup, struct admin *admin, bool dry_run, struct err *err)
{
	enum rc rc;

	must(setup->n_problems == 0);
	rc = admin_begin(admin, err);
	if (rc != RC_OK)
		return rc;
	rc = put_rows(setup, admin, err);
	if (rc == RC_OK && !dry_run)
		return admin_commit(admin, err);
	admin_rollback(admin);
	return rc;
}
