/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register, cards and rights for an operator's program: the same rows, and the same checks, as
 * the daemon has.
 */
#include "admin_priv.h"
#include "base/clock.h"
#include "load.h"

static enum rc
load_by_admin(void *arg, const char *sql, PGresult **rows, struct err *err)
{
	return admin_exec(arg, sql, 0, NULL, rows, err);
}

enum rc
admin_load_register(struct admin *a, struct reg **reg, struct err *err)
{
	struct reg_builder *builder = reg_builder_new();
	int64_t as_of_us = clock_wall_us();
	enum rc rc = load_rows(load_by_admin, a, builder, err);

	if (rc == RC_OK)
		return reg_build(&builder, as_of_us, reg, err);
	reg_builder_free(&builder);
	return rc;
}

enum rc
admin_load_rights(struct admin *a, struct rights *rights, struct err *err)
{
	return load_rights(load_by_admin, a, rights, err);
}
