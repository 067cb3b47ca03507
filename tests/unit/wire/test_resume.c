/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coming back by a short handshake: what makes it possible, and everything that
 * must make it impossible.
 *
 * Seen to fail: each "is refused" test with the check that it is about taken out
 * of tls_sessions_find() or tls_find_session_cb(); the ones about the identity
 * with the appdata taken from the certificate in hand; the renewal without the
 * sweep; the file's ones without the unlink and without the digest.
 */
#include "stream_fixture.h"

#include <sys/stat.h>

#include "wire/tls_sessions.h"

enum { LIFETIME_S = 100000, CLIENTS_MAX = 2 };

static char dir[] = "/tmp/gatehouse-resume-XXXXXX";

/* Of the fixture's clock: 1000 s after 1970, so a certificate's end is far. */
static const struct tls_sessions_conf conf = {.max = CLIENTS_MAX, .lifetime_s = LIFETIME_S};

struct scene {
	struct fixture *f;
	struct tls_sessions *sessions;
	struct tls *client; /* north-17's */
};

static int
make_pki(void **state)
{
	static const struct pki_wish wishes[] = {
		{.name = "server", .alt_names = "DNS:localhost"},
		{.name = "north-17", .alt_names = PKI_CONTROLLER "north-17"},
		{.name = "south-3", .alt_names = PKI_CONTROLLER "south-3"},
		{.name = "desk-1", .alt_names = PKI_CONSOLE "north-17"},
		{.name = "nameless", .alt_names = "DNS:nobody"},
		{.name = "other-ca", .self_signed = true},
	};

	(void)state;
	must(mkdtemp(dir) != NULL);
	pki_init_with(&pki, wishes, ARRAY_LEN(wishes));
	return 0;
}

static int
remove_pki_and_dir(void **state)
{
	(void)rmdir(dir);
	return remove_pki(state);
}

static struct tls *
client_tls(const char *who)
{
	struct tls *tls;
	struct err err;

	if (pki_tls(&pki, "ca", who, false, &tls, &err) != RC_OK)
		fail_msg("%s", err.msg);
	tls_resume_at_client(tls);
	return tls;
}

static int
set_up(void **state)
{
	struct scene *s = xcalloc(1, sizeof(*s));

	now_ms = 1000000;
	s->f = fixture_new(&pki);
	s->sessions = tls_sessions_new(&conf);
	tls_resume_at_server(s->f->server_tls, s->sessions);
	s->client = client_tls("north-17");
	*state = s;
	return 0;
}

static int
tear_down(void **state)
{
	struct scene *s = *state;

	fixture_free(s->f);
	tls_unref(&s->client);
	tls_sessions_unref(&s->sessions);
	free(s);
	return 0;
}

/* A new process, or new certificates: the server's context is another one. */
static void
new_server(struct scene *s, const char *ca)
{
	struct err err;

	tls_unref(&s->f->server_tls);
	if (pki_tls(&pki, ca, "server", true, &s->f->server_tls, &err) != RC_OK)
		fail_msg("%s", err.msg);
	tls_resume_at_server(s->f->server_tls, s->sessions);
}

/* ---- Coming and going ---------------------------------------------------------------- */

static struct side *
begin(struct scene *s, struct tls *tls)
{
	struct fixture *f = s->f;
	struct side *side = &f->clients[f->n_clients++];

	assert_int_equal(stream_connect(f->set, tls, (struct sockaddr *)&f->address,
					sizeof(f->address), NULL, 0, &side_hooks, side,
					&side->stream, &f->err),
			 RC_OK);
	return side;
}

/* Opens one, reads what came with it, and leaves in the way that is worst for a
 * session: without a goodbye.  Returns whether it had been there before. */
static bool
visit(struct scene *s, struct tls *tls, const char *name)
{
	struct fixture *f = s->f;
	struct side *client = begin(s, tls), *server;
	uint64_t written = 0;
	bool resumed;

	UNTIL(f, client->opened == 1 && f->n_servers == f->n_clients &&
			 f->servers[f->n_servers - 1].opened == 1);
	server = &f->servers[f->n_servers - 1];
	assert_string_equal(stream_peer_name(server->stream), name);
	resumed = stream_was_resumed(server->stream);
	assert_int_equal(stream_was_resumed(client->stream), resumed);
	/* what the client has read behind it shows that the session came, too */
	assert_int_equal(side_write(server, &written, 10), RC_OK);
	UNTIL(f, client->received == 10);
	stream_close(server->stream);
	UNTIL(f, client->closed == 1);
	f->n_servers = f->n_clients = 0;
	memset(f->servers, 0, sizeof(f->servers));
	memset(f->clients, 0, sizeof(f->clients));
	return resumed;
}

/* The same for a client that must not come in. */
static void
knock_in_vain(struct scene *s, struct tls *tls, enum stream_end end, const char *because)
{
	struct fixture *f = s->f;
	struct side *client = begin(s, tls);

	UNTIL(f, f->n_servers == 1 && f->servers[0].closed == 1 && client->closed == 1);
	assert_int_equal(f->servers[0].opened, 0);
	assert_int_equal(f->servers[0].end, end);
	if (strstr(f->servers[0].err.msg, because) == NULL)
		fail_msg("expected \"%s\" in \"%s\"", because, f->servers[0].err.msg);
}

static void
who_was_here_comes_back_short(void **state)
{
	struct scene *s = *state;

	assert_false(visit(s, s->client, "north-17"));
	assert_true(visit(s, s->client, "north-17"));
	/* by the session that the short handshake gave */
	assert_true(visit(s, s->client, "north-17"));
	assert_int_equal(tls_sessions_count(s->sessions), 1);
}

static void
who_does_not_ask_for_it_has_a_full_handshake(void **state)
{
	struct scene *s = *state;
	struct tls *plain;
	struct err err;

	assert_int_equal(pki_tls(&pki, "ca", "north-17", false, &plain, &err), RC_OK);
	assert_false(visit(s, plain, "north-17"));
	assert_false(visit(s, plain, "north-17"));
	tls_unref(&plain);
}

static void
a_server_without_a_memory_knows_nobody(void **state)
{
	struct scene *s = *state;
	struct err err;

	assert_false(visit(s, s->client, "north-17"));
	tls_unref(&s->f->server_tls);
	assert_int_equal(pki_tls(&pki, "ca", "server", true, &s->f->server_tls, &err), RC_OK);
	assert_false(visit(s, s->client, "north-17"));
	assert_false(visit(s, s->client, "north-17"));
}

static void
new_certificates_of_the_server_are_no_reason_to_forget(void **state)
{
	struct scene *s = *state;

	assert_false(visit(s, s->client, "north-17"));
	new_server(s, "ca");
	assert_true(visit(s, s->client, "north-17"));
}

/* ---- Who somebody is ------------------------------------------------------------------- */

/* The roles have names of their own: a console of the same name is somebody else. */
static void
clients_are_told_apart(void **state)
{
	struct scene *s = *state;
	struct tls *console = client_tls("desk-1");
	struct side *client;

	assert_false(visit(s, s->client, "north-17"));
	assert_false(visit(s, console, "north-17"));
	assert_int_equal(tls_sessions_count(s->sessions), 2);
	assert_true(visit(s, s->client, "north-17"));
	client = begin(s, console);
	UNTIL(s->f, client->opened == 1 && s->f->servers[0].opened == 1);
	assert_true(stream_was_resumed(s->f->servers[0].stream));
	assert_int_equal(stream_peer_role(s->f->servers[0].stream), TLS_ROLE_CONSOLE);
	tls_unref(&console);
}

static void
who_has_no_name_of_ours_is_not_remembered(void **state)
{
	struct scene *s = *state;
	struct tls *nameless = client_tls("nameless");

	assert_false(visit(s, nameless, ""));
	assert_false(visit(s, nameless, ""));
	assert_int_equal(tls_sessions_count(s->sessions), 0);
	tls_unref(&nameless);
}

/* ---- A raw client that has what it shouldn't ---------------------------------------------- */

static SSL_SESSION *raw_kept;

static int
raw_session_cb(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(raw_kept);
	raw_kept = session;
	return 1;
}

static void
raw_remember(struct raw *raw)
{
	SSL_CTX_set_session_cache_mode(raw->ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(raw->ctx, raw_session_cb);
	/* the context was there before its connection */
	SSL_free(raw->ssl);
	raw->ssl = SSL_new(raw->ctx);
	assert_int_equal(SSL_set_fd(raw->ssl, raw->fd), 1);
	SSL_set_connect_state(raw->ssl);
}

static const struct raw_wish raw_wish = {.who = "south-3", .alpn = "\x0bgatehouse/1"};

/* south-3 opens by a raw client and leaves its session in raw_kept. */
static void
raw_visit(struct scene *s)
{
	struct raw raw = {0};
	struct side *server = &s->f->servers[s->f->n_servers];
	char byte;

	raw_begin(s->f, &raw, &raw_wish);
	raw_remember(&raw);
	for (int i = 0; server->opened == 0; i++) {
		assert_true(i < TURNS_MAX);
		raw_step(&raw);
		turn(s->f);
	}
	for (int i = 0; raw_kept == NULL; i++) {
		assert_true(i < TURNS_MAX);
		(void)SSL_read(raw.ssl, &byte, 1);
		turn(s->f);
	}
	SSL_set_shutdown(raw.ssl, SSL_SENT_SHUTDOWN);
	raw_end(&raw);
	UNTIL(s->f, server->closed == 1);
}

static void
a_handle_without_its_secret_opens_nothing(void **state)
{
	struct scene *s = *state;
	struct raw raw = {0};
	struct side *server;
	uint8_t secret[48] = "a guess";
	SSL_SESSION *stolen;

	raw_visit(s);
	stolen = SSL_SESSION_dup(raw_kept);
	assert_int_equal(SSL_SESSION_set1_master_key(stolen, secret,
						     SSL_SESSION_get_master_key(stolen, NULL, 0)),
			 1);
	server = &s->f->servers[s->f->n_servers];
	raw_begin(s->f, &raw, &raw_wish);
	assert_int_equal(SSL_set_session(raw.ssl, stolen), 1);
	for (int i = 0; server->closed == 0; i++) {
		assert_true(i < TURNS_MAX);
		raw_step(&raw);
		turn(s->f);
	}
	assert_int_equal(server->opened, 0);
	assert_int_equal(server->end, STREAM_END_HANDSHAKE);
	raw_end(&raw);
	SSL_SESSION_free(stolen);
	SSL_SESSION_free(raw_kept);
	raw_kept = NULL;
}

/* Whoever holds a session is who made it, whatever certificate lies beside it. */
static void
a_session_is_its_makers(void **state)
{
	struct scene *s = *state;
	struct raw raw = {0};
	struct side *server;
	struct raw_wish wish = {.who = "desk-1", .alpn = raw_wish.alpn};

	raw_visit(s);
	server = &s->f->servers[s->f->n_servers];
	raw_begin(s->f, &raw, &wish);
	assert_int_equal(SSL_set_session(raw.ssl, raw_kept), 1);
	for (int i = 0; server->opened == 0; i++) {
		assert_true(i < TURNS_MAX);
		raw_step(&raw);
		turn(s->f);
	}
	assert_true(stream_was_resumed(server->stream));
	assert_int_equal(stream_peer_role(server->stream), TLS_ROLE_CONTROLLER);
	assert_string_equal(stream_peer_name(server->stream), "south-3");
	raw_end(&raw);
	UNTIL(s->f, server->closed == 1);
	SSL_SESSION_free(raw_kept);
	raw_kept = NULL;
}

/* ---- What ends a session -------------------------------------------------------------------- */

static void
a_session_ends_after_its_time(void **state)
{
	struct scene *s = *state;

	assert_false(visit(s, s->client, "north-17"));
	now_ms += (LIFETIME_S - 1) * 1000ull;
	assert_true(visit(s, s->client, "north-17"));
	now_ms += LIFETIME_S * 1000ull;
	assert_false(visit(s, s->client, "north-17"));
}

/* OpenSSL's clock is the real one, so the certificate itself is good here, and the
 * short handshake alone is what is refused. */
static void
a_session_ends_with_the_certificate(void **state)
{
	struct scene *s = *state;

	/* an hour before it ends, by far less than the lifetime */
	now_ms = ((uint64_t)time(NULL) + 2 * PKI_DAY - 3600) * 1000;
	assert_false(visit(s, s->client, "north-17"));
	assert_true(visit(s, s->client, "north-17"));
	now_ms += 3700 * 1000;
	assert_false(visit(s, s->client, "north-17"));
	assert_false(visit(s, s->client, "north-17"));
}

static void
another_authority_knows_nobody(void **state)
{
	struct scene *s = *state;

	assert_false(visit(s, s->client, "north-17"));
	new_server(s, "other-ca");
	assert_int_equal(tls_sessions_count(s->sessions), 0);
	knock_in_vain(s, s->client, STREAM_END_BAD_CERTIFICATE, "");
}

/* A connection of before the change may go on, and gives out sessions. */
static void
what_a_former_authority_vouches_for_is_not_remembered(void **state)
{
	struct scene *s = *state;
	struct side *client = begin(s, s->client);
	struct fixture *f = s->f;

	UNTIL(f, client->opened == 1 && f->n_servers == 1 && f->servers[0].opened == 1);
	new_server(s, "other-ca");
	now_ms += LIFETIME_S * 501ull;
	for (int i = 0; i < 1500; i++) /* longer than a sweep */
		turn(f);
	assert_int_equal(client->closed + f->servers[0].closed, 0);
	assert_int_equal(tls_sessions_count(s->sessions), 0);
}

/* A door's connection stands for months; when it is lost, the session is fresh. */
static void
a_connection_that_stands_gets_a_fresh_session(void **state)
{
	struct scene *s = *state;
	struct side *client = begin(s, s->client);
	struct fixture *f = s->f;
	uint64_t written = 0;

	UNTIL(f, client->opened == 1 && f->n_servers == 1 && f->servers[0].opened == 1);
	for (int i = 0; i < 3; i++) {
		now_ms += LIFETIME_S * 501ull;
		for (int j = 0; j < 1500; j++) /* longer than a sweep */
			turn(f);
	}
	assert_int_equal(side_write(&f->servers[0], &written, 10), RC_OK);
	UNTIL(f, client->received == 10);
	stream_close(f->servers[0].stream);
	UNTIL(f, client->closed == 1);
	f->n_servers = f->n_clients = 0;
	memset(f->servers, 0, sizeof(f->servers));
	memset(f->clients, 0, sizeof(f->clients));
	assert_true(visit(s, s->client, "north-17"));
}

static void
the_one_longest_ago_is_forgotten(void **state)
{
	struct scene *s = *state;
	struct tls *south = client_tls("south-3"), *console = client_tls("desk-1");

	assert_false(visit(s, s->client, "north-17"));
	assert_false(visit(s, south, "south-3"));
	assert_true(visit(s, s->client, "north-17"));
	assert_false(visit(s, console, "north-17"));
	assert_int_equal(tls_sessions_count(s->sessions), CLIENTS_MAX);
	assert_true(visit(s, s->client, "north-17"));
	assert_false(visit(s, south, "south-3"));
	tls_unref(&south);
	tls_unref(&console);
}

/* ---- Over a restart ---------------------------------------------------------------------------
 */

static char *
file_path(void)
{
	return xasprintf("%s/%s", dir, TLS_SESSIONS_FILE);
}

/* The process ends, and another one begins. */
static void
restart(struct scene *s, const char *ca, enum rc expected)
{
	char *path = file_path();
	struct stat st;
	struct err err;

	assert_int_equal(tls_sessions_save(s->sessions, dir, &err), RC_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	tls_sessions_unref(&s->sessions);
	s->sessions = tls_sessions_new(&conf);
	new_server(s, ca);
	assert_int_equal(tls_sessions_load(s->sessions, dir, &err), expected);
	/* secrets lie there between two runs only */
	assert_int_equal(stat(path, &st), -1);
	free(path);
}

static void
a_restart_does_not_forget(void **state)
{
	struct scene *s = *state;
	struct err err;

	assert_false(visit(s, s->client, "north-17"));
	restart(s, "ca", RC_OK);
	assert_int_equal(tls_sessions_load(s->sessions, dir, &err), RC_EOF);
	assert_true(visit(s, s->client, "north-17"));
}

static void
a_restart_with_another_authority_does(void **state)
{
	struct scene *s = *state;

	assert_false(visit(s, s->client, "north-17"));
	restart(s, "other-ca", RC_OK);
	assert_int_equal(tls_sessions_count(s->sessions), 0);
}

static void
a_session_ends_while_nobody_runs(void **state)
{
	struct scene *s = *state;

	assert_false(visit(s, s->client, "north-17"));
	now_ms += LIFETIME_S * 1000ull;
	restart(s, "ca", RC_OK);
	assert_int_equal(tls_sessions_count(s->sessions), 0);
}

/* Flips a bit in each byte of the file in turn. */
static void
a_damaged_file_is_refused(void **state)
{
	struct scene *s = *state;
	char *path = file_path();
	struct err err;
	struct stat st;

	assert_false(visit(s, s->client, "north-17"));
	for (off_t at = 0, n = 1; at < n; at++) {
		FILE *file;
		int byte;

		assert_int_equal(tls_sessions_save(s->sessions, dir, &err), RC_OK);
		file = fopen(path, "r+");
		assert_non_null(file);
		assert_int_equal(fstat(fileno(file), &st), 0);
		n = st.st_size;
		assert_int_equal(fseek(file, at, SEEK_SET), 0);
		byte = fgetc(file);
		assert_int_equal(fseek(file, at, SEEK_SET), 0);
		assert_true(fputc(byte ^ 0x10, file) != EOF && fclose(file) == 0);
		assert_int_equal(tls_sessions_load(s->sessions, dir, &err), RC_INVALID);
		assert_int_equal(stat(path, &st), -1);
	}
	free(path);
}

int
main(void)
{
#define RESUME_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		RESUME_TEST(who_was_here_comes_back_short),
		RESUME_TEST(who_does_not_ask_for_it_has_a_full_handshake),
		RESUME_TEST(a_server_without_a_memory_knows_nobody),
		RESUME_TEST(new_certificates_of_the_server_are_no_reason_to_forget),
		RESUME_TEST(clients_are_told_apart),
		RESUME_TEST(who_has_no_name_of_ours_is_not_remembered),
		RESUME_TEST(a_handle_without_its_secret_opens_nothing),
		RESUME_TEST(a_session_is_its_makers),
		RESUME_TEST(a_session_ends_after_its_time),
		RESUME_TEST(a_session_ends_with_the_certificate),
		RESUME_TEST(another_authority_knows_nobody),
		RESUME_TEST(what_a_former_authority_vouches_for_is_not_remembered),
		RESUME_TEST(a_connection_that_stands_gets_a_fresh_session),
		RESUME_TEST(the_one_longest_ago_is_forgotten),
		RESUME_TEST(a_restart_does_not_forget),
		RESUME_TEST(a_restart_with_another_authority_does),
		RESUME_TEST(a_session_ends_while_nobody_runs),
		RESUME_TEST(a_damaged_file_is_refused),
	};

	return cmocka_run_group_tests(tests, make_pki, remove_pki_and_dir);
}
