/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator's program does in PostgreSQL: migrations and the register's
 * rows.  Synchronous, for programs that do one thing and end.  Each function is
 * one transaction; on RC_INVALID or RC_FAIL nothing has changed.  Changes of
 * the register send NOTIFY gatehouse_register when they commit.
 *
 * Owner: one thread.  Errors carry PostgreSQL's primary message.
 */
#ifndef GATEHOUSE_STORE_ADMIN_H
#define GATEHOUSE_STORE_ADMIN_H

#include "register/rights.h"

struct admin;

enum rc admin_open(struct admin **admin, const char *conninfo, struct err *err) MUST_CHECK;
void admin_close(struct admin **admin);

/* The newest version that this program knows: that of the last file in sql/. */
int migrate_newest(void);
/* The version of the database: 0 when it is empty. */
enum rc migrate_current(struct admin *admin, int *version, struct err *err) MUST_CHECK;
/* Applies what is missing, each file in a transaction, under an advisory lock.
 * `said` is called for each.  RC_INVALID when the database is newer. */
enum rc migrate_apply(struct admin *admin, void (*said)(void *arg, int version, const char *name),
		      void *arg, struct err *err) MUST_CHECK;

/* ---- The register's rows ------------------------------------------------- */

/* Inserts or, where the code exists, updates.  Codes are trimmed, not empty, at
 * most 64 bytes; names at most 200.  `parent`, `station`: codes, or NULL. */
enum rc admin_put_station(struct admin *a, const char *code, const char *name,
			  struct err *err) MUST_CHECK;
enum rc admin_put_area(struct admin *a, const char *code, const char *name, const char *parent,
		       const char *station, struct err *err) MUST_CHECK;
enum rc admin_put_site(struct admin *a, const char *code, const char *name, const char *area,
		       const char *address, struct err *err) MUST_CHECK;
struct admin_door {
	const char *code, *name, *site, *address;
	const char *controller; /* a name of the same site; NULL: none is hung yet */
	uint32_t number;        /* from 1, free on that controller; 0 without one */
};
enum rc admin_put_door(struct admin *a, const struct admin_door *door, struct err *err) MUST_CHECK;
/* Can't move to another site while it serves doors. */
enum rc admin_put_controller(struct admin *a, const char *name, const char *site,
			     struct err *err) MUST_CHECK;
/* `role`: dispatcher or supervisor; NULL leaves it, or is dispatcher for a new one. */
enum rc admin_put_console(struct admin *a, const char *name, const char *station, const char *role,
			  struct err *err) MUST_CHECK;
/* Into another area; RC_INVALID when there is no such site or area. */
enum rc admin_move_site(struct admin *a, const char *code, const char *area,
			struct err *err) MUST_CHECK;
/* A name of PostgreSQL's list of time zones; RC_INVALID when there is none such. */
enum rc admin_set_site_timezone(struct admin *a, const char *code, const char *zone_name,
				struct err *err) MUST_CHECK;
/* A thing of a site that doors belong to. */
struct admin_doors_of {
	const char *code, *name, *site;
	const char *address; /* of a unit; NULL: empty */
	const char *doors;   /* codes of doors of the site, with commas between; NULL: none */
};
/* The doors that stood there before are replaced, as with the lists below. */
enum rc admin_put_unit(struct admin *a, const struct admin_doors_of *unit,
		       struct err *err) MUST_CHECK;
enum rc admin_put_group(struct admin *a, const struct admin_doors_of *group,
			struct err *err) MUST_CHECK;
/* `role`: landlord or manager; `sites`: codes; `units`: SITE/UNIT; NULL: none. */
enum rc admin_put_desk(struct admin *a, const char *name, const char *role, const char *sites,
		       const char *units, struct err *err) MUST_CHECK;

/* The puts between begin and commit are one transaction: all or nothing.  After
 * a put that failed, the others may still be tried, to report more mistakes at
 * once (each stands in a savepoint); admin_commit() then refuses. */
enum rc admin_begin(struct admin *a, struct err *err) MUST_CHECK;
enum rc admin_commit(struct admin *a, struct err *err) MUST_CHECK;
void admin_rollback(struct admin *a);

/* One row of a list: columns by name, values as text (NULL for null). */
typedef enum rc admin_row(void *arg, int n, const char *const *names, const char *const *values);

/* Lists of one site's cards and rights, without what identifies anybody. */
enum admin_site_list {
	/* card, kind, status, unit, from_us, until_us (null: open end), rights */
	ADMIN_SITE_CARDS,
	/* card, kind, unit, door, from_us, until_us, weekly_minutes (null: always), granted_by */
	ADMIN_SITE_GRANTS,
	/* card_key, kind, unit, from_us, until_us, doors, right_from_us, right_until_us,
	 * weekly_minutes: a row for each card that isn't revoked and window of it that has
	 * not ended */
	ADMIN_SITE_EXPORT,
};
/* RC_INVALID when there is no such site. */
enum rc admin_site_list(struct admin *a, enum admin_site_list what, const char *site,
			admin_row *row, void *arg, struct err *err) MUST_CHECK;

/* A copy as the daemon has one, for the caller to let go of.  RC_INVALID when the rows
 * make no sense. */
enum rc admin_load_register(struct admin *a, struct reg **reg, struct err *err) MUST_CHECK;
/* All cards and rights into an empty one. */
enum rc admin_load_rights(struct admin *a, struct rights *rights, struct err *err) MUST_CHECK;

/* Counts the tasks of today (UTC), for admin_list(ADMIN_TASK_COUNTS) of later days. */
enum rc admin_count_tasks(struct admin *a, struct err *err) MUST_CHECK;

/* The site's time zone, in new memory.  RC_INVALID when there is no such site. */
enum rc admin_site_timezone(struct admin *a, const char *site, char **zone_name,
			    struct err *err) MUST_CHECK;

/* A list for people and scripts: columns by name, rows as text (NULL for null). */
enum admin_list {
	ADMIN_STATIONS,    /* code, name, areas, consoles */
	ADMIN_AREAS,       /* code, name, parent, station */
	ADMIN_SITES,       /* code, name, area, station, address, timezone, controllers, doors,
			      site_id */
	ADMIN_DOORS,       /* code, name, site, controller, number, address */
	ADMIN_LABELS,      /* code, name, site, site_name, address (of the door or its site) */
	ADMIN_TASKS,       /* site, task, title, thing: what is to be put in order */
	ADMIN_TASK_COUNTS, /* site, task, title, count, before, before_day */
	ADMIN_CONTROLLERS, /* name, site, enabled, doors, last_record (of all time, received_at) */
	ADMIN_CONSOLES,    /* name, station, role, enabled */
	ADMIN_UNITS,       /* code, name, site, address, doors (codes, with commas) */
	ADMIN_GROUPS,      /* code, name, site, doors (codes) */
	ADMIN_DESKS,       /* name, role, sites (codes), units (SITE/UNIT), enabled */
	ADMIN_GAPS,        /* controller, epoch, from, to, records, since, state, filled */
	ADMIN_LISTS,
};
/* ADMIN_CONTROLLERS, ADMIN_CONSOLES or ADMIN_DESKS; RC_INVALID when there is none of
 * that name. */
enum rc admin_set_enabled(struct admin *a, enum admin_list what, const char *name, bool enabled,
			  struct err *err) MUST_CHECK;
enum rc admin_list(struct admin *a, enum admin_list what, admin_row *row, void *arg,
		   struct err *err) MUST_CHECK;

/* Alarms that were raised from `since_us` until before `until_us`. */
struct admin_report {
	int64_t since_us, until_us;
	const char *station; /* whose sites; NULL: all */
};
/* A row for each class (people, other) and limit: class, measure (arrived, shown,
 * acknowledged), limit_s, required (per cent), alarms (that count), p50_s, p95_s, p99_s,
 * within (per cent), verdict (met, missed, no data).  RC_INVALID when the register has no
 * such station. */
enum rc admin_alarm_report(struct admin *a, const struct admin_report *of, admin_row *row,
			   void *arg, struct err *err) MUST_CHECK;

#endif
