/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every limit and choice of the daemon: one struct, filled from one YAML file by
 * the table in daemon/settings.c, which also is the reference in
 * conf/gatehoused.yaml.  gatehousectl reads the same file.
 *
 * Immutable after loading; any thread.
 */
#ifndef GATEHOUSE_DAEMON_SETTINGS_H
#define GATEHOUSE_DAEMON_SETTINGS_H

#include <stdio.h>

#include "base/base.h"

struct listener_settings {
	char *address;    /* "0.0.0.0", "::" or a host's own address */
	int64_t port;     /* 0: any, see status */
	bool controllers; /* roles that it serves */
	bool consoles;
	bool desks; /* registration desks */
};

/* How one kind of alarm is handled, where that is not the default. */
struct alarm_settings {
	char *kind;          /* a name of the vocabulary that raises alarms */
	int64_t severity;    /* enum severity; 0: the default */
	int64_t latch;       /* enum alarm_latch */
	int64_t escalate_s;  /* -1: the default; 0: never */
	int64_t ack_limit_s; /* likewise */
};
enum alarm_latch { ALARM_LATCH_DEFAULT, ALARM_LATCH_YES, ALARM_LATCH_NO };

struct settings {
	/* node */
	int64_t node_id;         /* node.id: 1 .. 32767, 1 */
	char *state_dir;         /* node.state_dir: checkpoint and register snapshot */
	int64_t workers;         /* node.workers: 0 = one per core */
	int64_t connections_max; /* node.connections_max: all listeners together, 16000 */

	struct listener_settings *listeners;
	size_t n_listeners;

	/* tls */
	char *tls_ca, *tls_certificate, *tls_key;
	char *tls_revoked;            /* revocation lists; "": none */
	int64_t resume_s;             /* tls.resume_s: 0 = no resumption, 86400 */
	int64_t resume_max;           /* tls.resume_max, 32768 clients */
	int64_t handshake_timeout_ms; /* 10000 */
	int64_t linger_ms;            /* tls.linger_ms: behind a close, 1000 */
	int64_t linger_max;           /* tls.linger_max: per worker, 64 */
	int64_t handshake_steps;      /* tls.handshake_steps: per worker and turn, 8 */

	/* keys */
	char *keys_dir; /* card.keys_dir: site.key and token-YYYY-MM.key */

	/* journal */
	char *journal_dir;
	int64_t segment_mb;       /* journal.segment_mb, 64 */
	int64_t retain_s;         /* journal.retain_s, 900 */
	int64_t disk_free_min_mb; /* journal.disk_free_min_mb, 256 */
	int64_t spare_segments;   /* journal.spare_segments, 2 */
	int64_t group_kb;         /* journal.group_kb: bytes of one worker's group, 512 */
	int64_t groups;           /* journal.groups: per worker, 8 */
	int64_t gather_ms;        /* journal.gather_ms: 4 */
	int64_t tell_ms;          /* journal.tell_ms: 5 */

	/* postgresql */
	char *conninfo;
	int64_t batch_records;         /* 20000 */
	int64_t batch_mb;              /* 8 */
	int64_t batch_wait_ms;         /* 200 */
	int64_t connect_timeout_s;     /* 5 */
	int64_t statement_timeout_s;   /* 15 */
	int64_t retry_ms;              /* 1000 */
	int64_t retry_max_ms;          /* 15000 */
	int64_t partitions_ahead_days; /* 7 */
	int64_t stop_timeout_ms;       /* flush at stop for at most so long, 10000 */

	/* fleet */
	int64_t heartbeat_s;       /* 30 */
	int64_t lease_s;           /* 90; must be >= 2 * heartbeat_s */
	int64_t window;            /* 256 records */
	int64_t frame_max_bytes;   /* 16384 */
	int64_t gap_wait_ms;       /* 10000: patience after Resend */
	int64_t clock_tolerance_s; /* 300: flagged when further off */
	int64_t turn_max_us;       /* fleet.turn_max_us: 2000 */
	int64_t turn_us;           /* fleet.turn_us: 400 */
	int64_t read_budget_kb;    /* per connection and turn, 64 */
	int64_t hello_timeout_ms;  /* 10000: for Hello after the handshake */
	int64_t goaway_delay_ms;   /* 5000: told to clients at stop and overload */

	/* desk */
	int64_t history;          /* changes kept in memory for consoles to go back to, 131072 */
	int64_t console_queue_kb; /* unsent per console, 256 */
	int64_t console_stall_s;  /* closed when it reads nothing for so long, 60 */
	int64_t keepalive_s;      /* 15 */
	int64_t open_alarms_max;  /* 200000 */
	int64_t checkpoint_s;     /* 30 */
	int64_t merge_ms;         /* records of one alarm so close together are one, 100 */
	int64_t shelve_max_s;     /* nothing is shelved for longer, 28800 */
	int64_t service_max_s;    /* ... or out of service, 2592000 */
	int64_t actions_waiting;  /* actions without an answer, of all consoles, 4096 */
	int64_t flood_begin;      /* more alarms of a site than this are a group, 10 */
	int64_t flood_end;        /* ... until fewer than this arrive, 5; <= flood_begin */
	int64_t flood_window_s;   /* ... within this time; 0 = no such groups, 600 */
	int64_t site_lost_begin;  /* so many controllers of a site lost are a group, 2 */
	int64_t site_lost_s;      /* ... within this time; 0 = no such groups, 60 */

	struct alarm_settings *alarms; /* one for a kind at most */
	size_t n_alarms;

	/* rights */
	int64_t rights_changes;    /* kept for controllers that lack some, 262144 */
	int64_t rights_history_s;  /* former states are kept for so long, 604800 */
	int64_t rights_grace_s;    /* a door's clock at the edges of windows, 5 */
	int64_t rights_queue_kb;   /* of a list, unsent per controller, 256 */
	int64_t rights_snapshot_s; /* 60 */

	/* control */
	char *control_socket; /* unix socket of gatehousectl */

	/* log */
	int64_t log_level;  /* enum log_level */
	int64_t log_target; /* enum log_target */
};

/* Loads and checks, also what no single key shows (lease against heartbeat,
 * listeners with the same port, no listener for a role). */
enum rc settings_load(const char *path, struct settings *settings, struct err *err) MUST_CHECK;
void settings_free(struct settings *settings);

/* Threads that serve connections: those of the settings, or one for each core. */
unsigned settings_workers(const struct settings *settings);
/* Lowers connections_max to what fits into `descriptors` beside the daemon's own files,
 * to 1 at least.  Returns whether it did: what is lacking then is a client's place, and
 * never the journal's next file. */
bool settings_fit_descriptors(struct settings *settings, uint64_t descriptors);

/* The commented reference: conf/gatehoused.yaml is exactly this. */
void settings_write_reference(FILE *out);

#endif
