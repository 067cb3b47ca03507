/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revoked certificates: refused in a full handshake and in a short one, sent away
 * where they stand; and lists that are not what they should be.
 *
 * Seen to fail: without the look-up in tls_verify_cb(), in tls_find_session_cb() and
 * in stream_set_end_revoked(); each refused list without its check.
 */
#include "stream_fixture.h"

#include "wire/tls_sessions.h"

static const char *list; /* north-17's certificate is on it */

static int
make_pki(void **state)
{
	static const struct pki_wish wishes[] = {
		{.name = "server", .alt_names = "DNS:localhost"},
		{.name = "north-17", .alt_names = PKI_CONTROLLER "north-17"},
		{.name = "south-3", .alt_names = PKI_CONTROLLER "south-3"},
	};

	(void)state;
	pki_init_with(&pki, wishes, ARRAY_LEN(wishes));
	list = pki_make_list(&pki, &(struct pki_list_wish){.name = "list", .of = "north-17"});
	return 0;
}

/* The server's context from now on, with the list. */
static void
load_list(struct fixture *f, struct tls_sessions *sessions)
{
	tls_unref(&f->server_tls);
	pki.revoked = list;
	if (pki_tls(&pki, "ca", "server", true, &f->server_tls, &f->err) != RC_OK)
		fail_msg("%s", f->err.msg);
	pki.revoked = NULL;
	if (sessions != NULL)
		tls_resume_at_server(f->server_tls, sessions);
}

static void
who_is_on_the_list_is_refused(void **state)
{
	struct fixture *f = *state;
	struct side *client;

	load_list(f, NULL);
	client = client_begin(f, "north-17");
	UNTIL(f, f->n_servers == 1 && f->servers[0].closed == 1 && client->closed == 1);
	assert_int_equal(f->servers[0].opened, 0);
	assert_int_equal(f->servers[0].end, STREAM_END_BAD_CERTIFICATE);
	assert_non_null(strstr(f->servers[0].err.msg, "certificate revoked"));
	(void)client_open(f, "south-3");
}

static void
who_is_on_a_new_list_is_sent_away(void **state)
{
	struct fixture *f = *state;
	struct side *north = client_open(f, "north-17"), *south = client_open(f, "south-3");

	load_list(f, NULL);
	assert_int_equal(f->servers[0].closed, 0);
	stream_set_end_revoked(f->set, f->server_tls);
	assert_int_equal(f->servers[0].closed, 1);
	assert_int_equal(f->servers[0].end, STREAM_END_BAD_CERTIFICATE);
	assert_string_equal(f->servers[0].err.msg, "certificate revoked");
	UNTIL(f, north->closed == 1);
	assert_int_equal(f->servers[1].closed + south->closed, 0);
}

/* The short handshake shows no certificate: what is known of it is looked up. */
static void
who_is_on_the_list_does_not_come_back(void **state)
{
	struct fixture *f = *state;
	struct tls_sessions *sessions =
		tls_sessions_new(&(struct tls_sessions_conf){.max = 8, .lifetime_s = 3600});
	struct tls *client;
	bool listed[] = {false, false, true};

	tls_unref(&f->server_tls);
	assert_int_equal(pki_tls(&pki, "ca", "server", true, &f->server_tls, &f->err), RC_OK);
	tls_resume_at_server(f->server_tls, sessions);
	assert_int_equal(pki_tls(&pki, "ca", "north-17", false, &client, &f->err), RC_OK);
	tls_resume_at_client(client);
	for (size_t i = 0; i < ARRAY_LEN(listed); i++) {
		struct side *side = &f->clients[f->n_clients++], *server = &f->servers[i];
		uint64_t written = 0;

		if (listed[i])
			load_list(f, sessions);
		assert_int_equal(stream_connect(f->set, client, (struct sockaddr *)&f->address,
						sizeof(f->address), NULL, 0, &side_hooks, side,
						&side->stream, &f->err),
				 RC_OK);
		if (listed[i]) {
			UNTIL(f, server->closed == 1 && side->closed == 1);
			assert_int_equal(server->opened, 0);
			assert_int_equal(server->end, STREAM_END_BAD_CERTIFICATE);
			break;
		}
		UNTIL(f, server->opened == 1 && side->opened == 1);
		assert_int_equal(stream_was_resumed(server->stream), i > 0);
		assert_int_equal(side_write(server, &written, 1), RC_OK);
		UNTIL(f, side->received == 1); /* and the session before it */
		stream_close(side->stream);
		UNTIL(f, server->closed == 1);
	}
	tls_unref(&client);
	tls_sessions_unref(&sessions);
}

/* ---- Lists ---------------------------------------------------------------------------- */

static void
assert_refused(const struct pki_list_wish *wish, const char *because)
{
	struct tls *tls = NULL;
	struct err err;

	pki.revoked = wish->name[0] == '/' ? wish->name : pki_make_list(&pki, wish);
	assert_int_equal(pki_tls(&pki, "ca", "server", true, &tls, &err), RC_INVALID);
	if (strstr(err.msg, because) == NULL || strstr(err.msg, pki.revoked) == NULL)
		fail_msg("expected \"%s\" in \"%s\"", because, err.msg);
	assert_int_equal(ERR_peek_error(), 0);
	pki.revoked = NULL;
}

static void
a_list_that_is_not_one_is_refused(void **state)
{
	EVP_PKEY *stranger = EVP_EC_gen("P-256");

	(void)state;
	assert_refused(&(struct pki_list_wish){.name = "/nowhere/list.pem"}, "could not load");
	assert_refused(&(struct pki_list_wish){.name = "foreign", .signer = stranger},
		       "not signed by an authority of ours");
	assert_refused(&(struct pki_list_wish){.name = "delta", .partial = true},
		       "is not a whole one");
	assert_refused(
		&(struct pki_list_wish){.name = "cut", .behind = "-----BEGIN X509 CRL-----\nMII"},
		"could not load");
	EVP_PKEY_free(stranger);
	pki.revoked = pki.files[0]; /* of the authority, and no list */
	assert_refused(&(struct pki_list_wish){.name = pki.revoked}, "could not load");
}

static void
an_empty_list_refuses_nobody(void **state)
{
	struct fixture *f = *state;

	tls_unref(&f->server_tls);
	pki.revoked = pki_make_list(&pki, &(struct pki_list_wish){.name = "empty"});
	assert_int_equal(pki_tls(&pki, "ca", "server", true, &f->server_tls, &f->err), RC_OK);
	pki.revoked = NULL;
	(void)client_open(f, "north-17");
}

int
main(void)
{
#define REVOKED_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		REVOKED_TEST(who_is_on_the_list_is_refused),
		REVOKED_TEST(who_is_on_a_new_list_is_sent_away),
		REVOKED_TEST(who_is_on_the_list_does_not_come_back),
		REVOKED_TEST(a_list_that_is_not_one_is_refused),
		REVOKED_TEST(an_empty_list_refuses_nobody),
	};

	return cmocka_run_group_tests(tests, make_pki, remove_pki);
}
