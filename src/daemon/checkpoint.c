/* SPDX-License-Identifier: Apache-2.0 */
/* The checkpoint file; see the header for its form and what it is good for. */
#include "daemon/checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/fs.h"

#define CHECKPOINT_MAGIC "GHCHKPT1"
enum {
	CHECKPOINT_HEADER = 8 + JOURNAL_ID_BYTES + 4 + 8 + 8 + 8,
	CHECKPOINT_MAX_BYTES = 512 * 1024 * 1024,
};

enum rc
checkpoint_make(const struct checkpoint_key *key, uint64_t position,
		const struct positions *positions, const struct desk *desk, struct buf *out)
{
	uint8_t *header, crc[4];
	size_t fleet_len, begin = buf_len(out);

	header = buf_reserve(out, CHECKPOINT_HEADER);
	if (header == NULL)
		return RC_AGAIN;
	buf_added(out, CHECKPOINT_HEADER);
	if (positions_save(positions, out) != RC_OK)
		return RC_AGAIN;
	fleet_len = buf_len(out) - begin - CHECKPOINT_HEADER;
	if (desk_save(desk, out) != RC_OK)
		return RC_AGAIN;
	header = buf_front(out) + begin; /* it may have moved */
	memcpy(header, CHECKPOINT_MAGIC, 8);
	memcpy(header + 8, key->journal_id, JOURNAL_ID_BYTES);
	header = le_put32(header + 8 + JOURNAL_ID_BYTES, key->node);
	header = le_put64(header, position);
	header = le_put64(header, fleet_len);
	(void)le_put64(header, buf_len(out) - begin - CHECKPOINT_HEADER - fleet_len);
	(void)le_put32(crc, crc32c(0, buf_front(out) + begin, buf_len(out) - begin));
	return buf_append(out, crc, sizeof(crc));
}

/* What is in a checkpoint: parts of its bytes. */
struct checkpoint_parts {
	struct checkpoint_key key;
	uint64_t position;
	const uint8_t *positions, *desk;
	uint64_t positions_len, desk_len;
};

static enum rc
checkpoint_parse(const uint8_t *bytes, size_t n, struct checkpoint_parts *parts, struct err *err)
{
	const uint8_t *at = bytes + 8 + JOURNAL_ID_BYTES;

	if (n < CHECKPOINT_HEADER + 4 || memcmp(bytes, CHECKPOINT_MAGIC, 8) != 0 ||
	    crc32c(0, bytes, n - 4) != le_get32(bytes + n - 4))
		return err_invalid(err, "it is damaged");
	memcpy(parts->key.journal_id, bytes + 8, JOURNAL_ID_BYTES);
	parts->key.node = le_get32(at);
	parts->position = le_get64(at + 4);
	parts->positions_len = le_get64(at + 12);
	parts->desk_len = le_get64(at + 20);
	n -= CHECKPOINT_HEADER + 4;
	if (parts->positions_len > n || parts->desk_len != n - parts->positions_len)
		return err_invalid(err, "its parts have impossible lengths");
	parts->positions = bytes + CHECKPOINT_HEADER;
	parts->desk = parts->positions + parts->positions_len;
	return RC_OK;
}

/* The caller frees *bytes.  RC_EOF: there is none. */
static enum rc
checkpoint_load(const char *dir, uint8_t **bytes, struct checkpoint_parts *parts, struct err *err)
{
	char *path = xasprintf("%s/checkpoint", dir);
	size_t n = 0;
	enum rc rc = fs_read_file(path, CHECKPOINT_MAX_BYTES, bytes, &n, err);

	if (rc == RC_FAIL && err->sys == ENOENT)
		rc = RC_EOF;
	else if (rc == RC_OK)
		rc = checkpoint_parse(*bytes, n, parts, err);
	free(path);
	return rc;
}

enum rc
checkpoint_read_proof(const char *dir, uint32_t node, struct journal_proof *proof, struct err *err)
{
	struct checkpoint_parts parts;
	uint8_t *bytes = NULL;
	enum rc rc = checkpoint_load(dir, &bytes, &parts, err);

	/* of another node: whose journal this is, the journal itself says */
	if (rc == RC_OK && parts.key.node != node)
		rc = RC_EOF;
	if (rc == RC_OK) {
		memcpy(proof->id, parts.key.journal_id, JOURNAL_ID_BYTES);
		proof->position = parts.position;
	}
	free(bytes);
	return rc;
}

enum rc
checkpoint_read(const char *dir, const struct checkpoint_key *key, uint64_t *position,
		struct positions *positions, struct desk *desk, struct err *err)
{
	struct checkpoint_parts parts;
	uint8_t *bytes = NULL;
	enum rc rc = checkpoint_load(dir, &bytes, &parts, err);

	if (rc == RC_OK && (parts.key.node != key->node ||
			    memcmp(parts.key.journal_id, key->journal_id, JOURNAL_ID_BYTES) != 0))
		rc = err_invalid(err, "it belongs to another journal");
	if (rc == RC_OK)
		rc = positions_load(positions, parts.positions, parts.positions_len, err);
	if (rc == RC_OK)
		rc = desk_load(desk, parts.desk, parts.desk_len, err);
	if (rc == RC_OK)
		*position = parts.position;
	free(bytes);
	return rc;
}
