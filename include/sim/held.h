/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a simulated controller holds: its list of rights, and what it decides by it.
 * Shares nothing with the daemon: cards are known by a HMAC of its own making, weekly
 * hours by GLib's time zones.
 *
 * A list that is coming is queued until its end; held_apply() brings everything that
 * came whole into force.  Owner: the controller.
 */
#ifndef GATEHOUSE_SIM_HELD_H
#define GATEHOUSE_SIM_HELD_H

#include "base/base.h"
#include "gatehouse.pb-c.h"

enum { HELD_KEY_BYTES = 16, HELD_HOURS_MAX = 32 };

struct held;

/* `site_key`: base64, of the controller's enrolment.  RC_INVALID when it isn't 32 bytes. */
enum rc held_new(struct held **held, const char *site_key, struct err *err) MUST_CHECK;
void held_free(struct held **held);

/* Takes a ListBegin, ListChange or ListEnd, and its memory.  RC_INVALID: it has no
 * place there, or doesn't fit what began. */
enum rc held_take(struct held *held, Gatehouse__V1__ToController *message,
		  struct err *err) MUST_CHECK;
/* Lists that came whole and are not in force. */
size_t held_whole(const struct held *held);
void held_apply(struct held *held);
/* The connection broke: what isn't in force comes again. */
void held_forget_coming(struct held *held);

/* Of what is in force; 0: none. */
uint64_t held_number(const struct held *held);
size_t held_rights(const struct held *held);
/* The same for the same rights, in whatever order they came. */
uint64_t held_digest(const struct held *held);

bool held_opens(const struct held *held, const uint8_t *card, size_t n, uint32_t door,
		int64_t time_us);

/* One right, for those who compute a digest from elsewhere: the sum of these. */
struct held_right {
	uint8_t card_key[HELD_KEY_BYTES];
	uint32_t door;
	int64_t valid_from_us, valid_until_us, not_before_us;
	bool active;
	size_t n_hours;
	uint16_t from_minute[HELD_HOURS_MAX], to_minute[HELD_HOURS_MAX];
};
uint64_t held_right_digest(const struct held_right *right);

#endif
