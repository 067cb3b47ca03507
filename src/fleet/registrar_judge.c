/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accesses held against the rights as they stood.
 *
 * What is found becomes a record of the server's own, under one epoch for ever, and with
 * a number that comes from the position of the judged record: judging it again, after a
 * crash, makes the same record.  In replay those that are in the journal already are
 * struck off before anything is journaled.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "registrar_priv.h"
#include "wire/kind.h"

/* ---- Findings ------------------------------------------------------------------- */

static uint64_t
finding_seq(uint64_t position, uint16_t kind)
{
	return 2 * position + (kind == KIND_CODE_REVOKED_PRESENTED);
}

/* One of our own, in replay: it is in the journal, and need not go there again. */
static void
findings_strike(struct registrar *r, uint64_t seq)
{
	for (size_t i = r->n_findings; i > 0; i--) {
		if (r->findings[i - 1].seq != seq)
			continue;
		memmove(&r->findings[i - 1], &r->findings[i],
			(r->n_findings - i) * sizeof(*r->findings));
		r->n_findings--;
		return;
	}
}

static void
findings_add(struct registrar *r, const struct finding *finding)
{
	if (r->n_findings == r->findings_room) {
		r->findings_room = r->findings_room == 0 ? 64 : 2 * r->findings_room;
		r->findings = xrealloc(r->findings, r->findings_room * sizeof(*r->findings));
	}
	r->findings[r->n_findings++] = *finding;
}

/* ---- Judging -------------------------------------------------------------------- */

/* Which list the controller decided by: what it says, or else what it confirmed. */
static uint64_t
list_of(const struct registrar *r, const struct record *record)
{
	if ((record->flags & RECORD_HAS_LIST) != 0)
		return record->list_number;
	return rights_confirmed(r->rights, record->controller_id);
}

static void
find(struct registrar *r, uint64_t position, const struct record *record, uint16_t kind,
     struct judgement judgement)
{
	uint64_t list = list_of(r, record);
	struct finding finding = {
		.controller_id = record->controller_id,
		.site_id = record->site_id,
		.door_id = record->door_id,
		.kind = kind,
		.seq = finding_seq(position, kind),
		.device_time_us = record->device_time_us,
		.received_us = record->received_us,
		.has_token = (record->flags & RECORD_HAS_TOKEN) != 0,
	};

	memcpy(finding.token, record->token, TOKEN_BYTES);
	(void)snprintf(finding.detail, sizeof(finding.detail),
		       "{\"why\":\"%s\",\"list\":%" PRIu64 ",\"register\":%" PRIu64
		       ",\"confirmed\":%s,\"epoch\":%" PRId64 ",\"seq\":%" PRIu64 "}",
		       verdict_name(judgement.verdict), list, judgement.position,
		       list != 0 && list >= judgement.position ? "true" : "false", record->epoch,
		       record->seq);
	findings_add(r, &finding);
}

/* Where the clock of the controller is off, the time of receipt is all we have. */
static int64_t
time_of(const struct record *record)
{
	return (record->flags & RECORD_CLOCK_OFF) != 0 ? record->received_us
						       : record->device_time_us;
}

static void
judge_access(struct registrar *r, uint64_t position, const struct record *record, uint32_t card_id)
{
	const struct site *site = reg_site(r->reg, record->site_id);
	struct access access = {
		.site_id = record->site_id,
		.door_id = record->door_id,
		.time_us = time_of(record),
		.card = rights_card_by_id(r->rights, card_id),
		.zone = site != NULL ? site->zone : NULL,
	};
	struct judgement judgement;

	if (site == NULL)
		return;
	judgement = rights_judge(r->rights, &access);
	if (judgement.verdict == VERDICT_NOT_JUDGED) {
		counter_add(&r->counters.not_judged, 1);
		return;
	}
	counter_add(&r->counters.judged, 1);
	if (record->kind == KIND_CODE_ACCESS_GRANTED && judgement.verdict != VERDICT_OK)
		find(r, position, record, KIND_CODE_POLICY_DIVERGENCE, judgement);
	if (judgement.verdict == VERDICT_REVOKED || judgement.verdict == VERDICT_LOST)
		find(r, position, record, KIND_CODE_REVOKED_PRESENTED, judgement);
}

void
judge_record(struct registrar *r, const struct journal_entry *entry, const struct record *record)
{
	uint32_t card_id;
	struct err err;

	if (record->epoch == r->epoch) {
		findings_strike(r, record->seq);
		return;
	}
	if ((entry->flags & ENTRY_FLAG_RIGHTS) == 0 || !r->ready || r->reg == NULL ||
	    !rights_has_site(r->rights, record->site_id) || (record->flags & RECORD_HAS_TOKEN) == 0)
		return;
	if (token_index_find(r->tokens, r->rights, record, &card_id, &err) != RC_OK) {
		log_error("rights", "an access is not judged: %s", err.msg);
		counter_add(&r->counters.not_judged, 1);
		return;
	}
	judge_access(r, entry->next, record, card_id);
}

/* ---- Into the journal ------------------------------------------------------------ */

static bool
finding_emit(struct registrar *r, const struct finding *finding)
{
	struct record record = {
		.controller_id = finding->controller_id,
		.site_id = finding->site_id,
		.door_id = finding->door_id,
		.kind = finding->kind,
		.epoch = r->epoch,
		.seq = finding->seq,
		.device_time_us = finding->device_time_us,
		.received_us = finding->received_us,
		.flags = finding->has_token ? RECORD_HAS_TOKEN : 0,
		.raw_code = "",
		.detail = finding->detail,
		.detail_len = strlen(finding->detail),
	};
	uint8_t *body;

	memcpy(record.token, finding->token, TOKEN_BYTES);
	body = registrar_room(r, ENTRY_RECORD, ENTRY_FLAG_DESK, record_encoded_len(&record));
	if (body == NULL)
		return false;
	(void)record_encode(&record, body);
	counter_add(finding->kind == KIND_CODE_POLICY_DIVERGENCE ? &r->counters.divergences
								 : &r->counters.revoked_presented,
		    1);
	return true;
}

bool
judge_emit(struct registrar *r)
{
	size_t n = 0;

	while (n < r->n_findings && finding_emit(r, &r->findings[n]))
		n++;
	if (n == 0) /* memmove() must not be given NULL, also not for nothing */
		return r->n_findings == 0;
	r->n_findings -= n;
	memmove(r->findings, r->findings + n, r->n_findings * sizeof(*r->findings));
	return r->n_findings == 0;
}
