/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups: the memory in which entries travel from a producer to the disk.  An
 * entry is built once, in the place from which it is written.
 *
 * Owner: whoever holds the group: the producer until it posts, the appender until
 * it returns it.  Invariant: len is the end of a whole entry.
 *
 * What this deliberately does not do: crcs, which depend on the order in which
 * groups reach the disk.
 */
#include <stdlib.h>

#include "journal_priv.h"

struct group *
group_new(size_t capacity, struct mailbox *return_to, void *owner)
{
	struct group *group = xcalloc(1, sizeof(*group));

	must(capacity >= (size_t)JOURNAL_ENTRY_HEADER + JOURNAL_BODY_MAX);
	group->data = xcalloc(1, capacity);
	group->capacity = capacity;
	group->return_to = return_to;
	group->owner = owner;
	return group;
}

void
group_free(struct group **group)
{
	if (!*group)
		return;
	free((*group)->data);
	free(*group);
	*group = NULL;
}

void
group_clear(struct group *group)
{
	group->len = 0;
	group->entries = 0;
	group->flags = 0;
}

uint8_t *
group_add(struct group *group, uint8_t type, uint8_t flags, size_t body_len)
{
	/* both are our own mistakes: bounds of the outside are the wire's business */
	must(type != 0);
	must(body_len <= JOURNAL_BODY_MAX);
	if (group->capacity - group->len < JOURNAL_ENTRY_HEADER + body_len)
		return NULL;
	uint8_t *entry = group->data + group->len;

	format_put_entry(entry, type, flags, (uint32_t)body_len);
	group->len += JOURNAL_ENTRY_HEADER + body_len;
	group->entries++;
	group->flags |= flags;
	return entry + JOURNAL_ENTRY_HEADER;
}
