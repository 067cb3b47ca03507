/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The columns that a file of cards may have, see ctl/card_rows.h, and how a value of
 * each goes into its row.  Personal fields are not among them: they may have any name.
 *
 * Any thread.
 */
#ifndef GATEHOUSE_CTL_CARD_COLUMN_H
#define GATEHOUSE_CTL_CARD_COLUMN_H

#include "ctl/card_rows.h"

enum { CARD_COLUMNS = 12 };

struct card_column {
	const char *name;
	/* A value that is not empty; days are those of the time zone.  RC_INVALID says what is
	 * wrong with it. */
	enum rc (*take)(struct card_row *row, const char *value, const char *zone_name,
			struct err *err);
};

/* NULL: cards have no such column. */
const struct card_column *card_column_by_name(const char *name);

#endif
