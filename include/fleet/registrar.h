/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar: the one thread that decides about cards and rights, and keeps every
 * controller's list true.
 *
 * IN: registration desks' records.  A session (worker) has checked the form and turned
 * the card number into the card's key.  The registrar checks the place in the desk's
 * sequence and the rules, appends the change, and when that is durable has the session
 * acknowledge it.  What the rules refuse goes to the quarantine and is rejected, in its
 * turn.  Nobody else appends for a desk, so the journal's order is that of the decisions.
 *
 * OUT: lists.  A controller's session subscribes when it said hello.  What its controller
 * lacks comes as framed bytes for which the session has credit; it reports what is with
 * the kernel, and what the controller confirmed.
 *
 * A desk's newest session is the one that lives: a claim supersedes the one before it at
 * once, and what that one still sends is not looked at.
 *
 * Owner: one thread, whose loop it lives on.
 */
#ifndef GATEHOUSE_FLEET_REGISTRAR_H
#define GATEHOUSE_FLEET_REGISTRAR_H

#include "base/counter.h"
#include "base/loop.h"
#include "fleet/roster.h"
#include "register/rules.h"

enum {
	/* To the registrar; allocated by the sender, freed by the registrar. */
	REGISTRAR_MAIL_CLAIM = 400, /* struct registrar_claim: a desk said hello */
	REGISTRAR_MAIL_RELEASE,     /* struct registrar_note: its session ended */
	REGISTRAR_MAIL_RECORD,      /* struct registrar_record */
	REGISTRAR_MAIL_SUBSCRIBE,   /* struct registrar_note: a controller's session, after its
				       Welcome; number: that of its Hello.  Again replaces the
				       session that the controller had */
	REGISTRAR_MAIL_UNSUBSCRIBE, /* struct registrar_note */
	REGISTRAR_MAIL_SENT,        /* struct registrar_note: so many bytes are with the kernel */
	REGISTRAR_MAIL_CONFIRM,     /* struct registrar_note: number is in force there */
	REGISTRAR_MAIL_GROUP,       /* a group of its own, durable */
	REGISTRAR_MAIL_RIGHTS,      /* struct registrar_rights */
	/* To a session's box; freed by the session. */
	REGISTRAR_MAIL_GRANT,  /* struct registrar_grant: the desk is this session's */
	REGISTRAR_MAIL_DENY,   /* struct registrar_grant with a reason: close; also later */
	REGISTRAR_MAIL_DONE,   /* struct registrar_done: acknowledge, and reject */
	REGISTRAR_MAIL_RESEND, /* struct registrar_done: ask for what follows acked_seq */
	REGISTRAR_MAIL_LIST,   /* struct registrar_list: send these bytes */
};

struct registrar_claim {
	struct mail mail;
	struct mailbox *box; /* where answers go */
	uint64_t session;    /* the box's own id */
	uint32_t desk_id;
	uint64_t epoch; /* of the hello: 0 asks for a new one */
	uint64_t acked_seq;
};

struct registrar_grant {
	struct mail mail;
	uint64_t session;
	uint32_t desk_id;
	uint64_t generation; /* goes with each record */
	struct sequence sequence;
	enum goaway reason; /* of a denial */
};

/* One record of a desk.  By registrar_record_new(). */
struct registrar_record {
	struct mail mail;
	uint32_t desk_id;
	uint64_t generation; /* of the grant */
	int64_t received_us;
	uint32_t site_id; /* of the card; 0: see reject */
	uint8_t card_key[CARD_KEY_BYTES];
	/* The form was wrong already: not REJECT_NONE, with the reason in words.  Then only
	 * ask.seq counts. */
	enum reject reject;
	char detail[160];
	struct registration ask; /* its texts lie behind the struct */
	/* For the quarantine: reported_pack_safely(). */
	const uint8_t *payload;
	size_t payload_len;
};

/* A copy of everything, in one piece; the rest is the caller's to fill. */
struct registrar_record *registrar_record_new(const struct registration *ask,
					      const uint8_t *payload, size_t payload_len);

struct registrar_note {
	struct mail mail;
	struct mailbox *box;
	uint64_t session;
	uint32_t id;     /* of the desk or the controller */
	uint64_t number; /* of the list; or the generation, with RELEASE */
	size_t bytes;
};

/* Cards and rights from elsewhere, for a registrar that has none: all of them as they
 * are at `position` of the journal. */
struct registrar_rights {
	struct mail mail;
	struct rights *rights; /* the registrar takes them */
	uint64_t position;
};

struct registrar_refusal {
	uint64_t seq;
	enum reject reason;
	char detail[160];
};

struct registrar_done {
	struct mail mail;
	uint64_t session;
	uint64_t acked_seq; /* all up to here is durable */
	size_t n_refusals;
	struct registrar_refusal refusals[]; /* with seq <= acked_seq, ascending */
};

struct registrar_list {
	struct mail mail;
	uint64_t session;
	uint32_t controller_id;
	size_t n;
	uint8_t bytes[]; /* whole frames of ToController */
};

struct registrar_conf {
	uint32_t node;
	int64_t start_us; /* of the daemon, wall clock */
	struct rights_conf rights;
	size_t credit_bytes;   /* on the way to one controller's session */
	uint64_t snapshot_ms;  /* between snapshots */
	const char *state_dir; /* of rights.snapshot */
	const char *keys_dir;  /* of the card keys */
	int64_t clock_tolerance_us;
	uint64_t desk_window; /* records of one desk that may wait here */
};

struct registrar_counters {
	counter desks;                     /* with a session, now */
	counter changes, refused;          /* records of desks: applied; rejected */
	counter subscribers;               /* controllers' sessions, now */
	counter lists_full, lists_changes; /* sent */
	counter list_bytes;
	counter confirms;
	counter judged, not_judged; /* accesses held against the register; too old for that */
	counter divergences, revoked_presented;
	counter cards, rights, controllers, behind, bytes; /* see struct rights_stats */
	counter ready;       /* 1: the rights are whole; 0: see registrar_new() */
	counter position;    /* next entry of the journal to read */
	counter snapshot_us; /* when the last snapshot was durable, wall clock; 0: never */
	counter ticks;
};

struct registrar;

/* What there is already. */
struct registrar_start {
	struct journal *journal;           /* open, and not started */
	const struct positions *positions; /* of the desks' sequences; copied */
	struct reg *reg;                   /* NULL: none yet; the reference is taken */
};

/*
 * Opens a hold on the journal, loads the snapshot, replays.  Where the snapshot is missing,
 * foreign or damaged, counter `ready` stays 0, desks are told to come back, and nothing is
 * sent or judged, until a struct registrar_rights comes.  RC_INVALID: the journal is damaged where
 * it was durable, or the card keys can't be read.  What was made is the caller's to free, also
 * then.
 */
enum rc registrar_new(struct registrar **registrar, struct loop *loop,
		      const struct registrar_conf *conf, const struct registrar_start *start,
		      struct err *err) MUST_CHECK;
void registrar_free(struct registrar **registrar);

/* A message of the kinds above; takes it. */
void registrar_mail(struct registrar *registrar, struct mail *mail);
/* Takes the reference. */
void registrar_set_register(struct registrar *registrar, struct reg *reg);
/* At the end of each turn of the loop: reads, decides, sends. */
void registrar_turn(struct registrar *registrar);
/* Stop: decides no more, and saves once more when all is read.  True when that is done. */
bool registrar_finish(struct registrar *registrar);
/* Any thread. */
const struct registrar_counters *registrar_counters(const struct registrar *registrar);

#endif
