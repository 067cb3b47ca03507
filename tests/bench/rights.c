/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A million rights over ten thousand doors: what they cost in memory, how long a
 * snapshot and a start take, a list for every controller, and a hundred thousand changes
 * in one go.  One line of JSON; times are milliseconds of processor, which other work on the
 * machine does not change.
 *
 *	build/bench/rights [RIGHTS [DOORS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "register/rules.h"
#include "wire/kind.h"

enum {
	DOORS_OF_SITE = 100,
	DOORS_OF_CONTROLLER = 2,
	RIGHTS_OF_CARD = 5,
	CHANGES = 100000,
	DESK = 1000000,
	SNAPSHOT_MAX = 1 << 30,
	RIGHTS_PER_MESSAGE = 32,
};

/* Monday 2026-01-05T00:00:00Z */
#define NOW  (INT64_C(1767571200) * 1000000)
#define HOUR INT64_C(3600000000)

struct bench {
	uint32_t n_rights, n_doors, n_cards, n_controllers;
	struct reg *reg;
	struct rights *rights;
	uint64_t position;
};

static uint64_t
resident_kib(void)
{
	unsigned long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file == NULL || fscanf(file, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	if (file != NULL)
		(void)fclose(file);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static uint64_t
spent_ns(void)
{
	struct timespec spent;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	return (uint64_t)spent.tv_sec * 1000000000u + (uint64_t)spent.tv_nsec;
}

static double
ms_since(uint64_t begin_ns)
{
	return (double)(spent_ns() - begin_ns) / 1e6;
}

/* ---- The estate ---------------------------------------------------------------- */

static void
make_register(struct bench *b)
{
	struct reg_builder *builder = reg_builder_new();
	struct err err;

	reg_add_station(builder, 1, "s", "");
	reg_add_area(builder, 1, 0, 1, "a", "");
	reg_add_desk(builder, DESK, "office", DESK_MANAGER, true);
	for (uint32_t site = 1; site <= b->n_doors / DOORS_OF_SITE; site++) {
		char code[32];

		(void)snprintf(code, sizeof(code), "site-%u", site);
		reg_add_site(builder, site, 1, code, "", "");
		reg_set_timezone(builder, "Asia/Shanghai");
		reg_add_link(builder, REG_DESK_SITES, DESK, site);
	}
	for (uint32_t door = 1; door <= b->n_doors; door++) {
		uint32_t site = 1 + (door - 1) / DOORS_OF_SITE;
		uint32_t controller = 1 + (door - 1) / DOORS_OF_CONTROLLER;
		uint32_t number = 1 + (door - 1) % DOORS_OF_CONTROLLER;
		char code[32];

		(void)snprintf(code, sizeof(code), "c-%u", controller);
		if (number == 1)
			reg_add_controller(builder, controller, site, code, true);
		(void)snprintf(code, sizeof(code), "door-%u", door);
		reg_add_door(builder, &(struct door){.id = door,
						     .site_id = site,
						     .controller_id = controller,
						     .number = number,
						     .code = code});
	}
	if (reg_build(&builder, NOW, &b->reg, &err) != RC_OK)
		fatal("%s", err.msg);
}

static void
key_of(uint32_t card, uint8_t key[CARD_KEY_BYTES])
{
	uint64_t state = card;

	/* as even as an HMAC's output; splitmix64 */
	for (size_t i = 0; i < CARD_KEY_BYTES; i += 8) {
		uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		(void)le_put64(key + i, z ^ z >> 31);
	}
}

static uint32_t
site_of(const struct bench *b, uint32_t card)
{
	return 1 + card % (b->n_doors / DOORS_OF_SITE);
}

/* A door of the card's site: its i-th. */
static uint32_t
door_of(const struct bench *b, uint32_t card, uint32_t i)
{
	uint32_t first = (site_of(b, card) - 1) * DOORS_OF_SITE;

	return 1 + first + (card / (b->n_doors / DOORS_OF_SITE) + i * 20) % DOORS_OF_SITE;
}

static void
change_decided(struct bench *b, uint32_t card, const struct registration *ask)
{
	uint8_t key[CARD_KEY_BYTES];
	struct rules_request request = {.desk = reg_desk(b->reg, DESK),
					.site = reg_site(b->reg, site_of(b, card)),
					.card_key = key,
					.now_us = NOW};
	struct right_change change;
	struct err err;

	key_of(card, key);
	if (rules_decide(b->rights, b->reg, &request, ask, &change, &err) != REJECT_NONE)
		fatal("%s", err.msg);
	rights_apply(b->rights, &change);
	rights_number(b->rights, b->position += 200);
}

static void
register_cards(struct bench *b)
{
	for (uint32_t card = 1; card <= b->n_cards; card++) {
		struct registration ask = {.kind = KIND_CODE_CARD_REGISTERED,
					   .card_kind = CARD_KIND_OWNER,
					   .unit = "",
					   .group = ""};
		char codes[RIGHTS_OF_CARD][32];
		const char *doors[RIGHTS_OF_CARD];

		change_decided(b, card, &ask);
		for (uint32_t i = 0; i < RIGHTS_OF_CARD; i++) {
			(void)snprintf(codes[i], sizeof(codes[i]), "door-%u", door_of(b, card, i));
			doors[i] = codes[i];
		}
		ask.kind = KIND_CODE_GRANT_SET;
		ask.card_kind = CARD_KIND_NONE;
		ask.doors = doors;
		ask.n_doors = RIGHTS_OF_CARD;
		ask.valid_from_us = NOW - HOUR;
		ask.valid_until_us = NOW + 1000 * HOUR;
		change_decided(b, card, &ask);
	}
}

static void
hang_doors(struct bench *b)
{
	for (uint32_t id = 1; id <= b->n_controllers; id++) {
		const struct controller *controller = reg_controller(b->reg, id);
		struct list_doors doors = {.controller_id = id,
					   .site_id = controller->site_id,
					   .timezone = controller->site->timezone,
					   .timezone_len = strlen(controller->site->timezone),
					   .n_doors = controller->n_doors};

		for (size_t i = 0; i < controller->n_doors; i++) {
			doors.doors[i].door_id = controller->doors[i]->id;
			doors.doors[i].number = controller->doors[i]->number;
		}
		rights_set_doors(b->rights, &doors, b->position += 200);
	}
}

/* ---- What is measured ------------------------------------------------------------ */

static uint64_t
list_bytes(const struct rights_list *list, struct buf *out)
{
	struct list_begin begin = {.number = list->number,
				   .full = list->full,
				   .timezone = list->timezone,
				   .timezone_posix = "CST-8",
				   .rights = (uint32_t)list->n_put};

	buf_clear(out);
	if (list_put_begin(out, &begin) != RC_OK)
		fatal("a list is too long");
	for (size_t i = 0; i < list->n_put; i += RIGHTS_PER_MESSAGE) {
		size_t left = list->n_put - i;

		if (list_put_change(out, &list->put[i],
				    left < RIGHTS_PER_MESSAGE ? left : RIGHTS_PER_MESSAGE, NULL,
				    0) != RC_OK)
			fatal("a list is too long");
	}
	if (list_put_end(out, list->number) != RC_OK)
		fatal("a list is too long");
	return buf_len(out);
}

/* Every controller asks for everything. */
static void
full_resync(struct bench *b)
{
	uint64_t begin_ns = spent_ns(), bytes = 0, rights = 0;
	struct buf out;

	buf_init(&out, SNAPSHOT_MAX);
	for (uint32_t id = 1; id <= b->n_controllers; id++) {
		struct rights_list list;

		if (rights_list_since(b->rights, id, 0, NOW, &list) != RC_OK)
			fatal("controller %u has no list", id);
		bytes += list_bytes(&list, &out);
		rights += list.n_put;
		rights_list_fini(&list);
	}
	(void)printf(", \"resync_ms\": %.0f, \"resync_rights\": %lu, \"resync_mib\": %.1f",
		     ms_since(begin_ns), (unsigned long)rights, (double)bytes / 1048576);
	buf_fini(&out);
}

static void
snapshot(struct bench *b)
{
	struct rights_conf conf = {.changes = 262144, .history_us = 168 * HOUR};
	struct rights *again = rights_new(&conf);
	uint64_t begin_ns = spent_ns();
	struct buf bytes;
	struct err err;

	buf_init(&bytes, SNAPSHOT_MAX);
	if (rights_save(b->rights, &bytes) != RC_OK)
		fatal("the snapshot is too long");
	(void)printf(", \"save_ms\": %.0f, \"snapshot_mib\": %.1f", ms_since(begin_ns),
		     (double)buf_len(&bytes) / 1048576);
	begin_ns = spent_ns();
	if (rights_load(again, buf_front(&bytes), buf_len(&bytes), &err) != RC_OK)
		fatal("%s", err.msg);
	(void)printf(", \"load_ms\": %.0f", ms_since(begin_ns));
	buf_fini(&bytes);
	rights_free(&again);
}

/* Cards suspended, and each of their doors told. */
static void
changes_in_one_go(struct bench *b)
{
	uint64_t begin_ns = spent_ns();
	uint32_t ids[1024];
	size_t touched = 0, n;

	while (rights_take_touched(b->rights, ids, 1024) > 0)
		;
	begin_ns = spent_ns();
	for (uint32_t i = 0; i < CHANGES; i++) {
		struct registration ask = {
			.kind = KIND_CODE_CARD_SUSPENDED, .unit = "", .group = ""};

		change_decided(b, 1 + i % b->n_cards, &ask);
	}
	(void)printf(", \"changes\": %d, \"changes_ms\": %.0f", CHANGES, ms_since(begin_ns));
	while ((n = rights_take_touched(b->rights, ids, 1024)) > 0)
		touched += n;
	(void)printf(", \"controllers_touched\": %zu", touched);
}

int
main(int argc, char **argv)
{
	struct rights_conf conf = {.changes = 262144, .history_us = 168 * HOUR};
	struct bench b = {.n_rights = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000,
			  .n_doors = argc > 2 ? (uint32_t)atoi(argv[2]) : 10000,
			  .position = 1000};
	struct rights_stats stats;
	uint64_t before_kib, begin_ns;

	b.n_cards = b.n_rights / RIGHTS_OF_CARD;
	b.n_controllers = b.n_doors / DOORS_OF_CONTROLLER;
	make_register(&b);
	before_kib = resident_kib();
	b.rights = rights_new(&conf);
	hang_doors(&b);
	begin_ns = spent_ns();
	register_cards(&b);
	rights_get_stats(b.rights, &stats);
	(void)printf("{\"cards\": %zu, \"rights\": %zu, \"controllers\": %zu, \"doors\": %u, "
		     "\"decide_ms\": %.0f, \"resident_mib\": %.1f",
		     stats.cards, stats.rights, stats.controllers, b.n_doors, ms_since(begin_ns),
		     (double)(resident_kib() - before_kib) / 1024);
	full_resync(&b);
	snapshot(&b);
	changes_in_one_go(&b);
	(void)printf("}\n");
	rights_free(&b.rights);
	reg_unref(&b.reg);
	return 0;
}
