/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function for each column, and the table of them.  What a value means beside the
 * others of its row, and to the register, is card_plan.c's.
 *
 * No state of its own; any thread.
 */
#include "ctl/card_column.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/text.h"
#include "ctl/when.h"
#include "wire/kind.h"

static enum rc
take_card(struct card_row *row, const char *value, const char *zone_name, struct err *err)
{
	(void)zone_name;
	return card_number_parse(&row->number, value, strlen(value), err);
}

static enum rc
take_card_key(struct card_row *row, const char *value, const char *zone_name, struct err *err)
{
	static const char prefix[] = "key:";
	size_t n = strlen(value), digits = 2 * CARD_KEY_BYTES;

	(void)zone_name;
	if (n != strlen(prefix) + digits || strncmp(value, prefix, strlen(prefix)) != 0 ||
	    !text_to_bytes(value + strlen(prefix), digits, row->card_key))
		return err_invalid(err, "expected key: and %d digits, as an export has it",
				   2 * CARD_KEY_BYTES);
	return RC_OK;
}

static enum rc
take_kind(struct card_row *row, const char *value, const char *zone_name, struct err *err)
{
	(void)zone_name;
	row->kind = card_kind_by_name(value);
	if (row->kind == CARD_KIND_NONE)
		return err_invalid(err, "\"%.40s\" is not owner, tenant, temporary or staff",
				   value);
	return RC_OK;
}

static enum rc
take_code(char **out, const char *value, struct err *err)
{
	if (strlen(value) > RIGHT_TEXT_MAX || !text_is_clean(value))
		return err_invalid(err,
				   "expected a code of at most %d bytes without control "
				   "characters",
				   RIGHT_TEXT_MAX);
	*out = xstrdup(value);
	return RC_OK;
}

static enum rc
take_unit(struct card_row *row, const char *value, const char *zone_name, struct err *err)
{
	(void)zone_name;
	return take_code(&row->unit, value, err);
}

static enum rc
take_group(struct card_row *row, const char *value, const char *zone_name, struct err *err)
{
	(void)zone_name;
	return take_code(&row->group, value, err);
}

static enum rc
take_valid_from(struct card_row *row, const char *value, const char *zone_name, struct err *err)
{
	return when_parse(value, zone_name, WHEN_FROM, &row->card_from_us, err);
}

static enum rc
take_valid_until(struct card_row *row, const char *value, const char *zone_name, struct err *err)
{
	return when_parse(value, zone_name, WHEN_UNTIL, &row->card_until_us, err);
}

static enum rc
take_right_from(struct card_row *row, const char *value, const char *zone_name, struct err *err)
{
	return when_parse(value, zone_name, WHEN_FROM, &row->right_from_us, err);
}

static enum rc
take_right_until(struct card_row *row, const char *value, const char *zone_name, struct err *err)
{
	return when_parse(value, zone_name, WHEN_UNTIL, &row->right_until_us, err);
}

static enum rc
take_hours(struct card_row *row, const char *value, const char *zone_name, struct err *err)
{
	(void)zone_name;
	return when_parse_hours(value, row->hours, &row->n_hours, err);
}

/* One code of the list that begins at `at`, without the blanks around it; returns the
 * place behind its comma. */
static const char *
next_code(const char *at, char **code)
{
	size_t n = strcspn(at, ","), begin = strspn(at, " "), end = n;

	while (end > begin && at[end - 1] == ' ')
		end--;
	*code = xasprintf("%.*s", (int)(end > begin ? end - begin : 0), at + begin);
	return at[n] == ',' ? at + n + 1 : at + n;
}

static enum rc
take_doors(struct card_row *row, const char *value, const char *zone_name, struct err *err)
{
	enum rc rc = RC_OK;

	(void)zone_name;
	while (*value != '\0' && rc == RC_OK) {
		char *code;

		value = next_code(value, &code);
		if (row->n_doors == CARD_ROW_DOORS_MAX)
			rc = err_invalid(err, "more than %d doors; make a group of them",
					 CARD_ROW_DOORS_MAX);
		else if (code[0] == '\0')
			rc = err_invalid(err, "expected codes with commas between them");
		else
			rc = take_code(&row->doors[row->n_doors], code, err);
		row->n_doors += rc == RC_OK;
		free(code);
	}
	return rc;
}

/* What an earlier import said. */
static enum rc
take_problem(struct card_row *row, const char *value, const char *zone_name, struct err *err)
{
	(void)zone_name;
	(void)row;
	(void)value;
	(void)err;
	return RC_OK;
}

static const struct card_column columns[] = {
	{"card", take_card},
	{"card_key", take_card_key},
	{"kind", take_kind},
	{"unit", take_unit},
	{"valid_from", take_valid_from},
	{"valid_until", take_valid_until},
	{"doors", take_doors},
	{"group", take_group},
	{"right_from", take_right_from},
	{"right_until", take_right_until},
	{"hours", take_hours},
	{"problem", take_problem},
};

_Static_assert(ARRAY_LEN(columns) == CARD_COLUMNS, "the header counts them");

const struct card_column *
card_column_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		if (strcmp(columns[i].name, name) == 0)
			return &columns[i];
	}
	return NULL;
}
