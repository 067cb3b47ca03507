# SPDX-License-Identifier: Apache-2.0
"""A client written from proto/ alone, and one that is only protoc and openssl."""

import json
import pathlib
import re

import pytest
from harness.world import TOP, run
from stranger.client import Console, Controller
from stranger.wire import Enrolment, pb


def folder(world, index):
    return world.fleet / world.estate.controllers[index]


def test_nothing_of_src_is_in_it():
    for path in (TOP / "tests/stranger").iterdir():
        if path.suffix in (".py", ".sh") and not path.name.startswith("test_"):
            code = re.sub(r'(?m)^\s*#.*$|""".*?"""', "", path.read_text(), flags=re.S)
            for foreign in ("src/", "include/", "gatehousectl", "gatehouse-sim", "harness"):
                assert foreign not in code, f"{path} uses {foreign}"


def test_a_days_conversation(town):
    with Console(Enrolment.load(town.desks / "desk-north")) as desk, \
            Controller(Enrolment.load(folder(town, 0))) as controller:
        desk.hello()
        desk.subscribe()
        welcome = controller.hello(epoch=1)
        assert welcome.controller == controller.enrolment.name
        assert welcome.lease_s >= 2 * welcome.heartbeat_s > 0
        assert controller.heartbeat().server_time_us > 0
        controller.send_record("KIND_ACCESS_GRANTED", door=1, card=b"\x04\x8a\x12\x99")
        controller.send_record("KIND_ACCESS_DENIED", door=1, card=b"\x04\x8a\x12\x98",
                               reason="REASON_EXPIRED", raw_code="27")
        controller.send_record("KIND_DOOR_FORCED", door=1, raw_code="102")
        controller.wait_ack()
        alarm = desk.wait_alarm()
    assert (alarm.kind, alarm.raw_code) == (pb.KIND_DOOR_FORCED, "102")
    town.wait_stored()
    assert town.sql("select kind, reason, raw_code, door from gatehouse.records_named"
                    " order by seq") == [
                        ["access.granted", "", "", "D00001-1"],
                        ["access.denied", "expired", "27", "D00001-1"],
                        ["door.forced", "", "102", "D00001-1"]]


def test_an_unknown_kind_is_kept_with_its_number(town):
    with Controller(Enrolment.load(folder(town, 1))) as controller:
        controller.hello(epoch=1)
        controller.send_record(4711, door=1, raw_code="vendor 9")
        controller.wait_ack()
        assert not controller.rejects
    town.wait_stored()
    (kind, raw_code, detail), = town.sql(
        "select kind, raw_code, detail from gatehouse.records_named where raw_code = 'vendor 9'")
    assert kind == "device.other"
    assert "4711" in detail


def test_a_registration_of_a_card_keeps_what_it_says(town):
    until = 1_900_000_000_000_000
    with Controller(Enrolment.load(folder(town, 2))) as controller:
        controller.hello(epoch=1)
        controller.send_record(
            "KIND_CARD_REGISTERED", door=0, card=b"card of a tenant",
            card_change=pb.CardChange(card_kind=pb.CARD_KIND_TENANT, valid_until_us=until,
                                      unit="7-302"))
        controller.wait_ack()
        assert not controller.rejects, controller.rejects
    town.wait_stored()
    # no token: it would tie the unit to the accesses of a month
    (detail, token), = town.sql("select detail, card_token is null from gatehouse.records"
                                " where kind = 600")
    assert token == "t"
    assert json.loads(detail) == {"card_kind": pb.CARD_KIND_TENANT, "unit": "7-302",
                                  "valid_until_us": until}


def test_by_hand_with_protoc_and_openssl(town):
    done = run(TOP / "tests/stranger/by_hand.sh", folder(town, 3))
    assert re.search(r"welcome \{.*controller: \"ctl-00004\"", done.stdout, re.S)
    assert re.search(r"ack \{\s*seq: 1\s*\}", done.stdout)


def test_what_the_document_shows_is_what_the_script_does():
    document = pathlib.Path(TOP / "docs/integrating.md").read_text()
    script = pathlib.Path(TOP / "tests/stranger/by_hand.sh").read_text()
    shown = script.split("begins here\n")[1].split("# and ends here")[0]
    commands = [line.strip() for line in shown.splitlines() if line.startswith("frame '")]
    assert commands
    for command in commands:
        if command not in document:
            pytest.fail(f"docs/integrating.md does not show: {command}")
