/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register: which stations, areas, sites, controllers, doors and consoles
 * there are.  PostgreSQL is the truth; this is one immutable copy of it, shared
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
	const struct area *area;
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
	const char *name;
	const struct station *station;
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
void reg_add_site(struct reg_builder *b, uint32_t id, uint32_t area_id, const char *code,
		  const char *name, const char *address);
void reg_add_controller(struct reg_builder *b, uint32_t id, uint32_t site_id, const char *name,
			bool enabled);
void reg_add_door(struct reg_builder *b, uint32_t id, uint32_t site_id, uint32_t controller_id,
		  uint32_t number, const char *code, const char *name, const char *address);
void reg_add_console(struct reg_builder *b, uint32_t id, uint32_t station_id, const char *name,
		     bool enabled);

/* Uses the builder up (also on failure).  RC_INVALID: a doubled id or code, a
 * reference to nothing, a circle of areas.  The new register has one reference. */
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
const struct site *reg_site(const struct reg *reg, uint32_t id);
const struct area *reg_area_by_code(const struct reg *reg, const char *code);
const struct station *reg_station(const struct reg *reg, uint32_t id);
/* By number on the controller; NULL when it has none of that number. */
const struct door *controller_door(const struct controller *controller, uint32_t number);

/* True when the area is one of the station's, or lies below one. */
bool station_covers_area(const struct reg *reg, uint32_t station_id, const struct area *area);
/* True when `area` is `above`, or lies below it. */
bool area_within(const struct area *area, const struct area *above);

/* When PostgreSQL said so, wall clock. */
int64_t reg_as_of_us(const struct reg *reg);

struct reg_counts {
	size_t stations, areas, sites, controllers, doors, consoles;
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
