-- SPDX-License-Identifier: Apache-2.0
--
-- Records, what was refused of them, and how far each journal has come.
--
-- A record's identity is (controller_id, epoch, seq).  Its primary key has more
-- columns, all of which a record keeps when it is sent again: device_time first,
-- because partitions are by time and because rows come in almost in that order,
-- so that few pages of the index are hot; site_id, so that rows can be
-- distributed by site.  There are no foreign keys: the daemon checks against the
-- register before it acknowledges, and here they would cost more than the rows.

SET LOCAL search_path = gatehouse;

-- Columns of eight bytes first, then four, then two: no padding between them.
CREATE TABLE records (
	device_time timestamptz NOT NULL,
	received_at timestamptz NOT NULL,
	epoch bigint NOT NULL,
	seq bigint NOT NULL,
	position bigint NOT NULL,
	site_id integer NOT NULL,
	controller_id integer NOT NULL,
	door_id integer,
	flags integer NOT NULL,
	kind smallint NOT NULL,
	reason smallint,
	node_id smallint NOT NULL,
	card_token bytea,
	raw_code text,
	detail jsonb,
	PRIMARY KEY (device_time, site_id, controller_id, epoch, seq)
) PARTITION BY RANGE (device_time);
COMMENT ON TABLE records IS
	'What happened, as controllers reported it; partitioned by the UTC day of device_time';
COMMENT ON COLUMN records.device_time IS 'When it happened, by the clock of the controller';
COMMENT ON COLUMN records.received_at IS 'When it reached the server';
COMMENT ON COLUMN records.epoch IS
	'Generation of the counter of the controller; negative: the server itself observed this';
COMMENT ON COLUMN records.seq IS 'Number of the record in its epoch, from 1 without holes';
COMMENT ON COLUMN records.position IS 'Where it stands in the journal of its node';
COMMENT ON COLUMN records.site_id IS 'Site of the controller when it was received';
COMMENT ON COLUMN records.controller_id IS 'The controller that reported it';
COMMENT ON COLUMN records.door_id IS 'The door; null: the controller itself';
COMMENT ON COLUMN records.flags IS
	'Sum of 1 clock went backwards, 2 clock was off, 4 kind was unknown, 8 has a token, 16 decided by a list of rights';
COMMENT ON COLUMN records.kind IS 'What happened: see kinds';
COMMENT ON COLUMN records.reason IS 'Why access was denied: see reasons; null: it was not';
COMMENT ON COLUMN records.node_id IS 'The daemon that took it on';
COMMENT ON COLUMN records.card_token IS
	'HMAC of the card''s key under the key of the site''s month, 16 bytes; null: no card';
COMMENT ON COLUMN records.raw_code IS 'The device''s own code, as its vendor writes it; null: none';
COMMENT ON COLUMN records.detail IS 'What else the record said; null: nothing';

-- Days without a partition of their own: clocks that are far off, old logs that
-- are sent late.  Nothing is refused for its day.
CREATE TABLE records_stray PARTITION OF records DEFAULT;
COMMENT ON TABLE records_stray IS 'Records of days that have no partition of their own';

-- The owner of the tables makes partitions, also when a daemon with smaller rights
-- asks.  Rows of the day that had gone astray move into it, in one transaction.
CREATE FUNCTION make_partition(day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = gatehouse, pg_temp
SET timezone = 'UTC'
-- a query that holds records_stray for long must not hold up the daemon for so long
SET lock_timeout = '5s'
AS $$
DECLARE
	partition text := 'records_' || to_char(day, 'YYYYMMDD');
	day_start timestamptz := day::timestamp AT TIME ZONE 'UTC';
	day_end timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
	IF to_regclass(partition) IS NOT NULL THEN
		RETURN false;
	END IF;
	-- One daemon at a time; then nobody adds to the rows that are about to move.
	LOCK TABLE ONLY records IN SHARE UPDATE EXCLUSIVE MODE;
	IF to_regclass(partition) IS NOT NULL THEN
		RETURN false;
	END IF;
	LOCK TABLE records_stray IN ACCESS EXCLUSIVE MODE;

	EXECUTE format('CREATE TABLE %I (LIKE records INCLUDING ALL)', partition);
	EXECUTE format('COMMENT ON TABLE %I IS %L', partition, 'Records of ' || day || ' UTC');
	EXECUTE format('WITH moved AS (DELETE FROM records_stray '
		       '               WHERE device_time >= $1 AND device_time < $2 RETURNING *) '
		       'INSERT INTO %I SELECT * FROM moved', partition)
		USING day_start, day_end;
	EXECUTE format('ALTER TABLE records ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
		       partition, day_start, day_end);
	RETURN true;
END
$$;
COMMENT ON FUNCTION make_partition(date) IS
	'Makes the partition of records for a UTC day; false when it is there already';
REVOKE ALL ON FUNCTION make_partition(date) FROM PUBLIC;

CREATE TABLE quarantine (
	controller_id integer NOT NULL,
	epoch bigint NOT NULL,
	seq bigint NOT NULL,
	site_id integer NOT NULL,
	received_at timestamptz NOT NULL,
	position bigint NOT NULL,
	node_id smallint NOT NULL,
	reason smallint,
	stage text NOT NULL CHECK (stage IN ('ingest', 'postgresql')),
	detail text NOT NULL,
	payload bytea NOT NULL,
	PRIMARY KEY (controller_id, epoch, seq)
);
COMMENT ON TABLE quarantine IS 'Records that could not be accepted, kept for somebody to look at';
COMMENT ON COLUMN quarantine.controller_id IS
	'The controller that reported it; 0: an entry of the journal that could not be attributed';
COMMENT ON COLUMN quarantine.epoch IS 'Generation of its counter; with controller 0 the node';
COMMENT ON COLUMN quarantine.seq IS 'Number of the record; with controller 0 the position';
COMMENT ON COLUMN quarantine.site_id IS 'Site of the controller when it was received; 0: not known';
COMMENT ON COLUMN quarantine.received_at IS 'When it reached the server';
COMMENT ON COLUMN quarantine.position IS 'Where it stands in the journal of its node';
COMMENT ON COLUMN quarantine.node_id IS 'The daemon that took it on';
COMMENT ON COLUMN quarantine.reason IS
	'Number in RejectReason of proto/gatehouse.proto; null at stage postgresql';
COMMENT ON COLUMN quarantine.stage IS
	'ingest: the daemon rejected it and told the controller; postgresql: PostgreSQL refused it later';
COMMENT ON COLUMN quarantine.detail IS 'What was wrong with it, in words';
COMMENT ON COLUMN quarantine.payload IS
	'At ingest the record as protobuf without card number, otherwise the body of the journal''s entry';

CREATE TABLE cursors (
	node_id smallint NOT NULL CHECK (node_id > 0),
	journal_id bytea NOT NULL CHECK (octet_length(journal_id) = 16),
	position bigint NOT NULL CHECK (position >= 0),
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (node_id, journal_id)
)
-- one row changes with each batch: room beside it keeps the change off the index
WITH (fillfactor = 50);
COMMENT ON TABLE cursors IS
	'How far each journal has been stored; moves in the transaction of the rows';
COMMENT ON COLUMN cursors.node_id IS 'The daemon';
COMMENT ON COLUMN cursors.journal_id IS 'Which of its journals: 16 random bytes of the journal''s first day';
COMMENT ON COLUMN cursors.position IS 'All entries before this position are stored';
COMMENT ON COLUMN cursors.updated_at IS 'When it moved last';

CREATE TABLE controllers_heard (
	controller_id integer PRIMARY KEY,
	since timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE controllers_heard IS 'Controllers of which a record was ever stored';
COMMENT ON COLUMN controllers_heard.controller_id IS 'The controller';
COMMENT ON COLUMN controllers_heard.since IS 'When its first record was stored, by the clock of the server';

-- Changes of cards and rights on their way in: the form of the temporary table into
-- which a daemon copies them.
CREATE TABLE right_changes (
	device_time timestamptz NOT NULL,
	received_at timestamptz NOT NULL,
	epoch bigint NOT NULL,
	seq bigint NOT NULL,
	position bigint NOT NULL,
	site_id integer NOT NULL,
	desk_id integer NOT NULL,
	flags integer NOT NULL,
	kind smallint NOT NULL,
	node_id smallint NOT NULL,
	desk text NOT NULL,
	card_key bytea NOT NULL,
	card_kind smallint NOT NULL,
	status smallint NOT NULL,
	card_from timestamptz NOT NULL,
	card_until timestamptz,
	unit text,
	sealed bytea,
	valid_from timestamptz,
	valid_until timestamptz,
	hours integer[] NOT NULL,
	doors integer[] NOT NULL
);
COMMENT ON TABLE right_changes IS
	'Always empty: the form in which daemons hand changes to store_rights()';
COMMENT ON COLUMN right_changes.device_time IS 'When it was made, by the clock of the desk';
COMMENT ON COLUMN right_changes.received_at IS 'When it reached the server';
COMMENT ON COLUMN right_changes.epoch IS 'Generation of the counter of the desk';
COMMENT ON COLUMN right_changes.seq IS 'Number of the record in its epoch';
COMMENT ON COLUMN right_changes.position IS 'Where it stands in the journal of its node';
COMMENT ON COLUMN right_changes.site_id IS 'Site of the card';
COMMENT ON COLUMN right_changes.desk_id IS 'The registration desk';
COMMENT ON COLUMN right_changes.flags IS 'As in records';
COMMENT ON COLUMN right_changes.kind IS 'What changed: see kinds';
COMMENT ON COLUMN right_changes.node_id IS 'The daemon that took it on';
COMMENT ON COLUMN right_changes.desk IS 'Name of the desk';
COMMENT ON COLUMN right_changes.card_key IS 'As in cards';
COMMENT ON COLUMN right_changes.card_kind IS '1 owner, 2 tenant, 3 temporary, 4 staff';
COMMENT ON COLUMN right_changes.status IS
	'The card after the change: 1 active, 2 suspended, 3 lost, 4 revoked';
COMMENT ON COLUMN right_changes.card_from IS 'The card opens nothing before';
COMMENT ON COLUMN right_changes.card_until IS 'The card opens nothing from then on; null: open end';
COMMENT ON COLUMN right_changes.unit IS 'The unit of the card; null: none';
COMMENT ON COLUMN right_changes.sealed IS 'Personal fields, sealed anew; null: as before';
COMMENT ON COLUMN right_changes.valid_from IS 'Of the right; null: every right at these doors';
COMMENT ON COLUMN right_changes.valid_until IS 'Of the right; null: open end';
COMMENT ON COLUMN right_changes.hours IS 'Minutes of the week, from and to in turn; empty: always';
COMMENT ON COLUMN right_changes.doors IS 'The doors of the right';

-- A change is applied where its record is new, so that one that is stored again
-- changes nothing: record, card and grants are of one transaction.  The record has no
-- card_token: beside the unit it would tie the month's accesses to a dwelling for good,
-- also after the month's key was destroyed.
CREATE FUNCTION store_rights() RETURNS bigint
LANGUAGE plpgsql
SET search_path = gatehouse, pg_temp
AS $$
DECLARE
	c right_changes%ROWTYPE;
	the_card integer;
	minutes int4multirange;
	added bigint := 0;
BEGIN
	FOR c IN SELECT * FROM pg_temp.stage_rights ORDER BY position LOOP
		minutes := (SELECT range_agg(int4range(c.hours[i], c.hours[i + 1]))
			    FROM generate_series(1, cardinality(c.hours), 2) AS i);
		INSERT INTO records (device_time, received_at, epoch, seq, position, site_id,
				     controller_id, flags, kind, node_id, detail)
		VALUES (c.device_time, c.received_at, c.epoch, c.seq, c.position, c.site_id,
			c.desk_id, c.flags, c.kind, c.node_id,
			jsonb_strip_nulls(jsonb_build_object(
				'card_kind', c.card_kind, 'status', c.status, 'unit', c.unit,
				'card_from', c.card_from, 'card_until', c.card_until,
				'valid_from', c.valid_from, 'valid_until', c.valid_until,
				'weekly_minutes', minutes::text,
				'doors', CASE WHEN cardinality(c.doors) > 0 THEN c.doors END,
				'sealed', replace(encode(c.sealed, 'base64'), E'\n', ''))))
		ON CONFLICT DO NOTHING;
		CONTINUE WHEN NOT FOUND;
		added := added + 1;

		INSERT INTO cards AS k (site_id, card_key, kind, status, valid_from, valid_until,
					unit, sealed, node_id, changed_position)
		VALUES (c.site_id, c.card_key,
			(ARRAY['owner', 'tenant', 'temporary', 'staff'])[c.card_kind],
			(ARRAY['active', 'suspended', 'lost', 'revoked'])[c.status],
			c.card_from, c.card_until, c.unit, c.sealed, c.node_id, c.position)
		ON CONFLICT (site_id, card_key) DO UPDATE SET
			kind = excluded.kind, status = excluded.status,
			valid_from = excluded.valid_from, valid_until = excluded.valid_until,
			unit = excluded.unit,
			sealed = CASE WHEN c.kind = 600 THEN excluded.sealed
				      ELSE coalesce(excluded.sealed, k.sealed) END,
			node_id = excluded.node_id, changed_position = excluded.changed_position
		RETURNING card_id INTO the_card;

		IF c.status = 4 THEN
			DELETE FROM grants WHERE card_id = the_card;
		ELSIF c.kind = 620 THEN
			INSERT INTO grants (site_id, card_id, door_id, valid_from, valid_until,
					    weekly_minutes, granted_by, granted_at, node_id,
					    changed_position)
			SELECT c.site_id, the_card, door, c.valid_from, c.valid_until, minutes,
			       c.desk, c.received_at, c.node_id, c.position
			FROM unnest(c.doors) AS door
			ON CONFLICT (card_id, door_id, valid_from) DO UPDATE SET
				valid_until = excluded.valid_until,
				weekly_minutes = excluded.weekly_minutes,
				granted_by = excluded.granted_by, granted_at = excluded.granted_at,
				node_id = excluded.node_id,
				changed_position = excluded.changed_position;
		ELSIF c.kind = 621 THEN
			DELETE FROM grants
			WHERE card_id = the_card AND door_id = ANY (c.doors)
			      AND (c.valid_from IS NULL OR valid_from = c.valid_from);
		END IF;
	END LOOP;
	DELETE FROM pg_temp.stage_rights;
	RETURN added;
END
$$;
COMMENT ON FUNCTION store_rights() IS
	'Stores what a daemon copied into its temporary table stage_rights; how many were new';

CREATE VIEW records_named AS
	SELECT r.device_time, r.received_at, s.code AS site, d.code AS door, c.name AS controller,
	       k.name AS kind, w.name AS reason, r.raw_code, r.detail, r.flags, r.epoch, r.seq
	FROM records r
	LEFT JOIN sites s ON s.site_id = r.site_id
	LEFT JOIN doors d ON d.door_id = r.door_id
	LEFT JOIN controllers c ON c.controller_id = r.controller_id
	LEFT JOIN kinds k ON k.kind = r.kind
	LEFT JOIN reasons w ON w.reason = r.reason;
COMMENT ON VIEW records_named IS
	'Records with names in place of numbers, for people; without the cards'' tokens';
