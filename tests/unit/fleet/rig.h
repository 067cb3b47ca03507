/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two workers' sessions, the roster, and controllers that talk to them by TLS over
 * the loopback, all in one thread: each loop is turned by hand, the journal makes
 * durable what was posted when the test says so, and time stands still.  So a test
 * can look between any two steps.
 */
#ifndef GATEHOUSE_TESTS_FLEET_RIG_H
#define GATEHOUSE_TESTS_FLEET_RIG_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <unistd.h>

#include "../../fake/clock_fake.h"
#include "../../fake/loop_fake.h"
#include "../support/book.h"
#include "../support/certificates.h"
#include "../support/loopback.h"
#include "fleet/sessions.h"
#include "gatehouse.pb-c.h"
#include "wire/frame.h"
#include "wire/kind.h"

enum { ELM = 7, OAK = 8, OFFICE = 9, SITE = 41, FRONT = 71, BACK = 72, NODE = 5 };
enum { WORKERS = 2, DEVICES = 4, TOLD_MAX = 256, OUT_BYTES = 65536 };
enum { LEASE_S = 30, GAP_WAIT_MS = 5000, HELLO_MS = 10000, FRAME_MAX = 16384 };
enum { QUICK_TURNS = 200, SLOW_TURNS = 2000, SLOW_WAIT_MS = 5 };

/* Within a test's answers: the names of protobuf-c are long. */
#define TOLD(what) GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_##what

/* A controller. */
struct device {
	struct stream *stream; /* NULL: closed */
	bool open;
	Gatehouse__V1__ToController *told[TOLD_MAX];
	size_t n_told;
	uint8_t out[OUT_BYTES]; /* what device_send() sends in one piece */
	size_t n_out;
};

struct side {
	struct rig *rig;
	struct loop *loop;
	struct stream_set *set;
	struct sessions *sessions;
	int listener;
	struct sockaddr_in address;
	bool stands; /* its thread does not come to run */
};

struct rig {
	struct tls *server;
	struct book book;
	struct side sides[WORKERS];
	struct loop *roster_loop, *outside; /* where the controllers are */
	struct roster *roster;
	struct mailbox registrar; /* a test that plays it takes from here */
	bool has_registrar;
	struct stream_set *devices_set;
	struct device devices[DEVICES];
	bool roster_stands;
	uint64_t gather_ms;
};

/* ---- The program's folder ----------------------------------------------------- */

static char rig_folder[] = "/tmp/gatehouse-fleet-XXXXXX";

/* cmocka's setup and teardown of the group. */
static inline int
rig_make_folder(void **state)
{
	char *command;
	int result;

	(void)state;
	log_setup(LOG_LEVEL_CRITICAL, LOG_TARGET_STDERR);
	(void)signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	if (mkdtemp(rig_folder) == NULL ||
	    certificates_make(rig_folder, "controller", "elm-1 oak-1 stranger") != 0 ||
	    certificates_add(rig_folder, "desk", "office-1 office-9") != 0)
		return -1;
	command = xasprintf("mkdir -m 700 %s/keys && cd %s/keys && umask 077 && "
			    "head -c 32 /dev/urandom >site.key",
			    rig_folder, rig_folder);
	result = system(command);
	free(command);
	return result;
}

static inline int
rig_remove_folder(void **state)
{
	char *command = xasprintf("rm -r %s", rig_folder);
	int result = system(command);

	(void)state;
	free(command);
	return result;
}

/* ---- The server's side ---------------------------------------------------------- */

static inline struct reg *
rig_reg(const char *elm_name, bool elm_enabled)
{
	struct reg_builder *b = reg_builder_new();
	struct reg *reg = NULL;
	struct err err;

	reg_add_station(b, 1, "C", "Centre");
	reg_add_area(b, 11, 0, 1, "north", "North");
	reg_add_site(b, SITE, 11, "elm", "Elm Court", "Elm Road 1");
	if (elm_name != NULL) {
		reg_add_controller(b, ELM, SITE, elm_name, elm_enabled);
		reg_add_door(b, &(struct door){.id = FRONT,
					       .site_id = SITE,
					       .controller_id = ELM,
					       .number = 1,
					       .code = "elm-front",
					       .name = "Front"});
		reg_add_door(b, &(struct door){.id = BACK,
					       .site_id = SITE,
					       .controller_id = ELM,
					       .number = 2,
					       .code = "elm-back",
					       .name = "Back"});
	}
	reg_add_controller(b, OAK, SITE, "oak-1", true);
	reg_add_desk(b, OFFICE, "office-1", DESK_MANAGER, true);
	reg_add_link(b, REG_DESK_SITES, OFFICE, SITE);
	if (reg_build(&b, 1, &reg, &err) != RC_OK)
		fail_msg("%s", err.msg);
	return reg;
}

static inline void
door_on_open(void *arg, struct stream *stream)
{
	struct side *side = arg;

	sessions_adopt(side->sessions, stream);
}

static inline size_t
door_on_bytes(void *arg, struct stream *stream, const uint8_t *bytes, size_t n)
{
	(void)arg;
	(void)stream;
	(void)bytes;
	return n;
}

static inline void
door_on_closed(void *arg, struct stream *stream, enum stream_end end, const struct err *err)
{
	(void)arg;
	(void)stream;
	(void)end;
	(void)err;
}

static const struct stream_hooks door_hooks = {
	.on_open = door_on_open,
	.on_bytes = door_on_bytes,
	.on_closed = door_on_closed,
};

static inline void
side_on_mail(void *arg, struct mail *mail)
{
	struct side *side = arg;

	sessions_mail(side->sessions, mail);
}

static inline void
side_on_turn(void *arg)
{
	struct side *side = arg;

	stream_set_turn(side->set);
	sessions_turn(side->sessions);
}

static inline void
side_init(struct rig *rig, unsigned index, unsigned groups)
{
	struct side *side = &rig->sides[index];
	struct loop_hooks hooks = {.on_mail = side_on_mail, .on_turn = side_on_turn, .arg = side};
	struct stream_limits limits = {.handshake_timeout_ms = UINT64_C(1) << 40,
				       .handshake_steps = 64,
				       .read_budget_bytes = 65536,
				       .output_limit_bytes = 128 * 1024};
	char *keys = xasprintf("%s/keys", rig_folder);
	struct sessions_conf conf = {
		.heartbeat_s = 10,
		.lease_s = LEASE_S,
		.window = 64,
		.frame_max_bytes = FRAME_MAX,
		.gap_wait_ms = GAP_WAIT_MS,
		.hello_timeout_ms = HELLO_MS,
		.clock_tolerance_us = 60 * 1000000,
		.goaway_delay_ms = 777,
		.group_bytes = (size_t)2 * JOURNAL_BODY_MAX,
		.groups = groups,
		.gather_ms = rig->gather_ms,
		.keys_dir = keys,
		.node = NODE,
		.start_us = CLOCK_FAKE_WALL_US,
		.worker = index,
		.observers = WORKERS + 1,
		.registrar = rig->has_registrar ? &rig->registrar : NULL,
	};
	struct err err;

	side->rig = rig;
	assert_int_equal(loop_new(&side->loop, &hooks, &err), RC_OK);
	assert_int_equal(stream_set_new(&side->set, side->loop, &limits, &err), RC_OK);
	if (sessions_new(&side->sessions, side->loop, &conf, rig->book.journal,
			 loop_mailbox(rig->roster_loop), &err) != RC_OK)
		fail_msg("%s", err.msg);
	sessions_set_register(side->sessions, rig_reg("elm-1", true));
	side->listener = loopback_listen(&side->address);
	free(keys);
}

static inline void
roster_on_mail(void *arg, struct mail *mail)
{
	struct rig *rig = arg;

	roster_mail(rig->roster, mail);
}

static inline void
rig_init_roster(struct rig *rig)
{
	struct loop_hooks hooks = {.on_mail = roster_on_mail, .arg = rig};
	struct roster_conf conf = {.lease_ms = LEASE_S * 1000,
				   .node = NODE,
				   .start_us = CLOCK_FAKE_WALL_US,
				   .observer_index = WORKERS,
				   .observers = WORKERS + 1};
	struct positions *none = positions_new();
	struct err err;

	assert_int_equal(loop_new(&rig->roster_loop, &hooks, &err), RC_OK);
	assert_int_equal(
		roster_new(&rig->roster, rig->roster_loop, &conf, none, rig->book.journal, &err),
		RC_OK);
	roster_set_register(rig->roster, rig_reg("elm-1", true));
	positions_free(&none);
}

static inline void
outside_on_mail(void *arg, struct mail *mail)
{
	(void)arg;
	(void)mail;
	fail_msg("nobody writes to the controllers' loop");
}

static inline void
outside_on_turn(void *arg)
{
	struct rig *rig = arg;

	stream_set_turn(rig->devices_set);
}

/* `groups`: of each worker. */
static inline struct rig *
rig_make(unsigned groups, bool registrar, uint64_t gather_ms)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));
	struct loop_hooks hooks = {
		.on_mail = outside_on_mail, .on_turn = outside_on_turn, .arg = rig};
	struct stream_limits limits = {.handshake_timeout_ms = UINT64_C(1) << 40,
				       .handshake_steps = 64,
				       .read_budget_bytes = 65536,
				       .output_limit_bytes = 1 << 20};
	struct err err;

	rig->gather_ms = gather_ms;
	clock_fake_reset();
	book_open(&rig->book);
	rig->has_registrar = registrar;
	if (registrar)
		assert_int_equal(mailbox_init(&rig->registrar, &err), RC_OK);
	rig->server = certificates_tls(rig_folder, "server", true);
	rig_init_roster(rig);
	for (unsigned i = 0; i < WORKERS; i++)
		side_init(rig, i, groups);
	assert_int_equal(loop_new(&rig->outside, &hooks, &err), RC_OK);
	assert_int_equal(stream_set_new(&rig->devices_set, rig->outside, &limits, &err), RC_OK);
	return rig;
}

static inline struct rig *
rig_new_gathering(unsigned groups, uint64_t gather_ms)
{
	return rig_make(groups, false, gather_ms);
}

static inline struct rig *
rig_new(unsigned groups)
{
	return rig_new_gathering(groups, 0);
}

/* ---- Turns ------------------------------------------------------------------------- */

static inline void
side_accept(struct side *side)
{
	int fd = accept(side->listener, NULL, NULL);
	struct stream *stream;
	struct err err;

	if (fd >= 0)
		assert_int_equal(stream_accept(side->set, side->rig->server, fd, &door_hooks, side,
					       &stream, &err),
				 RC_OK);
}

static inline void
rig_turn(struct rig *rig, unsigned wait_ms)
{
	loop_fake_turn(rig->outside, wait_ms);
	for (unsigned i = 0; i < WORKERS; i++) {
		if (rig->sides[i].stands)
			continue;
		side_accept(&rig->sides[i]);
		loop_fake_turn(rig->sides[i].loop, 0);
	}
	if (!rig->roster_stands)
		loop_fake_turn(rig->roster_loop, 0);
}

/* Turns until it is so; a test that waits in vain fails.  The loopback is quick, so
 * that waiting begins only when it isn't. */
#define UNTIL(rig, condition)                                                                      \
	do {                                                                                       \
		int turns_ = 0;                                                                    \
		while (!(condition)) {                                                             \
			if (turns_++ == SLOW_TURNS)                                                \
				fail_msg("waited in vain for %s", #condition);                     \
			rig_turn(rig, turns_ > QUICK_TURNS ? SLOW_WAIT_MS : 0);                    \
		}                                                                                  \
	} while (0)

/* The sweeps of sessions and roster. */
static inline void
rig_sweep(struct rig *rig)
{
	for (unsigned i = 0; i < WORKERS; i++)
		loop_fake_tick(rig->sides[i].loop);
	loop_fake_tick(rig->roster_loop);
	rig_turn(rig, 0);
}

static inline const struct sessions_counters *
rig_counters(const struct rig *rig, unsigned side)
{
	return sessions_counters(rig->sides[side].sessions);
}

static inline void
rig_free(struct rig *rig)
{
	for (size_t i = 0; i < DEVICES; i++) {
		if (rig->devices[i].stream != NULL)
			stream_close(rig->devices[i].stream);
	}
	rig->roster_stands = false;
	for (unsigned i = 0; i < WORKERS; i++) {
		rig->sides[i].stands = false;
		sessions_close_all(rig->sides[i].sessions, GOAWAY_RESTART, "the test is over");
	}
	for (unsigned i = 0; i < WORKERS; i++)
		UNTIL(rig, (book_turn(&rig->book), rig_counters(rig, i)->open) == 0 &&
				   sessions_drained(rig->sides[i].sessions));
	UNTIL(rig, (book_turn(&rig->book), roster_drained(rig->roster)));
	stream_set_free(&rig->devices_set);
	for (unsigned i = 0; i < WORKERS; i++) {
		stream_set_free(&rig->sides[i].set);
		sessions_free(&rig->sides[i].sessions);
		loop_free(&rig->sides[i].loop);
		(void)close(rig->sides[i].listener);
	}
	roster_free(&rig->roster);
	loop_free(&rig->roster_loop);
	loop_free(&rig->outside);
	if (rig->has_registrar) {
		struct mail *mail = mailbox_take_all(&rig->registrar), *next;

		for (; mail != NULL; mail = next) {
			next = mail->next;
			free(mail);
		}
		mailbox_fini(&rig->registrar);
	}
	book_close(&rig->book);
	tls_unref(&rig->server);
	for (size_t i = 0; i < DEVICES; i++) {
		for (size_t k = 0; k < rig->devices[i].n_told; k++)
			gatehouse__v1__to_controller__free_unpacked(rig->devices[i].told[k], NULL);
	}
	free(rig);
}

#endif
