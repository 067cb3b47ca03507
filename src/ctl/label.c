/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drawing of door labels.  Pango sets the text, because addresses come in scripts
 * that need several fonts; libqrencode makes the QR code, at level Q (a quarter of
 * it may be scratched away: a label hangs outside for years).
 *
 * Lengths are in PostScript points, 72 to the inch, as cairo has them.
 */
#include "ctl/label.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <errno.h>
#include <pango/pangocairo.h>
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>

/* ISO 216 A4 in points, and a margin that every printer can do. */
static const double page_width = 595.276, page_height = 841.890, margin = 36;
static const double padding = 10; /* within a label */
static const double quiet = 4;    /* modules of white around a QR code: ISO/IEC 18004 */

/* Sizes of letters in points: the code is read from two metres. */
static const int size_code = 26, size_text = 11, size_least = 6;

struct box {
	double x, y, width, height;
};

static struct box
label_box(size_t place)
{
	double width = (page_width - 2 * margin) / LABEL_COLUMNS;
	double height = (page_height - 2 * margin) / LABEL_ROWS;

	return (struct box){margin + width * (double)(place % LABEL_COLUMNS),
			    margin + height * (double)(place / LABEL_COLUMNS), width, height};
}

/* ---- Text ------------------------------------------------------------------- */

static void
label_set_size(PangoLayout *layout, int size, bool bold)
{
	PangoFontDescription *font = pango_font_description_new();

	pango_font_description_set_family(font, "sans-serif");
	pango_font_description_set_weight(font, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
	pango_font_description_set_size(font, size * PANGO_SCALE);
	pango_layout_set_font_description(layout, font);
	pango_font_description_free(font);
}

static bool
label_fits(PangoLayout *layout, const struct box *box)
{
	int width, height;

	pango_layout_get_pixel_size(layout, &width, &height);
	return width <= (int)box->width && height <= (int)box->height &&
	       !pango_layout_is_ellipsized(layout);
}

/* Fills `box` from its upper end, in letters of `size` or as small as it takes;
 * returns the height that was used. */
static double
label_text(cairo_t *cr, const struct box *box, const char *text, int size, bool bold)
{
	PangoLayout *layout = pango_cairo_create_layout(cr);
	int width, height;

	pango_layout_set_text(layout, text, -1);
	pango_layout_set_width(layout, (int)(box->width * PANGO_SCALE));
	pango_layout_set_height(layout, (int)(box->height * PANGO_SCALE));
	pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
	pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
	label_set_size(layout, size, bold);
	while (size > size_least && !label_fits(layout, box))
		label_set_size(layout, --size, bold);
	cairo_move_to(cr, box->x, box->y);
	pango_cairo_show_layout(cr, layout);
	pango_layout_get_pixel_size(layout, &width, &height);
	g_object_unref(layout);
	return height;
}

/* ---- QR code ---------------------------------------------------------------- */

static void
label_draw_modules(cairo_t *cr, const QRcode *qr, const struct box *box)
{
	double module = box->width / (qr->width + 2 * quiet);

	for (int i = 0; i < qr->width * qr->width; i++) {
		if ((qr->data[i] & 1) != 0)
			cairo_rectangle(cr, box->x + (quiet + i % qr->width) * module,
					box->y + (quiet + i / qr->width) * module, module, module);
	}
	cairo_fill(cr);
}

static enum rc
label_qr(cairo_t *cr, const struct box *box, const char *link, const char *code, struct err *err)
{
	char *content = xasprintf("%s%s", link, code);
	QRcode *qr = QRcode_encodeString8bit(content, 0, QR_ECLEVEL_Q);
	enum rc rc = RC_OK;

	if (qr != NULL)
		label_draw_modules(cr, qr, box);
	else
		rc = err_invalid(err, "could not make a QR code of \"%s\": %s", content,
				 strerror(errno));
	QRcode_free(qr);
	free(content);
	return rc;
}

/* ---- Label, sheet, file ------------------------------------------------------ */

static void
label_frame(cairo_t *cr, const struct box *box)
{
	static const double dash[] = {2, 3};

	cairo_save(cr);
	cairo_set_line_width(cr, 0.5);
	cairo_set_source_rgb(cr, 0.6, 0.6, 0.6);
	cairo_set_dash(cr, dash, (int)ARRAY_LEN(dash), 0);
	cairo_rectangle(cr, box->x, box->y, box->width, box->height);
	cairo_stroke(cr);
	cairo_restore(cr);
}

/* The QR code to the left; beside it address, site and door, and below them the code. */
static enum rc
label_draw(cairo_t *cr, const struct box *box, const char *link, const struct label *label,
	   struct err *err)
{
	double side = box->height - 2 * padding;
	struct box qr = {box->x + padding, box->y + padding, side * 0.8, side * 0.8};
	struct box text = {qr.x + qr.width + padding / 2, qr.y, 0, side / 3};

	label_frame(cr, box);
	text.width = box->x + box->width - padding - text.x;
	text.y += label_text(cr, &text, label->address, size_text, true) + 4;
	text.height = side / 5;
	text.y += label_text(cr, &text, label->site, size_text - 1, false);
	(void)label_text(cr, &text, label->door, size_text - 1, false);
	text.height = side / 3;
	text.y = qr.y + side - text.height;
	(void)label_text(cr, &text, label->code, size_code, true);
	return label_qr(cr, &qr, link, label->code, err);
}

static enum rc
label_draw_all(cairo_t *cr, const char *link, const struct label *labels, size_t n, struct err *err)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < n && rc == RC_OK; i++) {
		struct box box = label_box(i % LABELS_PER_SHEET);

		if (i > 0 && i % LABELS_PER_SHEET == 0)
			cairo_show_page(cr);
		rc = label_draw(cr, &box, link, &labels[i], err);
	}
	return rc;
}

enum rc
label_write(const char *path, enum label_format format, const char *link,
	    const struct label *labels, size_t n, struct err *err)
{
	cairo_surface_t *surface;
	cairo_status_t status;
	cairo_t *cr;
	enum rc rc;

	if (format == LABEL_SVG && n > LABELS_PER_SHEET)
		return err_invalid(err, "%zu labels don't fit on one sheet of %d", n,
				   LABELS_PER_SHEET);
	surface = format == LABEL_SVG ? cairo_svg_surface_create(path, page_width, page_height)
				      : cairo_pdf_surface_create(path, page_width, page_height);
	cr = cairo_create(surface);
	rc = label_draw_all(cr, link, labels, n, err);
	cairo_destroy(cr);
	cairo_surface_finish(surface);
	status = cairo_surface_status(surface);
	cairo_surface_destroy(surface);
	if (rc == RC_OK && status != CAIRO_STATUS_SUCCESS)
		rc = err_fail(err, "could not write \"%s\": %s", path,
			      cairo_status_to_string(status));
	return rc;
}
