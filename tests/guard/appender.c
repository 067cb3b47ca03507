/* SPDX-License-Identifier: Apache-2.0 */
/* See appender.h. */
#include "appender.h"

#include "../../src/journal/journal_priv.h"

void
appender_turn(struct journal *journal)
{
	struct err err;

	if (journal_turn(journal, 1, &err) != RC_OK)
		fatal("%s", err.msg);
}
