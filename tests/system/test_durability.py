# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged is there, whatever died in between.

Each test ends in the ledger: what the fleet saw acknowledged, against PostgreSQL.
"""

import os
import random
import signal
import subprocess

import pytest
from harness.world import wait_until


def load(world, drain=True):
    """A fleet that sends until it is told to end, and sees then to what is left."""
    return world.sim("--rate", 4000, "--alarms", 5, "--duration", 3600, "--console-dir",
                     world.desks, *["--drain"] * drain)


def taken(world):
    return world.status()["fleet"]["records_total"]


def end_load(world, sim):
    sim.signal(signal.SIGTERM)
    assert sim.wait() == 0, sim.log_tail()


def assert_ledger_holds(world, *options):
    result = world.verify(*options)
    assert result.returncode == 0, result.stdout
    return result.figures


def test_nothing_is_lost_by_kill_9_under_load(world):
    chance = random.Random(5)
    sim = load(world)
    for _ in range(5):
        enough = chance.randrange(500, 8000)
        wait_until(f"{enough} records", lambda: taken(world) > enough)
        assert sim.exit_code is None, sim.log_tail()
        world.kill()
        world.start(wait_for_store=False)
    wait_until("records after the last start", lambda: taken(world) > 0)
    end_load(world, sim)
    assert_ledger_holds(world)


def test_a_clean_stop_under_load_stores_all_and_exits_0(world):
    sim = load(world, drain=False)
    wait_until("records", lambda: taken(world) > 2000)
    assert world.stop() == 0, world.daemon.log_tail()
    end_load(world, sim)
    # without the daemon: all that was acknowledged stands in PostgreSQL already;
    # what a console has not seen yet, it would see after the next start
    assert_ledger_holds(world, "--expect-alarms", "none")


def test_starts_without_postgresql_and_catches_up(make_world, postgres):
    world = make_world()
    world.start()
    assert world.stop() == 0
    postgres.stop()
    try:
        world.start(wait_for_store=False)
        world.sim_to_end("--backlog", 500)
        status = world.status()
    finally:
        postgres.start()
    assert status["store"]["state"] in ("down", "connecting")
    assert status["register"]["source"] == "snapshot"
    assert status["positions"]["durable"] > status["positions"]["stored"]
    assert world.wait_stored()["store"]["state"] == "running"
    assert_ledger_holds(world)


def test_takes_records_while_postgresql_is_gone(world, postgres):
    sim = load(world)
    wait_until("records", lambda: taken(world) > 1000)
    postgres.kill()
    try:
        world.wait_status("the store says that PostgreSQL is gone",
                          lambda s: s["store"]["state"] != "running")
        before = taken(world)
        wait_until("acknowledged without PostgreSQL", lambda: taken(world) > before + 5000)
    finally:
        postgres.start()
    end_load(world, sim)
    world.wait_stored()
    assert_ledger_holds(world)


def stop_idle_backend(world):
    """Stops the store's own backend between two transactions: in the middle of one it could
    have a lock in its hand, and everybody would hang, not it alone."""
    def backend():
        return world.sql("select pid, state from pg_stat_activity"
                         " where datname = current_database() and wait_event = 'ClientRead'"
                         " and application_name like 'gatehoused%'")

    def stop():
        # it can't be given work meanwhile
        world.daemon.signal(signal.SIGSTOP)
        try:
            (pid, state), = wait_until("the backend waits for the daemon", backend)
            if state == "idle":
                os.kill(int(pid), signal.SIGSTOP)
                return int(pid)
        finally:
            world.daemon.signal(signal.SIGCONT)
        return None
    return wait_until("the backend is idle", stop)


def test_a_postgresql_that_hangs_is_left_and_found_again(make_world):
    world = make_world()
    world.configure({"postgresql.statement_timeout_s": 2})
    world.start()
    sim = load(world)
    wait_until("records", lambda: taken(world) > 1000)
    backend = stop_idle_backend(world)
    try:
        before = taken(world)
        wait_until("acknowledged meanwhile", lambda: taken(world) > before + 5000)
        durable = world.status()["positions"]["durable"]
        world.wait_status("stores again, by another connection",
                          lambda s: s["positions"]["stored"] > durable)
    finally:
        os.kill(backend, signal.SIGCONT)
    end_load(world, sim)
    world.wait_stored()
    assert_ledger_holds(world)


def test_a_disk_that_fails_to_sync_ends_it_before_the_ack(make_world):
    if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False).returncode != 0:
        pytest.skip("strace may not trace here")
    world = make_world()
    trace = world.folder / "strace.log"
    # counted for each thread: a spare segment takes up to 256 of its maker's
    world.start(prefix=["strace", "-f", "-o", trace, "-e", "trace=fdatasync",
                        "-e", "inject=fdatasync:error=EIO:when=600"])
    sim = load(world)
    assert world.daemon.wait() == 1, world.daemon.log_tail()
    log = world.daemon.log.read_text()
    assert "could not sync" in log or "could not fsync" in log or "fdatasync" in log, log[-2000:]
    assert_no_sync_after_failure(trace.read_text())
    world.start()
    wait_until("records after the restart", lambda: taken(world) > 0)
    end_load(world, sim)
    assert_ledger_holds(world)


def assert_no_sync_after_failure(trace):
    """No file is synced again once a sync of it failed."""
    lines = [line for line in trace.splitlines() if "fdatasync(" in line]
    failed = [i for i, line in enumerate(lines) if "EIO" in line]
    assert failed, "the fault was not injected"
    call = lines[failed[0]].split("fdatasync(")[1].split(")")[0].split()[0]
    assert not [line for line in lines[failed[0] + 1:] if f"fdatasync({call}" in line]
