/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load: a fleet of controllers that does what it is told, line by line, so that
 * whoever measures can look at the server between two lines.  The same for the floor
 * of TLS and for the daemon.
 *
 *	load FLEET HOST:PORT FIRST CONTROLLERS EPOCH SOURCE_ADDRESSES <commands
 *
 * The controllers of the folder by name, from number FIRST on.  Commands:
 *
 *	connect AT_ONCE           all that are away, at most so many handshakes at once
 *	send EACH WINDOW RATE     EACH records more from each; RATE over all, 0: at once
 *	backlog EACH WINDOW AT_ONCE  the same with those away: come back and send
 *	shake AT_ONCE             handshake and goodbye, no word in between
 *	resume 0|1                by ticket, where there is one
 *	spacing US                device time between records of a backlog; 0: now
 *	close                     all say goodbye
 *
 * Each is answered by a line of JSON when it is done.  A command that isn't done in
 * time, and an answer that a load can't be blamed for, end the program with 1.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "load_client.h"

enum {
	EVENTS_MAX = 512,
	TICK_MS = 5,
	LOOK_MS = 20,            /* who wants to connect */
	COMMAND_MAX_MS = 300000, /* a reconnect of 10,000 may take 45 s, on a machine of its own */
	WINDOW_MAX = 256,        /* what the client's buffer of TLS records holds */
};

/* One command under way. */
struct job {
	uint64_t begun_ns, ready_ns; /* monotonic; ready: when all were in service */
	uint64_t at_once;            /* handshakes */
	uint64_t each, rate, issued;
	uint64_t target; /* acks, over all */
};

static void
load_begin(struct load *load, struct job *job)
{
	load->handshakes = load->resumed = load->tickets = load->failed = load->acked =
		load->writes = 0;
	load->problem[0] = '\0';
	*job = (struct job){.begun_ns = clock_mono_ns()};
}

static void
load_say(const struct load *load, const struct job *job)
{
	double seconds = (double)(clock_mono_ns() - job->begun_ns) / 1e9;
	double ready = job->ready_ns > 0 ? (double)(job->ready_ns - job->begun_ns) / 1e9 : 0;

	printf("{\"seconds\": %.6f, \"ready_s\": %.6f, \"ready\": %zu, \"handshakes\": %" PRIu64
	       ", \"resumed\": %" PRIu64 ", \"tickets\": %" PRIu64 ", \"failed\": %" PRIu64
	       ", \"acked\": %" PRIu64 ", \"writes\": %" PRIu64
	       ", \"suite\": \"%s\", \"group\": \"%s\", \"problem\": \"%s\"}\n",
	       seconds, ready, load->ready, load->handshakes, load->resumed, load->tickets,
	       load->failed, load->acked, load->writes, load->suite, load->group, load->problem);
	(void)fflush(stdout);
}

/* ---- The loop --------------------------------------------------------------------------- */

static void
load_turn(struct load *load)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(load->epoll, events, EVENTS_MAX, TICK_MS);

	if (n < 0 && errno != EINTR)
		fatal("could not wait: %s", strerror(errno));
	for (int i = 0; i < n; i++)
		client_wake(events[i].data.ptr);
}

static void
load_connect_some(struct load *load, const struct job *job)
{
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < load->n && load->shaking < job->at_once; i++)
		if (load->clients[i].state == CLIENT_AWAY && load->clients[i].retry_at_ms <= now_ms)
			client_connect(&load->clients[i]);
}

/* Records that have become due are dealt out in turn. */
static void
load_issue(struct load *load, struct job *job)
{
	uint64_t elapsed_ns = clock_mono_ns() - job->begun_ns;
	uint64_t due = (uint64_t)((double)elapsed_ns / 1e9 * (double)job->rate);

	if (due > job->each * load->n)
		due = job->each * load->n;
	for (; job->issued < due; job->issued++) {
		struct client *client = &load->clients[job->issued % load->n];

		client->allowed++;
		client_send(client);
	}
}

static void
load_check_time(const struct load *load, const struct job *job)
{
	if (clock_mono_ns() - job->begun_ns > COMMAND_MAX_MS * 1000000ull)
		fatal("not done in time: %zu of %zu in service, %" PRIu64 " of %" PRIu64
		      " acknowledged, %" PRIu64 " failures (%s)",
		      load->ready, load->n, load->acked, job->target, load->failed, load->problem);
}

/* Until all are in service, and what is to be acknowledged is. */
static void
load_run(struct load *load, struct job *job)
{
	uint64_t look_at_ms = 0;

	while (load->ready < load->n || load->acked < job->target) {
		if (load->ready < load->n && clock_mono_ms() >= look_at_ms) {
			load_connect_some(load, job);
			look_at_ms = clock_mono_ms() + LOOK_MS;
		}
		load_check_time(load, job);
		if (job->rate > 0)
			load_issue(load, job);
		load_turn(load);
		if (load->ready == load->n && job->ready_ns == 0)
			job->ready_ns = clock_mono_ns();
	}
}

/* ---- Commands ----------------------------------------------------------------------------- */

static void
load_send(struct load *load, struct job *job, uint64_t each, uint64_t window)
{
	if (window < 1 || window > WINDOW_MAX)
		fatal("window %" PRIu64 ", expected 1 to %d", window, WINDOW_MAX);
	load->window = window;
	load->base_us = clock_wall_us();
	job->each = each;
	job->target = each * load->n;
	for (size_t i = 0; job->rate == 0 && i < load->n; i++) {
		load->clients[i].allowed = load->clients[i].acked + each;
		client_send(&load->clients[i]);
	}
	load_run(load, job);
}

/* In groups: all that are away shake hands and leave. */
static void
load_shake(struct load *load, const struct job *job)
{
	size_t next = 0;

	load->greet = false;
	while (next < load->n || load->away < load->n) {
		while (next < load->n && load->n - load->away < job->at_once)
			client_connect(&load->clients[next++]);
		load_turn(load);
		load_check_time(load, job);
		if (load->failed > 0)
			fatal("%s", load->problem);
	}
	load->greet = true;
}

static void
load_close(struct load *load, const struct job *job)
{
	for (size_t i = 0; i < load->n; i++)
		if (load->clients[i].state == CLIENT_READY)
			client_close(&load->clients[i]);
	while (load->away < load->n) {
		load_turn(load);
		load_check_time(load, job);
	}
}

static void
load_obey(struct load *load, const char *line)
{
	char word[16];
	uint64_t a = 0, b = 0, c = 0;
	struct job job;

	if (sscanf(line, "%15s %" SCNu64 " %" SCNu64 " %" SCNu64, word, &a, &b, &c) < 1)
		fatal("empty command");
	load_begin(load, &job);
	job.at_once = strcmp(word, "backlog") == 0 ? c : a;
	job.rate = strcmp(word, "send") == 0 ? c : 0;
	if (strcmp(word, "connect") == 0)
		load_run(load, &job);
	else if (strcmp(word, "send") == 0 || strcmp(word, "backlog") == 0)
		load_send(load, &job, a, b);
	else if (strcmp(word, "shake") == 0)
		load_shake(load, &job);
	else if (strcmp(word, "close") == 0)
		load_close(load, &job);
	else if (strcmp(word, "resume") == 0)
		load->resume = a != 0;
	else if (strcmp(word, "spacing") == 0)
		load->spacing_us = a;
	else
		fatal("unknown command \"%s\"", word);
	load_say(load, &job);
}

/* ---- From beginning to end ---------------------------------------------------------------- */

static void
load_make_clients(struct load *load, const struct enrolments *all, size_t first, size_t n)
{
	if (first + n > all->n || n == 0)
		fatal("%zu controllers from number %zu on, of %zu", n, first, all->n);
	load->n = n;
	load->clients = xcalloc(n, sizeof(*load->clients));
	for (size_t i = 0; i < n; i++)
		client_init(&load->clients[i], load, &all->items[first + i], (uint32_t)i);
}

int
main(int argc, char **argv)
{
	struct load load = {.greet = true, .window = 1};
	struct enrolments all = {0};
	struct job job;
	struct err err;
	char line[128];
	size_t first, n;

	if (argc != 7)
		fatal("expected FLEET HOST:PORT FIRST CONTROLLERS EPOCH SOURCE_ADDRESSES");
	first = strtoul(argv[3], NULL, 10);
	n = strtoul(argv[4], NULL, 10);
	load.epoch = strtoul(argv[5], NULL, 10);
	load.source_addresses = (unsigned)strtoul(argv[6], NULL, 10);
	(void)signal(SIGPIPE, SIG_IGN);
	if (enrolments_load(&all, argv[1], TLS_ROLE_CONTROLLER, first + n, &err) != RC_OK ||
	    enrolments_resolve(&all, argv[2], &err) != RC_OK)
		fatal("%s", err.msg);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	load.ctx = client_context_new();
	must(load.epoll >= 0 && load.source_addresses > 0);
	load_begin(&load, &job);
	load_make_clients(&load, &all, first, n);
	load_say(&load, &job);
	while (fgets(line, sizeof(line), stdin) != NULL)
		load_obey(&load, line);
	for (size_t i = 0; i < load.n; i++)
		client_free(&load.clients[i]);
	free(load.clients);
	SSL_CTX_free(load.ctx);
	enrolments_free(&all);
	return 0;
}
