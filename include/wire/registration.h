/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a registration desk's record asks for: form and bounds checked, nothing
 * looked up yet.  Whether it may be, and what becomes of it, is for the rules of
 * the register (register/rules.h).
 *
 * No card number: who reads the record turns it into the card's key and wipes it.
 */
#ifndef GATEHOUSE_WIRE_REGISTRATION_H
#define GATEHOUSE_WIRE_REGISTRATION_H

#include "wire/controller_msg.h"

/* Everything that it points to is borrowed. */
struct registration {
	uint64_t seq;
	uint16_t kind;           /* KIND_CODE_CARD_REGISTERED .. KIND_CODE_GRANT_REMOVED */
	uint32_t flags;          /* RECORD_CLOCK_* */
	int64_t device_time_us;  /* by the clock of the desk */
	const uint8_t *card_key; /* CARD_KEY_BYTES; NULL: the card comes by its number */
	/* card_change; all zero and empty with grant.* */
	uint8_t card_kind;     /* enum card_kind; NONE: unchanged */
	int64_t card_from_us;  /* 0: unchanged; with card.registered: from now on */
	int64_t card_until_us; /* 0: unchanged; with card.registered: open end */
	const char *unit;      /* terminated; "": unchanged, or none */
	const uint8_t *sealed;
	size_t sealed_len; /* 0 .. RIGHT_SEALED_MAX */
	/* grant_change; all zero and empty with card.* */
	const char *const *doors; /* codes, terminated */
	size_t n_doors;           /* 0 .. RIGHT_DOORS_MAX */
	const char *group;        /* terminated; "": none */
	int64_t valid_from_us, valid_until_us;
	struct right_hours hours[RIGHT_HOURS_MAX];
	size_t n_hours;
};

/*
 * Form and bounds of a desk's record.  Everything but the clock's flags is filled, and
 * points into the message; *site is the code of the card's site.  Otherwise why not, and
 * in err->msg what was wrong with which field.
 */
enum reject registration_check(struct arena *arena, const struct reported *reported,
			       struct registration *ask, const char **site,
			       struct err *err) MUST_CHECK;

#endif
