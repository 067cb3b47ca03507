/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated controller's side of the conversation, against a stream of the
 * test's own: the functions of wire/stream.h and wire/tls.h that it needs are
 * below, and take the place of the real ones.
 */
#include "../support/scratch.h"

#include "sim/content.h"
#include "sim/device.h"
#include "wire/frame.h"

/* ---- The stream in place of the real one ---------------------------------------------- */

struct stream {
	const struct stream_hooks *hooks;
	void *arg;
	uint8_t out[256 * 1024];
	size_t n;
	size_t limit; /* stream_write() refuses beyond */
	bool closed;
};

enum rc
tls_client_new(struct tls **tls, const struct tls_files *files, struct err *err)
{
	(void)files;
	(void)err;
	*tls = NULL;
	return RC_OK;
}

void
tls_resume_at_client(struct tls *tls)
{
	(void)tls;
}

bool
stream_was_resumed(const struct stream *stream)
{
	(void)stream;
	return false;
}

void
tls_unref(struct tls **tls)
{
	*tls = NULL;
}

const char *
tls_role_name(enum tls_role role)
{
	return role == TLS_ROLE_CONTROLLER ? "controller" : "console";
}

const char *
stream_end_name(enum stream_end end)
{
	return end == STREAM_END_PEER ? "peer_closed" : "other";
}

enum rc
stream_connect(struct stream_set *set, struct tls *tls, const struct sockaddr *to, socklen_t to_len,
	       const struct sockaddr *from, socklen_t from_len, const struct stream_hooks *hooks,
	       void *arg, struct stream **stream, struct err *err)
{
	(void)set;
	(void)tls;
	(void)to;
	(void)to_len;
	(void)from;
	(void)from_len;
	(void)err;
	*stream = xcalloc(1, sizeof(**stream));
	(*stream)->hooks = hooks;
	(*stream)->arg = arg;
	(*stream)->limit = sizeof((*stream)->out);
	return RC_OK;
}

enum rc
stream_write(struct stream *stream, const void *bytes, size_t n)
{
	assert_false(stream->closed);
	if (n > stream->limit - stream->n)
		return RC_AGAIN;
	memcpy(stream->out + stream->n, bytes, n);
	stream->n += n;
	return RC_OK;
}

void
stream_close(struct stream *stream)
{
	const struct err none = {0};

	assert_false(stream->closed);
	stream->closed = true;
	stream->hooks->on_closed(stream->arg, stream, STREAM_END_LOCAL, &none);
}

/* ---- One controller with two doors ---------------------------------------------------------- */

struct fixture {
	struct sim sim;
	struct run_options options;
	struct enrolment enrolment;
	struct enrolment_door doors[2];
	struct device device;
	struct stream *stream;
	size_t read; /* bytes of stream->out that were looked at */
};

static char door_code[] = "D-1", controller_name[] = "c1", folder[] = "nowhere";

static int
fixture_make(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->options = (struct run_options){.epoch = 1, .source_addresses = 1, .handshakes = 1};
	f->doors[0] = (struct enrolment_door){1, door_code};
	f->doors[1] = (struct enrolment_door){2, door_code};
	f->enrolment = (struct enrolment){
		.dir = folder, .name = controller_name, .doors = f->doors, .n_doors = 2};
	f->sim.options = &f->options;
	f->sim.fleet = (struct enrolments){&f->enrolment, 1};
	f->sim.scratch = xcalloc(1, SIM_SCRATCH_BYTES);
	f->sim.begun_us = 1700000000000000;
	f->sim.peers.handshakes_max = 1;
	f->sim.peers.source_addresses = 1;
	f->sim.peers.random = 1;
	device_init(&f->device, &f->sim, 0);
	*state = f;
	return 0;
}

static int
fixture_free(void **state)
{
	struct fixture *f = *state;

	device_fini(&f->device);
	alarm_book_free(&f->sim.alarms);
	free(f->stream);
	free(f->sim.scratch);
	free(f);
	return 0;
}

/* The next message that the controller sent; NULL when there is none. */
static Gatehouse__V1__FromController *
next_message(struct fixture *f)
{
	Gatehouse__V1__FromController *message;
	const uint8_t *payload;
	size_t len, used;

	if (frame_parse(f->stream->out + f->read, f->stream->n - f->read, 4096, &payload, &len,
			&used) != FRAME_WHOLE)
		return NULL;
	f->read += used;
	message = gatehouse__v1__from_controller__unpack(NULL, len, payload);
	assert_non_null(message);
	return message;
}

static void
drop(Gatehouse__V1__FromController *message)
{
	gatehouse__v1__from_controller__free_unpacked(message, NULL);
}

/* The next messages are the records from .. to, in order, and nothing follows. */
static void
assert_records(struct fixture *f, uint64_t from, uint64_t to)
{
	Gatehouse__V1__FromController *message;

	for (uint64_t seq = from; seq <= to; seq++) {
		message = next_message(f);
		assert_non_null(message);
		assert_int_equal(message->message_case,
				 GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_RECORD);
		assert_int_equal(message->record->seq, seq);
		drop(message);
	}
	message = next_message(f);
	assert_null(message);
}

static void
say(struct fixture *f, Gatehouse__V1__ToController *message)
{
	uint8_t frame[1024], *end;
	size_t len = gatehouse__v1__to_controller__get_packed_size(message);

	end = frame_put_header(frame, len);
	end += gatehouse__v1__to_controller__pack(message, end);
	len = (size_t)(end - frame);
	assert_int_equal(f->stream->hooks->on_bytes(f->stream->arg, f->stream, frame, len), len);
}

static void
say_welcome(struct fixture *f, uint64_t epoch, uint64_t resume_after, uint32_t window)
{
	Gatehouse__V1__ToController message = GATEHOUSE__V1__TO_CONTROLLER__INIT;
	Gatehouse__V1__Welcome welcome;

	gatehouse__v1__welcome__init(&welcome);
	welcome.epoch = epoch;
	welcome.resume_after = resume_after;
	welcome.window = window;
	welcome.heartbeat_s = 30;
	welcome.lease_s = 90;
	message.message_case = GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_WELCOME;
	message.welcome = &welcome;
	say(f, &message);
}

static void
say_ack(struct fixture *f, uint64_t seq)
{
	Gatehouse__V1__ToController message = GATEHOUSE__V1__TO_CONTROLLER__INIT;
	Gatehouse__V1__Ack ack = GATEHOUSE__V1__ACK__INIT;

	ack.seq = seq;
	message.message_case = GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_ACK;
	message.ack = &ack;
	say(f, &message);
}

static void
say_resend(struct fixture *f, uint64_t from_seq)
{
	Gatehouse__V1__ToController message = GATEHOUSE__V1__TO_CONTROLLER__INIT;
	Gatehouse__V1__Resend resend = GATEHOUSE__V1__RESEND__INIT;

	resend.from_seq = from_seq;
	message.message_case = GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_RESEND;
	message.resend = &resend;
	say(f, &message);
}

/* Connects, and takes the hello. */
static void
open_stream(struct fixture *f, uint64_t epoch, uint64_t acked_seq)
{
	Gatehouse__V1__FromController *message;

	free(f->stream);
	f->stream = NULL;
	f->read = 0;
	peer_try(&f->device.peer, UINT64_MAX);
	f->stream = f->device.peer.stream;
	assert_non_null(f->stream);
	f->stream->hooks->on_open(f->stream->arg, f->stream);
	message = next_message(f);
	assert_non_null(message);
	assert_int_equal(message->message_case, GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HELLO);
	assert_int_equal(message->hello->protocol, 1);
	assert_int_equal(message->hello->epoch, epoch);
	assert_int_equal(message->hello->acked_seq, acked_seq);
	assert_int_equal(message->hello->n_doors, 2);
	assert_string_equal(message->hello->doors[1]->code, "D-1");
	drop(message);
}

static void
lose_stream(struct fixture *f)
{
	const struct err none = {0};

	f->stream->closed = true;
	f->stream->hooks->on_closed(f->stream->arg, f->stream, STREAM_END_PEER, &none);
}

static void
flush(struct fixture *f)
{
	while (device_flush(&f->device))
		;
}

/* ---- Tests --------------------------------------------------------------------------------------
 */

static void
test_window_is_kept(void **state)
{
	struct fixture *f = *state;

	device_stock(&f->device, 100);
	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 8);
	flush(f);
	assert_records(f, 1, 8);
	say_ack(f, 3);
	flush(f);
	assert_records(f, 9, 11);
	say_ack(f, 11);
	flush(f);
	assert_records(f, 12, 19);
	assert_int_equal(f->sim.tally.sent, 19);
	assert_int_equal(f->sim.tally.acked, 11);
	assert_int_equal(device_waiting(&f->device), 89);
}

static void
test_option_makes_the_window_smaller_only(void **state)
{
	struct fixture *f = *state;

	f->options.window = 2;
	device_stock(&f->device, 100);
	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 8);
	flush(f);
	assert_records(f, 1, 2);
	lose_stream(f);
	f->options.window = 1000;
	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 3);
	flush(f);
	assert_records(f, 1, 3);
}

static void
test_one_record_per_write(void **state)
{
	struct fixture *f = *state;

	f->options.per_tls_record = 1;
	device_stock(&f->device, 3);
	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 8);
	assert_true(device_flush(&f->device));
	assert_records(f, 1, 1);
	assert_true(device_flush(&f->device));
	assert_false(device_flush(&f->device));
	assert_records(f, 2, 3);
}

/* Copies all bytes that were sent since the hello. */
static size_t
take_bytes(struct fixture *f, uint8_t *out)
{
	size_t n = f->stream->n - f->read;

	memcpy(out, f->stream->out + f->read, n);
	f->read = f->stream->n;
	return n;
}

static void
test_resent_records_are_the_same_bytes(void **state)
{
	struct fixture *f = *state;
	uint8_t first[4096], second[4096];
	size_t n;

	device_stock(&f->device, 10);
	device_add_made(&f->device, 1700000000000001);
	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 64);
	flush(f);
	n = take_bytes(f, first);
	lose_stream(f);
	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 64);
	flush(f);
	assert_int_equal(take_bytes(f, second), n);
	assert_memory_equal(first, second, n);
	assert_int_equal(f->sim.tally.sent, 11);
	assert_int_equal(f->sim.tally.resent, 11);
}

static void
test_resume_is_no_ack(void **state)
{
	struct fixture *f = *state;

	device_stock(&f->device, 10);
	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 6);
	flush(f);
	say_ack(f, 2);
	lose_stream(f);
	/* the server has 6; it isn't durable, and its disk is lost: then back to 3 */
	open_stream(f, 1, 2);
	f->read = f->stream->n;
	say_welcome(f, 1, 6, 4);
	flush(f);
	assert_records(f, 7, 10);
	lose_stream(f);
	open_stream(f, 1, 2);
	say_welcome(f, 1, 2, 64);
	flush(f);
	assert_records(f, 3, 10);
}

static void
test_server_that_lost_acked_records_is_told(void **state)
{
	struct fixture *f = *state;
	Gatehouse__V1__FromController *message;

	device_stock(&f->device, 10);
	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 64);
	flush(f);
	say_ack(f, 7);
	lose_stream(f);
	open_stream(f, 1, 7);
	say_welcome(f, 1, 4, 64);
	flush(f);
	message = next_message(f);
	assert_int_equal(message->message_case, GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_LOST);
	assert_int_equal(message->lost->from_seq, 5);
	assert_int_equal(message->lost->to_seq, 7);
	drop(message);
	assert_records(f, 8, 10);
}

static void
test_server_that_knows_more_is_followed(void **state)
{
	struct fixture *f = *state;

	device_stock(&f->device, 3);
	open_stream(f, 1, 0);
	say_welcome(f, 1, 500, 64);
	flush(f);
	assert_records(f, 501, 503);
	say_ack(f, 503);
	assert_int_equal(device_waiting(&f->device), 0);
}

static void
test_epoch_0_asks_for_one(void **state)
{
	struct fixture *f = *state;

	f->device.epoch = 0;
	device_stock(&f->device, 2);
	open_stream(f, 0, 0);
	say_welcome(f, 9, 0, 64);
	flush(f);
	assert_records(f, 1, 2);
	lose_stream(f);
	open_stream(f, 9, 0);
}

static void
test_resend_goes_back(void **state)
{
	struct fixture *f = *state;

	device_stock(&f->device, 10);
	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 6);
	flush(f);
	say_ack(f, 2);
	flush(f);
	assert_records(f, 1, 8);
	say_resend(f, 5);
	flush(f);
	assert_records(f, 5, 8);
	assert_int_equal(f->sim.tally.resends, 1);
	say_resend(f, 11); /* not sent yet: it is on its way */
	flush(f);
	assert_records(f, 9, 8);
}

static void
test_full_output_waits_for_the_drain(void **state)
{
	struct fixture *f = *state;

	device_stock(&f->device, 3);
	open_stream(f, 1, 0);
	f->stream->limit = f->stream->n;
	say_welcome(f, 1, 0, 64);
	assert_false(device_flush(&f->device));
	assert_int_equal(f->sim.tally.sent, 0);
	f->stream->limit = sizeof(f->stream->out);
	f->device.dirty = false; /* as after the turn */
	f->stream->hooks->on_drained(f->stream->arg, f->stream);
	assert_true(f->device.dirty);
	flush(f);
	assert_records(f, 1, 3);
}

static void
test_alarm_goes_ahead_of_a_queue(void **state)
{
	struct fixture *f = *state;
	const struct item alarm = {.time_us = 1, .kind = 202, .door = 1};
	Gatehouse__V1__FromController *message;

	device_stock(&f->device, 10);
	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 4);
	flush(f);
	assert_records(f, 1, 4);
	device_add(&f->device, &alarm);
	message = next_message(f);
	assert_non_null(message);
	assert_int_equal(message->message_case, GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_AHEAD);
	assert_int_equal(message->ahead->seq, 11);
	assert_int_equal(message->ahead->kind, 202);
	drop(message);
	assert_int_equal(f->sim.alarms.sent, 1);
	/* and it comes in its turn, too */
	say_ack(f, 4);
	flush(f);
	say_ack(f, 8);
	flush(f);
	assert_records(f, 5, 11);
	assert_int_equal(f->sim.alarms.sent, 1);
}

static void
test_alarm_that_waited_for_the_connection_goes_ahead(void **state)
{
	struct fixture *f = *state;
	const struct item alarm = {.time_us = 1, .kind = 320, .door = 1};
	Gatehouse__V1__FromController *message;

	device_stock(&f->device, 10);
	device_add(&f->device, &alarm);
	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 4);
	message = next_message(f);
	assert_non_null(message);
	assert_int_equal(message->message_case, GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_AHEAD);
	assert_int_equal(message->ahead->seq, 11);
	drop(message);
	assert_int_equal(f->sim.tally.ahead, 1);
}

static void
test_alarm_within_the_window_needs_no_ahead(void **state)
{
	struct fixture *f = *state;
	const struct item alarm = {.time_us = 1, .kind = 320, .door = 1};

	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 4);
	device_add(&f->device, &alarm);
	flush(f);
	assert_records(f, 1, 1);
	assert_int_equal(f->sim.tally.ahead, 0);
	assert_int_equal(f->sim.alarms.sent, 1);
}

static void
test_ack_of_what_was_not_sent_closes(void **state)
{
	struct fixture *f = *state;

	device_stock(&f->device, 3);
	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 2);
	flush(f);
	say_ack(f, 3);
	assert_true(f->stream->closed);
	assert_int_equal(f->sim.tally.acked, 0);
	assert_contains(f->sim.peers.last_problem, "acknowledges what was not sent");
}

static void
test_ack_before_the_welcome_closes(void **state)
{
	struct fixture *f = *state;

	open_stream(f, 1, 0);
	say_ack(f, 1);
	assert_true(f->stream->closed);
}

static void
say_goaway(struct fixture *f, Gatehouse__V1__GoawayReason reason, uint32_t delay_ms)
{
	Gatehouse__V1__ToController message = GATEHOUSE__V1__TO_CONTROLLER__INIT;
	Gatehouse__V1__Goaway goaway;
	char detail[] = "bad \x1b words";

	gatehouse__v1__goaway__init(&goaway);
	goaway.reason = reason;
	goaway.delay_ms = delay_ms;
	goaway.detail = detail;
	message.message_case = GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_GOAWAY;
	message.goaway = &goaway;
	say(f, &message);
}

static void
test_goaway_is_honoured(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = &f->device.peer;

	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 2);
	assert_int_equal(f->sim.peers.ready, 1);
	say_goaway(f, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_RESTART, 3600000);
	assert_true(f->stream->closed);
	assert_int_equal(peer->state, PEER_AWAY);
	assert_int_equal(f->sim.peers.ready, 0);
	/* not before the delay, and at most twice as late */
	peer_try(peer, peer->heard_ms + 3600000 - 1);
	assert_null(peer->stream);
	assert_true(peer->retry_at_ms <= peer->heard_ms + 2 * 3600000 + 1000);
	assert_contains(f->sim.peers.last_problem, "GOAWAY_REASON_RESTART: bad ? words");
}

static void
test_refusal_for_good_stops(void **state)
{
	struct fixture *f = *state;

	open_stream(f, 1, 0);
	say_goaway(f, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_FOREIGN_DOOR, 1);
	assert_int_equal(f->device.peer.state, PEER_STOPPED);
	peer_try(&f->device.peer, UINT64_MAX);
	assert_null(f->device.peer.stream);
	assert_int_equal(f->sim.peers.goaways_by_reason[6], 1);
}

static void
test_heartbeat_when_nothing_else_is_said(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = &f->device.peer;
	Gatehouse__V1__FromController *message;

	open_stream(f, 1, 0);
	say_welcome(f, 1, 0, 2);
	device_tick(&f->device, peer->spoke_ms + 29999);
	assert_null(next_message(f));
	device_tick(&f->device, peer->spoke_ms + 30000);
	message = next_message(f);
	assert_non_null(message);
	assert_int_equal(message->message_case, GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HEARTBEAT);
	drop(message);
	device_tick(&f->device, peer->heard_ms + 90001);
	assert_true(f->stream->closed);
	assert_contains(f->sim.peers.last_problem, "the server is silent");
}

static void
test_garbage_closes(void **state)
{
	static const uint8_t not_a_message[] = {3, 0xff, 0xff, 0xff};
	static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
	struct fixture *f = *state;

	open_stream(f, 1, 0);
	f->stream->hooks->on_bytes(f->stream->arg, f->stream, not_a_message, sizeof(not_a_message));
	assert_true(f->stream->closed);
	open_stream(f, 1, 0);
	f->stream->hooks->on_bytes(f->stream->arg, f->stream, endless, sizeof(endless));
	assert_true(f->stream->closed);
}

/* ---- Content ----------------------------------------------------------------------------------
 */

static void
test_made_up_records_raise_nothing_and_vary(void **state)
{
	struct fixture *f = *state;
	unsigned granted = 0, denied = 0, doors[3] = {0};

	for (uint64_t seq = 1; seq <= 10000; seq++) {
		struct item item, again;
		Gatehouse__V1__Record record;
		uint8_t card[CONTENT_CARD_BYTES];

		item.time_us = again.time_us = 5;
		content_make(7, &f->enrolment, seq, &item);
		content_make(7, &f->enrolment, seq, &again);
		assert_memory_equal(&item, &again, sizeof(item));
		assert_false(content_raises_alarm(item.kind));
		content_fill(7, seq, &item, NULL, card, &record);
		granted += item.kind == 100;
		denied += item.kind == 103;
		doors[item.door]++;
		/* the contract: a reason with a denial, and only there */
		assert_int_equal(record.reason != 0, item.kind == 103);
		assert_true((int)record.reason <= 10);
		if (item.kind == 100)
			assert_int_equal(record.card.len, CONTENT_CARD_BYTES);
	}
	assert_true(granted > 5500 && granted < 6500);
	assert_true(denied > 200 && denied < 600);
	assert_int_equal(doors[0], 0);
	assert_true(doors[1] > 4000 && doors[2] > 4000);
}

static void
test_controller_without_doors_reports_on_itself(void **state)
{
	const struct enrolment bare = {.name = controller_name};
	struct item item;

	(void)state;
	content_make(7, &bare, 1, &item);
	assert_int_equal(item.door, 0);
	assert_int_equal(item.kind, 800);
}

#define TALK(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_free)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TALK(test_window_is_kept),
		TALK(test_option_makes_the_window_smaller_only),
		TALK(test_one_record_per_write),
		TALK(test_resent_records_are_the_same_bytes),
		TALK(test_resume_is_no_ack),
		TALK(test_server_that_lost_acked_records_is_told),
		TALK(test_server_that_knows_more_is_followed),
		TALK(test_epoch_0_asks_for_one),
		TALK(test_resend_goes_back),
		TALK(test_full_output_waits_for_the_drain),
		TALK(test_alarm_goes_ahead_of_a_queue),
		TALK(test_alarm_that_waited_for_the_connection_goes_ahead),
		TALK(test_alarm_within_the_window_needs_no_ahead),
		TALK(test_ack_of_what_was_not_sent_closes),
		TALK(test_ack_before_the_welcome_closes),
		TALK(test_goaway_is_honoured),
		TALK(test_refusal_for_good_stops),
		TALK(test_heartbeat_when_nothing_else_is_said),
		TALK(test_garbage_closes),
		TALK(test_made_up_records_raise_nothing_and_vary),
		TALK(test_controller_without_doors_reports_on_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
