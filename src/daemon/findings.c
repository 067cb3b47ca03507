/* SPDX-License-Identifier: Apache-2.0 */
/* What following the journal shows, in words that are the same each time. */
#include "daemon/findings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "wire/kind.h"

struct finding {
	struct observed about;
	uint16_t kind;
	uint8_t flags;
	char detail[120];
	STAILQ_ENTRY(finding) next;
};
STAILQ_HEAD(finding_list, finding);

struct findings {
	struct observer observer;
	struct finding_list waiting;
	size_t damages_seen; /* of the journal's list */
};

struct findings *
findings_new(const struct findings_conf *conf)
{
	struct findings *findings = xcalloc(1, sizeof(*findings));

	observer_init(&findings->observer, conf->start_us, conf->node, conf->observer_index,
		      conf->observers);
	STAILQ_INIT(&findings->waiting);
	return findings;
}

void
findings_free(struct findings **out)
{
	struct findings *findings = *out;

	if (findings == NULL)
		return;
	*out = NULL;
	while (!STAILQ_EMPTY(&findings->waiting))
		findings_done(findings);
	free(findings);
}

/* The caller fills in the detail. */
static struct finding *
findings_add(struct findings *findings, const struct observed *about, uint16_t kind)
{
	struct finding *finding = xcalloc(1, sizeof(*finding));

	finding->about = *about;
	finding->kind = kind;
	finding->flags = ENTRY_FLAG_DESK;
	STAILQ_INSERT_TAIL(&findings->waiting, finding, next);
	return finding;
}

void
findings_take_change(struct findings *findings, const struct observed *about,
		     const struct position_change *change)
{
	bool hole = change->news == POSITION_NEWS_HOLE;
	struct finding *finding;

	if (change->news == POSITION_NEWS_NONE)
		return;
	finding = findings_add(findings, about,
			       hole ? KIND_CODE_RECORDS_GAP : KIND_CODE_RECORDS_GAP_FILLED);
	/* the alarm is one for the controller: the last of its holes ends it */
	if (!hole && !change->last)
		finding->flags = 0;
	(void)snprintf(finding->detail, sizeof(finding->detail),
		       "{\"epoch\":%" PRId64 ",\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}",
		       change->epoch, change->from, change->to);
}

void
findings_take_damage(struct findings *findings, struct journal *journal,
		     const struct positions *positions)
{
	const struct observed itself = {0};
	struct journal_damage damage;
	struct finding *finding;

	while (journal_get_damage(journal, findings->damages_seen, &damage)) {
		findings->damages_seen++;
		if (positions_know_damage(positions, damage.position))
			continue;
		finding = findings_add(findings, &itself, KIND_CODE_JOURNAL_DAMAGED);
		(void)snprintf(finding->detail, sizeof(finding->detail),
			       "{\"position\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", damage.position,
			       damage.bytes);
	}
}

static bool
finding_is_said_by(const struct finding *finding, const struct record *record)
{
	return finding->kind == record->kind &&
	       finding->about.controller_id == record->controller_id &&
	       strlen(finding->detail) == record->detail_len &&
	       memcmp(finding->detail, record->detail, record->detail_len) == 0;
}

void
findings_note_said(struct findings *findings, const struct record *record)
{
	struct finding *finding;

	STAILQ_FOREACH(finding, &findings->waiting, next)
	{
		if (finding_is_said_by(finding, record)) {
			STAILQ_REMOVE(&findings->waiting, finding, finding, next);
			free(finding);
			return;
		}
	}
}

bool
findings_first(struct findings *findings, struct record *record, uint8_t *flags)
{
	const struct finding *finding = STAILQ_FIRST(&findings->waiting);

	if (finding == NULL)
		return false;
	observer_record(&findings->observer, &finding->about, finding->kind, clock_wall_us(),
			finding->detail, record);
	*flags = finding->flags;
	return true;
}

void
findings_done(struct findings *findings)
{
	struct finding *finding = STAILQ_FIRST(&findings->waiting);

	STAILQ_REMOVE_HEAD(&findings->waiting, next);
	free(finding);
}
