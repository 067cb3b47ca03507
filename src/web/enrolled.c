/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a console's folder. */
#include "web/enrolled.h"

#include <jansson.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum rc
enrolled_resolve(struct enrolled *enrolled, const char *host, json_int_t port, struct err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char port_text[24];
	int error;

	(void)snprintf(port_text, sizeof(port_text), "%lld", (long long)port);
	error = getaddrinfo(host, port_text, &hints, &found);
	if (error != 0)
		return err_invalid(err, "could not find the address of \"%s\" port %s: %s", host,
				   port_text, gai_strerror(error));
	memcpy(&enrolled->address, found->ai_addr, found->ai_addrlen);
	enrolled->address_len = found->ai_addrlen;
	freeaddrinfo(found);
	return RC_OK;
}

static enum rc
enrolled_read_json(struct enrolled *enrolled, const char *path, struct err *err)
{
	const char *name, *role, *host, *station, *right = web_right_name(WEB_RIGHT_DISPATCHER);
	json_int_t port;
	json_error_t why;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	enum rc rc;

	if (root == NULL)
		return err_invalid(err, "could not read \"%s\": %s", path, why.text);
	if (json_unpack_ex(root, &why, 0, "{s:s, s:s, s:s, s:I, s:s, s?s}", "name", &name, "role",
			   &role, "host", &host, "port", &port, "station", &station, "right",
			   &right) != 0)
		rc = err_invalid(err, "\"%s\" is no console's: %s", path, why.text);
	else if (strcmp(role, tls_role_name(TLS_ROLE_CONSOLE)) != 0)
		rc = err_invalid(err, "\"%s\" is that of a %s, expected a console", path, role);
	else
		rc = enrolled_resolve(enrolled, host, port, err);
	if (rc == RC_OK) {
		enrolled->name = xstrdup(name);
		enrolled->station = xstrdup(station);
		enrolled->right = web_right_by_name(right);
	}
	json_decref(root);
	return rc;
}

enum rc
enrolled_load(struct enrolled *enrolled, const char *dir, struct err *err)
{
	char *json = xasprintf("%s/client.json", dir), *ca = xasprintf("%s/ca.pem", dir);
	char *certificate = xasprintf("%s/certificate.pem", dir),
	     *key = xasprintf("%s/key.pem", dir);
	const struct tls_files files = {.ca = ca, .certificate = certificate, .key = key};
	enum rc rc;

	*enrolled = (struct enrolled){0};
	rc = enrolled_read_json(enrolled, json, err);
	if (rc == RC_OK)
		rc = tls_client_new(&enrolled->tls, &files, err);
	if (rc != RC_OK)
		enrolled_fini(enrolled);
	free(json);
	free(ca);
	free(certificate);
	free(key);
	return rc;
}

void
enrolled_copy(struct enrolled *to, const struct enrolled *from)
{
	*to = *from;
	to->name = xstrdup(from->name);
	to->station = xstrdup(from->station);
	to->tls = tls_ref(from->tls);
}

void
enrolled_fini(struct enrolled *enrolled)
{
	free(enrolled->name);
	free(enrolled->station);
	tls_unref(&enrolled->tls);
	*enrolled = (struct enrolled){0};
}
