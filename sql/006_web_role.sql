-- SPDX-License-Identifier: Apache-2.0
--
-- What gatehouse-web may know.  Its role reads no table: it may execute the
-- functions below, which say what a dispatcher sees.  No card, no token, no unit
-- and no detail of a record is in any of them, and of records only those that are
-- behind an alarm.
--
-- The role has the name of the service's user, so that peer authentication lets
-- that one in; without a password nobody else comes in by it.

SET LOCAL search_path = gatehouse;

-- A role is the cluster's: another database, or an administrator, may have made it.
DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gatehouse-web') THEN
		CREATE ROLE "gatehouse-web" LOGIN;
	END IF;
EXCEPTION
	WHEN duplicate_object OR unique_violation THEN
		NULL; -- by somebody else, at the same moment
	WHEN insufficient_privilege THEN
		RAISE EXCEPTION 'role "gatehouse-web" is missing, and this user may not make it'
			USING HINT = 'Let an administrator run: CREATE ROLE "gatehouse-web" LOGIN';
END
$$;

CREATE INDEX alarms_raised_at ON alarms (raised_at);
-- controllers that are lost now: few, whatever the table has
CREATE INDEX alarms_controllers_lost ON alarms (controller_id)
	WHERE kind = 420 AND cleared_at IS NULL;

-- Who is responsible for an area, and for all below it, as the daemon has it.
CREATE FUNCTION web_station_sites(for_station text) RETURNS SETOF integer
LANGUAGE sql STABLE
SET search_path = gatehouse, pg_temp
AS $$
	WITH RECURSIVE covered AS (
		SELECT a.area_id FROM areas a JOIN stations s USING (station_id)
		WHERE s.code = for_station
		UNION
		SELECT a.area_id FROM areas a JOIN covered c ON a.parent_id = c.area_id)
	SELECT site_id FROM sites JOIN covered USING (area_id)
$$;
COMMENT ON FUNCTION web_station_sites(text) IS 'Sites whose alarms a station sees';
REVOKE ALL ON FUNCTION web_station_sites(text) FROM PUBLIC;

CREATE FUNCTION web_consoles() RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = gatehouse, pg_temp
AS $$
	SELECT coalesce(json_agg(json_build_object(
		'name', c.name, 'station', s.code, 'enabled', c.enabled, 'right', c.role)),
		'[]')
	FROM consoles c JOIN stations s USING (station_id)
$$;
COMMENT ON FUNCTION web_consoles() IS 'Who may sign in, where, and what he may do there';

-- Words of an alarm's life, as the stream of gatehouse-web has them; the numbers are
-- those of the enums in proto/gatehouse.proto.  Null for 0, and for what has no word.
CREATE FUNCTION web_word(of text, number smallint) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
	SELECT CASE of
		WHEN 'state' THEN (ARRAY['unacknowledged', 'acknowledged', 'returned_unacknowledged',
			'normal', 'latched', 'shelved', 'out_of_service'])[number]
		WHEN 'stage' THEN (ARRAY['accepted', 'dispatched', 'on_scene'])[number]
		WHEN 'verb' THEN (ARRAY['accept', 'reject', 'dispatched', 'on_scene', 'close', 'cancel',
			'comment', 'hand_over', 'shelve', 'unshelve', 'reset', 'out_of_service',
			'in_service', NULL, NULL, NULL, NULL, NULL, NULL, 'escalated', 'ack_expired',
			'shelf_over', 'group_begun', 'group_counted', 'group_ended',
			'group_joined'])[number]
		WHEN 'reject_reason' THEN
			(ARRAY['wrong_address', 'wrong_kind', 'too_old', 'other'])[number]
		WHEN 'outcome' THEN (ARRAY['incident', 'nothing_found', 'false_alarm', 'test',
			'technical', 'other'])[number]
	END
$$;
COMMENT ON FUNCTION web_word(text, smallint) IS 'A word of an alarm''s life by its number';
REVOKE ALL ON FUNCTION web_word(text, smallint) FROM PUBLIC;

-- One alarm with its changes, and the records behind them.  Null: there is none, or
-- it is not that station's.
CREATE FUNCTION web_alarm(for_station text, wanted bigint) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = gatehouse, pg_temp
SET timezone = 'UTC'
AS $$
	SELECT json_build_object(
		'alarm_id', a.alarm_id::text,
		'changes', (
			SELECT json_agg(json_build_object(
				'change', c.change, 'position', c.position, 'count', c.count,
				'durable_time', c.durable_at, 'cleared_time', c.cleared_at,
				'state', web_word('state', c.state), 'verb', web_word('verb', c.verb),
				'stage', web_word('stage', c.stage),
				'reject_reason', web_word('reject_reason', c.reject_reason),
				'outcome', web_word('outcome', c.outcome),
				'by_server', c.actor_kind = 3, 'actor', c.actor,
				'operator', c.operator_code, 'text', c.note,
				'acted_time', c.acted_at, 'shelved_until', c.until_at,
				'acknowledged_by', c.acknowledged_by, 'handed_to', (
					SELECT s.code FROM stations s
					WHERE s.station_id = c.handed_station_id)) ORDER BY c.change)
			FROM alarm_changes c WHERE c.alarm_id = a.alarm_id),
		'records', (
			SELECT coalesce(json_agg(json_build_object(
				'device_time', r.device_time, 'received_time', r.received_at,
				'kind', k.name, 'door', d.code, 'raw_code', r.raw_code,
				'clock_was_off', r.flags & 3 <> 0) ORDER BY r.device_time), '[]')
			FROM (SELECT DISTINCT device_time, site_id, controller_id, epoch, seq
			      FROM alarm_changes c WHERE c.alarm_id = a.alarm_id
			      LIMIT 200) of
			JOIN records r USING (device_time, site_id, controller_id, epoch, seq)
			JOIN kinds k USING (kind)
			LEFT JOIN doors d ON d.door_id = r.door_id))
	FROM alarms a
	WHERE a.alarm_id = wanted AND a.site_id IN (SELECT web_station_sites(for_station))
$$;
COMMENT ON FUNCTION web_alarm(text, bigint) IS
	'One alarm of a station: its changes, and the records behind them, without cards';

-- What alarms took, against the limits of an alarm centre: of people in need (duress,
-- panic, hold-up, fire) and others, a row for each limit.  An alarm counts from the record
-- that raised it; groups, which no door reports, don't.  One that nobody has seen, or
-- taken, counts as late when the limit is over, and before that not at all.
--
--	arrived       from the door, by its clock, to the server: 2 s on a private network,
--	              5 s otherwise (GB 50396)
--	shown         from there to a screen: 90 s (NFPA 72)
--	acknowledged  until somebody took it: 30 s for 80 % and 60 s for 98.5 % of people,
--	              90 s and 180 s of others (EN 50518)
--
-- Where no share is named, 99 %.
CREATE FUNCTION alarm_report(since timestamptz, until timestamptz, for_station text)
RETURNS TABLE (class text, measure text, limit_s integer, required numeric, alarms bigint,
	p50_s numeric, p95_s numeric, p99_s numeric, within numeric, verdict text)
LANGUAGE sql STABLE
SET search_path = gatehouse, pg_temp
AS $$
	WITH limits (place, class, measure, limit_s, required) AS (VALUES
		(1, 'people', 'arrived', 2, 99), (2, 'people', 'arrived', 5, 99),
		(3, 'people', 'shown', 90, 99), (4, 'people', 'acknowledged', 30, 80),
		(5, 'people', 'acknowledged', 60, 98.5),
		(6, 'other', 'arrived', 2, 99), (7, 'other', 'arrived', 5, 99),
		(8, 'other', 'shown', 90, 99), (9, 'other', 'acknowledged', 90, 80),
		(10, 'other', 'acknowledged', 180, 98.5)),
	times AS MATERIALIZED (
		SELECT CASE WHEN c.kind IN (104, 320, 321, 330) THEN 'people' ELSE 'other' END AS class,
		       m.measure, extract(epoch FROM m.done_at - m.begun_at)::float8 AS took,
		       extract(epoch FROM now() - m.begun_at)::float8 AS waited
		FROM alarms a JOIN alarm_changes c ON c.alarm_id = a.alarm_id AND c.change = 1
		CROSS JOIN LATERAL (VALUES
			('arrived', c.device_time, c.received_at),
			('shown', c.received_at, a.shown_at),
			('acknowledged', c.raised_at, a.first_acknowledged_at))
			m (measure, begun_at, done_at)
		WHERE a.raised_at >= since AND a.raised_at < until AND c.kind NOT IN (720, 721)
		AND (for_station IS NULL OR a.site_id IN (SELECT web_station_sites(for_station))))
	SELECT l.class, l.measure, l.limit_s, l.required, t.alarms, round(t.p[1]::numeric, 3),
	       round(t.p[2]::numeric, 3), round(t.p[3]::numeric, 3),
	       -- downwards: 79.96 is not 80
	       trunc(100.0 * t.in_time / nullif(t.alarms, 0), 1),
	       CASE WHEN t.alarms = 0 THEN 'no data'
	            WHEN t.in_time * 100 >= l.required * t.alarms THEN 'met'
	            ELSE 'missed' END
	FROM limits l CROSS JOIN LATERAL (
		SELECT count(*) AS alarms, count(*) FILTER (WHERE took <= l.limit_s) AS in_time,
		       percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY took) AS p
		FROM times t WHERE t.class = l.class AND t.measure = l.measure
		AND (t.took IS NOT NULL OR t.waited > l.limit_s)) t
	ORDER BY l.place
$$;
COMMENT ON FUNCTION alarm_report(timestamptz, timestamptz, text) IS
	'What alarms that were raised in a time took, against the limits; of all stations, or of one';
REVOKE ALL ON FUNCTION alarm_report(timestamptz, timestamptz, text) FROM PUBLIC;

-- Figures of a station's sites, and of the whole database.  Records are counted by
-- PostgreSQL's own statistics: counting rows would cost more the more there are.
CREATE FUNCTION web_overview(for_station text) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = gatehouse, pg_temp
SET timezone = 'UTC'
AS $$
	WITH own AS MATERIALIZED (SELECT web_station_sites(for_station) AS site_id),
	-- online, lost, or never seen: exactly one of the three
	fleet AS MATERIALIZED (
		SELECT c.site_id,
		       c.controller_id IN (SELECT controller_id FROM controllers_heard) AS seen,
		       c.controller_id IN (SELECT controller_id FROM alarms
		                           WHERE kind = 420 AND cleared_at IS NULL) AS lost
		FROM controllers c JOIN own USING (site_id) WHERE c.enabled),
	-- a site is what the best of its controllers is
	places AS MATERIALIZED (
		SELECT site_id, coalesce(bool_or(seen AND NOT lost), false) AS online,
		       coalesce(bool_or(lost), false) AS lost
		FROM own LEFT JOIN fleet USING (site_id) GROUP BY site_id),
	lately AS MATERIALIZED (
		SELECT a.* FROM alarms a JOIN own USING (site_id)
		WHERE a.raised_at > now() - interval '1 day')
	SELECT json_build_object(
		'now', now(),
		'sites', (SELECT count(*) FROM own),
		'sites_online', (SELECT count(*) FROM places WHERE online),
		'sites_lost', (SELECT count(*) FROM places WHERE lost AND NOT online),
		'sites_unseen', (SELECT count(*) FROM places WHERE NOT lost AND NOT online),
		'controllers', (SELECT count(*) FROM fleet),
		'controllers_online', (SELECT count(*) FROM fleet WHERE seen AND NOT lost),
		'controllers_lost', (SELECT count(*) FROM fleet WHERE lost),
		'controllers_unseen', (SELECT count(*) FROM fleet WHERE NOT seen AND NOT lost),
		'records_total', (
			SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables
			WHERE schemaname = 'gatehouse' AND relname LIKE 'records\_%'),
		'cursors', (
			SELECT coalesce(json_agg(json_build_object(
				'node', node_id, 'position', position, 'age_s',
				round(extract(epoch FROM clock_timestamp() - updated_at), 1))), '[]')
			FROM (SELECT DISTINCT ON (node_id) * FROM cursors
			      ORDER BY node_id, updated_at DESC) c),
		'alarms_per_hour', (
			SELECT coalesce(json_agg(json_build_object('hour', h, 'alarms', n) ORDER BY h), '[]')
			FROM (SELECT date_trunc('hour', raised_at) AS h, count(*) AS n
			      FROM lately GROUP BY 1) hours),
		'latency', (
			SELECT coalesce(json_agg(json_build_object(
				'severity', severity, 'alarms', n, 'arrival', arrival,
				'durable', durable, 'shown', shown, 'answer', answer)
				ORDER BY severity DESC), '[]')
			FROM (SELECT severity, count(*) AS n,
			             percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY
			                 extract(epoch FROM received_at - device_time)::float8) AS arrival,
			             percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY
			                 extract(epoch FROM durable_at - received_at)::float8) AS durable,
			             percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY
			                 extract(epoch FROM shown_at - raised_at)::float8) AS shown,
			             percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY
			                 extract(epoch FROM first_acknowledged_at - raised_at)::float8)
			                 AS answer
			      FROM lately GROUP BY severity) q),
		'limits', (
			SELECT json_agg(r)
			FROM alarm_report(now() - interval '1 day', now(), for_station) r))
$$;
COMMENT ON FUNCTION web_overview(text) IS
	'Figures for the overview of a station: counts and quantiles, nothing of any one record';

REVOKE ALL ON FUNCTION web_consoles(), web_alarm(text, bigint), web_overview(text) FROM PUBLIC;
GRANT USAGE ON SCHEMA gatehouse TO "gatehouse-web";
GRANT EXECUTE ON FUNCTION web_consoles(), web_alarm(text, bigint), web_overview(text)
	TO "gatehouse-web";
