/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of journal entries as bytes.  Pure functions over memory; any thread.
 *
 * Each body is a part of fixed size and then the texts, whose lengths stand in
 * the fixed part.  So one comparison guards all fixed fields, and a second one,
 * for equality, guards the texts: a body that is shorter or longer than what it
 * announces is not one of ours.  A layout never changes; a new one gets a new
 * number in enum entry_type, so that an older journal can always be read.
 *
 * Texts are not checked for UTF-8 again: the journal's checksum says that they
 * are what was checked on the way in.
 */
#include "wire/entry.h"

#include <string.h>

#include "entry_priv.h"

/*
 * struct record:
 *	 0 controller_id u32	 4 site_id u32		 8 door_id u32
 *	12 kind u16		14 reason u16		16 epoch i64
 *	24 seq u64		32 device_time_us i64	40 received_us i64
 *	48 flags u32		52 raw_code_len u16	54 detail_len u16
 *	56 token, 16 bytes, with RECORD_HAS_TOKEN only; list_number u64, with
 *	   RECORD_HAS_LIST only; raw_code; detail
 */
enum { RECORD_FIXED_BYTES = 56 };

/*
 * struct quarantine:
 *	 0 controller_id u32	 4 site_id u32		 8 epoch i64
 *	16 seq u64		24 received_us i64	32 reason u16
 *	34 detail_len u16	36 payload_len u16	38 detail; payload
 */
enum { QUARANTINE_FIXED_BYTES = 38 };

enum {
	RECORD_FLAGS_KNOWN = RECORD_CLOCK_BACKWARDS | RECORD_CLOCK_OFF | RECORD_UNKNOWN_KIND |
			     RECORD_HAS_TOKEN | RECORD_HAS_LIST,
};

_Static_assert(DETAIL_MAX <= UINT16_MAX, "lengths of details are stored in 16 bits");
_Static_assert(RECORD_FIXED_BYTES + TOKEN_BYTES + 8 + RAW_CODE_MAX + DETAIL_MAX <= ENTRY_BODY_MAX,
	       "a record fits a body");
_Static_assert(QUARANTINE_FIXED_BYTES + QUARANTINE_DETAIL_MAX + DETAIL_MAX <= ENTRY_BODY_MAX,
	       "a quarantined record fits a body");

/* ---- Records ------------------------------------------------------------- */

static size_t
record_token_len(uint32_t flags)
{
	return (flags & RECORD_HAS_TOKEN) != 0 ? TOKEN_BYTES : 0;
}

static size_t
record_list_len(uint32_t flags)
{
	return (flags & RECORD_HAS_LIST) != 0 ? sizeof(uint64_t) : 0;
}

size_t
record_encoded_len(const struct record *record)
{
	return RECORD_FIXED_BYTES + record_token_len(record->flags) +
	       record_list_len(record->flags) + record->raw_code_len + record->detail_len;
}

uint8_t *
record_encode(const struct record *record, uint8_t *out)
{
	must(record->raw_code_len <= RAW_CODE_MAX);
	must(record->detail_len <= DETAIL_MAX);

	out = le_put32(out, record->controller_id);
	out = le_put32(out, record->site_id);
	out = le_put32(out, record->door_id);
	out = le_put16(out, record->kind);
	out = le_put16(out, record->reason);
	out = le_put64(out, (uint64_t)record->epoch);
	out = le_put64(out, record->seq);
	out = le_put64(out, (uint64_t)record->device_time_us);
	out = le_put64(out, (uint64_t)record->received_us);
	out = le_put32(out, record->flags);
	out = le_put16(out, (uint16_t)record->raw_code_len);
	out = le_put16(out, (uint16_t)record->detail_len);
	out = put_bytes(out, record->token, record_token_len(record->flags));
	if (record_list_len(record->flags) > 0)
		out = le_put64(out, record->list_number);
	out = put_bytes(out, record->raw_code, record->raw_code_len);
	return put_bytes(out, record->detail, record->detail_len);
}

static void
record_decode_fixed(const uint8_t *in, struct record *record)
{
	*record = (struct record){0};
	record->controller_id = take32(&in);
	record->site_id = take32(&in);
	record->door_id = take32(&in);
	record->kind = take16(&in);
	record->reason = take16(&in);
	record->epoch = (int64_t)take64(&in);
	record->seq = take64(&in);
	record->device_time_us = (int64_t)take64(&in);
	record->received_us = (int64_t)take64(&in);
	record->flags = take32(&in);
	record->raw_code_len = take16(&in);
	record->detail_len = take16(&in);
}

static enum rc
record_check(const struct record *record, size_t len, struct err *err)
{
	/* an unknown flag may stand for bytes that this program doesn't expect */
	if ((record->flags & ~(uint32_t)RECORD_FLAGS_KNOWN) != 0)
		return err_invalid(err, "record entry has unknown flags 0x%x", record->flags);
	if (check_most("record", "raw_code_len", record->raw_code_len, RAW_CODE_MAX, err) != RC_OK)
		return RC_INVALID;
	if (check_most("record", "detail_len", record->detail_len, DETAIL_MAX, err) != RC_OK)
		return RC_INVALID;
	return check_whole("record", len, record_encoded_len(record), err);
}

enum rc
record_decode(const uint8_t *body, size_t len, struct record *record, struct err *err)
{
	const uint8_t *in;

	if (check_fixed("record", len, RECORD_FIXED_BYTES, err) != RC_OK)
		return RC_INVALID;
	record_decode_fixed(body, record);
	if (record_check(record, len, err) != RC_OK)
		return RC_INVALID;

	in = body + RECORD_FIXED_BYTES;
	memcpy(record->token, in, record_token_len(record->flags));
	in += record_token_len(record->flags);
	if (record_list_len(record->flags) > 0)
		record->list_number = take64(&in);
	record->raw_code = (const char *)in;
	in += record->raw_code_len;
	record->detail = (const char *)in;
	return RC_OK;
}

/* ---- Quarantined records ------------------------------------------------- */

size_t
quarantine_encoded_len(const struct quarantine *q)
{
	return QUARANTINE_FIXED_BYTES + q->detail_len + q->payload_len;
}

uint8_t *
quarantine_encode(const struct quarantine *q, uint8_t *out)
{
	must(q->detail_len <= QUARANTINE_DETAIL_MAX);
	must(q->payload_len <= DETAIL_MAX);

	out = le_put32(out, q->controller_id);
	out = le_put32(out, q->site_id);
	out = le_put64(out, (uint64_t)q->epoch);
	out = le_put64(out, q->seq);
	out = le_put64(out, (uint64_t)q->received_us);
	out = le_put16(out, q->reason);
	out = le_put16(out, (uint16_t)q->detail_len);
	out = le_put16(out, (uint16_t)q->payload_len);
	out = put_bytes(out, q->detail, q->detail_len);
	return put_bytes(out, q->payload, q->payload_len);
}

static void
quarantine_decode_fixed(const uint8_t *in, struct quarantine *q)
{
	*q = (struct quarantine){0};
	q->controller_id = take32(&in);
	q->site_id = take32(&in);
	q->epoch = (int64_t)take64(&in);
	q->seq = take64(&in);
	q->received_us = (int64_t)take64(&in);
	q->reason = take16(&in);
	q->detail_len = take16(&in);
	q->payload_len = take16(&in);
}

static enum rc
quarantine_check(const struct quarantine *q, size_t len, struct err *err)
{
	if (check_most("quarantine", "detail_len", q->detail_len, QUARANTINE_DETAIL_MAX, err) !=
	    RC_OK)
		return RC_INVALID;
	if (check_most("quarantine", "payload_len", q->payload_len, DETAIL_MAX, err) != RC_OK)
		return RC_INVALID;
	return check_whole("quarantine", len, quarantine_encoded_len(q), err);
}

enum rc
quarantine_decode(const uint8_t *body, size_t len, struct quarantine *q, struct err *err)
{
	if (check_fixed("quarantine", len, QUARANTINE_FIXED_BYTES, err) != RC_OK)
		return RC_INVALID;
	quarantine_decode_fixed(body, q);
	if (quarantine_check(q, len, err) != RC_OK)
		return RC_INVALID;

	q->detail = (const char *)body + QUARANTINE_FIXED_BYTES;
	q->payload = body + QUARANTINE_FIXED_BYTES + q->detail_len;
	return RC_OK;
}
