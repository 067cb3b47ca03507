/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: the first byte chooses the type of a journal entry, the
 * others are its body.  A body is refused with a reason, or encodes again to
 * the same bytes: so no byte of it is read as something that it doesn't say.
 */
#include <stdlib.h>
#include <string.h>

#include "wire/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_same(const uint8_t *again, const uint8_t *end, const uint8_t *body, size_t len)
{
	must(end == again + len);
	must(memcmp(again, body, len) == 0);
}

static void
check_text(const char *text, size_t max)
{
	must(text == NULL || (text[0] != '\0' && strlen(text) <= max));
}

static enum rc
take_record(const uint8_t *body, size_t len, uint8_t *again, struct err *err)
{
	struct record record;
	enum rc rc = record_decode(body, len, &record, err);

	if (rc != RC_OK)
		return rc;
	must(record.raw_code_len <= RAW_CODE_MAX && record.detail_len <= DETAIL_MAX);
	must(record_encoded_len(&record) == len);
	check_same(again, record_encode(&record, again), body, len);
	return RC_OK;
}

static enum rc
take_quarantine(const uint8_t *body, size_t len, uint8_t *again, struct err *err)
{
	struct quarantine q;
	enum rc rc = quarantine_decode(body, len, &q, err);

	if (rc != RC_OK)
		return rc;
	must(q.detail_len <= QUARANTINE_DETAIL_MAX && q.payload_len <= DETAIL_MAX);
	must(quarantine_encoded_len(&q) == len);
	check_same(again, quarantine_encode(&q, again), body, len);
	return RC_OK;
}

static enum rc
take_alarm(const uint8_t *body, size_t len, uint8_t *again, struct err *err)
{
	struct alarm_change change;
	enum rc rc = alarm_change_decode(body, len, &change, err);

	if (rc != RC_OK)
		return rc;
	must(memchr(change.raw_code, '\0', sizeof(change.raw_code)) != NULL);
	check_text(change.actor, ALARM_NAME_MAX);
	check_text(change.operator_code, ALARM_NAME_MAX);
	check_text(change.acknowledged_by, ALARM_BY_MAX);
	check_text(change.text, ALARM_TEXT_MAX);
	must(alarm_change_encoded_len(&change) == len);
	check_same(again, alarm_change_encode(&change, again), body, len);
	return RC_OK;
}

static enum rc
take_right(const uint8_t *body, size_t len, uint8_t *again, struct err *err)
{
	struct right_change change;
	enum rc rc = right_change_decode(body, len, &change, err);

	if (rc != RC_OK)
		return rc;
	must(change.n_doors <= RIGHT_DOORS_MAX && change.n_hours <= RIGHT_HOURS_MAX);
	must(right_change_encoded_len(&change) == len);
	check_same(again, right_change_encode(&change, again), body, len);
	return RC_OK;
}

static enum rc
take_doors(const uint8_t *body, size_t len, uint8_t *again, struct err *err)
{
	struct list_doors doors;
	enum rc rc = list_doors_decode(body, len, &doors, err);

	if (rc != RC_OK)
		return rc;
	must(doors.n_doors <= LIST_DOORS_MAX);
	must(list_doors_encoded_len(&doors) == len);
	check_same(again, list_doors_encode(&doors, again), body, len);
	return RC_OK;
}

static enum rc
take_action(const uint8_t *body, size_t len, uint8_t *again, struct err *err)
{
	struct action action;
	enum rc rc = action_decode(body, len, &action, err);

	if (rc != RC_OK)
		return rc;
	check_text(action.actor, ALARM_NAME_MAX);
	check_text(action.operator_code, ALARM_NAME_MAX);
	check_text(action.text, ALARM_TEXT_MAX);
	must(verb_is_known(action.verb));
	must(action_encoded_len(&action) == len);
	check_same(again, action_encode(&action, again), body, len);
	return RC_OK;
}

static enum rc
take_seen(const uint8_t *body, size_t len, uint8_t *again, struct err *err)
{
	struct alarm_seen seen;
	enum rc rc = alarm_seen_decode(body, len, &seen, err);

	if (rc == RC_OK)
		check_same(again, alarm_seen_encode(&seen, again), body, len);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err err = {0};
	uint8_t *body, *again;
	enum rc rc = RC_OK;

	if (n < 1 || n - 1 > ENTRY_BODY_MAX)
		return 0;
	/* in memory of exactly its size, so that a read beyond is seen */
	body = malloc(n > 1 ? n - 1 : 1);
	again = malloc(n);
	must(body != NULL && again != NULL);
	memcpy(body, data + 1, n - 1);
	switch (data[0] % 16) {
	case ENTRY_RECORD:
	case ENTRY_AHEAD:
		rc = take_record(body, n - 1, again, &err);
		break;
	case ENTRY_QUARANTINE:
		rc = take_quarantine(body, n - 1, again, &err);
		break;
	case ENTRY_RIGHT:
		rc = take_right(body, n - 1, again, &err);
		break;
	case ENTRY_DOORS:
		rc = take_doors(body, n - 1, again, &err);
		break;
	case ENTRY_ACTION:
		rc = take_action(body, n - 1, again, &err);
		break;
	case ENTRY_SEEN:
		rc = take_seen(body, n - 1, again, &err);
		break;
	default:
		rc = take_alarm(body, n - 1, again, &err);
	}
	must(rc == RC_OK || (rc == RC_INVALID && err.msg[0] != '\0'));
	free(again);
	free(body);
	return 0;
}
