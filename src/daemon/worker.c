/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's thread: accepts, waits for handshakes, hands streams over to whoever
 * their certificate belongs to, and at the end of each turn posts what gathered.
 *
 * Stop: no more accepting, no more reading; when every group has come back the
 * acks are out, everybody is sent away, and the thread ends.
 */
#include "daemon/worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/listen.h"
#include "base/log.h"
#include "base/log_source.h"

enum {
	WORKER_TICK_MS = 1000,
	WORKER_SOURCE_PACE_MS = 60000,
	WORKER_SPARE_BUFFERS = 512, /* of 512 bytes: a burst of records allocates nothing */
};

/* One entrance of one worker: what the hooks of a new stream get. */
struct worker_entrance {
	struct worker *worker;
	const struct entrance *entrance;
	struct listener *listener;
};

/* Owner: its own thread; the counters may be read by any. */
struct worker {
	struct worker_setup setup;
	struct tls *tls; /* of the next connection */
	struct loop *loop;
	struct stream_set *streams;
	struct sessions *sessions;
	struct consoles *consoles;
	struct worker_entrance *entrances;
	pthread_t thread;
	bool started, stopping;
	bool leaving; /* everybody was sent away */
	struct worker_counters counters;
};

/* ---- The lobby: streams in their handshake ------------------------------- */

static void
worker_log_refused(const struct stream *stream, const char *reason, const char *detail)
{
	const char *peer = stream_peer_address(stream), *port = strrchr(peer, ':');
	size_t host_len = port != NULL ? (size_t)(port - peer) : strlen(peer);
	uint64_t held_back;

	if (log_source_ok(peer, host_len, WORKER_SOURCE_PACE_MS, &held_back))
		log_warning("worker", "refused peer=%s reason=%s%s%s held_back=%lu", peer, reason,
			    detail[0] != '\0' ? ": " : "", detail, (unsigned long)held_back);
}

static void
lobby_closed_cb(void *arg, struct stream *stream, enum stream_end end, const struct err *err)
{
	struct worker_entrance *at = arg;
	struct worker_counters *counters = &at->worker->counters;

	counter_set(&counters->handshaking, counter_get(&counters->handshaking) - 1);
	if (end == STREAM_END_LOCAL)
		return;
	counter_add(&counters->refused[end], 1);
	worker_log_refused(stream, stream_end_name(end), err->msg);
}

static void
lobby_refuse_role(struct worker_entrance *at, struct stream *stream)
{
	enum tls_role role = stream_peer_role(stream);
	uint8_t bytes[CONSOLE_ANSWER_MAX]; /* the longer of the two */
	static const char detail[] = "this address does not serve this role";
	uint32_t delay_ms = (uint32_t)at->worker->setup.settings->goaway_delay_ms;
	size_t n = 0;

	counter_add(&at->worker->counters.wrong_role, 1);
	worker_log_refused(stream, "wrong_role", tls_role_name(role));
	if (role == TLS_ROLE_CONTROLLER || role == TLS_ROLE_DESK)
		n = controller_put_goaway(bytes, GOAWAY_WRONG_ROLE, delay_ms, detail);
	else if (role == TLS_ROLE_CONSOLE)
		n = console_put_goaway(bytes, GOAWAY_WRONG_ROLE, delay_ms, detail);
	(void)!stream_write(stream, bytes, n);
	stream_close(stream);
}

static void
lobby_open_cb(void *arg, struct stream *stream)
{
	struct worker_entrance *at = arg;
	struct worker *worker = at->worker;
	enum tls_role role = stream_peer_role(stream);
	bool controller = role == TLS_ROLE_CONTROLLER && at->entrance->settings->controllers;
	bool console = role == TLS_ROLE_CONSOLE && at->entrance->settings->consoles;
	bool desk = role == TLS_ROLE_DESK && at->entrance->settings->desks &&
		    worker->setup.registrar != NULL;
	bool resumed = stream_was_resumed(stream);

	counter_add(resumed ? &worker->counters.resumed : &worker->counters.full, 1);
	if (!controller && !console && !desk) {
		lobby_refuse_role(at, stream);
		return;
	}
	counter_set(&worker->counters.handshaking, counter_get(&worker->counters.handshaking) - 1);
	if (console)
		consoles_adopt(worker->consoles, stream);
	else
		sessions_adopt(worker->sessions, stream);
}

static size_t
lobby_bytes_cb(void *arg, struct stream *stream, const uint8_t *bytes, size_t n)
{
	/* a stream is handed over or closed when it opens: nothing is read before */
	(void)arg;
	(void)stream;
	(void)bytes;
	must(n == 0);
	return 0;
}

static const struct stream_hooks lobby_hooks = {
	.on_open = lobby_open_cb,
	.on_bytes = lobby_bytes_cb,
	.on_closed = lobby_closed_cb,
};

/* ---- Accepting ----------------------------------------------------------- */

uint64_t
worker_connections(const struct worker *worker)
{
	return counter_get(&worker->counters.handshaking) +
	       counter_get(&sessions_counters(worker->sessions)->open) +
	       counter_get(&consoles_counters(worker->consoles)->open);
}

static bool
worker_has_room(void *arg)
{
	const struct worker_entrance *at = arg;
	const struct worker_setup *setup = &at->worker->setup;
	uint64_t connections = 0;

	for (unsigned i = 0; i < setup->count; i++)
		connections += worker_connections(setup->all[i]);
	return connections < (uint64_t)setup->settings->connections_max;
}

/* Who waits in the kernel's queue costs no time, and its handshake's limit has not
 * begun.  A client that says nothing is not waited for here. */
static bool
worker_is_busy(void *arg)
{
	const struct worker_entrance *at = arg;
	size_t steps = (size_t)at->worker->setup.settings->handshake_steps;

	return stream_set_handshakes_ready(at->worker->streams) >= 2 * steps;
}

static void
worker_accept(void *arg, int fd)
{
	struct worker_entrance *at = arg;
	struct worker *worker = at->worker;
	struct stream *stream;
	struct err err;

	counter_add(&worker->counters.accepted, 1);
	if (stream_accept(worker->streams, worker->tls, fd, &lobby_hooks, at, &stream, &err) !=
	    RC_OK)
		log_error("worker", "connection not taken: %s", err.msg);
	else
		counter_add(&worker->counters.handshaking, 1);
}

static const struct listener_hooks worker_listener_hooks = {
	.has_room = worker_has_room,
	.is_busy = worker_is_busy,
	.on_fd = worker_accept,
};

static enum rc
worker_open_entrances(struct worker *worker, const int *listening, struct err *err)
{
	const struct worker_setup *setup = &worker->setup;

	worker->entrances = xcalloc(setup->n_entrances, sizeof(*worker->entrances));
	for (size_t i = 0; i < setup->n_entrances; i++) {
		struct worker_entrance *at = &worker->entrances[i];
		enum rc rc;

		at->worker = worker;
		at->entrance = &setup->entrances[i];
		rc = listener_new(&at->listener, worker->loop, listening[i], &worker_listener_hooks,
				  at, err);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static void
worker_close_entrances(struct worker *worker)
{
	for (size_t i = 0; i < worker->setup.n_entrances && worker->entrances != NULL; i++)
		listener_free(&worker->entrances[i].listener);
}

/* ---- The loop's hooks ---------------------------------------------------- */

static void
worker_take_register(struct worker *worker, struct worker_register *mail)
{
	consoles_set_register(worker->consoles, reg_ref(mail->reg));
	sessions_set_register(worker->sessions, mail->reg);
	free(mail);
}

static void
worker_take_tls(struct worker *worker, struct worker_tls *mail)
{
	tls_unref(&worker->tls);
	worker->tls = mail->tls;
	free(mail);
	if (worker->streams != NULL)
		stream_set_end_revoked(worker->streams, worker->tls);
}

static void
worker_begin_stop(struct worker *worker, struct mail *mail)
{
	free(mail);
	worker->stopping = true;
	worker_close_entrances(worker);
	sessions_stop_reading(worker->sessions);
	loop_again(worker->loop);
}

static void
worker_mail_cb(void *arg, struct mail *mail)
{
	struct worker *worker = arg;

	switch (mail->kind) {
	case WORKER_MAIL_REGISTER:
		worker_take_register(worker, CONTAINER_OF(mail, struct worker_register, mail));
		break;
	case WORKER_MAIL_TLS:
		worker_take_tls(worker, CONTAINER_OF(mail, struct worker_tls, mail));
		break;
	case WORKER_MAIL_STOP:
		worker_begin_stop(worker, mail);
		break;
	case HUB_MAIL_DELIVERY:
		consoles_deliver(worker->consoles, CONTAINER_OF(mail, struct hub_delivery, mail));
		break;
	case ACTIONS_MAIL_ANSWER:
		consoles_answer(worker->consoles, CONTAINER_OF(mail, struct action_answer, mail));
		break;
	default:
		sessions_mail(worker->sessions, mail);
	}
}

/* Everything posted has come back and is acknowledged: say goodbye. */
static void
worker_leave(struct worker *worker)
{
	worker->leaving = true;
	stream_set_linger_all(worker->streams);
	sessions_close_all(worker->sessions, GOAWAY_RESTART, "the server is stopping");
	consoles_close_all(worker->consoles, GOAWAY_RESTART, "the server is stopping");
	loop_again(worker->loop);
}

static void
worker_finish(struct worker *worker)
{
	struct mail *stopped;

	stream_set_free(&worker->streams);
	sessions_turn(worker->sessions);
	consoles_turn(worker->consoles);
	loop_stop(worker->loop);
	stopped = xcalloc(1, sizeof(*stopped));
	stopped->kind = WORKER_MAIL_STOPPED;
	mailbox_post(worker->setup.main, stopped);
}

static void
worker_turn_cb(void *arg)
{
	struct worker *worker = arg;

	stream_set_turn(worker->streams);
	sessions_turn(worker->sessions);
	consoles_turn(worker->consoles);
	if (worker->leaving && stream_set_lingering(worker->streams) == 0)
		worker_finish(worker);
	else if (worker->stopping && !worker->leaving && sessions_drained(worker->sessions))
		worker_leave(worker);
}

static void
worker_tick(void *arg)
{
	struct worker *worker = arg;

	counter_add(&worker->counters.ticks, 1);
}

static void *
worker_run(void *arg)
{
	struct worker *worker = arg;

	loop_run(worker->loop);
	return NULL;
}

/* ---- Beginning and end --------------------------------------------------- */

static enum rc
worker_new_sessions(struct worker *worker, struct err *err)
{
	const struct settings *settings = worker->setup.settings;
	struct sessions_conf conf = {
		.heartbeat_s = (uint32_t)settings->heartbeat_s,
		.lease_s = (uint32_t)settings->lease_s,
		.window = (uint32_t)settings->window,
		.frame_max_bytes = (uint32_t)settings->frame_max_bytes,
		.gap_wait_ms = (uint64_t)settings->gap_wait_ms,
		.hello_timeout_ms = (uint64_t)settings->hello_timeout_ms,
		.clock_tolerance_us = settings->clock_tolerance_s * 1000000,
		.goaway_delay_ms = (uint32_t)settings->goaway_delay_ms,
		.group_bytes = (size_t)settings->group_kb * 1024,
		.groups = (unsigned)settings->groups,
		.gather_ms = (uint64_t)settings->gather_ms,
		.keys_dir = settings->keys_dir,
		.node = (uint32_t)settings->node_id,
		.start_us = worker->setup.start_us,
		.worker = worker->setup.index,
		.observers = worker->setup.count + 2, /* and roster and follower */
		.registrar = worker->setup.registrar,
	};

	return sessions_new(&worker->sessions, worker->loop, &conf, worker->setup.journal,
			    worker->setup.roster, err);
}

static enum rc
worker_new_consoles(struct worker *worker, struct err *err)
{
	const struct settings *settings = worker->setup.settings;
	struct consoles_conf conf = {
		.node = (uint32_t)settings->node_id,
		.keepalive_ms = (uint64_t)settings->keepalive_s * 1000,
		.stall_ms = (uint64_t)settings->console_stall_s * 1000,
		.hello_timeout_ms = (uint64_t)settings->hello_timeout_ms,
		.frame_max_bytes = (size_t)settings->frame_max_bytes,
		.goaway_delay_ms = (uint32_t)settings->goaway_delay_ms,
	};

	return consoles_new(&worker->consoles, worker->loop, &conf, worker->setup.hub, err);
}

/* The hub's credit, or the registrar's, and room for what a session says itself. */
static size_t
worker_output_limit(const struct settings *settings)
{
	int64_t queue_kb = settings->console_queue_kb > settings->rights_queue_kb
				   ? settings->console_queue_kb
				   : settings->rights_queue_kb;

	return ((size_t)queue_kb + 64) * 1024;
}

enum rc
worker_new(struct worker **out, const struct worker_setup *setup, struct err *err)
{
	struct worker *worker = xcalloc(1, sizeof(*worker));
	const struct settings *settings = setup->settings;
	struct loop_hooks hooks = {
		.on_mail = worker_mail_cb, .on_turn = worker_turn_cb, .arg = worker};
	struct stream_limits limits = {
		.handshake_timeout_ms = (uint64_t)settings->handshake_timeout_ms,
		.handshake_steps = (unsigned)settings->handshake_steps,
		.linger_ms = (uint64_t)settings->linger_ms,
		.linger_max = (size_t)settings->linger_max,
		.read_ns = (uint64_t)settings->turn_max_us * 1000,
		.read_budget_bytes = (size_t)settings->read_budget_kb * 1024,
		.output_limit_bytes = worker_output_limit(settings),
		.spare_buffers = WORKER_SPARE_BUFFERS,
	};
	enum rc rc;

	worker->setup = *setup;
	worker->setup.tls = NULL; /* not for ever */
	worker->tls = tls_ref(setup->tls);
	*out = worker;
	rc = loop_new(&worker->loop, &hooks, err);
	if (rc == RC_OK)
		loop_set_pace(worker->loop, (uint64_t)settings->turn_us);
	if (rc == RC_OK)
		rc = stream_set_new(&worker->streams, worker->loop, &limits, err);
	if (rc == RC_OK)
		rc = worker_new_sessions(worker, err);
	if (rc == RC_OK)
		rc = worker_new_consoles(worker, err);
	if (rc == RC_OK)
		rc = loop_every(worker->loop, WORKER_TICK_MS, worker_tick, worker, err);
	return rc;
}

enum rc
worker_start(struct worker *worker, const int *listening, struct err *err)
{
	enum rc rc = worker_open_entrances(worker, listening, err);

	if (rc != RC_OK)
		return rc;
	if (pthread_create(&worker->thread, NULL, worker_run, worker) != 0)
		return err_fail(err, "could not start a worker thread");
	(void)pthread_setname_np(worker->thread, "worker");
	worker->started = true;
	return RC_OK;
}

struct mailbox *
worker_mailbox(struct worker *worker)
{
	return loop_mailbox(worker->loop);
}

void
worker_join(struct worker *worker)
{
	if (worker->started)
		(void)pthread_join(worker->thread, NULL);
	worker->started = false;
}

/* Answers and deliveries for sessions that are gone. */
static void
worker_discard(struct mail *mail)
{
	if (mail->kind == WORKER_MAIL_REGISTER)
		reg_unref(&CONTAINER_OF(mail, struct worker_register, mail)->reg);
	else if (mail->kind == WORKER_MAIL_TLS)
		tls_unref(&CONTAINER_OF(mail, struct worker_tls, mail)->tls);
	free(mail);
}

void
worker_free(struct worker **out)
{
	struct worker *worker = *out;

	if (worker == NULL)
		return;
	*out = NULL;
	must(!worker->started);
	if (worker->loop != NULL)
		loop_discard_mail(worker->loop, worker_discard);
	worker_close_entrances(worker);
	stream_set_free(&worker->streams);
	consoles_free(&worker->consoles);
	sessions_free(&worker->sessions);
	loop_free(&worker->loop);
	tls_unref(&worker->tls);
	free(worker->entrances);
	free(worker);
}

const struct worker_counters *
worker_counters(const struct worker *worker)
{
	return &worker->counters;
}

const struct sessions_counters *
worker_sessions(const struct worker *worker)
{
	return sessions_counters(worker->sessions);
}

const struct consoles_counters *
worker_consoles(const struct worker *worker)
{
	return consoles_counters(worker->consoles);
}
