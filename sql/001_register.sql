-- SPDX-License-Identifier: Apache-2.0
--
-- The schema itself, its version, and the register: which stations, areas, sites,
-- controllers, doors, consoles, units and registration desks there are.  PostgreSQL is the truth for these;
-- daemons hold a copy and load it again when they are notified.
--
-- Migrations are numbered and only go forward.  Each is applied in one
-- transaction by `gatehousectl migrate`, which also writes its row into
-- schema_version.  A file that was released never changes.

CREATE SCHEMA gatehouse;
COMMENT ON SCHEMA gatehouse IS
	'Gatehouse: what doors reported, the alarms that came of it, and the register of the doors';

SET LOCAL search_path = gatehouse;

CREATE TABLE schema_version (
	version integer PRIMARY KEY CHECK (version > 0),
	name text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE schema_version IS 'Migrations that were applied; a daemon works with one version only';
COMMENT ON COLUMN schema_version.version IS 'Number that the file begins with';
COMMENT ON COLUMN schema_version.name IS 'Name of the file';
COMMENT ON COLUMN schema_version.applied_at IS 'When it was applied';

-- The limits are those of the daemon's copy: REGISTER_CODE_MAX, REGISTER_TEXT_MAX.
CREATE DOMAIN code AS text COLLATE "C"
	CHECK (octet_length(VALUE) BETWEEN 1 AND 64 AND VALUE = btrim(VALUE)
	       AND VALUE !~ '[[:cntrl:]]');
COMMENT ON DOMAIN code IS 'What a thing is called by: not empty, at most 64 bytes, no control characters';

CREATE DOMAIN label AS text
	CHECK (octet_length(VALUE) <= 200 AND VALUE !~ '[[:cntrl:]]');
COMMENT ON DOMAIN label IS 'Words for people: at most 200 bytes, no control characters';

-- Instants as the journal and the contract count them.
CREATE FUNCTION microseconds(instant timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT (extract(epoch FROM instant) * 1000000)::bigint $$;
COMMENT ON FUNCTION microseconds(timestamptz) IS 'Microseconds since 1970-01-01T00:00:00Z; null for null';

CREATE TABLE stations (
	station_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	code code NOT NULL UNIQUE,
	name label NOT NULL DEFAULT ''
);
COMMENT ON TABLE stations IS 'Where dispatchers watch alarms';
COMMENT ON COLUMN stations.station_id IS 'Number of the station, for references';
COMMENT ON COLUMN stations.code IS 'What it is called by';
COMMENT ON COLUMN stations.name IS 'Its name in full';

CREATE TABLE areas (
	area_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	parent_id integer REFERENCES areas,
	station_id integer REFERENCES stations,
	code code NOT NULL UNIQUE,
	name label NOT NULL DEFAULT '',
	CHECK (parent_id <> area_id)
);
COMMENT ON TABLE areas IS 'A tree of areas, for which stations are responsible';
COMMENT ON COLUMN areas.area_id IS 'Number of the area, for references';
COMMENT ON COLUMN areas.parent_id IS 'The area that this one lies in; null: a root';
COMMENT ON COLUMN areas.station_id IS
	'The station responsible first; null: that of the nearest area above which has one';
COMMENT ON COLUMN areas.code IS 'What it is called by';
COMMENT ON COLUMN areas.name IS 'Its name in full';

CREATE TABLE sites (
	site_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	area_id integer NOT NULL REFERENCES areas,
	code code NOT NULL UNIQUE,
	name label NOT NULL DEFAULT '',
	address label NOT NULL DEFAULT '',
	timezone text NOT NULL DEFAULT 'UTC'
		CHECK (timezone ~ '^(UTC|[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+)+)$'
		       AND octet_length(timezone) <= 64
		       AND now() AT TIME ZONE timezone IS NOT NULL)
);
COMMENT ON TABLE sites IS 'Estates, urban villages, single buildings: what one landlord or manager keeps';
COMMENT ON COLUMN sites.site_id IS 'Number of the site, for references; records distribute by it';
COMMENT ON COLUMN sites.area_id IS 'The area that it lies in';
COMMENT ON COLUMN sites.code IS 'What it is called by';
COMMENT ON COLUMN sites.name IS 'Its name in full';
COMMENT ON COLUMN sites.address IS 'Standard address of the site';
COMMENT ON COLUMN sites.timezone IS
	'IANA name of its time zone, in which the weekly hours of grants are';

-- Controllers and registration desks both number records, and a record's identity
-- begins with who reported it: no desk has the number of a controller.
CREATE SEQUENCE reporter_ids AS integer;
COMMENT ON SEQUENCE reporter_ids IS 'Numbers of controllers and of registration desks';

CREATE TABLE controllers (
	controller_id integer PRIMARY KEY DEFAULT nextval('reporter_ids'),
	site_id integer NOT NULL REFERENCES sites,
	name code NOT NULL UNIQUE,
	enabled boolean NOT NULL DEFAULT true,
	enrolled_at timestamptz NOT NULL DEFAULT now(),
	certificate_sha256 bytea CHECK (octet_length(certificate_sha256) = 32),
	certificate_until timestamptz,
	-- so that a door can be held to the site of its controller
	UNIQUE (controller_id, site_id)
);
COMMENT ON TABLE controllers IS 'Devices that report records; each serves one or more doors of its site';
COMMENT ON COLUMN controllers.controller_id IS 'Number of the controller, for references and records';
COMMENT ON COLUMN controllers.site_id IS 'Where it hangs';
COMMENT ON COLUMN controllers.name IS 'Its name, which is also that in its certificate';
COMMENT ON COLUMN controllers.enabled IS 'Whether it may connect';
COMMENT ON COLUMN controllers.enrolled_at IS 'When it was put into the register';
COMMENT ON COLUMN controllers.certificate_sha256 IS
	'Fingerprint of the certificate that it was given last; null: not known';
COMMENT ON COLUMN controllers.certificate_until IS 'When that certificate ends; null: not known';

CREATE TABLE doors (
	door_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	site_id integer NOT NULL REFERENCES sites,
	controller_id integer,
	number integer CHECK (number > 0),
	code code NOT NULL UNIQUE,
	name label NOT NULL DEFAULT '',
	address label NOT NULL DEFAULT '',
	UNIQUE (controller_id, number),
	-- so that what leads to a unit, or stands in a group, is of its site
	UNIQUE (door_id, site_id),
	FOREIGN KEY (controller_id, site_id) REFERENCES controllers (controller_id, site_id),
	CHECK ((controller_id IS NULL) = (number IS NULL))
);
COMMENT ON TABLE doors IS 'Doors that people pass';
COMMENT ON COLUMN doors.door_id IS 'Number of the door, for references and records';
COMMENT ON COLUMN doors.site_id IS 'The site that it belongs to; that of its controller';
COMMENT ON COLUMN doors.controller_id IS 'The controller that serves it; null: none is hung yet';
COMMENT ON COLUMN doors.number IS 'What the controller calls it, from 1; null without a controller';
COMMENT ON COLUMN doors.code IS 'What it is called by';
COMMENT ON COLUMN doors.name IS 'Its name in full';
COMMENT ON COLUMN doors.address IS 'Standard address; empty: that of the site';

CREATE TABLE consoles (
	console_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	station_id integer NOT NULL REFERENCES stations,
	name code NOT NULL UNIQUE,
	role text NOT NULL DEFAULT 'dispatcher' CHECK (role IN ('dispatcher', 'supervisor')),
	enabled boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE consoles IS 'Clients that show alarms to dispatchers';
COMMENT ON COLUMN consoles.console_id IS 'Number of the console, for references';
COMMENT ON COLUMN consoles.station_id IS 'The station that it belongs to';
COMMENT ON COLUMN consoles.role IS
	'dispatcher, or supervisor: may also close what stands, reset duress, and take out of service';
COMMENT ON COLUMN consoles.name IS 'Its name, which is also that in its certificate';
COMMENT ON COLUMN consoles.enabled IS 'Whether it may connect';

CREATE TABLE units (
	unit_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	site_id integer NOT NULL REFERENCES sites,
	code code NOT NULL,
	name label NOT NULL DEFAULT '',
	address label NOT NULL DEFAULT '',
	UNIQUE (site_id, code),
	UNIQUE (unit_id, site_id)
);
COMMENT ON TABLE units IS 'Dwellings and other units of a site, to which cards belong';
COMMENT ON COLUMN units.unit_id IS 'Number of the unit, for references';
COMMENT ON COLUMN units.site_id IS 'The site that it lies in';
COMMENT ON COLUMN units.code IS 'What it is called by, within its site';
COMMENT ON COLUMN units.name IS 'What people call it. Never the name of who lives there';
COMMENT ON COLUMN units.address IS 'Standard address; empty: that of the site';

CREATE TABLE unit_doors (
	unit_id integer NOT NULL,
	door_id integer NOT NULL,
	site_id integer NOT NULL,
	PRIMARY KEY (unit_id, door_id),
	FOREIGN KEY (unit_id, site_id) REFERENCES units (unit_id, site_id) ON DELETE CASCADE,
	FOREIGN KEY (door_id, site_id) REFERENCES doors (door_id, site_id) ON DELETE CASCADE
);
COMMENT ON TABLE unit_doors IS 'Doors that lead to a unit: those that its landlord may grant';
COMMENT ON COLUMN unit_doors.unit_id IS 'The unit';
COMMENT ON COLUMN unit_doors.door_id IS 'The door';
COMMENT ON COLUMN unit_doors.site_id IS 'The site of both';

CREATE TABLE door_groups (
	group_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	site_id integer NOT NULL REFERENCES sites,
	code code NOT NULL,
	name label NOT NULL DEFAULT '',
	UNIQUE (site_id, code),
	UNIQUE (group_id, site_id)
);
COMMENT ON TABLE door_groups IS 'Doors of a site that are granted together';
COMMENT ON COLUMN door_groups.group_id IS 'Number of the group, for references';
COMMENT ON COLUMN door_groups.site_id IS 'The site';
COMMENT ON COLUMN door_groups.code IS 'What it is called by, within its site';
COMMENT ON COLUMN door_groups.name IS 'Its name in full';

CREATE TABLE door_group_doors (
	group_id integer NOT NULL,
	door_id integer NOT NULL,
	site_id integer NOT NULL,
	PRIMARY KEY (group_id, door_id),
	FOREIGN KEY (group_id, site_id) REFERENCES door_groups (group_id, site_id)
		ON DELETE CASCADE,
	FOREIGN KEY (door_id, site_id) REFERENCES doors (door_id, site_id) ON DELETE CASCADE
);
COMMENT ON TABLE door_group_doors IS
	'The doors of a group. A grant takes those that are in it at that moment';
COMMENT ON COLUMN door_group_doors.group_id IS 'The group';
COMMENT ON COLUMN door_group_doors.door_id IS 'The door';
COMMENT ON COLUMN door_group_doors.site_id IS 'The site of both';

CREATE TABLE desks (
	desk_id integer PRIMARY KEY DEFAULT nextval('reporter_ids'),
	name code NOT NULL UNIQUE,
	enabled boolean NOT NULL DEFAULT true,
	role text NOT NULL CHECK (role IN ('landlord', 'manager'))
);
COMMENT ON TABLE desks IS 'Registration desks: clients that register cards and grant rights';
COMMENT ON COLUMN desks.desk_id IS 'Number of the desk, for references and records';
COMMENT ON COLUMN desks.name IS 'Its name, which is also that in its certificate';
COMMENT ON COLUMN desks.enabled IS 'Whether it may connect';
COMMENT ON COLUMN desks.role IS
	'manager: every card of its sites; landlord: cards of its units only, and their doors';

CREATE TABLE desk_sites (
	desk_id integer NOT NULL REFERENCES desks ON DELETE CASCADE,
	site_id integer NOT NULL REFERENCES sites ON DELETE CASCADE,
	PRIMARY KEY (desk_id, site_id)
);
COMMENT ON TABLE desk_sites IS 'The sites whose cards a desk may register';
COMMENT ON COLUMN desk_sites.desk_id IS 'The desk';
COMMENT ON COLUMN desk_sites.site_id IS 'The site';

CREATE TABLE desk_units (
	desk_id integer NOT NULL REFERENCES desks ON DELETE CASCADE,
	unit_id integer NOT NULL REFERENCES units ON DELETE CASCADE,
	PRIMARY KEY (desk_id, unit_id)
);
COMMENT ON TABLE desk_units IS 'The units of a landlord; the site of each must be one of the desk''s, too';
COMMENT ON COLUMN desk_units.desk_id IS 'The desk';
COMMENT ON COLUMN desk_units.unit_id IS 'The unit';

-- Cards and grants: which card opens which door, and when.  A card stands for
-- itself; who holds it is not here.

CREATE TABLE cards (
	card_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	site_id integer NOT NULL REFERENCES sites,
	card_key bytea NOT NULL CHECK (octet_length(card_key) = 32),
	kind text NOT NULL CHECK (kind IN ('owner', 'tenant', 'temporary', 'staff')),
	status text NOT NULL DEFAULT 'active'
		CHECK (status IN ('active', 'suspended', 'lost', 'revoked')),
	valid_from timestamptz NOT NULL DEFAULT now(),
	valid_until timestamptz,
	unit code,
	sealed bytea CHECK (octet_length(sealed) <= 16384),
	node_id smallint NOT NULL DEFAULT 0,
	changed_position bigint NOT NULL DEFAULT 0,
	UNIQUE (site_id, card_key),
	UNIQUE (card_id, site_id),
	CHECK (valid_until > valid_from)
);
COMMENT ON TABLE cards IS 'Cards that a site knows';
COMMENT ON COLUMN cards.card_id IS 'Number of the card, for references; never stands in records';
COMMENT ON COLUMN cards.site_id IS 'The site that registered it';
COMMENT ON COLUMN cards.card_key IS
	'HMAC-SHA-256 of the card number under the key of the site; the number itself is nowhere';
COMMENT ON COLUMN cards.kind IS 'For whom it was issued: owner, tenant, temporary, staff';
COMMENT ON COLUMN cards.status IS 'active, suspended, lost or revoked; only an active one opens';
COMMENT ON COLUMN cards.valid_from IS 'Opens nothing before';
COMMENT ON COLUMN cards.valid_until IS 'Opens nothing from then on; null: open end';
COMMENT ON COLUMN cards.unit IS 'Dwelling or unit that it belongs to, by its code; null: none. Never a name';
COMMENT ON COLUMN cards.sealed IS
	'Personal fields, sealed by the desk to the data owner''s key (CMS, DER): nobody here can open them; null: none';
COMMENT ON COLUMN cards.node_id IS 'The daemon that changed it last';
COMMENT ON COLUMN cards.changed_position IS
	'Where that change stands in the journal of the daemon: an earlier one changes nothing';

CREATE TABLE grants (
	grant_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	site_id integer NOT NULL,
	card_id integer NOT NULL,
	door_id integer NOT NULL REFERENCES doors,
	valid_from timestamptz NOT NULL DEFAULT now(),
	valid_until timestamptz,
	weekly_minutes int4multirange CHECK (weekly_minutes <@ int4range(0, 7 * 24 * 60)),
	granted_by code NOT NULL,
	granted_at timestamptz NOT NULL DEFAULT now(),
	node_id smallint NOT NULL DEFAULT 0,
	changed_position bigint NOT NULL DEFAULT 0,
	UNIQUE (card_id, door_id, valid_from),
	FOREIGN KEY (card_id, site_id) REFERENCES cards (card_id, site_id) ON DELETE CASCADE,
	CHECK (valid_until > valid_from)
);
COMMENT ON TABLE grants IS 'Which card opens which door, and when';
COMMENT ON COLUMN grants.grant_id IS 'Number of the grant, for references';
COMMENT ON COLUMN grants.site_id IS 'The site of the card';
COMMENT ON COLUMN grants.card_id IS 'The card';
COMMENT ON COLUMN grants.door_id IS 'The door';
COMMENT ON COLUMN grants.valid_from IS 'Opens nothing before; the narrower of this and the card''s counts';
COMMENT ON COLUMN grants.valid_until IS 'Opens nothing from then on; null: as long as the card';
COMMENT ON COLUMN grants.weekly_minutes IS
	'Minutes of the week in which it opens, from Monday 00:00 in the time of the site; null: always';
COMMENT ON COLUMN grants.granted_by IS 'The registration desk that granted it';
COMMENT ON COLUMN grants.granted_at IS 'When it was granted, as it is now';
COMMENT ON COLUMN grants.node_id IS 'The daemon that changed it last';
COMMENT ON COLUMN grants.changed_position IS 'Where that change stands in the journal of the daemon';
CREATE INDEX grants_door_id ON grants (door_id);

-- Daemons load the register again on this.  Statement by statement, and PostgreSQL
-- folds equal notifications of one transaction: an import of thousands is one.
CREATE FUNCTION notify_register() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM pg_notify('gatehouse_register', '');
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION notify_register() IS 'Tells daemons that the register has changed';

CREATE TRIGGER notify_register AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON stations
	FOR EACH STATEMENT EXECUTE FUNCTION notify_register();
CREATE TRIGGER notify_register AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON areas
	FOR EACH STATEMENT EXECUTE FUNCTION notify_register();
CREATE TRIGGER notify_register AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sites
	FOR EACH STATEMENT EXECUTE FUNCTION notify_register();
CREATE TRIGGER notify_register AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON controllers
	FOR EACH STATEMENT EXECUTE FUNCTION notify_register();
CREATE TRIGGER notify_register AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON doors
	FOR EACH STATEMENT EXECUTE FUNCTION notify_register();
CREATE TRIGGER notify_register AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON consoles
	FOR EACH STATEMENT EXECUTE FUNCTION notify_register();
CREATE TRIGGER notify_register AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON desks
	FOR EACH STATEMENT EXECUTE FUNCTION notify_register();
CREATE TRIGGER notify_register AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON units
	FOR EACH STATEMENT EXECUTE FUNCTION notify_register();
CREATE TRIGGER notify_register AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON door_groups
	FOR EACH STATEMENT EXECUTE FUNCTION notify_register();
CREATE TRIGGER notify_register AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON desk_sites
	FOR EACH STATEMENT EXECUTE FUNCTION notify_register();
CREATE TRIGGER notify_register AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON desk_units
	FOR EACH STATEMENT EXECUTE FUNCTION notify_register();
CREATE TRIGGER notify_register AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON unit_doors
	FOR EACH STATEMENT EXECUTE FUNCTION notify_register();
CREATE TRIGGER notify_register AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON door_group_doors
	FOR EACH STATEMENT EXECUTE FUNCTION notify_register();
