# SPDX-License-Identifier: Apache-2.0
"""The journal's disk fails, is full, and writes less than asked: nothing is lost by it.

Guarded here, and each seen to fail with its protection taken away:
- a sync that failed is the end, before any ack (src/journal/append.c): with the
  groups given back before the end, what the disk dropped was acknowledged, and the
  journal is found to have lost it; with the error ignored, there is no end
- the reserve (src/journal/keeper.c, src/fleet/intake.c): with intake_must_hold()
  always false, no alarm comes through a full disk
- Resend when there is space again (src/fleet/session.c): without it, what was held
  is not sent again
- a write for which there is no space is repeated, and one that was short is
  continued (src/journal/append.c, src/base/fs.c): with either taken for done, the
  follower finds bytes that are no entry, and the daemon ends

The short form is in `make check`; `make torture` runs the long one.
"""

import os
import shutil

import pytest
from harness.faults import Ballast, Strace, need_strace, small_disk
from harness.world import TOP, run, wait_until

MIB = 1 << 20
LOAD = ("--rate", 2000, "--alarms", 10, "--duration", 36000, "--drain")


def taken(world):
    return world.status()["fleet"]["records_total"]


def load(world, *options):
    return world.sim(*LOAD, *options, "--console-dir", world.desks)


# ---- The disk fails to sync -------------------------------------------------------


def forget_unsynced(calls):
    """Does to the files what the disk did: what a failed sync had to save is gone."""
    unsynced = {}
    for call in calls:
        if call.name == "pwritev" and call.result > 0:
            offset = int(call.args.rpartition(",")[2])
            unsynced.setdefault(call.path, []).append((offset, call.result))
        elif call.name == "fdatasync" and call.result == 0:
            unsynced.pop(call.path, None)
    for path, writes in unsynced.items():
        if path.endswith("/spare.tmp") and not os.path.exists(path):
            continue  # its own sync failed: it was no spare yet, and is unlinked
        with open(path, "r+b") as file:
            for offset, length in writes:
                file.seek(offset)
                file.write(bytes(length))
    return unsynced


def fail_the_sync(world, number):
    """The sync of that number fails, from now on; checks all that must follow."""
    sim = load(world)
    wait_until("records", lambda: taken(world) > 1000)
    strace = Strace(world.daemon.pid, world.folder / f"strace-{number}.log",
                    "trace=fdatasync,pwritev", f"inject=fdatasync:error=EIO:when={number}")
    assert world.daemon.wait() == 1, world.daemon.log_tail()
    strace.detach()
    assert "could not sync" in world.daemon.log_tail(3), world.daemon.log_tail()

    calls = strace.calls()
    syncs = [call for call in calls if call.name == "fdatasync"]
    failed = next(i for i, call in enumerate(syncs) if call.result < 0)
    assert not [call for call in syncs[failed + 1:] if call.path == syncs[failed].path]
    forget_unsynced(calls)

    world.start(wait_for_store=False)
    wait_until("records after the restart", lambda: taken(world) > 0)
    world.end_load(sim)
    world.assert_ledger_holds()


@pytest.mark.parametrize("number", (1, 20))
def test_a_sync_that_fails_is_the_end_before_any_ack(world, number):
    need_strace()
    fail_the_sync(world, number)


@pytest.mark.torture
@pytest.mark.parametrize("number", range(1, 201, 7))
def test_a_sync_that_fails_is_the_end_before_any_ack_torture(world, number):
    need_strace()
    fail_the_sync(world, number)


# ---- The disk is full ---------------------------------------------------------------

KEEP_FREE_MB = 4
SMALL = {
    # what may be under way is less than the reserve of one segment
    "journal.segment_mb": 1, "journal.spare_segments": 2, "journal.group_kb": 128,
    "journal.groups": 2, "node.workers": 2, "journal.disk_free_min_mb": KEEP_FREE_MB,
    "journal.retain_s": 3600,
}


@pytest.fixture
def full(make_world):
    """A world whose journal has room for some segments of one MiB, and ballast."""
    world = make_world(controllers=20)
    world.configure(SMALL)
    with small_disk(world.home / "journal", 32) as journal:
        world.start()
        world.ballast = Ballast(journal, (KEEP_FREE_MB + 3) * MIB)
        yield world
        world.end()


def journal_of(world):
    return world.status()["journal"]


def test_a_full_disk_takes_alarms_only_and_goes_on_by_itself(full):
    sim = load(full, "--rate", 5000)
    full.wait_status("the journal is for alarms only", lambda s: s["journal"]["alarms_only"])
    full.wait_status("records are held", lambda s: s["fleet"]["held_total"] > 1000)
    assert shutil.disk_usage(full.home / "journal").free >= KEEP_FREE_MB * MIB

    before = full.status()
    after = full.wait_status("a hundred alarms more", lambda s: (
        s["desk"]["changes_total"] > before["desk"]["changes_total"] + 100))
    assert after["journal"]["alarms_only"] and after["journal"]["paused_ms"] == 0
    assert after["fleet"]["records_total"] == before["fleet"]["records_total"]
    assert after["connections"]["controllers"] == len(full.estate.controllers)

    full.ballast.drop()
    full.wait_status("all is taken again", lambda s: (
        not s["journal"]["alarms_only"]
        and s["fleet"]["records_total"] > after["fleet"]["records_total"] + 5000))
    full.end_load(sim)
    figures = full.assert_ledger_holds("--expect-alarms", "all")
    assert figures["alarms"]["missing"] == 0 and figures["alarms"]["sent"] > 100
    assert full.value("select count(*) from gatehouse.records where kind = 701") == 0, "a false gap"
    assert full.daemon.exit_code is None


def test_a_used_up_reserve_stops_the_reading_and_goes_on_by_itself(full):
    sim = load(full, "--rate", 5000, "--alarms", 4000)
    full.wait_status("nothing is taken", lambda s: s["journal"]["paused_ms"] > 0
                     and s["queues"]["reading_paused"])
    assert shutil.disk_usage(full.home / "journal").free >= KEEP_FREE_MB * MIB
    before = taken(full)
    full.ballast.drop()
    wait_until("all is taken again", lambda: taken(full) > before + 5000)
    full.end_load(sim)
    full.assert_ledger_holds()
    assert full.daemon.exit_code is None


def refuse_writes(world, first, count=3):
    """From the `first` write on, so many find no space; then it goes on by itself."""
    strace = Strace(world.daemon.pid, world.folder / f"strace-{first}.log", "trace=pwritev",
                    f"inject=pwritev:error=ENOSPC:when={first}..{first + count - 1}")
    # strace counts for each thread: the one that makes spares may be at work, too
    wait_until("writes were refused", lambda: count <= len(
        [call for call in strace.calls() if "ENOSPC" in call.error]))
    before = taken(world)
    wait_until("it goes on", lambda: taken(world) > before + 1000)
    strace.detach()
    assert world.daemon.exit_code is None, world.daemon.log_tail()


def test_writes_without_space_are_repeated(world):
    need_strace()
    sim = load(world)
    wait_until("records", lambda: taken(world) > 1000)
    for first in (1, 2, 25):
        refuse_writes(world, first)
    world.end_load(sim)
    world.assert_ledger_holds()


@pytest.mark.torture
def test_writes_without_space_are_repeated_torture(world):
    need_strace()
    sim = load(world)
    wait_until("records", lambda: taken(world) > 1000)
    for first in range(1, 501, 10):
        refuse_writes(world, first)
    world.end_load(sim)
    world.assert_ledger_holds()


# ---- Writes that are short ------------------------------------------------------------


def test_short_writes_are_continued(make_world):
    world = make_world()
    shim = world.folder / "short_writes.so"
    run("cc", "-shared", "-fPIC", "-o", shim, TOP / "tests/harness/short_writes.c")
    world.start(prefix=["env", f"LD_PRELOAD={shim}"])
    sim = load(world)
    wait_until("records", lambda: taken(world) > 5000)
    world.kill()
    world.start()
    world.end_load(sim)
    world.assert_ledger_holds()
