# SPDX-License-Identifier: Apache-2.0
"""Connections that are half open: the network between swallows packets and tells nobody.

The daemon lives in a network namespace with two addresses, one of which is cut
off with nftables.  Seen to fail: half open, with sessions that are never closed for
their silence (src/fleet/session.c); the race, with a lease that runs on when the
next session is let in (src/fleet/roster.c).
"""

import dataclasses
import random
import signal
import time

import pytest
from harness import network
from harness.process import descriptors
from stranger.client import Console, Controller
from stranger.wire import Enrolment, now_us, pb

LEASE_S = 5
LOST, RESTORED = 420, 421
LOST_KIND = pb.KIND_COMMS_CONTROLLER_LOST


@pytest.fixture
def net():
    reason = network.why_not()
    if reason:
        pytest.skip(reason)
    with network.Network() as made:
        yield made


@pytest.fixture
def world(make_world, net):
    """Its daemon is inside the network, with a short lease."""
    made = make_world(controllers=12)
    made.config.write_text(made.config.read_text().replace("address: 127.0.0.1",
                                                           "address: 0.0.0.0"))
    made.configure({"fleet.heartbeat_s": 1, "fleet.lease_s": LEASE_S})
    made.start(prefix=net.prefix)
    yield made
    made.end()


def at(address, folder):
    return dataclasses.replace(Enrolment.load(folder), host=address)


def fleet(world):
    return world.status()["fleet"]


def wait_another_lease(world):
    """Whatever a lease that still runs would do has been done then."""
    until = world.status()["uptime_s"] + LEASE_S + 2
    world.wait_status("another lease", lambda s: s["uptime_s"] >= until)


def observations(world):
    """What the server itself reported: lists of (kind, time) by controller, in order."""
    world.wait_stored()
    found = {name: [] for name in world.estate.controllers}
    for name, kind, time_us in world.sql(
            "select c.name, kind, (extract(epoch from received_at) * 1000000)::bigint"
            " from gatehouse.records r join gatehouse.controllers c using (controller_id)"
            f" where kind in ({LOST}, {RESTORED}) order by position"):
        found[name].append((int(kind), int(time_us)))
    return found


def kinds(reported):
    return [kind for kind, _ in reported]


def changes(desk, name):
    """(raised or cleared) of each change that a record made, as the console saw it, of this
    controller; that several at a site join a group is none."""
    return ["cleared" if alarm.cleared_time_us else "raised" for alarm in desk.alarms
            if alarm.kind == LOST_KIND and alarm.controller == name and
            alarm.verb == pb.VERB_UNSPECIFIED]


# ---- Lost once, restored once -------------------------------------------------------


def test_half_open_connections_are_lost_once_and_restored_once(world, net):
    count = len(world.estate.controllers)
    with Console(at(net.steady, world.desks / "desk-north")) as desk:
        desk.hello()
        desk.subscribe()
        desk.wait_snapshot()
        sim = world.sim("--connect", f"{net.shaky}:{world.port}", "--rate", 200,
                        "--duration", 3600, "--drain")
        world.wait_status("all are there", lambda s: (
            s["fleet"]["online"] == count and s["fleet"]["records_total"] > 100))
        open_files = descriptors(world.daemon.pid)
        net.cut()
        world.wait_status("all are lost", lambda s: s["fleet"]["lost"] == count)
        assert world.status()["connections"]["controllers"] == 0
        assert fleet(world)["online"] == 0
        wait_another_lease(world)
        net.join()
        world.wait_status("all are back", lambda s: (
            s["fleet"]["lost"] == 0 and s["fleet"]["online"] == count))
        wait_another_lease(world)
        assert descriptors(world.daemon.pid) <= open_files + 1, "sockets of the dead were kept"
        found = observations(world)
        assert {name: kinds(seen) for name, seen in found.items()} == {
            name: [LOST, RESTORED] for name in world.estate.controllers}
        norths = [name for i, name in enumerate(world.estate.controllers)
                  if world.estate.district(i) == "north-district"]
        desk.wait_alarm(lambda _: all(len(changes(desk, name)) == 2 for name in norths))
        assert [changes(desk, name) for name in norths] == [["raised", "cleared"]] * len(norths)
    sim.signal(signal.SIGTERM)
    assert sim.wait() == 0, sim.log_tail()
    result = world.verify()
    assert result.returncode == 0, result.stdout


# ---- A reconnect that races with the lease ----------------------------------------------


def race(world, net, names, chance):
    """Every controller becomes silent, and comes back around the end of its lease.

    Returns when each one was welcomed again, and all times at which it was heard then:
    (sent, answered).
    """
    old, back, welcomed, heard_us = [], {}, {}, {name: [] for name in names}
    for name in names:
        old.append(Controller(at(net.shaky, world.fleet / name)))
        old[-1].hello(epoch=1)
        old[-1].send_record("KIND_DOOR_OPENED", door=1)
        old[-1].wait_ack()
    heard = time.monotonic()
    net.cut()
    # a third of them in good time, the others in the half second around the end
    plan = [(chance.uniform(0.5, 1) if i % 3 == 0 else LEASE_S + chance.uniform(-0.25, 0.75), i)
            for i in range(len(names))]
    for delay_s, i in sorted([*plan, *((beat, None) for beat in (1.5, 2.5, 3.5, 4.5))]):
        time.sleep(max(0, heard + delay_s - time.monotonic()))  # the race itself, not a wait
        for name, controller in back.items():
            sent_us = now_us()
            controller.heartbeat()
            heard_us[name].append((sent_us, now_us()))
        if i is None:
            continue
        controller = Controller(at(net.steady, world.fleet / names[i]))
        sent_us = now_us()
        resumed = controller.hello(epoch=1, acked_seq=old[i].acked).resume_after
        welcomed[names[i]] = now_us()
        assert resumed == old[i].acked, "what was acknowledged is known to the next session"
        controller.next_seq = resumed + 1
        controller.send_record("KIND_DOOR_CLOSED", door=1)
        controller.wait_ack()
        heard_us[names[i]].append((sent_us, now_us()))
        back[names[i]] = controller
    for connection in [*back.values(), *old]:
        connection.close()
    net.join()
    return welcomed, heard_us


def assert_no_false_pair(reported, begin_us, welcomed_us, heard_us):
    """Lost before the newer session was let in, and restored by it, or neither.

    It may be lost once more where we, and not the daemon, were too late: then nothing
    was heard of it for as long as its lease.
    """
    for kind, when in reported:
        if kind == LOST and when >= max(begin_us, welcomed_us + 1):
            fresh = [sent for sent, answered in heard_us
                     if sent > when - LEASE_S * 1000000 and answered < when]
            assert not fresh, "lost, although the next session was there"


@pytest.mark.parametrize("rounds", [3, pytest.param(100, marks=pytest.mark.torture)])
def test_a_reconnect_that_races_with_the_lease_gives_no_false_pair(world, net, rounds):
    names = world.estate.controllers
    chance = random.Random(7)
    for _ in range(rounds):
        begin_us = now_us()
        welcomed, heard_us = race(world, net, names, chance)
        for name, reported in observations(world).items():
            assert_no_false_pair(reported, begin_us, welcomed[name], heard_us[name])
    # all silent now: each is lost once more, and that is the last word
    world.wait_status("all are lost", lambda s: s["fleet"]["lost"] == len(names))
    lost = 0
    for name, reported in observations(world).items():
        pairs = len(reported) // 2
        assert kinds(reported) == [LOST, RESTORED] * pairs + [LOST], name
        lost += pairs
    print(f"{rounds * len(names)} races, of which {lost} were lost by the controller")
    rows = world.value("select count(*) from gatehouse.records where epoch = 1")
    assert rows == 2 * rounds * len(names), "acknowledged on both sides of the cut"
