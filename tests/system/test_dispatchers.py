# SPDX-License-Identifier: Apache-2.0
"""A hundred stations with ten consoles each, whose dispatchers take alarms.

Each change of an alarm reaches every console that is entitled to it exactly once, and
none else: what each console saw, by the ledger, is the beginning of what its station was
to see, by PostgreSQL, change for change in that order.  Guards the hub's filter and its
cursors: a console that is told of a foreign alarm, twice of one, or not of one, fails it.
"""

import collections
import struct

import pytest

STATIONS = [f"s{i:02d}" for i in range(100)]
CONSOLES = 10


@pytest.fixture(scope="module")
def city(make_world):
    world = make_world(controllers=200, stations=STATIONS, consoles=CONSOLES)
    world.start()
    return world


# Fields of the ledger's entries, by their type; a name follows those that have one.
LAYOUTS = {1: "<qQ", 2: "<IQ", 3: "<IQqHHI", 4: "<IQ", 5: "<IQH", 6: "<IQQ", 7: "<IQQ", 8: "<I",
           9: "<IQQ", 10: "<IQQ", 11: "<IQQQQQHBB", 12: "<IQQ"}
NAMED, CONSOLE, SEEN = {2, 8, 11}, 8, 11


def ledger_entries(folder):
    """(type, fields, name) of each entry."""
    for path in sorted(folder.glob("run-*.ledger")):
        data, at = path.read_bytes(), len(b"GHLEDGR1")
        while at < len(data):
            kind, at = data[at], at + 1
            fields = struct.unpack_from(LAYOUTS[kind], data, at)
            at += struct.calcsize(LAYOUTS[kind])
            name = ""
            if kind in NAMED:
                name = data[at + 1:at + 1 + data[at]].decode()
                at += 1 + data[at]
            yield kind, fields, name


def seen_by_console(folder):
    names, seen = {}, collections.defaultdict(list)
    for kind, fields, name in ledger_entries(folder):
        if kind == CONSOLE:
            names[fields[0]] = name
        elif kind == SEEN:
            number, _, position, alarm_id, *_, snapshot = fields
            assert not snapshot  # all were there before the first alarm
            seen[names[number]].append((alarm_id, position))
    return names.values(), seen


def changes_by_station(world):
    changes = collections.defaultdict(list)
    for station, alarm_id, position in world.sql(
            "select t.code, c.alarm_id, c.position from alarm_changes c"
            " join sites s using (site_id) join areas a using (area_id)"
            " join stations t on t.station_id = a.station_id order by c.position"):
        changes[station].append((int(alarm_id), int(position)))
    return changes


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
    consoles, seen = seen_by_console(city.folder / "ledger")
    changes = changes_by_station(city)
    assert len(consoles) == len(STATIONS) * CONSOLES
    for console in consoles:
        station = console.split("-")[1]
        assert seen[console] == changes[station][:len(seen[console])], console
    # each had something to see, and saw it
    for station in STATIONS:
        lengths = {len(seen[console]) for console in consoles
                   if console.split("-")[1] == station}
        assert min(lengths) > 0
