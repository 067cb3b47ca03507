/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How streams begin: who is let in, under which name, and for each thing that
 * can be wrong the end by which people will look for it.
 */
#include "stream_fixture.h"

#define OUR_ALPN "\x0bgatehouse/1"

static int
make_pki(void **state)
{
	static const struct pki_wish wishes[] = {
		{.name = "server", .alt_names = "DNS:localhost"},
		{.name = "north-17", .alt_names = PKI_CONTROLLER "north-17"},
		{.name = "expired",
		 .alt_names = PKI_CONTROLLER "x",
		 .begins_s = -2 * PKI_DAY,
		 .ends_s = -60},
		{.name = "early", .alt_names = PKI_CONTROLLER "x", .begins_s = 3600},
		{.name = "stranger", .alt_names = PKI_CONTROLLER "north-17", .self_signed = true},
	};

	(void)state;
	pki_init_with(&pki, wishes, ARRAY_LEN(wishes));
	return 0;
}

/* ---- Whose turn it is ----------------------------------------------------------------- */

static unsigned
opened(const struct fixture *f)
{
	unsigned n = 0;

	for (size_t i = 0; i < SIDES_MAX; i++)
		n += f->servers[i].opened + f->clients[i].opened;
	return n;
}

/* Seen to fail with handshakes done as they come. */
static void
who_is_here_does_not_wait_for_who_comes(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;
	bool some_waited = false;

	for (int i = 1; i < SIDES_MAX; i++)
		(void)client_begin(f, "north-17");
	for (int turns = 0; opened(f) < 2 * SIDES_MAX; turns++) {
		unsigned before = opened(f);

		assert_true(turns < TURNS_MAX);
		assert_int_equal(side_write(client, &written, 1), RC_OK);
		turn(f);
		/* what was sent in the turn before has come, and one step was done */
		assert_true(server->received + 1 >= written);
		assert_true(opened(f) - before <= HANDSHAKE_STEPS);
		some_waited = some_waited || stream_set_handshakes_ready(f->set) > 0;
	}
	assert_true(some_waited);
	assert_int_equal(stream_set_handshakes_ready(f->set), 0);
}

/* ---- Who is let in --------------------------------------------------------------------- */

static void
both_sides_know_each_other(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17"), *server = &f->servers[0];
	char address[64];

	assert_int_equal(stream_peer_role(server->stream), TLS_ROLE_CONTROLLER);
	assert_string_equal(stream_peer_name(server->stream), "north-17");
	assert_memory_equal(stream_peer_address(server->stream), "127.0.0.1:", 10);
	assert_int_equal(stream_peer_role(client->stream), TLS_ROLE_NONE);
	assert_string_equal(stream_peer_name(client->stream), "");
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(f->address.sin_port));
	assert_string_equal(stream_peer_address(client->stream), address);
	stream_close(client->stream);
	assert_int_equal(client->end, STREAM_END_LOCAL);
	UNTIL(f, server->closed == 1);
	assert_int_equal(server->end, STREAM_END_PEER);
}

#define NAME_64 "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-0123456789"

static void
a_name_comes_from_one_uri_of_ours(void **state)
{
	static const struct {
		const char *alt_names;
		enum tls_role role;
		const char *name;
	} cases[] = {
		{PKI_CONSOLE "desk-1", TLS_ROLE_CONSOLE, "desk-1"},
		{"URI:urn:gatehouse:desk:office-1", TLS_ROLE_DESK, "office-1"},
		{PKI_CONTROLLER NAME_64, TLS_ROLE_CONTROLLER, NAME_64},
		{"DNS:x.example,URI:https://x.example/," PKI_CONTROLLER "a", TLS_ROLE_CONTROLLER,
		 "a"},
		{NULL, TLS_ROLE_NONE, ""},
		{"DNS:urn:gatehouse:controller:a", TLS_ROLE_NONE, ""},
		{PKI_CONTROLLER, TLS_ROLE_NONE, ""},
		{PKI_CONTROLLER NAME_64 "x", TLS_ROLE_NONE, ""},
		{PKI_CONTROLLER "a b", TLS_ROLE_NONE, ""},
		{PKI_CONTROLLER "a\x7f", TLS_ROLE_NONE, ""},
		{PKI_CONTROLLER "\xc3\xa9", TLS_ROLE_NONE, ""},
		{"URI:urn:gatehouse:Controller:a", TLS_ROLE_NONE, ""},
		{"URI:urn:gatehouse:admin:a", TLS_ROLE_NONE, ""},
		{PKI_CONTROLLER "a," PKI_CONTROLLER "b", TLS_ROLE_NONE, ""},
		{PKI_CONTROLLER "a," PKI_CONSOLE "a", TLS_ROLE_NONE, ""},
		{PKI_CONTROLLER "a,URI:urn:gatehouse:desk:a", TLS_ROLE_NONE, ""},
		{"URI:urn:gatehouse:none:a", TLS_ROLE_NONE, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *who = xasprintf("name-%zu", i);
		struct fixture *f;

		pki_issue(&pki, &(struct pki_wish){.name = who, .alt_names = cases[i].alt_names});
		f = fixture_new(&pki);
		(void)client_open(f, who);
		assert_int_equal(stream_peer_role(f->servers[0].stream), cases[i].role);
		assert_string_equal(stream_peer_name(f->servers[0].stream), cases[i].name);
		fixture_free(f);
		free(who);
	}
}

/* ---- Who is not: the server's view -------------------------------------------------------- */

static void
assert_refused(struct fixture *f, const struct raw_wish *wish, enum stream_end end,
	       const char *because)
{
	struct raw raw;

	raw_begin(f, &raw, wish);
	while (f->n_servers == 0)
		turn(f);
	for (int turns = 0; f->servers[0].closed == 0; turns++) {
		assert_true(turns < TURNS_MAX);
		raw_step(&raw);
		turn(f);
	}
	assert_int_equal(f->servers[0].opened, 0);
	assert_string_equal(stream_end_name(f->servers[0].end), stream_end_name(end));
	if (strstr(f->servers[0].err.msg, because) == NULL)
		fail_msg("expected \"%s\" in \"%s\"", because, f->servers[0].err.msg);
	raw_end(&raw);
}

static void
another_alpn_is_refused(void **state)
{
	assert_refused(*state,
		       &(struct raw_wish){.who = "north-17", .alpn = "\x02h2\x0bgatehouse/2"},
		       STREAM_END_WRONG_ALPN, "no application protocol");
}

static void
no_alpn_is_refused(void **state)
{
	assert_refused(*state, &(struct raw_wish){.who = "north-17"}, STREAM_END_WRONG_ALPN, "");
}

static void
tls_1_2_is_refused(void **state)
{
	assert_refused(*state,
		       &(struct raw_wish){
			       .who = "north-17", .alpn = OUR_ALPN, .max_version = TLS1_2_VERSION},
		       STREAM_END_HANDSHAKE, "unsupported protocol");
}

static void
no_certificate_is_refused(void **state)
{
	assert_refused(*state, &(struct raw_wish){.alpn = OUR_ALPN}, STREAM_END_BAD_CERTIFICATE,
		       "peer did not return a certificate");
}

static void
a_certificate_of_another_authority_is_refused(void **state)
{
	assert_refused(*state, &(struct raw_wish){.who = "stranger", .alpn = OUR_ALPN},
		       STREAM_END_BAD_CERTIFICATE, "self-signed certificate");
}

static void
an_expired_certificate_is_refused(void **state)
{
	assert_refused(*state, &(struct raw_wish){.who = "expired", .alpn = OUR_ALPN},
		       STREAM_END_BAD_CERTIFICATE, "certificate has expired");
}

static void
a_certificate_that_begins_later_is_refused(void **state)
{
	assert_refused(*state, &(struct raw_wish){.who = "early", .alpn = OUR_ALPN},
		       STREAM_END_BAD_CERTIFICATE, "certificate is not yet valid");
}

static void
our_alpn_among_others_is_accepted(void **state)
{
	struct fixture *f = *state;
	struct raw raw;

	raw_begin(f, &raw, &(struct raw_wish){.who = "north-17", .alpn = "\x02h2" OUR_ALPN});
	UNTIL(f, (raw_step(&raw), f->servers[0].opened == 1));
	raw_end(&raw);
	UNTIL(f, f->servers[0].closed == 1);
}

static int
connect_plain(struct fixture *f)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&f->address, sizeof(f->address)), 0);
	return fd;
}

static void
what_is_not_tls_is_refused(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\n\r\n";
	struct fixture *f = *state;
	int fd = connect_plain(f);

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	UNTIL(f, f->servers[0].closed == 1);
	assert_int_equal(f->servers[0].end, STREAM_END_HANDSHAKE);
	assert_non_null(strstr(f->servers[0].err.msg, "TLS failed: http request"));
	assert_int_equal(close(fd), 0);
}

static void
who_goes_before_a_word_is_a_handshake_that_failed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(close(connect_plain(f)), 0);
	UNTIL(f, f->servers[0].closed == 1);
	assert_int_equal(f->servers[0].end, STREAM_END_HANDSHAKE);
}

static void
who_says_nothing_is_given_up_in_time(void **state)
{
	struct fixture *f = *state;
	int first = connect_plain(f), second;

	UNTIL(f, f->n_servers == 1);
	now_ms += HANDSHAKE_MS - 1;
	second = connect_plain(f);
	UNTIL(f, f->n_servers == 2);
	now_ms += 1;
	UNTIL(f, f->servers[0].closed == 1);
	assert_int_equal(f->servers[0].end, STREAM_END_HANDSHAKE_TIMEOUT);
	/* the younger one has its own time */
	assert_int_equal(f->servers[1].closed, 0);
	now_ms += HANDSHAKE_MS;
	UNTIL(f, f->servers[1].closed == 1);
	assert_int_equal(close(first), 0);
	assert_int_equal(close(second), 0);
}

static void
an_open_stream_has_no_deadline_any_more(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17");
	int other;

	now_ms += 1000;
	other = connect_plain(f);
	UNTIL(f, f->n_servers == 2);
	now_ms += 1000;
	/* a sweep was there: it took the other one */
	UNTIL(f, f->servers[1].closed == 1);
	assert_int_equal(client->closed + f->servers[0].closed, 0);
	assert_int_equal(close(other), 0);
}

/* ---- The client's view ------------------------------------------------------------------------
 */

static void
a_client_refuses_a_server_of_another_authority(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_begin_to(f, "stranger", "north-17", &f->address);

	UNTIL(f, client->closed == 1 && f->servers[0].closed == 1);
	assert_int_equal(client->opened + f->servers[0].opened, 0);
	assert_int_equal(client->end, STREAM_END_BAD_CERTIFICATE);
	assert_int_equal(f->servers[0].end, STREAM_END_HANDSHAKE);
	assert_non_null(strstr(f->servers[0].err.msg, "alert unknown ca"));
}

static void
a_client_that_is_refused_is_told_why(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_begin(f, "expired");

	/* TLS 1.3: its own handshake is over before the server has looked */
	UNTIL(f, client->closed == 1);
	assert_int_equal(client->end, STREAM_END_TLS);
	assert_non_null(strstr(client->err.msg, "alert certificate expired"));
	assert_int_equal(f->servers[0].end, STREAM_END_BAD_CERTIFICATE);
}

static void
nobody_there_is_no_connection(void **state)
{
	struct fixture *f = *state;
	struct side *client;

	assert_int_equal(close(f->listener), 0);
	client = client_begin(f, "north-17");
	f->listener = open("/dev/null", O_RDONLY | O_CLOEXEC); /* accept() says no */
	UNTIL(f, client->closed == 1);
	assert_int_equal(client->end, STREAM_END_CONNECT);
	assert_int_equal(client->err.sys, ECONNREFUSED);
	assert_non_null(strstr(client->err.msg, "Connection refused"));
}

static void
a_client_comes_from_the_address_it_was_given(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in from = {.sin_family = AF_INET};
	struct side *side = &f->clients[f->n_clients++];
	struct tls *tls;

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	assert_int_equal(pki_tls(&pki, "ca", "north-17", false, &tls, &f->err), RC_OK);
	assert_int_equal(stream_connect(f->set, tls, (const struct sockaddr *)&f->address,
					sizeof(f->address), (const struct sockaddr *)&from,
					sizeof(from), &side_hooks, side, &side->stream, &f->err),
			 RC_OK);
	tls_unref(&tls);
	UNTIL(f, f->servers[0].opened == 1);
	assert_memory_equal(stream_peer_address(f->servers[0].stream), "127.0.0.2:", 10);
}

/* ---- Hooks ---------------------------------------------------------------------------------- */

static void
a_stream_may_be_closed_as_it_opens(void **state)
{
	struct fixture *f = *state;
	struct side *client;

	f->servers[0].close_in_open = true;
	client = client_begin(f, "north-17");
	UNTIL(f, client->closed == 1);
	assert_int_equal(client->end, STREAM_END_PEER);
	assert_int_equal(f->servers[0].end, STREAM_END_LOCAL);
	assert_int_equal(f->servers[0].offers, 0);
}

static void
a_stream_may_be_closed_before_it_opens(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_begin(f, "north-17");

	stream_close(client->stream);
	assert_int_equal(client->end, STREAM_END_LOCAL);
	turn(f);
	UNTIL(f, f->n_servers == 0 || f->servers[0].closed == 1);
}

static void
one_that_is_paused_before_it_opens_reads_nothing(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_begin(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;

	UNTIL(f, f->n_servers == 1);
	stream_pause(f->accepted[0]);
	stream_resume(f->accepted[0]);
	stream_pause(f->accepted[0]);
	UNTIL(f, client->opened == 1 && server->opened == 1);
	assert_int_equal(side_write(client, &written, 10), RC_OK);
	UNTIL(f, client->drained == 1);
	for (int i = 0; i < 20; i++)
		turn(f);
	assert_int_equal(server->offers, 0);
	stream_resume(server->stream);
	UNTIL(f, server->received == 10);
}

static void
one_that_is_resumed_before_it_opens_waits_for_its_handshake(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_begin(f, "north-17"), *server = &f->servers[0];
	uint64_t written = 0;

	UNTIL(f, f->n_servers == 1);
	stream_pause(f->accepted[0]);
	stream_resume(f->accepted[0]);
	UNTIL(f, client->opened == 1 && server->opened == 1);
	assert_int_equal(side_write(client, &written, 10), RC_OK);
	UNTIL(f, server->received == 10);
}

static void
the_end_of_the_set_ends_each_stream_once(void **state)
{
	struct fixture *f = *state;
	struct side *client = client_open(f, "north-17");
	int fd = connect_plain(f);

	UNTIL(f, f->n_servers == 2);
	f->servers[1].stream = f->accepted[1];
	stream_set_free(&f->set);
	assert_null(f->set);
	assert_int_equal(client->end, STREAM_END_LOCAL);
	assert_int_equal(client->closed + f->servers[0].closed + f->servers[1].closed, 3);
	stream_set_free(&f->set);
	assert_int_equal(close(fd), 0);
}

int
main(void)
{
#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_is_here_does_not_wait_for_who_comes,
						fixture_set_up, fixture_tear_down),
		ON_LOOP(both_sides_know_each_other),
		cmocka_unit_test(a_name_comes_from_one_uri_of_ours),
		ON_LOOP(another_alpn_is_refused),
		ON_LOOP(no_alpn_is_refused),
		ON_LOOP(tls_1_2_is_refused),
		ON_LOOP(no_certificate_is_refused),
		ON_LOOP(a_certificate_of_another_authority_is_refused),
		ON_LOOP(an_expired_certificate_is_refused),
		ON_LOOP(a_certificate_that_begins_later_is_refused),
		ON_LOOP(our_alpn_among_others_is_accepted),
		ON_LOOP(what_is_not_tls_is_refused),
		ON_LOOP(who_goes_before_a_word_is_a_handshake_that_failed),
		ON_LOOP(who_says_nothing_is_given_up_in_time),
		ON_LOOP(an_open_stream_has_no_deadline_any_more),
		ON_LOOP(a_client_refuses_a_server_of_another_authority),
		ON_LOOP(a_client_that_is_refused_is_told_why),
		ON_LOOP(nobody_there_is_no_connection),
		ON_LOOP(a_client_comes_from_the_address_it_was_given),
		ON_LOOP(a_stream_may_be_closed_as_it_opens),
		ON_LOOP(a_stream_may_be_closed_before_it_opens),
		ON_LOOP(one_that_is_paused_before_it_opens_reads_nothing),
		ON_LOOP(one_that_is_resumed_before_it_opens_waits_for_its_handshake),
		ON_LOOP(the_end_of_the_set_ends_each_stream_once),
	};

	return cmocka_run_group_tests(tests, make_pki, remove_pki);
}
