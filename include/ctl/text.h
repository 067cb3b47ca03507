/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text for a terminal: what came from elsewhere (register, devices) can't move
 * the cursor or change colours, and columns stay straight for every script.
 * No state; any thread.
 */
#ifndef GATEHOUSE_CTL_TEXT_H
#define GATEHOUSE_CTL_TEXT_H

#include <stdio.h>

#include "base/base.h"

/* Room for each of the texts below. */
enum { TEXT_SHORT = 32 };

/* A name of a controller or console: 1-64 of [A-Za-z0-9._-], the first a letter
 * or digit, so that it is a folder name without surprises. */
bool text_is_name(const char *s);
/* Well-formed UTF-8 without control characters. */
bool text_is_clean(const char *s);

/* `n` digits of either case to n / 2 bytes; false when they are not just that. */
bool text_to_bytes(const char *digits, size_t n, uint8_t *bytes);

/* Columns that the text takes in a terminal. */
size_t text_width(const char *s);
/* Prints it with '?' for each control character. */
void text_put(FILE *out, const char *s);
/* The same, filled up with blanks to `width`; from the left when `right`. */
void text_put_padded(FILE *out, const char *s, size_t width, bool right);

/* At most `width` columns of it, which is above 0; one that is longer ends in an ellipsis. */
void text_put_short(FILE *out, const char *s, size_t width);

/* "1,234,567".  Each of these returns `out`. */
char *text_count(int64_t n, char out[TEXT_SHORT]);
/* "3.2 GiB" */
char *text_bytes(int64_t bytes, char out[TEXT_SHORT]);
/* "3 d 04:05:06" */
char *text_duration(int64_t seconds, char out[TEXT_SHORT]);
/* "2026-01-31 12:00:00.123", local time */
char *text_time(int64_t time_us, char out[TEXT_SHORT]);

#endif
