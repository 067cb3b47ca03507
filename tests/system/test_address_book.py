# SPDX-License-Identifier: Apache-2.0
"""The address book: door labels as a printer and a telephone see them, and what is to be
put in order.

Seen to fail: the QR code with the door's name in it instead of its code; the sheets
with a label lost at each page's end; ended rights counted also of cards that were revoked.
"""

import json

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


# ---- Order ------------------------------------------------------------------------------


def tasks(world, site):
    found = json.loads(world.ctl("site", "check", site, "--json").stdout)
    return ({(task["task"], task["thing"]) for task in found["tasks"]},
            {count["task"]: (count["count"], count["before"]) for count in found["counts"]})


@pytest.fixture
def attic(make_world):
    """A site with one of each task, and beside each a thing that is in order."""
    world = make_world(controllers=1)
    world.ctl("area", "add", "nowhere", "Nobody's")
    world.ctl("site", "add", "attic", "Attic", "--area", "nowhere")
    world.ctl("controller", "add", "attic-1", "attic-2", "--site", "attic",
              "--out", world.folder / "more")
    world.ctl("door", "add", "attic-a", "A", "--site", "attic", "--address", "1 Roof",
              "--controller", "attic-1", "--number", "1")
    world.ctl("door", "add", "attic-b", "B", "--site", "attic")
    world.sql("""
        insert into gatehouse.units (site_id, code)
            select site_id, unit from gatehouse.sites, unnest(array['1-1', '1-2']) unit
            where code = 'attic';
        insert into gatehouse.unit_doors (unit_id, door_id, site_id)
            select unit_id, door_id, site_id from gatehouse.units u join gatehouse.doors d
            using (site_id) where u.code = '1-1' and d.code = 'attic-a';
        insert into gatehouse.cards (site_id, card_key, kind, status, unit)
            select site_id, sha256(n::text::bytea), 'tenant', status, '1-1' from gatehouse.sites,
            (values (1, 'active'), (2, 'active'), (3, 'active'), (4, 'revoked')) c (n, status)
            where code = 'attic' order by n;
        insert into gatehouse.grants (site_id, card_id, door_id, valid_from, valid_until, granted_by)
            select c.site_id, card_id, door_id, now() - interval '2 day', now() + until, 'desk'
            from gatehouse.cards c join gatehouse.doors d using (site_id)
            join (values (1, interval '1 day'), (2, interval '-1 day'), (4, interval '-1 day'))
                g (n, until) on card_key = sha256(n::text::bytea)
            where d.code = 'attic-a'""")
    return world


def test_a_site_is_put_in_order_task_by_task(attic):
    first = int(attic.value("select min(card_id) from gatehouse.cards"))
    found, counts = tasks(attic, "attic")
    assert found == {
        ("site_without_station", "attic"),
        ("door_without_controller", "attic-b"),
        ("controller_without_doors", "attic-2"),
        ("door_without_address", "attic-b"),
        ("unit_without_door", "1-2"),
        ("card_opens_nothing", f"card {first + 1} of unit 1-1"),
        ("card_opens_nothing", f"card {first + 2} of unit 1-1"),
        ("right_ended", f"card {first + 1} of unit 1-1 at attic-a"),
    }
    assert counts["card_opens_nothing"] == (2, None)

    # a day later, with the door hung and described, the area given to a station
    attic.sql("update gatehouse.site_task_counts set day = day - 1")
    attic.ctl("door", "add", "attic-b", "B", "--site", "attic", "--address", "2 Roof",
              "--controller", "attic-2", "--number", "1")
    attic.ctl("area", "add", "nowhere", "Somebody's", "--station", "north")
    found, counts = tasks(attic, "attic")
    assert {task for task, _ in found} == {"unit_without_door", "card_opens_nothing",
                                           "right_ended"}
    assert counts["door_without_controller"] == (0, 1)
    assert counts["unit_without_door"] == (1, 1)
    shown = attic.ctl("site", "check", "attic").stdout
    assert "door without a controller" in shown and "4 to put in order" in shown


def test_a_site_in_order_says_so(book):
    assert "nothing to put in order" in book.ctl("site", "check", "north-001").stdout


def test_an_unknown_site_is_named(book):
    done = book.ctl("site", "check", "nowhere", check=False)
    assert done.returncode == 1
    assert 'there is no site "nowhere"' in done.stderr
