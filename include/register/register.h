/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register: which stations, areas, sites, controllers, doors, consoles and
 * registration desks there are; also units and groups of doors, by which rights are
 * granted.  PostgreSQL is the truth; this is one immutable copy of it, shared
 * by all threads and counted.  A change makes a new copy; the old one goes when
 * its last user lets go of it.  A snapshot on disk lets the daemon start while
 * PostgreSQL is down.
 *
 * Objects refer to one another by their ids in PostgreSQL and, inside one copy,
 * by pointers that live as long as it does.
 */
#ifndef GATEHOUSE_REGISTER_REGISTER_H
#define GATEHOUSE_REGISTER_REGISTER_H

#include "base/base.h"

enum {
	REGISTER_CODE_MAX = 64,  /* bytes of a code or name of a thing, without the end */
	REGISTER_TEXT_MAX = 200, /* bytes of a label or address */
};

struct zone;

struct station {
	uint32_t id;
	const char *code, *name;
};

/* A node of the area tree.  Station responsible first: its own, else the
 * nearest ancestor's; NULL when there is none. */
struct area {
	uint32_t id, parent_id; /* parent_id 0: a root */
	uint32_t station_id;    /* 0: none of its own */
	const char *code, *name;
	const struct area *parent;     /* NULL: a root */
	const struct station *station; /* responsible first, inherited; NULL: nobody */
};

struct site {
	uint32_t id, area_id;
	const char *code, *name, *address;
	const char *timezone; /* IANA name */
	const struct area *area;
	const struct zone *zone; /* of that name; see register/zone.h */
};

struct door {
	uint32_t id, site_id, controller_id;
	uint32_t number; /* on its controller, from 1 */
	const char *code, *name, *address;
	const struct site *site;
};

struct controller {
	uint32_t id, site_id;
	bool enabled;
	const char *name;
	const struct site *site;
	const struct door *const *doors; /* by number, ascending */
	size_t n_doors;
};

struct console {
	uint32_t id, station_id;
	bool enabled;
	bool supervisor; /* may close what stands, and so on; otherwise a dispatcher */
	const char *name;
	const struct station *station;
};

/* What a registration desk may do: see register/rules.h. */
enum desk_role { DESK_LANDLORD, DESK_MANAGER };

/* "landlord" or "manager". */
const char *desk_role_name(enum desk_role role);
/* False: there is no such role. */
bool desk_role_by_name(const char *name, enum desk_role *role);

/* A client that registers cards.  Its id is never that of a controller. */
struct registration_desk {
	uint32_t id;
	bool enabled;
	enum desk_role role;
	const char *name;
};

/* A dwelling or another unit of a site. */
struct unit {
	uint32_t id, site_id;
	const char *code, *name, *address; /* code: unique in its site */
};

/* Doors that are granted together. */
struct door_group {
	uint32_t id, site_id;
	const char *code, *name; /* code: unique in its site */
};

struct reg;

/* ---- Building: one thread, then immutable -------------------------------- */

struct reg_builder;

struct reg_builder *reg_builder_new(void);
void reg_builder_free(struct reg_builder **builder);

/* Texts are copied.  In any order; references are checked by reg_build(). */
void reg_add_station(struct reg_builder *b, uint32_t id, const char *code, const char *name);
void reg_add_area(struct reg_builder *b, uint32_t id, uint32_t parent_id, uint32_t station_id,
		  const char *code, const char *name);
/* Its time zone is UTC until reg_set_timezone(), which comes directly after. */
void reg_add_site(struct reg_builder *b, uint32_t id, uint32_t area_id, const char *code,
		  const char *name, const char *address);
void reg_set_timezone(struct reg_builder *b, const char *timezone);
void reg_add_controller(struct reg_builder *b, uint32_t id, uint32_t site_id, const char *name,
			bool enabled);
/* By its ids, number and texts; a text that is left out is empty. */
void reg_add_door(struct reg_builder *b, const struct door *door);
void reg_add_console(struct reg_builder *b, uint32_t id, uint32_t station_id, const char *name,
		     bool supervisor, bool enabled);
void reg_add_desk(struct reg_builder *b, uint32_t id, const char *name, enum desk_role role,
		  bool enabled);
void reg_add_unit(struct reg_builder *b, uint32_t id, uint32_t site_id, const char *code,
		  const char *name, const char *address);
void reg_add_group(struct reg_builder *b, uint32_t id, uint32_t site_id, const char *code,
		   const char *name);

/* What belongs to what: pairs of ids. */
enum reg_link {
	REG_DESK_SITES,  /* desk, site */
	REG_DESK_UNITS,  /* desk, unit */
	REG_UNIT_DOORS,  /* unit, door */
	REG_GROUP_DOORS, /* group, door */
	REG_LINKS,
};
void reg_add_link(struct reg_builder *b, enum reg_link link, uint32_t from, uint32_t to);

/* Uses the builder up (also on failure).  RC_INVALID: a doubled id or code, a
 * reference to nothing, a circle of areas, a time zone that doesn't exist.  The new register has
 * one reference. */
enum rc reg_build(struct reg_builder **builder, int64_t as_of_us, struct reg **reg,
		  struct err *err) MUST_CHECK;

/* Any thread. */
struct reg *reg_ref(struct reg *reg);
/* NULLs the caller; NULL is allowed. */
void reg_unref(struct reg **reg);

/* ---- Asking: any thread that holds a reference --------------------------- */

/* NULL when there is none. */
const struct controller *reg_controller_by_name(const struct reg *reg, const char *name);
const struct controller *reg_controller(const struct reg *reg, uint32_t id);
const struct console *reg_console_by_name(const struct reg *reg, const char *name);
const struct door *reg_door(const struct reg *reg, uint32_t id);
const struct door *reg_door_by_code(const struct reg *reg, const char *code);
const struct site *reg_site(const struct reg *reg, uint32_t id);
const struct site *reg_site_by_code(const struct reg *reg, const char *code);
const struct registration_desk *reg_desk(const struct reg *reg, uint32_t id);
const struct registration_desk *reg_desk_by_name(const struct reg *reg, const char *name);
const struct unit *reg_unit_by_code(const struct reg *reg, uint32_t site_id, const char *code);
const struct door_group *reg_group_by_code(const struct reg *reg, uint32_t site_id,
					   const char *code);
const struct area *reg_area_by_code(const struct reg *reg, const char *code);
const struct station *reg_station(const struct reg *reg, uint32_t id);
const struct station *reg_station_by_code(const struct reg *reg, const char *code);
/* By number on the controller; NULL when it has none of that number. */
const struct door *controller_door(const struct controller *controller, uint32_t number);

bool reg_is_linked(const struct reg *reg, enum reg_link link, uint32_t from, uint32_t to);
/* What `from` is linked to, ascending; *n is 0 for nothing. */
struct reg_pair {
	uint32_t from, to;
};
const struct reg_pair *reg_links_of(const struct reg *reg, enum reg_link link, uint32_t from,
				    size_t *n);

/* True when the area is one of the station's, or lies below one. */
bool station_covers_area(const struct reg *reg, uint32_t station_id, const struct area *area);
/* True when `area` is `above`, or lies below it. */
bool area_within(const struct area *area, const struct area *above);

/* When PostgreSQL said so, wall clock. */
int64_t reg_as_of_us(const struct reg *reg);

struct reg_counts {
	size_t stations, areas, sites, controllers, doors, consoles, desks, units, groups;
};
struct reg_counts reg_counts(const struct reg *reg);

/* All controllers, in order of id. */
const struct controller *const *reg_controllers(const struct reg *reg, size_t *n);

/* ---- Snapshot ------------------------------------------------------------ */

/* dir/register.snapshot as JSON with a CRC line.  RC_EOF when there is none;
 * RC_INVALID when it is damaged. */
enum rc reg_snapshot_write(const struct reg *reg, const char *dir, struct err *err) MUST_CHECK;
enum rc reg_snapshot_read(const char *dir, struct reg **reg, struct err *err) MUST_CHECK;

#endif
