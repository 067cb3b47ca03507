-- SPDX-License-Identifier: Apache-2.0
--
-- Alarms: every state that one went through, and how it stands now.  Both tables
-- have the same columns: a row is the alarm as it stood after one change.  When it
-- was seen is no change, and stands in alarms only.

SET LOCAL search_path = gatehouse;

CREATE TABLE alarm_changes (
	alarm_id bigint NOT NULL,
	change bigint NOT NULL CHECK (change > 0),
	position bigint NOT NULL,
	count bigint NOT NULL,
	device_time timestamptz NOT NULL,
	received_at timestamptz NOT NULL,
	durable_at timestamptz NOT NULL,
	raised_at timestamptz NOT NULL,
	cleared_at timestamptz,
	epoch bigint NOT NULL,
	seq bigint NOT NULL,
	site_id integer NOT NULL,
	controller_id integer NOT NULL,
	door_id integer,
	kind smallint NOT NULL,
	severity smallint NOT NULL,
	state smallint NOT NULL,
	silent boolean NOT NULL,
	raw_code text,
	latches boolean NOT NULL DEFAULT false,
	verb smallint NOT NULL DEFAULT 0,
	actor_kind smallint NOT NULL DEFAULT 0,
	actor text,
	operator_code text,
	note text,
	reject_reason smallint,
	outcome smallint,
	acted_at timestamptz,
	stage smallint NOT NULL DEFAULT 0,
	escalation smallint NOT NULL DEFAULT 0,
	handed_station_id integer,
	group_id bigint,
	until_at timestamptz,
	acknowledged_at timestamptz,
	acknowledged_by text,
	first_acknowledged_at timestamptz,
	PRIMARY KEY (alarm_id, change)
);
COMMENT ON TABLE alarm_changes IS 'Every state that an alarm went through';
COMMENT ON COLUMN alarm_changes.alarm_id IS 'Number of the alarm, for ever, over all daemons';
COMMENT ON COLUMN alarm_changes.change IS '1, 2, .. within the alarm';
COMMENT ON COLUMN alarm_changes.position IS 'In the journal of its node: the entry behind this change';
COMMENT ON COLUMN alarm_changes.count IS
	'How often it had been reported since it was raised; of a group (kinds 720 and 721): how many alarms had belonged to it';
COMMENT ON COLUMN alarm_changes.device_time IS
	'When it happened, by the clock of the controller: of the record behind this change; this and the next two of a group: when it began';
COMMENT ON COLUMN alarm_changes.received_at IS 'When that record reached the server';
COMMENT ON COLUMN alarm_changes.durable_at IS 'When that record was on disk';
COMMENT ON COLUMN alarm_changes.raised_at IS 'When the alarm was raised, by the clock of the server';
COMMENT ON COLUMN alarm_changes.cleared_at IS 'When its condition ended; null: it stood';
COMMENT ON COLUMN alarm_changes.epoch IS 'Epoch of the record behind this change; 0: of a group';
COMMENT ON COLUMN alarm_changes.seq IS 'Number of the record behind this change; 0: of a group';
COMMENT ON COLUMN alarm_changes.site_id IS 'The site';
COMMENT ON COLUMN alarm_changes.controller_id IS 'The controller that reported it; 0: of a group, or of the server itself';
COMMENT ON COLUMN alarm_changes.door_id IS 'The door; null: the controller itself';
COMMENT ON COLUMN alarm_changes.kind IS 'The kind of record that raised it: see kinds';
COMMENT ON COLUMN alarm_changes.severity IS '1 low, 2 medium, 3 high, 4 critical';
COMMENT ON COLUMN alarm_changes.state IS
	'1 unacknowledged, 2 acknowledged, 3 returned unacknowledged, 4 normal, 5 latched, 6 shelved, 7 out of service';
COMMENT ON COLUMN alarm_changes.silent IS 'It must not be noticed at the site';
COMMENT ON COLUMN alarm_changes.raw_code IS 'The device''s own code; null: none';
COMMENT ON COLUMN alarm_changes.latches IS 'When its condition ends, a person has to reset it';
COMMENT ON COLUMN alarm_changes.verb IS
	'The action behind this change: 0 none, a record; 1 accept, 2 reject, 3 dispatched, 4 on scene, 5 close, 6 cancel, 7 comment, 8 hand over, 9 shelve, 10 unshelve, 11 reset, 12 out of service, 13 in service, 20 escalated, 21 acknowledgement expired, 22 shelf over, 23 group begun, 24 group counted, 25 group ended, 26 joined a group';
COMMENT ON COLUMN alarm_changes.actor_kind IS
	'Whose action: 0 nobody''s, 1 a console''s, 2 an operator''s at the server, 3 the server''s';
COMMENT ON COLUMN alarm_changes.actor IS 'The console, or the user at the server; null: neither';
COMMENT ON COLUMN alarm_changes.operator_code IS 'Who sat at the console, as a code; null: not said';
COMMENT ON COLUMN alarm_changes.note IS 'What was said with the action; null: nothing';
COMMENT ON COLUMN alarm_changes.reject_reason IS
	'Why it was rejected: 1 wrong address, 2 wrong kind, 3 too old, 4 other; null: it was not';
COMMENT ON COLUMN alarm_changes.outcome IS
	'How it came out: 1 incident, 2 nothing found, 3 false alarm, 4 test, 5 technical, 6 other; null: not said';
COMMENT ON COLUMN alarm_changes.acted_at IS 'When the action was taken; null: it was a record';
COMMENT ON COLUMN alarm_changes.stage IS
	'How far a station has come: 0 nobody has taken it, 1 accepted, 2 dispatched, 3 on scene';
COMMENT ON COLUMN alarm_changes.escalation IS 'How often it went on to a station further up';
COMMENT ON COLUMN alarm_changes.handed_station_id IS
	'The station that it was handed over to; null: to none';
COMMENT ON COLUMN alarm_changes.group_id IS 'The alarm that stands for the group to which it belongs; null: it is in none';
COMMENT ON COLUMN alarm_changes.until_at IS 'Shelved or out of service until then; null: neither';
COMMENT ON COLUMN alarm_changes.acknowledged_at IS
	'Since when somebody answers for it; null: nobody does';
COMMENT ON COLUMN alarm_changes.acknowledged_by IS 'Who does: operator@console, or the console';
COMMENT ON COLUMN alarm_changes.first_acknowledged_at IS
	'When somebody took it first; null: nobody has yet';

CREATE TABLE alarms (
	LIKE alarm_changes INCLUDING COMMENTS INCLUDING CONSTRAINTS INCLUDING DEFAULTS,
	offered_at timestamptz,
	shown_at timestamptz,
	PRIMARY KEY (alarm_id)
);
COMMENT ON TABLE alarms IS 'Alarms as they stand after their last change';
COMMENT ON COLUMN alarms.change IS 'Number of the last change';
COMMENT ON COLUMN alarms.offered_at IS 'When it was first written to a console; null: to none yet';
COMMENT ON COLUMN alarms.shown_at IS
	'When a console first had it on its screen, by the clock of the console; null: none has said so';
