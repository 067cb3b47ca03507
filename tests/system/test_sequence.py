# SPDX-License-Identifier: Apache-2.0
"""A controller's numbers: resent, doubled, missing, taken over by another connection.

Seen to fail: a gap that ends, without the look at the gaps in src/fleet/intake.c (what
came was a double), and with the gaps left out of the checkpoint.
"""

import json

import pytest
from harness.world import wait_until
from stranger import misbehave
from stranger.client import Console, Controller
from stranger.wire import Enrolment, Refused, pb

KIND = "KIND_DOOR_OPENED"
TIMEOUT_S = 10


@pytest.fixture
def controller(town, next_index):
    with Controller(Enrolment.load(
            town.fleet / town.estate.controllers[next_index()])) as made:
        yield made


@pytest.fixture(scope="module")
def town(make_world):
    world = make_world(controllers=12)
    world.start()
    return world


@pytest.fixture(scope="module")
def next_index():
    """Each test has a controller that no other has used."""
    indexes = iter(range(12))
    return lambda: next(indexes)


def rows(town, controller, extra="epoch > 0"):
    town.wait_stored()
    return [(int(epoch), int(seq)) for epoch, seq in town.sql(
        "select epoch, seq from gatehouse.records r"
        " join gatehouse.controllers c using (controller_id)"
        f" where c.name = '{controller.enrolment.name}' and {extra} order by position")]


def fleet(town, name):
    return town.status()["fleet"][name]


def send(controller, n):
    for _ in range(n):
        controller.send_record(KIND, door=1)
    controller.wait_ack()


def test_the_same_records_over_a_new_connection_are_no_new_rows(town, controller):
    controller.hello(epoch=1)
    records = [controller.record(KIND, door=1) for _ in range(10)]

    def send_all():
        for record in records:
            controller.send(pb.FromController(record=record))
        controller.wait_ack(10)

    send_all()
    before = rows(town, controller)
    duplicates = fleet(town, "duplicates_total")
    controller.connect()
    # a controller whose memory of acks is gone
    controller.acked = 0
    welcome = controller.hello(epoch=1, acked_seq=0)
    assert welcome.resume_after == 10
    send_all()
    assert rows(town, controller) == before == [(1, seq) for seq in range(1, 11)]
    assert fleet(town, "duplicates_total") == duplicates + 10


def test_resumes_where_it_was_after_a_restart_of_the_daemon(world):
    name = world.estate.controllers[0]
    with Controller(Enrolment.load(world.fleet / name)) as controller:
        controller.hello(epoch=1)
        send(controller, 5)
        assert world.stop() == 0
        world.start()
        controller.connect()
        assert controller.hello().resume_after == 5
        send(controller, 5)
        assert rows(world, controller) == [(1, seq) for seq in range(1, 11)]


def test_a_newer_connection_supersedes_the_older(town, controller):
    controller.hello(epoch=1)
    send(controller, 3)
    with Controller(controller.enrolment) as newer:
        assert newer.hello(epoch=1).resume_after == 3
        with pytest.raises(Refused) as refused:
            controller.step(controller.deadline())
        assert refused.value.reason == "GOAWAY_REASON_SUPERSEDED"
        send(newer, 3)
        assert rows(town, newer) == [(1, seq) for seq in range(1, 7)]
        assert town.status()["connections"]["closed"]["superseded"] >= 1


def test_a_hole_is_asked_for_and_filled(town, controller):
    controller.hello(epoch=1)
    gaps = fleet(town, "gaps_total")
    first, hole, behind = (controller.record(KIND, door=1) for _ in range(3))
    for record in (first, hole, behind):
        controller.waiting[record.seq] = record
    for record in (first, behind):
        controller.send(pb.FromController(record=record))
    assert controller.wait_resend() == hole.seq  # step() answers it
    controller.wait_ack(3)
    assert rows(town, controller) == [(1, 1), (1, 2), (1, 3)]
    assert fleet(town, "gaps_total") == gaps


def test_a_hole_that_is_not_filled_is_alarmed(town, controller):
    district = town.estate.district(town.estate.controllers.index(controller.enrolment.name))
    console = Enrolment.load(town.desks / f"desk-{district.split('-')[0]}")
    with Console(console) as desk:
        desk.hello()
        desk.subscribe()
        desk.wait_snapshot()
        outcome = misbehave.run("gap_waited_out", controller.enrolment, 30)
        assert outcome.resends and outcome.acked == 3, outcome
        alarm = desk.wait_alarm(lambda alarm: alarm.kind == pb.KIND_RECORDS_GAP
                                and alarm.controller == controller.enrolment.name)
    assert alarm.area == district
    own, = rows(town, controller, extra="kind = 701")
    assert own[0] < 0, "the server's own observation has an epoch below zero"
    detail, = town.sql("select detail->>'from', detail->>'to' from gatehouse.records r"
                       " join gatehouse.controllers c using (controller_id)"
                       f" where kind = 701 and c.name = '{controller.enrolment.name}'")
    assert detail == ["2", "2"]


def test_records_that_are_reported_lost_are_a_gap(town, controller):
    controller.hello(epoch=1)
    send(controller, 2)
    gaps = fleet(town, "gaps_total")
    controller.send_lost(3, 6)
    send(controller, 1)
    assert fleet(town, "gaps_total") == gaps + 1
    assert rows(town, controller) == [(1, 1), (1, 2), (1, 7)]


def listed_gaps(town, controller):
    return [row for row in json.loads(town.ctl("gaps", "--json").stdout)
            if row["controller"] == controller.enrolment.name]


def desk_of(town, controller):
    district = town.estate.district(town.estate.controllers.index(controller.enrolment.name))
    return Enrolment.load(town.desks / f"desk-{district.split('-')[0]}")


def test_a_gap_whose_records_come_after_all_ends(world):
    controller = Controller(Enrolment.load(world.fleet / world.estate.controllers[0]))
    with controller, Console(desk_of(world, controller)) as desk:
        desk.hello()
        desk.subscribe()
        desk.wait_snapshot()
        controller.hello(epoch=1)
        send(controller, 2)
        late = [controller.record(KIND, door=1, seq=seq) for seq in range(3, 7)]
        controller.send_lost(3, 6)
        send(controller, 1)
        raised = desk.wait_alarm(lambda alarm: alarm.kind == pb.KIND_RECORDS_GAP)
        world.wait_stored()
        gap, = listed_gaps(world, controller)
        assert (gap["epoch"], gap["from"], gap["to"], gap["records"]) == (1, 3, 6, 4)
        assert gap["state"] == "open" and gap["since"] and gap["filled"] is None
        # two of them, in a life of the daemon that only the checkpoint tells of the gap
        for record in late[:2]:
            controller.send(pb.FromController(record=record))
        controller.heartbeat()
        assert world.stop() == 0
        world.start()
        controller.connect()
        assert controller.hello().resume_after == 7
        for record in late:
            controller.send(pb.FromController(record=record))
        send(controller, 1)
        desk.reconnect()
        ended = desk.wait_alarm(lambda alarm: alarm.alarm_id == raised.alarm_id
                                and alarm.cleared_time_us)
        assert ended.state == pb.ALARM_STATE_RETURNED_UNACKNOWLEDGED
        assert sorted(rows(world, controller)) == [(1, seq) for seq in range(1, 9)]
    gap, = listed_gaps(world, controller)
    assert gap["state"] == "filled" and gap["filled"] >= gap["since"]
    assert f"{world.estate.controllers[0]} " in world.ctl("gaps").stdout


def test_an_epoch_is_given_to_who_lost_its_counter(town, controller):
    controller.hello(epoch=1)
    send(controller, 2)
    controller.close()
    with Controller(controller.enrolment) as reborn:
        welcome = reborn.hello(epoch=0)
        assert welcome.epoch > 1 and welcome.resume_after == 0
        send(reborn, 2)
        assert rows(town, reborn) == [(1, 1), (1, 2), (welcome.epoch, 1), (welcome.epoch, 2)]


def test_a_silent_controller_is_alarmed_and_its_return_clears_it(make_world):
    town = make_world(controllers=1)
    town.configure({"fleet.heartbeat_s": 5, "fleet.lease_s": 10})
    town.start()
    name = town.estate.controllers[0]
    with Console(Enrolment.load(town.desks / "desk-north")) as desk:
        desk.hello()
        desk.subscribe()
        with Controller(Enrolment.load(town.fleet / name)) as controller:
            controller.hello(epoch=1)
        lost = desk.wait_alarm(lambda alarm: alarm.kind == pb.KIND_COMMS_CONTROLLER_LOST,
                               timeout=120)
        assert lost.controller == name and not lost.cleared_time_us
        with Controller(controller.enrolment) as back:
            back.hello(epoch=1)
            cleared = desk.wait_alarm(lambda alarm: alarm.alarm_id == lost.alarm_id
                                      and alarm.cleared_time_us, timeout=120)
    assert cleared.state == pb.ALARM_STATE_RETURNED_UNACKNOWLEDGED
    wait_until("both are stored", lambda: town.value(
        "select count(*) from gatehouse.records where kind in (420, 421)") == 2)
