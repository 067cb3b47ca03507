/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links and sessions in two hash tables, by their secrets.  A secret is 256 random
 * bits: what a lookup's time tells of one is of no use to guess another.
 */
#include "web/sessions.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uthash.h>

enum { SECRET_BYTES = SECRET_TEXT / 2, LINKS_MAX = 256 };

struct link {
	char secret[SECRET_TEXT + 1];
	char console[SESSION_NAME_MAX + 1];
	uint64_t made_ms;
	UT_hash_handle hh;
};

struct entry {
	struct session session;
	UT_hash_handle hh;
};

/* Owner: one thread.  uthash keeps the order of insertion: the oldest are first. */
struct sessions {
	struct sessions_limits limits;
	struct link *links;
	struct entry *entries;
};

const char *
web_right_name(enum web_right right)
{
	return right == WEB_RIGHT_SUPERVISOR ? "supervisor" : "dispatcher";
}

enum web_right
web_right_by_name(const char *name)
{
	return strcmp(name, web_right_name(WEB_RIGHT_SUPERVISOR)) == 0 ? WEB_RIGHT_SUPERVISOR
								       : WEB_RIGHT_DISPATCHER;
}

static void
secret_make(char out[SECRET_TEXT + 1])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[SECRET_BYTES];
	size_t got = 0;

	while (got < sizeof(bytes)) {
		ssize_t n = getrandom(bytes + got, sizeof(bytes) - got, 0);

		if (n > 0)
			got += (size_t)n;
	}
	for (size_t i = 0; i < sizeof(bytes); i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[SECRET_TEXT] = '\0';
	explicit_bzero(bytes, sizeof(bytes));
}

bool
secrets_equal(const char *a, const char *b)
{
	size_t n = strlen(a);
	unsigned differ = 0;

	if (strlen(b) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		differ |= (unsigned char)a[i] ^ (unsigned char)b[i];
	return differ == 0;
}

static void
name_copy(char out[SESSION_NAME_MAX + 1], const char *name)
{
	size_t n = strnlen(name, SESSION_NAME_MAX);

	memcpy(out, name, n);
	out[n] = '\0';
}

struct sessions *
sessions_new(const struct sessions_limits *limits)
{
	struct sessions *sessions = xcalloc(1, sizeof(*sessions));

	sessions->limits = *limits;
	return sessions;
}

/* ---- Links ------------------------------------------------------------------- */

static void
link_drop(struct sessions *sessions, struct link *link)
{
	HASH_DEL(sessions->links, link);
	explicit_bzero(link->secret, sizeof(link->secret));
	free(link);
}

static bool
link_is_old(const struct sessions *sessions, const struct link *link, uint64_t now_ms)
{
	return now_ms - link->made_ms >= sessions->limits.link_ms;
}

enum rc
sessions_invite(struct sessions *sessions, const char *console, uint64_t now_ms,
		char secret[SECRET_TEXT + 1])
{
	struct link *link;

	sessions_sweep(sessions, now_ms, NULL, NULL);
	if (HASH_COUNT(sessions->links) >= LINKS_MAX)
		return RC_AGAIN;
	link = xcalloc(1, sizeof(*link));
	secret_make(link->secret);
	name_copy(link->console, console);
	link->made_ms = now_ms;
	HASH_ADD_STR(sessions->links, secret, link);
	memcpy(secret, link->secret, sizeof(link->secret));
	return RC_OK;
}

bool
sessions_redeem(struct sessions *sessions, const char *secret, uint64_t now_ms,
		char console[SESSION_NAME_MAX + 1])
{
	struct link *link;
	bool good;

	HASH_FIND_STR(sessions->links, secret, link);
	if (link == NULL)
		return false;
	good = !link_is_old(sessions, link, now_ms);
	name_copy(console, link->console);
	link_drop(sessions, link);
	return good;
}

/* ---- Sessions ---------------------------------------------------------------- */

static void
entry_drop(struct sessions *sessions, struct entry *entry)
{
	HASH_DEL(sessions->entries, entry);
	explicit_bzero(&entry->session, sizeof(entry->session));
	free(entry);
}

static bool
entry_has_ended(const struct sessions *sessions, const struct entry *entry, uint64_t now_ms)
{
	return now_ms - entry->session.used_ms >= sessions->limits.idle_ms ||
	       now_ms - entry->session.opened_ms >= sessions->limits.max_ms;
}

/* Room for one more of that console: its oldest goes. */
static void
sessions_make_room(struct sessions *sessions, const char *console)
{
	struct entry *oldest = NULL, *entry, *next;
	size_t n = 0;

	for (entry = sessions->entries; entry != NULL; entry = next) {
		next = entry->hh.next;
		if (strcmp(entry->session.console, console) != 0)
			continue;
		if (oldest == NULL)
			oldest = entry;
		n++;
	}
	if (n >= sessions->limits.per_console)
		entry_drop(sessions, oldest);
}

const struct session *
sessions_open(struct sessions *sessions, const struct session_of *of, uint64_t now_ms)
{
	struct entry *entry;

	sessions_sweep(sessions, now_ms, NULL, NULL);
	sessions_make_room(sessions, of->console);
	if (HASH_COUNT(sessions->entries) >= sessions->limits.sessions_max)
		return NULL;
	entry = xcalloc(1, sizeof(*entry));
	secret_make(entry->session.secret);
	secret_make(entry->session.csrf);
	name_copy(entry->session.console, of->console);
	name_copy(entry->session.station, of->station);
	entry->session.right = of->right;
	if (of->peer != NULL)
		entry->session.peer = *of->peer;
	entry->session.opened_ms = entry->session.used_ms = now_ms;
	HASH_ADD_KEYPTR(hh, sessions->entries, entry->session.secret, SECRET_TEXT, entry);
	return &entry->session;
}

const struct session *
sessions_find(struct sessions *sessions, const char *secret, uint64_t now_ms)
{
	struct entry *entry;

	HASH_FIND_STR(sessions->entries, secret, entry);
	if (entry == NULL)
		return NULL;
	if (entry_has_ended(sessions, entry, now_ms)) {
		entry_drop(sessions, entry);
		return NULL;
	}
	entry->session.used_ms = now_ms;
	return &entry->session;
}

void
sessions_close(struct sessions *sessions, const char *secret)
{
	struct entry *entry;

	HASH_FIND_STR(sessions->entries, secret, entry);
	if (entry != NULL)
		entry_drop(sessions, entry);
}

void
sessions_sweep(struct sessions *sessions, uint64_t now_ms,
	       bool (*stays)(void *arg, const struct session *session), void *arg)
{
	struct entry *entry, *next_entry;
	struct link *link, *next_link;

	for (entry = sessions->entries; entry != NULL; entry = next_entry) {
		next_entry = entry->hh.next;
		if (entry_has_ended(sessions, entry, now_ms) ||
		    (stays != NULL && !stays(arg, &entry->session)))
			entry_drop(sessions, entry);
	}
	for (link = sessions->links; link != NULL; link = next_link) {
		next_link = link->hh.next;
		if (link_is_old(sessions, link, now_ms))
			link_drop(sessions, link);
	}
}

size_t
sessions_count(const struct sessions *sessions)
{
	return HASH_COUNT(sessions->entries);
}

void
sessions_free(struct sessions **out)
{
	struct sessions *sessions = *out;
	struct entry *entry, *next_entry;
	struct link *link, *next_link;

	if (sessions == NULL)
		return;
	*out = NULL;
	for (entry = sessions->entries; entry != NULL; entry = next_entry) {
		next_entry = entry->hh.next;
		entry_drop(sessions, entry);
	}
	for (link = sessions->links; link != NULL; link = next_link) {
		next_link = link->hh.next;
		link_drop(sessions, link);
	}
	free(sessions);
}
