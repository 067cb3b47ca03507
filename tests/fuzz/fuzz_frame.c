/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: bytes as a stream of frames; the first two set the limit.
 *
 * Beside crashes it looks for answers that contradict each other: a frame that
 * is whole is partial when cut anywhere, changes nothing by what follows it, and
 * has the length that its header would be written for.
 */
#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* In memory of exactly its size, so that a read beyond is seen. */
static enum frame_result
parse_copy(const uint8_t *bytes, size_t n, size_t max, size_t *len, size_t *used)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	const uint8_t *payload = NULL;
	enum frame_result result;

	must(copy != NULL);
	memcpy(copy, bytes, n);
	result = frame_parse(copy, n, max, &payload, len, used);
	if (result == FRAME_WHOLE) {
		must(payload >= copy && payload + *len == copy + *used);
		must(*used <= n && *len <= max);
	}
	free(copy);
	return result;
}

static void
check_whole(const uint8_t *bytes, size_t len, size_t used, size_t max)
{
	uint8_t header[FRAME_HEADER_MAX];
	size_t header_len = frame_header_len(len), other_len, other_used;

	must(used - len >= header_len); /* more only when padded with zeros */
	must(frame_put_header(header, len) == header + header_len);
	if (used - len == header_len)
		must(memcmp(header, bytes, header_len) == 0);
	for (size_t cut = 0; cut < used; cut += cut < FRAME_HEADER_MAX ? 1 : 1 + used / 8)
		must(parse_copy(bytes, cut, max, &other_len, &other_used) == FRAME_PARTIAL);
	must(parse_copy(bytes, used, max, &other_len, &other_used) == FRAME_WHOLE);
	must(other_len == len && other_used == used);
	if (len > 0)
		must(parse_copy(bytes, used, len - 1, &other_len, &other_used) == FRAME_TOO_LONG);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t max, done = 2, len, used;

	if (n < 2)
		return 0;
	max = (size_t)data[0] << 8 | data[1];
	while (parse_copy(data + done, n - done, max, &len, &used) == FRAME_WHOLE) {
		check_whole(data + done, len, used, max);
		done += used;
	}
	return 0;
}
