/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of every limit and choice of gatehouse-web.  The bounds say what makes
 * sense, not what would be wise; the defaults are for a hundred stations.
 */
#include "web/settings.h"

#include <string.h>

#include "base/conf.h"
#include "base/listen.h"
#include "base/log.h"
#include "wire/kind.h"

/* rows of the table */
#define INT(...)          CONF_ROW_INT(struct web_settings, __VA_ARGS__)
#define TEXT(...)         CONF_ROW_STRING(struct web_settings, __VA_ARGS__)
#define PATH(...)         CONF_ROW_PATH(struct web_settings, __VA_ARGS__)
#define PATH_OR_NONE(...) CONF_ROW_PATH_OR_NONE(struct web_settings, __VA_ARGS__)
#define CHOICE(...)       CONF_ROW_CHOICE(struct web_settings, __VA_ARGS__)

/* of a webhook's name: it is part of ids and of a file's name */
#define WEBHOOK_NAME_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static const struct conf_key settings_keys[] = {
	TEXT("http.address", address, "0.0.0.0", 64,
	     "Address of this machine to listen on, for HTTPS only; 0.0.0.0 is all of IPv4, '::' "
	     "all of IPv6."),
	INT("http.port", port, "8443", 0, 65535, "",
	    "TCP port; 0 takes a free one, which the log shows."),
	TEXT("http.public_url", public_url, "", 200,
	     "What stands before the path in links that are given to people, such as "
	     "https://gate.example. Empty: the first name of the certificate, and the port."),
	PATH("http.static_dir", static_dir, "/usr/share/gatehouse/web", CONF_PATH_MAX,
	     "Folder of the pages. They are read at the start, and again on SIGHUP."),
	PATH("http.plans_dir", plans_dir, "/var/lib/gatehouse-web/plans", CONF_PATH_MAX,
	     "Folder of site plans: SITE.png, SITE.jpg or SITE.webp, by the code of the site. May "
	     "be missing."),
	INT("http.connections_max", connections_max, "2000", 8, 100000, "",
	    "Connections at once; further ones wait until one ends. Each page holds one, and one "
	    "or two more while something is loaded (LimitNOFILE= of the service must be higher)."),
	INT("http.headers_max_kb", headers_max_kb, "16", 1, 256, "KiB",
	    "Line and headers of one request together."),
	INT("http.body_max_kb", body_max_kb, "16", 1, 1024, "KiB", "Body of one request."),
	INT("http.idle_s", idle_s, "60", 1, 3600, "s",
	    "A connection that did not bring a whole request for so long is closed, however busy "
	    "it is. Streams are not meant."),
	INT("http.requests_per_minute", requests_per_minute, "1200", 10, 1000000, "",
	    "Of one address, without those of people who are signed in; what comes beyond is "
	    "refused with 429."),

	PATH("tls.ca", tls_ca, "/etc/gatehouse-web/tls/ca.pem", CONF_PATH_MAX,
	     "Certificate of the authority that signed the consoles' certificates, PEM."),
	PATH("tls.certificate", tls_certificate, "/etc/gatehouse-web/tls/certificate.pem",
	     CONF_PATH_MAX,
	     "Certificate that browsers see, with its chain, PEM: of our own authority, or of one "
	     "that the browsers trust already."),
	PATH("tls.key", tls_key, "/etc/gatehouse-web/tls/key.pem", CONF_PATH_MAX,
	     "The private key of that certificate, PEM, not encrypted; readable for the user of "
	     "this program only."),

	PATH_OR_NONE("tls.revoked", tls_revoked, "", CONF_PATH_MAX,
		     "Revocation lists, PEM, whole ones, signed by the authorities in tls.ca. Who "
		     "is on one is refused, and signed out when the lists are loaded again "
		     "(SIGHUP). A list past its date stays in force. Empty: none."),

	PATH("state.dir", state_dir, "/var/lib/gatehouse-web", CONF_PATH_MAX,
	     "Folder of what is to survive a restart. It must be there, and this program's user "
	     "must be able to write to it."),

	PATH("daemon.consoles_dir", consoles_dir, "/etc/gatehouse-web/consoles", CONF_PATH_MAX,
	     "Folder of the consoles that this program is to the daemon: one for each station, as "
	     "gatehousectl web enrol makes them."),
	INT("daemon.linger_s", linger_s, "600", 1, 86400, "s",
	    "The connection of a station that nobody watches is closed after this."),
	INT("daemon.retry_ms", retry_ms, "2000", 50, 60000, "ms",
	    "Pause between attempts to reach the daemon, at most; with chance in it."),
	INT("daemon.actions_max", actions_max, "256", 1, 10000, "",
	    "Actions of dispatchers that wait for the daemon's answer; what comes beyond is "
	    "refused with 503."),

	TEXT("postgresql.conninfo", conninfo, "", 2000,
	     "Connection string of libpq, for the role gatehouse-web. Empty: libpq's environment. "
	     "Keep a password in a passfile, not here."),
	INT("postgresql.connect_timeout_s", connect_timeout_s, "5", 2, 300, "s",
	    "An attempt to connect ends after this."),
	INT("postgresql.statement_timeout_ms", statement_timeout_ms, "5000", 100, 600000, "ms",
	    "A question that takes longer is given up. The list of alarms needs none."),
	INT("postgresql.retry_ms", postgresql_retry_ms, "1000", 10, 60000, "ms",
	    "Pause before another attempt, after one to connect that failed, or a question that "
	    "was given up; with chance in it. What is asked meanwhile is refused with 503."),
	INT("postgresql.retry_max_ms", postgresql_retry_max_ms, "15000", 10, 600000, "ms",
	    "While nothing is answered, each pause is twice as long as the one before, up to this. "
	    "What is less than postgresql.retry_ms counts as that."),
	INT("postgresql.refresh_s", refresh_s, "10", 1, 3600, "s",
	    "How often it is looked up which consoles there are, and what they may do."),
	INT("postgresql.kept_s", kept_s, "86400", 0, 31622400, "s",
	    "While PostgreSQL does not answer after a start, people sign in by what it said last, "
	    "kept in state.dir, where that is younger than this. 0: nobody signs in then."),
	INT("postgresql.questions_max", questions_max, "64", 1, 10000, "",
	    "Questions that wait for PostgreSQL; what comes beyond is refused with 503."),

	INT("session.link_s", link_s, "300", 10, 86400, "s",
	    "A link of gatehousectl console login is good for so long, and once."),
	INT("session.idle_s", session_idle_s, "7200", 10, 604800, "s",
	    "A session that asks for nothing for so long ends. An open page asks; longer than an "
	    "hour, so that one which was without network for as long goes on."),
	INT("session.max_s", session_max_s, "43200", 60, 2592000, "s",
	    "A session ends after this, whatever it does: a shift, with its handover."),
	INT("session.max", sessions_max, "4096", 1, 1000000, "",
	    "Sessions at once, of all consoles."),
	INT("session.per_console", sessions_per_console, "64", 1, 10000, "",
	    "Sessions of one console at once; a further one ends the oldest."),
	INT("session.requests_per_minute", session_requests_per_minute, "1200", 10, 1000000, "",
	    "Of one session; what comes beyond is refused with 429."),
	INT("session.attempts_per_minute", attempts_per_minute, "20", 1, 100000, "",
	    "Attempts to sign in from one address; what comes beyond is refused with 429."),

	INT("stream.history", history, "16384", 16, 4194304, "changes",
	    "Changes of one station's alarms kept in memory, about 1 KiB each. A page that was "
	    "away goes on where it was within them; otherwise it gets all alarms that stand."),
	INT("stream.queue_kb", queue_kb, "256", 16, 65536, "KiB",
	    "Unsent bytes of one page. What comes then waits in the history until the page has "
	    "read."),
	INT("stream.keepalive_s", keepalive_s, "10", 1, 3600, "s",
	    "A stream is silent for no longer than this."),
	INT("stream.stall_s", stall_s, "60", 1, 3600, "s",
	    "A page that takes nothing for so long while something waits for it is closed; it goes "
	    "on where it was."),

	CONF_ROW(struct web_settings, "webhook.loopback_http", CONF_BOOL, webhook_loopback_http,
		 "false", 0, 0, "", NULL,
		 "A webhook on this machine itself may be called by http://. All others by "
		 "https:// only, with the certificate verified."),
	INT("webhook.timeout_ms", webhook_timeout_ms, "10000", 100, 60000, "ms",
	    "A request that has no answer by then has failed."),
	INT("webhook.attempts", webhook_attempts, "9", 1, 100, "",
	    "Attempts to deliver one event, the first with them; then it is given up, counted and "
	    "said in the log."),
	INT("webhook.retry_first_ms", webhook_retry_first_ms, "5000", 10, 3600000, "ms",
	    "Pause before the second attempt. Each further one is webhook.retry_factor times as "
	    "long, and by chance up to half shorter. An answer that asks for more by Retry-After "
	    "gets it, up to a day."),
	INT("webhook.retry_factor", webhook_retry_factor, "4", 1, 10, "",
	    "How much longer each pause is than the one before."),
	INT("webhook.retry_max_s", webhook_retry_max_s, "28800", 1, 604800, "s",
	    "Longest pause. By the defaults the attempts spread over 8 to 16 hours."),
	INT("webhook.under_way", webhook_under_way, "4", 1, 64, "",
	    "Requests to one webhook at once, never two of the same alarm. One while the last "
	    "one failed."),
	INT("webhook.queue", webhook_queue, "1000", 1, 10000, "events",
	    "Events of one webhook that are held in memory, at most. What comes then waits in the "
	    "daemon's history (desk.history of gatehoused.yaml); beyond that the webhook is told "
	    "that it has to begin anew, and then all alarms that stand."),
	INT("webhook.answer_kb", webhook_answer_kb, "4", 1, 64, "KiB",
	    "Read of an answer's body; only webhook-test shows it."),
	INT("webhook.save_ms", webhook_save_ms, "1000", 10, 60000, "ms",
	    "How often it is saved how far a webhook was told, at most. What was told since comes "
	    "again after a crash, with the same webhook-id."),

	PATH("control.socket", control_socket, "/run/gatehouse-web/control.sock", LISTEN_UNIX_MAX,
	     "Unix socket on which gatehousectl asks for links. Who may write to it may sign in "
	     "as anybody: its folder decides."),

	CHOICE("log.level", log_level, "info", log_level_names,
	       "The least serious lines that are still written."),
	CHOICE("log.target", log_target, "stderr", log_target_names,
	       "stderr: lines of text, with priorities where systemd reads them. journal: "
	       "systemd's journal with fields."),
};

/* rows of a webhook */
#define WEBHOOK(name, type, field, fallback, min, max, choices, help)                              \
	CONF_ROW(struct webhook_settings, name, type, field, fallback, min, max, "", choices, help)

static const char *const severity_names[] = {
	[SEVERITY_NONE] = "any",  [SEVERITY_LOW] = "low",           [SEVERITY_MEDIUM] = "medium",
	[SEVERITY_HIGH] = "high", [SEVERITY_CRITICAL] = "critical", NULL,
};

static const struct conf_key webhook_keys[] = {
	WEBHOOK("name", CONF_STRING, name, NULL, 1, WEBHOOK_NAME_MAX, NULL,
		"Of letters, digits, - and _. It is in each webhook-id, and names the file that "
		"says how far it was told."),
	WEBHOOK("url", CONF_STRING, url, NULL, 9, 2000, NULL,
		"Where events are posted to. The log and the status don't show it."),
	WEBHOOK("secret_file", CONF_PATH, secret_file, NULL, 1, CONF_PATH_MAX, NULL,
		"File with the secret, mode 0600, as gatehousectl web webhook-secret makes it. "
		"While it is changed: both, a line each; SIGHUP reads it again."),
	WEBHOOK("station", CONF_STRING, station, NULL, 1, 64, NULL,
		"The station whose alarms are told."),
	WEBHOOK("severity_min", CONF_CHOICE, severity_min, "any", 0, 0, severity_names,
		"The least severe alarms that are still told."),
	WEBHOOK("kinds", CONF_STRING, kinds, "", 0, 2000, NULL,
		"Kinds of alarms that are told, such as door.forced,panic; empty: all."),
	WEBHOOK("ca_file", CONF_PATH, ca_file, "", 0, CONF_PATH_MAX, NULL,
		"Certificate of the authority that signed the receiver's, PEM. Empty: those that "
		"the system trusts."),
};

static const struct conf_list settings_lists[] = {
	{
		.name = "webhooks",
		.keys = webhook_keys,
		.n_keys = ARRAY_LEN(webhook_keys),
		.item_size = sizeof(struct webhook_settings),
		.items_offset = offsetof(struct web_settings, webhooks),
		.count_offset = offsetof(struct web_settings, n_webhooks),
		.min = 0,
		.max = WEBHOOKS_MAX,
		.example = "#  - name: fire-brigade\n"
			   "#    url: https://alarms.example/gatehouse\n"
			   "#    secret_file: webhooks/fire-brigade.secret\n"
			   "#    station: north\n"
			   "#    severity_min: high\n",
		.help = "Who is called with each change of an alarm, by a request signed as "
			"Standard "
			"Webhooks has it; see docs/web.md.",
	},
};

/* ---- What no single key shows ------------------------------------------------- */

enum rc
webhook_kinds_read(const char *text, uint16_t kinds[WEBHOOK_KINDS_MAX], size_t *n, struct err *err)
{
	*n = 0;
	while (*text != '\0') {
		char name[WEBHOOK_NAME_MAX + 1];
		size_t len = strcspn(text, ", ");
		const struct kind *kind;

		(void)snprintf(name, sizeof(name), "%.*s", (int)len, text);
		kind = kind_by_name(name);
		if (kind == NULL || (kind->flags & KIND_FLAG_RAISES) == 0)
			return err_invalid(err, "\"%s\" is no kind that raises alarms", name);
		if (*n == WEBHOOK_KINDS_MAX)
			return err_invalid(err, "more than %d kinds", WEBHOOK_KINDS_MAX);
		kinds[(*n)++] = kind->code;
		text += len;
		text += strspn(text, ", ");
	}
	return RC_OK;
}

/* `i`: index of the webhook; people count from 1. */
static enum rc
check_webhook(const char *path, const struct web_settings *s, size_t i, struct err *err)
{
	const struct webhook_settings *webhook = &s->webhooks[i];
	uint16_t kinds[WEBHOOK_KINDS_MAX];
	struct err why;
	size_t n;

	if (strspn(webhook->name, WEBHOOK_NAME_BYTES) != strlen(webhook->name))
		return err_invalid(err,
				   "%.120s: \"webhooks[%zu].name\" is \"%s\", expected letters, "
				   "digits, - and _",
				   path, i + 1, webhook->name);
	for (size_t before = 0; before < i; before++)
		if (strcmp(s->webhooks[before].name, webhook->name) == 0)
			return err_invalid(err,
					   "%.120s: \"webhooks[%zu].name\" is \"%s\", as that of "
					   "\"webhooks[%zu]\" is, expected another",
					   path, i + 1, webhook->name, before + 1);
	if (webhook_kinds_read(webhook->kinds, kinds, &n, &why) != RC_OK)
		return err_invalid(err, "%.120s: \"webhooks[%zu].kinds\": %s", path, i + 1,
				   why.msg);
	return RC_OK;
}

static enum rc
settings_check(const char *path, const void *target, struct err *err)
{
	const struct web_settings *s = target;

	if (!listen_is_address(s->address))
		return err_invalid(err,
				   "%.160s: \"http.address\" is \"%s\", expected an IPv4 or IPv6 "
				   "address",
				   path, s->address);
	if (s->public_url[0] != '\0' && strncmp(s->public_url, "https://", 8) != 0)
		return err_invalid(err,
				   "%.160s: \"http.public_url\" is \"%.60s\", expected it to begin "
				   "with https://",
				   path, s->public_url);
	for (size_t i = 0; i < s->n_webhooks; i++) {
		enum rc rc = check_webhook(path, s, i, err);

		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static const char settings_head[] =
	"# gatehouse-web.yaml - every setting of gatehouse-web with its default.\n"
	"#\n"
	"# A key that is left out has its default, so a file needs only what differs.\n"
	"# Relative paths begin at the folder of this file.  A mistake stops the start\n"
	"# with file and line.\n";

static const struct conf_schema settings_schema = {
	.keys = settings_keys,
	.n_keys = ARRAY_LEN(settings_keys),
	.lists = settings_lists,
	.n_lists = ARRAY_LEN(settings_lists),
	.check = settings_check,
	.head = settings_head,
};

enum rc
web_settings_load(const char *path, struct web_settings *settings, struct err *err)
{
	memset(settings, 0, sizeof(*settings));
	return conf_load(&settings_schema, path, settings, err);
}

void
web_settings_free(struct web_settings *settings)
{
	conf_free(&settings_schema, settings);
}

struct tls_files
web_tls_files(const struct web_settings *s)
{
	return (struct tls_files){
		.ca = s->tls_ca,
		.certificate = s->tls_certificate,
		.key = s->tls_key,
		.revoked = s->tls_revoked[0] != '\0' ? s->tls_revoked : NULL,
	};
}

void
web_settings_write_reference(FILE *out)
{
	conf_write_reference(&settings_schema, out);
}
