# SPDX-License-Identifier: Apache-2.0
"""An operator's cards and rights: one by one, and from a file, through a real desk.

What a row of a file asks for is held against the daemon's own rules on a copy first, so
that a file with a mistake changes nothing.  Seen to fail: with the check of the whole
file left out, the good rows of a file with a bad one are applied.
"""

import json
import subprocess

import pytest
from harness.world import run, wait_until

SITE = "north-001"


@pytest.fixture(scope="module")
def estate(make_world):
    """Two units at one site, a manager's desk for the site and a landlord's for one unit."""
    world = make_world(controllers=2, two_doors=1)
    world.ctl("unit", "add", "1-1", "First", "--site", SITE, "--doors", "D00001-1,D00001-2")
    world.ctl("unit", "add", "1-2", "Second", "--site", SITE, "--doors", "D00001-1")
    world.start()
    world.manager, world.landlord = world.folder / "desks/office", world.folder / "desks/owner"
    world.ctl("desk", "add", "office", "--role", "manager", "--sites", SITE,
              "--out", world.folder / "desks")
    world.ctl("desk", "add", "owner", "--role", "landlord", "--units", f"{SITE}/1-1",
              "--out", world.folder / "desks")
    world.wait_status("the daemon knows the desks", lambda s: s["register"]["desks"] == 2)
    return world


def ask(world, *argv, number, desk=None, check=True):
    """A verb of card or grant, with the card number where it belongs."""
    done = subprocess.run(
        [world.build / "gatehousectl", "-c", world.config, *map(str, argv), "--site", SITE,
         "--desk", desk or world.manager],
        input=number + "\n", capture_output=True, text=True, timeout=60, check=False)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def listed(world, what):
    return json.loads(world.ctl(what, "list", "--site", SITE, "--json").stdout)


def card_of(world, unit):
    [card] = [card for card in listed(world, "card") if card["unit"] == unit]
    return card


def test_a_card_from_its_registration_to_its_end(estate):
    ask(estate, "card", "register", "--kind", "tenant", "--unit", "1-1", "--until", "2098-12-31",
        number="4711")
    ask(estate, "grant", "set", "--door", "D00001-1", "--hours", "Mon-Fri 07:00-19:00",
        number="4711")
    estate.wait_stored()
    card = card_of(estate, "1-1")
    assert (card["kind"], card["status"], card["until"]) == ("tenant", "active", "2098-12-31")
    [right] = [right for right in listed(estate, "grant") if right["unit"] == "1-1"]
    assert right["door"] == "D00001-1" and right["by"] == "office"
    assert right["hours"].startswith("Mon 07:00-19:00, Tue")
    for verb, status in (("suspend", "suspended"), ("resume", "active"), ("lost", "lost"),
                         ("resume", "active"), ("revoke", "revoked")):
        ask(estate, "card", verb, number="4711")
        estate.wait_stored()
        assert card_of(estate, "1-1")["status"] == status
    assert estate.value("select count(*) from gatehouse.quarantine") == 0


def test_a_refusal_names_the_rule(estate):
    refused = [
        (["card", "register", "--kind", "tenant", "--unit", "1-2"], estate.landlord, "8",
         "not_your_unit", "a landlord acts on cards of its own units only"),
        (["card", "register", "--kind", "staff", "--unit", "1-1"], estate.landlord, "8",
         "rule", "tenants and temporary cards only"),
        (["card", "suspend"], estate.manager, "9", "unknown_card", "has no such card"),
        (["card", "register", "--kind", "tenant", "--unit", "9-9"], estate.manager, "8",
         "unknown_unit", 'has no unit "9-9"'),
        (["card", "register", "--kind", "owner", "--from", "2030-01-01", "--until", "2029-01-01"],
         estate.manager, "8", "bad_window", "ends before it begins"),
    ]
    for argv, desk, number, reason, words in refused:
        done = ask(estate, *argv, number=number, desk=desk, check=False)
        assert done.returncode == 1, argv
        assert f"({reason})" in done.stderr and words in done.stderr
    estate.wait_stored()
    assert not any(card["unit"] == "1-2" for card in listed(estate, "card"))


def test_a_number_never_stands_on_the_command_line(estate):
    done = ask(estate, "card", "suspend", "4711", number="4711", check=False)
    assert done.returncode == 2
    assert "the card number comes from standard input" in done.stderr
    assert ask(estate, "card", "suspend", number="", check=False).returncode == 1


# ---- Files --------------------------------------------------------------------------


def write(world, name, text):
    path = world.folder / name
    path.write_text(text)
    return path


def load(world, path, *argv, check=True):
    done = world.ctl("card", "import", path, "--site", SITE, "--desk", world.manager, "--json",
                     *argv, check=False)
    if check:
        assert done.returncode == 0, done.stderr
    return done


GOOD = """card,kind,unit,valid_until,doors,right_until,hours
hex:0a0b,owner,1-2,,"D00001-1, D00001-2",2098-06-30,
100,temporary,1-2,2098-01-31,D00001-1,2098-01-31,"Sat 08:00-12:00"
101,staff,,,,,
"""


def test_a_file_is_tried_then_taken_then_changes_nothing(estate):
    path = write(estate, "good.csv", GOOD)
    tried = json.loads(load(estate, path, "--dry-run").stdout)
    assert (tried["dry_run"], tried["registered"], tried["granted"]) == (True, 3, 3)
    before = len(listed(estate, "card"))
    taken = json.loads(load(estate, path).stdout)
    assert (taken["registered"], taken["granted"], taken["refused"]) == (3, 3, 0)
    estate.wait_stored()
    assert len(listed(estate, "card")) == before + 3
    again = json.loads(load(estate, path).stdout)
    assert (again["registered"], again["extended"], again["granted"], again["unchanged"]) == (
        0, 0, 0, 3)

    # what is exported is taken as it is, and an edited end is one card extended
    out = estate.folder / "export.csv"
    estate.ctl("card", "export", "--site", SITE, "--out", out)
    assert out.stat().st_mode & 0o077 == 0
    same = json.loads(load(estate, out).stdout)
    assert (same["registered"], same["extended"], same["granted"]) == (0, 0, 0)
    later = write(estate, "later.csv", out.read_text().replace("2098-01-31", "2098-02-28"))
    changed = json.loads(load(estate, later).stdout)
    assert (changed["registered"], changed["extended"], changed["granted"]) == (0, 1, 1)
    estate.wait_stored()
    assert {card["until"] for card in listed(estate, "card")
            if card["kind"] == "temporary"} == {"2098-02-28"}


BAD = """card,kind,unit,doors
200,tenant,1-1,D00001-1
201,tenant,9-9,D00001-1
202,tenant,1-1,D00002-1
203,,1-1,
204,owner,1-2,D00001-1
"""


def test_a_file_with_mistakes_changes_nothing(estate):
    estate.wait_stored()
    before = listed(estate, "card"), listed(estate, "grant")
    path = write(estate, "bad.csv", BAD)
    done = load(estate, path, check=False)
    assert done.returncode == 1
    for words in ("bad.csv:3: unit:", "bad.csv:4: doors:", "bad.csv:5: kind: is needed",
                  "nothing was changed"):
        assert words in done.stderr
    estate.wait_stored()
    assert (listed(estate, "card"), listed(estate, "grant")) == before


def test_bad_rows_are_skipped_into_a_file(estate):
    path, skipped = write(estate, "bad2.csv", BAD), estate.folder / "skipped.csv"
    taken = json.loads(load(estate, path, "--skip-bad", skipped).stdout)
    assert (taken["registered"], taken["granted"], taken["skipped"]) == (2, 2, 3)
    lines = skipped.read_text().splitlines()
    assert lines[0] == 'card,kind,unit,doors,"problem"'
    assert [line.split(",")[0] for line in lines[1:]] == ["201", "202", "203"]
    mended = write(estate, "mended.csv", skipped.read_text().replace("9-9", "1-1"))
    after = json.loads(load(estate, mended, "--skip-bad", estate.folder / "left.csv").stdout)
    assert (after["registered"], after["skipped"]) == (1, 2)


def test_personal_fields_leave_sealed(estate):
    owner = estate.folder / "owner"
    owner.mkdir()
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=owner",
        "-days", 30, "-keyout", owner / "key.pem", "-out", owner / "certificate.pem")
    path = write(estate, "people.csv", "card,kind,personal.name\n300,owner,Example Person\n")
    refused = load(estate, path, check=False)
    assert "personal fields need --owner" in refused.stderr
    load(estate, path, "--owner", owner / "certificate.pem")
    estate.wait_stored()
    [[sealed]] = estate.sql(
        "select encode(sealed, 'hex') from gatehouse.cards where sealed is not null")
    sealed = bytes.fromhex(sealed)
    assert b"Example" not in sealed
    (owner / "sealed.der").write_bytes(sealed)
    opened = run("openssl", "cms", "-decrypt", "-inform", "DER", "-in", owner / "sealed.der",
                 "-inkey", owner / "key.pem", "-recip", owner / "certificate.pem").stdout
    assert json.loads(opened) == {"name": "Example Person"}


def test_a_restart_in_an_import_applies_each_row_once(estate):
    rows = "".join(f"{n},tenant,1-1,D00001-1\n" for n in range(10000, 14000))
    path = write(estate, "many.csv", "card,kind,unit,doors\n" + rows)
    stored = estate.value("select count(*) from gatehouse.cards")
    loading = subprocess.Popen(
        [estate.build / "gatehousectl", "-c", estate.config, "card", "import", path, "--site",
         SITE, "--desk", estate.manager, "--json"], stdout=subprocess.PIPE, text=True)
    wait_until("some rows are stored", lambda: stored + 200 - min(stored + 200, estate.value("select count(*) from gatehouse.cards")))
    estate.kill()
    estate.start()
    out, _ = loading.communicate(timeout=120)
    said = json.loads(out)
    assert said["refused"] == 0
    # run again at once: it waits until what was taken stands in PostgreSQL
    assert json.loads(load(estate, path).stdout)["unchanged"] == 4000
    estate.wait_stored()
    assert estate.value("select count(*) from gatehouse.cards") == stored + 4000
