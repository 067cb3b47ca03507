/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of sessions: a table by client and by handle, and its file.
 *
 * The file: magic, the authority's digest, the number of sessions, the sessions, and
 * a CRC32C over all of it.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fs.h"
#include "tls_sessions_priv.h"

/* A table that can't grow is memory that we chose and that is not there. */
#define uthash_fatal(text) fatal("out of memory: %s", text)
#include <uthash.h>

#define SESSIONS_MAGIC "GHTLSSE1"

enum {
	SESSIONS_HEADER = 8 + TLS_DIGEST_BYTES + 4,
	SESSION_CHAIN_BYTES = TLS_CHAIN_MAX * TLS_CERTIFICATE_ID_BYTES,
	SESSION_BYTES = TLS_HANDLE_BYTES + TLS_SECRET_MAX + 1 + 2 + 8 + 1 + TLS_NAME_MAX + 1 +
			SESSION_CHAIN_BYTES + 8,
};

/* What a client is found by; zeros behind the name. */
struct session_key {
	char role;
	char name[TLS_NAME_MAX + 1];
};

struct session_node {
	struct tls_session session;
	struct session_key key;
	UT_hash_handle by_handle;
	UT_hash_handle by_client; /* in this order: the one longest ago first */
};

/* The counts and the lock aside, all under the lock. */
struct tls_sessions {
	atomic_uint refs;
	struct tls_sessions_conf conf; /* immutable */
	pthread_mutex_t lock;
	uint8_t authority[TLS_DIGEST_BYTES];
	struct session_node *handles, *clients;
};

/* ---- The table ------------------------------------------------------------ */

static void
session_forget(struct tls_sessions *sessions, struct session_node *node)
{
	HASH_DELETE(by_handle, sessions->handles, node);
	HASH_DELETE(by_client, sessions->clients, node);
	OPENSSL_cleanse(node, sizeof(*node));
	free(node);
}

static void
session_forget_all(struct tls_sessions *sessions)
{
	while (sessions->clients != NULL)
		session_forget(sessions, sessions->clients);
}

static void
session_keep(struct tls_sessions *sessions, const struct tls_session *session)
{
	struct session_key key = {.role = (char)session->peer.role};
	struct session_node *node;

	memcpy(key.name, session->peer.name, strlen(session->peer.name));
	HASH_FIND(by_client, sessions->clients, &key, sizeof(key), node);
	if (node != NULL)
		session_forget(sessions, node);
	else if (HASH_CNT(by_client, sessions->clients) >= sessions->conf.max)
		session_forget(sessions, sessions->clients);
	node = xcalloc(1, sizeof(*node));
	node->session = *session;
	node->key = key;
	HASH_ADD(by_handle, sessions->handles, session.handle, TLS_HANDLE_BYTES, node);
	HASH_ADD(by_client, sessions->clients, key, sizeof(key), node);
}

struct tls_sessions *
tls_sessions_new(const struct tls_sessions_conf *conf)
{
	struct tls_sessions *sessions = xcalloc(1, sizeof(*sessions));

	must(conf->max > 0 && conf->lifetime_s > 0);
	atomic_init(&sessions->refs, 1);
	sessions->conf = *conf;
	must(pthread_mutex_init(&sessions->lock, NULL) == 0);
	return sessions;
}

struct tls_sessions *
tls_sessions_ref(struct tls_sessions *sessions)
{
	atomic_fetch_add_explicit(&sessions->refs, 1, memory_order_relaxed);
	return sessions;
}

void
tls_sessions_unref(struct tls_sessions **out)
{
	struct tls_sessions *sessions = *out;

	if (sessions == NULL)
		return;
	*out = NULL;
	if (atomic_fetch_sub_explicit(&sessions->refs, 1, memory_order_acq_rel) != 1)
		return;
	session_forget_all(sessions);
	(void)pthread_mutex_destroy(&sessions->lock);
	free(sessions);
}

static void
sessions_lock(struct tls_sessions *sessions)
{
	must(pthread_mutex_lock(&sessions->lock) == 0);
}

static void
sessions_unlock(struct tls_sessions *sessions)
{
	must(pthread_mutex_unlock(&sessions->lock) == 0);
}

int64_t
tls_sessions_lifetime_s(const struct tls_sessions *sessions)
{
	return sessions->conf.lifetime_s;
}

size_t
tls_sessions_count(struct tls_sessions *sessions)
{
	size_t n;

	sessions_lock(sessions);
	n = HASH_CNT(by_client, sessions->clients);
	sessions_unlock(sessions);
	return n;
}

void
tls_sessions_set_authority(struct tls_sessions *sessions, const uint8_t authority[TLS_DIGEST_BYTES])
{
	sessions_lock(sessions);
	if (memcmp(sessions->authority, authority, TLS_DIGEST_BYTES) != 0)
		session_forget_all(sessions);
	memcpy(sessions->authority, authority, TLS_DIGEST_BYTES);
	sessions_unlock(sessions);
}

void
tls_sessions_put(struct tls_sessions *sessions, const uint8_t authority[TLS_DIGEST_BYTES],
		 const struct tls_session *session)
{
	int64_t now_s = clock_wall_us() / 1000000;
	struct tls_session kept = *session;

	kept.expires_s = now_s + sessions->conf.lifetime_s;
	if (kept.expires_s > kept.peer.ends_s)
		kept.expires_s = kept.peer.ends_s;
	sessions_lock(sessions);
	if (kept.expires_s > now_s && memcmp(sessions->authority, authority, TLS_DIGEST_BYTES) == 0)
		session_keep(sessions, &kept);
	sessions_unlock(sessions);
	OPENSSL_cleanse(kept.secret, sizeof(kept.secret));
}

bool
tls_sessions_find(struct tls_sessions *sessions, const uint8_t authority[TLS_DIGEST_BYTES],
		  const uint8_t *handle, size_t n, struct tls_session *out)
{
	int64_t now_s = clock_wall_us() / 1000000;
	struct session_node *node = NULL;

	if (n != TLS_HANDLE_BYTES)
		return false;
	sessions_lock(sessions);
	if (memcmp(sessions->authority, authority, TLS_DIGEST_BYTES) == 0)
		HASH_FIND(by_handle, sessions->handles, handle, TLS_HANDLE_BYTES, node);
	if (node != NULL && node->session.expires_s <= now_s) {
		session_forget(sessions, node);
		node = NULL;
	}
	if (node != NULL)
		*out = node->session;
	sessions_unlock(sessions);
	return node != NULL;
}

/* ---- The file --------------------------------------------------------------- */

static uint8_t *
session_write(uint8_t *out, const struct tls_session *session)
{
	memcpy(out, session->handle, TLS_HANDLE_BYTES);
	out += TLS_HANDLE_BYTES;
	memcpy(out, session->secret, TLS_SECRET_MAX);
	out += TLS_SECRET_MAX;
	*out++ = session->secret_bytes;
	out = le_put16(out, session->cipher);
	out = le_put64(out, (uint64_t)session->expires_s);
	*out++ = (uint8_t)session->peer.role;
	memcpy(out, session->peer.name, TLS_NAME_MAX + 1);
	out += TLS_NAME_MAX + 1;
	memcpy(out, session->peer.chain, SESSION_CHAIN_BYTES);
	return le_put64(out + SESSION_CHAIN_BYTES, (uint64_t)session->peer.ends_s);
}

/* False: it is none that we wrote. */
static bool
session_read(const uint8_t *in, struct tls_session *session)
{
	memset(session, 0, sizeof(*session));
	memcpy(session->handle, in, TLS_HANDLE_BYTES);
	in += TLS_HANDLE_BYTES;
	memcpy(session->secret, in, TLS_SECRET_MAX);
	in += TLS_SECRET_MAX;
	session->secret_bytes = *in++;
	session->cipher = le_get16(in);
	session->expires_s = (int64_t)le_get64(in + 2);
	in += 2 + 8;
	if (*in == TLS_ROLE_NONE || *in >= TLS_ROLES)
		return false;
	session->peer.role = (enum tls_role) * in++;
	if (in[0] == '\0' || in[TLS_NAME_MAX] != '\0' || session->secret_bytes > TLS_SECRET_MAX)
		return false;
	memcpy(session->peer.name, in, strlen((const char *)in));
	in += TLS_NAME_MAX + 1;
	memcpy(session->peer.chain, in, SESSION_CHAIN_BYTES);
	session->peer.ends_s = (int64_t)le_get64(in + SESSION_CHAIN_BYTES);
	return session->expires_s <= session->peer.ends_s;
}

/* New memory of *n bytes, which hold secrets. */
static uint8_t *
sessions_write(struct tls_sessions *sessions, size_t *n)
{
	struct session_node *node;
	uint8_t *bytes, *out;

	sessions_lock(sessions);
	*n = SESSIONS_HEADER + HASH_CNT(by_client, sessions->clients) * (size_t)SESSION_BYTES + 4;
	bytes = out = xcalloc(1, *n);
	memcpy(out, SESSIONS_MAGIC, 8);
	memcpy(out + 8, sessions->authority, TLS_DIGEST_BYTES);
	out = le_put32(out + 8 + TLS_DIGEST_BYTES, HASH_CNT(by_client, sessions->clients));
	for (node = sessions->clients; node != NULL; node = node->by_client.next)
		out = session_write(out, &node->session);
	sessions_unlock(sessions);
	(void)le_put32(out, crc32c(0, bytes, *n - 4));
	return bytes;
}

enum rc
tls_sessions_save(struct tls_sessions *sessions, const char *dir, struct err *err)
{
	char *path = xasprintf("%s/%s", dir, TLS_SESSIONS_FILE);
	size_t n;
	uint8_t *bytes = sessions_write(sessions, &n);
	struct err none;
	enum rc rc;

	(void)!fs_unlink(path, &none); /* of a start that did not come as far as reading it */
	rc = fs_publish_file(dir, TLS_SESSIONS_FILE, bytes, n, err);
	OPENSSL_cleanse(bytes, n);
	free(bytes);
	free(path);
	return rc;
}

static enum rc
sessions_read(struct tls_sessions *sessions, const uint8_t *bytes, size_t n, struct err *err)
{
	const uint8_t *in = bytes + SESSIONS_HEADER;
	int64_t now_s = clock_wall_us() / 1000000;
	struct tls_session session;

	if (n < SESSIONS_HEADER + 4 || memcmp(bytes, SESSIONS_MAGIC, 8) != 0 ||
	    crc32c(0, bytes, n - 4) != le_get32(bytes + n - 4) ||
	    (n - SESSIONS_HEADER - 4) !=
		    le_get32(bytes + 8 + TLS_DIGEST_BYTES) * (size_t)SESSION_BYTES)
		return err_invalid(err, "file \"%s\" is damaged", TLS_SESSIONS_FILE);
	if (memcmp(sessions->authority, bytes + 8, TLS_DIGEST_BYTES) != 0)
		return RC_OK;
	for (; in < bytes + n - 4; in += SESSION_BYTES)
		if (session_read(in, &session) && session.expires_s > now_s)
			session_keep(sessions, &session);
	OPENSSL_cleanse(&session, sizeof(session));
	return RC_OK;
}

enum rc
tls_sessions_load(struct tls_sessions *sessions, const char *dir, struct err *err)
{
	/* a fleet may have been allowed to be larger than now */
	size_t n, max = SESSIONS_HEADER + 4 + (size_t)SESSION_BYTES * 1000000;
	char *path = xasprintf("%s/%s", dir, TLS_SESSIONS_FILE);
	uint8_t *bytes = NULL;
	enum rc rc = fs_read_file(path, max, &bytes, &n, err);
	struct err unlinked;

	if (rc == RC_OK) {
		sessions_lock(sessions);
		rc = sessions_read(sessions, bytes, n, err);
		sessions_unlock(sessions);
		OPENSSL_cleanse(bytes, n);
	} else if (rc == RC_FAIL && err->sys == ENOENT) {
		rc = RC_EOF;
	}
	/* it must not be read twice: what is forgotten until then would be back */
	if (rc != RC_EOF && fs_unlink(path, &unlinked) != RC_OK) {
		sessions_lock(sessions);
		session_forget_all(sessions);
		sessions_unlock(sessions);
		*err = unlinked;
		rc = RC_FAIL;
	}
	free(bytes);
	free(path);
	return rc;
}
