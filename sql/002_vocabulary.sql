-- SPDX-License-Identifier: Apache-2.0
--
-- The standard vocabulary.  The numbers are those of `enum Kind` and `enum Reason`
-- in proto/gatehouse.proto, the rest is that of the daemon's table; a test holds
-- them against each other.

SET LOCAL search_path = gatehouse;

CREATE TABLE kinds (
	kind smallint PRIMARY KEY,
	name text NOT NULL UNIQUE,
	class text NOT NULL,
	severity smallint CHECK (severity BETWEEN 1 AND 4)
);
COMMENT ON TABLE kinds IS 'What a record can say that happened';
COMMENT ON COLUMN kinds.kind IS 'Number in records; the hundreds are the class';
COMMENT ON COLUMN kinds.name IS 'Standard name, as door.forced';
COMMENT ON COLUMN kinds.class IS 'access, state, control, alarm, fault, system or audit';
COMMENT ON COLUMN kinds.severity IS
	'Of the alarm that it raises: 1 low, 2 medium, 3 high, 4 critical; null: raises none';

INSERT INTO kinds (kind, name, class, severity) VALUES
	(100, 'access.granted', 'access', NULL),
	(101, 'access.taken', 'access', NULL),
	(102, 'access.not_taken', 'access', NULL),
	(103, 'access.denied', 'access', NULL),
	(104, 'access.duress', 'alarm', 4),
	(110, 'exit.request', 'access', NULL),
	(200, 'door.opened', 'state', NULL),
	(201, 'door.closed', 'state', NULL),
	(202, 'door.forced', 'alarm', 3),
	(203, 'door.forced_restored', 'alarm', NULL),
	(204, 'door.held_open_warning', 'alarm', NULL),
	(205, 'door.held_open', 'alarm', 2),
	(206, 'door.held_open_restored', 'alarm', NULL),
	(210, 'door.remote_open', 'control', NULL),
	(211, 'door.locked_down', 'control', NULL),
	(300, 'tamper.controller', 'alarm', 3),
	(301, 'tamper.controller_restored', 'alarm', NULL),
	(302, 'tamper.reader', 'alarm', 3),
	(303, 'tamper.reader_restored', 'alarm', NULL),
	(304, 'tamper.cabinet', 'alarm', 3),
	(305, 'tamper.cabinet_restored', 'alarm', NULL),
	(320, 'panic', 'alarm', 4),
	(321, 'hold_up', 'alarm', 4),
	(322, 'emergency_call', 'alarm', 4),
	(330, 'fire', 'alarm', 4),
	(400, 'power.mains_lost', 'fault', NULL),
	(401, 'power.mains_restored', 'fault', NULL),
	(402, 'power.battery_low', 'fault', NULL),
	(403, 'power.battery_missing', 'fault', NULL),
	(404, 'power.battery_restored', 'fault', NULL),
	(420, 'comms.controller_lost', 'alarm', 2),
	(421, 'comms.controller_restored', 'alarm', NULL),
	(422, 'comms.reader_lost', 'fault', NULL),
	(423, 'comms.reader_restored', 'fault', NULL),
	(500, 'device.boot', 'system', NULL),
	(501, 'device.watchdog', 'system', NULL),
	(502, 'device.firmware', 'system', NULL),
	(503, 'device.time_changed', 'system', NULL),
	(504, 'device.log_overflow', 'system', NULL),
	(599, 'device.other', 'system', NULL),
	(600, 'card.registered', 'audit', NULL),
	(601, 'card.extended', 'audit', NULL),
	(602, 'card.suspended', 'audit', NULL),
	(603, 'card.resumed', 'audit', NULL),
	(604, 'card.revoked', 'audit', NULL),
	(605, 'card.reported_lost', 'audit', NULL),
	(610, 'card.revoked_presented', 'alarm', 1),
	(620, 'grant.set', 'audit', NULL),
	(621, 'grant.removed', 'audit', NULL),
	(700, 'policy.divergence', 'alarm', 3),
	(701, 'records.gap', 'alarm', 2),
	(702, 'journal.damaged', 'alarm', 3),
	(703, 'records.gap_filled', 'alarm', NULL),
	(720, 'alarm.flood', 'alarm', 3),
	(721, 'comms.site_lost', 'alarm', 3),
	(800, 'supervision.test', 'system', NULL);

CREATE TABLE reasons (
	reason smallint PRIMARY KEY,
	name text NOT NULL UNIQUE
);
COMMENT ON TABLE reasons IS 'Why access was denied';
COMMENT ON COLUMN reasons.reason IS 'Number in records';
COMMENT ON COLUMN reasons.name IS 'Standard name';

INSERT INTO reasons (reason, name) VALUES
	(1, 'unknown_card'),
	(2, 'not_active'),
	(3, 'expired'),
	(4, 'suspended_or_lost'),
	(5, 'outside_hours'),
	(6, 'no_right_here'),
	(7, 'wrong_pin'),
	(8, 'passback'),
	(9, 'interlock'),
	(10, 'unreadable');
