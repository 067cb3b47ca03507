/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders of clients.  The four names are all that is ever written or removed,
 * so that no mistake of ours can clear a folder of somebody else.
 *
 * Invariant: at DIR/NAME there is a whole folder or none, whenever the program
 * or the machine stops.
 *
 * Owner: one thread.
 */
#include "ctl/enrol.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/files.h"
#include "ctl/text.h"

static const char *const client_files[] = {"ca.pem", "certificate.pem", "key.pem", "client.json"};

static char *
staged_path(const struct enrol *enrol, const char *name)
{
	return xasprintf("%s/.%s.new", enrol->dir, name);
}

static char *
final_path(const struct enrol *enrol, const char *name)
{
	return xasprintf("%s/%s", enrol->dir, name);
}

static void
folder_remove(const char *folder)
{
	for (size_t i = 0; i < ARRAY_LEN(client_files); i++) {
		char *path = xasprintf("%s/%s", folder, client_files[i]);

		(void)unlink(path);
		free(path);
	}
	/* fails when somebody put something in there: then it is not ours to remove */
	(void)rmdir(folder);
}

void
enrol_discard(const struct enrol *enrol, const char *name)
{
	char *folder = staged_path(enrol, name);

	folder_remove(folder);
	free(folder);
}

static enum rc
folder_write(const char *folder, const char *name, mode_t mode, const void *bytes, size_t n,
	     struct err *err)
{
	char *path = xasprintf("%s/%s", folder, name);
	enum rc rc = files_write_new(path, mode, FILES_OWNER_SELF, bytes, n, err);

	free(path);
	return rc;
}

/* ---- client.json ---------------------------------------------------------- */

static json_t *
doors_json(const struct enrol_client *client)
{
	json_t *doors = json_array();

	for (size_t i = 0; i < client->n_doors; i++) {
		json_t *door = json_pack("{s:i, s:s}", "number", (int)client->doors[i].number,
					 "code", client->doors[i].code);

		must(json_array_append_new(doors, door) == 0);
	}
	return doors;
}

/* "a,b" -> ["a", "b"] */
static json_t *
list_json(const char *text)
{
	json_t *list = json_array();

	while (text != NULL && text[0] != '\0') {
		size_t n = strcspn(text, ","), kept = n;

		while (kept > 0 && text[kept - 1] == ' ')
			kept--;
		must(json_array_append_new(list, json_stringn(text, kept)) == 0);
		text += n + (text[n] == ',');
		text += strspn(text, " ");
	}
	return list;
}

/* What the role has besides what all have. */
static void
client_add_role(json_t *root, enum tls_role role, const struct enrol_client *client)
{
	if (role == TLS_ROLE_CONSOLE) {
		must(json_object_set_new(root, "station", json_string(client->station)) == 0);
		if (client->right != NULL)
			must(json_object_set_new(root, "right", json_string(client->right)) == 0);
	} else if (role == TLS_ROLE_DESK) {
		must(json_object_set_new(root, "right", json_string(client->right)) == 0);
		must(json_object_set_new(root, "sites", list_json(client->sites)) == 0);
		must(json_object_set_new(root, "units", list_json(client->units)) == 0);
	} else {
		must(json_object_set_new(root, "doors", doors_json(client)) == 0);
		if (client->site_key != NULL)
			must(json_object_set_new(root, "card_key_site",
						 json_string(client->site_key)) == 0);
	}
}

/* New memory. */
static char *
client_json(const struct enrol *enrol, const struct enrol_client *client)
{
	json_t *root =
		json_pack("{s:s, s:s, s:s, s:i}", "name", client->name, "role",
			  tls_role_name(enrol->role), "host", enrol->host, "port", enrol->port);
	char *text, *line;

	must(root != NULL);
	client_add_role(root, enrol->role, client);
	text = json_dumps(root, JSON_INDENT(2));
	must(text != NULL);
	line = xasprintf("%s\n", text);
	free(text);
	json_decref(root);
	return line;
}

/* ---- Staging and publishing ----------------------------------------------- */

static enum rc
folder_fill(const struct enrol *enrol, const char *folder, const struct enrol_client *client,
	    const struct ca_identity *identity, struct err *err)
{
	char *json = client_json(enrol, client);
	enum rc rc;

	rc = folder_write(folder, "ca.pem", 0644, enrol->authority->certificate,
			  enrol->authority->certificate_bytes, err);
	if (rc == RC_OK)
		rc = folder_write(folder, "certificate.pem", 0644, identity->certificate,
				  identity->certificate_bytes, err);
	if (rc == RC_OK)
		rc = folder_write(folder, "key.pem", 0600, identity->key, identity->key_bytes, err);
	if (rc == RC_OK)
		rc = folder_write(folder, "client.json", client->site_key != NULL ? 0600 : 0644,
				  json, strlen(json), err);
	free(json);
	return rc;
}

enum rc
enrol_stage(const struct enrol *enrol, const struct enrol_client *client, struct err *err)
{
	char *final = final_path(enrol, client->name);
	char *folder = staged_path(enrol, client->name);
	struct ca_identity identity = {0};
	enum rc rc;

	/* a register that others write to may hold "../elsewhere" */
	if (!text_is_name(client->name)) {
		rc = err_invalid(err, "\"%s\" can't be the name of a folder", client->name);
		goto out;
	}
	if (!enrol->replace && files_exists(final)) {
		rc = err_invalid(err, "\"%s\" exists already", final);
		goto out;
	}
	/* what an interrupted run left behind */
	folder_remove(folder);
	rc = ca_issue_client(enrol->ca, enrol->role, client->name, enrol->days, &identity, err);
	if (rc == RC_OK)
		rc = files_make_dirs(folder, 0750, FILES_OWNER_SELF, err);
	if (rc == RC_OK)
		rc = folder_fill(enrol, folder, client, &identity, err);
	if (rc != RC_OK)
		folder_remove(folder);
out:
	ca_identity_fini(&identity);
	free(folder);
	free(final);
	return rc;
}

enum rc
enrol_publish(const struct enrol *enrol, const char *name, struct err *err)
{
	char *final = final_path(enrol, name);
	char *folder = staged_path(enrol, name);
	bool exchange = enrol->replace && files_exists(final);
	enum rc rc = RC_OK;

	/* one step either way: a reader finds the old folder or the new one */
	if (renameat2(AT_FDCWD, folder, AT_FDCWD, final,
		      exchange ? RENAME_EXCHANGE : RENAME_NOREPLACE) != 0)
		rc = err_sys(err, "could not move \"%s\" to \"%s\"", folder, final);
	else if (exchange)
		folder_remove(folder); /* now the old one */
	free(folder);
	free(final);
	return rc;
}
