/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registration desks and lists of rights, as far as a worker's sessions have a part in
 * them; the test plays the registrar.  Guarded: nothing is acknowledged but what the
 * registrar says; no number leaves the session; the window bounds what waits; and who
 * reads no list gets no more of it.
 */
#include "device.h"

/* ---- The registrar ----------------------------------------------------------------- */

/* What the sessions posted, oldest first; the test frees. */
static struct mail *posted;

static bool
registrar_has(struct rig *rig)
{
	struct mail *more;

	if (posted != NULL)
		return true;
	more = mailbox_take_all(&rig->registrar);
	posted = more;
	return posted != NULL;
}

/* The next message, which must be of this kind. */
static struct mail *
registrar_take(struct rig *rig, unsigned kind)
{
	struct mail *mail;

	UNTIL(rig, registrar_has(rig));
	mail = posted;
	posted = mail->next;
	assert_int_equal(mail->kind, kind);
	return mail;
}

static void
registrar_expect_nothing(struct rig *rig)
{
	assert_false(registrar_has(rig));
}

static struct mailbox *
side_box(struct rig *rig)
{
	return loop_mailbox(rig->sides[0].loop);
}

static void
registrar_grant(struct rig *rig, uint64_t session, uint64_t last_seq)
{
	struct registrar_grant *grant = xcalloc(1, sizeof(*grant));

	grant->mail.kind = REGISTRAR_MAIL_GRANT;
	grant->session = session;
	grant->desk_id = OFFICE;
	grant->generation = 12;
	grant->sequence = (struct sequence){.epoch = 3, .last_seq = last_seq};
	mailbox_post(side_box(rig), &grant->mail);
}

static void
registrar_say(struct rig *rig, unsigned kind, uint64_t session, uint64_t acked, uint64_t refused)
{
	struct registrar_done *done = xcalloc(1, sizeof(*done) + sizeof(struct registrar_refusal));

	done->mail.kind = kind;
	done->session = session;
	done->acked_seq = acked;
	if (refused != 0) {
		done->n_refusals = 1;
		done->refusals[0] = (struct registrar_refusal){
			.seq = refused, .reason = REJECT_RULE, .detail = "because"};
	}
	mailbox_post(side_box(rig), &done->mail);
}

/* ---- The desk ------------------------------------------------------------------------ */

/* A desk that said hello; *session is what the registrar knows it by. */
static struct device *
desk_claim(struct rig *rig, uint64_t *session)
{
	struct device *desk = device_connect(rig, 0, 0, "office-1");
	struct registrar_claim *claim;

	device_put_hello(desk, 3, 0);
	device_send(desk);
	claim = CONTAINER_OF(registrar_take(rig, REGISTRAR_MAIL_CLAIM), struct registrar_claim,
			     mail);
	assert_int_equal(claim->desk_id, OFFICE);
	assert_int_equal(claim->epoch, 3);
	assert_ptr_equal(claim->box, side_box(rig));
	*session = claim->session;
	free(claim);
	return desk;
}

static struct device *
desk_begin(struct rig *rig, uint64_t *session, uint64_t last_seq)
{
	struct device *desk = desk_claim(rig, session);

	registrar_grant(rig, *session, last_seq);
	UNTIL(rig, device_told(desk, TOLD(WELCOME)) == 1);
	return desk;
}

static void
desk_put_record(struct device *desk, uint64_t seq, char *site)
{
	Gatehouse__V1__Record record = device_record(seq);
	Gatehouse__V1__CardChange change = GATEHOUSE__V1__CARD_CHANGE__INIT;

	record.kind = GATEHOUSE__V1__KIND__KIND_CARD_REGISTERED;
	record.door = 0;
	record.site = site;
	record.card_change = &change;
	change.card_kind = GATEHOUSE__V1__CARD_KIND__CARD_KIND_TENANT;
	device_put_this(desk, &record, false);
}

static char elm_site[] = "elm", foreign_site[] = "moon";

static struct registrar_record *
registrar_take_record(struct rig *rig, uint64_t seq)
{
	struct registrar_record *record = CONTAINER_OF(registrar_take(rig, REGISTRAR_MAIL_RECORD),
						       struct registrar_record, mail);

	assert_int_equal(record->ask.seq, seq);
	assert_int_equal(record->desk_id, OFFICE);
	assert_int_equal(record->generation, 12);
	return record;
}

static void
a_record_goes_to_the_registrar_without_its_number(void **state)
{
	static const uint8_t zero[CARD_KEY_BYTES];
	struct rig *rig = rig_make(4, true, 0);
	struct registrar_record *record;
	struct device *desk;
	uint64_t session;

	(void)state;
	desk = desk_begin(rig, &session, 0);
	desk_put_record(desk, 1, elm_site);
	device_send(desk);
	record = registrar_take_record(rig, 1);
	assert_int_equal(record->reject, REJECT_NONE);
	assert_int_equal(record->site_id, SITE);
	assert_int_equal(record->received_us, CLOCK_FAKE_WALL_US);
	assert_int_equal(record->ask.kind, KIND_CODE_CARD_REGISTERED);
	assert_int_equal(record->ask.card_kind, CARD_KIND_TENANT);
	assert_memory_not_equal(record->card_key, zero, sizeof(zero));
	assert_true(record->payload_len > 0);
	assert_null(memmem(record->payload, record->payload_len, "4711", 4));
	/* and is not acknowledged by being on its way */
	device_settle(rig, desk);
	assert_int_equal(device_told(desk, TOLD(ACK)), 0);
	free(record);
	registrar_say(rig, REGISTRAR_MAIL_DONE, session, 1, 0);
	UNTIL(rig, device_acked(desk) == 1);
	rig_free(rig);
}

static void
what_the_rules_refuse_is_rejected_before_the_ack(void **state)
{
	struct rig *rig = rig_make(4, true, 0);
	const Gatehouse__V1__Reject *reject;
	struct device *desk;
	uint64_t session;

	(void)state;
	desk = desk_begin(rig, &session, 0);
	desk_put_record(desk, 1, elm_site);
	device_send(desk);
	free(registrar_take_record(rig, 1));
	registrar_say(rig, REGISTRAR_MAIL_DONE, session, 1, 1);
	UNTIL(rig, device_acked(desk) == 1);
	reject = device_last(desk, TOLD(REJECT))->reject;
	assert_int_equal(reject->seq, 1);
	assert_int_equal(reject->reason, GATEHOUSE__V1__REJECT_REASON__REJECT_REASON_RULE);
	assert_string_equal(reject->detail, "because");
	assert_ptr_equal(desk->told[desk->n_told - 1], device_last(desk, TOLD(ACK)));
	rig_free(rig);
}

static void
what_makes_no_sense_goes_with_the_reason(void **state)
{
	struct rig *rig = rig_make(4, true, 0);
	struct registrar_record *record;
	struct device *desk;
	uint64_t session;

	(void)state;
	desk = desk_begin(rig, &session, 0);
	desk_put_record(desk, 1, foreign_site);
	device_put_record(desk, 2); /* an access */
	device_send(desk);
	record = registrar_take_record(rig, 1);
	assert_int_equal(record->reject, REJECT_FOREIGN_SITE);
	assert_string_equal(record->detail, "there is no site \"moon\"");
	assert_int_equal(record->site_id, 0);
	free(record);
	record = registrar_take_record(rig, 2);
	assert_int_equal(record->reject, REJECT_NOT_YOURS);
	free(record);
	rig_free(rig);
}

static void
a_record_again_is_acknowledged_and_not_passed_on(void **state)
{
	struct rig *rig = rig_make(4, true, 0);
	struct device *desk;
	uint64_t session;

	(void)state;
	desk = desk_begin(rig, &session, 0);
	desk_put_record(desk, 1, elm_site);
	desk_put_record(desk, 1, elm_site);
	device_send(desk);
	free(registrar_take_record(rig, 1));
	device_settle(rig, desk);
	/* the second: neither passed on nor acknowledged before the first is durable */
	registrar_expect_nothing(rig);
	assert_int_equal(device_told(desk, TOLD(ACK)), 0);
	registrar_say(rig, REGISTRAR_MAIL_DONE, session, 1, 0);
	UNTIL(rig, device_told(desk, TOLD(ACK)) == 1);
	desk_put_record(desk, 1, elm_site);
	device_send(desk);
	UNTIL(rig, device_told(desk, TOLD(ACK)) == 2);
	registrar_expect_nothing(rig);
	rig_free(rig);
}

static void
behind_a_hole_nothing_is_passed_on(void **state)
{
	struct rig *rig = rig_make(4, true, 0);
	struct device *desk;
	uint64_t session;

	(void)state;
	desk = desk_begin(rig, &session, 5);
	desk_put_record(desk, 7, elm_site);
	device_send(desk);
	UNTIL(rig, device_told(desk, TOLD(RESEND)) == 1);
	assert_int_equal(device_last(desk, TOLD(RESEND))->resend->from_seq, 6);
	registrar_expect_nothing(rig);
	desk_put_record(desk, 6, elm_site);
	desk_put_record(desk, 7, elm_site);
	device_send(desk);
	free(registrar_take_record(rig, 6));
	free(registrar_take_record(rig, 7));
	/* the registrar, too, may ask */
	registrar_say(rig, REGISTRAR_MAIL_RESEND, session, 6, 0);
	UNTIL(rig, device_told(desk, TOLD(RESEND)) == 2);
	assert_int_equal(device_last(desk, TOLD(RESEND))->resend->from_seq, 7);
	desk_put_record(desk, 7, elm_site);
	device_send(desk);
	free(registrar_take_record(rig, 7));
	rig_free(rig);
}

static void
a_full_window_waits_for_acks(void **state)
{
	struct rig *rig = rig_make(4, true, 0);
	struct device *desk;
	uint64_t session;
	enum { WINDOW = 64 };

	(void)state;
	desk = desk_begin(rig, &session, 0);
	for (uint64_t seq = 1; seq <= WINDOW + 1; seq++)
		desk_put_record(desk, seq, elm_site);
	device_send(desk);
	for (uint64_t seq = 1; seq <= WINDOW; seq++)
		free(registrar_take_record(rig, seq));
	for (int turns = 0; turns < QUICK_TURNS; turns++)
		rig_turn(rig, 0);
	registrar_expect_nothing(rig);
	/* silent because we don't listen: that is not its fault */
	clock_fake_advance_ms(LEASE_S * 1000 + 1);
	rig_sweep(rig);
	assert_non_null(desk->stream);
	registrar_say(rig, REGISTRAR_MAIL_DONE, session, 1, 0);
	free(registrar_take_record(rig, WINDOW + 1));
	rig_free(rig);
}

static void
a_desk_is_let_go_of(void **state)
{
	struct rig *rig = rig_make(4, true, 0);
	struct registrar_note *note;
	struct device *desk;
	uint64_t session;

	(void)state;
	/* when its session ends */
	desk = desk_begin(rig, &session, 0);
	stream_close(desk->stream);
	note = CONTAINER_OF(registrar_take(rig, REGISTRAR_MAIL_RELEASE), struct registrar_note,
			    mail);
	assert_int_equal(note->id, OFFICE);
	assert_int_equal(note->number, 12);
	free(note);
	/* when it ended while the registrar was thinking */
	desk = desk_claim(rig, &session);
	clock_fake_advance_ms(HELLO_MS);
	rig_sweep(rig);
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->desks) == 0);
	UNTIL(rig, desk->stream == NULL);
	registrar_grant(rig, session, 0);
	note = CONTAINER_OF(registrar_take(rig, REGISTRAR_MAIL_RELEASE), struct registrar_note,
			    mail);
	assert_int_equal(note->session, session);
	free(note);
	/* and sent away when the registrar says so */
	desk = desk_begin(rig, &session, 0);
	{
		struct registrar_grant *denied = xcalloc(1, sizeof(*denied));

		denied->mail.kind = REGISTRAR_MAIL_DENY;
		denied->session = session;
		denied->reason = GOAWAY_SUPERSEDED;
		mailbox_post(side_box(rig), &denied->mail);
	}
	device_expect_goaway(rig, desk, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_SUPERSEDED);
	rig_free(rig);
}

static void
a_desk_has_no_alarms_gaps_and_doors(void **state)
{
	struct rig *rig = rig_make(4, true, 0);
	struct device *desk;
	uint64_t session;

	(void)state;
	desk = desk_begin(rig, &session, 0);
	device_put_lost(desk, 1, 2);
	device_send(desk);
	device_expect_goaway(rig, desk, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_PROTOCOL);
	desk = device_connect(rig, 1, 0, "office-9");
	device_expect_goaway(rig, desk, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_UNKNOWN);
	rig_free(rig);
}

/* ---- Lists of rights ------------------------------------------------------------------ */

static struct registrar_note *
registrar_take_note(struct rig *rig, unsigned kind)
{
	struct registrar_note *note =
		CONTAINER_OF(registrar_take(rig, kind), struct registrar_note, mail);

	assert_int_equal(note->id, ELM);
	return note;
}

static size_t
registrar_send_list(struct rig *rig, uint64_t session)
{
	static const char begin[] = "\x04\x3a\x02\x08\x4d"; /* ListBegin{number: 77} */
	size_t n = sizeof(begin) - 1;
	struct registrar_list *list = xcalloc(1, sizeof(*list) + n);

	list->mail.kind = REGISTRAR_MAIL_LIST;
	list->session = session;
	list->controller_id = ELM;
	list->n = n;
	memcpy(list->bytes, begin, n);
	mailbox_post(side_box(rig), &list->mail);
	return n;
}

static void
a_controller_is_sent_its_list_and_confirms(void **state)
{
	struct rig *rig = rig_make(4, true, 0);
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Hello hello = GATEHOUSE__V1__HELLO__INIT;
	Gatehouse__V1__ListConfirm confirm = GATEHOUSE__V1__LIST_CONFIRM__INIT;
	struct device *elm = device_connect(rig, 0, 0, "elm-1");
	struct registrar_note *note;
	uint64_t session;
	size_t n;

	(void)state;
	hello.protocol = 1;
	hello.epoch = 3;
	hello.list_number = 42;
	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HELLO;
	from.hello = &hello;
	device_put(elm, &from);
	device_send(elm);
	note = registrar_take_note(rig, REGISTRAR_MAIL_SUBSCRIBE);
	assert_int_equal(note->number, 42);
	session = note->session;
	free(note);
	n = registrar_send_list(rig, session);
	UNTIL(rig, device_told(elm, TOLD(LIST_BEGIN)) == 1);
	assert_int_equal(device_last(elm, TOLD(LIST_BEGIN))->list_begin->number, 77);
	note = registrar_take_note(rig, REGISTRAR_MAIL_SENT);
	assert_int_equal(note->bytes, n);
	free(note);
	confirm.number = 77;
	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_CONFIRM;
	from.confirm = &confirm;
	device_put(elm, &from);
	device_send(elm);
	note = registrar_take_note(rig, REGISTRAR_MAIL_CONFIRM);
	assert_int_equal(note->number, 77);
	free(note);
	stream_close(elm->stream);
	free(registrar_take_note(rig, REGISTRAR_MAIL_UNSUBSCRIBE));
	/* what was on its way to it meets nobody */
	(void)registrar_send_list(rig, session);
	rig_turn(rig, 0);
	registrar_expect_nothing(rig);
	rig_free(rig);
}

#define TEST(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_goes_to_the_registrar_without_its_number),
		TEST(what_the_rules_refuse_is_rejected_before_the_ack),
		TEST(what_makes_no_sense_goes_with_the_reason),
		TEST(a_record_again_is_acknowledged_and_not_passed_on),
		TEST(behind_a_hole_nothing_is_passed_on),
		TEST(a_full_window_waits_for_acks),
		TEST(a_desk_is_let_go_of),
		TEST(a_desk_has_no_alarms_gaps_and_doors),
		TEST(a_controller_is_sent_its_list_and_confirms),
	};

	return cmocka_run_group_tests(tests, rig_make_folder, rig_remove_folder);
}
