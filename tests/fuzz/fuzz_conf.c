/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a configuration file.  The table has a key of each type and a
 * list.  Beside crashes this looks for values that passed outside their bounds,
 * and for mistakes that left something behind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"

struct gate {
	char *address;
	int64_t port;
};

struct target {
	int64_t number, choice;
	bool flag;
	char *text, *path;
	struct gate *gates;
	size_t n_gates;
};

static const char *const choices[] = {"red", "green", NULL};

#define AT(field) offsetof(struct target, field)

static const struct conf_key keys[] = {
	{"fleet.number", CONF_INT, AT(number), "90", -10, 86400, "s", NULL, ""},
	{"fleet.flag", CONF_BOOL, AT(flag), "true", 0, 0, "", NULL, ""},
	{"paint.choice", CONF_CHOICE, AT(choice), "green", 0, 0, "", choices, ""},
	{"paint.text", CONF_STRING, AT(text), "x", 0, 8, "", NULL, ""},
	{"paint.path", CONF_PATH, AT(path), "/srv", 1, 20, "", NULL, ""},
};

static const struct conf_key gate_keys[] = {
	{"address", CONF_STRING, offsetof(struct gate, address), "any", 1, 16, "", NULL, ""},
	{"port", CONF_INT, offsetof(struct gate, port), NULL, 1, 9, "", NULL, ""},
};

static const struct conf_list lists[] = {
	{"gates", gate_keys, ARRAY_LEN(gate_keys), sizeof(struct gate), AT(gates), AT(n_gates), 0,
	 3, "", ""},
};

static const struct conf_schema schema = {
	.keys = keys, .n_keys = ARRAY_LEN(keys), .lists = lists, .n_lists = ARRAY_LEN(lists)};

static void
check_bounds(const struct target *t)
{
	must(t->number >= -10 && t->number <= 86400);
	must(t->choice >= 0 && t->choice <= 1);
	must(strlen(t->text) <= 8);
	must(strlen(t->path) >= 1 && strlen(t->path) <= 20);
	must(t->n_gates <= 3);
	for (size_t i = 0; i < t->n_gates; i++) {
		must(strlen(t->gates[i].address) >= 1 && strlen(t->gates[i].address) <= 16);
		must(t->gates[i].port >= 1 && t->gates[i].port <= 9);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct target nothing;
	struct target target;
	struct err err = {0};

	/* with its padding, so that it can be compared as a whole */
	memset(&target, 0, sizeof(target));
	if (conf_parse(&schema, "x.yaml", data, size, &target, &err) == RC_OK) {
		check_bounds(&target);
		conf_free(&schema, &target);
	} else {
		must(strncmp(err.msg, "x.yaml:", strlen("x.yaml:")) == 0);
	}
	must(memcmp(&target, &nothing, sizeof(target)) == 0);
	return 0;
}
