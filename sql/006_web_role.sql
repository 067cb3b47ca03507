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
			'shelf_over', 'group_begun', 'group_counted', 'group_ended'])[number]
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

-- Figures of a station's sites, and of the whole database.  Records are counted by
-- PostgreSQL's own statistics: counting rows would cost more the more there are.
CREATE FUNCTION web_overview(for_station text) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = gatehouse, pg_temp
SET timezone = 'UTC'
AS $$
	WITH own AS MATERIALIZED (SELECT web_station_sites(for_station) AS site_id),
	lost AS MATERIALIZED (
		SELECT a.controller_id, a.site_id FROM alarms a
		WHERE a.kind = 420 AND a.cleared_at IS NULL),
	lately AS MATERIALIZED (
		SELECT a.* FROM alarms a JOIN own USING (site_id)
		WHERE a.raised_at > now() - interval '1 day')
	SELECT json_build_object(
		'now', now(),
		'sites', (SELECT count(*) FROM own),
		'sites_lost', (
			SELECT count(*) FROM own o
			WHERE EXISTS (SELECT FROM controllers c WHERE c.site_id = o.site_id AND c.enabled)
			AND NOT EXISTS (
				SELECT FROM controllers c WHERE c.site_id = o.site_id AND c.enabled
				AND c.controller_id NOT IN (SELECT controller_id FROM lost))),
		'controllers', (
			SELECT count(*) FROM controllers JOIN own USING (site_id) WHERE enabled),
		'controllers_lost', (SELECT count(*) FROM lost JOIN own USING (site_id)),
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
			      FROM lately GROUP BY severity) q))
$$;
COMMENT ON FUNCTION web_overview(text) IS
	'Figures for the overview of a station: counts and quantiles, nothing of any one record';

REVOKE ALL ON FUNCTION web_consoles(), web_alarm(text, bigint), web_overview(text) FROM PUBLIC;
GRANT USAGE ON SCHEMA gatehouse TO "gatehouse-web";
GRANT EXECUTE ON FUNCTION web_consoles(), web_alarm(text, bigint), web_overview(text)
	TO "gatehouse-web";
