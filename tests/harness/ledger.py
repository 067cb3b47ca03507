# SPDX-License-Identifier: Apache-2.0
"""What each console saw, by the simulator's ledger, against PostgreSQL.

`gatehouse-sim verify` looks at records and at the alarms they raise; here each change of
each alarm is held against each console that was to be told of it.
"""

import collections
import struct

from harness.world import Failed

# Fields of the ledger's entries, by their type; a name follows those that have one.
LAYOUTS = {1: "<qQ", 2: "<IQ", 3: "<IQqHHI", 4: "<IQ", 5: "<IQH", 6: "<IQQ", 7: "<IQQ", 8: "<I",
           9: "<IQQ", 10: "<IQQ", 11: "<IQQQQQHBB", 12: "<IQQ"}
NAMED, CONSOLE, SEEN = {2, 8, 11}, 8, 11


def entries(folder):
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
    """{console: [(alarm_id, position)]}, of all that took part, in the order that they saw."""
    names, seen = {}, {}
    for kind, fields, name in entries(folder):
        if kind == CONSOLE:
            names[fields[0]] = name
            seen.setdefault(name, [])
        elif kind == SEEN:
            number, _, position, alarm_id, *_, snapshot = fields
            if snapshot:
                raise Failed(f"{names[number]} was not there before the first alarm")
            seen[names[number]].append((alarm_id, position))
    return seen


def changes_by_station(world):
    """{station: [(alarm_id, position, whether a record caused it)]}, in the journal's order."""
    changes = collections.defaultdict(list)
    for station, alarm_id, position, verb in world.sql(
            "select t.code, c.alarm_id, c.position, c.verb from gatehouse.alarm_changes c"
            " join gatehouse.sites s using (site_id) join gatehouse.areas a using (area_id)"
            " join gatehouse.stations t on t.station_id = a.station_id order by c.position"):
        changes[station].append((int(alarm_id), int(position), verb == "0"))
    return changes


def station_of(console):
    """By the names that harness.estate gives: desk-STATION, desk-STATION-2 and so on."""
    return console.split("-")[1]


def check_consoles(world, ledger="ledger"):
    """Each console was told of each change of its station once, in order, and of none else.

    At the end of a run only changes may be missing that no record caused: people and the
    server act on.  Returns {console: number of changes}.
    """
    changes, told = changes_by_station(world), {}
    for console, seen in seen_by_console(world.folder / ledger).items():
        due = changes[station_of(console)]
        if seen != [change[:2] for change in due[:len(seen)]]:
            at = next(i for i, one in enumerate(seen) if i >= len(due) or one != due[i][:2])
            raise Failed(f"{console}: its change {at} is {seen[at]}, of {len(due)} due "
                         f"{due[at:at + 1]}")
        missing = [change for change in due[len(seen):] if change[2]]
        if missing:
            raise Failed(f"{console} was not told of {len(missing)} of {len(due)}: {missing[0]}")
        told[console] = len(seen)
    return told
