# SPDX-License-Identifier: Apache-2.0
"""Door labels, as a printer and a telephone see them.

Seen to fail: the QR code with the door's name in it instead of its code; the sheets
with a label lost at each page's end.
"""

import pytest
from harness.world import run


@pytest.fixture(scope="module")
def book(make_world):
    """Eleven doors at one site: one more than a sheet holds; one has an address of its own."""
    world = make_world(controllers=1)
    world.ctl("site", "add", "mill", "水磨坊 Mill estate", "--area", "north-district",
              "--address", "深圳市南山区磨坊路1号 (1 Mill Lane)")
    for i in range(1, 11):
        world.ctl("door", "add", f"mill-{i:02d}", f"Entrance {i}", "--site", "mill")
    world.ctl("door", "add", "mill-11", "Cellar", "--site", "mill", "--address", "3 Back Yard")
    return world


DOTS_PER_INCH = 150
CELL_WIDTH, CELL_HEIGHT, MARGIN = 545, 320, 75  # of a label on the A4 sheet, in these dots


def qr_codes(pdf, page):
    """What a telephone reads that is held before each label of the sheet in turn."""
    for row in range(5):
        for column in range(2):
            picture = pdf.with_suffix("")
            run("pdftoppm", "-r", DOTS_PER_INCH, "-png", "-singlefile", "-f", page, "-l", page,
                "-x", MARGIN + column * CELL_WIDTH, "-y", MARGIN + row * CELL_HEIGHT,
                "-W", CELL_WIDTH, "-H", CELL_HEIGHT, pdf, picture)
            yield from run("zbarimg", "--quiet", "--raw", picture.with_suffix(".png"),
                           check=False).stdout.split()


def test_a_sheet_names_each_door_of_a_site(book):
    pdf = book.folder / "mill.pdf"
    said = book.ctl("door", "label", "--site", "mill", "--out", pdf).stdout
    assert said.split() == [str(pdf)]
    assert list(qr_codes(pdf, 1)) == [f"mill-{i:02d}" for i in range(1, 11)]
    assert list(qr_codes(pdf, 2)) == ["mill-11"]
    text = run("pdftotext", "-raw", pdf, "-").stdout
    for words in ("mill-01", "Entrance 10", "1 Mill Lane", "3 Back Yard", "Mill estate"):
        assert words in text
    assert "磨坊路" in text


def test_svg_makes_a_file_for_each_sheet(book):
    out = book.folder / "mill.svg"
    said = book.ctl("door", "label", "--site", "mill", "--out", out).stdout.split()
    assert said == [str(book.folder / "mill-1.svg"), str(book.folder / "mill-2.svg")]
    assert all(open(path, encoding="utf-8").read().startswith("<?xml") for path in said)


def test_a_link_stands_before_the_code(book):
    pdf = book.folder / "one.pdf"
    book.ctl("door", "label", "mill-11", "--link", "https://mill.example/door/", "--out", pdf)
    assert list(qr_codes(pdf, 1)) == ["https://mill.example/door/mill-11"]


@pytest.mark.parametrize("argv, words, code", [
    (["nowhere"], 'there is no door "nowhere"', 1),
    (["--site", "nowhere"], 'there is no site "nowhere"', 1),
    ([], "expected either --site or doors", 2),
    (["mill-01", "--format", "png"], "--format must be pdf or svg", 2),
    (["mill-01", "--out", "/nonexistent/x.pdf"], 'could not write "/nonexistent/x.pdf"', 1),
])
def test_what_can_not_be_done_is_said(book, argv, words, code):
    done = book.ctl("door", "label", *argv, check=False)
    assert done.returncode == code
    assert words in done.stderr
