# SPDX-License-Identifier: Apache-2.0
"""A journal full of records: how soon a daemon is there, and how fast it is stored."""

import re
import time

from bench.figures import Row, at_least, ratios
from bench.programs import fill_journal
from bench.rig import POLL_S, say
from harness.world import Failed

NOWHERE = "'host=/nonexistent dbname=nothing'"  # a PostgreSQL that is away
CONTROLLERS = 100
DRAIN_TARGET, START_TARGET_S = 0.85, 3


def _controllers(world):
    return world.sql("select controller_id, site_id, door_id from gatehouse.doors "
                     "join gatehouse.controllers using (controller_id, site_id)")


def _said(world):
    """What the daemon said last of its start: seconds, and entries that it replayed."""
    log = world.daemon.log.read_text()
    return (int(re.findall(r"ready .*took_ms=(\d+)", log)[-1]) / 1000,
            int(re.findall(r"replayed entries=(\d+)", log)[-1]))


def start(rig):
    """With PostgreSQL away, so that nothing else goes on; the register is its snapshot."""
    records = rig.plan.start_records
    say(f"starts with {records:,} records in the journal")
    world = rig.make_world("start", CONTROLLERS, settings={"desk.checkpoint_s": 1})
    world.start()
    world.stop()
    fill_journal(rig.build, world.home / "journal", records, 1, _controllers(world))
    world.configure({"postgresql.conninfo": NOWHERE})
    try:
        world.start(wait_for_store=False)
        whole_s, whole = _said(world)
        world.wait_status("a checkpoint behind all records", lambda s: (
            "checkpoint" in {f.name for f in (world.home / "state").iterdir()}))
        time.sleep(3)  # three checkpoints' time: the next start may count on one
        world.kill()
        world.start(wait_for_store=False)
        seconds, read = _said(world)
        yield Row(f"start with {records:,} records in the journal, killed", "s", [seconds],
                  START_TARGET_S, note=f"{read:,} of them read: the others are in the checkpoint")
        yield Row("  the same without a checkpoint: all of it is read", "s", [whole_s],
                  START_TARGET_S, note=f"{whole:,} read")
    finally:
        world.end()


# ---- Draining -----------------------------------------------------------------------------

def _drained_per_s(rig, world, records):
    """From the first commit that is seen to the last."""
    first = None
    while True:
        stored = rig.status(world)["store"]["records_total"]
        now = time.monotonic()
        if stored >= records:
            return (stored - first[1]) / (now - first[0])
        if first is None and stored > 0:
            first = (now, stored)
        if world.daemon.exit_code is not None:
            raise Failed(f"the daemon ended\n{world.daemon.log_tail()}")
        time.sleep(POLL_S / 4)


def drain(rig):
    """The store alone: nobody is connected, and the journal is full."""
    records, path = rig.plan.drain, rig.folder / "rows.copy"
    world = rig.make_world("drain", CONTROLLERS)
    world.start()
    world.stop()
    ours, floor = [], []
    for number in range(rig.plan.rounds):
        say(f"draining {records:,} records, run {number + 1}")
        rig.empty(world)
        rig.checkpoint()
        fill_journal(rig.build, world.home / "journal", records, number + 1, _controllers(world))
        world.start(wait_for_store=False)
        ours.append(_drained_per_s(rig, world, records))
        rig.wait_stored(world)
        if world.value("select count(*) from gatehouse.records") != records:
            raise Failed("the table does not hold what the journal held")
        rig.save_rows(path, world)
        world.stop()
        floor.append(rig.copy_floor(path)[1])
        path.unlink()
    world.end()
    yield Row("draining a full journal / raw COPY of the same rows", "x", ratios(ours, floor),
              DRAIN_TARGET, at_least)
    yield Row("  the store", "records/s", ours)
    yield Row("  floor of COPY", "records/s", floor)
