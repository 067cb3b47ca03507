# SPDX-License-Identifier: Apache-2.0
"""A hundred stations with ten consoles each, whose dispatchers take alarms.

Each change of an alarm reaches every console that is entitled to it exactly once, and
none else: what each console saw, by the ledger, is the beginning of what its station was
to see, by PostgreSQL, change for change in that order.  Guards the hub's filter and its
cursors: a console that is told of a foreign alarm, twice of one, or not of one, fails it.
So it is at a thousand alarms a second, over many sites and over a few, with every record
in PostgreSQL.
"""

import pytest
from harness import ledger
from harness.ledger import check_consoles
from harness.world import Failed

STATIONS = [f"s{i:02d}" for i in range(100)]
CONSOLES = 10


@pytest.fixture(scope="module")
def city(make_world):
    world = make_world(controllers=200, stations=STATIONS, consoles=CONSOLES)
    world.start()
    return world


def test_each_entitled_console_is_told_once_and_none_else(city):
    summary = city.sim_to_end("--console-dir", city.desks, "--alarms", 40, "--duration", 15,
                              "--dispatch", 20, "--dispatch-delay", 2, "--drain")
    assert summary["consoles"] == len(STATIONS) * CONSOLES
    city.wait_stored()
    done = city.verify()
    assert done.returncode == 0, done.stdout
    alarms = summary["alarms"]
    # people took alarms, and where two took one the second was refused
    assert alarms["actions_accepted"] > 50 and alarms["actions_refused"] > 0
    # the last ones were still on their way when the run ended
    answered = alarms["actions_accepted"] + alarms["actions_refused"]
    assert answered <= alarms["actions"]
    assert city.value("select count(*) from alarm_changes where verb = 1"
                      " and actor_kind = 1") - alarms["actions_accepted"] in range(
                          alarms["actions"] - answered + 1)
    told = check_consoles(city)
    assert len(told) == len(STATIONS) * CONSOLES
    assert min(told.values()) > 0  # each had something to see, and saw it


@pytest.mark.parametrize("estate", [
    {"controllers": 200, "stations": STATIONS[:20], "consoles": 2, "per_site": 2},
    {"controllers": 30, "stations": STATIONS[:3], "consoles": 10},
], ids=["many sites", "a few sites"])
def test_a_thousand_alarms_a_second(make_world, estate):
    """With the limits as they are by default: nobody is closed or told to begin anew."""
    world = make_world(**estate)
    world.start()
    consoles = len(world.estate.consoles)
    summary = world.sim_to_end("--console-dir", world.desks, "--alarms", 1000, "--duration", 10,
                               "--drain")
    world.wait_stored()
    figures = world.assert_ledger_holds()
    alarms = summary["alarms"]
    assert summary["consoles"] == consoles and alarms["sent"] >= 10000
    assert figures["alarms"]["missing"] == figures["alarms"]["twice"] == 0
    assert figures["stored"] == summary["records"]["sent"] == world.value(
        "select count(*) from records where epoch > 0")
    # as each subscribed, and never again
    assert alarms["resyncs"] == consoles
    assert set(world.status()["connections"]["closed"]) == {"peer_closed"}
    told = check_consoles(world)
    assert len(told) == consoles and min(told.values()) > 0
    world.end()


@pytest.mark.parametrize("seen", [
    [(1, 10), (1, 10), (2, 20)], [(2, 20)], [(1, 10), (7, 15)], [(2, 20), (1, 10)], [(1, 10)], [],
    [(1, 10), (2, 20), (1, 30), (1, 40)],
])
def test_the_check_finds_a_console_that_saw_something_else(monkeypatch, tmp_path, seen):
    world = type("Nothing", (), {"folder": tmp_path})
    changes = {"s00": [(1, 10, True), (2, 20, True), (1, 30, False)], "s01": [(7, 15, True)]}
    monkeypatch.setattr(ledger, "changes_by_station", lambda _: changes)
    monkeypatch.setattr(ledger, "seen_by_console", lambda _: {"desk-s00": seen})
    with pytest.raises(Failed):
        check_consoles(world)
    # what only the server did may be missing at the end
    for right in ([(1, 10), (2, 20)], [(1, 10), (2, 20), (1, 30)]):
        monkeypatch.setattr(ledger, "seen_by_console", lambda _, r=right: {"desk-s00-2": r})
        assert check_consoles(world) == {"desk-s00-2": len(right)}
