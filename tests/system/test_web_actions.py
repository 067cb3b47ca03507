# SPDX-License-Identifier: Apache-2.0
"""What dispatchers do with alarms through gatehouse-web: who is told what.

Guards that an answer is the daemon's, that supervisors' actions go by a supervisor's
console, that who acts is who is signed in, and that the words of web_word() are those of
the stream.  Seen to fail with: handshakes with the daemon that get no turn.
"""

import pytest
from harness.web import Web
from harness.world import wait_until


@pytest.fixture(scope="module")
def web(town):
    town.sql("update gatehouse.consoles set role = 'supervisor' where name = 'desk-north-2'")
    web = Web(town, {"session.attempts_per_minute": 100000, "http.requests_per_minute": 1000000,
                     "postgresql.refresh_s": 1})
    web.start()
    return web


@pytest.fixture(scope="module")
def town(make_world):
    made = make_world(consoles=2)
    made.start()
    return made


@pytest.fixture
def controller(controllers):
    return controllers[0]


class Desk:
    """A dispatcher: signed in, with the stream open."""

    def __init__(self, web, console):
        self.browser = web.browser(console)
        self.stream = self.browser.stream()
        self.standing = {alarm["alarm_id"]: alarm for alarm in self.stream.snapshot()}

    def act(self, alarm, verb, **more):
        return self.browser.post(f"/api/v1/alarms/{alarm['alarm_id']}/actions",
                                 {"verb": verb, "seen_change": alarm["change"], **more})

    def sees(self, alarm, condition=lambda data: True):
        return self.stream.alarm(lambda data: data["alarm_id"] == alarm["alarm_id"] and
                                 data["change"] > alarm["change"] and condition(data))


@pytest.fixture
def desk(web):
    desk = Desk(web, "desk-north")
    yield desk
    desk.stream.close()


@pytest.fixture
def lead(web):
    lead = Desk(web, "desk-north-2")
    yield lead
    lead.stream.close()


def raise_alarm(controller, desk, kind, name):
    controller.send_record(kind, door=1)
    controller.wait_ack()
    return desk.stream.alarm(lambda data: data["kind"] == name and
                             data["state"] == "unacknowledged")


def test_who_accepts_answers_for_it_and_all_are_told(desk, lead, controller):
    alarm = raise_alarm(controller, desk, "KIND_EMERGENCY_CALL", "emergency_call")
    reply = desk.act(alarm, "accept")
    assert reply.status == 200 and reply.json["accepted"]
    for other in (desk, lead):
        change = other.sees(alarm)
        assert change["state"] == "acknowledged" and change["verb"] == "accept"
        assert change["operator"] == "desk-north"
        assert "desk-north" in change["acknowledged_by"]
        assert change["change"] == reply.json["change"]


def test_the_first_wins_and_the_second_is_told_by_whom(desk, lead, controller):
    alarm = raise_alarm(controller, desk, "KIND_FIRE", "fire")
    assert desk.act(alarm, "accept").status == 200
    second = lead.act(alarm, "accept")
    assert second.status == 409
    assert second.json["refusal"] in ("overtaken", "state")
    assert "desk-north" in second.json["by"] and second.json["at"]


def test_a_station_is_counted_once_whoever_watches_it(web, town, desk, lead):
    """Each has a console for either right; guards that it is stations that are counted."""
    assert len(list((web.home / "consoles").glob("web-*"))) == 2 * len(town.estate.stations)
    status = web.status()
    assert status["stations"] == len(town.estate.stations)
    assert status["stations_connected"] == 1, "only the north is watched, by both"


def test_what_still_stands_is_closed_by_a_supervisor_alone(desk, lead, controller):
    alarm = raise_alarm(controller, desk, "KIND_TAMPER_READER", "tamper.reader")
    assert alarm["supervised"]
    how = {"outcome": "technical", "text": "reader is exchanged"}
    refused = desk.act(alarm, "close", **how)
    assert refused.status == 403 and refused.json["refusal"] == "right"
    assert lead.act(alarm, "close", **how).status == 200
    assert desk.sees(alarm)["state"] == "normal"


def test_the_conversation_is_the_same_from_the_database(town, desk, controller):
    alarm = raise_alarm(controller, desk, "KIND_DOOR_HELD_OPEN", "door.held_open")
    told = [alarm]
    for verb, more in (("accept", {}), ("dispatched", {}), ("comment", {"text": "two on foot"}),
                       ("on_scene", {}), ("cancel", {}), ("shelve", {
                           "minutes": 5, "text": "held by a parcel"}), ("unshelve", {}),
                       ("hand_over", {"station": "east"})):
        reply = desk.act(told[-1], verb, **more)
        assert reply.status == 200, (verb, reply.body)
        told.append(desk.sees(told[-1]))
        assert told[-1]["verb"] == verb
    town.wait_stored()
    stored = desk.browser.get(f"/api/v1/alarms/{alarm['alarm_id']}").json["changes"]
    assert [change["verb"] for change in stored] == [change["verb"] for change in told]
    for ours, theirs in zip(told, stored):
        for key in ("change", "position", "state", "count", "text", "reject_reason", "outcome",
                    "operator", "actor", "handed_to", "by_server"):
            assert (ours[key] or None) == (theirs[key] or None), (key, ours["verb"])
        assert (theirs["stage"] or "unspecified") == ours["stage"]


def test_who_acts_is_who_is_signed_in(desk, controller):
    alarm = raise_alarm(controller, desk, "KIND_HOLD_UP", "hold_up")
    assert desk.act(alarm, "comment", text="x", operator="somebody-else").status == 200
    assert desk.sees(alarm)["operator"] == "desk-north"


@pytest.mark.parametrize("body", [
    {}, {"verb": "explode"}, {"verb": "escalated"}, {"verb": 3}, {"verb": "comment"},
    {"verb": "comment", "text": "x" * 501}, {"verb": "comment", "text": "a\nb"},
    {"verb": "comment", "text": ["x"]}, {"verb": "shelve", "text": "x"},
    {"verb": "shelve", "text": "x", "minutes": -1}, {"verb": "reject"},
    {"verb": "reject", "reject_reason": "mood"}, {"verb": "close", "outcome": "mood"},
    {"verb": "accept", "seen_change": "1"}])
def test_what_makes_no_sense_is_refused(desk, controller, body):
    alarm = next(iter(desk.standing.values()), None) or raise_alarm(
        controller, desk, "KIND_PANIC", "panic")
    reply = desk.browser.post(f"/api/v1/alarms/{alarm['alarm_id']}/actions", body)
    assert reply.status == 400, reply.body


def test_an_alarm_of_another_station_is_not_there(web, desk, controller):
    alarm = raise_alarm(controller, desk, "KIND_TAMPER_CABINET", "tamper.cabinet")
    east = Desk(web, "desk-east")
    assert east.act(alarm, "accept").status == 404
    assert desk.browser.post("/api/v1/alarms/0/actions", {"verb": "accept"}).status == 404
    east.stream.close()


def test_what_is_on_a_screen_is_kept(town, desk, controller):
    alarm = raise_alarm(controller, desk, "KIND_PANIC", "panic")
    reply = desk.browser.post("/api/v1/alarms/shown", {"alarms": [
        {"alarm_id": alarm["alarm_id"], "change": alarm["change"]}]})
    assert reply.status == 204
    wait_until("it is stored", lambda: town.value(
        "select count(*) from gatehouse.alarms where shown_at is not null and alarm_id = "
        + alarm["alarm_id"]))
    for body in ({}, {"alarms": []}, {"alarms": [7]}, {"alarms": [{"alarm_id": "1"}] * 65}):
        assert desk.browser.post("/api/v1/alarms/shown", body).status == 400


def test_without_the_daemon_nothing_is_done(town, desk, controller):
    alarm = raise_alarm(controller, desk, "KIND_EMERGENCY_CALL", "emergency_call")
    town.stop()
    desk.stream.until(lambda e: e.name == "state" and not e.data["connected"])
    reply = desk.act(alarm, "accept")
    assert reply.status == 503 and "daemon" in reply.json["detail"]
    town.start()
    desk.stream.until(lambda e: e.name == "state" and e.data["connected"])
    assert desk.act(alarm, "accept").status == 200
