# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL is stopped, killed, hung and failed over, and has everything in the end.

Guarded here, and each seen to fail with its protection taken away:
- alarms and acks don't wait for PostgreSQL: the follower and the workers read and
  write the journal alone
- rows and cursor are one transaction (src/store/commit.c): with the cursor
  committed before the rows, records are lost when PostgreSQL and the daemon die
  between (of the daemon alone or PostgreSQL alone it recovers)
- a COMMIT whose answer got lost is not believed to have failed: the cursor tells
  (src/store/session.c).  With the session going on from what it remembers, the
  cursor is not where it left it, and nothing is stored any more
- a connection that doesn't answer is left (src/store/link.c): without a time-out
  a PostgreSQL that hung keeps the store for ever
- the journal keeps segments for a window behind the cursor (journal.retain_s): with
  0, commits that the standby never received are gone

The short form is in `make check`; `make torture` runs the long one.
"""

import contextlib
import os
import shutil
import signal

import pytest
from harness.process import rss_bytes
from harness.world import Postgres, make_folder, psql, wait_until
from stranger.client import Console
from stranger.wire import Enrolment

MIB = 1 << 20
RATE, RATE_OF_TORTURE = 2000, 5000
DRAIN_FACTOR = 3
RSS_GROWTH = 64 * MIB


def taken(world):
    return world.status()["fleet"]["records_total"]


def load(world, rate=RATE):
    return world.sim("--rate", rate, "--alarms", 20, "--duration", 36000, "--drain",
                     "--console-dir", world.desks)


def take_more(world, records):
    before = taken(world)
    return wait_until(f"{records} records more are taken",
                      lambda: max(0, taken(world) - before - records), 120 + records // 1000)


# ---- Stopped ------------------------------------------------------------------------


def outage(make_world, postgres, controllers, rate, records):
    """PostgreSQL is away while so many records come, at that rate.

    How fast the backlog drains is told by what came in meanwhile: both are counted by
    the daemon itself, so neither a slow machine nor a late look at it changes the ratio.
    """
    world = make_world(controllers=controllers, consoles=2)
    witness = Enrolment.load((world.desks / "desk-north-2").rename(world.folder / "witness"))
    world.start()
    sim = load(world, rate)
    take_more(world, rate)
    postgres.stop()
    try:
        stopped = world.wait_status("the store says that PostgreSQL is gone",
                                    lambda s: s["store"]["state"] != "running")
        rss = rss_bytes(world.daemon.pid)
        take_more(world, records)
        assert_alarms_flow(witness, 20)
        assert rss_bytes(world.daemon.pid) < rss + RSS_GROWTH
        assert world.status()["store"]["records_total"] == stopped["store"]["records_total"]
    finally:
        postgres.start()

    begun = world.wait_status("the store runs", lambda s: s["store"]["state"] == "running")
    caught_up = world.wait_status("the store has caught up", lambda s: s["lag"]["bytes"] < MIB, 600)
    stored = caught_up["store"]["records_total"] - stopped["store"]["records_total"]
    came = caught_up["fleet"]["records_total"] - begun["fleet"]["records_total"]
    world.end_load(sim)
    world.assert_ledger_holds("--expect-alarms", "all")
    assert stored >= records
    assert stored >= DRAIN_FACTOR * came


def assert_alarms_flow(enrolment, count):
    """A console that comes while PostgreSQL is away sees so many happen."""
    with Console(enrolment) as desk:
        desk.hello()
        desk.subscribe()
        desk.wait_snapshot()
        stood = len(desk.alarms)
        while len(desk.alarms) < stood + count:
            desk.step(desk.deadline())


def test_an_outage_costs_time_only(make_world, postgres):
    outage(make_world, postgres, 100, RATE, 30000)


@pytest.mark.torture
def test_an_outage_costs_time_only_torture(make_world, postgres):
    outage(make_world, postgres, 1000, RATE_OF_TORTURE, RATE_OF_TORTURE * 300)


# ---- Killed in a COPY -----------------------------------------------------------------


def copies(conninfo):
    """How many bytes a COPY into the records has taken so far, and 0 without one."""
    rows = psql(conninfo, "select coalesce(max(bytes_processed), 0) from pg_stat_progress_copy",
                check=False)
    return int(rows[0][0]) if rows else 0


def kill_in_copy(world, postgres, rounds):
    """In each round a backlog gathers, and PostgreSQL is killed while it is stored;
    in every other one the daemon, too, which then knows only what PostgreSQL knows."""
    world.configure({"postgresql.batch_records": 200000, "postgresql.batch_mb": 64,
                     "postgresql.retry_ms": 100})
    world.start()
    sim = load(world, 5000)
    take_more(world, 1000)
    try:
        for number in range(rounds):
            postgres.kill()
            take_more(world, 15000)
            postgres.start()
            wait_until("a COPY has begun", lambda: copies(postgres.conninfo))
            postgres.kill()
            if number % 2 == 0:
                world.kill()
                world.start(wait_for_store=False)
            world.wait_status("the store says that PostgreSQL is gone",
                              lambda s: s["store"]["state"] != "running")
    finally:
        postgres.start()
    world.end_load(sim)
    world.assert_ledger_holds()


def test_nothing_is_lost_by_a_kill_in_a_copy(make_world, postgres):
    kill_in_copy(make_world(controllers=50), postgres, 3)


@pytest.mark.torture
def test_nothing_is_lost_by_a_kill_in_a_copy_torture(make_world, postgres):
    kill_in_copy(make_world(controllers=50), postgres, 50)


# ---- Killed with a COMMIT that nobody answered --------------------------------------------


@contextlib.contextmanager
def unanswered_commits(conninfo):
    """Commits are done and durable, and their answers wait for a standby that is not there."""
    psql(conninfo, "alter system set synchronous_standby_names = 'nobody'")
    psql(conninfo, "select pg_reload_conf()")
    try:
        yield
    finally:
        psql(conninfo, "alter system reset synchronous_standby_names")
        psql(conninfo, "select pg_reload_conf()")


def commit_waits(conninfo):
    return psql(conninfo, "select 1 from pg_stat_activity where wait_event = 'SyncRep'"
                " and query = 'COMMIT' and application_name like 'gatehoused%'", check=False)


@pytest.mark.parametrize("daemon_dies", [False, True])
def test_a_commit_without_an_answer_is_neither_lost_nor_doubled(make_world, postgres, daemon_dies):
    """PostgreSQL is killed between COMMIT and its answer, with or without the daemon."""
    world = make_world(controllers=20)
    world.configure({"postgresql.retry_ms": 100})
    world.start()
    sim = load(world)
    take_more(world, 1000)
    for _ in range(2):
        before = world.value("select position from gatehouse.cursors")
        with unanswered_commits(postgres.conninfo):
            wait_until("a COMMIT waits for its answer", lambda: commit_waits(world.conninfo))
            if daemon_dies:
                world.kill()
            postgres.kill()
            postgres.start()
        # it was done, although nobody was told
        assert world.value("select position from gatehouse.cursors") > before
        if daemon_dies:
            world.start(wait_for_store=False)
        take_more(world, 1000)
    world.end_load(sim)
    world.assert_ledger_holds()


# ---- Hung ---------------------------------------------------------------------------------

STATEMENT_TIMEOUT_S = 2


@contextlib.contextmanager
def hung(postgres):
    pids = postgres.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_a_postgresql_that_hangs_as_a_whole_is_left_and_found_again(make_world, postgres):
    world = make_world()
    world.configure({"postgresql.statement_timeout_s": STATEMENT_TIMEOUT_S,
                     "postgresql.connect_timeout_s": STATEMENT_TIMEOUT_S})
    world.start()
    sim = load(world)
    take_more(world, 1000)
    with hung(postgres):
        world.wait_status("the store has left it", lambda s: s["store"]["state"] != "running")
        take_more(world, 5000)
    durable = world.status()["positions"]["durable"]
    world.wait_status("stores again", lambda s: s["positions"]["stored"] > durable)
    world.end_load(sim)
    world.assert_ledger_holds()


# ---- Failed over ---------------------------------------------------------------------------


class Pair:
    """Two clusters, of which one is the other's standby."""

    def __init__(self, folder):
        self.folder = folder
        self.primary = Postgres(folder / "a")
        self.standby = Postgres(folder / "b", self.primary)
        self.conninfo = (f"host={folder}/a,{folder}/b user=gatehouse dbname=gatehouse"
                         " target_session_attrs=read-write")

    def set(self, cluster, name, value):
        psql(cluster.conninfo, f"alter system set {name} = '{value}'")
        psql(cluster.conninfo, "select pg_reload_conf()")

    def streams(self):
        return psql(self.primary.conninfo, "select count(*) from pg_stat_replication"
                    " where state = 'streaming'") != [["0"]]

    def be_synchronous(self):
        """From now on no commit returns before the standby has it."""
        wait_until("the standby streams", self.streams)
        self.set(self.primary, "synchronous_standby_names", "*")
        wait_until("the standby is synchronous", lambda: psql(
            self.primary.conninfo, "select sync_state from pg_stat_replication") == [["sync"]])

    def let_lag(self):
        """The standby receives nothing more."""
        self.set(self.standby, "primary_conninfo", "")
        wait_until("the standby receives no longer", lambda: not self.streams())

    def fail_over(self):
        """The primary dies, the standby takes its place."""
        self.primary.kill()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary
        self.set(self.primary, "synchronous_standby_names", "")

    def repair(self):
        """The dead one comes back as the standby."""
        self.standby.follow(self.primary)
        wait_until("the standby streams", self.streams)


def rows(cluster):
    return int(psql(cluster.conninfo, "select count(*) from gatehouse.records")[0][0])


@pytest.fixture
def pair():
    folder = make_folder()
    made = Pair(folder)
    yield made
    made.standby.kill()
    made.primary.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def doubled(pair, make_world):
    """A world on two clusters.  Its journal is in small segments that only the window
    keeps, so that they go as soon as they may."""
    world = make_world(controllers=50, conninfo=pair.conninfo)
    world.configure({"journal.segment_mb": 1, "desk.checkpoint_s": 1,
                     "postgresql.retry_ms": 200})
    world.start()
    yield world
    world.end()


def wait_for_another_commit(world):
    durable = world.status()["positions"]["durable"]
    world.wait_status("the new primary has what was durable",
                      lambda s: s["positions"]["stored"] >= durable)


def fail_over_synchronously(world, pair, cycles):
    sim = load(world)
    for cycle in range(cycles):
        if cycle > 0:
            pair.repair()
        pair.be_synchronous()
        take_more(world, 2000)
        pair.fail_over()
        wait_for_another_commit(world)
    world.end_load(sim)
    world.assert_ledger_holds()


def fail_over_and_lose(world, pair, cycles, lost):
    """The standby lacks so many committed rows when it takes over."""
    sim = load(world, 5000)
    for cycle in range(cycles):
        if cycle > 0:
            pair.repair()
        take_more(world, 1000)
        pair.let_lag()
        behind = rows(pair.standby)
        wait_until(f"{lost} rows more at the primary than at the standby",
                   lambda: rows(pair.primary) > behind + lost, 120)
        assert rows(pair.standby) == behind
        pair.fail_over()
        wait_for_another_commit(world)
    world.end_load(sim)
    world.assert_ledger_holds()


def test_fails_over_to_a_synchronous_standby(doubled, pair):
    fail_over_synchronously(doubled, pair, 1)


def test_commits_that_a_standby_never_received_are_stored_again(doubled, pair):
    fail_over_and_lose(doubled, pair, 1, 30000)


@pytest.mark.torture
def test_fails_over_to_a_synchronous_standby_torture(doubled, pair):
    fail_over_synchronously(doubled, pair, 20)


@pytest.mark.torture
def test_commits_that_a_standby_never_received_are_stored_again_torture(doubled, pair):
    fail_over_and_lose(doubled, pair, 20, 30000)
