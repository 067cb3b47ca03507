/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The desk's side of the contract.  Records that were sent and not yet answered stay
 * in a ring as framed bytes; after a reconnect those above the server's position go
 * out again.
 *
 * Invariant: the ring holds the seqs answered + 1 .. next_seq - 1, in order.
 *
 * Owner: the main thread, which is the loop's.
 */
#include "ctl/desk_link.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "ctl/desk_msg.h"
#include "wire/frame.h"
#include "wire/stream.h"

enum {
	WINDOW_MAX = 1024, /* of records on their way, whatever the server allows */
	TICK_MS = 250,
	OUTPUT_LIMIT = 4 << 20,
	READ_BUDGET = 256 << 10,
	HANDSHAKE_TIMEOUT_MS = 10000,
	EPOCH_FILE_MAX = 64,
};

enum link_state { LINK_AWAY, LINK_SHAKING, LINK_GREETING, LINK_READY, LINK_DONE };

struct sent {
	uint8_t *frame;
	size_t len;
	enum reject reason; /* the server's refusal, until the ack */
	char *detail;
};

struct link {
	const struct desk_folder *folder;
	const struct desk_source *source;
	struct tls *tls;
	struct loop *loop;
	struct stream_set *streams;
	struct stream *stream;
	struct addrinfo *addresses;
	enum link_state state;
	int lock; /* the epoch file */
	uint64_t epoch;
	uint64_t answered, next_seq; /* of this epoch */
	uint64_t unknown_to;         /* answers up to here may have been lost */
	uint64_t first_seq;          /* of this run */
	uint32_t window, frame_max;
	struct sent ring[WINDOW_MAX];
	bool source_ended;
	unsigned tries;
	uint64_t heard_ms, spoke_ms, retry_at_ms;
	uint32_t heartbeat_s;
	enum rc result; /* when LINK_DONE */
	struct err *err;
};

/* ---- The folder ---------------------------------------------------------------- */

enum rc
desk_folder_open(struct desk_folder *folder, const char *dir, struct err *err)
{
	char *path = xasprintf("%s/client.json", dir);
	enum rc rc;

	*folder = (struct desk_folder){.dir = xstrdup(dir)};
	rc = desk_msg_read_client(path, &folder->name, &folder->host, &folder->port, err);
	free(path);
	if (rc != RC_OK)
		desk_folder_fini(folder);
	return rc;
}

void
desk_folder_fini(struct desk_folder *folder)
{
	free(folder->dir);
	free(folder->name);
	free(folder->host);
	*folder = (struct desk_folder){0};
}

static enum rc
link_lock(struct link *link, struct err *err)
{
	char *path = xasprintf("%s/epoch", link->folder->dir);
	char text[EPOCH_FILE_MAX + 1] = {0};
	size_t n = 0;
	enum rc rc = fs_open(path, FS_READ_WRITE, &link->lock, err);

	if (rc == RC_FAIL && err->sys == ENOENT)
		rc = fs_open(path, FS_CREATE_KEY, &link->lock, err);
	if (rc == RC_OK)
		rc = fs_lock(link->lock, err);
	if (rc == RC_AGAIN)
		rc = err_fail(err, "another program uses \"%s\"", link->folder->dir);
	if (rc == RC_OK)
		rc = fs_read_at(link->lock, text, EPOCH_FILE_MAX, 0, &n, err);
	if (rc == RC_OK)
		link->epoch = strtoull(text, NULL, 10);
	free(path);
	return rc;
}

/* Before the first record of an epoch is sent. */
static enum rc
link_keep_epoch(struct link *link, uint64_t epoch, struct err *err)
{
	char text[EPOCH_FILE_MAX];
	int n = snprintf(text, sizeof(text), "%" PRIu64 "\n", epoch);
	struct iovec iov = {.iov_base = text, .iov_len = (size_t)n};
	enum rc rc;

	if (epoch == link->epoch)
		return RC_OK;
	link->epoch = epoch;
	rc = fs_truncate(link->lock, 0, err);
	if (rc == RC_OK)
		rc = fs_write_at(link->lock, &iov, 1, 0, err);
	return rc == RC_OK ? fs_datasync(link->lock, err) : rc;
}

/* ---- The end --------------------------------------------------------------------- */

static void
link_end(struct link *link, enum rc result)
{
	if (link->state == LINK_DONE)
		return;
	link->state = LINK_DONE;
	link->result = result;
	loop_stop(link->loop);
}

static void
link_drop(struct link *link)
{
	if (link->stream != NULL)
		stream_close(link->stream);
}

/* ---- Sending --------------------------------------------------------------------- */

static struct sent *
link_sent(struct link *link, uint64_t seq)
{
	return &link->ring[seq % WINDOW_MAX];
}

static bool
link_write(struct link *link, const void *bytes, size_t n)
{
	link->spoke_ms = clock_mono_ms();
	return stream_write(link->stream, bytes, n) == RC_OK;
}

/* One more record of the source into the ring and out.  False: not now. */
static bool
link_pull(struct link *link)
{
	struct desk_record record = {0};
	struct sent *sent = link_sent(link, link->next_seq);

	if (link->source_ended || link->next_seq - link->answered > link->window)
		return false;
	if (!link->source->next(link->source->arg, &record)) {
		link->source_ended = true;
		return false;
	}
	record.ask.seq = link->next_seq;
	*sent = (struct sent){0};
	sent->frame = desk_msg_record(&record, &sent->len);
	link->next_seq++;
	if (sent->len > link->frame_max) {
		link_end(link,
			 err_invalid(link->err,
				     "record %" PRIu64 " has %zu bytes, the server reads "
				     "at most %" PRIu32,
				     link->next_seq - link->first_seq, sent->len, link->frame_max));
		return false;
	}
	return link_write(link, sent->frame, sent->len);
}

static void
link_go_on(struct link *link)
{
	while (link->state == LINK_READY && link_pull(link))
		;
	if (link->state == LINK_READY && link->source_ended && link->answered + 1 == link->next_seq)
		link_end(link, RC_OK);
}

/* ---- What the server says --------------------------------------------------------- */

static void
link_answer(struct link *link, uint64_t seq)
{
	struct sent *sent = link_sent(link, seq);
	enum desk_answer answer = DESK_ACCEPTED;

	if (sent->reason != REJECT_NONE)
		answer = DESK_REFUSED;
	else if (seq <= link->unknown_to)
		answer = DESK_UNKNOWN;
	link->source->answered(link->source->arg, (size_t)(seq - link->first_seq), answer,
			       sent->reason, sent->detail != NULL ? sent->detail : "");
	free(sent->frame);
	free(sent->detail);
	*sent = (struct sent){0};
}

static void
link_acked(struct link *link, uint64_t seq)
{
	link->tries = 0;
	for (; link->answered < seq && link->answered + 1 < link->next_seq; link->answered++)
		link_answer(link, link->answered + 1);
	link_go_on(link);
}

static void
link_rejected(struct link *link, const struct desk_msg *msg)
{
	struct sent *sent = link_sent(link, msg->seq);

	if (msg->seq <= link->answered || msg->seq >= link->next_seq || sent->detail != NULL)
		return;
	sent->reason = msg->reject;
	sent->detail = xstrdup(msg->detail);
}

/* The first welcome says where this run's numbers begin; a later one which of the
 * records that were sent are with the server, unanswered. */
static void
link_welcomed(struct link *link, const struct desk_msg *msg)
{
	enum rc rc = link_keep_epoch(link, msg->epoch, link->err);

	if (rc != RC_OK) {
		link_end(link, rc);
		return;
	}
	link->state = LINK_READY;
	link->heartbeat_s = msg->heartbeat_s;
	link->frame_max = msg->frame_max;
	link->window = msg->window < WINDOW_MAX ? msg->window : WINDOW_MAX - 1;
	if (link->first_seq == 0) {
		link->answered = msg->seq;
		link->first_seq = link->next_seq = msg->seq + 1;
	} else if (msg->seq > link->unknown_to) {
		link->unknown_to = msg->seq;
	}
	/* all of them: to one that it has the server says so by an ack */
	for (uint64_t seq = link->answered + 1; seq < link->next_seq; seq++)
		(void)link_write(link, link_sent(link, seq)->frame, link_sent(link, seq)->len);
	link_go_on(link);
}

static void
link_went_away(struct link *link, const struct desk_msg *msg)
{
	if (msg->final)
		link_end(link, err_invalid(link->err, "the server sends desk \"%s\" away: %s",
					   link->folder->name, msg->detail));
	link->retry_at_ms = clock_mono_ms() + msg->delay_ms;
	link_drop(link);
}

static void
link_message(struct link *link, const uint8_t *payload, size_t n)
{
	struct desk_msg msg;

	if (!desk_msg_read(payload, n, &msg)) {
		(void)err_fail(link->err, "the server sent what the contract doesn't know");
		link_drop(link);
		return;
	}
	switch (msg.type) {
	case DESK_MSG_WELCOME:
		link_welcomed(link, &msg);
		break;
	case DESK_MSG_ACK:
		link_acked(link, msg.seq);
		break;
	case DESK_MSG_REJECT:
		link_rejected(link, &msg);
		break;
	case DESK_MSG_RESEND:
		for (uint64_t seq = msg.seq; seq > link->answered && seq < link->next_seq; seq++)
			(void)link_write(link, link_sent(link, seq)->frame,
					 link_sent(link, seq)->len);
		break;
	case DESK_MSG_GOAWAY:
		link_went_away(link, &msg);
		break;
	case DESK_MSG_OTHER:
		break;
	}
	desk_msg_fini(&msg);
}

/* ---- The connection ----------------------------------------------------------------- */

static void
link_open_cb(void *arg, struct stream *stream)
{
	struct link *link = arg;
	size_t n;
	uint8_t *hello = desk_msg_hello(link->epoch, link->answered, &n);

	(void)stream;
	link->state = LINK_GREETING;
	link->heard_ms = clock_mono_ms();
	(void)link_write(link, hello, n);
	free(hello);
}

static size_t
link_bytes_cb(void *arg, struct stream *stream, const uint8_t *bytes, size_t n)
{
	struct link *link = arg;
	size_t done = 0;

	link->heard_ms = clock_mono_ms();
	while (link->stream == stream && link->state != LINK_DONE) {
		const uint8_t *payload;
		size_t len, used;
		enum frame_result result =
			frame_parse(bytes + done, n - done, READ_BUDGET, &payload, &len, &used);

		if (result == FRAME_PARTIAL)
			break;
		if (result != FRAME_WHOLE) {
			(void)err_fail(link->err, "the server's frame is not one");
			link_drop(link);
			break;
		}
		done += used;
		link_message(link, payload, len);
	}
	return done;
}

static void
link_drained_cb(void *arg, struct stream *stream)
{
	(void)stream;
	link_go_on(arg);
}

static void
link_closed_cb(void *arg, struct stream *stream, enum stream_end end, const struct err *err)
{
	struct link *link = arg;

	(void)stream;
	link->stream = NULL;
	if (link->state == LINK_DONE)
		return;
	if (end != STREAM_END_LOCAL)
		(void)err_fail(link->err, "could not talk to the daemon at %s:%d: %s%s%s",
			       link->folder->host, link->folder->port, stream_end_name(end),
			       err->msg[0] != '\0' ? ": " : "", err->msg);
	link->state = LINK_AWAY;
	if (++link->tries >= DESK_LINK_TRIES)
		link_end(link, RC_FAIL);
}

static const struct stream_hooks link_hooks = {
	.on_open = link_open_cb,
	.on_bytes = link_bytes_cb,
	.on_drained = link_drained_cb,
	.on_closed = link_closed_cb,
};

static void
link_connect(struct link *link)
{
	const struct addrinfo *to = link->addresses;

	link->state = LINK_SHAKING;
	link->retry_at_ms = clock_mono_ms() + 1000;
	if (stream_connect(link->streams, link->tls, to->ai_addr, to->ai_addrlen, NULL, 0,
			   &link_hooks, link, &link->stream, link->err) != RC_OK)
		link_end(link, RC_FAIL);
}

static void
link_tick(void *arg)
{
	struct link *link = arg;
	uint64_t now = clock_mono_ms();

	if (link->state == LINK_AWAY && now >= link->retry_at_ms) {
		link_connect(link);
	} else if ((link->state == LINK_READY || link->state == LINK_GREETING) &&
		   now - link->heard_ms > DESK_LINK_PATIENCE_MS) {
		(void)err_fail(link->err, "the daemon at %s:%d doesn't answer", link->folder->host,
			       link->folder->port);
		link_drop(link);
	} else if (link->state == LINK_READY && now - link->spoke_ms > DESK_LINK_PATIENCE_MS / 3) {
		size_t n;
		uint8_t *beat = desk_msg_heartbeat(&n);

		(void)link_write(link, beat, n);
		free(beat);
	}
}

static void
link_turn_cb(void *arg)
{
	struct link *link = arg;

	stream_set_turn(link->streams);
}

/* ---- Beginning -------------------------------------------------------------------------- */

static enum rc
link_load_tls(struct link *link, struct err *err)
{
	const char *dir = link->folder->dir;
	char *ca = xasprintf("%s/ca.pem", dir);
	char *certificate = xasprintf("%s/certificate.pem", dir);
	char *key = xasprintf("%s/key.pem", dir);
	const struct tls_files files = {.ca = ca, .certificate = certificate, .key = key};
	enum rc rc = tls_client_new(&link->tls, &files, err);

	free(ca);
	free(certificate);
	free(key);
	return rc;
}

static enum rc
link_find_address(struct link *link, struct err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	char port[16];
	int problem;

	(void)snprintf(port, sizeof(port), "%d", link->folder->port);
	problem = getaddrinfo(link->folder->host, port, &hints, &link->addresses);
	if (problem != 0)
		return err_fail(err, "could not find the host \"%s\": %s", link->folder->host,
				gai_strerror(problem));
	return RC_OK;
}

static enum rc
link_open(struct link *link, struct err *err)
{
	const struct loop_hooks hooks = {.on_turn = link_turn_cb, .arg = link};
	const struct stream_limits limits = {.handshake_timeout_ms = HANDSHAKE_TIMEOUT_MS,
					     .handshake_steps = 1,
					     .read_budget_bytes = READ_BUDGET,
					     .output_limit_bytes = OUTPUT_LIMIT};
	enum rc rc = link_lock(link, err);

	if (rc == RC_OK)
		rc = link_load_tls(link, err);
	if (rc == RC_OK)
		rc = link_find_address(link, err);
	if (rc == RC_OK)
		rc = loop_new(&link->loop, &hooks, err);
	if (rc == RC_OK)
		rc = stream_set_new(&link->streams, link->loop, &limits, err);
	if (rc == RC_OK)
		rc = loop_every(link->loop, TICK_MS, link_tick, link, err);
	return rc;
}

static void
link_fini(struct link *link)
{
	link->state = LINK_DONE;
	stream_set_free(&link->streams);
	loop_free(&link->loop);
	tls_unref(&link->tls);
	if (link->addresses != NULL)
		freeaddrinfo(link->addresses);
	fs_close(link->lock);
	for (size_t i = 0; i < WINDOW_MAX; i++) {
		free(link->ring[i].frame);
		free(link->ring[i].detail);
	}
}

enum rc
desk_link_run(const struct desk_folder *folder, const struct desk_source *source, struct err *err)
{
	struct link *link = xcalloc(1, sizeof(*link));
	enum rc rc;

	*link = (struct link){.folder = folder, .source = source, .lock = -1, .err = err};
	rc = link_open(link, err);
	if (rc == RC_OK) {
		link_connect(link);
		loop_run(link->loop);
		rc = link->result;
	}
	link_fini(link);
	free(link);
	return rc;
}
