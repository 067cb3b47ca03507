/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of simulated clients, and the manners of coming back: at once
 * after the first loss, then after twice as long each time, up to a limit,
 * always with chance in it; and not before a goaway's delay.
 *
 * A certificate is read when its client connects for the first time, because
 * decoding some thousand at the start would take seconds.
 *
 * Deliberately keeps no queue: what a client has to say again is in the
 * client's own state.
 */
#include "sim/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "wire/frame.h"

enum {
	PEER_BACKOFF_FIRST_MS = 200,
	PEER_BACKOFF_MAX_MS = 10000,
	PEER_MESSAGE_MAX = 64 * 1024, /* of the server's; an Alarm has about 1 KB */
	PEER_SEND_MAX = 4096,         /* the server's limit before its welcome */
};

uint64_t
peers_random(struct peers *peers, uint64_t below)
{
	uint64_t x = peers->random;

	/* xorshift64: chance enough to spread reconnections */
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	peers->random = x;
	return below > 0 ? x % below : 0;
}

void
peer_init(struct peer *peer, struct peers *peers, const struct enrolment *enrolment,
	  const struct peer_hooks *hooks, uint32_t number)
{
	*peer = (struct peer){
		.peers = peers, .enrolment = enrolment, .hooks = hooks, .number = number};
}

void
peer_fini(struct peer *peer)
{
	peer->state = PEER_STOPPED;
	if (peer->stream != NULL)
		stream_close(peer->stream);
	tls_unref(&peer->tls);
}

/* ---- Coming and going ----------------------------------------------------------- */

/* Refusals that waiting a little doesn't change. */
static bool
goaway_is_final(Gatehouse__V1__GoawayReason reason)
{
	return reason == GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_STALE_EPOCH ||
	       reason == GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_FOREIGN_DOOR ||
	       reason == GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_VERSION ||
	       reason == GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_WRONG_ROLE;
}

static void
peer_note_problem(struct peer *peer, const char *why)
{
	char *text = peer->peers->last_problem;

	(void)snprintf(text, sizeof(peer->peers->last_problem), "%s: %s", peer->enrolment->name,
		       why);
	/* the server's words go to a terminal and into JSON */
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
	log_debug("sim", "client=%s %s", peer->enrolment->name, why);
}

static void
peer_stop(struct peer *peer, const char *why)
{
	if (peer->state == PEER_READY)
		peer->peers->ready--;
	peer_note_problem(peer, why);
	log_warning("sim", "client=%s stopped: %s", peer->enrolment->name, why);
	peer->state = PEER_STOPPED;
}

static void
peer_plan_return(struct peer *peer)
{
	uint64_t wait = PEER_BACKOFF_MAX_MS, now = clock_mono_ms();

	if (peer->told_delay) {
		peer->told_delay = false; /* retry_at_ms is set */
		return;
	}
	/* 200 ms doubled six times is above the limit */
	if (peer->attempts < 6)
		wait = (uint64_t)PEER_BACKOFF_FIRST_MS << peer->attempts;
	peer->attempts++;
	/* half to one and a half times: a fleet that was cut off together must not
	 * come back together */
	peer->retry_at_ms = now + wait / 2 + peers_random(peer->peers, wait);
}

/* The stream is gone. */
static void
peer_down(struct peer *peer)
{
	bool was_open = peer->state == PEER_GREETING || peer->state == PEER_READY;

	peer->stream = NULL;
	if (peer->state == PEER_STOPPED) /* its owner is gone, or it stays away for good */
		return;
	if (peer->state == PEER_SHAKING)
		peer->peers->handshakes--;
	if (peer->state == PEER_READY)
		peer->peers->ready--;
	peer->peers->downs += was_open;
	peer->state = PEER_AWAY;
	peer_plan_return(peer);
	if (was_open)
		peer->hooks->on_down(peer);
}

static void
peer_closed_cb(void *arg, struct stream *stream, enum stream_end end, const struct err *err)
{
	struct peer *peer = arg;
	char why[400];

	(void)stream;
	/* for a local end peer_close() has noted a better reason */
	if (end != STREAM_END_LOCAL) {
		(void)snprintf(why, sizeof(why), "%s%s%s", stream_end_name(end),
			       err->msg[0] != '\0' ? ": " : "", err->msg);
		peer_note_problem(peer, why);
	}
	peer_down(peer);
}

static void
peer_open_cb(void *arg, struct stream *stream)
{
	struct peer *peer = arg;

	peer->peers->handshakes--;
	peer->peers->connects++;
	peer->peers->resumed += stream_was_resumed(stream);
	peer->state = PEER_GREETING;
	peer->heard_ms = peer->spoke_ms = clock_mono_ms();
	peer->hooks->on_open(peer);
}

static size_t
peer_bytes_cb(void *arg, struct stream *stream, const uint8_t *bytes, size_t n)
{
	struct peer *peer = arg;
	size_t done = 0;

	peer->heard_ms = clock_mono_ms();
	/* a message may have closed the stream; what follows it is nobody's then */
	while (peer->stream == stream) {
		const uint8_t *payload;
		size_t len, used;
		enum frame_result result = frame_parse(bytes + done, n - done, PEER_MESSAGE_MAX,
						       &payload, &len, &used);

		if (result == FRAME_PARTIAL)
			break;
		if (result != FRAME_WHOLE) {
			peer_close(peer, "the server's frame is not one");
			break;
		}
		done += used;
		peer->hooks->on_message(peer, payload, len);
	}
	return done;
}

static void
peer_drained_cb(void *arg, struct stream *stream)
{
	struct peer *peer = arg;

	(void)stream;
	peer->hooks->on_drained(peer);
}

static const struct stream_hooks peer_stream_hooks = {
	.on_open = peer_open_cb,
	.on_bytes = peer_bytes_cb,
	.on_drained = peer_drained_cb,
	.on_closed = peer_closed_cb,
};

/* ---- Connecting -------------------------------------------------------------------- */

static enum rc
peer_load_tls(struct peer *peer, struct err *err)
{
	const char *dir = peer->enrolment->dir;
	char *ca = xasprintf("%s/ca.pem", dir);
	char *certificate = xasprintf("%s/certificate.pem", dir);
	char *key = xasprintf("%s/key.pem", dir);
	const struct tls_files files = {.ca = ca, .certificate = certificate, .key = key};
	enum rc rc = tls_client_new(&peer->tls, &files, err);

	if (rc == RC_OK && peer->peers->resume)
		tls_resume_at_client(peer->tls);
	free(ca);
	free(certificate);
	free(key);
	return rc;
}

static enum rc
peer_connect(struct peer *peer, struct err *err)
{
	const struct enrolment *e = peer->enrolment;
	struct peers *peers = peer->peers;
	struct sockaddr_in from = {.sin_family = AF_INET};
	bool bind_it = peers->source_addresses > 1 && e->address.ss_family == AF_INET;

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + peer->number % peers->source_addresses);
	return stream_connect(peers->streams, peer->tls, (const struct sockaddr *)&e->address,
			      e->address_len, bind_it ? (const struct sockaddr *)&from : NULL,
			      bind_it ? sizeof(from) : 0, &peer_stream_hooks, peer, &peer->stream,
			      err);
}

void
peer_try(struct peer *peer, uint64_t now_ms)
{
	struct peers *peers = peer->peers;
	struct err err = {0};

	if (peer->state != PEER_AWAY || now_ms < peer->retry_at_ms || peers->closing ||
	    peers->handshakes >= peers->handshakes_max)
		return;
	if (peer->tls == NULL && peer_load_tls(peer, &err) != RC_OK) {
		peer_stop(peer, err.msg);
		return;
	}
	peer->state = PEER_SHAKING;
	peers->handshakes++;
	if (peer_connect(peer, &err) != RC_OK) {
		peer_note_problem(peer, err.msg);
		peer_down(peer);
	}
}

void
peer_set_ready(struct peer *peer)
{
	must(peer->state == PEER_GREETING);
	peer->state = PEER_READY;
	peer->was_ready = true;
	peer->attempts = 0;
	peer->peers->ready++;
}

void
peer_goaway(struct peer *peer, const Gatehouse__V1__Goaway *goaway)
{
	struct peers *peers = peer->peers;
	size_t reason = (size_t)goaway->reason;
	const ProtobufCEnumValue *name = protobuf_c_enum_descriptor_get_value(
		&gatehouse__v1__goaway_reason__descriptor, (int)goaway->reason);
	char why[200];

	peers->goaways++;
	peers->goaways_by_reason[reason < ARRAY_LEN(peers->goaways_by_reason) ? reason : 0]++;
	(void)snprintf(why, sizeof(why), "%s: %.100s", name != NULL ? name->name : "goaway",
		       goaway->detail);
	if (goaway_is_final(goaway->reason)) {
		struct stream *stream = peer->stream;

		peer_stop(peer, why);
		stream_close(stream);
		return;
	}
	/* where no delay is told, the usual manners hold */
	if (goaway->delay_ms > 0) {
		peer->told_delay = true;
		peer->retry_at_ms =
			clock_mono_ms() + goaway->delay_ms + peers_random(peers, goaway->delay_ms);
	}
	peer_close(peer, why);
}

void
peer_close(struct peer *peer, const char *why)
{
	peer_note_problem(peer, why);
	stream_close(peer->stream);
}

/* ---- Sending -------------------------------------------------------------------------- */

enum rc
peer_write(struct peer *peer, const void *frames, size_t n)
{
	enum rc rc;

	if (peer->stream == NULL)
		return RC_AGAIN;
	rc = stream_write(peer->stream, frames, n);
	if (rc == RC_OK)
		peer->spoke_ms = clock_mono_ms();
	return rc;
}

void
peer_send(struct peer *peer, const ProtobufCMessage *message)
{
	uint8_t frame[FRAME_HEADER_MAX + PEER_SEND_MAX], *end;
	size_t len = protobuf_c_message_get_packed_size(message);

	/* records go by peer_write(); what comes here is of our own making */
	must(len <= PEER_SEND_MAX);
	end = frame_put_header(frame, len);
	end += protobuf_c_message_pack(message, end);
	/* a full output buffer: whoever doesn't read what is there needs no more */
	if (peer_write(peer, frame, (size_t)(end - frame)) != RC_OK && peer->stream != NULL)
		peer_close(peer, "the server doesn't read");
}
