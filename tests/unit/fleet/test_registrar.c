/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar, message by message, with a clock that the test moves and a real
 * journal.  Guards that
 *
 *	- a desk is acknowledged, and a controller sent, only what is durable;
 *	- each record is decided once, also over connections and restarts;
 *	- a restart, with a snapshot or without, comes to the same rights and numbers;
 *	- what a door did is found once, and told from what its controller could know.
 */
#include "../../fake/clock_fake.h"
#include "../../fake/loop_fake.h"
#include "../support/book.h"
#include "base/clock.h"
#include "fleet/registrar.h"
#include "gatehouse.pb-c.h"
#include "wire/card.h"
#include "wire/frame.h"
#include "wire/kind.h"

#include <sys/stat.h>
#include <unistd.h>

enum { SITE = 41, FAR = 42, ELM = 7, OAK = 8, OFFICE = 50, OWNER = 51, NODE = 5 };
enum { DESK_BOX, OTHER_BOX, DOOR_BOX, FOREIGN_BOX, BOXES };
enum { HOUR_MS = 3600 * 1000 };

#define NOW CLOCK_FAKE_WALL_US
#define DAY (INT64_C(86400) * 1000000)

struct fixture {
	struct loop *loop;
	struct book book;
	struct registrar *registrar;
	struct mailbox boxes[BOXES];
	char keys_dir[64], state_dir[64];
	struct card_keys *keys;
	uint64_t generation, next_seq;
	size_t credit;
	bool waits; /* no rights are given to a registrar that has none */
};

static void
on_mail(void *arg, struct mail *mail)
{
	registrar_mail(((struct fixture *)arg)->registrar, mail);
}

static void
on_turn(void *arg)
{
	registrar_turn(((struct fixture *)arg)->registrar);
}

/* Elm Court has elm-1 with two doors and oak-1 with one; its second door is where
 * `moved` says. */
static struct reg *
sample_reg(bool moved)
{
	struct reg_builder *b = reg_builder_new();
	struct reg *reg = NULL;
	struct err err;

	reg_add_station(b, 1, "C", "Centre");
	reg_add_area(b, 11, 0, 1, "north", "North");
	reg_add_site(b, SITE, 11, "elm", "Elm Court", "Elm Road 1");
	reg_set_timezone(b, "Europe/Berlin");
	reg_add_site(b, FAR, 11, "far", "Far", "");
	reg_add_controller(b, ELM, SITE, "elm-1", true);
	reg_add_controller(b, OAK, SITE, "oak-1", true);
	reg_add_door(b, &(struct door){.id = 1,
				       .site_id = SITE,
				       .controller_id = ELM,
				       .number = 1,
				       .code = "front"});
	reg_add_door(b, &(struct door){.id = 2,
				       .site_id = SITE,
				       .controller_id = moved ? OAK : ELM,
				       .number = 2,
				       .code = "cellar"});
	reg_add_door(b, &(struct door){.id = 3,
				       .site_id = SITE,
				       .controller_id = OAK,
				       .number = 1,
				       .code = "yard"});
	reg_add_unit(b, 1, SITE, "301", "", "");
	reg_add_desk(b, OFFICE, "office", DESK_MANAGER, true);
	reg_add_desk(b, OWNER, "owner", DESK_LANDLORD, true);
	reg_add_link(b, REG_DESK_SITES, OFFICE, SITE);
	reg_add_link(b, REG_DESK_SITES, OWNER, SITE);
	if (reg_build(&b, 1, &reg, &err) != RC_OK)
		fail_msg("%s", err.msg);
	return reg;
}

/* ---- Fixture ------------------------------------------------------------------- */

/* What the journal says of sequences, as the follower would have it. */
static struct positions *
positions_of(struct fixture *f)
{
	struct positions *positions = positions_new();
	struct quarantine q;
	struct right_change change;
	struct err err;

	(void)book_read(&f->book);
	for (size_t i = 0; i < f->book.n; i++) {
		const struct book_entry *entry = &f->book.entries[i];

		if (entry->type == ENTRY_RIGHT &&
		    right_change_decode(entry->body, entry->len, &change, &err) == RC_OK)
			positions_apply_right(positions, &change);
		if (entry->type == ENTRY_QUARANTINE &&
		    quarantine_decode(entry->body, entry->len, &q, &err) == RC_OK)
			positions_apply_quarantine(positions, &q);
	}
	return positions;
}

/* As the store does where there is no snapshot. */
static void
give_rights(struct fixture *f, struct rights *rights, uint64_t position)
{
	struct registrar_rights *mail = xcalloc(1, sizeof(*mail));

	mail->mail.kind = REGISTRAR_MAIL_RIGHTS;
	mail->rights = rights;
	mail->position = position;
	mailbox_post(loop_mailbox(f->loop), &mail->mail);
	loop_fake_turn(f->loop, 0);
}

static void
open_registrar(struct fixture *f)
{
	struct loop_hooks hooks = {.on_mail = on_mail, .on_turn = on_turn, .arg = f};
	struct registrar_conf conf = {
		.node = NODE,
		.rights = {.changes = 100, .history_us = 7 * DAY, .grace_us = 0},
		.credit_bytes = f->credit,
		.snapshot_ms = HOUR_MS,
		.state_dir = f->state_dir,
		.keys_dir = f->keys_dir,
	};
	struct positions *positions = positions_of(f);
	struct registrar_start start = {
		.journal = f->book.journal, .positions = positions, .reg = sample_reg(false)};
	struct err err;

	assert_int_equal(loop_new(&f->loop, &hooks, &err), RC_OK);
	if (registrar_new(&f->registrar, f->loop, &conf, &start, &err) != RC_OK)
		fail_msg("%s", err.msg);
	positions_free(&positions);
	if (counter_get(&registrar_counters(f->registrar)->ready) == 0 && !f->waits)
		give_rights(f, rights_new(&conf.rights), 0);
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	char *path;
	FILE *file;
	struct err err;

	clock_fake_reset();
	f->credit = 100000;
	f->next_seq = 1;
	book_open(&f->book);
	(void)snprintf(f->keys_dir, sizeof(f->keys_dir), "/tmp/gatehouse-keys-XXXXXX");
	(void)snprintf(f->state_dir, sizeof(f->state_dir), "/tmp/gatehouse-state-XXXXXX");
	assert_non_null(mkdtemp(f->keys_dir));
	assert_non_null(mkdtemp(f->state_dir));
	path = xasprintf("%s/site.key", f->keys_dir);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite("0123456789abcdef0123456789abcdef", 1, 32, file), 32);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
	free(path);
	assert_int_equal(card_keys_open(&f->keys, f->keys_dir, &err), RC_OK);
	for (size_t i = 0; i < BOXES; i++)
		assert_int_equal(mailbox_init(&f->boxes[i], &err), RC_OK);
	open_registrar(f);
	*state = f;
	return 0;
}

static void
free_mails(struct mailbox *box)
{
	struct mail *mail = mailbox_take_all(box), *next;

	for (; mail != NULL; mail = next) {
		next = mail->next;
		free(mail);
	}
}

/* Turns until nothing is under way. */
static void
settle(struct fixture *f)
{
	for (unsigned i = 0; i < 6; i++) {
		loop_fake_turn(f->loop, 0);
		book_turn(&f->book);
	}
	loop_fake_tick(f->loop);
}

static void
close_registrar(struct fixture *f)
{
	settle(f);
	registrar_free(&f->registrar);
	loop_free(&f->loop);
}

/* As after kill -9, but for what was durable. */
static void
restart(struct fixture *f)
{
	close_registrar(f);
	for (size_t i = 0; i < BOXES; i++)
		free_mails(&f->boxes[i]);
	book_reopen(&f->book);
	open_registrar(f);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	char *command = xasprintf("rm -r %s %s", f->keys_dir, f->state_dir);

	close_registrar(f);
	for (size_t i = 0; i < BOXES; i++) {
		free_mails(&f->boxes[i]);
		mailbox_fini(&f->boxes[i]);
	}
	card_keys_close(&f->keys);
	book_close(&f->book);
	assert_int_equal(system(command), 0);
	free(command);
	free(f);
	return 0;
}

static uint64_t
count(const counter *c)
{
	return counter_get(c);
}

/* ---- What sessions say and hear -------------------------------------------------- */

/* The next message of that box, which is of this kind; NULL when there is none. */
static struct mail *
next_mail(struct fixture *f, size_t box, unsigned kind)
{
	static struct mail *kept[BOXES];
	struct mail *mail = kept[box] != NULL ? kept[box] : mailbox_take_all(&f->boxes[box]);

	kept[box] = NULL;
	if (mail == NULL)
		return NULL;
	if (mail->kind != kind)
		fail_msg("a message of kind %u, expected %u", mail->kind, kind);
	kept[box] = mail->next;
	return mail;
}

static void
claim_from(struct fixture *f, size_t box, uint32_t desk, uint64_t epoch, uint64_t acked)
{
	struct registrar_claim *claim = xcalloc(1, sizeof(*claim));

	claim->mail.kind = REGISTRAR_MAIL_CLAIM;
	claim->box = &f->boxes[box];
	claim->session = 100 + box;
	claim->desk_id = desk;
	claim->epoch = epoch;
	claim->acked_seq = acked;
	mailbox_post(loop_mailbox(f->loop), &claim->mail);
	loop_fake_turn(f->loop, 0);
}

/* Takes the grant; returns the seq after which the desk goes on. */
static uint64_t
expect_grant(struct fixture *f, size_t box)
{
	struct mail *mail = next_mail(f, box, REGISTRAR_MAIL_GRANT);
	struct registrar_grant *grant;
	uint64_t last;

	assert_non_null(mail);
	grant = CONTAINER_OF(mail, struct registrar_grant, mail);
	assert_int_equal(grant->session, 100 + box);
	f->generation = grant->generation;
	last = grant->sequence.last_seq;
	f->next_seq = last + 1;
	free(grant);
	return last;
}

static void
expect_denial(struct fixture *f, size_t box, enum goaway reason)
{
	struct mail *mail = next_mail(f, box, REGISTRAR_MAIL_DENY);
	struct registrar_grant *grant;

	assert_non_null(mail);
	grant = CONTAINER_OF(mail, struct registrar_grant, mail);
	assert_int_equal(grant->reason, reason);
	free(grant);
}

static void
expect_done(struct fixture *f, size_t box, uint64_t acked, uint64_t refused, enum reject reason)
{
	struct mail *mail = next_mail(f, box, REGISTRAR_MAIL_DONE);
	struct registrar_done *done;

	assert_non_null(mail);
	done = CONTAINER_OF(mail, struct registrar_done, mail);
	assert_int_equal(done->acked_seq, acked);
	assert_int_equal(done->n_refusals, refused != 0);
	if (refused != 0) {
		assert_int_equal(done->refusals[0].seq, refused);
		if (done->refusals[0].reason != reason)
			fail_msg("refused by %u: %s", done->refusals[0].reason,
				 done->refusals[0].detail);
		assert_true(strlen(done->refusals[0].detail) > 0);
	}
	free(done);
}

static void
expect_silence(struct fixture *f, size_t box)
{
	assert_null(next_mail(f, box, 0));
}

static struct registration
card_ask(uint16_t kind)
{
	bool registers = kind == KIND_CODE_CARD_REGISTERED;

	return (struct registration){
		.kind = kind,
		.device_time_us = NOW,
		.card_kind = registers ? CARD_KIND_TENANT : CARD_KIND_NONE,
		.card_from_us = registers ? NOW - DAY : 0,
		.unit = registers ? "301" : "",
		.group = "",
	};
}

static struct registration
grant_ask(const char *const *door)
{
	struct registration ask = card_ask(KIND_CODE_GRANT_SET);

	ask.doors = door;
	ask.n_doors = 1;
	ask.valid_from_us = NOW - DAY;
	ask.valid_until_us = NOW + DAY;
	return ask;
}

static void
card_key(struct fixture *f, const char *card, uint8_t key[CARD_KEY_BYTES])
{
	struct err err;

	assert_int_equal(card_key_of(f->keys, SITE, (const uint8_t *)card, strlen(card), key, &err),
			 RC_OK);
}

static void
send_seq(struct fixture *f, const char *card, struct registration ask, uint64_t seq)
{
	struct registrar_record *record;

	ask.seq = seq;
	record = registrar_record_new(&ask, (const uint8_t *)"\x08\x01", 2);
	record->mail.kind = REGISTRAR_MAIL_RECORD;
	record->desk_id = OFFICE;
	record->generation = f->generation;
	record->received_us = clock_wall_us();
	record->site_id = SITE;
	card_key(f, card, record->card_key);
	mailbox_post(loop_mailbox(f->loop), &record->mail);
}

static void
send(struct fixture *f, const char *card, struct registration ask)
{
	send_seq(f, card, ask, f->next_seq++);
}

/* A desk that has registered a card, and granted it the front door. */
static void
begin(struct fixture *f)
{
	static const char *const front[] = {"front"};

	claim_from(f, DESK_BOX, OFFICE, 3, 0);
	assert_int_equal(expect_grant(f, DESK_BOX), 0);
	settle(f);
	send(f, "card-1", card_ask(KIND_CODE_CARD_REGISTERED));
	send(f, "card-1", grant_ask(front));
	settle(f);
	expect_done(f, DESK_BOX, 2, 0, REJECT_NONE);
}

static void
note(struct fixture *f, unsigned kind, uint32_t controller, uint64_t number, size_t bytes)
{
	struct registrar_note *mail = xcalloc(1, sizeof(*mail));

	mail->mail.kind = kind;
	mail->box = &f->boxes[DOOR_BOX];
	mail->session = 9;
	mail->id = controller;
	mail->number = number;
	mail->bytes = bytes;
	mailbox_post(loop_mailbox(f->loop), &mail->mail);
}

struct taken {
	uint64_t number; /* of the ListEnd; 0: none came */
	bool full;
	unsigned put, removed, mails;
	size_t bytes;
	char posix[64];
	bool active;
};

/* Everything that came for the controllers. */
static struct taken
take_lists(struct fixture *f)
{
	struct taken taken = {0};
	struct mail *mail;

	while ((mail = next_mail(f, DOOR_BOX, REGISTRAR_MAIL_LIST)) != NULL) {
		struct registrar_list *list = CONTAINER_OF(mail, struct registrar_list, mail);

		taken.mails++;
		taken.bytes += list->n;
		for (size_t at = 0; at < list->n;) {
			const uint8_t *payload;
			size_t len, used;
			Gatehouse__V1__ToController *to;

			assert_int_equal(frame_parse(list->bytes + at, list->n - at, 1 << 20,
						     &payload, &len, &used),
					 FRAME_WHOLE);
			at += used;
			to = gatehouse__v1__to_controller__unpack(NULL, len, payload);
			assert_non_null(to);
			if (to->list_begin != NULL &&
			    to->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_BEGIN) {
				taken.full = to->list_begin->full;
				(void)snprintf(taken.posix, sizeof(taken.posix), "%s",
					       to->list_begin->timezone_posix);
			} else if (to->message_case ==
				   GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_CHANGE) {
				taken.put += (unsigned)to->list_change->n_put;
				taken.removed += (unsigned)to->list_change->n_remove;
				if (to->list_change->n_put > 0)
					taken.active = to->list_change->put[0]->active;
			} else {
				taken.number = to->list_end->number;
			}
			gatehouse__v1__to_controller__free_unpacked(to, NULL);
		}
		free(list);
	}
	return taken;
}

static unsigned
entries_of(struct fixture *f, uint8_t type)
{
	unsigned n = 0;

	(void)book_read(&f->book);
	for (size_t i = 0; i < f->book.n; i++)
		n += f->book.entries[i].type == type;
	return n;
}

/* ---- Desks ------------------------------------------------------------------------ */

static void
acknowledged_when_durable(void **state)
{
	struct fixture *f = *state;

	claim_from(f, DESK_BOX, OFFICE, 3, 0);
	(void)expect_grant(f, DESK_BOX);
	settle(f);
	send(f, "card-1", card_ask(KIND_CODE_CARD_REGISTERED));
	loop_fake_turn(f->loop, 0);
	loop_fake_turn(f->loop, 0);
	expect_silence(f, DESK_BOX);
	assert_int_equal(entries_of(f, ENTRY_RIGHT), 0);
	book_turn(&f->book);
	assert_int_equal(entries_of(f, ENTRY_RIGHT), 1);
	loop_fake_turn(f->loop, 0);
	expect_done(f, DESK_BOX, 1, 0, REJECT_NONE);
}

static void
refused_in_its_turn(void **state)
{
	struct fixture *f = *state;

	begin(f);
	send(f, "card-1", card_ask(KIND_CODE_CARD_REGISTERED));
	send(f, "card-2", card_ask(KIND_CODE_CARD_REGISTERED));
	settle(f);
	expect_done(f, DESK_BOX, 4, 3, REJECT_CARD_EXISTS);
	send(f, "card-3", card_ask(KIND_CODE_CARD_REVOKED));
	settle(f);
	expect_done(f, DESK_BOX, 5, 5, REJECT_UNKNOWN_CARD);
	assert_int_equal(entries_of(f, ENTRY_QUARANTINE), 2);
	assert_int_equal(count(&registrar_counters(f->registrar)->changes), 3);
	assert_int_equal(count(&registrar_counters(f->registrar)->refused), 2);
}

/* The same three times: once it is a change, then it is nothing. */
static void
decided_once(void **state)
{
	struct fixture *f = *state;

	begin(f);
	send_seq(f, "card-1", card_ask(KIND_CODE_CARD_REGISTERED), 1);
	send_seq(f, "card-1", card_ask(KIND_CODE_CARD_REGISTERED), 1);
	settle(f);
	expect_silence(f, DESK_BOX);
	assert_int_equal(entries_of(f, ENTRY_RIGHT), 2);
	assert_int_equal(entries_of(f, ENTRY_QUARANTINE), 0);
	/* behind a hole: asked for again, once */
	send_seq(f, "card-2", card_ask(KIND_CODE_CARD_REGISTERED), 5);
	send_seq(f, "card-3", card_ask(KIND_CODE_CARD_REGISTERED), 6);
	settle(f);
	free(next_mail(f, DESK_BOX, REGISTRAR_MAIL_RESEND));
	expect_silence(f, DESK_BOX);
	assert_int_equal(entries_of(f, ENTRY_RIGHT), 2);
}

/* A desk whose connection broke between durable and acknowledgement. */
static void
the_next_connection_hears_of_it(void **state)
{
	struct fixture *f = *state;

	begin(f);
	send(f, "card-2", card_ask(KIND_CODE_CARD_REGISTERED));
	loop_fake_turn(f->loop, 0);
	/* decided and not durable: the new session goes on behind it, and isn't told yet */
	claim_from(f, OTHER_BOX, OFFICE, 3, 2);
	expect_denial(f, DESK_BOX, GOAWAY_SUPERSEDED);
	assert_int_equal(expect_grant(f, OTHER_BOX), 3);
	expect_silence(f, OTHER_BOX);
	settle(f);
	expect_done(f, OTHER_BOX, 3, 0, REJECT_NONE);
	expect_silence(f, DESK_BOX);

	/* the same over a restart */
	restart(f);
	claim_from(f, DESK_BOX, OFFICE, 3, 2);
	assert_int_equal(expect_grant(f, DESK_BOX), 3);
	expect_done(f, DESK_BOX, 3, 0, REJECT_NONE);
	send_seq(f, "card-2", card_ask(KIND_CODE_CARD_REGISTERED), 3);
	settle(f);
	assert_int_equal(entries_of(f, ENTRY_RIGHT), 3);
	/* an epoch that is over */
	claim_from(f, OTHER_BOX, OFFICE, 2, 0);
	expect_denial(f, OTHER_BOX, GOAWAY_STALE_EPOCH);
}

static void
a_session_that_was_superseded_is_not_heard(void **state)
{
	struct fixture *f = *state;
	uint64_t old;

	begin(f);
	old = f->generation;
	claim_from(f, OTHER_BOX, OFFICE, 3, 2);
	expect_denial(f, DESK_BOX, GOAWAY_SUPERSEDED);
	(void)expect_grant(f, OTHER_BOX);
	expect_done(f, OTHER_BOX, 2, 0, REJECT_NONE);
	f->generation = old;
	send(f, "card-2", card_ask(KIND_CODE_CARD_REGISTERED));
	settle(f);
	expect_silence(f, OTHER_BOX);
	assert_int_equal(entries_of(f, ENTRY_RIGHT), 2);
}

/* ---- Lists ------------------------------------------------------------------------ */

static void
a_list_holds_what_is_durable(void **state)
{
	static const char *const cellar[] = {"cellar"};
	struct fixture *f = *state;
	struct taken taken;
	uint64_t number;

	begin(f);
	note(f, REGISTRAR_MAIL_SUBSCRIBE, ELM, 0, 0);
	settle(f);
	taken = take_lists(f);
	assert_true(taken.full && taken.put == 1 && taken.active);
	assert_string_equal(taken.posix, "CET-1CEST,M3.5.0,M10.5.0/3");
	number = taken.number;
	assert_true(number > 0);
	assert_int_equal(count(&registrar_counters(f->registrar)->behind), 2);
	note(f, REGISTRAR_MAIL_CONFIRM, ELM, number, 0);
	settle(f);
	assert_int_equal(count(&registrar_counters(f->registrar)->behind), 1);

	/* decided, not durable: nobody is told */
	send(f, "card-1", grant_ask(cellar));
	loop_fake_turn(f->loop, 0);
	loop_fake_turn(f->loop, 0);
	assert_int_equal(take_lists(f).mails, 0);
	/* ... not even who asks for everything */
	note(f, REGISTRAR_MAIL_SUBSCRIBE, ELM, number, 0);
	note(f, REGISTRAR_MAIL_SUBSCRIBE, OAK, 0, 0);
	loop_fake_turn(f->loop, 0);
	assert_int_equal(take_lists(f).mails, 0);
	note(f, REGISTRAR_MAIL_UNSUBSCRIBE, OAK, 0, 0);
	settle(f);
	taken = take_lists(f);
	assert_true(!taken.full && taken.put == 1 && taken.removed == 0);
	assert_true(taken.number > number);

	/* the other one's doors are none of its business */
	note(f, REGISTRAR_MAIL_SUBSCRIBE, OAK, 0, 0);
	settle(f);
	taken = take_lists(f);
	assert_true(taken.full && taken.put == 0 && taken.number > 0);
}

static void
a_revocation_reaches_the_door_at_once(void **state)
{
	static const char *const front[] = {"front"};
	struct fixture *f = *state;
	struct taken taken;

	begin(f);
	/* so that the whole list is longer than what changes */
	send(f, "card-2", card_ask(KIND_CODE_CARD_REGISTERED));
	send(f, "card-2", grant_ask(front));
	note(f, REGISTRAR_MAIL_SUBSCRIBE, ELM, 0, 0);
	settle(f);
	(void)take_lists(f);
	send(f, "card-1", card_ask(KIND_CODE_CARD_SUSPENDED));
	settle(f);
	taken = take_lists(f);
	assert_true(!taken.full && taken.put == 1 && !taken.active);
	send(f, "card-1", card_ask(KIND_CODE_CARD_REVOKED));
	settle(f);
	taken = take_lists(f);
	assert_true(!taken.full && taken.put == 0 && taken.removed == 1);

	/* one that was away gets what it lacks first of all, and one that has it nothing */
	note(f, REGISTRAR_MAIL_SUBSCRIBE, ELM, taken.number, 0);
	settle(f);
	assert_int_equal(take_lists(f).mails, 0);
}

static void
a_controller_that_does_not_read_costs_its_credit(void **state)
{
	struct fixture *f = *state;
	struct taken taken;
	size_t sent = 0;

	f->credit = 200;
	restart(f);
	begin(f);
	for (unsigned i = 0; i < 40; i++) {
		static const char *const front[] = {"front"};
		char card[16];

		(void)snprintf(card, sizeof(card), "more-%u", i);
		send(f, card, card_ask(KIND_CODE_CARD_REGISTERED));
		send(f, card, grant_ask(front));
	}
	settle(f);
	note(f, REGISTRAR_MAIL_SUBSCRIBE, ELM, 0, 0);
	settle(f);
	taken = take_lists(f);
	/* one frame at least goes; then it waits */
	assert_true(taken.mails >= 1 && taken.number == 0);
	for (unsigned i = 0; i < 20 && taken.number == 0; i++) {
		sent = taken.bytes;
		settle(f);
		assert_int_equal(take_lists(f).mails, 0);
		note(f, REGISTRAR_MAIL_SENT, ELM, 0, sent);
		settle(f);
		taken = take_lists(f);
	}
	assert_true(taken.number > 0);
}

static void
a_restart_keeps_numbers(void **state)
{
	struct fixture *f = *state;
	struct taken taken;
	uint64_t number;

	begin(f);
	note(f, REGISTRAR_MAIL_SUBSCRIBE, ELM, 0, 0);
	settle(f);
	number = take_lists(f).number;
	/* by replay from the beginning */
	restart(f);
	note(f, REGISTRAR_MAIL_SUBSCRIBE, ELM, number, 0);
	settle(f);
	assert_int_equal(take_lists(f).mails, 0);
	/* by the snapshot, and replay of what follows */
	clock_fake_advance_ms(HOUR_MS + 1);
	settle(f);
	for (unsigned i = 0; i < 1000 && count(&registrar_counters(f->registrar)->snapshot_us) == 0;
	     i++)
		(void)usleep(1000);
	claim_from(f, DESK_BOX, OFFICE, 3, 2);
	assert_int_equal(expect_grant(f, DESK_BOX), 2);
	expect_done(f, DESK_BOX, 2, 0, REJECT_NONE);
	send(f, "card-2", card_ask(KIND_CODE_CARD_REGISTERED));
	settle(f);
	restart(f);
	assert_int_equal(count(&registrar_counters(f->registrar)->cards), 2);
	note(f, REGISTRAR_MAIL_SUBSCRIBE, ELM, number, 0);
	settle(f);
	assert_int_equal(take_lists(f).mails, 0);
	note(f, REGISTRAR_MAIL_SUBSCRIBE, ELM, number - 1, 0);
	settle(f);
	taken = take_lists(f);
	assert_true(taken.full && taken.put == 1 && taken.number == number);
}

static void
a_door_that_is_hung_elsewhere_changes_both_lists(void **state)
{
	static const char *const cellar[] = {"cellar"};
	struct fixture *f = *state;
	struct taken taken;
	unsigned before;

	begin(f);
	send(f, "card-1", grant_ask(cellar));
	settle(f);
	before = entries_of(f, ENTRY_DOORS);
	assert_int_equal(before, 2);
	note(f, REGISTRAR_MAIL_SUBSCRIBE, OAK, 0, 0);
	settle(f);
	assert_int_equal(take_lists(f).put, 0);
	/* the same register again is no change */
	registrar_set_register(f->registrar, sample_reg(false));
	settle(f);
	assert_int_equal(entries_of(f, ENTRY_DOORS), before);
	registrar_set_register(f->registrar, sample_reg(true));
	settle(f);
	assert_int_equal(entries_of(f, ENTRY_DOORS), before + 2);
	taken = take_lists(f);
	assert_true(taken.full && taken.put == 1);
}

/* Where there is no snapshot: what the database had up to a position, and what the
 * journal has behind it. */
static void
without_a_snapshot_it_waits_for_the_database(void **state)
{
	struct rights_conf conf = {.changes = 100, .history_us = 7 * DAY};
	struct fixture *f = *state;
	struct right_change change;
	struct rights *rights;
	uint64_t position = 0;
	struct err err;

	begin(f);
	(void)book_read(&f->book);
	rights = rights_new(&conf);
	for (size_t i = 0; i < f->book.n && position == 0; i++) {
		if (f->book.entries[i].type != ENTRY_RIGHT)
			continue;
		assert_int_equal(right_change_decode(f->book.entries[i].body,
						     f->book.entries[i].len, &change, &err),
				 RC_OK);
		rights_apply(rights, &change);
		rights_number(rights, 1);
		position = f->book.entries[i].next;
	}
	close_registrar(f);
	book_reopen(&f->book);
	f->waits = true;
	open_registrar(f);
	claim_from(f, DESK_BOX, OFFICE, 3, 2);
	expect_denial(f, DESK_BOX, GOAWAY_OVERLOAD);
	note(f, REGISTRAR_MAIL_SUBSCRIBE, ELM, 0, 0);
	settle(f);
	assert_int_equal(take_lists(f).mails, 0);
	assert_int_equal(count(&registrar_counters(f->registrar)->cards), 0);

	/* the card came from there, and the grant from the journal */
	give_rights(f, rights, position);
	settle(f);
	assert_int_equal(count(&registrar_counters(f->registrar)->cards), 1);
	assert_int_equal(count(&registrar_counters(f->registrar)->rights), 1);
	assert_int_equal(take_lists(f).put, 1);
	/* once is enough */
	give_rights(f, rights_new(&conf), 0);
	assert_int_equal(count(&registrar_counters(f->registrar)->cards), 1);
}

/* ---- What doors did ------------------------------------------------------------------ */

static void
access_record(struct fixture *f, const char *card, uint16_t kind, uint32_t door, uint64_t list)
{
	struct group *group = group_new(JOURNAL_BODY_MAX * 2, &f->boxes[FOREIGN_BOX], NULL);
	struct record record = {
		.controller_id = ELM,
		.site_id = SITE,
		.door_id = door,
		.kind = kind,
		.reason = kind == KIND_CODE_ACCESS_DENIED ? 1 : 0,
		.epoch = 1,
		.seq = 77,
		.device_time_us = clock_wall_us(),
		.received_us = clock_wall_us(),
		.flags = RECORD_HAS_TOKEN | RECORD_HAS_LIST,
		.list_number = list,
	};
	struct err err;
	uint8_t *body;

	assert_int_equal(card_token(f->keys, SITE, record.received_us, (const uint8_t *)card,
				    strlen(card), record.token, &err),
			 RC_OK);
	body = group_add(group, ENTRY_RECORD, ENTRY_FLAG_RIGHTS, record_encoded_len(&record));
	(void)record_encode(&record, body);
	journal_post(f->book.journal, group);
	book_turn(&f->book);
	(void)mailbox_take_all(&f->boxes[FOREIGN_BOX]);
	group_free(&group);
	settle(f);
}

/* The last of the server's own records, if it is of this kind and says that. */
static void
expect_found(struct fixture *f, unsigned total, uint16_t kind, const char *detail)
{
	struct record last = {0};
	unsigned n = 0;

	(void)book_read(&f->book);
	for (size_t i = 0; i < f->book.n; i++) {
		if (f->book.entries[i].type == ENTRY_RECORD &&
		    book_record(&f->book, i).epoch == -NODE) {
			n++;
			last = book_record(&f->book, i);
			assert_int_equal(f->book.entries[i].flags, ENTRY_FLAG_DESK);
		}
	}
	assert_int_equal(n, total);
	if (total == 0)
		return;
	assert_int_equal(last.kind, kind);
	assert_int_equal(last.controller_id, ELM);
	if (memmem(last.detail, last.detail_len, detail, strlen(detail)) == NULL)
		fail_msg("%.*s, expected %s", (int)last.detail_len, last.detail, detail);
}

static void
what_doors_did_is_found_once(void **state)
{
	struct fixture *f = *state;
	uint64_t number;

	/* before there is any card, there is nothing to hold it against */
	access_record(f, "card-9", KIND_CODE_ACCESS_GRANTED, 1, 0);
	clock_fake_advance_ms(1000);
	begin(f);
	note(f, REGISTRAR_MAIL_SUBSCRIBE, ELM, 0, 0);
	settle(f);
	number = take_lists(f).number;
	access_record(f, "card-1", KIND_CODE_ACCESS_GRANTED, 1, number);
	access_record(f, "card-9", KIND_CODE_ACCESS_DENIED, 1, number);
	expect_found(f, 0, 0, "");

	access_record(f, "card-9", KIND_CODE_ACCESS_GRANTED, 1, number);
	expect_found(f, 1, KIND_CODE_POLICY_DIVERGENCE, "\"why\":\"unknown_card\"");
	access_record(f, "card-1", KIND_CODE_ACCESS_GRANTED, 2, number);
	expect_found(f, 2, KIND_CODE_POLICY_DIVERGENCE, "\"why\":\"no_right\"");

	send(f, "card-1", card_ask(KIND_CODE_CARD_REVOKED));
	settle(f);
	clock_fake_advance_ms(1000);
	/* the controller did not know */
	access_record(f, "card-1", KIND_CODE_ACCESS_GRANTED, 1, number);
	expect_found(f, 4, KIND_CODE_REVOKED_PRESENTED, "\"confirmed\":false");
	number = take_lists(f).number;
	/* ... and here it did */
	access_record(f, "card-1", KIND_CODE_ACCESS_GRANTED, 1, number);
	expect_found(f, 6, KIND_CODE_REVOKED_PRESENTED, "\"confirmed\":true");
	access_record(f, "card-1", KIND_CODE_ACCESS_DENIED, 1, number);
	expect_found(f, 7, KIND_CODE_REVOKED_PRESENTED, "\"why\":\"revoked\"");

	/* read again after a restart, and not found again */
	restart(f);
	settle(f);
	expect_found(f, 7, KIND_CODE_REVOKED_PRESENTED, "\"why\":\"revoked\"");
	assert_int_equal(count(&registrar_counters(f->registrar)->divergences), 0);
}

/* Durable, and the daemon died before it was judged. */
static void
what_was_not_judged_is_judged_after_a_restart(void **state)
{
	struct fixture *f = *state;

	begin(f);
	close_registrar(f);
	for (size_t i = 0; i < BOXES; i++)
		free_mails(&f->boxes[i]);
	{
		struct group *group = group_new(JOURNAL_BODY_MAX * 2, &f->boxes[FOREIGN_BOX], NULL);
		struct record record = {.controller_id = ELM,
					.site_id = SITE,
					.door_id = 1,
					.kind = KIND_CODE_ACCESS_GRANTED,
					.epoch = 1,
					.seq = 5,
					.device_time_us = clock_wall_us(),
					.received_us = clock_wall_us(),
					.flags = RECORD_HAS_TOKEN};
		uint8_t *body = group_add(group, ENTRY_RECORD, ENTRY_FLAG_RIGHTS,
					  record_encoded_len(&record));

		(void)record_encode(&record, body);
		journal_post(f->book.journal, group);
		book_turn(&f->book);
		(void)mailbox_take_all(&f->boxes[FOREIGN_BOX]);
		group_free(&group);
	}
	book_reopen(&f->book);
	open_registrar(f);
	settle(f);
	expect_found(f, 1, KIND_CODE_POLICY_DIVERGENCE, "\"why\":\"unknown_card\"");
}

int
main(void)
{
#define OPEN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		OPEN(acknowledged_when_durable),
		OPEN(refused_in_its_turn),
		OPEN(decided_once),
		OPEN(the_next_connection_hears_of_it),
		OPEN(a_session_that_was_superseded_is_not_heard),
		OPEN(a_list_holds_what_is_durable),
		OPEN(a_revocation_reaches_the_door_at_once),
		OPEN(a_controller_that_does_not_read_costs_its_credit),
		OPEN(a_restart_keeps_numbers),
		OPEN(a_door_that_is_hung_elsewhere_changes_both_lists),
		OPEN(without_a_snapshot_it_waits_for_the_database),
		OPEN(what_doors_did_is_found_once),
		OPEN(what_was_not_judged_is_judged_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
