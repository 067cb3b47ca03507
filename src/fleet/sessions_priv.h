/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the fleet room: one worker's sessions (sessions.c), one session's
 * conversation (session.c), its records' way into the group (intake.c), the groups
 * themselves (batch.c); what is different with a registration desk (registration.c),
 * and a controller's list of rights (list_sync.c).  Owner of all structs: the worker's thread.
 */
#ifndef GATEHOUSE_FLEET_SESSIONS_PRIV_H
#define GATEHOUSE_FLEET_SESSIONS_PRIV_H

#include <sys/queue.h>

#include "fleet/sessions.h"
#include "wire/arena.h"
#include "wire/registration.h"

enum {
	SESSION_MAGIC = 0x53657373,
	SESSION_SLOT_BITS = 24,
	SESSION_SLOTS_MAX = 1 << SESSION_SLOT_BITS
};

enum session_state {
	SESSION_HELLO,     /* waits for hello */
	SESSION_CLAIMING,  /* waits for the roster, or the registrar; not reading */
	SESSION_STREAMING, /* granted: records come */
	SESSION_CLOSED,
	SESSION_STATES,
};

/* What every record and every ack needs stands in front, see struct stream. */
struct session {
	unsigned magic;
	enum session_state state;
	struct sessions *all;
	struct stream *stream;
	const struct controller *controller; /* of the register that `all` holds; NULL: a desk */
	enum tls_role role;                  /* controller or desk */
	bool waits_for_group;
	bool owes_ack;       /* for what was before it; no group was free to tell it by */
	bool waits_for_acks; /* a desk: its window is full */
	bool list_wanted;    /* the registrar knows of this controller's session */
	uint64_t id;         /* slot; above it the worker, and the slot's generation */
	uint64_t heard_ms;
	uint64_t records, acked;
	uint64_t ack_batch; /* number of the batch in which this session has an ack .. */
	size_t ack_index;   /* .. and where */
	size_t list_owed;   /* bytes of the list that are not with the kernel */
	uint64_t readings;  /* how often bytes came */
	uint64_t hole_seen; /* lowest seq that came behind a hole; 0: no hole */
	uint64_t held_from; /* lowest seq that was not kept for want of space; 0: none */
	/* last_seq: appended to a group, or passed to the registrar; not yet durable */
	struct sequence sequence;
	uint64_t hole_reading; /* in which what is behind the hole was seen */
	uint64_t hole_deadline_ms;
	uint64_t hello_epoch, hello_acked, hello_list;
	uint64_t generation; /* of the roster's grant, or the registrar's */
	uint64_t opened_ms;
	TAILQ_ENTRY(session) in_all;     /* or among the dead */
	TAILQ_ENTRY(session) in_waiting; /* for a group */
	uint32_t client_id;              /* of the controller, or the desk */
	char name[TLS_NAME_MAX + 1];
};

TAILQ_HEAD(session_list, session);

/* What a session is to be told when the group is durable. */
struct batch_ack {
	uint64_t session, seq;
};
struct batch_refusal {
	uint64_t session, seq;
	enum reject reason;
	char detail[160];
};

/* A group and what its return sets off. */
struct batch {
	struct group *group;
	uint64_t number;
	struct batch_ack *acks;
	size_t n_acks, acks_room;
	struct batch_refusal *refusals;
	size_t n_refusals, refusals_room;
	struct batch *next_free;
};

struct sessions {
	struct loop *loop;
	struct sessions_conf conf;
	struct journal *journal;
	struct mailbox *roster;
	struct reg *reg;
	struct card_keys *keys;
	struct arena arena;
	struct observer observer;
	struct session **slots; /* by the low half of an id; NULL: free */
	uint32_t *slot_generations;
	uint32_t *free_slots;
	size_t n_slots, n_free_slots;
	struct session_list all, dead, waiting;
	struct mail *first_release, *last_release; /* leave behind the group of this turn */
	struct batch *batches;                     /* conf.groups of them */
	struct batch *free_batches;
	struct batch *current; /* being filled; NULL: none yet this turn */
	uint64_t batch_number;
	uint64_t posted_ns; /* monotonic: when the last batch went */
	bool stopping;
	struct sessions_counters counters;
};

/* ---- session.c ----------------------------------------------------------- */

extern const struct stream_hooks session_hooks;

/* Says goodbye and ends; `session` stays valid until the end of the turn. */
void session_close(struct session *session, enum goaway reason, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* By the roster, or by the registrar. */
void session_granted(struct session *session, uint64_t generation, const struct sequence *sequence);
/* Queues an answer; a session that doesn't read is closed. */
void session_answer(struct session *session, const uint8_t *bytes, size_t n);
/* Asks for what is missing before `seen`, the first that came behind the hole. */
void session_ask_again(struct session *session, uint64_t seen);
/* Looks at deadlines. */
void session_check_time(struct session *session, uint64_t now_ms);

/* ---- sessions.c ---------------------------------------------------------- */

/* NULL when it is gone. */
struct session *sessions_find(struct sessions *all, uint64_t id);
/* The stream has ended: takes the session out of everything. */
void sessions_remove(struct session *session);
/* Tells the roster that a controller is free, as soon as the group of this turn is
 * with the journal: who gets the controller next can't overtake it. */
void sessions_release(struct sessions *all, uint32_t controller_id, uint64_t generation,
		      const struct sequence *sequence, uint64_t heard_ms);

/* ---- intake.c ------------------------------------------------------------ */

enum intake {
	INTAKE_DONE,  /* the message was dealt with */
	INTAKE_WAIT,  /* no group is free: offer it again later */
	INTAKE_PAUSE, /* a desk's window is full: offer it again when acks came */
};

enum intake intake_record(struct session *session, struct reported *reported);
enum intake intake_ahead(struct session *session, struct reported *reported);
enum intake intake_lost(struct session *session, uint64_t from, uint64_t to);

/* ---- registration.c ------------------------------------------------------ */

void registration_claim(struct session *session);
/* `session` and `generation`: those of the grant. */
void registration_release(struct sessions *all, uint64_t session, uint32_t desk_id,
			  uint64_t generation);
enum intake registration_record(struct session *session, struct reported *reported);
void registration_done(struct session *session, const struct registrar_done *done);
void registration_resend(struct session *session, const struct registrar_done *done);

/* ---- list_sync.c --------------------------------------------------------- */

/* A struct registrar_note of this kind. */
void registrar_tell(struct sessions *all, unsigned kind, uint64_t session, uint32_t id,
		    uint64_t number, size_t bytes);
/* After the Welcome; at the session's end. */
void list_subscribe(struct session *session);
void list_unsubscribe(struct session *session);
void list_send(struct session *session, const struct registrar_list *list);
/* Everything written is with the kernel. */
void list_drained(struct session *session);
void list_confirm(struct session *session, uint64_t number);

/* ---- batch.c ------------------------------------------------------------- */

void batches_init(struct sessions *all);
void batches_fini(struct sessions *all);
/* Room for an entry's body, or NULL when no group is free. */
uint8_t *batch_add(struct sessions *all, uint8_t type, uint8_t flags, size_t body_len);
/* The session is to be told its last_seq when this batch is durable.  False: no
 * group is free. */
bool batch_note_ack(struct session *session);
/* Directly after batch_add() succeeded. */
void batch_note_refusal(struct session *session, uint64_t seq, enum reject reason,
			const char *detail);
void batch_post(struct sessions *all);
/* At the end of a turn: posts, unless what there is can wait and is to. */
void batch_turn(struct sessions *all);
/* A group came back: sends the acks, lets those who waited go on. */
void batch_durable(struct sessions *all, struct group *group);

#endif
