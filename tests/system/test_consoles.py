# SPDX-License-Identifier: Apache-2.0
"""Who sees which alarms, in which order, and what a console that was away is told."""

import json
import subprocess

from harness.world import wait_until
from stranger.client import Console
from stranger.wire import Enrolment, pb


def console(town, station):
    desk = Console(Enrolment.load(town.desks / f"desk-{station}"))
    desk.hello()
    return desk


def wait_changes(desk, count):
    while len(desk.alarms) < count:
        desk.step(desk.deadline())


def raise_all(controllers, kind, **fields):
    for controller in controllers:
        controller.send_record(kind, **fields)
    for controller in controllers:
        controller.wait_ack()


def test_a_console_sees_the_alarms_of_its_areas_alone(town, controllers):
    desks = {station: console(town, station) for station in town.estate.stations}
    for desk in desks.values():
        desk.subscribe()
        desk.wait_snapshot()
    raise_all(controllers, "KIND_PANIC", door=1)
    # a console's changes come in order: behind these, no panic is still to come
    raise_all(controllers, "KIND_EMERGENCY_CALL", door=1)
    for station, desk in desks.items():
        wait_changes(desk, 4)
        assert [alarm.kind for alarm in desk.alarms] == (
            [pb.KIND_PANIC] * 2 + [pb.KIND_EMERGENCY_CALL] * 2)
        for alarm in desk.alarms:
            assert alarm.area == f"{station}-district"
            assert alarm.station == station
            assert alarm.severity == pb.SEVERITY_CRITICAL
            assert alarm.site and alarm.door and alarm.door_name and alarm.address
        desk.close()


def test_a_console_that_was_away_gets_every_change_once_and_in_order(town, controllers):
    desk = console(town, "north")
    desk.subscribe()
    desk.wait_snapshot()
    desk.close()
    for _ in range(3):
        raise_all(controllers[:1], "KIND_DOOR_FORCED", door=1)
        raise_all(controllers[:1], "KIND_DOOR_FORCED_RESTORED", door=1)
    seen = len(desk.alarms)
    desk.reconnect()
    wait_changes(desk, seen + 6)
    changes = desk.alarms[seen:]
    assert [bool(change.cleared_time_us) for change in changes] == [False, True] * 3
    positions = [change.position for change in changes]
    assert positions == sorted(set(positions))
    assert not desk.resyncs[1:], "it could be told one by one"
    desk.close()


def test_a_filter_narrows_what_is_sent(town, controllers):
    desk = console(town, "south")
    desk.subscribe(kinds=["KIND_FIRE"], severity_min=pb.SEVERITY_CRITICAL)
    desk.wait_snapshot()
    raise_all(controllers, "KIND_TAMPER_READER", door=1)
    raise_all(controllers, "KIND_FIRE", door=1)
    alarm = desk.wait_alarm()
    assert alarm.kind == pb.KIND_FIRE
    assert {alarm.kind for alarm in desk.alarms} == {pb.KIND_FIRE}
    desk.close()


def test_an_area_of_another_station_can_not_be_asked_for(town, controllers):
    desk = console(town, "south")
    desk.subscribe(areas=["north-district"])
    desk.wait_snapshot()
    own = console(town, "south")
    own.subscribe()
    own.wait_snapshot()
    raise_all(controllers, "KIND_EMERGENCY_CALL", door=1)
    own.wait_alarm()
    # the answer to another subscription comes behind what the first one still had
    desk.subscribe(from_position=0)
    while len(desk.resyncs) < 2:
        assert desk.step(desk.deadline()) != "alarm"
    desk.close()
    own.close()


def test_alarms_come_while_postgresql_is_gone(town, controllers, postgres):
    desk = console(town, "east")
    desk.subscribe()
    desk.wait_snapshot()
    seen = len(desk.alarms)
    postgres.kill()
    try:
        town.wait_status("the store is down", lambda s: s["store"]["state"] != "running")
        raise_all(controllers, "KIND_EMERGENCY_CALL", door=1)
        alarm = desk.wait_alarm(lambda a: a.kind == pb.KIND_EMERGENCY_CALL, since=seen)
        assert alarm.durable_time_us >= alarm.received_time_us > 0
    finally:
        postgres.start()
        town.wait_status("the store runs", lambda s: s["store"]["state"] == "running")
    desk.close()


def test_tail_shows_alarms_as_lines_and_as_json(town, controllers):
    out = town.folder / "tail.jsonl"
    with open(out, "wb") as file:
        tail = subprocess.Popen([town.build / "gatehousectl", "-c", town.config, "tail", "--json"],
                                stdout=file, stdin=subprocess.DEVNULL)
    try:
        wait_until("the snapshot has ended", lambda: "snapshot_end" in out.read_text())
        raise_all(controllers[:1], "KIND_HOLD_UP", door=1)
        wait_until("the alarm", lambda: '"hold_up"' in out.read_text())
    finally:
        tail.terminate()
        tail.wait(10)
    alarm = [json.loads(line) for line in out.read_text().splitlines() if '"hold_up"' in line][-1]
    assert alarm["silent"] is True
    assert alarm["controller"] == town.estate.controllers[0]
