/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making an installation.  All content is made in memory first, then what
 * exists is looked for, then everything is written: the less can go wrong in
 * the middle, the less has to be taken back.
 *
 * Who may read what: the authority's key belongs to whoever runs this program
 * and to nobody else, not to the daemon either, which never signs.  The daemon
 * may read its configuration and certificates, and write its state.  The keys
 * of card tokens are in its state, because it makes and destroys some itself.
 *
 * Owner: one thread.
 */
#include "ctl/init.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/text.h"

#define SOCKET_IN_DIR "run/control.sock"

enum { SITE_KEY_BYTES = 32 }; /* of HMAC-SHA-256 */

/* Where things go. */
struct layout {
	const char *config_dir, *state_dir;
};

/* A file to be made. */
struct piece {
	char *path;
	mode_t mode;
	bool for_daemon; /* gets its owner; others stay with us */
	const void *bytes;
	size_t n;
	const char *about;
};

enum { PIECES = 7 };

struct kit {
	struct layout layout;
	struct ca_identity authority, server;
	uint8_t site_key[SITE_KEY_BYTES];
	char *config;
	struct piece pieces[PIECES];
};

static struct layout
layout_of(const struct init_wish *wish)
{
	if (wish->dir != NULL)
		return (struct layout){wish->dir, wish->dir};
	return (struct layout){"/etc/gatehouse", "/var/lib/gatehouse"};
}

char *
init_config_path(const struct init_wish *wish)
{
	return xasprintf("%s/gatehoused.yaml", layout_of(wish).config_dir);
}

/* ---- The configuration ---------------------------------------------------- */

/* JSON's strings are YAML's too, whatever the text holds. */
static void
put_string(FILE *out, const char *key, const char *text)
{
	json_t *string = json_string(text);
	char *quoted = string == NULL ? NULL : json_dumps(string, JSON_ENCODE_ANY);

	must(quoted != NULL); /* the wish was checked to be UTF-8 */
	(void)fprintf(out, "  %s: %s\n", key, quoted);
	free(quoted);
	json_decref(string);
}

static void
put_listener(FILE *out, int port, bool controllers, bool offices)
{
	(void)fprintf(out, "  - address: 0.0.0.0\n    port: %d\n", port);
	(void)fprintf(out, "%s%s", controllers ? "    controllers: true\n" : "",
		      offices ? "    consoles: true\n    desks: true\n" : "");
}

/* Where things are, when that is not where the daemon looks by itself. */
static void
put_places(FILE *out)
{
	(void)fputs("\n# Paths are from the folder of this file.\n"
		    "node:\n  state_dir: state\n"
		    "\n# The authority that signs clients, and what the daemon shows to them.\n"
		    "tls:\n  ca: tls/ca.pem\n  certificate: tls/certificate.pem\n"
		    "  key: tls/key.pem\n"
		    "\n# site.key turns card numbers into tokens.  Lost, no old token can be\n"
		    "# found again; in foreign hands, cards can be guessed.\n"
		    "card:\n  keys_dir: keys\n"
		    "\n# On a disk of its own, if there is one.\njournal:\n  dir: journal\n"
		    "\n# Where gatehousectl asks the running daemon.\n"
		    "control:\n  socket: " SOCKET_IN_DIR "\n",
		    out);
}

static void
put_config(FILE *out, const struct init_wish *wish)
{
	bool one = wish->port == wish->console_port && wish->port != 0;

	(void)fputs(
		"# Gatehouse, as made by `gatehousectl init`.  Only what differs from the\n"
		"# defaults stands here; every key, with unit and bounds, is in\n"
		"# gatehoused.yaml(5).  Check a change with: gatehoused -t -c THIS-FILE\n"
		"\n# Who may connect where.  Consoles and registration desks can have networks\n"
		"# of their own.\n"
		"listeners:\n",
		out);
	put_listener(out, wish->port, true, one);
	if (!one)
		put_listener(out, wish->console_port, false, true);
	(void)fputs("\npostgresql:\n", out);
	put_string(out, "conninfo", wish->conninfo);
	if (wish->dir != NULL)
		put_places(out);
}

static enum rc
kit_write_config(struct kit *kit, const struct init_wish *wish, struct err *err)
{
	size_t n;
	FILE *out = open_memstream(&kit->config, &n);

	if (out == NULL)
		return err_sys(err, "could not make configuration");
	put_config(out, wish);
	if (fclose(out) != 0)
		return err_sys(err, "could not make configuration");
	return RC_OK;
}

/* ---- All content ---------------------------------------------------------- */

static enum rc
kit_make_certificates(struct kit *kit, const struct init_wish *wish, struct err *err)
{
	struct ca *ca = NULL;
	enum rc rc = ca_new(&ca, "Gatehouse authority", err);

	if (rc == RC_OK)
		rc = ca_export(ca, &kit->authority, err);
	if (rc == RC_OK)
		rc = ca_issue_server(ca, wish->hosts, wish->n_hosts, wish->days, &kit->server, err);
	ca_free(&ca);
	return rc;
}

static void
kit_list_pieces(struct kit *kit)
{
	const char *config_dir = kit->layout.config_dir, *state_dir = kit->layout.state_dir;
	const struct ca_identity *ca = &kit->authority, *server = &kit->server;
	const struct piece pieces[PIECES] = {
		{.path = xasprintf("%s/ca/ca.key", config_dir),
		 .mode = 0600,
		 .bytes = ca->key,
		 .n = ca->key_bytes,
		 .about = "key of the authority: keep a copy, off line"},
		{.path = xasprintf("%s/ca/ca.pem", config_dir),
		 .mode = 0644,
		 .bytes = ca->certificate,
		 .n = ca->certificate_bytes,
		 .about = "certificate of the authority"},
		{.path = xasprintf("%s/tls/ca.pem", config_dir),
		 .mode = 0644,
		 .for_daemon = true,
		 .bytes = ca->certificate,
		 .n = ca->certificate_bytes,
		 .about = "the same, for the daemon"},
		{.path = xasprintf("%s/tls/certificate.pem", config_dir),
		 .mode = 0644,
		 .for_daemon = true,
		 .bytes = server->certificate,
		 .n = server->certificate_bytes,
		 .about = "certificate of the server"},
		{.path = xasprintf("%s/tls/key.pem", config_dir),
		 .mode = 0600,
		 .for_daemon = true,
		 .bytes = server->key,
		 .n = server->key_bytes,
		 .about = "its key"},
		{.path = xasprintf("%s/keys/site.key", state_dir),
		 .mode = 0600,
		 .for_daemon = true,
		 .bytes = kit->site_key,
		 .n = SITE_KEY_BYTES,
		 .about = "key of card tokens: keep a copy, off line"},
		/* last: whoever finds it finds the rest */
		{.path = xasprintf("%s/gatehoused.yaml", config_dir),
		 .mode = 0640,
		 .for_daemon = true,
		 .bytes = kit->config,
		 .n = strlen(kit->config),
		 .about = "configuration"},
	};

	memcpy(kit->pieces, pieces, sizeof(pieces));
}

static enum rc
kit_make(struct kit *kit, const struct init_wish *wish, struct err *err)
{
	enum rc rc;

	kit->layout = layout_of(wish);
	if (RAND_priv_bytes(kit->site_key, sizeof(kit->site_key)) != 1)
		return err_fail(err, "could not get random bytes");
	rc = kit_make_certificates(kit, wish, err);
	if (rc == RC_OK)
		rc = kit_write_config(kit, wish, err);
	if (rc == RC_OK)
		kit_list_pieces(kit);
	return rc;
}

static void
kit_fini(struct kit *kit)
{
	for (size_t i = 0; i < PIECES; i++)
		free(kit->pieces[i].path);
	free(kit->config);
	ca_identity_fini(&kit->authority);
	ca_identity_fini(&kit->server);
	OPENSSL_cleanse(kit->site_key, sizeof(kit->site_key));
}

/* ---- To the disk ---------------------------------------------------------- */

static enum rc
kit_find_existing(const struct kit *kit, FILE *out, struct err *err)
{
	size_t found = 0;

	for (size_t i = 0; i < PIECES; i++) {
		const char *path = kit->pieces[i].path;

		if (!files_exists(path))
			continue;
		if (found++ == 0)
			(void)err_invalid(err, "\"%s\" exists, and nothing is overwritten", path);
		(void)fprintf(out, "exists: %s\n", path);
	}
	return found == 0 ? RC_OK : RC_INVALID;
}

static enum rc
make_folders(const struct init_wish *wish, const struct layout *layout, struct err *err)
{
	/* the daemon reads in config_dir by its group, and owns what it writes */
	const struct files_owner ours = FILES_OWNER_SELF, writes = wish->owner,
				 reads = {(uid_t)-1, wish->owner.group};
	const char *config = layout->config_dir, *state = layout->state_dir;
	const struct {
		const char *parent, *name;
		mode_t mode;
		struct files_owner owner;
		bool only_in_dir; /* in the system's places it is elsewhere, or systemd's */
	} folders[] = {
		{config, "", 0750, reads, false},      {state, "", 0750, writes, false},
		{config, "/ca", 0700, ours, false},    {config, "/tls", 0750, reads, false},
		{state, "/keys", 0700, writes, false}, {state, "/journal", 0750, writes, false},
		{state, "/state", 0750, writes, true}, {state, "/run", 0750, writes, true},
	};
	enum rc rc = RC_OK;

	for (size_t i = 0; i < ARRAY_LEN(folders) && rc == RC_OK; i++) {
		char *path;

		if (folders[i].only_in_dir && wish->dir == NULL)
			continue;
		path = xasprintf("%s%s", folders[i].parent, folders[i].name);
		rc = files_make_dirs(path, folders[i].mode, folders[i].owner, err);
		free(path);
	}
	return rc;
}

/* On failure takes back what it wrote. */
static enum rc
write_pieces(const struct kit *kit, struct files_owner owner, struct err *err)
{
	size_t made = 0;
	enum rc rc = RC_OK;

	while (made < PIECES && rc == RC_OK) {
		const struct piece *piece = &kit->pieces[made];

		rc = files_write_new(piece->path, piece->mode,
				     piece->for_daemon ? owner : FILES_OWNER_SELF, piece->bytes,
				     piece->n, err);
		if (rc == RC_OK)
			made++;
	}
	if (rc == RC_OK)
		rc = files_sync(kit->layout.config_dir, err);
	if (rc == RC_OK)
		rc = files_sync(kit->layout.state_dir, err);
	if (rc != RC_OK) {
		while (made > 0)
			(void)unlink(kit->pieces[--made].path);
	}
	return rc;
}

static void
tell(const struct kit *kit, FILE *out)
{
	(void)fprintf(out, "made:\n");
	for (size_t i = 0; i < PIECES; i++)
		(void)fprintf(out, "  %-44s %s\n", kit->pieces[i].path, kit->pieces[i].about);
}

/* What the daemon would only say at its start. */
static enum rc
check_wish(const struct init_wish *wish, struct err *err)
{
	size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (!text_is_clean(wish->conninfo))
		return err_invalid(err, "conninfo must be UTF-8 without control characters");
	if (wish->dir != NULL && strlen(wish->dir) + strlen("/" SOCKET_IN_DIR) > max)
		return err_invalid(err, "the path \"%s\" is too long for the socket below it",
				   wish->dir);
	return RC_OK;
}

enum rc
init_make(const struct init_wish *wish, FILE *out, struct err *err)
{
	struct kit kit = {0};
	enum rc rc = check_wish(wish, err);

	if (rc == RC_OK)
		rc = kit_make(&kit, wish, err);
	if (rc == RC_OK)
		rc = kit_find_existing(&kit, out, err);
	if (rc == RC_OK)
		rc = make_folders(wish, &kit.layout, err);
	if (rc == RC_OK)
		rc = write_pieces(&kit, wish->owner, err);
	if (rc == RC_OK)
		tell(&kit, out);
	kit_fini(&kit);
	return rc;
}
