/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads enrolment folders.  The folder is material from outside: sizes and
 * types are checked, and a mistake names the file.
 *
 * Deliberately doesn't open certificates and keys: that costs time and memory
 * for each client, and is done when the client connects for the first time.
 */
#include "sim/enrolment.h"

#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "sim/held.h"

enum {
	CLIENT_JSON_MAX_BYTES = 256 * 1024, /* some thousand doors */
	ENROLMENT_DOORS_MAX = 4096,
	ENROLMENT_CODE_MAX = 64, /* bytes of a site's code */
};

/* The folders' names, gathered before any is opened, to be sorted. */
struct folder_list {
	char **names;
	size_t n, capacity;
};

static enum rc
folder_list_add(void *arg, const char *name)
{
	struct folder_list *list = arg;

	if (list->n == list->capacity) {
		list->capacity = list->capacity > 0 ? list->capacity * 2 : 64;
		list->names = xrealloc(list->names, list->capacity * sizeof(char *));
	}
	list->names[list->n++] = xstrdup(name);
	return RC_OK;
}

static int
folder_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
folder_list_free(struct folder_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->names[i]);
	free(list->names);
}

static void
enrolment_fini(struct enrolment *e)
{
	for (size_t i = 0; i < e->n_doors; i++)
		free(e->doors[i].code);
	free(e->doors);
	for (size_t i = 0; i < e->n_sites; i++)
		free(e->sites[i]);
	free(e->sites);
	free(e->site_key);
	free(e->dir);
	free(e->name);
	free(e->host);
	free(e->port);
}

void
enrolments_free(struct enrolments *all)
{
	for (size_t i = 0; i < all->n; i++)
		enrolment_fini(&all->items[i]);
	free(all->items);
	*all = (struct enrolments){0};
}

static int
door_compare(const void *a, const void *b)
{
	const struct enrolment_door *left = a, *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

static enum rc
enrolment_read_doors(struct enrolment *e, const json_t *doors, const char *path, struct err *err)
{
	size_t i;
	json_t *item;

	if (doors == NULL)
		return RC_OK;
	if (!json_is_array(doors) || json_array_size(doors) > ENROLMENT_DOORS_MAX)
		return err_invalid(err, "%s: \"doors\" is not a list of at most %d doors", path,
				   ENROLMENT_DOORS_MAX);
	if (json_array_size(doors) == 0)
		return RC_OK;
	e->doors = xcalloc(json_array_size(doors), sizeof(*e->doors));
	json_array_foreach (doors, i, item) {
		json_int_t number = json_integer_value(json_object_get(item, "number"));
		const char *code = json_string_value(json_object_get(item, "code"));

		if (number < 1 || number > UINT16_MAX)
			return err_invalid(err, "%s: door %zu has no number from 1 to %d", path,
					   i + 1, UINT16_MAX);
		e->doors[i].number = (uint16_t)number;
		e->doors[i].code = xstrdup(code != NULL ? code : "");
		e->n_doors = i + 1;
	}
	qsort(e->doors, e->n_doors, sizeof(*e->doors), door_compare);
	return RC_OK;
}

static enum rc
enrolment_read_key(struct enrolment *e, const json_t *key, const char *path, struct err *err)
{
	struct held *held = NULL;
	struct err why;

	if (key == NULL)
		return RC_OK;
	if (!json_is_string(key) || held_new(&held, json_string_value(key), &why) != RC_OK)
		return err_invalid(err, "%s: \"card_key_site\" is not a key in base64", path);
	held_free(&held);
	e->site_key = xstrdup(json_string_value(key));
	return RC_OK;
}

static enum rc
enrolment_read_sites(struct enrolment *e, const json_t *sites, const char *path, struct err *err)
{
	size_t i;
	json_t *item;

	if (sites == NULL || json_array_size(sites) == 0)
		return RC_OK;
	e->sites = xcalloc(json_array_size(sites), sizeof(*e->sites));
	json_array_foreach (sites, i, item) {
		const char *code = json_string_value(item);

		if (code == NULL || strlen(code) > ENROLMENT_CODE_MAX)
			return err_invalid(err, "%s: site %zu is not a code", path, i + 1);
		e->sites[e->n_sites++] = xstrdup(code);
	}
	return RC_OK;
}

static enum rc
enrolment_read(struct enrolment *e, const json_t *root, const char *path, struct err *err)
{
	const char *name = json_string_value(json_object_get(root, "name"));
	const char *host = json_string_value(json_object_get(root, "host"));
	json_int_t port = json_integer_value(json_object_get(root, "port"));
	enum rc rc;

	if (name == NULL || name[0] == '\0' || strlen(name) > TLS_NAME_MAX)
		return err_invalid(err, "%s: \"name\" is not a text of 1 to %d bytes", path,
				   TLS_NAME_MAX);
	if (host == NULL || host[0] == '\0')
		return err_invalid(err, "%s: \"host\" is missing", path);
	if (port < 0 || port > UINT16_MAX)
		return err_invalid(err, "%s: \"port\" is not a number up to %d", path, UINT16_MAX);
	e->name = xstrdup(name);
	e->host = xstrdup(host);
	e->port = xasprintf("%d", (int)port);
	rc = enrolment_read_doors(e, json_object_get(root, "doors"), path, err);
	if (rc == RC_OK)
		rc = enrolment_read_key(e, json_object_get(root, "card_key_site"), path, err);
	if (rc == RC_OK)
		rc = enrolment_read_sites(e, json_object_get(root, "sites"), path, err);
	return rc;
}

/* RC_EOF: not a folder of a client in this role. */
static enum rc
enrolment_load(struct enrolment *e, const char *dir, enum tls_role role, struct err *err)
{
	char *path = xasprintf("%s/client.json", dir);
	uint8_t *text = NULL;
	size_t n = 0;
	json_error_t mistake;
	json_t *root = NULL;
	const char *has_role;
	enum rc rc = fs_read_file(path, CLIENT_JSON_MAX_BYTES, &text, &n, err);

	if (rc != RC_OK) {
		if (err->sys == ENOENT || err->sys == ENOTDIR)
			rc = RC_EOF;
		goto out;
	}
	root = json_loadb((const char *)text, n, JSON_REJECT_DUPLICATES, &mistake);
	if (root == NULL) {
		rc = err_invalid(err, "%s:%d: %s", path, mistake.line, mistake.text);
		goto out;
	}
	has_role = json_string_value(json_object_get(root, "role"));
	if (has_role == NULL || strcmp(has_role, tls_role_name(role)) != 0) {
		rc = RC_EOF;
		goto out;
	}
	e->dir = xstrdup(dir);
	rc = enrolment_read(e, root, path, err);
out:
	json_decref(root);
	free(text);
	free(path);
	return rc;
}

static enum rc
enrolments_load_sorted(struct enrolments *all, const char *dir, const struct folder_list *list,
		       enum tls_role role, size_t limit, struct err *err)
{
	all->items = xcalloc(list->n + 1, sizeof(*all->items));
	for (size_t i = 0; i < list->n && (limit == 0 || all->n < limit); i++) {
		char *folder = xasprintf("%s/%s", dir, list->names[i]);
		struct enrolment *e = &all->items[all->n];
		enum rc rc = enrolment_load(e, folder, role, err);

		free(folder);
		if (rc == RC_OK)
			all->n++;
		else if (rc != RC_EOF) {
			enrolment_fini(e);
			return rc;
		}
	}
	if (all->n == 0)
		return err_invalid(err, "there is no enrolled %s in \"%s\"", tls_role_name(role),
				   dir);
	return RC_OK;
}

enum rc
enrolments_load(struct enrolments *all, const char *dir, enum tls_role role, size_t limit,
		struct err *err)
{
	struct folder_list list = {0};
	enum rc rc = fs_list(dir, folder_list_add, &list, err);

	*all = (struct enrolments){0};
	if (rc == RC_OK) {
		if (list.n > 0)
			qsort(list.names, list.n, sizeof(char *), folder_compare);
		rc = enrolments_load_sorted(all, dir, &list, role, limit, err);
	}
	folder_list_free(&list);
	if (rc != RC_OK)
		enrolments_free(all);
	return rc;
}

static enum rc
endpoint_resolve(struct enrolment *e, const char *host, const char *port, struct err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	int error = getaddrinfo(host, port, &hints, &found);

	if (error != 0)
		return err_invalid(err, "could not find the address of \"%s\" port \"%s\": %s",
				   host, port, gai_strerror(error));
	memcpy(&e->address, found->ai_addr, found->ai_addrlen);
	e->address_len = found->ai_addrlen;
	freeaddrinfo(found);
	return RC_OK;
}

/* "HOST:PORT" or "[HOST]:PORT"; cuts `text` in two. */
static enum rc
endpoint_split(char *text, char **host, char **port, struct err *err)
{
	char *colon = strrchr(text, ':');

	if (colon == NULL || colon == text || colon[1] == '\0')
		return err_invalid(err, "\"%s\" is not of the form HOST:PORT", text);
	*port = colon + 1;
	*host = text;
	*colon = '\0';
	if (text[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		*host = text + 1;
	}
	return RC_OK;
}

enum rc
enrolments_resolve(struct enrolments *all, const char *connect, struct err *err)
{
	char *text = connect != NULL ? xstrdup(connect) : NULL;
	char *host = NULL, *port = NULL;
	enum rc rc = text != NULL ? endpoint_split(text, &host, &port, err) : RC_OK;

	for (size_t i = 0; rc == RC_OK && i < all->n; i++) {
		struct enrolment *e = &all->items[i], *last = i > 0 ? e - 1 : NULL;

		/* a fleet has one server: the name is looked up once, not per client */
		if (last != NULL && (text != NULL || (strcmp(last->host, e->host) == 0 &&
						      strcmp(last->port, e->port) == 0))) {
			e->address = last->address;
			e->address_len = last->address_len;
		} else {
			rc = endpoint_resolve(e, text != NULL ? host : e->host,
					      text != NULL ? port : e->port, err);
		}
	}
	free(text);
	return rc;
}

bool
enrolment_has_door(const struct enrolment *e, uint32_t number)
{
	for (size_t i = 0; i < e->n_doors; i++)
		if (e->doors[i].number == number)
			return true;
	return false;
}
