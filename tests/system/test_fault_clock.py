# SPDX-License-Identifier: Apache-2.0
"""Wall clocks that step, on either side, while records and alarms flow.

The daemon's waiting is by the monotonic clock: a step moves no timer, ends no
lease, and holds up no batch.  What is guarded: that clock_mono_ms() and not the
wall clock is behind leases, timers and batches.  Seen to fail with the wall clock there.
"""

import datetime
import signal

import pytest
from harness import clock, tokens
from harness.process import CpuShare
from harness.world import wait_until
from stranger.client import Controller
from stranger.wire import Enrolment, now_us

HOUR_S, DAY_S = 3600, 86400
CLOCK_OFF = 2     # in records.flags: the device's clock is ahead of the server's
MARGIN_S = 30     # between sending and receipt, on a machine that has much to do
UTC = datetime.timezone.utc


@pytest.fixture
def make_clock(tmp_path):
    reason = clock.why_not()
    if reason:
        pytest.skip(reason)

    def make(name):
        folder = tmp_path / name
        folder.mkdir()
        return clock.FakeClock(folder)
    return make


def load(world, *args, **names):
    return world.sim("--rate", 300, "--alarms", 10, "--duration", 3600, "--drain",
                     "--console-dir", world.desks, *args, **names)


def stored(world):
    return world.status()["store"]["records_total"]


def assert_goes_on(world):
    """Records are stored, nothing spins, and nobody was sent away."""
    cpu = CpuShare(world.daemon.pid)
    before = world.status()
    world.wait_status("1,000 records more are stored", lambda s: (
        s["store"]["records_total"] >= before["store"]["records_total"] + 1000))
    # some 3 s at 300 records a second take a tenth of a core; a timer that
    # fires without end takes all of one
    assert cpu.share() < 0.7, f"used {cpu.share():.0%} of a core for {cpu.seconds():.1f} s"
    status = world.status()
    for name in ("lost", "gaps_total", "rejected_total"):
        assert status["fleet"][name] == 0
    assert status["fleet"]["online"] == len(world.estate.controllers)
    assert not status["connections"]["closed"], "a step is no reason to close anything"


def end(world, sim):
    sim.signal(signal.SIGTERM)
    assert sim.wait() == 0, sim.log_tail()
    result = world.verify()
    assert result.returncode == 0, result.stdout
    assert result.figures["alarms"]["missing"] == 0
    return result.figures


def test_steps_of_the_servers_clock(make_world, make_clock):
    server = make_clock("server")
    world = make_world()
    world.start(prefix=server.prefix)
    sim = load(world)
    wait_until("records are stored", lambda: stored(world) > 100)
    offsets = [0]
    for step in (HOUR_S, -HOUR_S, -DAY_S, 2 * DAY_S):
        server.step(step)
        offsets.append(server.offset_s)
        assert_goes_on(world)
    figures = end(world, sim)
    # each row carries both clocks; a device that is ahead is flagged, one that is
    # behind is like one that had to wait
    counts = [world.value(
        "select count(*) from gatehouse.records where epoch > 0"
        f" and abs(extract(epoch from received_at - device_time) - {offset}) < {MARGIN_S}"
        f" and flags & {CLOCK_OFF} = {CLOCK_OFF if offset < 0 else 0}")
        for offset in sorted(set(offsets))]
    assert all(count > 0 for count in counts), counts
    assert sum(counts) == figures["stored"]


def test_steps_of_the_controllers_clocks(make_world, make_clock):
    devices = make_clock("devices")
    world = make_world()
    world.start()
    sim = load(world, prefix=devices.prefix)
    wait_until("records are stored", lambda: stored(world) > 100)
    for step in (HOUR_S, -HOUR_S, -DAY_S, 2 * DAY_S):
        devices.step(step)
        assert_goes_on(world)
    devices.step_to(datetime.datetime(2038, 1, 19, 3, 14, 0, tzinfo=UTC))
    assert_goes_on(world)
    devices.step_to(datetime.datetime(2028, 2, 29, 12, 0, 0, tzinfo=UTC))
    assert_goes_on(world)
    end(world, sim)
    assert [row[0] for row in world.sql(
        "select distinct to_char(device_time at time zone 'UTC', 'YYYY-MM-DD')"
        " from gatehouse.records where device_time > now() + interval '30 days' order by 1")] == [
            "2028-02-29", "2038-01-19"]


def cross(make_world, make_clock, boundary):
    """All clocks pass the boundary under load; also the certificates were made just before."""
    everybody = make_clock("everybody")
    everybody.step_to(boundary - datetime.timedelta(hours=1))
    world = make_world(prefix=everybody.prefix)
    world.start()
    sim = load(world)
    # these are on this side, also where the next two seconds pass unused
    wait_until("records are stored", lambda: stored(world) > 400)
    everybody.step_to(boundary - datetime.timedelta(seconds=2))
    assert_goes_on(world)
    wait_until("the boundary is behind us", lambda: everybody.now() > boundary.timestamp() + 1)
    assert_goes_on(world)
    # a new connection and a new start, on the other side
    end(world, sim)
    assert world.stop() == 0
    world.start()
    world.sim_to_end("--backlog", 50, "--drain")
    assert world.verify().returncode == 0
    for side in ("<", ">="):
        assert world.value(f"select count(*) from gatehouse.records where received_at {side}"
                           f" '{boundary.isoformat()}'") > 300
    return world


def test_the_end_of_32_bits_of_seconds(make_world, make_clock):
    cross(make_world, make_clock, datetime.datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC))


@pytest.mark.parametrize("month, day", [(2, 29), (3, 1)])
def test_a_leap_day_begins_and_ends(make_world, make_clock, month, day):
    world = cross(make_world, make_clock, datetime.datetime(2028, month, day, tzinfo=UTC))
    assert world.value("select count(*) from gatehouse.records where kind < 700 and"
                       " (device_time at time zone 'UTC')::date = '2028-02-29'") > 300


def test_the_month_of_a_token_is_that_of_the_servers_clock(make_world, make_clock):
    server = make_clock("server")
    world = make_world()
    world.start(prefix=server.prefix)
    name, card, expected = world.estate.controllers[0], b"a card", []
    with Controller(Enrolment.load(world.fleet / name)) as controller:
        controller.hello(epoch=1)
        for step_s in (0, 40 * DAY_S, -80 * DAY_S):
            server.step(step_s)
            device_us = now_us()
            controller.send_record("KIND_ACCESS_GRANTED", door=1, card=card, time_us=device_us)
            controller.wait_ack()
            month = datetime.datetime.fromtimestamp(server.now(), UTC).strftime("%Y-%m")
            token = tokens.card_token(world.home / "keys", 1, month, card).hex()
            expected.append([str(device_us), token])
    world.wait_stored()
    assert len({token for _, token in expected}) == 3
    assert world.sql("select (extract(epoch from device_time) * 1000000)::bigint,"
                     " encode(card_token, 'hex') from gatehouse.records where kind = 100"
                     " order by seq") == expected
