/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts on their way into PostgreSQL: what an operator typed is checked, what
 * PostgreSQL or a decoder said about a bad row is made storable.
 *
 * Pure functions; any thread.
 */
#ifndef GATEHOUSE_STORE_TEXT_H
#define GATEHOUSE_STORE_TEXT_H

#include "base/base.h"

/* Copies `text` without white space around it.  RC_INVALID, with `what` in the
 * reason, when it is longer than max_bytes, is not UTF-8 or has control
 * characters.  `out` has room for max_bytes + 1. */
enum rc text_trim(const char *what, const char *text, size_t max_bytes, char *out,
		  struct err *err) MUST_CHECK;

/* Copies n bytes, with '?' for each that is not part of a printable character,
 * cut at the end of a character.  `out` has room for max_bytes + 1.  Returns the
 * length. */
size_t text_make_clean(const char *bytes, size_t n, size_t max_bytes, char *out);

#endif
