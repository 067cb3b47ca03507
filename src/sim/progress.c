/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The progress line: rewritten in place each second on a terminal, a line each
 * five seconds in a log.  And the summary, whose JSON names are part of the
 * program's interface: they are only ever added to.
 */
#include "sim/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim/device.h"
#include "sim/report.h"

enum { PROGRESS_LOG_EVERY_S = 5 };

static double
ms_of(uint64_t ns)
{
	return (double)ns / 1e6;
}

static uint64_t
sim_waiting(const struct sim *sim)
{
	uint64_t waiting = 0;

	for (size_t i = 0; i < sim->n_devices; i++)
		waiting += device_waiting(&sim->devices[i]);
	return waiting;
}

void
progress_init(struct progress *progress)
{
	*progress =
		(struct progress){.tty = isatty(STDERR_FILENO) == 1, .told_ns = clock_mono_ns()};
}

static const char *
phase_name(enum sim_phase phase)
{
	switch (phase) {
	case SIM_SETTLING:
		return "connecting";
	case SIM_RUNNING:
		return "running";
	case SIM_DRAINING:
		return "draining";
	case SIM_OVER:
		break;
	}
	return "ending";
}

static void
progress_write(const struct progress *progress, const struct sim *sim, double since_s,
	       uint64_t now_ns)
{
	const struct tally *t = &sim->tally;
	const struct alarm_book *alarms = &sim->alarms;

	(void)fprintf(
		stderr,
		"%s%5.0f s %s  connected %zu/%zu  sent %.0f/s  acked %.0f/s  waiting %" PRIu64,
		progress->tty ? "\r\033[K" : "", (double)(now_ns - sim->begun_ns) / 1e9,
		phase_name(sim->phase), sim->peers.ready, sim->fleet.n + sim->dispatchers.n,
		(double)(t->sent - progress->sent) / since_s,
		(double)(t->acked - progress->acked) / since_s, sim_waiting(sim));
	if (alarms->sent > 0)
		(void)fprintf(stderr,
			      "  alarms %" PRIu64 " sent, %" PRIu64
			      " seen, p50 %.1f ms, p99 %.1f ms",
			      alarms->sent, alarms->seen,
			      ms_of(latency_quantile_ns(&alarms->latency, 0.5)),
			      ms_of(latency_quantile_ns(&alarms->latency, 0.99)));
	if (sim->peers.ready < sim->fleet.n + sim->dispatchers.n &&
	    sim->peers.last_problem[0] != '\0')
		(void)fprintf(stderr, "  (%s)", sim->peers.last_problem);
	(void)fputs(progress->tty ? "" : "\n", stderr);
	(void)fflush(stderr);
}

void
progress_tell(struct progress *progress, const struct sim *sim, uint64_t now_ns)
{
	double since_s = (double)(now_ns - progress->told_ns) / 1e9;

	if (since_s < (progress->tty ? 0.9 : PROGRESS_LOG_EVERY_S - 0.1))
		return;
	progress_write(progress, sim, since_s, now_ns);
	progress->told_ns = now_ns;
	progress->sent = sim->tally.sent;
	progress->acked = sim->tally.acked;
}

void
progress_end(const struct progress *progress)
{
	if (progress->tty)
		(void)fputs("\n", stderr);
}

/* ---- The summary ---------------------------------------------------------------------- */

/* Names a goaway's reason as the contract does, in lower case. */
static void
goaway_name(int reason, char out[64])
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
		&gatehouse__v1__goaway_reason__descriptor, reason);
	size_t prefix = strlen("GOAWAY_REASON_"), n = 0;

	if (value != NULL && strlen(value->name) > prefix)
		for (const char *c = value->name + prefix; *c != '\0' && n < 63; c++)
			out[n++] = (char)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
	out[n] = '\0';
}

static json_t *
summary_goaways(const struct peers *peers)
{
	json_t *goaways = json_object();

	for (size_t i = 0; i < ARRAY_LEN(peers->goaways_by_reason); i++) {
		char name[64];

		goaway_name((int)i, name);
		if (peers->goaways_by_reason[i] > 0)
			report_count(goaways, name, peers->goaways_by_reason[i]);
	}
	return goaways;
}

static json_t *
summary_connections(const struct sim *sim)
{
	json_t *object = json_object();

	report_count(object, "opened", sim->peers.connects);
	report_count(object, "resumed", sim->peers.resumed);
	report_count(object, "lost", sim->peers.downs);
	report_count(object, "heartbeats", sim->tally.heartbeats);
	return object;
}

static json_t *
summary_records(const struct sim *sim)
{
	const struct tally *t = &sim->tally;
	json_t *object = json_object();

	report_count(object, "sent", t->sent);
	report_count(object, "acked", t->acked);
	report_count(object, "waiting", sim_waiting(sim));
	report_count(object, "resent", t->resent);
	report_count(object, "rejected", t->rejected);
	report_count(object, "resends", t->resends);
	report_count(object, "reported_lost", t->lost_told);
	return object;
}

static json_t *
summary_alarms(const struct sim *sim)
{
	const struct tally *t = &sim->tally;
	json_t *object = json_object();

	report_count(object, "sent", sim->alarms.sent);
	report_count(object, "seen", sim->alarms.seen);
	report_count(object, "ahead", t->ahead);
	report_count(object, "messages", t->alarm_messages);
	report_count(object, "snapshot_messages", t->snapshot_messages);
	report_count(object, "resyncs", t->resyncs);
	report_count(object, "actions", t->actions);
	report_count(object, "actions_accepted", t->actions_accepted);
	report_count(object, "actions_refused", t->actions_refused);
	report_latency(object, "latency_ms", &sim->alarms.latency);
	report_latency(object, "last_console_ms", &sim->alarms.last);
	return object;
}

static json_t *
summary_lists(const struct sim *sim)
{
	json_t *object = json_object();
	uint64_t rights = 0;

	for (size_t i = 0; i < sim->fleet.n; i++)
		rights += sim->devices[i].held != NULL ? held_rights(sim->devices[i].held) : 0;
	report_count(object, "confirms", sim->tally.confirms);
	report_count(object, "rights", rights);
	return object;
}

static void
summary_json(const struct sim *sim, double duration_s)
{
	json_t *root = json_object();

	report_count(root, "controllers", sim->fleet.n);
	report_count(root, "consoles", sim->dispatchers.n);
	report_count(root, "connected", sim->peers.ready);
	report_real(root, "duration_s", duration_s);
	report_bool(root, "drained", sim->drained);
	(void)json_object_set_new(root, "records", summary_records(sim));
	(void)json_object_set_new(root, "alarms", summary_alarms(sim));
	report_count(root, "desks", sim->offices.n);
	report_count(root, "registrations", sim->tally.registrations);
	(void)json_object_set_new(root, "lists", summary_lists(sim));
	(void)json_object_set_new(root, "connections", summary_connections(sim));
	(void)json_object_set_new(root, "goaways", summary_goaways(&sim->peers));
	report_text(root, "last_problem", sim->peers.last_problem);
	report_print(root);
}

static void
summary_text(const struct sim *sim, double duration_s)
{
	const struct tally *t = &sim->tally;
	char latency[REPORT_LATENCY_MAX];

	report_latency_words(&sim->alarms.latency, latency);
	printf("controllers    %zu\nconsoles       %zu\nran for        %.1f s\n", sim->fleet.n,
	       sim->dispatchers.n, duration_s);
	printf("records        %" PRIu64 " sent, %" PRIu64 " acknowledged, %" PRIu64
	       " waiting, %" PRIu64 " rejected, %" PRIu64 " sent again\n",
	       t->sent, t->acked, sim_waiting(sim), t->rejected, t->resent);
	printf("connections    %" PRIu64 " opened (%" PRIu64 " by a short handshake), %" PRIu64
	       " lost, %" PRIu64 " goaways\n",
	       sim->peers.connects, sim->peers.resumed, sim->peers.downs, sim->peers.goaways);
	if (sim->alarms.sent > 0)
		printf("alarms         %" PRIu64 " sent (%" PRIu64 " ahead), %" PRIu64
		       " seen; %s\n",
		       sim->alarms.sent, t->ahead, sim->alarms.seen, latency);
	if (sim->options->drain && !sim->drained)
		printf("not everything was acknowledged in time\n");
	if (sim->peers.last_problem[0] != '\0')
		printf("last problem   %s\n", sim->peers.last_problem);
}

void
progress_summary(const struct sim *sim, uint64_t now_ns)
{
	uint64_t since = sim->started_ns > 0 ? sim->started_ns : sim->begun_ns;
	double duration_s = (double)(now_ns - since) / 1e9;

	if (sim->options->json)
		summary_json(sim, duration_s);
	else
		summary_text(sim, duration_s);
}
