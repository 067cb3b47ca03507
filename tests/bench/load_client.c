/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the load.  The write side of its TLS is buffered: a window of records is
 * encrypted one by one and leaves by one write(), as TCP would put them together on a
 * slower line.
 *
 * Deliberately sends no heartbeat, and does not check who the server is.
 */
#include "load_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "gatehouse.pb-c.h"
#include "sim/content.h"
#include "wire/frame.h"

enum {
	RETRY_MS = 200,
	MESSAGE_MAX = 256,
	OUT_BYTES = 32 * 1024, /* of TLS records that wait for their write() */
	READ_BYTES = 16 * 1024,
};

static const uint8_t alpn[] = "\x0bgatehouse/1";

/* ---- Made once ------------------------------------------------------------------------ */

static int
client_ticket_cb(SSL *ssl, SSL_SESSION *session)
{
	struct client *client = SSL_get_app_data(ssl);

	SSL_SESSION_free(client->session);
	client->session = session;
	client->load->tickets++;
	return 1; /* it is ours now */
}

SSL_CTX *
client_context_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	must(ctx != NULL);
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(ctx, client_ticket_cb);
	/* returns 0 for success, unlike its neighbours */
	must(SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) == 0);
	return ctx;
}

static FILE *
open_in(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	FILE *file = fopen(path, "re");

	if (file == NULL)
		fatal("could not read \"%s\": %s", path, strerror(errno));
	free(path);
	return file;
}

static void
client_load_files(struct client *client)
{
	FILE *certificate = open_in(client->enrolment->dir, "certificate.pem");
	FILE *key = open_in(client->enrolment->dir, "key.pem");

	client->certificate = PEM_read_X509(certificate, NULL, NULL, NULL);
	client->key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
	if (client->certificate == NULL || client->key == NULL)
		fatal("no certificate and key in \"%s\"", client->enrolment->dir);
	(void)fclose(certificate);
	(void)fclose(key);
}

void
client_init(struct client *client, struct load *load, const struct enrolment *enrolment,
	    uint32_t number)
{
	*client = (struct client){.load = load, .enrolment = enrolment, .number = number, .fd = -1};
	client->seed = content_seed(enrolment->name);
	client_load_files(client);
	load->away++;
}

void
client_free(struct client *client)
{
	SSL_free(client->ssl);
	if (client->fd >= 0)
		(void)close(client->fd);
	SSL_SESSION_free(client->session);
	X509_free(client->certificate);
	EVP_PKEY_free(client->key);
}

/* ---- Coming and going --------------------------------------------------------------------- */

static void
client_set_state(struct client *client, enum client_state state)
{
	struct load *load = client->load;

	load->away += (state == CLIENT_AWAY) - (client->state == CLIENT_AWAY);
	load->shaking += (state == CLIENT_SHAKING) - (client->state == CLIENT_SHAKING);
	load->ready += (state == CLIENT_READY) - (client->state == CLIENT_READY);
	client->state = state;
}

static void
client_down(struct client *client)
{
	client_set_state(client, CLIENT_AWAY);
	/* else OpenSSL holds the ticket of a connection that ended without a goodbye for
	 * spoilt; a controller comes back with it after any kind of end */
	if (client->ssl != NULL)
		SSL_set_shutdown(client->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(client->ssl);
	client->ssl = NULL;
	(void)close(client->fd);
	client->fd = -1;
	client->kept = 0;
	/* the next welcome says where to go on */
	client->sent = client->acked;
}

static void
client_fail(struct client *client, const char *what)
{
	struct load *load = client->load;
	unsigned long code = ERR_get_error();

	ERR_clear_error();
	(void)snprintf(load->problem, sizeof(load->problem), "%s: %s%s%s", client->enrolment->name,
		       what, code != 0 ? ": " : "", code != 0 ? ERR_reason_error_string(code) : "");
	load->failed++;
	client->retry_at_ms = clock_mono_ms() + RETRY_MS;
	client_down(client);
}

static void
client_watch(const struct client *client, int how, uint32_t events)
{
	struct epoll_event wish = {.events = events};

	wish.data.ptr = (void *)(uintptr_t)client;
	if (epoll_ctl(client->load->epoll, how, client->fd, &wish) != 0)
		fatal("could not watch a socket: %s", strerror(errno));
}

static void
client_begin_tls(struct client *client)
{
	const struct load *load = client->load;
	BIO *out = BIO_new(BIO_f_buffer());

	client->ssl = SSL_new(load->ctx);
	must(client->ssl != NULL && out != NULL);
	(void)BIO_set_write_buffer_size(out, OUT_BYTES);
	(void)BIO_push(out, BIO_new_socket(client->fd, BIO_NOCLOSE));
	SSL_set_bio(client->ssl, BIO_new_socket(client->fd, BIO_NOCLOSE), out);
	SSL_set_app_data(client->ssl, client);
	must(SSL_use_certificate(client->ssl, client->certificate) == 1);
	must(SSL_use_PrivateKey(client->ssl, client->key) == 1);
	if (load->resume && client->session != NULL)
		must(SSL_set_session(client->ssl, client->session) == 1);
	SSL_set_connect_state(client->ssl);
}

void
client_connect(struct client *client)
{
	struct load *load = client->load;
	struct sockaddr_in from = {.sin_family = AF_INET};
	int yes = 1;

	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		fatal("could not make a socket: %s", strerror(errno));
	(void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + client->number % load->source_addresses);
	/* the port is chosen with the destination known: more of them are free then */
	(void)setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
	if (bind(client->fd, (const struct sockaddr *)&from, sizeof(from)) != 0)
		fatal("could not bind: %s", strerror(errno));
	client_set_state(client, CLIENT_SHAKING);
	client_begin_tls(client);
	client_watch(client, EPOLL_CTL_ADD, EPOLLOUT);
	if (connect(client->fd, (const struct sockaddr *)&client->enrolment->address,
		    client->enrolment->address_len) != 0 &&
	    errno != EINPROGRESS)
		client_fail(client, strerror(errno));
}

static bool
client_flush(struct client *client)
{
	client->load->writes++;
	/* a window is far below the socket's buffer: one that is full has a server that
	 * does not read */
	return BIO_flush(SSL_get_wbio(client->ssl)) == 1;
}

void
client_close(struct client *client)
{
	client_set_state(client, CLIENT_CLOSING);
	(void)SSL_shutdown(client->ssl);
	(void)client_flush(client);
	(void)shutdown(client->fd, SHUT_WR);
}

/* ---- Sending ------------------------------------------------------------------------------ */

static bool
client_write(struct client *client, const Gatehouse__V1__FromController *message)
{
	uint8_t frame[FRAME_HEADER_MAX + MESSAGE_MAX], *end;
	size_t len = gatehouse__v1__from_controller__get_packed_size(message);

	must(len <= MESSAGE_MAX);
	end = frame_put_header(frame, len);
	end += gatehouse__v1__from_controller__pack(message, end);
	return SSL_write(client->ssl, frame, (int)(end - frame)) == (int)(end - frame);
}

static bool
client_say_hello(struct client *client)
{
	Gatehouse__V1__FromController message = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Hello hello = GATEHOUSE__V1__HELLO__INIT;
	char firmware[] = "bench";

	hello.protocol = 1;
	hello.epoch = client->load->epoch;
	hello.acked_seq = client->acked;
	hello.clock_us = clock_wall_us();
	hello.firmware = firmware;
	message.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HELLO;
	message.hello = &hello;
	return client_write(client, &message) && client_flush(client);
}

static bool
client_write_record(struct client *client, uint64_t seq, int64_t now_us)
{
	const struct load *load = client->load;
	Gatehouse__V1__FromController message = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Record record;
	uint8_t card[CONTENT_CARD_BYTES];
	struct item item = {.time_us = now_us};

	/* a controller's clock of its own: not all of a round at the same microsecond */
	if (load->spacing_us > 0)
		item.time_us = load->base_us - (int64_t)(client->seed % load->spacing_us) -
			       (int64_t)((client->allowed - seq) * load->spacing_us);
	content_make(client->seed, client->enrolment, seq, &item);
	content_fill(client->seed, seq, &item, NULL, card, &record);
	message.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_RECORD;
	message.record = &record;
	return client_write(client, &message);
}

void
client_send(struct client *client)
{
	uint64_t limit = client->acked + client->load->window;
	int64_t now_us = clock_wall_us();
	bool well = true;

	if (limit > client->allowed)
		limit = client->allowed;
	if (client->state != CLIENT_READY || client->sent >= limit)
		return;
	while (well && client->sent < limit)
		well = client_write_record(client, ++client->sent, now_us);
	if (!well || !client_flush(client))
		client_fail(client, "could not send");
}

/* ---- What comes --------------------------------------------------------------------------- */

static void
client_on_ack(struct client *client, uint64_t seq)
{
	if (seq <= client->acked || seq > client->sent)
		fatal("%s: ack of %llu, after %llu were acknowledged of %llu",
		      client->enrolment->name, (unsigned long long)seq,
		      (unsigned long long)client->acked, (unsigned long long)client->sent);
	client->load->acked += seq - client->acked;
	client->acked = seq;
}

static void
client_on_message(struct client *client, const uint8_t *payload, size_t n)
{
	Gatehouse__V1__ToController *message =
		gatehouse__v1__to_controller__unpack(NULL, n, payload);

	if (message == NULL)
		fatal("%s: the server's message can't be decoded", client->enrolment->name);
	if (message->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_ACK) {
		client_on_ack(client, message->ack->seq);
	} else if (message->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_WELCOME) {
		if (message->welcome->resume_after > client->sent)
			client->sent = message->welcome->resume_after;
		client_set_state(client, CLIENT_READY);
	} else if (message->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_GOAWAY) {
		client_fail(client, "told to go away");
	} else {
		/* a load that is rejected, or has holes, measures nothing */
		fatal("%s: message %d of the server is none that this load can cause",
		      client->enrolment->name, (int)message->message_case);
	}
	gatehouse__v1__to_controller__free_unpacked(message, NULL);
}

/* Cuts what was read into messages; keeps what is left of the last. */
static void
client_take(struct client *client, const uint8_t *bytes, size_t n)
{
	size_t done = 0;

	while (client->state != CLIENT_AWAY) {
		const uint8_t *payload;
		size_t len, used;
		enum frame_result result =
			frame_parse(bytes + done, n - done, READ_BYTES, &payload, &len, &used);

		if (result == FRAME_PARTIAL)
			break;
		must(result == FRAME_WHOLE);
		done += used;
		if (client->state != CLIENT_CLOSING)
			client_on_message(client, payload, len);
	}
	if (client->state == CLIENT_AWAY)
		return;
	must(n - done <= sizeof(client->in));
	memmove(client->in, bytes + done, n - done);
	client->kept = (uint16_t)(n - done);
}

/* False: there is nothing more, or the connection is gone. */
static bool
client_read(struct client *client)
{
	uint8_t bytes[sizeof(client->in) + READ_BYTES];
	int n;

	memcpy(bytes, client->in, client->kept);
	n = SSL_read(client->ssl, bytes + client->kept, READ_BYTES);
	if (n > 0) {
		client_take(client, bytes, client->kept + (size_t)n);
		return client->state != CLIENT_AWAY && SSL_has_pending(client->ssl) == 1;
	}
	if (SSL_get_error(client->ssl, n) == SSL_ERROR_WANT_READ)
		return false;
	if (client->state == CLIENT_CLOSING)
		client_down(client);
	else
		client_fail(client, "closed by the server");
	return false;
}

static void
client_on_open(struct client *client)
{
	struct load *load = client->load;

	load->handshakes++;
	load->resumed += SSL_session_reused(client->ssl) == 1;
	(void)snprintf(load->suite, sizeof(load->suite), "%s", SSL_get_cipher_name(client->ssl));
	if (SSL_get_negotiated_group(client->ssl) != 0)
		(void)snprintf(load->group, sizeof(load->group), "%s",
			       OBJ_nid2sn(SSL_get_negotiated_group(client->ssl)));
	client_set_state(client, CLIENT_GREETING);
	if (!load->greet)
		client_close(client);
	else if (!client_say_hello(client))
		client_fail(client, "could not say hello");
}

static void
client_shake(struct client *client)
{
	int done = SSL_connect(client->ssl), error;

	if (done == 1) {
		client_watch(client, EPOLL_CTL_MOD, EPOLLIN);
		client_on_open(client);
		return;
	}
	error = SSL_get_error(client->ssl, done);
	if (error == SSL_ERROR_WANT_READ)
		client_watch(client, EPOLL_CTL_MOD, EPOLLIN);
	else if (error != SSL_ERROR_WANT_WRITE)
		client_fail(client, "no handshake");
}

void
client_wake(struct client *client)
{
	bool more = true;

	if (client->state == CLIENT_SHAKING) {
		client_shake(client);
		return;
	}
	while (more && client->state != CLIENT_AWAY)
		more = client_read(client);
	client_send(client);
}
