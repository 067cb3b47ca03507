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
#include "wire/card.h"

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

/* A site's number, by which its key is made. */
struct site_number {
	char *code;
	uint32_t id;
};

struct site_numbers {
	struct site_number *items; /* by code */
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
	struct site_numbers sites;
	struct card_keys *keys; /* of controllers only */
	char *dir, *ca_dir, *host;
};

static char *
text_copy(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

void
clients_add(struct clients *clients, const struct client *client)
{
	if (clients->n == clients->capacity) {
		clients->capacity = clients->capacity == 0 ? 16 : clients->capacity * 2;
		clients->items =
			xrealloc(clients->items, clients->capacity * sizeof(*clients->items));
	}
	clients->items[clients->n++] = (struct client){
		.name = xstrdup(client->name),
		.site = text_copy(client->site),
		.station = text_copy(client->station),
		.right = text_copy(client->right),
		.sites = text_copy(client->sites),
		.units = text_copy(client->units),
	};
}

void
clients_fini(struct clients *clients)
{
	for (size_t i = 0; i < clients->n; i++) {
		struct client *client = &clients->items[i];

		free(client->name);
		free(client->site);
		free(client->station);
		free(client->right);
		free(client->sites);
		free(client->units);
	}
	free(clients->items);
	*clients = (struct clients){0};
}

/* ---- What the register has ------------------------------------------------ */

/* The value of a column by name, borrowed; NULL when there is none. */
static char *
row_value(int n, const char *const *names, const char *const *values, const char *wanted)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(names[i], wanted) == 0)
			return (char *)(uintptr_t)values[i];
	}
	return NULL;
}

static enum rc
client_row(void *arg, int n, const char *const *names, const char *const *values)
{
	struct clients *clients = arg;
	const struct client client = {
		.name = row_value(n, names, values, "name"),
		.site = row_value(n, names, values, "site"),
		.station = row_value(n, names, values, "station"),
		.right = row_value(n, names, values, "role"),
		.sites = row_value(n, names, values, "sites"),
		.units = row_value(n, names, values, "units"),
	};

	if (client.name != NULL)
		clients_add(clients, &client);
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
			clients_add(&chosen, client);
	}
	clients_fini(clients);
	*clients = chosen;
	return RC_OK;
}

enum rc
clients_load(struct clients *clients, struct ctl *ctl, enum tls_role role, const char *const *names,
	     size_t n, struct err *err)
{
	static const enum admin_list lists[TLS_ROLES] = {
		[TLS_ROLE_CONTROLLER] = ADMIN_CONTROLLERS,
		[TLS_ROLE_CONSOLE] = ADMIN_CONSOLES,
		[TLS_ROLE_DESK] = ADMIN_DESKS,
	};
	enum rc rc = ctl_need_register(ctl, err);

	if (rc == RC_OK)
		rc = admin_list(ctl->admin, lists[role], client_row, clients, err);
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

/* In order of code, as the list has them. */
static enum rc
site_row(void *arg, int n, const char *const *names, const char *const *values)
{
	struct site_numbers *sites = arg;
	const char *code = row_value(n, names, values, "code");
	const char *id = row_value(n, names, values, "site_id");

	if (code == NULL || id == NULL)
		return RC_OK;
	if (sites->n == sites->capacity) {
		sites->capacity = sites->capacity == 0 ? 64 : sites->capacity * 2;
		sites->items = xrealloc(sites->items, sites->capacity * sizeof(*sites->items));
	}
	sites->items[sites->n++] = (struct site_number){
		.code = xstrdup(code),
		.id = (uint32_t)strtoul(id, NULL, 10),
	};
	return RC_OK;
}

static int
site_compare(const void *a, const void *b)
{
	const struct site_number *x = a, *y = b;

	return strcmp(x->code, y->code);
}

static void
sites_fini(struct site_numbers *sites)
{
	for (size_t i = 0; i < sites->n; i++)
		free(sites->items[i].code);
	free(sites->items);
}

/* ---- What a run needs ----------------------------------------------------- */

static bool
listener_serves(const struct listener_settings *listener, enum tls_role role)
{
	return (role == TLS_ROLE_CONTROLLER && listener->controllers) ||
	       (role == TLS_ROLE_CONSOLE && listener->consoles) ||
	       (role == TLS_ROLE_DESK && listener->desks);
}

static enum rc
run_find_port(struct run *run, struct err *err)
{
	const struct settings *settings = run->ctl->settings;

	run->enrol.port = run->wish->port;
	for (size_t i = 0; i < settings->n_listeners && run->enrol.port < 0; i++) {
		const struct listener_settings *listener = &settings->listeners[i];

		if (listener_serves(listener, run->wish->role))
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
	if (rc == RC_OK && wish->role == TLS_ROLE_CONTROLLER)
		rc = card_keys_open(&run->keys, run->ctl->settings->keys_dir, err);
	run->enrol.ca = run->ca;
	run->enrol.authority = &run->authority;
	run->enrol.dir = run->dir;
	run->enrol.role = wish->role;
	run->enrol.host = run->host;
	run->enrol.days = wish->days;
	run->enrol.replace = wish->replace;
	return rc;
}

/* What only controllers are given: their doors, and their site's key. */
static enum rc
run_load_for_controllers(struct run *run, struct err *err)
{
	enum rc rc = doors_load(&run->doors, run->ctl->admin, err);

	if (rc == RC_OK)
		rc = admin_list(run->ctl->admin, ADMIN_SITES, site_row, &run->sites, err);
	if (rc == RC_OK && run->sites.n > 0)
		qsort(run->sites.items, run->sites.n, sizeof(*run->sites.items), site_compare);
	return rc;
}

static void
run_fini(struct run *run)
{
	ca_free(&run->ca);
	ca_identity_fini(&run->authority);
	doors_fini(&run->doors);
	sites_fini(&run->sites);
	card_keys_close(&run->keys);
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

/* The key by which a controller knows its site's cards. */
static enum rc
run_site_key(const struct run *run, const char *site, char key[CARD_KEY_TEXT], struct err *err)
{
	const struct site_number wanted = {.code = (char *)(uintptr_t)site};
	const struct site_number *found = NULL;

	if (run->sites.n > 0)
		found = bsearch(&wanted, run->sites.items, run->sites.n, sizeof(wanted),
				site_compare);
	if (found == NULL)
		return err_invalid(err, "site \"%s\" is not in the register", site);
	return card_site_key_text(run->keys, found->id, key, err);
}

static enum rc
run_stage(const struct run *run, const struct client *client, struct err *err)
{
	char key[CARD_KEY_TEXT];
	size_t n;
	struct enrol_door *doors = doors_of(&run->doors, client->name, &n);
	struct enrol_client folder = {
		.name = client->name,
		.station = client->station,
		.right = client->right,
		.sites = client->sites,
		.units = client->units,
		.doors = doors,
		.n_doors = n,
	};
	enum rc rc = RC_OK;

	if (run->keys != NULL) {
		folder.site_key = key;
		rc = run_site_key(run, client->site, key, err);
	}
	if (rc == RC_OK)
		rc = enrol_stage(&run->enrol, &folder, err);
	card_wipe(key, sizeof(key));
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
		rc = run_load_for_controllers(&run, err);
	if (rc == RC_OK)
		rc = run_make_folders(&run, clients, err);
	run_fini(&run);
	return rc;
}
