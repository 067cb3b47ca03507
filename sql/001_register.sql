-- SPDX-License-Identifier: Apache-2.0
--
-- The schema itself, its version, and the register: which stations, areas, sites,
-- controllers, doors and consoles there are.  PostgreSQL is the truth for these;
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
	address label NOT NULL DEFAULT ''
);
COMMENT ON TABLE sites IS 'Estates, urban villages, single buildings: what one landlord or manager keeps';
COMMENT ON COLUMN sites.site_id IS 'Number of the site, for references; records distribute by it';
COMMENT ON COLUMN sites.area_id IS 'The area that it lies in';
COMMENT ON COLUMN sites.code IS 'What it is called by';
COMMENT ON COLUMN sites.name IS 'Its name in full';
COMMENT ON COLUMN sites.address IS 'Standard address of the site';

CREATE TABLE controllers (
	controller_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
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
	enabled boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE consoles IS 'Clients that show alarms to dispatchers';
COMMENT ON COLUMN consoles.console_id IS 'Number of the console, for references';
COMMENT ON COLUMN consoles.station_id IS 'The station that it belongs to';
COMMENT ON COLUMN consoles.name IS 'Its name, which is also that in its certificate';
COMMENT ON COLUMN consoles.enabled IS 'Whether it may connect';

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
COMMENT ON COLUMN grants.granted_by IS 'The account that granted it';
COMMENT ON COLUMN grants.granted_at IS 'When it was granted';
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
