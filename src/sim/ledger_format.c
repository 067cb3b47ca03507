/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of the ledger's entries.  One table says which fields a type has;
 * writing and reading both follow it, so that they can't differ.
 *
 * Pure functions.  Reading never goes beyond the bytes given: what is cut off
 * is RC_AGAIN, what can't be an entry is RC_INVALID.
 */
#include <stddef.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/ledger.h"

/* A field of struct ledger_entry; width 0 is the name. */
struct ledger_field {
	uint8_t width;
	uint8_t offset;
};

#define FIELD(member)                                                                              \
	{                                                                                          \
		sizeof(((struct ledger_entry *)0)->member), offsetof(struct ledger_entry, member)  \
	}
#define NAME_FIELD                                                                                 \
	{                                                                                          \
		0, offsetof(struct ledger_entry, name)                                             \
	}

enum { LEDGER_FIELDS_MAX = 10 };

struct ledger_layout {
	uint8_t n;
	struct ledger_field fields[LEDGER_FIELDS_MAX];
};

static const struct ledger_layout ledger_layouts[LEDGER_TYPES] = {
	[LEDGER_RUN] = {2, {FIELD(wall_us), FIELD(mono_ns)}},
	[LEDGER_STREAM] = {3, {FIELD(id), FIELD(epoch), NAME_FIELD}},
	[LEDGER_SENT] = {6,
			 {FIELD(id), FIELD(seq), FIELD(wall_us), FIELD(kind), FIELD(door),
			  FIELD(row)}},
	[LEDGER_ACK] = {2, {FIELD(id), FIELD(seq)}},
	[LEDGER_REJECT] = {3, {FIELD(id), FIELD(seq), FIELD(kind)}},
	[LEDGER_LOST] = {3, {FIELD(id), FIELD(seq), FIELD(last_seq)}},
	[LEDGER_ALARM_SENT] = {3, {FIELD(id), FIELD(seq), FIELD(mono_ns)}},
	[LEDGER_CONSOLE] = {2, {FIELD(id), NAME_FIELD}},
	[LEDGER_SUBSCRIBED] = {3, {FIELD(id), FIELD(mono_ns), FIELD(position)}},
	[LEDGER_RESYNC] = {3, {FIELD(id), FIELD(mono_ns), FIELD(position)}},
	[LEDGER_SEEN] = {10,
			 {FIELD(id), FIELD(mono_ns), FIELD(position), FIELD(alarm_id), FIELD(epoch),
			  FIELD(seq), FIELD(kind), FIELD(state), FIELD(snapshot), NAME_FIELD}},
	[LEDGER_LIST] = {4, {FIELD(id), FIELD(position), FIELD(seq), FIELD(last_seq)}},
	[LEDGER_SNAPSHOT_END] = {3, {FIELD(id), FIELD(mono_ns), FIELD(position)}},
};

static uint8_t *
ledger_put_field(const struct ledger_entry *entry, struct ledger_field field, uint8_t *out)
{
	const char *from = (const char *)entry + field.offset;
	size_t len;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (field.width) {
	case 1:
		*out = (uint8_t)*from;
		return out + 1;
	case 2:
		memcpy(&u16, from, sizeof(u16));
		return le_put16(out, u16);
	case 4:
		memcpy(&u32, from, sizeof(u32));
		return le_put32(out, u32);
	case 8:
		memcpy(&u64, from, sizeof(u64));
		return le_put64(out, u64);
	default:
		len = strlen(entry->name);
		must(len <= TLS_NAME_MAX);
		*out++ = (uint8_t)len;
		memcpy(out, entry->name, len);
		return out + len;
	}
}

uint8_t *
ledger_encode(const struct ledger_entry *entry, uint8_t *out)
{
	const struct ledger_layout *layout = &ledger_layouts[entry->type];

	*out++ = (uint8_t)entry->type;
	for (size_t i = 0; i < layout->n; i++)
		out = ledger_put_field(entry, layout->fields[i], out);
	return out;
}

/* `in` holds at least the field's width.  Returns the place behind. */
static const uint8_t *
ledger_get_number(struct ledger_entry *entry, struct ledger_field field, const uint8_t *in)
{
	char *to = (char *)entry + field.offset;
	uint32_t u32;
	uint64_t u64;
	uint16_t u16;

	switch (field.width) {
	case 1:
		*to = (char)*in;
		break;
	case 2:
		u16 = (uint16_t)(in[0] | in[1] << 8);
		memcpy(to, &u16, sizeof(u16));
		break;
	case 4:
		u32 = le_get32(in);
		memcpy(to, &u32, sizeof(u32));
		break;
	default:
		u64 = le_get64(in);
		memcpy(to, &u64, sizeof(u64));
		break;
	}
	return in + field.width;
}

static enum rc
ledger_get_name(struct ledger_entry *entry, const uint8_t **in, const uint8_t *end, struct err *err)
{
	size_t len;

	if (*in == end)
		return RC_AGAIN;
	len = *(*in)++;
	/* an alarm may be no controller's; whoever sends or sees has a name */
	if ((len == 0 && entry->type != LEDGER_SEEN) || len > TLS_NAME_MAX)
		return err_invalid(err, "a name of %zu bytes", len);
	if ((size_t)(end - *in) < len)
		return RC_AGAIN;
	if (memchr(*in, '\0', len) != NULL)
		return err_invalid(err, "a name with a zero byte");
	memcpy(entry->name, *in, len);
	entry->name[len] = '\0';
	*in += len;
	return RC_OK;
}

enum rc
ledger_decode(const uint8_t *bytes, size_t n, struct ledger_entry *entry, size_t *used,
	      struct err *err)
{
	const uint8_t *in = bytes, *end = bytes + n;
	const struct ledger_layout *layout;

	if (n == 0)
		return RC_AGAIN;
	if (*in == 0 || *in >= LEDGER_TYPES)
		return err_invalid(err, "no entry has the type %u", *in);
	*entry = (struct ledger_entry){.type = (enum ledger_type) * in++};
	layout = &ledger_layouts[entry->type];
	for (size_t i = 0; i < layout->n; i++) {
		struct ledger_field field = layout->fields[i];

		if (field.width == 0) {
			enum rc rc = ledger_get_name(entry, &in, end, err);

			if (rc != RC_OK)
				return rc;
		} else if ((size_t)(end - in) < field.width) {
			return RC_AGAIN;
		} else {
			in = ledger_get_number(entry, field, in);
		}
	}
	*used = (size_t)(in - bytes);
	return RC_OK;
}
