/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of a test that plays the peer itself: see the header. */
#include "stream_fake.h"

#include <stdlib.h>
#include <string.h>

enum { IN_MAX = 128 * 1024, OUT_MAX = 1024 * 1024 };

struct stream *
stream_fake_new(enum tls_role role, const char *name)
{
	struct stream *stream = xcalloc(1, sizeof(*stream));

	stream->role = role;
	must(strlen(name) <= TLS_NAME_MAX);
	memcpy(stream->name, name, strlen(name));
	buf_init(&stream->in, IN_MAX);
	buf_init(&stream->out, OUT_MAX);
	return stream;
}

void
stream_fake_offer(struct stream *stream)
{
	while (!stream->paused && !stream->closed && buf_len(&stream->in) > 0) {
		/* a copy of its own size, so that a sanitizer sees a byte too many */
		size_t n = buf_len(&stream->in), used;
		uint8_t *bytes = xcalloc(1, n);

		memcpy(bytes, buf_front(&stream->in), n);
		used = stream->hooks->on_bytes(stream->arg, stream, bytes, n);
		free(bytes);
		must(used <= n);
		buf_consume(&stream->in, used);
		if (used == 0)
			return;
	}
}

void
stream_fake_say(struct stream *stream, const uint8_t *bytes, size_t n)
{
	if (!stream->closed && buf_append(&stream->in, bytes, n) == RC_OK)
		stream_fake_offer(stream);
}

void
stream_fake_drain(struct stream *stream)
{
	buf_clear(&stream->out);
	if (!stream->closed && stream->hooks->on_drained != NULL)
		stream->hooks->on_drained(stream->arg, stream);
}

void
stream_fake_free(struct stream **out)
{
	struct stream *stream = *out;
	struct err err = {0};

	*out = NULL;
	if (!stream->closed) {
		stream->closed = true;
		stream->hooks->on_closed(stream->arg, stream, STREAM_END_PEER, &err);
	}
	buf_fini(&stream->in);
	buf_fini(&stream->out);
	free(stream);
}

/* ---- wire/stream.h ---------------------------------------------------------- */

const char *
stream_end_name(enum stream_end end)
{
	(void)end;
	return "ended";
}

void
stream_hand_over(struct stream *stream, const struct stream_hooks *hooks, void *arg)
{
	stream->hooks = hooks;
	stream->arg = arg;
}

enum rc
stream_write(struct stream *stream, const void *bytes, size_t n)
{
	must(!stream->closed);
	return buf_append(&stream->out, bytes, n);
}

/* It is drained when the test says so. */
void
stream_push(struct stream *stream)
{
	(void)stream;
}

void
stream_approach(const struct stream *stream)
{
	(void)stream;
}

void
stream_bring(const struct stream *stream)
{
	(void)stream;
}

size_t
stream_unsent(const struct stream *stream)
{
	return buf_len(&stream->out);
}

void
stream_pause(struct stream *stream)
{
	must(!stream->closed);
	stream->paused = true;
}

void
stream_resume(struct stream *stream)
{
	must(!stream->closed);
	stream->paused = false;
}

void
stream_close(struct stream *stream)
{
	struct err err = {0};

	must(!stream->closed);
	stream->closed = true;
	stream->hooks->on_closed(stream->arg, stream, STREAM_END_LOCAL, &err);
}

enum tls_role
stream_peer_role(const struct stream *stream)
{
	return stream->role;
}

const char *
stream_peer_name(const struct stream *stream)
{
	return stream->name;
}

bool
stream_was_resumed(const struct stream *stream)
{
	(void)stream;
	return false;
}

const char *
stream_peer_address(const struct stream *stream)
{
	(void)stream;
	return "192.0.2.1:7443";
}
