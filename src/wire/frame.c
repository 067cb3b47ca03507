/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Length-delimited framing.  The length is compared with its limit before
 * anything is computed with it; five bytes hold 35 bits, so it is gathered in
 * 64 and can't wrap.
 */
#include "wire/frame.h"

enum frame_result
frame_parse(const uint8_t *bytes, size_t n, size_t max_len, const uint8_t **payload,
	    size_t *payload_len, size_t *used)
{
	uint64_t length = 0;
	size_t i;

	for (i = 0; i < FRAME_HEADER_MAX; i++) {
		if (i == n)
			return FRAME_PARTIAL;
		length |= (uint64_t)(bytes[i] & 0x7f) << (7 * i);
		if ((bytes[i] & 0x80) == 0)
			break;
	}
	if (i == FRAME_HEADER_MAX)
		return FRAME_BAD;
	i++;
	if (length > max_len)
		return FRAME_TOO_LONG;
	if (n - i < length)
		return FRAME_PARTIAL;
	*payload = bytes + i;
	*payload_len = (size_t)length;
	*used = i + (size_t)length;
	return FRAME_WHOLE;
}

size_t
frame_header_len(size_t payload_len)
{
	size_t n = 1;

	for (; payload_len >= 0x80; payload_len >>= 7)
		n++;
	return n;
}

uint8_t *
frame_put_header(uint8_t *out, size_t payload_len)
{
	for (; payload_len >= 0x80; payload_len >>= 7)
		*out++ = (uint8_t)(payload_len | 0x80);
	*out++ = (uint8_t)payload_len;
	return out;
}
