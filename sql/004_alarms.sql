-- SPDX-License-Identifier: Apache-2.0
--
-- Alarms: every state that one went through, and how it stands now.  Both tables
-- have the same columns: a row is the alarm as it stood after one change.

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
	PRIMARY KEY (alarm_id, change)
);
COMMENT ON TABLE alarm_changes IS 'Every state that an alarm went through';
COMMENT ON COLUMN alarm_changes.alarm_id IS 'Number of the alarm, for ever, over all daemons';
COMMENT ON COLUMN alarm_changes.change IS '1, 2, .. within the alarm';
COMMENT ON COLUMN alarm_changes.position IS 'In the journal of its node: the entry behind this change';
COMMENT ON COLUMN alarm_changes.count IS 'How often it had been reported since it was raised';
COMMENT ON COLUMN alarm_changes.device_time IS
	'When it happened, by the clock of the controller: of the record behind this change';
COMMENT ON COLUMN alarm_changes.received_at IS 'When that record reached the server';
COMMENT ON COLUMN alarm_changes.durable_at IS 'When that record was on disk';
COMMENT ON COLUMN alarm_changes.raised_at IS 'When the alarm was raised, by the clock of the server';
COMMENT ON COLUMN alarm_changes.cleared_at IS 'When its condition ended; null: it stood';
COMMENT ON COLUMN alarm_changes.epoch IS 'Epoch of the record behind this change';
COMMENT ON COLUMN alarm_changes.seq IS 'Number of the record behind this change';
COMMENT ON COLUMN alarm_changes.site_id IS 'The site';
COMMENT ON COLUMN alarm_changes.controller_id IS 'The controller that reported it';
COMMENT ON COLUMN alarm_changes.door_id IS 'The door; null: the controller itself';
COMMENT ON COLUMN alarm_changes.kind IS 'The kind of record that raised it: see kinds';
COMMENT ON COLUMN alarm_changes.severity IS '1 low, 2 medium, 3 high, 4 critical';
COMMENT ON COLUMN alarm_changes.state IS
	'1 unacknowledged, 2 acknowledged, 3 returned unacknowledged, 4 normal, 5 latched, 6 shelved, 7 out of service';
COMMENT ON COLUMN alarm_changes.silent IS 'It must not be noticed at the site';
COMMENT ON COLUMN alarm_changes.raw_code IS 'The device''s own code; null: none';

CREATE TABLE alarms (
	LIKE alarm_changes INCLUDING COMMENTS INCLUDING CONSTRAINTS,
	PRIMARY KEY (alarm_id)
);
COMMENT ON TABLE alarms IS 'Alarms as they stand after their last change';
COMMENT ON COLUMN alarms.change IS 'Number of the last change';
