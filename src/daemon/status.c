/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon says of itself.  Reads counters of other threads; the numbers
 * of one reply may be a moment apart.  No card, no person, no key.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/gatehoused.h"

/* ---- Sums over workers --------------------------------------------------- */

struct fleet_sums {
	uint64_t records, rejected, duplicates, gaps, ahead, held, resends, groups_free, paused;
	uint64_t controllers, desks, consoles, handshaking, accepted, full, resumed, wrong_role;
	uint64_t refused[STREAM_END_COUNT], ended[STREAM_END_COUNT], closed[GOAWAY_COUNT];
};

static void
fleet_sums_add(struct fleet_sums *sums, const struct worker *worker)
{
	const struct worker_counters *lobby = worker_counters(worker);
	const struct sessions_counters *fleet = worker_sessions(worker);
	const struct consoles_counters *desk = worker_consoles(worker);

	sums->records += counter_get(&fleet->records);
	sums->rejected += counter_get(&fleet->rejected);
	sums->duplicates += counter_get(&fleet->duplicates);
	sums->gaps += counter_get(&fleet->gaps);
	sums->ahead += counter_get(&fleet->ahead);
	sums->held += counter_get(&fleet->held);
	sums->resends += counter_get(&fleet->resends);
	sums->groups_free += counter_get(&fleet->groups_free);
	sums->paused += counter_get(&fleet->paused);
	sums->controllers += counter_get(&fleet->open) - counter_get(&fleet->desks);
	sums->desks += counter_get(&fleet->desks);
	sums->consoles += counter_get(&desk->open);
	sums->handshaking += counter_get(&lobby->handshaking);
	sums->accepted += counter_get(&lobby->accepted);
	sums->full += counter_get(&lobby->full);
	sums->resumed += counter_get(&lobby->resumed);
	sums->wrong_role += counter_get(&lobby->wrong_role);
	for (int i = 0; i < STREAM_END_COUNT; i++) {
		sums->refused[i] += counter_get(&lobby->refused[i]);
		sums->ended[i] += counter_get(&fleet->ended[i]) + counter_get(&desk->ended[i]);
	}
	for (int i = 0; i < GOAWAY_COUNT; i++)
		sums->closed[i] += counter_get(&fleet->closed[i]) + counter_get(&desk->closed[i]);
}

static struct fleet_sums
fleet_sums(const struct gatehoused *daemon)
{
	struct fleet_sums sums = {0};

	for (unsigned i = 0; i < daemon->n_workers; i++)
		fleet_sums_add(&sums, daemon->workers[i]);
	return sums;
}

/* ---- Sections ------------------------------------------------------------ */

static json_t *
number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *
status_listeners(const struct gatehoused *daemon)
{
	json_t *list = json_array();
	char address[128];

	for (size_t i = 0; i < daemon->settings.n_listeners; i++) {
		const struct listener_settings *settings = &daemon->settings.listeners[i];

		(void)snprintf(address, sizeof(address), "%s:%u", settings->address,
			       daemon->entrances[i].port);
		json_array_append_new(list,
				      json_pack("{s:s, s:b, s:b, s:b}", "address", address,
						"controllers", settings->controllers, "consoles",
						settings->consoles, "desks", settings->desks));
	}
	return list;
}

static json_t *
status_refused(const struct fleet_sums *sums)
{
	json_t *json = json_object();

	for (int i = 0; i < STREAM_END_COUNT; i++)
		if (sums->refused[i] > 0)
			json_object_set_new(json, stream_end_name(i), number(sums->refused[i]));
	if (sums->wrong_role > 0)
		json_object_set_new(json, "wrong_role", number(sums->wrong_role));
	return json;
}

static json_t *
status_closed(const struct fleet_sums *sums)
{
	json_t *json = json_object();

	for (int i = 0; i < STREAM_END_COUNT; i++)
		if (sums->ended[i] > 0)
			json_object_set_new(json, stream_end_name(i), number(sums->ended[i]));
	for (int i = 0; i < GOAWAY_COUNT; i++)
		if (sums->closed[i] > 0)
			json_object_set_new(json, goaway_name(i), number(sums->closed[i]));
	return json;
}

static json_t *
status_connections(const struct fleet_sums *sums)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "controllers",
			 number(sums->controllers), "desks", number(sums->desks), "consoles",
			 number(sums->consoles), "handshaking", number(sums->handshaking),
			 "accepted_total", number(sums->accepted), "full_handshakes_total",
			 number(sums->full), "short_handshakes_total", number(sums->resumed),
			 "refused", status_refused(sums), "closed", status_closed(sums));
}

static json_t *
status_positions(const struct gatehoused *daemon, const struct store_status *store)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "first", number(journal_first(daemon->journal)),
			 "appended", number(journal_appended(daemon->journal)), "durable",
			 number(journal_durable(daemon->journal)), "stored", number(store->stored));
}

/* Lag in seconds: how long ago something was committed, while something waits. */
static json_t *
status_lag(const struct gatehoused *daemon, const struct store_status *store)
{
	uint64_t durable = journal_durable(daemon->journal);
	uint64_t bytes = durable > store->stored ? durable - store->stored : 0;
	int64_t since_us = store->last_commit_us > 0 ? store->last_commit_us : daemon->start_us;
	double seconds = bytes > 0 ? (double)(clock_wall_us() - since_us) / 1e6 : 0;

	return json_pack("{s:o, s:f}", "bytes", number(bytes), "seconds",
			 seconds > 0 ? seconds : 0);
}

static json_t *
status_journal(const struct gatehoused *daemon)
{
	struct journal_stats stats;

	journal_get_stats(daemon->journal, &stats);
	return json_pack(
		"{s:o, s:o, s:o, s:f, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "entries_total",
		number(stats.entries), "bytes_per_s", number(daemon->bytes_per_s), "syncs_total",
		number(stats.syncs), "sync_us_mean",
		stats.syncs > 0 ? (double)stats.sync_ns / (double)stats.syncs / 1e3 : 0.0,
		"disk_free_bytes", number(stats.disk_free_bytes), "alarms_only",
		journal_is_short(daemon->journal), "paused_ms", number(stats.paused_ms),
		"groups_waiting", number(stats.groups_waiting), "segments", number(stats.segments),
		"segments_unlinked", number(stats.segments_unlinked), "damaged_regions",
		number(stats.damaged_regions), "damaged_bytes", number(stats.damaged_bytes));
}

static const char *
store_state_name(enum store_state state)
{
	switch (state) {
	case STORE_CONNECTING:
		return "connecting";
	case STORE_RUNNING:
		return "running";
	case STORE_DOWN:
		return "down";
	case STORE_WRONG_SCHEMA:
		return "wrong schema";
	case STORE_STOPPED:
		return "stopped";
	}
	return "?";
}

static json_t *
status_store(const struct store_status *store)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:I}", "state",
			 store_state_name(store->state), "reason", store->reason, "records_total",
			 number(store->records), "batches_total", number(store->batches),
			 "slow_batches_total", number(store->slow_batches), "duplicates_total",
			 number(store->duplicates), "quarantined_total", number(store->quarantined),
			 "last_commit_us", (json_int_t)store->last_commit_us);
}

static json_t *
status_register(const struct gatehoused *daemon)
{
	static const char *const sources[] = {"none", "snapshot", "postgresql"};
	struct reg_counts counts = {0};

	if (daemon->reg != NULL)
		counts = reg_counts(daemon->reg);
	return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "as_of_us",
			 (json_int_t)(daemon->reg != NULL ? reg_as_of_us(daemon->reg) : 0),
			 "source", sources[daemon->reg_source], "stations", number(counts.stations),
			 "areas", number(counts.areas), "sites", number(counts.sites),
			 "controllers", number(counts.controllers), "doors", number(counts.doors),
			 "consoles", number(counts.consoles), "desks", number(counts.desks),
			 "units", number(counts.units), "groups", number(counts.groups));
}

static json_t *
status_rights(const struct gatehoused *daemon)
{
	const struct registrar_counters *c = registrar_thread_counters(daemon->registrar);
	json_t *json = json_pack(
		"{s:b, s:o, s:o, s:o, s:o, s:o}", "ready", counter_get(&c->ready) != 0, "cards",
		number(counter_get(&c->cards)), "rights", number(counter_get(&c->rights)), "bytes",
		number(counter_get(&c->bytes)), "position", number(counter_get(&c->position)),
		"snapshot_us", number(counter_get(&c->snapshot_us)));
	json_t *more = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "desks",
		number(counter_get(&c->desks)), "changes_total", number(counter_get(&c->changes)),
		"refused_total", number(counter_get(&c->refused)), "controllers",
		number(counter_get(&c->controllers)), "behind", number(counter_get(&c->behind)),
		"connected", number(counter_get(&c->subscribers)), "lists_full_total",
		number(counter_get(&c->lists_full)), "lists_changes_total",
		number(counter_get(&c->lists_changes)), "list_bytes_total",
		number(counter_get(&c->list_bytes)), "judged_total",
		number(counter_get(&c->judged)), "not_judged_total",
		number(counter_get(&c->not_judged)), "divergences_total",
		number(counter_get(&c->divergences)), "revoked_presented_total",
		number(counter_get(&c->revoked_presented)));

	(void)json_object_update(json, more);
	json_decref(more);
	return json;
}

static json_t *
status_fleet(const struct gatehoused *daemon, const struct fleet_sums *sums)
{
	const struct roster_counters *roster = roster_counters(daemon->roster);

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "online",
			 number(counter_get(&roster->online)), "lost",
			 number(counter_get(&roster->lost)), "records_total", number(sums->records),
			 "rejected_total", number(sums->rejected), "duplicates_total",
			 number(sums->duplicates), "gaps_total", number(sums->gaps),
			 "resends_total", number(sums->resends), "ahead_total", number(sums->ahead),
			 "held_total", number(sums->held), "superseded_total",
			 number(counter_get(&roster->superseded)), "behind_total",
			 number(counter_get(&roster->behind)));
}

static json_t *
status_desk(const struct gatehoused *daemon)
{
	const struct follower_counters *follower = follower_counters(daemon->follower);
	const struct hub_counters *hub = follower_hub(daemon->follower);
	const struct actions_counters *actions = follower_actions(daemon->follower);

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "alarms_open",
			 number(counter_get(&follower->alarms_open)), "changes_total",
			 number(counter_get(&follower->changes)), "consoles",
			 number(counter_get(&hub->subscribers)), "resyncs_total",
			 number(counter_get(&hub->resyncs)), "position",
			 number(counter_get(&follower->position)), "actions_accepted_total",
			 number(counter_get(&actions->accepted)), "actions_refused_total",
			 number(counter_get(&actions->refused)), "actions_waiting",
			 number(counter_get(&actions->waiting)), "escalations_total",
			 number(counter_get(&actions->escalated)));
}

static json_t *
status_queues(const struct gatehoused *daemon, const struct fleet_sums *sums)
{
	return json_pack("{s:o, s:o, s:o, s:b}", "groups_free", number(sums->groups_free), "groups",
			 number(daemon->n_workers * (uint64_t)daemon->settings.groups),
			 "sessions_waiting", number(sums->paused), "reading_paused",
			 sums->paused > 0);
}

static json_t *
status_tls(const struct gatehoused *daemon)
{
	size_t known = daemon->tls_sessions != NULL ? tls_sessions_count(daemon->tls_sessions) : 0;

	return json_pack("{s:i, s:o}", "certificate_days_left", tls_days_left(daemon->tls),
			 "clients_known", number(known));
}

static uint64_t
resident_bytes(void)
{
	unsigned long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file == NULL)
		return 0;
	if (fscanf(file, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	(void)fclose(file);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- The whole ----------------------------------------------------------- */

json_t *
gatehoused_status(const struct gatehoused *daemon)
{
	struct fleet_sums sums = fleet_sums(daemon);
	struct store_status store;
	json_t *json;

	store_get_status(daemon->store, &store);
	json = json_pack("{s:b, s:s, s:I, s:i, s:o}", "ok", 1, "version", GATEHOUSE_VERSION, "node",
			 (json_int_t)daemon->settings.node_id, "pid", (int)getpid(), "uptime_s",
			 number((clock_mono_ms() - daemon->start_ms) / 1000));
	json_object_set_new(json, "listeners", status_listeners(daemon));
	json_object_set_new(json, "connections", status_connections(&sums));
	json_object_set_new(json, "positions", status_positions(daemon, &store));
	json_object_set_new(json, "lag", status_lag(daemon, &store));
	json_object_set_new(json, "journal", status_journal(daemon));
	json_object_set_new(json, "store", status_store(&store));
	json_object_set_new(json, "register", status_register(daemon));
	json_object_set_new(json, "rights", status_rights(daemon));
	json_object_set_new(json, "fleet", status_fleet(daemon, &sums));
	json_object_set_new(json, "desk", status_desk(daemon));
	json_object_set_new(json, "queues", status_queues(daemon, &sums));
	json_object_set_new(json, "memory",
			    json_pack("{s:o}", "rss_bytes", number(resident_bytes())));
	json_object_set_new(json, "tls", status_tls(daemon));
	return json;
}

void
gatehoused_status_line(const struct gatehoused *daemon, char *out, size_t size)
{
	struct fleet_sums sums = fleet_sums(daemon);
	struct journal_stats journal;
	struct store_status store;
	char damage[96] = "";

	store_get_status(daemon->store, &store);
	journal_get_stats(daemon->journal, &journal);
	if (journal.damaged_regions > 0)
		(void)snprintf(damage, sizeof(damage),
			       "JOURNAL DAMAGED in %" PRIu64 " places, see its damaged/; ",
			       journal.damaged_regions);
	(void)snprintf(out, size,
		       "%s%" PRIu64 " controllers, %" PRIu64 " consoles, %" PRIu64
		       " records taken, PostgreSQL %s%s%s",
		       damage, sums.controllers, sums.consoles, sums.records,
		       store_state_name(store.state), store.reason[0] != '\0' ? ": " : "",
		       store.reason);
}
