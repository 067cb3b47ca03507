/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract from the console's end, for programs of ours that are one: what
 * they say, as framed bytes; what they are told, checked.  The server's end is
 * wire/console_msg.h.  Any thread; an arena belongs to one.
 */
#ifndef GATEHOUSE_WIRE_CONSOLE_PEER_H
#define GATEHOUSE_WIRE_CONSOLE_PEER_H

#include "wire/console_msg.h"

/* Longest message of the server that is read; an alarm has about 1 KiB. */
enum { CONSOLE_NEWS_MAX = 64 * 1024 };

enum console_news_type {
	CONSOLE_NEWS_WELCOME,
	CONSOLE_NEWS_ALARM,
	CONSOLE_NEWS_KEEP_ALIVE,
	CONSOLE_NEWS_RESYNC,
	CONSOLE_NEWS_SNAPSHOT_END,
	CONSOLE_NEWS_GOAWAY,
	CONSOLE_NEWS_ACTION_RESULT,
	CONSOLE_NEWS_OTHER, /* of a kind that this version doesn't know: nothing to do */
};

/* An alarm as it stands after one change; texts are borrowed, none is NULL. */
struct console_alarm {
	uint64_t position, alarm_id;
	uint32_t kind;
	enum severity severity;
	unsigned state; /* enum AlarmState of the contract */
	uint32_t count;
	bool silent;
	struct alarm_place place;
	int64_t device_time_us, received_us, durable_us, raised_us, cleared_us;
	uint64_t epoch, seq;
	const char *raw_code;
	/* What became of it; see the contract. */
	uint32_t change;
	enum alarm_verb verb; /* behind this change */
	enum actor_kind actor_kind;
	const char *actor, *operator_code, *text, *acknowledged_by;
	enum reject_alarm reject;
	enum outcome outcome;
	enum alarm_stage stage;
	uint32_t escalation;
	uint64_t group_id;
	int64_t acted_us, shelved_until_us, acknowledged_us, first_acknowledged_us, offered_us,
		shown_us;
	bool latched;
};

struct console_news {
	enum console_news_type type;
	union {
		struct {
			const char *console, *station;
			uint32_t keepalive_s, node;
			uint64_t position;
		} welcome;
		struct console_alarm alarm;
		uint64_t position; /* KEEP_ALIVE, SNAPSHOT_END */
		const char *resync_reason;
		struct {
			uint32_t reason, delay_ms;
			const char *detail;
		} goaway;
		struct action_result result;
	};
};

/* Everything that the news point to lies in the arena, until it is reset.
 * RC_INVALID: not a message of the contract, or more than the arena holds. */
enum rc console_news_decode(struct arena *arena, const uint8_t *bytes, size_t n,
			    struct console_news *news, struct err *err) MUST_CHECK;

/* Which alarms somebody wants to be told of; all zeros: all. */
struct console_filter {
	enum severity severity_min;
	size_t n_kinds; /* 0: all */
	uint16_t kinds[SUBSCRIBE_KINDS_MAX];
};

/* Each returns the number of bytes. */
size_t console_say_hello(uint8_t out[CONSOLE_ANSWER_MAX], const char *software);
size_t console_say_subscribe(uint8_t out[CONSOLE_ANSWER_MAX], uint64_t from_position,
			     const struct console_filter *filter);
/* The request's texts must be of their length. */
size_t console_say_action(uint8_t out[CONSOLE_ANSWER_MAX], const struct action_request *request);
/* At most SHOWN_MAX. */
size_t console_say_shown(uint8_t out[CONSOLE_ANSWER_MAX], const struct alarm_seen *alarms,
			 size_t n);
size_t console_say_keep_alive(uint8_t out[CONSOLE_ANSWER_MAX], int64_t clock_us);

#endif
