# SPDX-License-Identifier: Apache-2.0
"""Dispatchers at work: who is first, what each may, and that nothing they did is lost.

Guards that an action is judged when it comes back from the journal and answered then, and
never before it is durable; and that nobody acts on an alarm that he may not see.
"""

import time

import pytest
from harness.world import wait_until
from stranger.client import Console, Controller, now_us
from stranger.wire import Enrolment, pb

S = pb.AlarmState.Value
REFUSED = pb.ActionRefusal.Value


@pytest.fixture(scope="module")
def town(make_world):
    world = make_world(controllers=6, consoles=2)
    world.ctl("setup", "apply", chief_of(world))
    world.ctl("console", "issue", "chief", "--out", world.desks)
    world.start()
    return world


def chief_of(world):
    """A supervisor's console in the north, as a set-up file."""
    path = world.folder / "chief.yaml"
    path.write_text("consoles:\n  - {name: chief, station: north, role: supervisor}\n")
    return path


class Bench:
    """A controller in the north, and consoles of whoever is needed."""

    def __init__(self, world):
        self.world, self.made = world, []
        self.controller = self.open(Controller, world.fleet / world.estate.controllers[0])
        self.controller.hello(epoch=now_us())

    def open(self, kind, folder):
        self.made.append(kind(Enrolment.load(folder)))
        return self.made[-1]

    def console(self, name, **subscribe):
        desk = self.open(Console, self.world.desks / name)
        desk.hello()
        desk.subscribe(**subscribe)
        desk.wait_snapshot()
        return desk

    def happens(self, kind, **fields):
        self.controller.send_record(kind, door=1, **fields)
        self.controller.wait_ack()

    def end(self):
        for one in self.made:
            one.close()


@pytest.fixture
def bench(town):
    made = Bench(town)
    yield made
    made.end()


def alarm_of(desk, kind, since=0):
    return desk.wait_alarm(lambda a: a.kind == pb.Kind.Value(kind) and
                           a.state == S("ALARM_STATE_UNACKNOWLEDGED"), since)


def wait_state(desk, alarm, state):
    desk.wait_alarm(lambda a: a.alarm_id == alarm.alarm_id and a.state == S(state))
    return desk.alarms[-1]


def raised(bench, desk, kind="KIND_DOOR_HELD_OPEN"):
    """An alarm that this console has just been told of."""
    since = len(desk.alarms)
    bench.happens(kind)
    return alarm_of(desk, kind, since)


def finish(bench, alarm):
    """Whatever became of it, it is done; returns how many actions that took."""
    chief = bench.console("chief", from_position=0)
    standing = chief.standing.get(alarm.alarm_id)
    if standing is None:
        return 0
    verbs = {S("ALARM_STATE_LATCHED"): ["reset"],
             S("ALARM_STATE_OUT_OF_SERVICE"): ["in_service", "close"]}
    for verb in verbs.get(standing.state, ["close"]):
        outcome = {} if verb == "in_service" else {"outcome": "OUTCOME_TEST"}
        assert chief.act(alarm, verb, text="end of the test", **outcome).accepted
    return len(verbs.get(standing.state, ["close"]))


def test_of_two_the_first_wins_and_the_second_is_told_by_whom(bench, town):
    one, two = bench.console("desk-north"), bench.console("desk-north-2")
    alarm = raised(bench, one)
    alarm_of(two, "KIND_DOOR_HELD_OPEN")
    before = town.status()["desk"]
    # both before either has an answer
    requests = [one.ask(alarm, "accept", operator="7"), two.ask(alarm, "accept", operator="8")]
    results = []
    for desk, request in zip((one, two), requests):
        desk._step_until(lambda: request in desk.results, "ActionResult", None)
        results.append(desk.results[request])
    first, second = sorted(results, key=lambda r: not r.accepted)
    assert first.accepted and first.change == 2
    assert not second.accepted and second.refusal == REFUSED("ACTION_REFUSAL_STATE")
    winner = ("7@desk-north", "8@desk-north-2")[results.index(first)]
    assert second.by == winner and 0 < now_us() - second.at_us < 3600e6
    for desk in one, two:
        seen = wait_state(desk, alarm, "ALARM_STATE_ACKNOWLEDGED")
        assert seen.acknowledged_by == winner and seen.change == 2
    desk = town.status()["desk"]
    assert [desk[f"actions_{what}_total"] - before[f"actions_{what}_total"]
            for what in ("accepted", "refused")] == [1, 1] and desk["actions_waiting"] == 0
    # what was refused is in the log, by its console, and nowhere else
    loser = ("desk-north", "desk-north-2")[results.index(second)]
    line = next(line for line in town.daemon.log.read_text().splitlines()
                if "action refused" in line)
    assert f"console={loser} verb=accept alarm={alarm.alarm_id} reason=state" in line
    assert "operator" not in line and "8@" not in line and "7@" not in line
    finish(bench, alarm)


def test_a_conversation_is_told_to_all_and_kept(bench, town):
    one, two = bench.console("desk-north"), bench.console("desk-north-2")
    alarm = raised(bench, one, "KIND_DOOR_FORCED")
    steps = [("accept", {}), ("dispatched", {"text": "two on the way"}), ("on_scene", {}),
             ("comment", {"text": "the lock is broken"})]
    for verb, fields in steps:
        assert one.act(alarm, verb, operator="7", **fields).accepted
    bench.happens("KIND_DOOR_FORCED_RESTORED")
    latched = wait_state(one, alarm, "ALARM_STATE_LATCHED")
    assert latched.latched and latched.stage == pb.ALARM_STAGE_ON_SCENE
    assert one.act(alarm, "close", outcome="OUTCOME_INCIDENT").refusal == REFUSED(
        "ACTION_REFUSAL_STATE")
    assert one.act(alarm, "reset", outcome="OUTCOME_INCIDENT").accepted
    wait_state(two, alarm, "ALARM_STATE_NORMAL")
    changes = [a for a in two.alarms if a.alarm_id == alarm.alarm_id]
    assert [a.change for a in changes] == list(range(1, 8))
    verbs = ["unspecified", "accept", "dispatched", "on_scene", "comment", "unspecified", "reset"]
    assert [pb.Verb.Name(a.verb) for a in changes] == [f"VERB_{v.upper()}" for v in verbs]
    assert changes[4].text == "the lock is broken" and changes[4].actor == "desk-north"
    town.wait_stored()
    rows = town.sql("select verb, coalesce(note, ''), coalesce(operator_code, '') from"
                    f" alarm_changes where alarm_id = {alarm.alarm_id} order by change")
    assert rows == [["0", "", ""], ["1", "", "7"], ["3", "two on the way", "7"], ["4", "", "7"],
                    ["7", "the lock is broken", "7"], ["0", "", ""], ["11", "", ""]]
    assert town.value(f"select outcome from alarms where alarm_id = {alarm.alarm_id}") == 1


def test_what_stands_is_a_supervisors(bench):
    desk, chief = bench.console("desk-north"), bench.console("chief")
    alarm = raised(bench, desk)
    assert alarm.supervised
    result = desk.act(alarm, "close", outcome="OUTCOME_TECHNICAL", text="broken")
    assert result.refusal == REFUSED("ACTION_REFUSAL_RIGHT")
    assert chief.act(alarm, "close", outcome="OUTCOME_TECHNICAL").refusal == REFUSED(
        "ACTION_REFUSAL_FORM")
    assert chief.act(alarm, "close", outcome="OUTCOME_TECHNICAL", text="broken").accepted
    late = desk.act(alarm, "accept")
    assert late.refusal == REFUSED("ACTION_REFUSAL_OVERTAKEN") and late.by == "chief"


def test_alarms_of_others_are_nobody_elses(bench):
    north, south = bench.console("desk-north"), bench.console("desk-south")
    alarm = raised(bench, north)
    assert south.act(alarm, "accept").refusal == REFUSED("ACTION_REFUSAL_UNKNOWN_ALARM")
    # ... until it is handed over
    assert north.act(alarm, "hand_over", station="south").accepted
    mine = alarm_of(south, "KIND_DOOR_HELD_OPEN")
    assert mine.handed_to == "south" and sorted(mine.called) == ["north", "south"]
    assert south.act(alarm, "accept", operator="9").accepted
    assert wait_state(north, alarm, "ALARM_STATE_ACKNOWLEDGED").acknowledged_by == "9@desk-south"
    finish(bench, alarm)


def test_what_is_wrong_is_said(bench):
    desk = bench.console("desk-north")
    alarm = raised(bench, desk)
    soon = now_us() + 3600 * 1_000_000
    cases = [
        ("close", {}, "FORM", "close needs an outcome"),
        ("shelve", {"until_us": soon}, "FORM", "shelve needs a text"),
        ("shelve", {"until_us": 1, "text": "x"}, "FORM", "until_us is over already"),
        ("shelve", {"until_us": now_us() + 10**12, "text": "x"}, "FORM",
         "until_us is beyond desk.shelve_max_s"),
        ("hand_over", {"station": "atlantis"}, "FORM", "the register has no such station"),
        ("escalated", {}, "FORM", "verb is missing, or none of the contract's"),
        ("unshelve", {}, "STATE", "the alarm does not take this in its state"),
        ("reject", {"reject_reason": "REJECT_ALARM_REASON_TOO_OLD"}, "STATE",
         "there is no further station to call"),
        ("out_of_service", {"until_us": soon, "text": "x"}, "RIGHT",
         "this needs the right of a supervisor"),
    ]
    for verb, fields, refusal, detail in cases:
        result = desk.act(alarm, verb, **fields)
        assert not result.accepted
        assert (result.refusal, result.detail) == (REFUSED(f"ACTION_REFUSAL_{refusal}"), detail)
    assert desk.act(4711, "accept").refusal == REFUSED("ACTION_REFUSAL_UNKNOWN_ALARM")
    panic = raised(bench, desk, "KIND_PANIC")
    assert desk.act(panic, "shelve", until_us=soon, text="x").refusal == REFUSED(
        "ACTION_REFUSAL_KIND")
    finish(bench, panic)
    finish(bench, alarm)


# In each state that an alarm can stand in: what was answered is there after a crash.
STATES = {
    "ALARM_STATE_UNACKNOWLEDGED": [],
    "ALARM_STATE_ACKNOWLEDGED": [("accept", {})],
    "ALARM_STATE_RETURNED_UNACKNOWLEDGED": [],
    "ALARM_STATE_LATCHED": [("accept", {})],
    "ALARM_STATE_SHELVED": [("shelve", {"text": "works"})],
    "ALARM_STATE_OUT_OF_SERVICE": [("out_of_service", {"text": "new lock"})],
}


def put_into(bench, chief, state):
    kind = "KIND_DOOR_FORCED" if state == "ALARM_STATE_LATCHED" else "KIND_DOOR_HELD_OPEN"
    alarm = raised(bench, chief, kind)
    for verb, fields in STATES[state]:
        if verb in ("shelve", "out_of_service"):
            fields = dict(fields, until_us=now_us() + 3600 * 1_000_000)
        assert chief.act(alarm, verb, operator="1", **fields).accepted
    if state in ("ALARM_STATE_RETURNED_UNACKNOWLEDGED", "ALARM_STATE_LATCHED"):
        bench.happens(f"{kind}_RESTORED")
    return wait_state(chief, alarm, state)


@pytest.mark.parametrize("state", STATES)
def test_each_state_survives_kill_9_and_an_outage(town, state):
    bench = Bench(town)
    chief = bench.console("chief")
    before = put_into(bench, chief, state)
    bench.end()
    town.kill()
    # and PostgreSQL is not there when it comes back
    town.configure({"postgresql.conninfo": "'host=127.0.0.1 port=1 dbname=none'"})
    town.start(wait_for_store=False)
    bench = Bench(town)
    chief = bench.console("chief", from_position=0)
    after = chief.standing[before.alarm_id]
    assert after.state == before.state and after.change == before.change
    assert after.acknowledged_by == before.acknowledged_by
    assert after.shelved_until_us == before.shelved_until_us
    assert after.acted_time_us == before.acted_time_us and after.text == before.text
    actions = finish(bench, before)
    bench.end()
    town.stop()
    town.configure({"postgresql.conninfo": f"\"{town.conninfo}\""})
    town.start()
    town.wait_stored()
    assert town.sql("select state, change from alarms where"
                    f" alarm_id = {before.alarm_id}") == [["4", str(before.change + actions)]]


def test_who_had_it_first_is_in_the_ledger(bench, town):
    desk = bench.console("desk-north")
    alarm = raised(bench, desk)
    desk.show(alarm)
    assert desk.act(alarm, "accept").accepted
    # the change behind it tells both
    known = desk.wait_alarm(lambda a: a.alarm_id == alarm.alarm_id and a.change == 2)
    assert known.first_acknowledged_time_us == known.acknowledged_time_us
    finish(bench, alarm)
    town.wait_stored()
    row = ("select offered_at >= durable_at and offered_at < first_acknowledged_at,"
           " shown_at >= raised_at, first_acknowledged_at > raised_at from alarms"
           f" where alarm_id = {alarm.alarm_id}")
    wait_until("the sightings are stored", lambda: town.sql(row) == [["t", "t", "t"]])
