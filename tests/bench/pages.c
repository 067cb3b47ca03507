/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dispatchers' pages on one gatehouse-web, and how long an alarm takes to each of them.
 *
 *	pages HOST PORT PAGES SHOW_AFTER_MS <secrets and commands
 *
 * First on stdin: for each page the secret of a one-time link.  When each page knows what
 * stands a line of JSON says so.  Then commands:
 *
 *	result CHANGES	waits until each page has had so many changes, and says what was seen
 *
 * Times run from two clocks of the same machine, both in the event: `device_time`, which is
 * when the simulated controller made the record, just before it sent it; and
 * `durable_time`, from which on the daemon may tell it.  They end where a page has read
 * the event.  Each change that a record caused is a sample for each page.
 *
 * SHOW_AFTER_MS: pages say what they show, as the real ones do, only each time that an
 * alarm comes to wait for somebody, and not the first time only; 0: they don't.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "page_client.h"
#include "sim/report.h"

enum { EVENTS_MAX = 512, TICK_MS = 20, WAIT_MAX_MS = 60000, LINE_MAX_BYTES = 128 };

/* ---- The loop --------------------------------------------------------------------------- */

/* True: stdin has something. */
static bool
pages_turn(struct pages *all)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(all->epoll, events, EVENTS_MAX, TICK_MS);
	bool told = false;
	uint64_t now_ms;

	if (n < 0 && errno != EINTR)
		fatal("could not wait: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr == NULL)
			told = true;
		else
			page_link_wake(events[i].data.ptr);
	}
	now_ms = clock_mono_ms();
	for (size_t i = 0; all->show_after_ms > 0 && i < all->n; i++)
		page_tick(&all->pages[i], now_ms);
	return told;
}

static size_t
pages_least(const struct pages *all)
{
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < all->n; i++)
		if (all->pages[i].seen < least)
			least = all->pages[i].seen;
	return least;
}

/* ---- What was seen ------------------------------------------------------------------------ */

/* When the last page had it, over the changes that controllers caused. */
static void
report_last(json_t *root, const struct pages *all)
{
	struct latency *last = xcalloc(1, sizeof(*last));

	for (size_t i = 0; i < all->n_changes; i++) {
		const struct page_change *change = &all->changes[i];

		if (change->device_us > 0 && change->last_us > change->device_us)
			latency_add(last, (uint64_t)(change->last_us - change->device_us) * 1000);
	}
	report_latency(root, "last_page_ms", last);
	free(last);
}

static void
pages_say(const struct pages *all)
{
	json_t *root = json_object(), *positions = json_array();

	report_count(root, "pages", all->n);
	report_count(root, "ready", all->ready);
	report_count(root, "least", pages_least(all));
	report_count(root, "wrong", all->wrong);
	report_count(root, "resyncs", all->resyncs);
	report_count(root, "shown", all->shown);
	report_latency(root, "since_sent_ms", &all->since_sent);
	report_latency(root, "since_durable_ms", &all->since_durable);
	report_last(root, all);
	for (size_t i = 0; i < all->n_changes; i++)
		(void)json_array_append_new(positions,
					    json_integer((json_int_t)all->changes[i].position));
	(void)json_object_set_new(root, "positions", positions);
	(void)json_dumpf(root, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	(void)puts("");
	(void)fflush(stdout);
	json_decref(root);
}

static void
pages_obey(struct pages *all, const char *line)
{
	uint64_t end_ms = clock_mono_ms() + WAIT_MAX_MS;
	size_t changes;

	if (sscanf(line, "result %zu", &changes) != 1)
		fatal("unknown command \"%s\"", line);
	/* whoever lacks some when the time is over shows in `least` */
	while (pages_least(all) < changes && clock_mono_ms() < end_ms)
		(void)pages_turn(all);
	pages_say(all);
}

/* ---- From beginning to end ------------------------------------------------------------------ */

static char *
read_line(void)
{
	char line[LINE_MAX_BYTES];

	if (fgets(line, sizeof(line), stdin) == NULL)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return xstrdup(line);
}

static void
pages_begin(struct pages *all, char **secrets)
{
	struct epoll_event wish = {.events = EPOLLIN};
	uint64_t end_ms = clock_mono_ms() + WAIT_MAX_MS;

	all->epoll = epoll_create1(EPOLL_CLOEXEC);
	all->ctx = pages_context_new();
	all->pages = xcalloc(all->n, sizeof(*all->pages));
	must(all->epoll >= 0);
	for (size_t i = 0; i < all->n; i++)
		page_begin(&all->pages[i], all, secrets[i]);
	while (all->ready < all->n) {
		(void)pages_turn(all);
		if (clock_mono_ms() > end_ms)
			fatal("%zu of %zu pages know what stands", all->ready, all->n);
	}
	/* a line at a time is asked for, and its answer awaited: none hides in a buffer */
	must(epoll_ctl(all->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &wish) == 0);
	pages_say(all);
}

int
main(int argc, char **argv)
{
	struct pages all = {.address.sin_family = AF_INET};
	char **secrets, *line;

	if (argc != 5)
		fatal("expected HOST PORT PAGES SHOW_AFTER_MS");
	if (inet_pton(AF_INET, argv[1], &all.address.sin_addr) != 1)
		fatal("\"%s\" is not an IPv4 address", argv[1]);
	all.address.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	(void)snprintf(all.host, sizeof(all.host), "%s:%s", argv[1], argv[2]);
	all.n = strtoul(argv[3], NULL, 10);
	all.show_after_ms = strtoul(argv[4], NULL, 10);
	(void)signal(SIGPIPE, SIG_IGN);
	secrets = xcalloc(all.n, sizeof(*secrets));
	for (size_t i = 0; i < all.n; i++) {
		secrets[i] = read_line();
		if (secrets[i] == NULL)
			fatal("%zu secrets for %zu pages", i, all.n);
	}
	pages_begin(&all, secrets);
	for (;;) {
		if (!pages_turn(&all))
			continue;
		line = read_line();
		if (line == NULL)
			break;
		pages_obey(&all, line);
		free(line);
	}
	for (size_t i = 0; i < all.n; i++) {
		page_end(&all.pages[i]);
		free(secrets[i]);
	}
	free(all.pages);
	free(all.changes);
	free(secrets);
	SSL_CTX_free(all.ctx);
	return 0;
}
