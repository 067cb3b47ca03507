/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A steady stream of records allocates nothing on its way from the socket to the journal
 * and back to the socket as an ack: TLS, frame, message, look, token, entry, group, append,
 * flush, answer.  Counted, for the server's turns alone, over every library.
 *
 * Seen to fail: where tls_memory.c never knows which loop is at work (OpenSSL's buffers and
 * its words for each record), with `spare_outs` left out of stream.c, and with one
 * allocation added to card_token().  The second one with room for one in `spare_outs`, the
 * third one with explicit_bzero() left out of tls_memory.c.
 */
#include "../../../src/wire/stream_priv.h"
#include "../../fake/malloc_count.h"
#include "device.h"

enum {
	WARM_ROUNDS = 30, /* a site's keys, a batch's room, and OpenSSL's first times */
	ROUNDS = 60,
	RECORDS_PER_ROUND = 5,
	TURNS_MAX = 50,
};

/* What the server allocates in one turn and one flush. */
static uint64_t
server_turn(struct rig *rig)
{
	uint64_t before = malloc_count();

	loop_fake_turn(rig->sides[0].loop, 0);
	book_turn(&rig->book);
	return malloc_count() - before;
}

/* Some records, until they are acknowledged: what the server allocated for them. */
static uint64_t
one_round(struct rig *rig, struct device *elm, uint64_t round)
{
	uint64_t last = (round + 1) * RECORDS_PER_ROUND, allocated = 0;

	device_say_records(elm, last - RECORDS_PER_ROUND + 1, last);
	for (unsigned turn = 0; device_acked(elm) < last; turn++) {
		if (turn == TURNS_MAX)
			fail_msg("record %lu is not acknowledged", (unsigned long)last);
		loop_fake_turn(rig->outside, 1);
		allocated += server_turn(rig);
	}
	return allocated;
}

static void
a_record_allocates_nothing(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");
	uint64_t allocated = 0;

	(void)state;
	/* or nothing would be seen whatever happens */
	assert_true(malloc_count() > 0);
	for (uint64_t round = 0; round < WARM_ROUNDS; round++)
		(void)one_round(rig, elm, round);
	for (uint64_t round = WARM_ROUNDS; round < WARM_ROUNDS + ROUNDS; round++)
		allocated += one_round(rig, elm, round);
	assert_int_equal(allocated, 0);
	assert_all_once(rig, (WARM_ROUNDS + ROUNDS) * RECORDS_PER_ROUND);
	rig_free(rig);
}

/* Both answers wait for the end of the same turn. */
static uint64_t
one_round_of_two(struct rig *rig, struct device *elm, struct device *oak, size_t round)
{
	uint64_t allocated = 0;

	device_put_heartbeat(elm);
	device_send(elm);
	device_put_heartbeat(oak);
	device_send(oak);
	for (unsigned turn = 0; device_told(elm, TOLD(HEARTBEAT_REPLY)) <= round ||
				device_told(oak, TOLD(HEARTBEAT_REPLY)) <= round;
	     turn++) {
		if (turn == TURNS_MAX)
			fail_msg("heartbeat %zu is not answered", round);
		loop_fake_turn(rig->outside, 1);
		allocated += server_turn(rig);
	}
	return allocated;
}

static void
answers_to_many_allocate_nothing(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");
	struct device *oak = device_begin(rig, 1, 0, "oak-1");
	uint64_t allocated = 0;

	(void)state;
	for (size_t round = 0; round < WARM_ROUNDS; round++)
		(void)one_round_of_two(rig, elm, oak, round);
	for (size_t round = WARM_ROUNDS; round < WARM_ROUNDS + ROUNDS; round++)
		allocated += one_round_of_two(rig, elm, oak, round);
	assert_int_equal(allocated, 0);
	rig_free(rig);
}

static size_t
expect_no_card(const struct tls_spares *spares)
{
	Gatehouse__V1__Record record = device_record(1);

	for (unsigned i = 0; i < spares->n_large; i++)
		assert_null(memmem(spares->large[i], 16 * 1024, record.card.data, record.card.len));
	return spares->n_large;
}

/* OpenSSL decrypts into buffers that it gives back, and that are kept for the next.  All
 * loops are turned by one thread here, so that each may have what was another's. */
static void
what_was_read_is_wiped_where_it_stood(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");
	size_t n = 0;

	(void)state;
	for (uint64_t round = 0; round < 4; round++)
		(void)one_round(rig, elm, round);
	n += expect_no_card(&rig->devices_set->spares);
	for (unsigned i = 0; i < WORKERS; i++)
		n += expect_no_card(&rig->sides[i].set->spares);
	assert_true(n > 0);
	rig_free(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_allocates_nothing),
		cmocka_unit_test(answers_to_many_allocate_nothing),
		cmocka_unit_test(what_was_read_is_wiped_where_it_stood),
	};

	/* as the daemon does, before anything else of OpenSSL */
	tls_fail_without_memory();
	return cmocka_run_group_tests(tests, rig_make_folder, rig_remove_folder);
}
