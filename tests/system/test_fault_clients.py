# SPDX-License-Identifier: Apache-2.0
"""What clients do to a server without meaning harm, and rows that PostgreSQL refuses.

Each test ends in a comparison of what was acknowledged with what PostgreSQL holds.
Seen to fail: three times, without the look at the sequence (src/fleet/intake.c); lost
counters, where the roster gave the old epoch again; bad rows, without the row of
quarantine, where the batch was not cut at the bad row (src/store/slow.c), and where
the checks were not asked (src/store/sieve.c); the console, where it was not closed
for stalling, or not resumed from its place.
"""

import json

import pytest
from harness.process import rss_bytes
from harness.world import wait_until
from stranger.client import Console, Controller
from stranger.wire import Enrolment, pb

KIND = "KIND_DOOR_OPENED"
MIB = 1024 * 1024


def assert_ledger_holds(world, *args, **names):
    result = world.verify(*args, **names)
    assert result.returncode == 0, result.stdout
    return result.figures


# ---- The same again -------------------------------------------------------------


def send_all(controller, records):
    """Every record, whatever was acknowledged before, until the last is acknowledged again."""
    controller.acked = 0
    for record in records:
        controller.send(pb.FromController(record=record))
    controller.wait_ack(records[-1].seq)


def rows(world, name):
    world.wait_stored()
    return [(int(epoch), int(seq)) for epoch, seq in world.sql(
        "select epoch, seq from gatehouse.records r"
        " join gatehouse.controllers c using (controller_id)"
        f" where c.name = '{name}' and epoch > 0 order by position")]


def test_the_same_records_three_times_are_stored_once(world):
    name = world.estate.controllers[0]
    with Controller(Enrolment.load(world.fleet / name)) as first:
        first.hello(epoch=1)
        records = [first.record(KIND, door=1) for _ in range(200)]
        expected = [(1, record.seq) for record in records]
        send_all(first, records)
        # over a second connection, which takes over from the first
        with Controller(first.enrolment) as second:
            second.hello(epoch=1, acked_seq=0)
            send_all(second, records)
            # also not into the journal; what was before is acknowledged at once, so
            # the connection stays until all were looked at
            world.wait_status("each was known", lambda s: (
                s["fleet"]["duplicates_total"] == len(records)))
    world.kill()
    world.start()
    with Controller(first.enrolment) as third:
        third.hello(epoch=1, acked_seq=0)
        send_all(third, records)
    assert rows(world, name) == expected
    # the store reads all of its journal again: rows that it wrote already
    world.stop()
    world.sql("update gatehouse.cursors set position = 0")
    world.start()
    assert rows(world, name) == expected
    assert world.value("select count(*) from gatehouse.quarantine") == 0, "a double is no bad row"


def test_a_controller_that_lost_its_counter_loses_and_doubles_nothing(world):
    name = world.estate.controllers[0]
    expected = []
    for life in range(3):
        with Controller(Enrolment.load(world.fleet / name)) as controller:
            epoch = controller.hello(epoch=0).epoch
            records = [controller.record(KIND, door=1) for _ in range(100)]
            send_all(controller, records)
            expected += [(epoch, record.seq) for record in records]
        if life == 1:
            world.kill()
            world.start()
    assert len({epoch for epoch, _ in expected}) == 3
    assert rows(world, name) == expected


def test_a_fleet_that_lost_its_counters_is_stored_in_both_epochs(world):
    """The counters are lost in the middle, with records on their way."""
    load = ["--rate", 2000, "--alarms", 5, "--duration", 2, "--drain"]
    before = world.sim_to_end(*load, ledger="before")
    after = world.sim_to_end(*load, "--epoch", 0, ledger="after")
    for summary, ledger in ((before, "before"), (after, "after")):
        figures = assert_ledger_holds(world, ledger=ledger)
        assert figures["stored"] == summary["records"]["acked"] > 0


# ---- Rows that PostgreSQL refuses -------------------------------------------------


def refuse_by_check(world, every):
    world.sql("alter table gatehouse.records add constraint no_bad_rows"
              f" check (seq % {every} <> 0 or epoch < 0)")


def refuse_by_trigger(world, every):
    world.sql("create function gatehouse.no_bad_rows() returns trigger language plpgsql as"
              f" $$ begin if new.seq % {every} = 0 and new.epoch > 0 then"
              " raise exception 'no_bad_rows' using errcode = 'P0001'; end if;"
              " return new; end $$;"
              " create trigger no_bad_rows before insert on gatehouse.records"
              " for each row execute function gatehouse.no_bad_rows()")


@pytest.mark.parametrize("refuse, every, backlog", [
    (refuse_by_check, 10000, 60000), (refuse_by_check, 100, 20000),
    (refuse_by_trigger, 1000, 5000)])
def test_bad_rows_go_to_quarantine_and_hold_up_nobody(world, refuse, every, backlog):
    """The daemon took them; then something that somebody added to the table refuses them."""
    controllers = len(world.estate.controllers)
    refuse(world, every)
    summary = world.sim_to_end("--backlog", backlog, "--drain")
    # those that come behind bad ones are stored, too, and soon: nothing is held up
    assert summary["records"]["acked"] == backlog * controllers
    status = world.wait_stored()
    bad = backlog // every * controllers
    assert status["store"]["quarantined_total"] == bad
    # what a check refuses is found for a whole batch at once: no row is tried twice
    assert (status["store"]["slow_batches_total"] > 0) == (refuse is refuse_by_trigger)
    figures = assert_ledger_holds(world)
    assert (figures["stored"], figures["quarantined"]) == (backlog * controllers - bad, bad)
    reasons = world.sql("select stage, detail like '%no_bad_rows%', count(*)"
                        " from gatehouse.quarantine group by 1, 2")
    assert reasons == [["postgresql", "t", str(bad)]]


def test_good_rows_are_stored_while_bad_ones_come(world):
    """The store keeps up: again and again PostgreSQL has all but what half a second
    brings, in rows stored and rows in quarantine together."""
    rate = 2000
    refuse_by_check(world, 100)
    sim = world.sim("--rate", rate, "--duration", 3600, "--drain")
    bad = 0
    for _ in range(5):
        seen = world.wait_status("the store has caught up, behind more bad rows", lambda s: (
            s["store"]["quarantined_total"] > bad + 20
            and s["fleet"]["records_total"] - s["store"]["records_total"]
            - s["store"]["quarantined_total"] < rate / 2))
        bad = seen["store"]["quarantined_total"]
    world.end_load(sim)
    assert_ledger_holds(world)


# ---- All at once --------------------------------------------------------------------


def herd(make_world, controllers):
    """The daemon is restarted while all of them have records waiting, and alarms happen."""
    world = make_world(controllers=controllers)
    # three consoles, and some to spare: nobody may count twice
    world.configure({"node.connections_max": controllers + 50})
    world.start()
    first = world.sim_to_end("--rate", 0, "--backlog", 1, "--settle", 300, "--handshakes", 1000,
                             timeout=600)
    assert first["records"]["acked"] == controllers
    assert world.stop() == 0
    world.start()
    summary = world.sim_to_end("--backlog", 100, "--alarms", 20, "--duration", 5,
                               "--settle", 0, "--handshakes", 20000, "--drain=300",
                               "--console-dir", world.desks, timeout=900)
    assert summary["records"]["acked"] >= 100 * controllers
    figures = assert_ledger_holds(world)
    assert figures["controllers"] == controllers
    assert figures["alarms"]["missing"] == 0 < figures["alarms"]["sent"]
    print(json.dumps({"herd": controllers, "latency_ms": figures["alarms"]["latency_ms"]}))
    return summary, figures


def test_1000_controllers_come_back_at_once(make_world):
    herd(make_world, 1000)


@pytest.mark.torture
def test_5000_controllers_come_back_at_once(make_world):
    herd(make_world, 5000)


# ---- A console that stops reading ---------------------------------------------------


@pytest.mark.parametrize("rate, seconds", [
    (3000, 8), pytest.param(1000, 60, marks=pytest.mark.torture)])
def test_a_console_that_stops_reading_costs_nobody_anything(make_world, rate, seconds):
    """At more than the kernel's buffers take: the daemon closes it and keeps its place."""
    world = make_world(controllers=30, stations=("north",), consoles=2)
    deaf_folder = (world.desks / "desk-north-2").rename(world.folder / "deaf")
    # more changes than are made: nobody needs a snapshot to go on
    world.configure({"desk.console_stall_s": 3, "desk.console_queue_kb": 64,
                     "desk.history": 200000})
    world.start()
    # so that there is a position to go on from
    world.sim_to_end("--alarms", 100, "--duration", 1, "--drain")
    with Console(Enrolment.load(deaf_folder), receive_buffer=4096) as deaf:
        deaf.hello()
        deaf.subscribe()
        deaf.wait_snapshot()
        place, rss = deaf.position, rss_bytes(world.daemon.pid)
        summary = world.sim_to_end("--alarms", rate, "--duration", seconds, "--drain",
                                   "--console-dir", world.desks)
        wait_until("it is given up", lambda: "slow" in world.status()["connections"]["closed"])
        figures = assert_ledger_holds(world)
        assert figures["alarms"]["missing"] == 0
        assert summary["alarms"]["resyncs"] <= 1, "the other one kept up"
        grown = rss_bytes(world.daemon.pid) - rss
        assert grown < 64 * MIB, "it costs its queue, and the history its size"
        print(json.dumps({"beside a deaf console": figures["alarms"]["latency_ms"],
                          "grown_mib": grown / MIB}))
        deaf.reconnect()
        world.wait_stored()
        changes = [int(row[0]) for row in world.sql(
            f"select position from gatehouse.alarm_changes where position > {place}"
            " order by position")]
        seen = len(deaf.alarms)
        while deaf.position < changes[-1]:
            deaf.step(deaf.deadline())
        assert [alarm.position for alarm in deaf.alarms[seen:]] == changes
        assert len(deaf.resyncs) == 1, "its place was in the history"
