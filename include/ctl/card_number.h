/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Card numbers as people have them: the text itself is the number, or with "hex:"
 * before it the bytes that a reader gives.  They are read from standard input or a
 * file and never from the command line, where every user of the machine sees them.
 *
 * Whoever holds one wipes it.  Any thread.
 */
#ifndef GATEHOUSE_CTL_CARD_NUMBER_H
#define GATEHOUSE_CTL_CARD_NUMBER_H

#include <stdio.h>

#include "wire/controller_msg.h"

struct card_number {
	uint8_t bytes[CARD_MAX];
	size_t len; /* 1 .. CARD_MAX */
};

/* RC_INVALID says what is wrong, without the number. */
enum rc card_number_parse(struct card_number *number, const char *text, size_t n,
			  struct err *err) MUST_CHECK;
/* The first line of `in`. */
enum rc card_number_read(struct card_number *number, FILE *in, struct err *err) MUST_CHECK;
void card_number_wipe(struct card_number *number);

#endif
