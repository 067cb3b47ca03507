/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Controllers for the rig, written from the contract alone by the generated code:
 * what they say, what they were told, and what the journal must then have.
 */
#ifndef GATEHOUSE_TESTS_FLEET_DEVICE_H
#define GATEHOUSE_TESTS_FLEET_DEVICE_H

#include "rig.h"

static inline void
device_on_open(void *arg, struct stream *stream)
{
	struct device *device = arg;

	(void)stream;
	device->open = true;
}

static inline size_t
device_on_bytes(void *arg, struct stream *stream, const uint8_t *bytes, size_t n)
{
	struct device *device = arg;
	const uint8_t *payload;
	size_t done = 0, len, used;

	(void)stream;
	while (frame_parse(bytes + done, n - done, 65536, &payload, &len, &used) == FRAME_WHOLE) {
		Gatehouse__V1__ToController *to =
			gatehouse__v1__to_controller__unpack(NULL, len, payload);

		assert_non_null(to);
		assert_true(device->n_told < TOLD_MAX);
		device->told[device->n_told++] = to;
		done += used;
	}
	return done;
}

static inline void
device_on_closed(void *arg, struct stream *stream, enum stream_end end, const struct err *err)
{
	struct device *device = arg;

	(void)stream;
	(void)end;
	(void)err;
	device->stream = NULL;
}

static const struct stream_hooks device_hooks = {
	.on_open = device_on_open,
	.on_bytes = device_on_bytes,
	.on_closed = device_on_closed,
};

static inline struct device *
device_connect(struct rig *rig, unsigned index, unsigned side, const char *name)
{
	struct device *device = &rig->devices[index];
	struct tls *tls = certificates_tls(rig_folder, name, false);
	struct sockaddr_in *address = &rig->sides[side].address;
	struct err err;

	device->open = false;
	assert_null(device->stream);
	assert_int_equal(stream_connect(rig->devices_set, tls, (struct sockaddr *)address,
					sizeof(*address), NULL, 0, &device_hooks, device,
					&device->stream, &err),
			 RC_OK);
	tls_unref(&tls);
	UNTIL(rig, device->open);
	return device;
}

static inline void
device_put(struct device *device, const Gatehouse__V1__FromController *from)
{
	size_t n = gatehouse__v1__from_controller__get_packed_size(from);
	uint8_t *out = device->out + device->n_out;

	assert_true(n + FRAME_HEADER_MAX <= OUT_BYTES - device->n_out);
	out = frame_put_header(out, n);
	(void)gatehouse__v1__from_controller__pack(from, out);
	device->n_out = (size_t)(out - device->out) + n;
}

/* Everything put so far, in one piece. */
static inline void
device_send(struct device *device)
{
	assert_non_null(device->stream);
	assert_int_equal(stream_write(device->stream, device->out, device->n_out), RC_OK);
	device->n_out = 0;
}

static inline void
device_put_hello(struct device *device, uint64_t epoch, uint64_t acked)
{
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Hello hello = GATEHOUSE__V1__HELLO__INIT;

	hello.protocol = 1;
	hello.epoch = epoch;
	hello.acked_seq = acked;
	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HELLO;
	from.hello = &hello;
	device_put(device, &from);
}

/* An access at the front door, by a card that goes with the number. */
static inline Gatehouse__V1__Record
device_record(uint64_t seq)
{
	Gatehouse__V1__Record record = GATEHOUSE__V1__RECORD__INIT;
	static uint8_t card[] = "CARD-4711-0815";

	record.seq = seq;
	record.time_us = CLOCK_FAKE_WALL_US + (int64_t)seq;
	record.kind = GATEHOUSE__V1__KIND__KIND_ACCESS_GRANTED;
	record.door = 1;
	record.card.data = card;
	record.card.len = sizeof(card) - 1;
	return record;
}

static inline void
device_put_this(struct device *device, Gatehouse__V1__Record *record, bool ahead)
{
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;

	if (ahead) {
		from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_AHEAD;
		from.ahead = record;
	} else {
		from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_RECORD;
		from.record = record;
	}
	device_put(device, &from);
}

static inline void
device_put_record(struct device *device, uint64_t seq)
{
	Gatehouse__V1__Record record = device_record(seq);

	device_put_this(device, &record, false);
}

static inline void
device_put_lost(struct device *device, uint64_t from_seq, uint64_t to_seq)
{
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Lost lost = GATEHOUSE__V1__LOST__INIT;

	lost.from_seq = from_seq;
	lost.to_seq = to_seq;
	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_LOST;
	from.lost = &lost;
	device_put(device, &from);
}

static inline void
device_put_heartbeat(struct device *device)
{
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Heartbeat heartbeat = GATEHOUSE__V1__HEARTBEAT__INIT;

	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HEARTBEAT;
	from.heartbeat = &heartbeat;
	device_put(device, &from);
}

/* Records first .. last in one piece. */
static inline void
device_say_records(struct device *device, uint64_t first, uint64_t last)
{
	for (uint64_t seq = first; seq <= last; seq++)
		device_put_record(device, seq);
	device_send(device);
}

/* How often it was told such a message. */
static inline size_t
device_told(const struct device *device, Gatehouse__V1__ToController__MessageCase what)
{
	size_t n = 0;

	for (size_t i = 0; i < device->n_told; i++)
		n += device->told[i]->message_case == what;
	return n;
}

/* The last such message. */
static inline const Gatehouse__V1__ToController *
device_last(const struct device *device, Gatehouse__V1__ToController__MessageCase what)
{
	for (size_t i = device->n_told; i > 0; i--) {
		if (device->told[i - 1]->message_case == what)
			return device->told[i - 1];
	}
	fail_msg("it was not told a message of kind %d", (int)what);
	return NULL;
}

static inline uint64_t
device_acked(const struct device *device)
{
	return device_told(device, TOLD(ACK)) > 0 ? device_last(device, TOLD(ACK))->ack->seq : 0;
}

/* Everything said so far has been read, and everything that was answered to it is
 * here: the answer to a heartbeat comes behind them. */
static inline void
device_settle(struct rig *rig, struct device *device)
{
	size_t before = device_told(device, TOLD(HEARTBEAT_REPLY));

	device_put_heartbeat(device);
	device_send(device);
	UNTIL(rig, device_told(device, TOLD(HEARTBEAT_REPLY)) > before);
}

static inline void
device_say_hello(struct rig *rig, struct device *device, uint64_t epoch, uint64_t acked)
{
	size_t before = device_told(device, TOLD(WELCOME));

	device_put_hello(device, epoch, acked);
	device_send(device);
	UNTIL(rig, device_told(device, TOLD(WELCOME)) > before);
}

/* A welcomed controller, with epoch 3 and nothing said yet. */
static inline struct device *
device_begin(struct rig *rig, unsigned index, unsigned side, const char *name)
{
	struct device *device = device_connect(rig, index, side, name);

	device_say_hello(rig, device, 3, 0);
	return device;
}

/* The server said goodbye for this reason, and closed. */
static inline void
device_expect_goaway(struct rig *rig, struct device *device, Gatehouse__V1__GoawayReason reason)
{
	const Gatehouse__V1__Goaway *goaway;

	UNTIL(rig, device->stream == NULL);
	goaway = device_last(device, TOLD(GOAWAY))->goaway;
	if (goaway->reason != reason)
		fail_msg("sent away for reason %d: %s", (int)goaway->reason, goaway->detail);
	assert_int_equal(goaway->delay_ms, 777);
}

/* What is posted becomes durable, and the acks come. */
static inline void
rig_make_durable(struct rig *rig, struct device *device, uint64_t seq)
{
	book_turn(&rig->book);
	UNTIL(rig, device_acked(device) == seq);
}

/* Entry `i` is record `seq` of the sample, epoch 3. */
static inline void
assert_sample(const struct rig *rig, size_t i, uint64_t seq)
{
	struct record record = book_record(&rig->book, i);

	assert_int_equal(rig->book.entries[i].type, ENTRY_RECORD);
	assert_int_equal(record.controller_id, ELM);
	assert_int_equal(record.epoch, 3);
	assert_int_equal(record.seq, seq);
	assert_int_equal(record.device_time_us, CLOCK_FAKE_WALL_US + (int64_t)seq);
	assert_int_equal(record.kind, KIND_CODE_ACCESS_GRANTED);
}

/* The journal has exactly the sample's records 1 .. n, each once, in order. */
static inline void
assert_all_once(struct rig *rig, uint64_t n)
{
	assert_int_equal(book_read(&rig->book), n);
	for (size_t i = 0; i < n; i++)
		assert_sample(rig, i, i + 1);
}

/* Entry `i` says that first .. last are gone. */
static inline void
assert_gap(const struct rig *rig, size_t i, uint64_t first, uint64_t last)
{
	struct record record = book_record(&rig->book, i);
	char *detail = xasprintf("{\"epoch\":3,\"from\":%lu,\"to\":%lu}", (unsigned long)first,
				 (unsigned long)last);

	assert_int_equal(record.kind, KIND_CODE_RECORDS_GAP);
	assert_int_equal(record.controller_id, ELM);
	assert_true(record.epoch < 0);
	assert_int_equal(rig->book.entries[i].flags, ENTRY_FLAG_DESK);
	assert_int_equal(record.detail_len, strlen(detail));
	assert_memory_equal(record.detail, detail, strlen(detail));
	free(detail);
}

#endif
