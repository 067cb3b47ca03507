/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Door labels as sheets to print: A4, two columns, each label with the door's
 * standard address, its name, its code in large letters, and the code as a QR
 * code, so that whoever stands at a door can say which one it is.
 *
 * Texts may be in any script that the machine has a font for; one that is too long
 * is made smaller, down to a limit, and then ends in an ellipsis.
 * Owner: one thread.
 */
#ifndef GATEHOUSE_CTL_LABEL_H
#define GATEHOUSE_CTL_LABEL_H

#include "base/base.h"

enum { LABEL_COLUMNS = 2, LABEL_ROWS = 5, LABELS_PER_SHEET = LABEL_COLUMNS * LABEL_ROWS };

/* What one label says; borrowed, UTF-8, none is NULL. */
struct label {
	const char *address, *site, *door, *code;
};

enum label_format {
	LABEL_PDF, /* all sheets in one file */
	LABEL_SVG, /* one sheet: a file can't have more */
};

/*
 * Draws `n` labels into a new file at `path`; one that is there is replaced.
 * `link` is put before the code in the QR code, for a page of the estate that
 * explains it; "" for the code alone.  RC_INVALID: more labels than one SVG sheet
 * holds, or a code too long for a QR code; RC_FAIL: the file can't be written.
 */
enum rc label_write(const char *path, enum label_format format, const char *link,
		    const struct label *labels, size_t n, struct err *err) MUST_CHECK;

#endif
