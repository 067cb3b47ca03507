/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of every limit and choice of the daemon, and what several of them
 * must keep between them.  Runs at the start, in one thread; the settings that
 * come out are immutable.
 *
 * The bounds say what makes sense, not what would be wise: a test may want a
 * lease of two seconds.  The defaults are for a city's daemon on one machine.
 *
 * Whether a file or folder is there is not asked here: its room says so when it
 * opens it, and gatehousectl reads this file where they may well be missing.
 */
#include "daemon/settings.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/listen.h"
#include "base/log.h"
#include "wire/kind.h"

/* rows of the table */
#define INT(...)          CONF_ROW_INT(struct settings, __VA_ARGS__)
#define TEXT(...)         CONF_ROW_STRING(struct settings, __VA_ARGS__)
#define PATH(...)         CONF_ROW_PATH(struct settings, __VA_ARGS__)
#define PATH_OR_NONE(...) CONF_ROW_PATH_OR_NONE(struct settings, __VA_ARGS__)
#define CHOICE(...)       CONF_ROW_CHOICE(struct settings, __VA_ARGS__)

enum {
	/* Open files beside the connections, with a margin.  Of the process: journal,
	 * checkpoint, snapshot, PostgreSQL, the operator's connections. */
	SETTINGS_OWN_FILES = 64,
	/* ... and of each worker beside its listening sockets: its loop */
	SETTINGS_WORKER_FILES = 8,
	SETTINGS_LISTENERS_MAX = 16,
	/* more rules than kinds are doubled ones */
	SETTINGS_ALARMS_MAX = 256,
};

static const struct conf_key settings_keys[] = {
	INT("node.id", node_id, "1", 1, 32767, "",
	    "Number of this daemon. Daemons that store into the same PostgreSQL must differ: the "
	    "number is in the ids of alarms and in the cursor. Never change it on a journal that "
	    "holds records."),
	PATH("node.state_dir", state_dir, "/var/lib/gatehouse", CONF_PATH_MAX,
	     "Folder of the alarms' checkpoint and of the register's snapshot, with which the "
	     "daemon starts while PostgreSQL is down."),
	INT("node.workers", workers, "0", 0, 256, "",
	    "Threads that serve connections; 0 takes one for each core."),
	INT("node.connections_max", connections_max, "16000", 1, 1000000, "",
	    "Connections of all listeners together. Further ones are closed as they come, so that "
	    "those that stand keep their memory and their file descriptors (LimitNOFILE= of the "
	    "service must be higher)."),

	PATH("tls.ca", tls_ca, "/etc/gatehouse/tls/ca.pem", CONF_PATH_MAX,
	     "Certificate of the authority that signed the controllers' and consoles' "
	     "certificates, PEM."),
	PATH("tls.certificate", tls_certificate, "/etc/gatehouse/tls/certificate.pem",
	     CONF_PATH_MAX, "The daemon's own certificate with its chain, PEM."),
	PATH("tls.key", tls_key, "/etc/gatehouse/tls/key.pem", CONF_PATH_MAX,
	     "The private key of that certificate, PEM, not encrypted; readable for the daemon's "
	     "user only."),
	PATH_OR_NONE("tls.revoked", tls_revoked, "", CONF_PATH_MAX,
		     "Revocation lists, PEM, whole ones, signed by the authorities in tls.ca. Who "
		     "is on one is refused, and sent away when the lists are loaded again "
		     "(SIGHUP). A list past its date stays in force. Empty: none."),
	INT("tls.resume_s", resume_s, "86400", 0, 604800, "s",
	    "A client that was here within this time comes back by a short handshake, at a quarter "
	    "of the cost; never beyond the end of its certificate. One that stays connected "
	    "is given more time meanwhile. Sessions survive a restart in node.state_dir. 0: each "
	    "handshake is a full one."),
	INT("tls.resume_max", resume_max, "32768", 1, 1000000, "clients",
	    "Clients that are remembered for that, at some 350 bytes each; beyond it, the one "
	    "longest ago is forgotten."),
	INT("tls.handshake_timeout_ms", handshake_timeout_ms, "10000", 100, 120000, "ms",
	    "A connection whose handshake is not done by then is closed. Slow mobile links need "
	    "seconds; an attacker who holds sockets open gets no more than this."),
	INT("tls.handshake_steps", handshake_steps, "8", 1, 10000, "",
	    "Steps of handshakes, two for each, that a worker does before the records and alarms "
	    "of those who are connected have their turn. One takes up to half a millisecond. Who "
	    "comes meanwhile waits in the kernel's queue."),
	INT("tls.linger_ms", linger_ms, "1000", 0, 60000, "ms",
	    "A connection that the daemon ends is kept for so long, and what still comes is thrown "
	    "away, until the client has read the reason and ends it, too. At stop, also for "
	    "all that stand then."),
	INT("tls.linger_max", linger_max, "64", 0, 65536, "",
	    "Connections that each worker keeps in that way beside those of node.connections_max. "
	    "Beyond it one is closed at once, and its client may hear of no reason."),

	PATH("card.keys_dir", keys_dir, "/var/lib/gatehouse/keys", CONF_PATH_MAX,
	     "Folder of the keys that turn card numbers into tokens: site.key, and one "
	     "token-YYYY-MM.key for each month. Whoever destroys a month's key cuts its records "
	     "from their cards for ever, which is the purpose; so back it up apart from the "
	     "records."),

	PATH("journal.dir", journal_dir, "/var/lib/gatehouse/journal", CONF_PATH_MAX,
	     "Folder of the journal. A record is acknowledged when it is on this disk: take one "
	     "that keeps its word about flushing, and nothing that is shared over a network."),
	INT("journal.segment_mb", segment_mb, "64", 1, 1024, "MiB",
	    "Size of one journal file. Files are written in full before they are used, and go as "
	    "a whole."),
	INT("journal.retain_s", retain_s, "900", 0, 604800, "s",
	    "Records stay in the journal for so long after PostgreSQL committed them, so that a "
	    "failover to a standby that lost the last commits is repaired by storing them again. "
	    "Longer than the standby can lag."),
	INT("journal.disk_free_min_mb", disk_free_min_mb, "256", 0, 1048576, "MiB",
	    "No journal file is made that would leave less than this free on the journal's disk. "
	    "When the last of those made ahead is in use or next, only alarms are taken; "
	    "controllers keep their other records until there is room again."),
	INT("journal.spare_segments", spare_segments, "2", 1, 16, "",
	    "Journal files kept ready, so that beginning a new one does not wait for the disk. "
	    "The last one is the reserve for alarms when the disk is full: it should hold more "
	    "than node.workers * journal.groups * journal.group_kb, which may be under way to it. "
	    "With 1, the reserve is what is left of the file in use."),
	INT("journal.group_kb", group_kb, "512", 128, 65536, "KiB",
	    "Bytes of records that one worker hands to the journal at once, at most. Larger "
	    "groups mean fewer flushes of the disk; smaller ones less memory."),
	INT("journal.groups", groups, "8", 2, 256, "",
	    "Groups that a worker may have on their way to the disk. When all are, it stops "
	    "reading: this bounds the memory for records that are not durable yet."),
	INT("journal.gather_ms", gather_ms, "4", 0, 100, "ms",
	    "While records keep coming, a worker hands them to the journal once in so long at "
	    "most, so that one flush of the disk serves many. Alarms don't wait for it. 0: at "
	    "once, always."),
	INT("journal.tell_ms", tell_ms, "5", 0, 1000, "ms",
	    "While records keep coming, those who read the journal (the alarm desk, the rights, "
	    "PostgreSQL's side) hear of them once in so long at most. Alarms are told at once. 0: "
	    "after each flush."),

	TEXT("postgresql.conninfo", conninfo, "", 2000,
	     "Connection string of libpq; may name several hosts with "
	     "target_session_attrs=read-write. Empty: libpq's environment, PGHOST and so on. Keep "
	     "a password in a passfile, not here."),
	INT("postgresql.batch_records", batch_records, "20000", 1, 1000000, "",
	    "Records in one transaction, at most."),
	INT("postgresql.batch_mb", batch_mb, "8", 1, 256, "MiB",
	    "Bytes in one transaction, at most. Twice as much memory is held: the next one is read "
	    "while PostgreSQL takes this one."),
	INT("postgresql.batch_wait_ms", batch_wait_ms, "200", 0, 10000, "ms",
	    "While little comes in, wait for so long to fill a transaction. Alarms do not wait "
	    "for it: they go out before PostgreSQL is asked."),
	INT("postgresql.connect_timeout_s", connect_timeout_s, "5", 1, 300, "s",
	    "An attempt to connect ends after this, and the next host is tried."),
	INT("postgresql.statement_timeout_s", statement_timeout_s, "15", 1, 3600, "s",
	    "A server that does not answer for so long is left, and its batch stored again "
	    "after reconnecting. Longer than the slowest batch."),
	INT("postgresql.retry_ms", retry_ms, "1000", 10, 60000, "ms",
	    "Pause before another attempt to connect; with chance in it. Records gather in the "
	    "journal meanwhile."),
	INT("postgresql.retry_max_ms", retry_max_ms, "15000", 10, 600000, "ms",
	    "While nothing can be stored, each pause is twice as long as the one before, up to "
	    "this: an attempt on a server that hangs leaves a process behind there. What is less "
	    "than postgresql.retry_ms counts as that."),
	INT("postgresql.partitions_ahead_days", partitions_ahead_days, "7", 1, 365, "days",
	    "Partitions of so many coming days are made beforehand. Longer than PostgreSQL may "
	    "ever be away from this daemon."),
	INT("postgresql.stop_timeout_ms", stop_timeout_ms, "10000", 0, 600000, "ms",
	    "At stop, records that are durable are still stored for at most this long; the rest "
	    "is stored after the next start. Below TimeoutStopSec= of the service."),

	INT("fleet.heartbeat_s", heartbeat_s, "30", 1, 3600, "s",
	    "A controller that sent nothing else for so long says that it is there."),
	INT("fleet.lease_s", lease_s, "90", 2, 86400, "s",
	    "A controller that is silent for so long is held for lost, and comms.controller_lost "
	    "is raised. At least twice fleet.heartbeat_s, so that one lost heartbeat alarms "
	    "nobody."),
	INT("fleet.window", window, "256", 1, 65536, "records",
	    "Records that a controller may send before the first of them is acknowledged. With "
	    "the flush of the disk this bounds the rate of one controller."),
	INT("fleet.frame_max_bytes", frame_max_bytes, "16384", 4096, 32768, "bytes",
	    "Longest message that is read; a longer one closes the connection. A record of the "
	    "contract takes below 1 KiB, but for sealed personal fields."),
	INT("fleet.gap_wait_ms", gap_wait_ms, "10000", 100, 600000, "ms",
	    "After a hole in a controller's sequence was asked for again, wait for so long; then "
	    "raise records.gap and go on behind it."),
	INT("fleet.clock_tolerance_s", clock_tolerance_s, "300", 1, 86400, "s",
	    "A record whose time is further off ours is accepted and flagged."),
	INT("fleet.turn_max_us", turn_max_us, "2000", 100, 1000000, "us",
	    "A worker reads from its connections for so long in one turn, at most: then what came "
	    "goes to the journal, and consoles are written to. Who was not read comes first in the "
	    "next. So an alarm is never far behind the backlog of a fleet that comes back."),
	INT("fleet.turn_us", turn_us, "400", 0, 10000, "us",
	    "A worker that has much to do looks at its connections once in so long at most, so "
	    "that "
	    "one waking serves many of them; what comes behind a quiet moment doesn't wait. An "
	    "alarm beside many records waits for so long at most until it is read, and not after "
	    "that. 0: each waking by itself."),
	INT("fleet.read_budget_kb", read_budget_kb, "64", 4, 1024, "KiB",
	    "Read from one connection before the others have their turn, so that the backlog of "
	    "one does not delay the alarm of another."),
	INT("fleet.hello_timeout_ms", hello_timeout_ms, "10000", 100, 120000, "ms",
	    "After the handshake, a client that has not said hello by then is closed."),
	INT("fleet.goaway_delay_ms", goaway_delay_ms, "5000", 0, 600000, "ms",
	    "At stop and at overload, clients are told to come back after this, plus up to as "
	    "much again by chance, so that they don't all come at once."),

	INT("desk.history", history, "131072", 16, 16777216, "changes",
	    "Changes of alarms kept in memory. A console that reconnects within them goes on "
	    "where it was; one that was away for longer gets all alarms that stand."),
	INT("desk.console_queue_kb", console_queue_kb, "256", 16, 65536, "KiB",
	    "Unsent bytes of one console, at most. What comes then stays in the history until "
	    "the console has read."),
	INT("desk.console_stall_s", console_stall_s, "60", 1, 3600, "s",
	    "A console that reads nothing for so long while something waits for it is closed; "
	    "it resumes where it was."),
	INT("desk.keepalive_s", keepalive_s, "15", 1, 3600, "s",
	    "Neither side of a console's connection is silent for longer than this."),
	INT("desk.open_alarms_max", open_alarms_max, "200000", 1, 10000000, "alarms",
	    "Alarms that stand at once, at most: bounds memory in a storm."),
	INT("desk.checkpoint_s", checkpoint_s, "30", 1, 3600, "s",
	    "How often the alarms that stand are written to disk. After a crash the journal is "
	    "read again from there, so longer means a slower start."),

	INT("desk.merge_ms", merge_ms, "100", 0, 10000, "ms",
	    "Contacts bounce: records of one alarm that are less than so far apart, by the "
	    "controller's clock, are one and are counted once."),
	INT("desk.shelve_max_s", shelve_max_s, "28800", 60, 604800, "s",
	    "An alarm is shelved for so long at most; then it is back."),
	INT("desk.service_max_s", service_max_s, "2592000", 60, 31536000, "s",
	    "An alarm is out of service for so long at most."),
	INT("desk.actions_waiting", actions_waiting, "4096", 32, 1048576, "actions",
	    "What dispatchers did and the disk does not have yet, all consoles together, at most. "
	    "One more is refused, and can be tried again."),
	INT("desk.flood_begin", flood_begin, "10", 1, 1000, "alarms",
	    "When more different alarms of one site than this arrive within desk.flood_window_s, "
	    "one alarm stands for them: alarm.flood. Panic, hold-up, duress and fire are never "
	    "among them."),
	INT("desk.flood_end", flood_end, "5", 1, 1000, "alarms",
	    "It ends when fewer than this arrived within the same time. At most "
	    "desk.flood_begin."),
	INT("desk.flood_window_s", flood_window_s, "600", 0, 86400, "s",
	    "The time for both; 0: each alarm stands for itself."),
	INT("desk.site_lost_begin", site_lost_begin, "2", 2, 1000, "controllers",
	    "When so many controllers of one site are lost within desk.site_lost_s, one alarm "
	    "stands for them: comms.site_lost. It ends when fewer than so many are."),
	INT("desk.site_lost_s", site_lost_s, "60", 0, 86400, "s",
	    "The time for that; 0: each lost controller stands for itself."),

	INT("rights.changes", rights_changes, "262144", 16, 16777216, "changes",
	    "Changes of rights kept in memory for controllers that were away. One that lacks "
	    "more gets its whole list."),
	INT("rights.history_s", rights_history_s, "604800", 0, 31536000, "s",
	    "How cards and rights were is kept for so long, so that what a door did is held "
	    "against what stood then. Longer than a controller may be offline; an access that "
	    "is older when it arrives is not judged."),
	INT("rights.grace_s", rights_grace_s, "5", 0, 300, "s",
	    "At the edges of windows and hours a door's clock may be off by so much without an "
	    "alarm. A change of rights has no such grace."),
	INT("rights.queue_kb", rights_queue_kb, "256", 64, 65536, "KiB",
	    "Unsent bytes of one controller's list, at most. The rest waits until it has read."),
	INT("rights.snapshot_s", rights_snapshot_s, "60", 1, 3600, "s",
	    "How often cards and rights are written to disk. After a crash the journal is read "
	    "again from there, so longer means a slower start."),

	PATH("control.socket", control_socket, "/run/gatehouse/control.sock", LISTEN_UNIX_MAX,
	     "Unix socket on which gatehousectl asks the daemon. Who may write to it may ask: "
	     "its folder decides."),

	CHOICE("log.level", log_level, "info", log_level_names,
	       "The least serious lines that are still written. debug writes each change of a "
	       "connection's state."),
	CHOICE("log.target", log_target, "stderr", log_target_names,
	       "stderr: lines of text, with priorities where systemd reads them. journal: "
	       "systemd's journal with fields."),
};

#define LISTENER(name, type, field, fallback, min, max, help)                                      \
	CONF_ROW(struct listener_settings, name, type, field, fallback, min, max, "", NULL, help)

static const struct conf_key listener_keys[] = {
	LISTENER("address", CONF_STRING, address, "0.0.0.0", 1, 64,
		 "Address of this machine to listen on; 0.0.0.0 is all of IPv4, '::' all of IPv6."),
	LISTENER("port", CONF_INT, port, NULL, 0, 65535,
		 "TCP port; 0 takes a free one, which gatehousectl status shows."),
	LISTENER("controllers", CONF_BOOL, controllers, "false", 0, 0,
		 "Controllers are served here."),
	LISTENER("consoles", CONF_BOOL, consoles, "false", 0, 0, "Consoles are served here."),
	LISTENER("desks", CONF_BOOL, desks, "false", 0, 0, "Registration desks are served here."),
};

static const char *const severity_names[] = {
	[SEVERITY_NONE] = "default", [SEVERITY_LOW] = "low",           [SEVERITY_MEDIUM] = "medium",
	[SEVERITY_HIGH] = "high",    [SEVERITY_CRITICAL] = "critical", NULL,
};

static const char *const latch_names[] = {
	[ALARM_LATCH_DEFAULT] = "default",
	[ALARM_LATCH_YES] = "yes",
	[ALARM_LATCH_NO] = "no",
	NULL,
};

#define ALARM(...) CONF_ROW(struct alarm_settings, __VA_ARGS__)

static const struct conf_key alarm_keys[] = {
	ALARM("kind", CONF_STRING, kind, NULL, 1, 64, "", NULL,
	      "A kind of the vocabulary that raises alarms, such as door.held_open."),
	ALARM("severity", CONF_CHOICE, severity, "default", 0, 0, "", severity_names,
	      "critical sends somebody now, high sends somebody, medium asks back, low is looked "
	      "at in the morning."),
	ALARM("latch", CONF_CHOICE, latch, "default", 0, 0, "", latch_names,
	      "yes: when its condition is over, a person has to reset it. By default forced doors, "
	      "tamper and duress."),
	ALARM("escalate_s", CONF_INT, escalate_s, "-1", -1, 604800, "s", NULL,
	      "Nobody took it for so long: the next station up is called, then the one at the "
	      "root. 0: never. -1: by severity, 45 critical, 120 high, 600 medium, 0 low."),
	ALARM("ack_limit_s", CONF_INT, ack_limit_s, "-1", -1, 604800, "s", NULL,
	      "Nothing followed an acknowledgement for so long: it has expired. 0: never. -1: by "
	      "severity, 1800 critical, 3600 high, 7200 medium, 0 low."),
};

static const struct conf_list settings_lists[] = {
	{
		.name = "listeners",
		.keys = listener_keys,
		.n_keys = ARRAY_LEN(listener_keys),
		.item_size = sizeof(struct listener_settings),
		.items_offset = offsetof(struct settings, listeners),
		.count_offset = offsetof(struct settings, n_listeners),
		.min = 1,
		.max = SETTINGS_LISTENERS_MAX,
		.example = "  - address: 0.0.0.0\n"
			   "    port: 7443\n"
			   "    controllers: true\n"
			   "  - address: 0.0.0.0\n"
			   "    port: 7444\n"
			   "    consoles: true\n"
			   "    desks: true\n",
		.help = "Where the daemon listens, and for whom: controllers, consoles and "
			"registration desks can live on different networks. Controllers and "
			"consoles need one listener at least.",
	},
	{
		.name = "alarms",
		.keys = alarm_keys,
		.n_keys = ARRAY_LEN(alarm_keys),
		.item_size = sizeof(struct alarm_settings),
		.items_offset = offsetof(struct settings, alarms),
		.count_offset = offsetof(struct settings, n_alarms),
		.min = 0,
		.max = SETTINGS_ALARMS_MAX,
		.example = "  - kind: door.held_open\n"
			   "    escalate_s: 600\n",
		.help = "How kinds of alarms are handled, where the default does not fit. A kind "
			"that is not named here has its defaults.",
	},
};

/* ---- What no single key shows -------------------------------------------- */

static enum rc
check_fleet(const char *path, const struct settings *s, struct err *err)
{
	if (s->lease_s < 2 * s->heartbeat_s)
		return err_invalid(err,
				   "%.160s: \"fleet.lease_s\" is %lld, expected at least twice "
				   "\"fleet.heartbeat_s\", which is %lld",
				   path, (long long)s->lease_s, (long long)s->heartbeat_s);
	return RC_OK;
}

static enum rc
check_desk(const char *path, const struct settings *s, struct err *err)
{
	if (s->flood_end > s->flood_begin)
		return err_invalid(err,
				   "%.160s: \"desk.flood_end\" is %lld, expected at most "
				   "\"desk.flood_begin\", which is %lld",
				   path, (long long)s->flood_end, (long long)s->flood_begin);
	return RC_OK;
}

static bool
address_is_any(const char *address)
{
	struct in6_addr bytes;

	return strcmp(address, "0.0.0.0") == 0 ||
	       (inet_pton(AF_INET6, address, &bytes) == 1 && IN6_IS_ADDR_UNSPECIFIED(&bytes));
}

/* The kernel would not say so: our workers share ports, and so would two listeners. */
static bool
listeners_collide(const struct listener_settings *a, const struct listener_settings *b)
{
	if (a->port == 0 || a->port != b->port)
		return false;
	return address_is_any(a->address) || address_is_any(b->address) ||
	       strcmp(a->address, b->address) == 0;
}

/* `i`: index of the listener; people count from 1. */
static enum rc
check_listener(const char *path, const struct settings *s, size_t i, struct err *err)
{
	const struct listener_settings *l = &s->listeners[i];

	if (!listen_is_address(l->address))
		return err_invalid(err,
				   "%.160s: \"listeners[%zu].address\" is \"%s\", expected an IPv4 "
				   "or IPv6 address",
				   path, i + 1, l->address);
	if (!l->controllers && !l->consoles && !l->desks)
		return err_invalid(
			err,
			"%.160s: \"listeners[%zu]\" serves nobody, expected controllers, "
			"consoles or desks to be true",
			path, i + 1);
	for (size_t before = 0; before < i; before++) {
		if (listeners_collide(&s->listeners[before], l))
			return err_invalid(err,
					   "%.160s: \"listeners[%zu]\" has port %lld of "
					   "\"listeners[%zu]\", expected another",
					   path, i + 1, (long long)l->port, before + 1);
	}
	return RC_OK;
}

static enum rc
check_listeners(const char *path, const struct settings *s, struct err *err)
{
	bool controllers = false, consoles = false;

	for (size_t i = 0; i < s->n_listeners; i++) {
		enum rc rc = check_listener(path, s, i, err);

		if (rc != RC_OK)
			return rc;
		controllers |= s->listeners[i].controllers;
		consoles |= s->listeners[i].consoles;
	}
	if (!controllers || !consoles)
		return err_invalid(err, "%.160s: no listener serves %s, expected one at least",
				   path, controllers ? "consoles" : "controllers");
	return RC_OK;
}

static enum rc
check_alarm(const char *path, const struct settings *s, size_t i, struct err *err)
{
	const char *name = s->alarms[i].kind;
	const struct kind *kind = kind_by_name(name);

	if (kind == NULL || (kind->flags & KIND_FLAG_RAISES) == 0)
		return err_invalid(
			err,
			"%.160s: \"alarms[%zu].kind\" is \"%.64s\", expected a kind that "
			"raises alarms, such as door.forced",
			path, i + 1, name);
	for (size_t before = 0; before < i; before++) {
		if (strcmp(s->alarms[before].kind, name) == 0)
			return err_invalid(
				err,
				"%.160s: \"alarms[%zu]\" is about %s, as \"alarms[%zu]\" "
				"is, expected one of them",
				path, i + 1, name, before + 1);
	}
	return RC_OK;
}

static enum rc
check_alarms(const char *path, const struct settings *s, struct err *err)
{
	for (size_t i = 0; i < s->n_alarms; i++) {
		if (check_alarm(path, s, i, err) != RC_OK)
			return RC_INVALID;
	}
	return RC_OK;
}

static enum rc
settings_check(const char *path, const void *target, struct err *err)
{
	enum rc rc = check_fleet(path, target, err);

	if (rc == RC_OK)
		rc = check_desk(path, target, err);
	if (rc == RC_OK)
		rc = check_listeners(path, target, err);
	if (rc == RC_OK)
		rc = check_alarms(path, target, err);
	return rc;
}

/* ---- As a whole ----------------------------------------------------------- */

static const char settings_head[] =
	"# gatehoused.yaml - every setting of gatehoused with its default.\n"
	"#\n"
	"# A key that is left out has its default, so a file needs only what differs; see\n"
	"# minimal.yaml.  Relative paths begin at the folder of this file.  A mistake stops\n"
	"# the start with file and line.\n";

static const struct conf_schema settings_schema = {
	.keys = settings_keys,
	.n_keys = ARRAY_LEN(settings_keys),
	.lists = settings_lists,
	.n_lists = ARRAY_LEN(settings_lists),
	.check = settings_check,
	.head = settings_head,
};

enum rc
settings_load(const char *path, struct settings *settings, struct err *err)
{
	memset(settings, 0, sizeof(*settings));
	return conf_load(&settings_schema, path, settings, err);
}

unsigned
settings_workers(const struct settings *settings)
{
	return settings->workers > 0 ? (unsigned)settings->workers
				     : (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

bool
settings_fit_descriptors(struct settings *settings, uint64_t descriptors)
{
	uint64_t own = SETTINGS_OWN_FILES +
		       settings_workers(settings) * (SETTINGS_WORKER_FILES + settings->n_listeners +
						     (uint64_t)settings->linger_max);
	uint64_t room = descriptors > own ? descriptors - own : 1;

	if ((uint64_t)settings->connections_max <= room)
		return false;
	settings->connections_max = (int64_t)room;
	return true;
}

void
settings_free(struct settings *settings)
{
	conf_free(&settings_schema, settings);
}

void
settings_write_reference(FILE *out)
{
	conf_write_reference(&settings_schema, out);
}
