/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enrolling: what is needed is looked up first (authority, where the daemon is,
 * folders that must not be there), then the rows are put, then all folders are
 * staged, synced in one piece, and moved to their places.
 *
 * Owner: the main thread.  Keys exist in memory one at a time.
 */
#include "ctl/clients.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ca.h"
#include "ctl/control.h"
#include "ctl/enrol.h"
#include "ctl/files.h"
#include "daemon/settings.h"
#include "store/admin.h"

enum { PROGRESS_STEP = 50 };

/* A door of the register, and whose it is. */
struct hung_door {
	char *controller;
	struct enrol_door door; /* its code is ours to free */
};

struct hung_doors {
	struct hung_door *items;
	size_t n, capacity;
};

/* All that one run holds. */
struct run {
	struct ctl *ctl;
	const struct clients_wish *wish;
	struct enrol enrol;
	struct ca *ca;
	struct ca_identity authority;
	struct hung_doors doors;
	char *dir, *ca_dir, *host;
};

void
clients_add(struct clients *clients, const char *name, const char *station)
{
	struct client *client;

	if (clients->n == clients->capacity) {
		clients->capacity = clients->capacity == 0 ? 16 : clients->capacity * 2;
		clients->items =
			xrealloc(clients->items, clients->capacity * sizeof(*clients->items));
	}
	client = &clients->items[clients->n++];
	client->name = xstrdup(name);
	client->station = station == NULL ? NULL : xstrdup(station);
}

void
clients_fini(struct clients *clients)
{
	for (size_t i = 0; i < clients->n; i++) {
		free(clients->items[i].name);
		free(clients->items[i].station);
	}
	free(clients->items);
	*clients = (struct clients){0};
}

/* ---- What the register has ------------------------------------------------ */

/* The value of a column by name; NULL when there is none. */
static const char *
row_value(int n, const char *const *names, const char *const *values, const char *wanted)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(names[i], wanted) == 0)
			return values[i];
	}
	return NULL;
}

static enum rc
client_row(void *arg, int n, const char *const *names, const char *const *values)
{
	struct clients *clients = arg;
	const char *name = row_value(n, names, values, "name");

	if (name != NULL)
		clients_add(clients, name, row_value(n, names, values, "station"));
	return RC_OK;
}

static struct client *
client_find(struct clients *clients, const char *name)
{
	for (size_t i = 0; i < clients->n; i++) {
		if (strcmp(clients->items[i].name, name) == 0)
			return &clients->items[i];
	}
	return NULL;
}

/* Keeps only those that are named. */
static enum rc
clients_choose(struct clients *clients, const char *const *names, size_t n, enum tls_role role,
	       struct err *err)
{
	struct clients chosen = {0};

	for (size_t i = 0; i < n; i++) {
		const struct client *client = client_find(clients, names[i]);

		if (client == NULL) {
			clients_fini(&chosen);
			return err_invalid(err, "there is no %s \"%s\"", tls_role_name(role),
					   names[i]);
		}
		if (client_find(&chosen, names[i]) == NULL)
			clients_add(&chosen, client->name, client->station);
	}
	clients_fini(clients);
	*clients = chosen;
	return RC_OK;
}

enum rc
clients_load(struct clients *clients, struct ctl *ctl, enum tls_role role, const char *const *names,
	     size_t n, struct err *err)
{
	enum admin_list what = role == TLS_ROLE_CONTROLLER ? ADMIN_CONTROLLERS : ADMIN_CONSOLES;
	enum rc rc = ctl_need_register(ctl, err);

	if (rc == RC_OK)
		rc = admin_list(ctl->admin, what, client_row, clients, err);
	if (rc == RC_OK && n > 0)
		rc = clients_choose(clients, names, n, role, err);
	return rc;
}

static enum rc
door_row(void *arg, int n, const char *const *names, const char *const *values)
{
	struct hung_doors *doors = arg;
	const char *controller = row_value(n, names, values, "controller");
	const char *number = row_value(n, names, values, "number");
	const char *code = row_value(n, names, values, "code");
	struct hung_door *hung;

	if (controller == NULL || number == NULL || code == NULL)
		return RC_OK; /* not hung yet */
	if (doors->n == doors->capacity) {
		doors->capacity = doors->capacity == 0 ? 64 : doors->capacity * 2;
		doors->items = xrealloc(doors->items, doors->capacity * sizeof(*doors->items));
	}
	hung = &doors->items[doors->n++];
	hung->controller = xstrdup(controller);
	hung->door.number = (uint32_t)strtoul(number, NULL, 10);
	hung->door.code = xstrdup(code);
	return RC_OK;
}

static int
door_compare(const void *a, const void *b)
{
	const struct hung_door *x = a, *y = b;
	int order = strcmp(x->controller, y->controller);

	if (order != 0)
		return order;
	return (x->door.number > y->door.number) - (x->door.number < y->door.number);
}

static enum rc
doors_load(struct hung_doors *doors, struct admin *admin, struct err *err)
{
	enum rc rc = admin_list(admin, ADMIN_DOORS, door_row, doors, err);

	if (rc == RC_OK && doors->n > 0)
		qsort(doors->items, doors->n, sizeof(*doors->items), door_compare);
	return rc;
}

static void
doors_fini(struct hung_doors *doors)
{
	for (size_t i = 0; i < doors->n; i++) {
		free(doors->items[i].controller);
		free((char *)(uintptr_t)doors->items[i].door.code);
	}
	free(doors->items);
}

/* New memory: the doors of one controller, by number. */
static struct enrol_door *
doors_of(const struct hung_doors *doors, const char *controller, size_t *n)
{
	size_t low = 0, high = doors->n, end;
	struct enrol_door *list;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(doors->items[middle].controller, controller) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < doors->n; end++) {
		if (strcmp(doors->items[end].controller, controller) != 0)
			break;
	}
	*n = end - low;
	list = xcalloc(*n + 1, sizeof(*list));
	for (size_t i = 0; i < *n; i++)
		list[i] = doors->items[low + i].door;
	return list;
}

/* ---- What a run needs ----------------------------------------------------- */

static enum rc
run_find_port(struct run *run, struct err *err)
{
	const struct settings *settings = run->ctl->settings;
	bool controllers = run->wish->role == TLS_ROLE_CONTROLLER;

	run->enrol.port = run->wish->port;
	for (size_t i = 0; i < settings->n_listeners && run->enrol.port < 0; i++) {
		const struct listener_settings *listener = &settings->listeners[i];

		if (controllers ? listener->controllers : listener->consoles)
			run->enrol.port = (int)listener->port;
	}
	if (run->enrol.port < 0)
		return err_invalid(err, "no listener serves %ss; name a port by --port",
				   tls_role_name(run->wish->role));
	return RC_OK;
}

static enum rc
run_find_host(struct run *run, struct err *err)
{
	const char *certificate = run->ctl->settings->tls_certificate;

	run->host = run->wish->host != NULL ? xstrdup(run->wish->host) : ca_first_host(certificate);
	if (run->host == NULL)
		return err_invalid(err, "the certificate \"%s\" names no host; name one by --host",
				   certificate);
	return RC_OK;
}

static enum rc
run_prepare(struct run *run, struct err *err)
{
	const struct clients_wish *wish = run->wish;
	enum rc rc = ctl_need_settings(run->ctl, err);

	if (rc != RC_OK)
		return rc;
	run->dir = wish->out_dir != NULL ? xstrdup(wish->out_dir)
					 : ctl_beside_config(run->ctl, "clients");
	run->ca_dir =
		wish->ca_dir != NULL ? xstrdup(wish->ca_dir) : ctl_beside_config(run->ctl, "ca");
	rc = run_find_host(run, err);
	if (rc == RC_OK)
		rc = run_find_port(run, err);
	if (rc == RC_OK)
		rc = ca_open(&run->ca, run->ca_dir, err);
	if (rc == RC_OK)
		rc = ca_export(run->ca, &run->authority, err);
	run->enrol.ca = run->ca;
	run->enrol.authority = &run->authority;
	run->enrol.dir = run->dir;
	run->enrol.role = wish->role;
	run->enrol.host = run->host;
	run->enrol.days = wish->days;
	run->enrol.replace = wish->replace;
	return rc;
}

static void
run_fini(struct run *run)
{
	ca_free(&run->ca);
	ca_identity_fini(&run->authority);
	doors_fini(&run->doors);
	free(run->dir);
	free(run->ca_dir);
	free(run->host);
}

/* Before the register is changed; staging would find it too, but later. */
static enum rc
run_check_folders(const struct run *run, const struct clients *clients, struct err *err)
{
	for (size_t i = 0; i < clients->n && !run->wish->replace; i++) {
		char *path = xasprintf("%s/%s", run->dir, clients->items[i].name);
		bool there = files_exists(path);

		if (there)
			(void)err_invalid(err, "\"%s\" exists already", path);
		free(path);
		if (there)
			return RC_INVALID;
	}
	return RC_OK;
}

/* ---- Doing it ------------------------------------------------------------- */

static void
show_progress(size_t done, size_t all)
{
	if (isatty(STDERR_FILENO) && all > PROGRESS_STEP &&
	    (done % PROGRESS_STEP == 0 || done == all))
		(void)fprintf(stderr, "\rcertificates: %zu of %zu%s", done, all,
			      done == all ? "\n" : "");
}

static enum rc
run_stage(const struct run *run, const struct client *client, struct err *err)
{
	size_t n;
	struct enrol_door *doors = doors_of(&run->doors, client->name, &n);
	const struct enrol_client folder = {client->name, client->station, doors, n};
	enum rc rc = enrol_stage(&run->enrol, &folder, err);

	free(doors);
	return rc;
}

/* All folders, or none of them. */
static enum rc
run_make_folders(const struct run *run, const struct clients *clients, struct err *err)
{
	size_t staged = 0;
	enum rc rc = files_make_dirs(run->dir, 0750, FILES_OWNER_SELF, err);

	while (staged < clients->n && rc == RC_OK) {
		rc = run_stage(run, &clients->items[staged], err);
		if (rc == RC_OK)
			show_progress(++staged, clients->n);
	}
	if (rc == RC_OK)
		rc = files_sync(run->dir, err);
	for (size_t i = 0; i < clients->n && rc == RC_OK; i++)
		rc = enrol_publish(&run->enrol, clients->items[i].name, err);
	if (rc == RC_OK)
		return files_sync(run->dir, err);
	for (size_t i = 0; i < staged; i++)
		enrol_discard(&run->enrol, clients->items[i].name);
	return rc;
}

enum rc
clients_enrol(struct clients *clients, struct ctl *ctl, const struct clients_wish *wish,
	      struct setup *setup, struct err *err)
{
	struct run run = {.ctl = ctl, .wish = wish};
	enum rc rc = run_prepare(&run, err);

	if (rc == RC_OK)
		rc = run_check_folders(&run, clients, err);
	if (rc == RC_OK)
		rc = ctl_need_register(ctl, err);
	if (rc == RC_OK && setup != NULL) {
		rc = setup_apply(setup, ctl->admin, false, err);
		if (rc == RC_OK)
			control_poke(ctl->settings->control_socket);
	}
	if (rc == RC_OK && wish->role == TLS_ROLE_CONTROLLER)
		rc = doors_load(&run.doors, ctl->admin, err);
	if (rc == RC_OK)
		rc = run_make_folders(&run, clients, err);
	run_fini(&run);
	return rc;
}
