# SPDX-License-Identifier: Apache-2.0
"""What a record costs: beside the floors, over the day's table, in allocations."""

import mmap
import struct
import time

from bench import spent
from bench.figures import Row, at_least, ratios
from bench.programs import sync_floor
from bench.rig import say
from harness.world import wait_until

US = 1e6
WINDOW_NAMES = {64: "window 64, backlog", 8: "window 8", 1: "window 1, live"}
BACKLOG_SPACING_US = 1000000  # a busy door, while the line was down
RATIO_TARGET = 1.25
SUSTAINED_TARGET = 80000
SYNCS_MAX = 500  # of the floor of sync, in one run


class Run:
    """One load against the daemon, from the first record until all are stored."""

    def __init__(self, rig, load, each, window, keep_table=False):
        if not keep_table:
            rig.empty()
        load.say(f"spacing {BACKLOG_SPACING_US if window == 64 else 0}")
        rig.checkpoint()
        was = rig.status()
        loads = spent.cpu_s(load.pid)
        daemon, postgres, begun = rig.daemon_s(), rig.postgres_s(), time.monotonic()
        threads = spent.threads_cpu_s(rig.world.daemon.pid)
        self.records = load.say(f"send {each} {window} 0")["acked"]
        self.load_us = (spent.cpu_s(load.pid) - loads) / self.records * US
        rig.wait_stored()
        self.stored_s = time.monotonic() - begun
        rig.checkpoint()
        self.daemon_us = (rig.daemon_s() - daemon) / self.records * US
        self.postgres_us = (rig.postgres_s() - postgres) / self.records * US
        after = spent.threads_cpu_s(rig.world.daemon.pid)
        self.threads_us = {name: seconds / self.records * US
                           for name, seconds in spent.by_name(threads, after).items()}
        self._look_at_journal(was, rig.status())
        if not keep_table:
            rig.check_stored(load, each)

    def _look_at_journal(self, was, now):
        journals = [(s["journal"]["syncs_total"], s["journal"]["sync_us_mean"],
                     s["positions"]["appended"]) for s in (was, now)]
        (syncs, us, position), (syncs_now, us_now, position_now) = journals
        self.syncs = syncs_now - syncs
        self.sync_us = (syncs_now * us_now - syncs * us) / self.syncs
        self.group_bytes = round((position_now - position) / self.syncs)

    @property
    def us(self):
        return self.daemon_us + self.postgres_us


def tls_floor_us(floor, load, each, window):
    load.say(f"spacing {BACKLOG_SPACING_US if window == 64 else 0}")
    before = spent.cpu_s(floor.pid)
    records = load.say(f"send {each} {window} 0")["acked"]
    return (spent.cpu_s(floor.pid) - before) / records * US


def _side_by_side(rig, window, ours, floor):
    """Round by round: the daemon, the floor of TLS, and COPY of the rows that came of it."""
    each, path = rig.plan.each[window], rig.folder / "rows.copy"
    runs, tls, copy, sync = [], [], [], []
    for number in range(rig.plan.rounds):
        say(f"window {window}, run {number + 1}: {each * ours.controllers:,} records")
        runs.append(Run(rig, ours, each, window))
        sync.append(_sync_floor_us(rig, runs[-1]))
        tls.append(tls_floor_us(*floor, each, window))
        rig.save_rows(path)
        copy.append(rig.copy_floor(path)[0] * US)
        path.unlink()
    return runs, tls, copy, sync


def _window_rows(window, runs, tls, copy, sync):
    name = WINDOW_NAMES[window]
    floors = [a + b for a, b in zip(tls, copy)]
    yield Row(f"{name}: CPU / (TLS + COPY floor)", "x", ratios([r.us for r in runs], floors),
              RATIO_TARGET)
    yield Row("  gatehoused", "us", [r.daemon_us for r in runs])
    for thread in sorted(runs[0].threads_us):
        spent_us = [r.threads_us.get(thread, 0) for r in runs]
        if thread != "gatehoused" and max(spent_us) >= 0.1:
            yield Row(f"    of that, thread {thread}", "us", spent_us)
    yield Row("  its PostgreSQL", "us", [r.postgres_us for r in runs])
    yield Row("  the load itself, in none of the sums", "us", [r.load_us for r in runs])
    yield Row("  floor of TLS", "us", tls)
    yield Row("  floor of COPY", "us", copy)
    yield Row("  a sync of the journal / append and fdatasync of as much", "x",
              ratios([r.sync_us for r in runs], sync),
              note=f"{runs[-1].sync_us:.0f} us, {sync[-1]:.0f} us, groups of "
                   f"{runs[-1].group_bytes:,} bytes")


def _sync_floor_us(rig, run):
    """The same bytes in the same groups, without a daemon around them."""
    done = sync_floor(rig.build, rig.folder, run.group_bytes, min(run.syncs, SYNCS_MAX))
    return done["seconds"] / done["groups"] * US


def windows(rig):
    """Each window beside the floors; and the rate that the whole machine sustains."""
    fleet = rig.plan.fleet
    ours = rig.load(fleet)
    ours.say("connect 100")
    server = rig.tls_floor()
    theirs = rig.load(fleet, port=server.port)
    theirs.say("connect 100")
    for window in rig.plan.each:
        measured = _side_by_side(rig, window, ours, (server, theirs))
        runs = measured[0]
        yield from _window_rows(window, *measured)
        if window == 64:
            yield Row(f"records/s acknowledged and stored, {fleet:,} connections, window 64",
                      "records/s", [r.records / r.stored_s for r in runs], SUSTAINED_TARGET,
                      at_least, "daemon, PostgreSQL and load together")
    for thing in (ours, theirs, server):
        thing.end()


# ---- A hundred times as many rows --------------------------------------------------------

ROWS_RUNS = 3  # for each round
ROWS_SQL = """
insert into gatehouse.records (device_time, received_at, epoch, seq, position, site_id,
                               controller_id, flags, kind, node_id)
select date_trunc('day', now()) + (now() - date_trunc('day', now())) * (n::float8 / {count}),
       now(), 1000000, {first} + n, {first} + n, 1, n % 1000, 0, 100, 1
from generate_series(1, {count}) n"""


def table_growth(rig):
    """All in the partition of today: the one that is written to.

    Live records: one backlog after the other over the same seconds would fill them with
    what no day has, and each checkpoint's first look at a page would be most of the cost.
    """
    plan, load = rig.plan, rig.load(rig.plan.fleet)
    load.say("connect 100")
    each = plan.rows_before // plan.fleet
    small, large = [], []
    # short runs, so that the small table stays small: more of them, and the first is for none
    for _ in range(ROWS_RUNS * plan.rounds + 1):
        rig.empty()
        rig.world.sql(ROWS_SQL.format(count=plan.rows_before, first=0))
        small.append(Run(rig, load, each, 8, keep_table=True).us)
    say(f"{plan.rows_before * 100:,} rows into the table")
    rig.empty()
    rig.world.sql(ROWS_SQL.format(count=plan.rows_before * 100, first=0))
    for _ in range(ROWS_RUNS * plan.rounds + 1):
        large.append(Run(rig, load, each, 8, keep_table=True).us)
    rig.empty()
    load.end()
    yield Row(f"cost of a record with {plan.rows_before * 100:,} rows there / with "
              f"{plan.rows_before:,}", "x", ratios(large[1:], small[1:]), 1.1)


# ---- Allocations ---------------------------------------------------------------------------

THREADS = 64  # MALLOC_THREADS of malloc_count.c
ON_THE_WAY = ("worker", "journal")
WARM_RUNS = 3
# What may be left are buffers that grow to the largest burst so far.
ALLOCATIONS_TARGET = 0


class Allocations:
    """What malloc_count.c counts, thread by thread."""

    def __init__(self, rig):
        path = rig.folder / "allocations"
        path.write_bytes(bytes(16 * THREADS))
        self._file = open(path, "r+b")
        self._shared = mmap.mmap(self._file.fileno(), 0)
        self.prefix = ("env", f"LD_PRELOAD={rig.build / 'bench/malloc_count.so'}",
                       f"MALLOC_COUNT={path}")

    def look(self, pid):
        """{thread id: (name, allocations)} of the threads that live."""
        names = spent.threads_cpu_s(pid)
        counts = dict(struct.iter_unpack("<QQ", self._shared[:]))
        return {thread: (names[thread][0], counts.get(thread, 0)) for thread in names}

    def end(self):
        self._shared.close()
        self._file.close()


def allocations(rig):
    """On the way from the socket to the journal: by its threads, once all are warm."""
    counted = Allocations(rig)
    rig.restart(prefix=counted.prefix)
    pid = rig.world.daemon.pid
    wait_until("the counter counts", lambda: any(n for _, n in counted.look(pid).values()))
    load = rig.load(rig.plan.fleet)
    load.say("connect 100")
    for window, each in rig.plan.each.items():
        for _ in range(WARM_RUNS):
            load.say(f"send {each} {window} 0")
            rig.wait_stored()
        before = counted.look(pid)
        records = load.say(f"send {each} {window} 0")["acked"]
        rig.wait_stored()
        made = spent.by_name(before, counted.look(pid))
        on_the_way = sum(n for name, n in made.items() if name in ON_THE_WAY)
        elsewhere = ", ".join(f"{name} {n / records:.4f}" for name, n in sorted(made.items())
                              if name not in ON_THE_WAY and n)
        yield Row(f"allocations per record, socket to journal, window {window}", "",
                  [on_the_way / records], ALLOCATIONS_TARGET,
                  note=f"elsewhere: {elsewhere}" if elsewhere else "")
    load.end()
    counted.end()
    rig.empty()
    rig.restart()


# ---- With the ledger --------------------------------------------------------------------------

def sustained(rig, rate=20000):
    """The simulator with its ledger: durable before the ack, stored, and compared."""
    seconds, offered = rig.plan.sustained_s, rate * 21 // 20
    say(f"{offered:,} records/s from 1,000 controllers for {seconds} s, with the ledger")
    world = rig.make_world("sustained", 1000)
    world.start()
    try:
        # more is offered, so that connecting and draining at the ends is no excuse
        summary = world.sim_to_end("--rate", offered, "--duration", seconds, "--drain")
        acked = summary["records"]["acked"]
        lag = acked - rig.status(world)["store"]["records_total"]
        rig.wait_stored(world)
        figures = world.assert_ledger_holds()
    finally:
        world.end()
    yield Row("records/s acknowledged, 1,000 simulated controllers", "records/s",
              [acked / summary["duration_s"]], rate, at_least)
    yield Row("  of them not stored yet at the end", "records", [lag], rate * 2)
    yield Row("  lost or double, by the ledger", "records",
              [figures["lost"] + figures["duplicate"]], 0)
