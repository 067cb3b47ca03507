/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vocabulary against the contract.  The generated header is the other side
 * of the comparison: a number that one of them lacks fails here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "gatehouse.pb-c.h"
#include "wire/kind.h"

static const char *
skip_prefix(const char *name, const char *prefix)
{
	assert_int_equal(strncmp(name, prefix, strlen(prefix)), 0);
	return name + strlen(prefix);
}

/* "KIND_DOOR_FORCED" and "door.forced" name the same: but for case, dots are underscores. */
static bool
names_agree(const char *in_contract, const char *ours)
{
	for (; *in_contract != '\0' && *ours != '\0'; in_contract++, ours++) {
		char expected = *ours == '.' ? '_' : (char)toupper((unsigned char)*ours);

		if (*in_contract != expected)
			return false;
	}
	return *in_contract == *ours;
}

static void
each_kind_of_the_contract_has_a_row(void **state)
{
	const ProtobufCEnumDescriptor *contract = &gatehouse__v1__kind__descriptor;
	size_t n;

	(void)state;
	kind_table(&n);
	/* the contract also has KIND_UNSPECIFIED */
	assert_int_equal(n + 1, contract->n_values);
	for (unsigned i = 0; i < contract->n_values; i++) {
		const ProtobufCEnumValue *value = &contract->values[i];
		const struct kind *kind = kind_get((uint32_t)value->value);

		if (value->value == 0) {
			assert_null(kind);
			continue;
		}
		if (kind == NULL || !names_agree(skip_prefix(value->name, "KIND_"), kind->name))
			fail_msg("%s has no row of its name", value->name);
	}
}

static void
codes_ascend_and_names_are_unique(void **state)
{
	size_t n;
	const struct kind *table = kind_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			assert_true(table[i - 1].code < table[i].code);
		assert_ptr_equal(kind_get(table[i].code), &table[i]);
		assert_ptr_equal(kind_by_name(table[i].name), &table[i]);
	}
}

static void
unknown_numbers_have_no_row(void **state)
{
	(void)state;
	assert_null(kind_get(99));
	assert_null(kind_get(105));
	assert_null(kind_get(801));
	/* must not be cut to 16 bits, where it would be 100 */
	assert_null(kind_get(65536 + 100));
	assert_null(kind_get(UINT32_MAX));
	assert_null(kind_by_name("door.open"));
	assert_null(kind_by_name(""));
}

static bool
has_restore(const struct kind *table, size_t n, uint16_t code)
{
	for (size_t i = 0; i < n; i++) {
		if (table[i].restores == code)
			return true;
	}
	return false;
}

static void
each_alarm_ends_or_is_stateless_or_a_group(void **state)
{
	size_t n;
	const struct kind *table = kind_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct kind *kind = &table[i];
		bool raises = (kind->flags & KIND_FLAG_RAISES) != 0;
		bool stateless = (kind->flags & KIND_FLAG_STATELESS) != 0;

		assert_true(raises == (kind->severity != SEVERITY_NONE));
		if (!raises)
			assert_int_equal(kind->flags & (KIND_FLAG_STATELESS | KIND_FLAG_SILENT), 0);
		if (raises)
			assert_int_equal(stateless + has_restore(table, n, kind->code) +
						 ((kind->flags & KIND_FLAG_GROUP) != 0),
					 1);
		/* only the desk makes it, and it is no part of another */
		if ((kind->flags & KIND_FLAG_GROUP) != 0)
			assert_true(raises && (kind->flags & KIND_FLAG_SERVER) != 0);
	}
}

static void
restores_point_at_alarms(void **state)
{
	size_t n;
	const struct kind *table = kind_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct kind *cleared = kind_get(table[i].restores);

		if (table[i].restores == 0)
			continue;
		assert_non_null(cleared);
		assert_true((cleared->flags & KIND_FLAG_RAISES) != 0);
		assert_int_equal(cleared->flags & KIND_FLAG_STATELESS, 0);
		assert_int_equal(table[i].flags & KIND_FLAG_RAISES, 0);
		/* whoever may raise it may end it */
		assert_int_equal(cleared->flags & KIND_FLAG_SERVER,
				 table[i].flags & KIND_FLAG_SERVER);
	}
}

static void
assert_severity(const char *name, enum severity severity)
{
	const struct kind *kind = kind_by_name(name);

	assert_non_null(kind);
	if (kind->severity != severity)
		fail_msg("%s is %s, expected %s", name, severity_name(kind->severity),
			 severity_name(severity));
}

static void
severities_and_silence_are_those_of_the_field(void **state)
{
	size_t n;
	const struct kind *table = kind_table(&n);

	(void)state;
	assert_severity("panic", SEVERITY_CRITICAL);
	assert_severity("hold_up", SEVERITY_CRITICAL);
	assert_severity("access.duress", SEVERITY_CRITICAL);
	assert_severity("fire", SEVERITY_CRITICAL);
	assert_severity("door.forced", SEVERITY_HIGH);
	assert_severity("door.held_open", SEVERITY_MEDIUM);
	assert_severity("comms.controller_lost", SEVERITY_MEDIUM);
	assert_severity("card.revoked_presented", SEVERITY_LOW);
	assert_severity("power.mains_lost", SEVERITY_NONE);
	assert_severity("comms.reader_lost", SEVERITY_NONE);

	for (size_t i = 0; i < n; i++) {
		bool silent = strcmp(table[i].name, "access.duress") == 0 ||
			      strcmp(table[i].name, "panic") == 0 ||
			      strcmp(table[i].name, "hold_up") == 0;

		assert_true(((table[i].flags & KIND_FLAG_SILENT) != 0) == silent);
	}
}

static void
cards_and_changes(void **state)
{
	size_t n;
	const struct kind *table = kind_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		bool change = strncmp(table[i].name, "card.", 5) == 0 &&
			      (table[i].flags & KIND_FLAG_RAISES) == 0;

		assert_true(((table[i].flags & KIND_FLAG_CHANGE) != 0) == change);
		if (change)
			assert_true((table[i].flags & KIND_FLAG_CARD) != 0);
		bool grant = strncmp(table[i].name, "grant.", 6) == 0;

		assert_true(((table[i].flags & KIND_FLAG_GRANT) != 0) == grant);
		if (grant)
			assert_true((table[i].flags & KIND_FLAG_CARD) != 0);
	}
	/* a keypad knows duress without a card */
	assert_int_equal(kind_by_name("access.duress")->flags & KIND_FLAG_CARD, 0);
	assert_int_equal(kind_by_name("access.denied")->flags & KIND_FLAG_CARD, 0);
}

static void
numbers_named_in_code_are_the_contracts(void **state)
{
	(void)state;
	assert_int_equal(KIND_CODE_ACCESS_GRANTED, GATEHOUSE__V1__KIND__KIND_ACCESS_GRANTED);
	assert_int_equal(KIND_CODE_ACCESS_DENIED, GATEHOUSE__V1__KIND__KIND_ACCESS_DENIED);
	assert_int_equal(KIND_CODE_DEVICE_OTHER, GATEHOUSE__V1__KIND__KIND_DEVICE_OTHER);
	assert_int_equal(KIND_CODE_CONTROLLER_LOST,
			 GATEHOUSE__V1__KIND__KIND_COMMS_CONTROLLER_LOST);
	assert_int_equal(KIND_CODE_CONTROLLER_RESTORED,
			 GATEHOUSE__V1__KIND__KIND_COMMS_CONTROLLER_RESTORED);
	assert_int_equal(KIND_CODE_CARD_REGISTERED, GATEHOUSE__V1__KIND__KIND_CARD_REGISTERED);
	assert_int_equal(KIND_CODE_CARD_EXTENDED, GATEHOUSE__V1__KIND__KIND_CARD_EXTENDED);
	assert_int_equal(KIND_CODE_CARD_SUSPENDED, GATEHOUSE__V1__KIND__KIND_CARD_SUSPENDED);
	assert_int_equal(KIND_CODE_CARD_RESUMED, GATEHOUSE__V1__KIND__KIND_CARD_RESUMED);
	assert_int_equal(KIND_CODE_CARD_REVOKED, GATEHOUSE__V1__KIND__KIND_CARD_REVOKED);
	assert_int_equal(KIND_CODE_CARD_REPORTED_LOST,
			 GATEHOUSE__V1__KIND__KIND_CARD_REPORTED_LOST);
	assert_int_equal(KIND_CODE_REVOKED_PRESENTED,
			 GATEHOUSE__V1__KIND__KIND_CARD_REVOKED_PRESENTED);
	assert_int_equal(KIND_CODE_GRANT_SET, GATEHOUSE__V1__KIND__KIND_GRANT_SET);
	assert_int_equal(KIND_CODE_GRANT_REMOVED, GATEHOUSE__V1__KIND__KIND_GRANT_REMOVED);
	assert_int_equal(KIND_CODE_POLICY_DIVERGENCE, GATEHOUSE__V1__KIND__KIND_POLICY_DIVERGENCE);
	assert_int_equal(KIND_CODE_RECORDS_GAP, GATEHOUSE__V1__KIND__KIND_RECORDS_GAP);
	assert_int_equal(KIND_CODE_JOURNAL_DAMAGED, GATEHOUSE__V1__KIND__KIND_JOURNAL_DAMAGED);
	assert_int_equal(KIND_CODE_RECORDS_GAP_FILLED,
			 GATEHOUSE__V1__KIND__KIND_RECORDS_GAP_FILLED);
}

/* Holds a table of names by number against an enum of the contract without gaps. */
static void
assert_names(const ProtobufCEnumDescriptor *contract, const char *prefix,
	     const char *(*name)(uint32_t))
{
	assert_null(name(0));
	assert_null(name(contract->n_values));
	assert_null(name(UINT32_MAX));
	for (unsigned i = 1; i < contract->n_values; i++) {
		const ProtobufCEnumValue *value = &contract->values[i];
		const char *ours = name((uint32_t)value->value);

		if (ours == NULL || !names_agree(skip_prefix(value->name, prefix), ours))
			fail_msg("%s has no name of ours", value->name);
	}
}

static void
reasons_are_those_of_the_contract(void **state)
{
	(void)state;
	assert_names(&gatehouse__v1__reason__descriptor, "REASON_", reason_name);
	assert_int_equal(reason_count() + 1, gatehouse__v1__reason__descriptor.n_values);
	assert_names(&gatehouse__v1__reject_reason__descriptor, "REJECT_REASON_", reject_name);
}

static const char *
severity_name_by_number(uint32_t number)
{
	const ProtobufCEnumDescriptor *contract = &gatehouse__v1__severity__descriptor;

	/* ours has a name for 0, and must not be asked beyond its end */
	if (number == 0 || number >= contract->n_values)
		return NULL;
	return severity_name((enum severity)number);
}

static void
severities_are_those_of_the_contract(void **state)
{
	(void)state;
	assert_names(&gatehouse__v1__severity__descriptor, "SEVERITY_", severity_name_by_number);
	assert_int_equal(SEVERITY_CRITICAL, GATEHOUSE__V1__SEVERITY__SEVERITY_CRITICAL);
	assert_string_equal(severity_name(SEVERITY_NONE), "none");
	assert_string_equal(kind_class_name(KIND_CLASS_ACCESS), "access");
	assert_string_equal(kind_class_name(KIND_CLASS_AUDIT), "audit");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_the_contract_has_a_row),
		cmocka_unit_test(codes_ascend_and_names_are_unique),
		cmocka_unit_test(unknown_numbers_have_no_row),
		cmocka_unit_test(each_alarm_ends_or_is_stateless_or_a_group),
		cmocka_unit_test(restores_point_at_alarms),
		cmocka_unit_test(severities_and_silence_are_those_of_the_field),
		cmocka_unit_test(cards_and_changes),
		cmocka_unit_test(numbers_named_in_code_are_the_contracts),
		cmocka_unit_test(reasons_are_those_of_the_contract),
		cmocka_unit_test(severities_are_those_of_the_contract),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
