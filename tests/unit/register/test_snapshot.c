/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register's snapshot: what is written is read, and a file that was cut,
 * changed or made up is refused.  The checksum is computed here by the
 * definition, bit by bit, so that file and library can't be wrong together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "register/register.h"

struct folder {
	char dir[64];
	char path[128];
};

static int
folder_setup(void **state)
{
	struct folder *folder = xcalloc(1, sizeof(*folder));

	snprintf(folder->dir, sizeof(folder->dir), "/tmp/gatehouse-register-XXXXXX");
	if (mkdtemp(folder->dir) == NULL)
		return -1;
	snprintf(folder->path, sizeof(folder->path), "%s/register.snapshot", folder->dir);
	*state = folder;
	return 0;
}

static int
folder_teardown(void **state)
{
	struct folder *folder = *state;
	int failed;

	unlink(folder->path);
	/* fails where writing left a temporary file behind */
	failed = rmdir(folder->dir);
	free(folder);
	return failed;
}

static struct reg *
sample_reg(void)
{
	struct reg_builder *b = reg_builder_new();
	struct reg *reg;
	struct err err;

	reg_add_station(b, UINT32_MAX, "s", "Station \"quoted\"\n\\ \xe5\x8c\x97");
	reg_add_area(b, 2, 3, UINT32_MAX, "below", "");
	reg_add_area(b, 3, 0, 0, "above", "Above");
	reg_add_site(b, 4, 2, "site", "Site", "Street 1");
	reg_set_timezone(b, "Europe/Berlin");
	reg_add_controller(b, 5, 4, "on", true);
	reg_add_controller(b, 6, 4, "off", false);
	reg_add_door(b, &(struct door){.id = 7,
				       .site_id = 4,
				       .controller_id = 5,
				       .number = 3,
				       .code = "door",
				       .name = "Door",
				       .address = "Street 1, left"});
	reg_add_door(b, &(struct door){.id = 8, .site_id = 4, .code = "loose"});
	reg_add_console(b, 9, UINT32_MAX, "console", true, true);
	reg_add_console(b, 10, UINT32_MAX, "console off", false, false);
	reg_add_desk(b, 11, "office", DESK_MANAGER, true);
	reg_add_desk(b, 12, "owner", DESK_LANDLORD, false);
	reg_add_unit(b, 13, 4, "2-301", "Flat 301", "Street 1, 2nd");
	reg_add_group(b, 14, 4, "all", "Every door");
	reg_add_link(b, REG_DESK_SITES, 12, 4);
	reg_add_link(b, REG_DESK_UNITS, 12, 13);
	reg_add_link(b, REG_UNIT_DOORS, 13, 7);
	reg_add_link(b, REG_GROUP_DOORS, 14, 8);
	reg_add_link(b, REG_GROUP_DOORS, 14, 7);
	assert_int_equal(reg_build(&b, 1234567890123456, &reg, &err), RC_OK);
	return reg;
}

static char *
file_read(const struct folder *folder)
{
	FILE *file = fopen(folder->path, "rb");
	char *text = xcalloc(1, 65536);

	assert_non_null(file);
	assert_true(fread(text, 1, 65535, file) > 0);
	fclose(file);
	return text;
}

static void
file_write(const struct folder *folder, const char *text, size_t n)
{
	FILE *file = fopen(folder->path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

static uint32_t
crc32c(const char *bytes, size_t n)
{
	uint32_t crc = UINT32_MAX;

	while (n-- > 0) {
		crc ^= (uint8_t)*bytes++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

/* Writes JSON of our own making with a checksum that is right. */
static void
file_write_json(const struct folder *folder, const char *json)
{
	char *text = xasprintf("%s\ncrc32c %08" PRIx32 "\n", json, crc32c(json, strlen(json)));

	file_write(folder, text, strlen(text));
	free(text);
}

static void
assert_damaged(const struct folder *folder, const char *why)
{
	struct reg *reg = NULL;
	struct err err = {0};

	assert_int_equal(reg_snapshot_read(folder->dir, &reg, &err), RC_INVALID);
	assert_null(reg);
	if (strstr(err.msg, why) == NULL || strstr(err.msg, folder->path) == NULL)
		fail_msg("\"%s\", expected \"%s\"", err.msg, why);
}

static void
what_is_written_is_read(void **state)
{
	struct folder *folder = *state;
	struct reg *in = sample_reg(), *out;
	struct err err = {0};
	size_t n;

	assert_int_equal(reg_snapshot_write(in, folder->dir, &err), RC_OK);
	reg_unref(&in);
	assert_int_equal(reg_snapshot_read(folder->dir, &out, &err), RC_OK);

	assert_int_equal(reg_as_of_us(out), 1234567890123456);
	assert_string_equal(reg_station(out, UINT32_MAX)->name,
			    "Station \"quoted\"\n\\ \xe5\x8c\x97");
	assert_int_equal(reg_area_by_code(out, "below")->parent_id, 3);
	assert_int_equal(reg_area_by_code(out, "below")->station_id, UINT32_MAX);
	assert_string_equal(reg_site(out, 4)->address, "Street 1");
	assert_true(reg_controller_by_name(out, "on")->enabled);
	assert_false(reg_controller_by_name(out, "off")->enabled);
	assert_int_equal(controller_door(reg_controller(out, 5), 3)->id, 7);
	assert_string_equal(reg_door(out, 7)->address, "Street 1, left");
	assert_int_equal(reg_door(out, 8)->controller_id, 0);
	assert_true(reg_console_by_name(out, "console")->enabled);
	assert_false(reg_console_by_name(out, "console off")->enabled);
	assert_int_equal(reg_counts(out).areas, 2);
	assert_string_equal(reg_site(out, 4)->timezone, "Europe/Berlin");
	assert_int_equal(reg_desk_by_name(out, "office")->role, DESK_MANAGER);
	assert_false(reg_desk(out, 12)->enabled);
	assert_string_equal(reg_unit_by_code(out, 4, "2-301")->address, "Street 1, 2nd");
	assert_int_equal(reg_group_by_code(out, 4, "all")->id, 14);
	assert_true(reg_is_linked(out, REG_DESK_SITES, 12, 4));
	assert_true(reg_is_linked(out, REG_DESK_UNITS, 12, 13));
	assert_true(reg_is_linked(out, REG_UNIT_DOORS, 13, 7));
	assert_int_equal(reg_links_of(out, REG_GROUP_DOORS, 14, &n)[1].to, 8);
	assert_int_equal(n, 2);
	reg_unref(&out);
}

/* A snapshot's file; the caller frees. */
static char *
sample_text(const struct folder *folder)
{
	struct reg *reg = sample_reg();
	struct err err;

	assert_int_equal(reg_snapshot_write(reg, folder->dir, &err), RC_OK);
	reg_unref(&reg);
	return file_read(folder);
}

static void
the_last_line_is_a_crc32c(void **state)
{
	struct folder *folder = *state;
	char *text = sample_text(folder), *end, expected[32];

	/* the check value of the catalogues, so that the loop above is right */
	assert_int_equal(crc32c("123456789", 9), 0xe3069283u);

	end = strchr(text, '\n');
	assert_non_null(end);
	snprintf(expected, sizeof(expected), "\ncrc32c %08" PRIx32 "\n",
		 crc32c(text, (size_t)(end - text)));
	assert_string_equal(end, expected);
	free(text);
}

static void
a_second_one_replaces_the_first(void **state)
{
	struct folder *folder = *state;
	struct reg *reg = sample_reg(), *empty, *out;
	struct reg_builder *b = reg_builder_new();
	struct err err = {0};

	assert_int_equal(reg_snapshot_write(reg, folder->dir, &err), RC_OK);
	reg_unref(&reg);
	assert_int_equal(reg_build(&b, 7, &empty, &err), RC_OK);
	assert_int_equal(reg_snapshot_write(empty, folder->dir, &err), RC_OK);
	reg_unref(&empty);
	assert_int_equal(reg_snapshot_read(folder->dir, &out, &err), RC_OK);
	assert_int_equal(reg_counts(out).doors, 0);
	assert_int_equal(reg_as_of_us(out), 7);
	reg_unref(&out);
}

static void
none_is_not_damage(void **state)
{
	struct folder *folder = *state;
	struct reg *reg;
	struct err err = {0};

	assert_int_equal(reg_snapshot_read(folder->dir, &reg, &err), RC_EOF);
	assert_null(reg);
}

static void
a_folder_that_is_missing_fails_to_write(void **state)
{
	struct folder *folder = *state;
	struct reg *reg = sample_reg();
	struct err err = {0};

	/* the path of the snapshot, which is not there, as a folder */
	assert_int_equal(reg_snapshot_write(reg, folder->path, &err), RC_FAIL);
	assert_int_equal(err.sys, ENOENT);
	reg_unref(&reg);
}

static void
cut_anywhere_is_damage(void **state)
{
	struct folder *folder = *state;
	char *text = sample_text(folder);
	size_t len = strlen(text);

	for (size_t cut = 0; cut < len; cut++) {
		file_write(folder, text, cut);
		assert_damaged(folder, "damaged");
	}
	free(text);
}

static void
a_changed_bit_is_damage(void **state)
{
	struct folder *folder = *state;
	char *text = sample_text(folder);
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		char kept = text[i];

		text[i] = (char)(kept ^ 0x01);
		file_write(folder, text, len);
		assert_damaged(folder, "damaged");
		text[i] = kept;
	}
	free(text);
}

#define HEAD  "{\"version\":2,\"as_of_us\":1,"
#define LISTS "\"stations\":[],\"areas\":[],\"sites\":[],\"controllers\":[],\"doors\":[]"

#define DESKS                                                                                      \
	",\"desks\":[],\"units\":[],\"groups\":[],\"desk_sites\":[],\"desk_units\":[],\"unit_"     \
	"doors\":[]"

static void
a_right_checksum_is_not_enough(void **state)
{
	static const struct {
		const char *json, *why;
	} cases[] = {
		{"{", "it is not JSON"},
		{"{\"version\":2,\"version\":2,\"as_of_us\":1}", "it is not JSON"},
		{"[]", "it is not a register"},
		{"{}", "it is not a register"},
		{"{\"version\":1,\"as_of_us\":1}", "it has version 1, expected 2"},
		{HEAD "\"stations\":7}", "no list \"stations\""},
		{HEAD LISTS "}", "no list \"consoles\""},
		{HEAD LISTS ",\"consoles\":[7]}", "row 0 of \"consoles\" has another form"},
		{HEAD LISTS ",\"consoles\":[{\"id\":1,\"station\":1,\"name\":\"x\"}]}",
		 "row 0 of \"consoles\""},
		{HEAD LISTS ",\"consoles\":[{\"id\":4294967296,\"station\":1,\"name\":\"x\","
			    "\"supervisor\":false,\"enabled\":true}]}",
		 "row 0 of \"consoles\""},
		{HEAD LISTS ",\"consoles\":[{\"id\":-1,\"station\":1,\"name\":\"x\","
			    "\"supervisor\":false,\"enabled\":true}]}",
		 "row 0 of \"consoles\""},
		{HEAD LISTS ",\"consoles\":[{\"id\":1,\"station\":1,\"name\":\"x\","
			    "\"supervisor\":false,\"enabled\":true,\"more\":1}]}",
		 "row 0 of \"consoles\""},
		{HEAD LISTS ",\"consoles\":[{\"id\":1,\"station\":1,\"name\":\"x\","
			    "\"supervisor\":false,\"enabled\":true}]}",
		 "no list \"desks\""},
		{HEAD LISTS ",\"consoles\":[]" DESKS ",\"group_doors\":[[1]]}",
		 "row 0 of \"group_doors\""},
		{HEAD LISTS ",\"consoles\":[]" DESKS ",\"group_doors\":[[1,-1]]}",
		 "row 0 of \"group_doors\""},
		{HEAD LISTS ",\"consoles\":[]" DESKS ",\"group_doors\":[[1,2]]}",
		 "group of doors 1 is linked to door 2"},
		{HEAD LISTS ",\"consoles\":[{\"id\":1,\"station\":1,\"name\":\"x\","
			    "\"supervisor\":false,\"enabled\":true}]" DESKS ",\"group_doors\":[]}",
		 "console 1 refers to station 1"},
	};
	struct folder *folder = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		file_write_json(folder, cases[i].json);
		assert_damaged(folder, cases[i].why);
	}
}

static void
a_text_that_is_not_utf8_is_not_written(void **state)
{
	struct folder *folder = *state;
	struct reg_builder *b = reg_builder_new();
	struct reg *reg;
	struct err err = {0};

	reg_add_station(b, 1, "s", "\xff");
	assert_int_equal(reg_build(&b, 0, &reg, &err), RC_OK);
	assert_int_equal(reg_snapshot_write(reg, folder->dir, &err), RC_FAIL);
	assert_int_equal(access(folder->path, F_OK), -1);
	reg_unref(&reg);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(what_is_written_is_read),
		in_folder(the_last_line_is_a_crc32c),
		in_folder(a_second_one_replaces_the_first),
		in_folder(none_is_not_damage),
		in_folder(a_folder_that_is_missing_fails_to_write),
		in_folder(cut_anywhere_is_damage),
		in_folder(a_changed_bit_is_damage),
		in_folder(a_right_checksum_is_not_enough),
		in_folder(a_text_that_is_not_utf8_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
