/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Card numbers to tokens, against the formula in wire/card.h computed here by
 * OpenSSL's one-shot HMAC(); key files that are not as they must be; and two
 * instances that need a new month's key at the same time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/card.h"

/* 2026-01-31T23:59:59.999999Z */
#define JANUARY_ENDS INT64_C(1769903999999999)

struct fixture {
	char dir[40];
	uint8_t site_key[CARD_KEY_BYTES];
	struct card_keys *keys;
	struct err err;
};

/* ---- The folder of keys -------------------------------------------------------------- */

static char *
path_of(const struct fixture *f, const char *name)
{
	return xasprintf("%s/%s", f->dir, name);
}

static void
put_file(const struct fixture *f, const char *name, const void *bytes, size_t n, mode_t mode)
{
	char *path = path_of(f, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, bytes, n), n);
	assert_int_equal(close(fd), 0);
	free(path);
}

static void
get_key(const struct fixture *f, const char *name, uint8_t key[CARD_KEY_BYTES])
{
	char *path = path_of(f, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, CARD_KEY_BYTES);
	assert_int_equal(read(fd, key, CARD_KEY_BYTES), CARD_KEY_BYTES);
	assert_int_equal(close(fd), 0);
	free(path);
}

static size_t
count_files(const struct fixture *f)
{
	DIR *dir = opendir(f->dir);
	size_t n = 0;

	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
		n += entry->d_name[0] != '.';
	(void)closedir(dir);
	return n;
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/gatehouse-card-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	for (size_t i = 0; i < sizeof(f->site_key); i++)
		f->site_key[i] = (uint8_t)(i * 9 + 1);
	put_file(f, "site.key", f->site_key, sizeof(f->site_key), 0600);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	DIR *dir = opendir(f->dir);

	card_keys_close(&f->keys);
	assert_null(f->keys);
	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	(void)closedir(dir);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void
open_keys(struct fixture *f)
{
	if (card_keys_open(&f->keys, f->dir, &f->err) != RC_OK)
		fail_msg("%s", f->err.msg);
}

static void
token_of(struct fixture *f, uint32_t site, int64_t received_us, const void *card, size_t n,
	 uint8_t token[TOKEN_BYTES])
{
	if (card_token(f->keys, site, received_us, card, n, token, &f->err) != RC_OK)
		fail_msg("%s", f->err.msg);
}

/* ---- The formula, independently -------------------------------------------------------- */

static void
hmac(const uint8_t key[CARD_KEY_BYTES], const void *bytes, size_t n, uint8_t out[CARD_KEY_BYTES])
{
	unsigned len = 0;

	assert_non_null(HMAC(EVP_sha256(), key, CARD_KEY_BYTES, bytes, n, out, &len));
	assert_int_equal(len, CARD_KEY_BYTES);
}

static void
expect_token(const struct fixture *f, const char *month_file, const char *label, const void *card,
	     size_t n, uint8_t token[TOKEN_BYTES])
{
	uint8_t month[CARD_KEY_BYTES], k_site[CARD_KEY_BYTES], k_month[CARD_KEY_BYTES],
		card_key[CARD_KEY_BYTES], whole[CARD_KEY_BYTES];

	get_key(f, month_file, month);
	hmac(f->site_key, label, strlen(label), k_site);
	hmac(month, label, strlen(label), k_month);
	hmac(k_site, card, n, card_key);
	hmac(k_month, card_key, sizeof(card_key), whole);
	memcpy(token, whole, TOKEN_BYTES);
}

static void
the_reference_itself_is_rfc_4231(void **state)
{
	static const uint8_t expected[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
					   0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7};
	uint8_t out[CARD_KEY_BYTES];
	unsigned len = 0;

	(void)state;
	/* test case 2 */
	assert_non_null(HMAC(EVP_sha256(), "Jefe", 4,
			     (const uint8_t *)"what do ya want for nothing?", 28, out, &len));
	assert_memory_equal(out, expected, sizeof(expected));
}

static void
a_token_is_what_the_formula_says(void **state)
{
	static const struct {
		uint32_t site;
		const char *label;
	} sites[] = {
		{1, "gatehouse site 1"},
		{42, "gatehouse site 42"},
		{UINT32_MAX, "gatehouse site 4294967295"},
	};
	struct fixture *f = *state;
	uint8_t card[32], token[TOKEN_BYTES], expected[TOKEN_BYTES];

	memset(card, 0x5c, sizeof(card));
	open_keys(f);
	/* twice, so that the cached contexts have to begin again */
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_LEN(sites); i++) {
			for (size_t n = 0; n <= sizeof(card); n++) {
				token_of(f, sites[i].site, JANUARY_ENDS, card, n, token);
				expect_token(f, "token-2026-01.key", sites[i].label, card, n,
					     expected);
				assert_memory_equal(token, expected, TOKEN_BYTES);
			}
		}
	}
}

/* With the site's key a controller comes to the same card key by itself, and from that
 * there is one way on to the token. */
static void
the_steps_of_a_token_are_those_of_the_formula(void **state)
{
	struct fixture *f = *state;
	uint8_t k_site[CARD_KEY_BYTES], key[CARD_KEY_BYTES], expected[CARD_KEY_BYTES],
		token[TOKEN_BYTES], whole[TOKEN_BYTES];

	open_keys(f);
	assert_int_equal(card_site_key(f->keys, 42, k_site, &f->err), RC_OK);
	assert_int_equal(card_key_of(f->keys, 42, (const uint8_t *)"card", 4, key, &f->err), RC_OK);
	hmac(k_site, "card", 4, expected);
	assert_memory_equal(key, expected, CARD_KEY_BYTES);
	/* no month was needed for that */
	assert_int_equal(count_files(f), 1);

	assert_int_equal(card_token_of_key(f->keys, 42, JANUARY_ENDS, key, token, &f->err), RC_OK);
	token_of(f, 42, JANUARY_ENDS, "card", 4, whole);
	assert_memory_equal(token, whole, TOKEN_BYTES);
	assert_int_equal(card_token_month(JANUARY_ENDS), 2026 * 12);
	assert_int_equal(card_token_month(JANUARY_ENDS + 1), 2026 * 12 + 1);
}

static void
a_month_has_a_key_of_its_own(void **state)
{
	struct fixture *f = *state;
	uint8_t january[TOKEN_BYTES], february[TOKEN_BYTES], again[TOKEN_BYTES],
		expected[TOKEN_BYTES];

	open_keys(f);
	token_of(f, 1, JANUARY_ENDS, "card", 4, january);
	assert_int_equal(count_files(f), 2);
	token_of(f, 1, JANUARY_ENDS + 1, "card", 4, february);
	assert_int_equal(count_files(f), 3);
	expect_token(f, "token-2026-02.key", "gatehouse site 1", "card", 4, expected);
	assert_memory_equal(february, expected, TOKEN_BYTES);
	assert_memory_not_equal(january, february, TOKEN_BYTES);
	/* a clock that steps back over the boundary finds January's again */
	token_of(f, 1, JANUARY_ENDS, "card", 4, again);
	assert_memory_equal(again, january, TOKEN_BYTES);
	/* and so does a restart */
	card_keys_close(&f->keys);
	open_keys(f);
	token_of(f, 1, JANUARY_ENDS, "card", 4, again);
	assert_memory_equal(again, january, TOKEN_BYTES);
	/* December belongs to the year before */
	token_of(f, 1, INT64_C(1767225599999999), "card", 4, again);
	expect_token(f, "token-2025-12.key", "gatehouse site 1", "card", 4, expected);
	assert_memory_equal(again, expected, TOKEN_BYTES);
}

static void
sites_that_fell_out_of_the_cache_come_back(void **state)
{
	struct fixture *f = *state;
	uint8_t first[TOKEN_BYTES], again[TOKEN_BYTES], other[TOKEN_BYTES];

	open_keys(f);
	token_of(f, 1, JANUARY_ENDS, "card", 4, first);
	for (uint32_t site = 2; site <= CARD_SITES_CACHED + 10; site++)
		token_of(f, site, JANUARY_ENDS, "card", 4, other);
	assert_memory_not_equal(first, other, TOKEN_BYTES);
	token_of(f, 1, JANUARY_ENDS, "card", 4, again);
	assert_memory_equal(again, first, TOKEN_BYTES);
}

/* ---- Key files that are not as they must be ----------------------------------------------- */

static void
assert_no_keys(struct fixture *f, const char *because)
{
	assert_int_equal(card_keys_open(&f->keys, f->dir, &f->err), RC_INVALID);
	assert_null(f->keys);
	if (strstr(f->err.msg, because) == NULL)
		fail_msg("expected \"%s\" in \"%s\"", because, f->err.msg);
}

static void
a_site_key_is_there_private_and_whole(void **state)
{
	static const mode_t open_modes[] = {0640, 0604, 0660, 0644, 0610, 0601};
	struct fixture *f = *state;
	uint8_t key[2048] = {0};
	char *path = path_of(f, "site.key");

	for (size_t i = 0; i < ARRAY_LEN(open_modes); i++) {
		put_file(f, "site.key", key, CARD_KEY_BYTES, open_modes[i]);
		assert_no_keys(f, "others must not read it");
	}
	put_file(f, "site.key", key, CARD_KEY_BYTES - 1, 0600);
	assert_no_keys(f, "has 31 bytes, expected 32");
	put_file(f, "site.key", key, CARD_KEY_BYTES + 1, 0600);
	assert_no_keys(f, "has 33 bytes, expected 32");
	put_file(f, "site.key", key, 0, 0600);
	assert_no_keys(f, "has 0 bytes, expected 32");
	put_file(f, "site.key", key, sizeof(key), 0600);
	assert_no_keys(f, "site.key");
	assert_int_equal(unlink(path), 0);
	assert_no_keys(f, "No such file or directory");
	put_file(f, "site.key", key, CARD_KEY_BYTES, 0400);
	open_keys(f);
	free(path);
}

static void
a_months_key_that_is_broken_is_never_replaced(void **state)
{
	struct fixture *f = *state;
	uint8_t key[CARD_KEY_BYTES] = {7}, token[TOKEN_BYTES];

	/* whoever restored half a backup gets an error, not a second truth */
	put_file(f, "token-2026-01.key", key, 5, 0600);
	open_keys(f);
	assert_int_equal(
		card_token(f->keys, 1, JANUARY_ENDS, (const uint8_t *)"card", 4, token, &f->err),
		RC_FAIL);
	assert_non_null(strstr(f->err.msg, "has 5 bytes"));
	put_file(f, "token-2026-01.key", key, sizeof(key), 0644);
	assert_int_equal(
		card_token(f->keys, 1, JANUARY_ENDS, (const uint8_t *)"card", 4, token, &f->err),
		RC_FAIL);
	/* mended while we run: it goes on */
	put_file(f, "token-2026-01.key", key, sizeof(key), 0600);
	token_of(f, 1, JANUARY_ENDS, "card", 4, token);
	get_key(f, "token-2026-01.key", key);
	assert_int_equal(key[0], 7);
}

static void
a_month_whose_key_can_not_be_made_fails(void **state)
{
	struct fixture *f = *state;
	char *away = xasprintf("%s.away", f->dir);
	uint8_t token[TOKEN_BYTES];

	open_keys(f);
	assert_int_equal(rename(f->dir, away), 0);
	assert_int_equal(
		card_token(f->keys, 1, JANUARY_ENDS, (const uint8_t *)"card", 4, token, &f->err),
		RC_FAIL);
	assert_int_equal(rename(away, f->dir), 0);
	token_of(f, 1, JANUARY_ENDS, "card", 4, token);
	free(away);
}

/* ---- A race for the new month --------------------------------------------------------------- */

enum { RACERS = 4, MONTHS = 24 };

struct racer {
	pthread_t thread;
	pthread_barrier_t *start;
	struct card_keys *keys;
	uint8_t tokens[MONTHS][TOKEN_BYTES];
	unsigned failures;
};

static void *
race(void *arg)
{
	struct racer *racer = arg;

	for (int month = 0; month < MONTHS; month++) {
		/* 31 days further each time: never the same month twice */
		int64_t received = JANUARY_ENDS + INT64_C(2678400000000) * month;
		struct err err;

		(void)pthread_barrier_wait(racer->start);
		if (card_token(racer->keys, 1, received, (const uint8_t *)"card", 4,
			       racer->tokens[month], &err) != RC_OK)
			racer->failures++;
	}
	return NULL;
}

static void
who_races_for_a_new_month_gets_the_same_key(void **state)
{
	struct fixture *f = *state;
	struct racer racers[RACERS] = {0};
	pthread_barrier_t start;

	assert_int_equal(pthread_barrier_init(&start, NULL, RACERS), 0);
	for (int i = 0; i < RACERS; i++) {
		racers[i].start = &start;
		assert_int_equal(card_keys_open(&racers[i].keys, f->dir, &f->err), RC_OK);
	}
	for (int i = 0; i < RACERS; i++)
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	for (int i = 0; i < RACERS; i++) {
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
		assert_int_equal(racers[i].failures, 0);
		assert_memory_equal(racers[i].tokens, racers[0].tokens, sizeof(racers[0].tokens));
		card_keys_close(&racers[i].keys);
	}
	/* site.key, a key for each month, and nothing half made */
	assert_int_equal(count_files(f), 1 + MONTHS);
	assert_int_equal(pthread_barrier_destroy(&start), 0);
}

int
main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_itself_is_rfc_4231),
		IN_DIR(a_token_is_what_the_formula_says),
		IN_DIR(the_steps_of_a_token_are_those_of_the_formula),
		IN_DIR(a_month_has_a_key_of_its_own),
		IN_DIR(sites_that_fell_out_of_the_cache_come_back),
		IN_DIR(a_site_key_is_there_private_and_whole),
		IN_DIR(a_months_key_that_is_broken_is_never_replaced),
		IN_DIR(a_month_whose_key_can_not_be_made_fails),
		IN_DIR(who_races_for_a_new_month_gets_the_same_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
