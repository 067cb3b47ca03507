/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a registration desk may change, and what a change may be.  A function of the
 * rights and the register: no state, no clock.
 *
 * - A desk acts on cards of its sites only, and grants doors of the card's site only.
 * - A manager acts on every card there; a landlord on tenants' and temporary cards
 *   whose unit is one of its own, and grants the doors of that unit.
 * - A revoked card stays revoked, until it is registered again.
 * - Windows end after they begin; those of one card and door don't overlap.
 * All of a record holds, or none of it does.
 */
#ifndef GATEHOUSE_REGISTER_RULES_H
#define GATEHOUSE_REGISTER_RULES_H

#include "register/rights.h"
#include "wire/controller_msg.h"
#include "wire/registration.h"

struct registration_desk; /* of the register */

/* Who asks, about which card. */
struct rules_request {
	const struct registration_desk *desk;
	const struct site *site;
	const uint8_t *card_key; /* CARD_KEY_BYTES */
	int64_t now_us;
};

/* REJECT_NONE: `change` is what rights_apply() is to do; its texts are borrowed from
 * `ask` and from the request's desk, or from `rights` until the next change.  epoch, seq,
 * token and flags are the caller's to fill.  Otherwise why not, and in err->msg the rule in
 * words. */
enum reject rules_decide(const struct rights *rights, const struct reg *reg,
			 const struct rules_request *request, const struct registration *ask,
			 struct right_change *change, struct err *err) MUST_CHECK;

#endif
