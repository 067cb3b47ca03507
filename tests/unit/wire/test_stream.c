/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams once they are open: every byte arrives once and in order whatever the
 * pace, limits hold, one stream takes no turn from another, and each way to end.
 */
#include "stream_fixture.h"

#include "../../../src/wire/stream_priv.h"

enum { QUIET_TURNS = 20 };

static int
make_pki(void **state)
{
	static const struct pki_wish wishes[] = {
		{.name = "server", .alt_names = "DNS:localhost"},
		{.name = "north-17", .alt_names = PKI_CONTROLLER "north-17"},
	};

	(void)state;
	pki_init_with(&pki, wishes, ARRAY_LEN(wishes));
	return 0;
}

static void
raw_open(struct fixture *f, struct raw *raw)
{
	raw_begin(f, raw, &(struct raw_wish){.who = "north-17", .alpn = "\x0bgatehouse/1"});
	UNTIL(f, (raw_step(raw), f->servers[0].opened == 1));
}

/* ---- Bytes ------------------------------------------------------------------------- */

static void
bytes_arrive_in_order_both_ways(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t up = 0, down = 0;

	for (size_t n = 1; n < 3000; n = n * 3 + 1) {
		assert_int_equal(side_write(client, &up, n), RC_OK);
		assert_int_equal(side_write(server, &down, n + 1), RC_OK);
	}
	UNTIL(f, server->received == up && client->received == down);
	assert_int_equal(stream_unsent(client->stream), 0);
}

static void
much_is_sent_at_the_pace_of_the_reader(void **state)
{
	enum { TOTAL = 8 * 1024 * 1024, PIECE = 10000 };
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;
	bool held_back = false;
	int turns = 0;

	while (client->received < TOTAL) {
		while (written < TOTAL && side_write(server, &written, PIECE) == RC_OK)
			assert_true(stream_unsent(server->stream) <= OUTPUT_LIMIT);
		held_back = held_back || written < TOTAL;
		turn(f);
		assert_true(turns++ < TURNS_MAX);
	}
	assert_true(held_back);
	UNTIL(f, stream_unsent(server->stream) == 0);
	UNTIL(f, client->received == written);
	assert_true(server->drained > 0);
}

static void
the_output_limit_holds_and_nothing_is_lost(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0, before;
	int refused = 0;

	stream_pause(client->stream);
	/* until the kernel takes nothing more and the limit is reached, turn after turn */
	for (int turns = 0; refused < QUIET_TURNS; turns++) {
		assert_true(turns < TURNS_MAX);
		before = written;
		while (side_write(server, &written, 1000) == RC_OK)
			continue;
		refused = written == before ? refused + 1 : 0;
		assert_in_range(stream_unsent(server->stream), 1, OUTPUT_LIMIT);
		turn(f);
	}
	assert_int_equal(side_write(server, &written, OUTPUT_LIMIT + 1), RC_AGAIN);
	assert_int_equal(client->received, 0);
	server->drained = 0;
	stream_resume(client->stream);
	UNTIL(f, client->received == written);
	UNTIL(f, server->drained == 1);
}

static void
an_idle_stream_keeps_no_buffer(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t up = 0, down = 0;

	server->use_at_most = 100;
	assert_int_equal(side_write(client, &up, 1000), RC_OK);
	assert_int_equal(side_write(server, &down, 1000), RC_OK);
	UNTIL(f, server->received == 100 && client->received == down);
	assert_non_null(server->stream->kept.data);
	server->use_at_most = 0;
	assert_int_equal(side_write(client, &up, 1), RC_OK);
	UNTIL(f, server->received == up);
	assert_null(server->stream->kept.data);
	assert_null(server->stream->out.data);
	assert_null(client->stream->out.data);
}

/* ---- Pausing ------------------------------------------------------------------------- */

static void
what_was_kept_comes_again_in_front_after_a_pause(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;

	server->use_at_most = 3;
	server->pause_in_bytes = true;
	assert_int_equal(side_write(client, &written, 10), RC_OK);
	UNTIL(f, server->offers == 1);
	assert_int_equal(server->received, 3);
	assert_int_equal(side_write(client, &written, 5), RC_OK);
	for (int i = 0; i < QUIET_TURNS; i++)
		turn(f);
	assert_int_equal(server->offers, 1);
	server->use_at_most = 0;
	server->pause_in_bytes = false;
	stream_resume(server->stream);
	UNTIL(f, server->received == written);
	assert_int_equal(server->kept, 0);
}

static void
what_was_kept_comes_again_though_nothing_follows(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;

	server->use_at_most = 3;
	server->pause_in_bytes = true;
	assert_int_equal(side_write(client, &written, 10), RC_OK);
	UNTIL(f, server->offers == 1);
	server->use_at_most = 0;
	server->pause_in_bytes = false;
	stream_resume(server->stream);
	stream_resume(server->stream);
	UNTIL(f, server->received == written);
	assert_int_equal(server->offers, 2);
	assert_int_equal(server->offered, 7);
}

static void
a_paused_reader_holds_the_writer_back(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;

	server->use_at_most = 1;
	server->pause_in_bytes = true;
	for (int i = 0; i < 200; i++) {
		while (side_write(client, &written, 20000) == RC_OK)
			continue;
		turn(f);
	}
	/* TCP pushes back; what we hold is what we were offered, not more */
	assert_int_equal(server->offers, 1);
	assert_true(buf_len(&server->stream->kept) <= BUDGET);
	assert_true(stream_unsent(client->stream) > 0);
	server->use_at_most = 0;
	server->pause_in_bytes = false;
	stream_resume(server->stream);
	UNTIL(f, server->received == written);
}

/* ---- Budget ---------------------------------------------------------------------------- */

static void
one_stream_takes_no_turn_from_another(void **state)
{
	struct fixture *f = *state;
	struct side *greedy = client_open(f, "north-17"), *modest = client_open(f, "north-17");
	uint64_t much = 0, little = 0;
	int turns = 0;

	assert_int_equal(side_write(greedy, &much, OUTPUT_LIMIT), RC_OK);
	UNTIL(f, f->servers[0].offers > 0);
	while (f->servers[0].received < much) {
		uint64_t before = f->servers[1].received;

		assert_int_equal(side_write(modest, &little, 1), RC_OK);
		turn(f);
		turn(f);
		assert_true(f->servers[0].taken_turn <= BUDGET);
		/* two turns: it leaves in the first, and has come by the second */
		assert_true(f->servers[1].received > before);
		assert_true(turns++ < TURNS_MAX);
	}
	assert_true(turns >= OUTPUT_LIMIT / BUDGET / 3);
}

/* The limit of time is over with the first that is read: who was not read is first in the
 * next turn, however much the other one has. */
static void
one_turn_does_not_read_for_ever(void **state)
{
	struct fixture *f = *state;
	struct side *greedy = client_open(f, "north-17"), *modest = client_open(f, "north-17");
	uint64_t much = 0, little = 0;

	f->set->limits.read_ns = 1;
	f->servers[0].takes_ms = f->servers[1].takes_ms = 1;
	assert_int_equal(side_write(greedy, &much, OUTPUT_LIMIT), RC_OK);
	assert_int_equal(side_write(modest, &little, 1), RC_OK);
	while (f->servers[0].received < much) {
		size_t offers = f->servers[0].offers + f->servers[1].offers;

		turn(f);
		assert_true(f->servers[0].offers + f->servers[1].offers <= offers + 1);
	}
	/* it came to its turn before the other one was at its end */
	assert_int_equal(f->servers[1].received, little);
}

static void
a_full_buffer_that_is_of_no_use_ends_the_stream(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;

	server->use_nothing = true;
	assert_int_equal(side_write(client, &written, BUDGET - 1), RC_OK);
	UNTIL(f, server->offered == BUDGET - 1);
	for (int i = 0; i < QUIET_TURNS; i++)
		turn(f);
	assert_int_equal(server->closed, 0);
	assert_int_equal(side_write(client, &written, 1), RC_OK);
	UNTIL(f, server->closed == 1);
	assert_int_equal(server->end, STREAM_END_OVERFLOW);
	UNTIL(f, client->closed == 1);
}

static void
a_full_buffer_is_fine_while_paused(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;

	server->use_nothing = true;
	server->pause_in_bytes = true;
	assert_int_equal(side_write(client, &written, 3 * BUDGET), RC_OK);
	UNTIL(f, server->offered == BUDGET);
	for (int i = 0; i < QUIET_TURNS; i++)
		turn(f);
	assert_int_equal(server->closed, 0);
	server->use_nothing = false;
	server->pause_in_bytes = false;
	stream_resume(server->stream);
	UNTIL(f, server->received == written);
}

/* ---- Owners --------------------------------------------------------------------------------- */

static void
on_open_hand_over(void *arg, struct stream *stream)
{
	struct side *side = arg;

	stream_hand_over(stream, &side_hooks, side);
	side->stream = stream;
	side->opened++;
}

static size_t
never_on_bytes(void *arg, struct stream *stream, const uint8_t *bytes, size_t n)
{
	(void)arg;
	(void)stream;
	(void)bytes;
	(void)n;
	fail();
	return 0;
}

static void
never_on_closed(void *arg, struct stream *stream, enum stream_end end, const struct err *err)
{
	(void)arg;
	(void)stream;
	(void)end;
	(void)err;
	fail();
}

static void
another_owner_gets_all_that_follows(void **state)
{
	static const struct stream_hooks door_hooks = {
		.on_open = on_open_hand_over,
		.on_bytes = never_on_bytes,
		.on_closed = never_on_closed,
	};
	struct fixture *f = *state;
	struct side *client = client_begin(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;

	UNTIL(f, f->n_servers == 1);
	stream_hand_over(f->accepted[0], &door_hooks, server);
	UNTIL(f, client->opened == 1);
	assert_int_equal(side_write(client, &written, 100), RC_OK);
	UNTIL(f, server->received == 100);
	stream_close(client->stream);
	UNTIL(f, server->closed == 1);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void
a_stream_may_be_closed_within_on_bytes(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;

	server->close_in_bytes = true;
	assert_int_equal(side_write(client, &written, 3 * BUDGET), RC_OK);
	UNTIL(f, client->closed == 1);
	assert_int_equal(server->end, STREAM_END_LOCAL);
	assert_int_equal(server->closed, 1);
	assert_int_equal(server->offers, 1);
}

static void
what_was_written_before_the_end_arrives(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;

	/* several TLS records, and well within what a socket takes at once */
	assert_int_equal(side_write(server, &written, 50000), RC_OK);
	stream_close(server->stream);
	assert_int_equal(server->end, STREAM_END_LOCAL);
	UNTIL(f, client->closed == 1);
	assert_int_equal(client->end, STREAM_END_PEER);
	assert_int_equal(client->received, written);
}

static void
closing_does_not_wait_for_a_peer_that_does_not_read(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;

	stream_pause(client->stream);
	for (int i = 0; i < 200; i++) {
		while (side_write(server, &written, 20000) == RC_OK)
			continue;
		turn(f);
	}
	assert_true(stream_unsent(server->stream) > 0);
	stream_close(server->stream);
	assert_int_equal(server->closed, 1);
	stream_resume(client->stream);
	UNTIL(f, client->closed == 1);
	assert_true(client->received > 0 && client->received < written);
}

static void
what_came_before_the_peers_end_is_offered_first(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;

	assert_int_equal(side_write(client, &written, 2 * BUDGET + 7), RC_OK);
	stream_close(client->stream);
	UNTIL(f, server->closed == 1);
	assert_int_equal(server->end, STREAM_END_PEER);
	assert_int_equal(server->received, written);
}

static void
an_end_without_goodbye_is_an_end(void **state)
{
	struct fixture *f = *state;
	struct raw raw;

	raw_open(f, &raw);
	raw_end(&raw);
	UNTIL(f, f->servers[0].closed == 1);
	assert_int_equal(f->servers[0].end, STREAM_END_PEER);
}

static void
a_reset_is_a_reset(void **state)
{
	struct linger now = {.l_onoff = 1};
	struct fixture *f = *state;
	struct raw raw;

	raw_open(f, &raw);
	assert_int_equal(setsockopt(raw.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	raw_end(&raw);
	UNTIL(f, f->servers[0].closed == 1);
	assert_int_equal(f->servers[0].end, STREAM_END_RESET);
	assert_int_equal(f->servers[0].err.sys, ECONNRESET);
}

static void
rubbish_between_the_records_breaks_it(void **state)
{
	static const uint8_t rubbish[] = {0x17, 3,  3,  0,  32, 1,  2,  3,  4,  5,  6,  7,  8,
					  9,    10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
					  22,   23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
	struct fixture *f = *state;
	struct raw raw;

	raw_open(f, &raw);
	assert_int_equal(write(raw.fd, rubbish, sizeof(rubbish)), sizeof(rubbish));
	UNTIL(f, f->servers[0].closed == 1);
	assert_int_equal(f->servers[0].end, STREAM_END_TLS);
	assert_non_null(strstr(f->servers[0].err.msg, "bad record mac"));
	raw_end(&raw);
}

static void
writing_to_one_that_is_gone_ends_it(void **state)
{
	struct linger now = {.l_onoff = 1};
	struct fixture *f = *state;
	uint64_t written = 0;
	struct raw raw;

	raw_open(f, &raw);
	/* paused: it does not hear of the end by reading */
	stream_pause(f->servers[0].stream);
	assert_int_equal(setsockopt(raw.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	raw_end(&raw);
	UNTIL(f, f->servers[0].closed == 1 || (side_write(&f->servers[0], &written, 100), false));
	assert_int_equal(f->servers[0].end, STREAM_END_RESET);
}

/* ---- TLS 1.3 ------------------------------------------------------------------------------------
 */

static void
new_keys_on_request_lose_no_byte(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[256], got[256];
	size_t n, have = 0;
	uint64_t down = 0;
	struct raw raw;

	raw_open(f, &raw);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = byte_of(i);
	for (size_t i = 0; i < sizeof(bytes); i += 16) {
		assert_int_equal(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_write_ex(raw.ssl, bytes + i, 16, &n), 1);
		UNTIL(f, f->servers[0].received == i + 16);
		assert_int_equal(side_write(&f->servers[0], &down, 16), RC_OK);
		UNTIL(f, (have +=
			  SSL_read_ex(raw.ssl, got + have, sizeof(got) - have, &n) == 1 ? n : 0,
			  have == i + 16));
	}
	assert_memory_equal(got, bytes, sizeof(bytes));
	ERR_clear_error();
	raw_end(&raw);
	UNTIL(f, f->servers[0].closed == 1);
}

/* ---- Behind the end ------------------------------------------------------------------ */

/* The client is in the middle of sending when the server has had enough, and reads
 * later.  Seen to fail without lingering: its own sending hears of a reset first. */
static void
the_last_words_are_heard_by_who_still_speaks(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t up = 0, down = 0;

	stream_pause(server->stream);
	assert_int_equal(side_write(client, &up, OUTPUT_LIMIT / 2), RC_OK);
	for (int i = 0; i < QUIET_TURNS; i++)
		turn(f);
	assert_int_equal(side_write(server, &down, 100), RC_OK);
	stream_pause(client->stream);
	stream_close(server->stream);
	for (int i = 0; i < QUIET_TURNS && client->closed == 0; i++) {
		assert_int_equal(side_write(client, &up, 1000), RC_OK);
		turn(f);
	}
	assert_int_equal(client->closed, 0);
	stream_resume(client->stream);
	UNTIL(f, client->closed == 1);
	assert_int_equal(client->received, 100);
	assert_int_equal(client->end, STREAM_END_PEER);
	UNTIL(f, stream_set_lingering(f->set) == 0);
}

/* Who does not end it either keeps the socket for a moment only. */
static void
lingering_ends_by_time_and_number(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < LINGER_MAX + 1; i++) {
		struct side *client = client_open(f, "north-17");

		stream_pause(client->stream);
	}
	for (int i = 0; i < LINGER_MAX + 1; i++)
		stream_close(f->servers[i].stream);
	assert_int_equal(stream_set_lingering(f->set), LINGER_MAX);
	for (int i = 0; i < QUIET_TURNS; i++)
		turn(f);
	assert_int_equal(stream_set_lingering(f->set), LINGER_MAX);
	now_ms += LINGER_MS;
	UNTIL(f, stream_set_lingering(f->set) == 0);
}

int
main(void)
{
#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		ON_LOOP(bytes_arrive_in_order_both_ways),
		ON_LOOP(much_is_sent_at_the_pace_of_the_reader),
		ON_LOOP(the_output_limit_holds_and_nothing_is_lost),
		ON_LOOP(an_idle_stream_keeps_no_buffer),
		ON_LOOP(what_was_kept_comes_again_in_front_after_a_pause),
		ON_LOOP(what_was_kept_comes_again_though_nothing_follows),
		ON_LOOP(a_paused_reader_holds_the_writer_back),
		ON_LOOP(one_stream_takes_no_turn_from_another),
		ON_LOOP(one_turn_does_not_read_for_ever),
		ON_LOOP(a_full_buffer_that_is_of_no_use_ends_the_stream),
		ON_LOOP(a_full_buffer_is_fine_while_paused),
		ON_LOOP(another_owner_gets_all_that_follows),
		ON_LOOP(a_stream_may_be_closed_within_on_bytes),
		ON_LOOP(what_was_written_before_the_end_arrives),
		ON_LOOP(closing_does_not_wait_for_a_peer_that_does_not_read),
		ON_LOOP(what_came_before_the_peers_end_is_offered_first),
		ON_LOOP(an_end_without_goodbye_is_an_end),
		ON_LOOP(a_reset_is_a_reset),
		ON_LOOP(rubbish_between_the_records_breaks_it),
		ON_LOOP(writing_to_one_that_is_gone_ends_it),
		ON_LOOP(new_keys_on_request_lose_no_byte),
		ON_LOOP(the_last_words_are_heard_by_who_still_speaks),
		ON_LOOP(lingering_ends_by_time_and_number),
	};

	return cmocka_run_group_tests(tests, make_pki, remove_pki);
}
