/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which records were already seen ahead of their turn: a table with an order,
 * so that the oldest can go when it is full.
 *
 * A record that is forgotten before its turn came is counted twice by its alarm;
 * nothing is lost by that.  With AHEAD_MAX of them that takes a fleet whose
 * backlogs hold 65,536 alarms.
 *
 * Owner: the desk.
 */
#include <stdlib.h>

#include "desk_priv.h"

void
ahead_init(struct ahead_set *set)
{
	*set = (struct ahead_set){0};
	TAILQ_INIT(&set->order);
}

struct ahead_key
ahead_key_of(const struct record *record)
{
	return (struct ahead_key){
		.epoch = record->epoch,
		.seq = record->seq,
		.controller_id = record->controller_id,
	};
}

static struct ahead_one *
ahead_find(const struct ahead_set *set, const struct ahead_key *key)
{
	struct ahead_one *one;

	HASH_FIND(hh, set->by_key, key, sizeof(*key), one);
	return one;
}

static void
ahead_remove(struct ahead_set *set, struct ahead_one *one)
{
	HASH_DEL(set->by_key, one);
	TAILQ_REMOVE(&set->order, one, in_order);
	set->n--;
	free(one);
}

void
ahead_clear(struct ahead_set *set)
{
	struct ahead_one *one;

	while ((one = TAILQ_FIRST(&set->order)) != NULL)
		ahead_remove(set, one);
}

bool
ahead_knows(const struct ahead_set *set, const struct ahead_key *key)
{
	return ahead_find(set, key) != NULL;
}

void
ahead_remember(struct ahead_set *set, const struct ahead_key *key)
{
	struct ahead_one *one = xcalloc(1, sizeof(*one));

	if (set->n == AHEAD_MAX)
		ahead_remove(set, TAILQ_FIRST(&set->order));
	one->key = *key;
	HASH_ADD(hh, set->by_key, key, sizeof(one->key), one);
	TAILQ_INSERT_TAIL(&set->order, one, in_order);
	set->n++;
}

void
ahead_forget(struct ahead_set *set, const struct ahead_key *key)
{
	struct ahead_one *one = ahead_find(set, key);

	if (one != NULL)
		ahead_remove(set, one);
}
