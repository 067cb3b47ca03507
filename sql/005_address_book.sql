-- SPDX-License-Identifier: Apache-2.0
--
-- The address book in order: what is missing or left over in the register, as tasks
-- for whoever keeps a site, and how many there were on each day that somebody looked.

SET LOCAL search_path = gatehouse;

CREATE TABLE site_task_kinds (
	task text PRIMARY KEY,
	place integer NOT NULL UNIQUE,
	title text NOT NULL
);
COMMENT ON TABLE site_task_kinds IS 'What the check of a site looks for';
COMMENT ON COLUMN site_task_kinds.task IS 'Name, for scripts';
COMMENT ON COLUMN site_task_kinds.place IS 'Order in which they are shown: the most urgent first';
COMMENT ON COLUMN site_task_kinds.title IS 'In words';

INSERT INTO site_task_kinds (place, task, title) VALUES
	(1, 'site_without_station', 'site outside every station''s area'),
	(2, 'door_without_controller', 'door without a controller'),
	(3, 'controller_without_doors', 'controller without doors'),
	(4, 'door_without_address', 'door without a standard address'),
	(5, 'unit_without_door', 'unit to which no door leads'),
	(6, 'card_opens_nothing', 'card that opens nothing'),
	(7, 'right_ended', 'right that ended');

-- Cards and rights stand here by their numbers: who holds them is not known, and is
-- nobody's task.
CREATE VIEW site_tasks AS
	WITH RECURSIVE responsible (area_id, station_id) AS (
		SELECT area_id, station_id FROM areas WHERE parent_id IS NULL
		UNION ALL
		SELECT a.area_id, coalesce(a.station_id, r.station_id)
		FROM areas a JOIN responsible r ON a.parent_id = r.area_id)
	SELECT s.site_id, 'site_without_station' AS task, s.code::text AS thing
	FROM sites s JOIN responsible r USING (area_id) WHERE r.station_id IS NULL
	UNION ALL
	SELECT site_id, 'door_without_controller', code FROM doors WHERE controller_id IS NULL
	UNION ALL
	SELECT c.site_id, 'controller_without_doors', c.name FROM controllers c
	WHERE c.enabled AND NOT EXISTS (
		SELECT FROM doors d WHERE d.controller_id = c.controller_id)
	UNION ALL
	SELECT d.site_id, 'door_without_address', d.code FROM doors d JOIN sites s USING (site_id)
	WHERE d.address = '' AND s.address = ''
	UNION ALL
	SELECT u.site_id, 'unit_without_door', u.code FROM units u
	WHERE NOT EXISTS (SELECT FROM unit_doors d WHERE d.unit_id = u.unit_id)
	UNION ALL
	SELECT c.site_id, 'card_opens_nothing',
	       'card ' || c.card_id || coalesce(' of unit ' || c.unit, '')
	FROM cards c
	WHERE c.status = 'active' AND coalesce(c.valid_until, 'infinity') > now() AND NOT EXISTS (
		SELECT FROM grants g WHERE g.card_id = c.card_id
		AND coalesce(g.valid_until, 'infinity') > now())
	UNION ALL
	-- the last one at that door: what was extended by a new right is no task
	SELECT g.site_id, 'right_ended',
	       'card ' || g.card_id || coalesce(' of unit ' || c.unit, '') || ' at ' || d.code
	FROM grants g JOIN cards c USING (card_id) JOIN doors d USING (door_id)
	WHERE g.valid_until <= now() AND c.status = 'active' AND NOT EXISTS (
		SELECT FROM grants h WHERE h.card_id = g.card_id AND h.door_id = g.door_id
		AND h.valid_from > g.valid_from);
COMMENT ON VIEW site_tasks IS 'What is to be put in order now, by site';
COMMENT ON COLUMN site_tasks.site_id IS 'The site';
COMMENT ON COLUMN site_tasks.task IS 'What is wrong: see site_task_kinds';
COMMENT ON COLUMN site_tasks.thing IS 'With what: code of a door or unit, name of a controller, number of a card';

CREATE TABLE site_task_counts (
	site_id integer NOT NULL REFERENCES sites ON DELETE CASCADE,
	task text NOT NULL REFERENCES site_task_kinds,
	day date NOT NULL,
	count integer NOT NULL CHECK (count >= 0),
	PRIMARY KEY (site_id, task, day)
);
COMMENT ON TABLE site_task_counts IS 'How many tasks there were, on each day that somebody looked';
COMMENT ON COLUMN site_task_counts.site_id IS 'The site';
COMMENT ON COLUMN site_task_counts.task IS 'What was wrong';
COMMENT ON COLUMN site_task_counts.day IS 'The day, UTC; the last look of it counts';
COMMENT ON COLUMN site_task_counts.count IS 'With how many things';
