# SPDX-License-Identifier: Apache-2.0
"""No card number outlives its arrival: not on disk, not in PostgreSQL, not in a log."""

import csv

import pytest
from harness.tokens import card_token
from harness.world import run
from stranger.client import Controller
from stranger.wire import Enrolment

MAP = "time=timestamp,card=prox-id,door=floor+zone,type=type"


@pytest.fixture(scope="module")
def cards(badge_log):
    with open(badge_log, newline="", encoding="utf-8") as log:
        rows = list(csv.DictReader(log, skipinitialspace=True))
    return sorted({row["prox-id"].strip().encode() for row in rows})


@pytest.fixture(scope="module")
def replayed(make_world, badge_log):
    """A daemon at its most talkative that took the whole log, then ended."""
    world = make_world(controllers=20, two_doors=20)
    world.configure({"log.level": "debug"})
    world.start()
    world.sim_to_end("--replay", badge_log, "--map", MAP, "--speed", 0,
                     "--replay-controllers", 20)
    world.wait_stored()
    assert world.stop() == 0
    return world


def spellings(card):
    """As itself, and as PostgreSQL, logs or a dump would write bytes."""
    text = card.hex().encode()
    return {card, text, text.upper()}


def assert_no_card_in(where, content, cards):
    found = [card for card in cards if any(form in content for form in spellings(card))]
    assert not found, f"{where} holds {len(found)} card numbers in clear, such as {found[0]!r}"


def test_no_card_number_on_the_daemons_disk(replayed, cards):
    files = [path for path in replayed.home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".seg" for path in files), "no journal was found to look into"
    for path in files:
        assert_no_card_in(path, path.read_bytes(), cards)


def test_no_card_number_in_the_log(replayed, cards):
    log = replayed.daemon.log.read_bytes()
    assert b"ctl-00001" in log
    assert_no_card_in(replayed.daemon.log, log, cards)


def test_no_card_number_in_postgresql(replayed, cards):
    dump = run("pg_dump", "-d", replayed.conninfo).stdout.encode()
    assert b"ctl-00001" in dump
    assert_no_card_in("pg_dump", dump, cards)


def test_a_rejected_record_leaves_no_card_number(town):
    card = b"0123456789-not-to-be-kept"
    name = town.estate.controllers[0]
    with Controller(Enrolment.load(town.fleet / name)) as controller:
        controller.hello(epoch=1)
        controller.send_record("KIND_ACCESS_GRANTED", door=77, card=card)
        controller.wait_reject()
        controller.wait_ack()
    town.wait_stored()
    assert town.value("select count(*) from gatehouse.quarantine") == 1
    dump = run("pg_dump", "-d", town.conninfo).stdout.encode()
    assert_no_card_in("pg_dump", dump, [card])
    for path in town.home.rglob("*.seg"):
        assert_no_card_in(path, path.read_bytes(), [card])


def test_tokens_are_those_of_the_definition(replayed, cards):
    stored = {(int(site), month, token) for site, month, token in replayed.sql(
        "select site_id, to_char(received_at at time zone 'UTC', 'YYYY-MM'),"
        " encode(card_token, 'hex') from gatehouse.records"
        " where card_token is not null group by 1, 2, 3")}
    assert stored
    keys = replayed.home / "keys"
    places = {(site, month) for site, month, _ in stored}
    computed = {(site, month, card_token(keys, site, month, card).hex())
                for site, month in places for card in cards}
    assert stored <= computed
    assert {token for _, _, token in stored}, "no read had a card"
