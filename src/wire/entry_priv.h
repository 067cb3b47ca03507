/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the codecs of entries share: moving along the bytes, and the checks that
 * say what an entry has and what was expected.  Pure functions; any thread.
 */
#ifndef GATEHOUSE_WIRE_ENTRY_PRIV_H
#define GATEHOUSE_WIRE_ENTRY_PRIV_H

#include <string.h>

#include "base/bytes.h"
#include "wire/entry.h"

/* ---- Moving along the bytes ---------------------------------------------- */

static inline uint8_t *
put_bytes(uint8_t *out, const void *bytes, size_t n)
{
	/* memcpy() must not be given NULL, also not for nothing */
	if (n > 0)
		memcpy(out, bytes, n);
	return out + n;
}

static inline uint8_t
take8(const uint8_t **in)
{
	return *(*in)++;
}

static inline uint16_t
take16(const uint8_t **in)
{
	uint16_t value = le_get16(*in);

	*in += sizeof(value);
	return value;
}

static inline uint32_t
take32(const uint8_t **in)
{
	uint32_t value = le_get32(*in);

	*in += sizeof(value);
	return value;
}

static inline uint64_t
take64(const uint8_t **in)
{
	uint64_t value = le_get64(*in);

	*in += sizeof(value);
	return value;
}

static inline enum rc
check_fixed(const char *what, size_t len, size_t fixed, struct err *err)
{
	if (len < fixed)
		return err_invalid(err, "%s entry has %zu bytes, expected at least %zu", what, len,
				   fixed);
	return RC_OK;
}

static inline enum rc
check_whole(const char *what, size_t len, size_t announced, struct err *err)
{
	if (len != announced)
		return err_invalid(err, "%s entry has %zu bytes, but announces %zu", what, len,
				   announced);
	return RC_OK;
}

/* For a length, flags or a number that stands for something: what is beyond was never written. */
static inline enum rc
check_most(const char *what, const char *field, size_t value, size_t most, struct err *err)
{
	if (value > most)
		return err_invalid(err, "%s entry has %s %zu, expected at most %zu", what, field,
				   value, most);
	return RC_OK;
}

#endif
